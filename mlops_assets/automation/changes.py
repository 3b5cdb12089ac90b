"""What is new in the event log, at the same cost however long the log is."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import dagster as dg

from mlops_assets.ml.due_days import EVERY_DAY, DueDays

MADE: Final = dg.DagsterEventType.ASSET_MATERIALIZATION
WIPED: Any = dg.DagsterEventType.ASSET_WIPED  # which the annotations of Dagster leave out


@dataclass(frozen=True, order=True)
class Mark:
    """An entry of the event log by its number, and when it was made.

    SQLite deletes the entries of a wiped asset and gives their numbers out again, so that a number
    alone says nothing.
    """

    number: int = 0
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.number}@{self.at}"


START = Mark()
"""Before the first entry."""


@dataclass(frozen=True)
class Change:
    """A partition that was made: the number of its entry in the log, and when."""

    asset: str
    partition: str
    number: int
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.asset} {self.partition}"


@dataclass(frozen=True)
class Log:
    """The event log of an instance, which several projects may share.

    Days are counted as `due` numbers them: weeks, months and quarters count up by one as well.
    """

    instance: dg.DagsterInstance
    due: DueDays = EVERY_DAY

    def newest(self) -> Mark:
        """The newest entry, of whichever asset."""
        records = self.instance.get_asset_event_summary_records
        found = [
            Mark(r.storage_id, r.timestamp) for t in (MADE, WIPED) for r in records(t, limit=1)
        ]
        return max(found, default=START)

    def holds(self, mark: Mark) -> bool:
        """Whether an entry is still the one that it was."""
        records = self.instance.get_asset_event_summary_records
        found = (r for t in (MADE, WIPED) for r in records(t, storage_ids=[mark.number]))
        return any(Mark(r.storage_id, r.timestamp) == mark for r in found)

    def changes(self, after: int, assets: Collection[str]) -> dict[str, list[Change]]:
        """What was made of each of some assets after an entry, in order, and not wiped since."""
        records = self.instance.get_asset_event_summary_records
        wiped = {
            r.asset_key.to_user_string(): r.storage_id
            for r in records(WIPED, after_storage_id=after, ascending=True)
        }
        found: dict[str, list[Change]] = defaultdict(list)
        for record in records(MADE, after_storage_id=after, ascending=True):
            asset = record.asset_key.to_user_string()
            if asset not in assets or record.partition is None:
                continue
            if record.storage_id > wiped.get(asset, 0):
                change = Change(asset, record.partition, record.storage_id, record.timestamp)
                found[asset].append(change)
        return found

    def made(self, asset: str, days: Collection[int]) -> set[int]:
        """Those of some days that are materialized."""
        keys = self.made_keys(asset, (day_key(day, self.due) for day in days))
        return {day_number(key, self.due) for key in keys}

    def made_keys(self, asset: str, keys: Iterable[str]) -> set[str]:
        """Those of some partitions that are materialized."""
        asked = set(keys)
        if not asked:
            return set()
        key = dg.AssetKey.from_user_string(asset)
        return set(self.instance.get_latest_storage_id_by_partition(key, MADE, partitions=asked))

    def last_made(self, asset: str) -> int:
        """The newest day of an asset; -1 where there is none."""
        found = self.instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))
        return day_number(max(found), self.due) if found else -1


@cache
def day_number(key: str, due: DueDays = EVERY_DAY) -> int:
    """The day of a daily key, as the number by which days, or weeks or months, are counted."""
    return due.number(dt.date.fromisoformat(key))


@cache
def day_key(number: int, due: DueDays = EVERY_DAY) -> str:
    return due.nth(number).isoformat()
