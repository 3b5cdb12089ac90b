"""The tables of what is stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.resources.roots import open_storage
from mlops_assets.resources.stores.alert_records import Alert, Alerts
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Decision, Decisions
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.stores.record_log import StoredRecord

Day = str | dt.date | None


def metrics(
    root: str = "storage", first: Day = None, last: Day = None, models: Sequence[str] | None = None
) -> pd.DataFrame:
    """A row per day and model, best first: every metric of the day and of the 7 and 28 up to it.

    On the rows that all models forecast, as the leaderboard ranks them. `live` says whether the day
    is scored by what was issued for it, `live_days_28d` how many of the last 28 are.
    """
    store = DatasetStore(open_storage(root))
    frame = store.read("leaderboard", _between(store, "leaderboard", first, last))
    return _of(models, frame.drop(columns="sparkline", errors="ignore"))


def forecasts(
    root: str = "storage", first: Day = None, last: Day = None, models: Sequence[str] | None = None
) -> pd.DataFrame:
    """A row per model, day and row of the table: `forecast`, and `actual` once that is known.

    `issued_at` is when it was issued, in UTC; missing where it was reconstructed. Days to come are
    there as issued, their actuals missing.
    """
    store = DatasetStore(open_storage(root))
    names = store.storage.names("datasets/validation") if models is None else models
    parts = []
    for name in names:
        dataset = f"validation/{name}"
        parts.append(store.read(dataset, _between(store, dataset, first, last)).assign(model=name))
    scored = {name: max(store.keys(f"validation/{name}"), default="") for name in names}
    # what is not scored yet was issued on the newest days before
    asked = [key for key in store.keys("issued") if key >= min(scored.values(), default="")]
    issued = store.read("issued", asked)
    if len(issued):
        day = issued["date"].dt.strftime("%Y-%m-%d")
        coming = issued[(day > issued["model"].map(scored)) & day.between(*_ends(first, last))]
        parts.append(coming)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def observations(root: str = "storage", first: Day = None, last: Day = None) -> pd.DataFrame:
    """The rows of each day, as learned from and scored on."""
    store = DatasetStore(open_storage(root))
    return store.read("observations", _between(store, "observations", first, last))


def versions(root: str = "storage", models: Sequence[str] | None = None) -> pd.DataFrame:
    """A row per trained version, newest first, with `holdout_METRIC` and how it learned."""
    store = ModelStore(open_storage(root))
    names = store.storage.names("models") if models is None else models
    cards = [card for name in names for card in store.cards(name)]
    lines = [_of_card(card) for card in sorted(cards, key=lambda c: c.created, reverse=True)]
    return pd.DataFrame(lines, columns=None if lines else [*ModelCard.model_fields])


def decisions(root: str = "storage") -> pd.DataFrame:
    """A row per decision about a model, oldest first: what, by whom and why."""
    return _records(Decision, Decisions(open_storage(root)).all())


def alerts(root: str = "storage") -> pd.DataFrame:
    """A row per alert, oldest first; `open` says whether none that came later has ended it."""
    store = Alerts(open_storage(root))
    found, still = [*store.all().values()], store.open()
    frame = _records(Alert, found)
    return frame.assign(open=[still.get(alert.key) == alert for alert in found])


def _between(store: DatasetStore, dataset: str, first: Day, last: Day) -> list[str]:
    """The stored keys of a dataset between two days."""
    start, end = _ends(first, last)
    return [key for key in store.keys(dataset) if start <= key <= end]


def _ends(first: Day, last: Day) -> tuple[str, str]:
    """Two days as keys. ValueError for what is none."""
    return _key(first or dt.date.min), _key(last or dt.date.max)


def _key(day: str | dt.date) -> str:
    try:
        return str(dt.date.fromisoformat(str(day)))
    except ValueError as error:
        raise ValueError(f"{day!r} is no day; write 2026-01-31") from error


def _of(models: Sequence[str] | None, frame: pd.DataFrame) -> pd.DataFrame:
    if models is None or frame.empty:
        return frame
    return frame[frame["model"].isin(models)].reset_index(drop=True)


def _of_card(card: ModelCard) -> dict[str, Any]:
    line = card.model_dump(exclude={"holdout", "checks"})
    failed = [name for name, check in card.checks.items() if not check.passed]
    return {
        **line,
        "accepted": card.accepted,
        "failed_checks": ", ".join(failed),
        "serves_from": card.serves_from,
        **{f"holdout_{name}": value for name, value in card.holdout.items()},
    }


def _records(kind: type[StoredRecord], records: Sequence[StoredRecord]) -> pd.DataFrame:
    lines = [record.model_dump(mode="python") for record in records]
    return pd.DataFrame(lines, columns=[*kind.model_fields])
