"""The champion of each day, as it was decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.resources.storage import StorageError, damaged_file
from mlops_assets.resources.stores.dataset_store import DatasetStore

CHAMPION = "champion"


@dataclass(frozen=True)
class Record:
    """Who is champion on a day, and who is next: the columns of `champion`.

    The next champion is decided once the target of the day is known, and live from the day after
    that on; the days in between have their champion by earlier records.
    """

    date: pd.Timestamp
    champion: str
    since: str
    why: str
    next_champion: str
    next_version: str
    next_since: str
    next_why: str
    label_delay_days: int = 0
    """So many days after a day had ended was its target known when it was decided."""
    coming: str = ""
    """The first day of the period that followed, where rows are of weeks, months or quarters."""

    @classmethod
    def of(cls, line: Mapping[Any, Any]) -> Record:
        """A line of `champion`."""
        return cls(**{str(name): value for name, value in line.items()})

    @property
    def next_from(self) -> dt.date:
        """The first day of the next champion."""
        if self.coming:
            return dt.date.fromisoformat(self.coming)
        return self.date.date() + dt.timedelta(days=1 + self.label_delay_days)

    def columns(self) -> dict[str, Any]:
        """As it is stored: a delay, or the period that followed, only where there is one."""
        optional = ("label_delay_days", "coming")
        return {
            name: value for name, value in asdict(self).items() if value or name not in optional
        }


def names_of(
    datasets: DatasetStore, keys: Iterable[str], column: str, damaged: dict[str, StorageError]
) -> dict[str, str]:
    """The `champion` or `next_champion` of days by key; `damaged` is as in `DatasetStore.read`."""
    lines = datasets.read(CHAMPION, keys, damaged).to_dict("records")
    return {f"{line['date']:%Y-%m-%d}": str(line[column]) for line in lines}


def newest_record(
    datasets: DatasetStore,
    before: str | None = None,
    damaged: dict[str, StorageError] | None = None,
) -> Record | None:
    """The newest record, or the newest one of a day before `before`; None where there is none.

    A damaged one raises StorageError, unless `damaged` is given: then its error is put there, and
    there is none.
    """
    keys = [key for key in datasets.known(CHAMPION) if before is None or key < before]
    lines = datasets.read(CHAMPION, keys[-1:], damaged).to_dict("records")
    try:
        return Record.of(lines[0]) if lines else None
    except TypeError as error:
        path = datasets.path(CHAMPION, keys[-1])
        raise damaged_file(
            datasets.storage, path, f"is no record of a champion ({error})"
        ) from error


def live_record(datasets: DatasetStore, day: dt.date) -> Record | None:
    """The record whose next champion is live on a day; None where none was decided by then."""
    record = newest_record(datasets, before=str(day))
    while record is not None and record.next_from > day:
        record = newest_record(datasets, before=str(record.date.date()))
    return record
