"""What is planted into the sample, by hand, and how delays and false alarms are counted."""

import datetime as dt
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from benchmarks.detection.ours import OURS, UNTOUCHED
from benchmarks.detection.plant import (
    CHANGES,
    OF_BIKES,
    OF_PEDESTRIANS,
    Change,
    Plant,
    frozen,
    halved,
    level,
    renamed,
    rescaled,
    stopped,
    trend,
)
from benchmarks.detection.stretches import TABLES, World
from benchmarks.detection.tables import caused, delay, delays, episodes, false_alarms, shown

FIRST = pd.Timestamp("2017-03-03")
SAMPLE = TABLES["sample"]
YEAR = sorted([*SAMPLE.tuned_on, *SAMPLE.reported], key=lambda stretch: stretch.number)


def make_rows() -> pd.DataFrame:
    """Four series for five days, 100 units each; the price is the day of the month."""
    days = pd.date_range("2017-03-01", periods=5)
    names = [("MEAT", "BEEF"), ("MEAT", "PORK"), ("PRODUCE", "APPLES"), ("PRODUCE", "PEARS")]
    return pd.DataFrame(
        [
            {
                "date": day,
                "department": department,
                "category": category,
                "units": 100.0,
                "unit_price": float(day.day),
                "promotion": 0.5,
            }
            for day in days
            for department, category in names
        ]
    )


def planted(plant: Plant, sign: int = 1) -> pd.DataFrame:
    return plant(make_rows(), FIRST, np.random.default_rng(1), sign)


def since(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["date"] >= FIRST]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_leaves_the_days_before_it_and_the_rows_given_alone(change: Change) -> None:
    rows = make_rows()
    kept = rows.copy()
    changed = change.plant(rows, FIRST, np.random.default_rng(1), 1)
    pd.testing.assert_frame_equal(rows, kept)
    before = changed[changed["date"] < FIRST]
    pd.testing.assert_frame_equal(before, kept[kept["date"] < FIRST])
    assert list(changed.dtypes) == list(kept.dtypes)


def test_a_level_shift_is_of_that_share_and_keeps_counts_whole() -> None:
    up, down = planted(level(0.4)), planted(level(0.4), -1)
    # 12 rows of 100 units: 480 more, give or take four standard deviations of 17
    assert since(up)["units"].sum() == pytest.approx(1680, abs=68)
    assert since(down)["units"].sum() == pytest.approx(720, abs=68)
    assert (up["units"] % 1 == 0).all()
    one = since(planted(level(1.0, "MEAT")))
    assert set(one["units"][one["department"] == "MEAT"]) == {200.0}
    assert set(one["units"][one["department"] != "MEAT"]) == {100.0}


def test_a_trend_adds_up_by_the_day() -> None:
    rows = planted(trend(0.5))
    of_day = rows.groupby("date")["units"].sum()
    assert of_day.iloc[2] == pytest.approx(600, abs=40)
    assert list(of_day.iloc[3:]) == [800, 800]  # never more than all


def test_inputs_frozen_rescaled_and_stopped() -> None:
    assert set(since(planted(frozen("unit_price")))["unit_price"]) == {2.0}
    assert list(since(planted(rescaled("unit_price", 10)))["unit_price"].unique()) == [30, 40, 50]
    assert set(since(planted(stopped("promotion")))["promotion"]) == {0.0}


def test_a_category_renamed_and_rows_halved() -> None:
    names = since(planted(renamed("category", "BEEF", "STEAK")))["category"].value_counts()
    assert dict(names) == {"STEAK": 3, "PORK": 3, "APPLES": 3, "PEARS": 3}
    assert list(planted(halved()).groupby("date").size()) == [4, 4, 2, 2, 2]


def test_changes_begin_on_every_weekday_and_end_inside_of_the_stretch() -> None:
    assert (len(SAMPLE.reported), len(YEAR)) == (20, 26)
    assert not set(SAMPLE.reported) & set(SAMPLE.tuned_on)
    assert len({stretch.planted.weekday() for stretch in YEAR}) == 7
    assert all(stretch.horizon <= stretch.end for stretch in YEAR)


@pytest.mark.parametrize(
    ("name", "tuned_on", "reported"), [("bikes", 5, 6), ("pedestrians", 9, 10)]
)
def test_stretches_of_longer_tables_do_not_overlap_and_those_tuned_on_come_first(
    name: str, tuned_on: int, reported: int
) -> None:
    table = TABLES[name]
    assert (len(table.tuned_on), len(table.reported)) == (tuned_on, reported)
    stretches = [*table.tuned_on, *table.reported]
    assert all(a.end <= b.start for a, b in pairwise(stretches))
    assert stretches[-1].end <= table.recorded_from + dt.timedelta(days=table.days)
    assert all(stretch.horizon <= stretch.end for stretch in stretches)


# The totals of single days, added up by hand from what the sources publish by the hour.
@pytest.mark.parametrize(
    ("name", "day", "total"),
    [
        ("bikes", "2011-01-01", 985),
        ("bikes", "2012-12-31", 2729),
        ("pedestrians", "2022-04-04", 74_382),
        ("pedestrians", "2025-03-04", 140_411),
    ],
)
def test_the_tables_hold_what_their_sources_publish(name: str, day: str, total: int) -> None:
    world = World(TABLES[name])
    rows, columns = world.observations, world.project.columns
    assert rows[columns.date].nunique() == TABLES[name].days
    assert rows.loc[rows[columns.date] == day, columns.target].sum() == total


@pytest.mark.parametrize(
    ("name", "changes"), [("bikes", OF_BIKES), ("pedestrians", OF_PEDESTRIANS)]
)
def test_each_change_of_a_table_changes_its_rows_from_that_day_on(
    name: str, changes: tuple[Change, ...]
) -> None:
    table = TABLES[name]
    world, stretch = World(table), table.reported[0]
    first = pd.Timestamp(stretch.planted)
    rows = world.between(world.observations, stretch.start, stretch.horizon).reset_index(drop=True)
    assert len(changes) == len({change.name for change in changes})
    for change in changes:
        changed = change.plant(rows, first, np.random.default_rng(1), 1)
        before = changed[changed["date"] < first]
        pd.testing.assert_frame_equal(before, rows[rows["date"] < first])
        assert not changed.equals(rows), change.name


def alarm(day: dt.date, change: str = UNTOUCHED, check: str = "bias") -> dict[str, object]:
    start = YEAR[0].start
    named = {"side": OURS, "start": start, "family": "performance"}
    return {**named, "change": change, "day": day, "check": check}


def test_false_alarms_delays_and_what_a_change_caused() -> None:
    stretch = YEAR[0]
    first, second = stretch.planted, stretch.planted + dt.timedelta(days=1)
    alarms = pd.DataFrame(
        [
            *(alarm(first), alarm(first, check="limits"), alarm(second + dt.timedelta(days=3))),
            *(alarm(first, "x"), alarm(second, "x")),
        ]
    )
    # two days in two episodes among 42 days
    untouched = alarms[alarms["change"] == UNTOUCHED]
    assert false_alarms(untouched, [stretch]) == pytest.approx((200 / 42, 200 / 42))
    assert delays(alarms, "x", [stretch], all_alarms=True) == [1]
    assert delays(alarms, "x", [stretch], all_alarms=False) == [2]
    assert delays(alarms, "y", [stretch], all_alarms=True) == [math.inf]
    assert delays(alarms, "y", [stretch], all_alarms=False) == [math.inf]
    assert len(caused(alarms[alarms["change"] == "x"], untouched)) == 1


def test_episodes_and_delays_by_hand() -> None:
    day = YEAR[3].planted
    run = {day + dt.timedelta(days=n) for n in (0, 1, 4, 6)}
    assert episodes(run) == 3
    assert delay(run, day + dt.timedelta(days=2)) == 3
    assert shown([1, 3, math.inf]) == "3 (2/3)"
    assert shown([1, math.inf, math.inf]) == "- (1/3)"
