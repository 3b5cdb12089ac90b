"""Windows by hand, and that none ever reaches what it is to forecast."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.due_days import DueDays, Grain
from mlops_assets.ml.models.splits import (
    SPLITS,
    Fixed,
    HoldoutSplit,
    Split,
    TrainingWindow,
    Weights,
    Window,
)
from mlops_assets.ml.registries import choose

MARCH = dt.date(2026, 3, 1)
EARLIEST = dt.date(2025, 1, 20)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def window(text: str) -> Window:
    first, last = text.split()
    return Window(day(first), day(last) + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("choice", "months", "gap", "end", "expected"),
    [
        ("trailing", 4, 0, "2026-03-01", "2025-11-01 2026-02-28"),
        ("trailing", 1, 7, "2026-03-01", "2026-01-22 2026-02-21"),
        ("trailing", 1, 0, "2026-03-31", "2026-02-28 2026-03-30"),  # February has no 31st
        ("expanding", 4, 0, "2026-03-01", "2025-01-20 2026-02-28"),
        ("expanding", 4, 30, "2026-03-01", "2025-01-20 2026-01-29"),
        ({"fixed": {"from": "2025-02-01", "through": "2025-04-30"}}, 4, 9, "2026-03-01", ""),
    ],
)
def test_windows(choice: str, months: int, gap: int, end: str, expected: str) -> None:
    found = TrainingWindow(choose(SPLITS, choice), months, gap).of(day(end), EARLIEST)
    assert found == window(expected or "2025-02-01 2025-04-30")


@pytest.mark.parametrize(
    ("choice", "months", "gap", "expected"),
    [
        # features from 20 January on, so February is the first whole month
        ("trailing", 1, 0, "2025-03-01"),
        ("trailing", 4, 0, "2025-06-01"),
        ("trailing", 1, 7, "2025-03-01"),  # from 22 January
        ("trailing", 1, 20, "2025-04-01"),  # 9 January would be too early
        ("expanding", 1, 0, "2025-03-01"),
        ("expanding", 1, 20, "2025-04-01"),
        ({"fixed": {"from": "2025-02-01", "through": "2025-04-30"}}, 4, 0, "2025-05-01"),
        # the last of its days lies in the gap before May
        ({"fixed": {"from": "2025-02-01", "through": "2025-04-30"}}, 4, 1, "2025-06-01"),
    ],
)
def test_the_first_month(choice: str, months: int, gap: int, expected: str) -> None:
    assert TrainingWindow(choose(SPLITS, choice), months, gap).first_month(EARLIEST) == day(
        expected
    )


def test_a_training_through_a_day_ignores_the_gap_and_never_goes_beyond() -> None:
    fixed = Fixed.model_validate({"from": "2025-02-01", "through": "2025-04-30"})
    chosen = TrainingWindow(fixed, 1, gap_days=5)
    assert chosen.of(day("2025-03-11"), EARLIEST, gap=False) == window("2025-02-01 2025-03-10")
    with pytest.raises(ValueError, match="holds no day"):
        chosen.of(day("2025-02-01"), EARLIEST, gap=False)


def test_coverage_of_an_expanding_window_is_judged_on_its_last_months_too() -> None:
    chosen = TrainingWindow(choose(SPLITS, "expanding"), 2)
    whole = chosen.of(MARCH, EARLIEST)
    assert chosen.judged(whole) == [whole, window("2026-01-01 2026-02-28")]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("sliding", "'sliding' is no known split; choose one of: trailing, expanding, fixed"),
        ({"trailing": {"weeks": 3}}, "unknown option 'weeks'; split trailing takes: none"),
        ({"fixed": {"from": "2025-02-01"}}, "options of split fixed: through is missing"),
        (
            {"fixed": {"from": "2025-02-01", "through": "2025-01-01"}},
            "from 2025-02-01 lies after through 2025-01-01",
        ),
        ({"trailing": {}, "fixed": {}}, "name one split, not 2"),
    ],
)
def test_wrong_choices_are_named(choice: str, message: str) -> None:
    with pytest.raises(ValueError, match="split") as caught:
        choose(SPLITS, choice)
    assert message in str(caught.value)


class Reckless(Split):
    name = "reckless"
    description = "Learns from what it is to forecast."

    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        return Window(earliest, end + dt.timedelta(days=months))


days_of_service = st.dates(dt.date(2025, 8, 1), dt.date(2030, 1, 1))
choices = st.sampled_from(
    [
        "trailing",
        "expanding",
        {"fixed": {"from": dt.date(2025, 2, 1), "through": dt.date(2025, 4, 30)}},
        {"fixed": {"from": dt.date(2025, 2, 1), "through": dt.date(2029, 4, 30)}},
    ]
)


@settings(deadline=None)
@given(choices, st.integers(1, 24), st.integers(0, 60), days_of_service, st.booleans())
def test_no_window_reaches_its_gap_or_its_service(
    choice: str, months: int, gap: int, end: dt.date, named: bool
) -> None:
    chosen = TrainingWindow(choose(SPLITS, choice), months, gap)
    found = chosen.of(end, EARLIEST, gap=not named)
    assert found.start < found.end <= end - dt.timedelta(days=0 if named else gap)


@settings(deadline=None)
@given(st.integers(1, 24), st.integers(0, 60), days_of_service)
def test_a_split_that_would_learn_from_its_service_is_refused(
    months: int, gap: int, end: dt.date
) -> None:
    with pytest.raises(ValueError, match="may learn from days before"):
        TrainingWindow(Reckless(), months, gap).of(end, EARLIEST)


@pytest.mark.parametrize(
    ("grain", "gap", "end", "expected"),
    [
        # 1 March 2026 is a Sunday: its week and the one before have not ended, or are left out
        (Grain.WEEK, 0, MARCH, "2025-11-23 2026-02-22"),
        (Grain.WEEK, 1, MARCH, "2025-11-16 2026-02-15"),
        (Grain.WEEK, 0, dt.date(2026, 6, 1), "2026-03-01 2026-05-31"),  # a Monday
        (Grain.MONTH, 0, MARCH, "2025-12-01 2026-02-28"),
        (Grain.MONTH, 1, MARCH, "2025-11-01 2026-01-31"),
        (Grain.QUARTER, 0, MARCH, "2025-10-01 2025-12-31"),
    ],
)
def test_a_period_is_learned_from_once_it_has_ended(
    grain: Grain, gap: int, end: dt.date, expected: str
) -> None:
    trailing = TrainingWindow(choose(SPLITS, "trailing"), 3, gap, due=DueDays(grain=grain))
    assert trailing.of(end, EARLIEST) == window(expected)


def test_the_holdout_and_the_age_of_rows_count_periods() -> None:
    months = DueDays(grain=Grain.MONTH)
    assert HoldoutSplit(2, due=months).first_day(MARCH) == dt.date(2026, 1, 1)
    rows = pd.DataFrame({"date": pd.to_datetime(["2025-01-01", "2025-07-01", "2026-01-01"])})
    weights = Weights("date", 6, months)(rows)
    np.testing.assert_allclose(weights, np.array([0.25, 0.5, 1.0]) / (7 / 12))


def test_weights_halve_with_age() -> None:
    rows = pd.DataFrame({"date": pd.to_datetime(["2026-01-01", "2026-01-11", "2026-01-21"])})
    weights = Weights("date", 10)(rows)
    # a quarter, a half and a whole, with a mean of one: 7/12 is the mean of the three
    np.testing.assert_allclose(weights, np.array([0.25, 0.5, 1.0]) / (7 / 12))


def test_no_window_holds_a_day_of_which_the_recording_comes_again_on_the_first_to_serve() -> None:
    thirteen = TrainingWindow(choose(SPLITS, "trailing"), 13, loop_days=364)
    with pytest.raises(ValueError, match=r"comes again after 364 days; shorten training\.window"):
        thirteen.of(dt.date(2026, 3, 1), EARLIEST)
    eleven = replace(thirteen, months=11)
    window = eleven.of(dt.date(2026, 3, 1), EARLIEST)
    assert window.start == dt.date(2025, 4, 1)
    # 31 March 2026 is 364 days after 1 April 2025
    assert eleven.serves_before(window.start) == dt.date(2026, 3, 31)
    assert replace(thirteen, loop_days=0).serves_before(window.start) is None
