"""Days and months, by hand."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.graph.partitions import (
    add_months,
    days_between,
    make_partitions,
    month_of,
    ranges,
)
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage, StorageError

PROJECT = load_project()


@pytest.mark.parametrize(
    ("first_day", "first_month"),
    [
        # the longest lag is 28 days, a window four months
        ("2025-12-04", "2026-05-01"),  # 1 January: January is the first month to learn from
        ("2025-12-05", "2026-06-01"),  # 2 January: January lacks its first day
        ("2024-02-02", "2024-07-01"),  # 1 March, since February has 29 days
        ("2025-02-02", "2025-08-01"),  # 2 March, since it has 28
    ],
)
def test_the_first_month_has_a_whole_window_before_it(
    tmp_path: Path, first_day: str, first_month: str
) -> None:
    project = PROJECT.model_copy(update={"first_day": dt.date.fromisoformat(first_day)})
    partitions = make_partitions(project, LocalStorage(str(tmp_path)))
    assert partitions.first_month == dt.date.fromisoformat(first_month)
    assert partitions.daily.get_first_partition_key() == first_day
    assert partitions.monthly.get_first_partition_key() == first_month
    assert not list(tmp_path.iterdir()), "what the settings say is not stored"


def test_a_first_day_that_is_kept_and_damaged_is_named(tmp_path: Path) -> None:
    project = PROJECT.model_copy(update={"first_day": None})
    storage = LocalStorage(str(tmp_path))
    kept = make_partitions(project, storage).first_day
    assert make_partitions(project, storage).first_day == kept
    for text in (b"2026-02-30", b"", Path(storage.url("first_day.txt")).read_bytes()[:-3]):
        Path(storage.url("first_day.txt")).write_bytes(text)
        with pytest.raises(StorageError, match=r"first_day\.txt .*; write into it the first day"):
            make_partitions(project, storage)
    Path(storage.url("first_day.txt")).write_text("2026-02-01\n")
    assert make_partitions(project, storage).first_day == dt.date(2026, 2, 1)


def test_the_month_that_has_begun_is_a_partition_and_today_is_none(tmp_path: Path) -> None:
    project = PROJECT.model_copy(update={"first_day": dt.date(2025, 1, 1)})
    partitions = make_partitions(project, LocalStorage(str(tmp_path)))
    midnight = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert partitions.monthly.get_partition_keys(current_time=midnight)[-1] == "2026-03-01"
    assert partitions.daily.get_partition_keys(current_time=midnight)[-1] == "2026-02-28"


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe"])
def test_days_begin_in_their_time_zone_and_clocks_that_change_lose_none(
    tmp_path: Path, zone: str
) -> None:
    project = PROJECT.model_copy(update={"first_day": dt.date(2025, 1, 1), "time_zone": zone})
    partitions = make_partitions(project, LocalStorage(str(tmp_path)))
    now = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    keys = list(partitions.daily.get_partition_keys(current_time=now))
    last = dt.date.fromisoformat(keys[-1])
    assert keys == days_between(dt.date(2025, 1, 1), last + dt.timedelta(days=1))


@given(st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1)), st.integers(-200, 200))
def test_months_add_up(day: dt.date, months: int) -> None:
    moved = add_months(day, months)
    assert moved.day == 1
    assert (moved.year - day.year) * 12 + moved.month - day.month == months
    assert add_months(moved, -months) == day.replace(day=1)
    assert month_of(day) == str(add_months(day, 0))


@given(st.dictionaries(st.sampled_from("abc"), st.sets(st.integers(1, 20), max_size=20)))
def test_ranges_hold_what_is_wanted_and_nothing_else(wanted: dict[str, set[int]]) -> None:
    definition = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-25")
    keys = {dg.AssetKey(a): {f"2026-03-{n:02}" for n in days} for a, days in wanted.items()}
    found: dict[dg.AssetKey, list[str]] = {key: [] for key in keys}
    ends: dict[dg.AssetKey, list[tuple[str, str]]] = {key: [] for key in keys}
    for (first, last), assets in ranges(keys, definition).items():
        end = dt.date.fromisoformat(last) + dt.timedelta(days=1)
        for asset in assets:
            found[asset] += days_between(dt.date.fromisoformat(first), end)
            ends[asset].append((first, last))
    for asset, days in found.items():
        assert len(days) == len(set(days))
        assert set(days) == keys[asset]
        # as few as can be: between two ranges lies a day that is not wanted
        for (_, last), (first, _) in zip(ends[asset], ends[asset][1:], strict=False):
            assert dt.date.fromisoformat(first) - dt.date.fromisoformat(last) > dt.timedelta(1)
