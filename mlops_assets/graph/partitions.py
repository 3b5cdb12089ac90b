"""Days and months: every partitions definition, built once."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import dagster as dg

from mlops_assets.ml.due_days import ALL_WEEK, EVERY_DAY, DueDays, holidays_of
from mlops_assets.ml.models.splits import add_months as add_months
from mlops_assets.ml.models.splits import months_before as months_before
from mlops_assets.project import Project
from mlops_assets.resources.storage import Storage, damaged_file

HISTORY_MONTHS = 6
DECADE = 10
CRON_WEEK = (ALL_WEEK[-1], *ALL_WEEK[:-1])  # which begins on Sunday
FIRST_DAY_FILE = "first_day.txt"
PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Partitions:
    first_day: dt.date
    earliest: dt.date
    """The first day of which every feature can be made."""
    first_month: dt.date
    daily: dg.TimeWindowPartitionsDefinition
    """There is a day once its target is known: `label_delay_days` after it has ended. None of those
    on which no rows are due."""
    monthly: dg.MonthlyPartitionsDefinition
    due: DueDays = EVERY_DAY

    def newest_day(self, now: dt.datetime | None = None) -> dt.date | None:
        """The newest day that there is, now or at another moment; None where there is none yet."""
        with dg.partition_loading_context(effective_dt=now):
            key = self.daily.get_last_partition_key()
        return None if key is None else day_of(key)

    def last_days(self, days: int, now: dt.datetime | None = None) -> list[str]:
        """The keys of those of so many of the newest days on which rows are due."""
        newest = self.newest_day(now)
        if newest is None:
            return []
        end = newest + dt.timedelta(days=1)
        return self.keys(max(self.due.back(newest, days - 1), self.first_day), end)

    def keys(self, start: dt.date, end: dt.date) -> list[str]:
        """The keys of the days [start, end) on which rows are due."""
        return due_keys(self.due, start, end)


def make_partitions(project: Project, storage: Storage) -> Partitions:
    """The partitions of a project whose history lies in `storage`."""
    first_day = project.first_day or _kept_first_day(project, storage)
    earliest = project.due.back(first_day, -project.longest_lag)
    first_month = project.training_window.first_month(earliest)
    return Partitions(
        first_day=first_day,
        earliest=earliest,
        first_month=first_month,
        daily=_daily(project, first_day),
        monthly=dg.MonthlyPartitionsDefinition(
            start_date=first_month.isoformat(), timezone=project.time_zone, end_offset=1
        ),
        due=project.due,
    )


def _daily(project: Project, first_day: dt.date) -> dg.TimeWindowPartitionsDefinition:
    """The days on which rows are due, each a window of its own, or weeks, months or quarters."""
    due, offset = project.due, -project.evaluation.label_delay_days
    if not due.daily:
        return dg.TimeWindowPartitionsDefinition(
            cron_schedule=f"0 0 {due.cron}",
            start=first_day.isoformat(),
            fmt="%Y-%m-%d",
            timezone=project.time_zone,
            end_offset=offset,
        )
    if due.all:
        return dg.DailyPartitionsDefinition(
            start_date=first_day.isoformat(), timezone=project.time_zone, end_offset=offset
        )
    excluded: list[str | dt.datetime] = []
    if others := [str(n) for n, name in enumerate(CRON_WEEK) if name not in due.weekdays]:
        excluded.append(f"0 0 * * {','.join(others)}")
    if due.holidays:
        # the same for years on end: what knows a partition by its definition is not to forget it
        end = project.today().year // DECADE * DECADE + 2 * DECADE
        for year in range(first_day.year, end):
            days = sorted(holidays_of(due.holidays, year))
            excluded += [dt.datetime.combine(day, dt.time()) for day in days]
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule="0 0 * * *",
        start=first_day.isoformat(),
        fmt="%Y-%m-%d",
        timezone=project.time_zone,
        end_offset=offset,
        exclusions=excluded,
    )


def _kept_first_day(project: Project, storage: Storage) -> dt.date:
    """The first day of a replayed history: chosen once, so that no partition ever vanishes."""
    try:
        return dt.date.fromisoformat(storage.read(FIRST_DAY_FILE).decode().strip())
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise damaged_file(storage, FIRST_DAY_FILE, f"holds no day ({error})") from error
    first_month = add_months(project.today(), 1 - HISTORY_MONTHS)
    first_day = add_months(first_month, -project.training.window_months) - dt.timedelta(
        days=project.longest_lag + project.training_window.days_left_out
    )
    storage.write(FIRST_DAY_FILE, f"{first_day}\n".encode())
    return first_day


def day_of(key: str) -> dt.date:
    """The day of a daily key, or the first day of a monthly one."""
    return dt.date.fromisoformat(key)


def days_between(start: dt.date, end: dt.date) -> list[str]:
    """The keys of the days [start, end)."""
    return [str(start + dt.timedelta(days=n)) for n in range((end - start).days)]


def due_keys(due: DueDays, start: dt.date, end: dt.date) -> list[str]:
    """The keys of the days [start, end) on which rows are due."""
    return [str(day) for day in due.between(start, end)]


def month_of(day: dt.date) -> str:
    """The key of the month that holds a day."""
    return day.replace(day=1).isoformat()


def ranges(
    wanted: Mapping[dg.AssetKey, Collection[str]], partitions: dg.PartitionsDefinition[str]
) -> dict[tuple[str, str], list[dg.AssetKey]]:
    """The partitions wanted of each asset as ranges (first, last) without gaps.

    Assets that want the same range share it, so that one run can serve them. In ascending order.
    What is no partition any more, since the settings begin later or wait longer for targets now, is
    left out.
    """
    if not any(wanted.values()):
        return {}
    position = {key: n for n, key in enumerate(partitions.get_partition_keys())}
    assets: dict[tuple[str, str], list[dg.AssetKey]] = {}
    for asset, keys in wanted.items():
        found: list[list[str]] = []
        for key in sorted(position.keys() & set(keys)):
            if found and position[key] == position[found[-1][1]] + 1:
                found[-1][1] = key
            else:
                found.append([key, key])
        for first, last in found:
            assets.setdefault((first, last), []).append(asset)
    return dict(sorted(assets.items()))


def run_tags(first: str, last: str) -> dict[str, str]:
    """The tags of a run of one partition, or of a range of them."""
    return {PARTITION: first} if first == last else range_tags(first, last)


def range_tags(first: str, last: str) -> dict[str, str]:
    """The tags that make one run of a range of partitions."""
    return {RANGE_START: first, RANGE_END: last}
