"""What all assets do with the frames of days that they store."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping

import dagster as dg

from mlops_assets.assets.reporting import Metadata, PartitionError
from mlops_assets.graph.partitions import day_of
from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import DueDays
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore

GROUP, KINDS = "datasets", {"pandas", "parquet"}
ROW_COUNT = "dagster/row_count"


def window(keys: list[str]) -> tuple[dt.date, dt.date]:
    """The half-open window of days from the first to the last key."""
    return day_of(min(keys)), day_of(max(keys)) + dt.timedelta(days=1)


def by_day(rows: pd.DataFrame, date: str) -> dict[str, pd.DataFrame]:
    """The rows of each day by its key; none of a frame that is empty, with or without columns."""
    if rows.empty:
        return {}
    return {
        f"{day:%Y-%m-%d}": frame.reset_index(drop=True)
        for day, frame in rows.groupby(date, sort=True)
    }


def needed(
    damaged: Mapping[str, StorageError], key: str, back: Iterable[int], due: DueDays
) -> StorageError | None:
    """The error of the newest damaged one of the days so many days before a key, if there is one.

    Without it, what is made of these days would be made as if it had no rows.
    """
    days = (str(due.back(day_of(key), n)) for n in sorted(back)) if damaged else ()
    return next((damaged[day] for day in days if day in damaged), None)


def lacking(dataset: str, key: str, damaged: Mapping[str, StorageError]) -> Exception:
    """Why the rows of a day are not there: its file is damaged, or there is none."""
    return damaged.get(key) or PartitionError(
        f"{dataset} of {key} are missing; materialize {dataset} for it first"
    )


def stored(datasets: DatasetStore, dataset: str, key: str, frame: pd.DataFrame) -> Metadata:
    """What every stored frame says of itself."""
    return {
        ROW_COUNT: len(frame),
        "path": dg.MetadataValue.path(datasets.url(dataset, key)),
    }


def frame_hash(frame: pd.DataFrame) -> str:
    """The SHA-256 of a frame's values, whatever file holds them."""
    return hashlib.sha256(
        pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
    ).hexdigest()
