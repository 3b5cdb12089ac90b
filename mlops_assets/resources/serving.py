"""The champion for any Python script, without Dagster."""

from __future__ import annotations

import datetime as dt
import warnings

from mlops_assets.lazy import sklearn
from mlops_assets.resources.roots import open_storage
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.champions import Record, live_record, newest_record
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore


def load_champion(
    root: str, day: dt.date | None = None
) -> tuple[sklearn.pipeline.Pipeline, ModelCard]:
    """The fitted pipeline of the champion, and its card.

    `root` is the storage root, a folder or an fsspec URL. `day` is the day to forecast, by default
    the one from which on the champion decided last is live. Of a day that was scored, or forecast,
    it is the version that this was done by, whatever was trained or retired since. The pipeline
    reads a frame with the columns `card.inputs`, as in the stored features, and its `predict`
    returns one forecast per row in units of the target; where `card.non_negative`, forecasts below
    zero count as zero.

    Raises StorageError where no champion is stored, or none of its versions may serve that day.
    """
    storage = open_storage(root)
    datasets, models = DatasetStore(storage), ModelStore(storage)
    record = newest_record(datasets) if day is None else live_record(datasets, day)
    if record is None:
        raise StorageError(
            f"no champion{f' of {day}' if day else ''} is stored under {storage.root}; name the "
            "storage root, or materialize champion first"
        )
    name = record.next_champion
    if day is not None and (version := _served_then(datasets, name, day, record)):
        if (served := models.card(name, version)) is None:
            raise StorageError(f"{version} of {name}, which served {day}, is not stored any more")
        return models.load(served), served
    day = day or record.next_from
    lost: dict[str, StorageError] = {}
    models.cards(name, lost)
    card = models.in_service(name, day)
    if card is None:
        why = "".join(f"; {error}" for error in lost.values())
        raise StorageError(
            f"{name} is the champion, but none of its versions may serve on {day}{why}"
        )
    for version, error in lost.items():
        if version > card.version:
            warnings.warn(f"{card.version} stands in for {version}: {error}", stacklevel=2)
    return models.load(card), card


def _served_then(datasets: DatasetStore, name: str, day: dt.date, record: Record) -> str:
    """The version by which a day of a model was scored, or else is forecast; empty for neither."""
    issued_on = day - dt.timedelta(days=1 + record.label_delay_days)
    if record.coming:
        there = [key for key in datasets.keys("issued") if key < str(day)]
        issued_on = dt.date.fromisoformat(there[-1]) if there else issued_on
    for dataset, key in ((f"validation/{name}", day), ("issued", issued_on)):
        rows = datasets.read(dataset, [str(key)])
        if len(rows) and "model" in rows:
            rows = rows[rows["model"] == name]
        if len(rows) and "version" in rows:
            return str(rows["version"].iloc[0])
    return ""
