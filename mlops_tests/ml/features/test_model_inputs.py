"""Features know nothing of the day's target nor of any later row."""

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.due_days import DueDays, Weekday
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.model_inputs import (
    calendar_feature,
    holiday_features,
    make_features,
    rows_to_come,
)
from mlops_assets.project import CalendarFeature, load_project

START = dt.date(2026, 3, 1)
DAYS = 40


@cache
def plan() -> FeaturePlan:
    return load_project().feature_plan


def observations(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    days = pd.date_range(START, periods=DAYS)
    frames = [
        pd.DataFrame(
            {
                "date": days,
                "department": "d",
                "category": category,
                "units": random.poisson(9, DAYS).astype(float),
                "unit_price": 1.0,
                "promotion": 0.0,
            }
        )
        for category in ("a", "b")
    ]
    return pd.concat(frames, ignore_index=True)


def test_lags_and_means_by_hand() -> None:
    rows = observations()
    rows["units"] = (rows["date"].dt.day + 100 * (rows["category"] == "b")).astype(float)
    day = dt.date(2026, 3, 30)
    found = make_features(plan(), rows, day, day + dt.timedelta(days=1)).set_index("category")
    assert found.loc["a", "units_lag_1"] == 29
    assert found.loc["b", "units_lag_1"] == 129
    assert found.loc["a", "units_lag_28"] == 2
    assert found.loc["a", "units_mean_7"] == np.mean([23, 24, 25, 26, 27, 28, 29])
    assert found.loc["a", "units_mean_28"] == np.mean(range(2, 30))
    assert found.loc["a", "day_of_week"] == 0  # 30 March 2026 is a Monday
    assert found.loc["a", "day_of_month"] == 30
    assert found.loc["a", "week_of_year"] == 14


def test_a_missing_day_is_a_missing_lag() -> None:
    rows = observations()
    day = pd.Timestamp(2026, 3, 30)
    rows = rows[rows["date"] != day - pd.Timedelta(days=7)]
    found = make_features(plan(), rows, day.date(), day.date() + dt.timedelta(days=1))
    assert found["units_lag_7"].isna().all()
    assert found[["units_lag_1", "units_mean_7"]].notna().all().all()


def test_a_range_gives_what_each_day_gives_alone() -> None:
    rows = observations()
    first = START + dt.timedelta(days=30)
    whole = make_features(plan(), rows, first, first + dt.timedelta(days=5))
    for n in range(5):
        day = first + dt.timedelta(days=n)
        alone = make_features(plan(), rows, day, day + dt.timedelta(days=1))
        of_day = whole[whole["date"] == pd.Timestamp(day)].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, of_day, check_dtype=False)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(29, DAYS - 1),
    st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1e6)), max_size=20),
    st.booleans(),
)
def test_the_future_changes_nothing(
    offset: int, changes: list[tuple[int, float]], drop: bool
) -> None:
    rows = observations()
    day = START + dt.timedelta(days=offset)
    end = day + dt.timedelta(days=1)
    before = make_features(plan(), rows, day, end)
    future = rows.index[rows["date"] >= pd.Timestamp(day)]
    changed = rows.copy()
    for position, value in changes:
        changed.loc[future[position % len(future)], "units"] = value
    if drop:
        changed = changed[changed["date"] <= pd.Timestamp(day)]
    after = make_features(plan(), changed, day, end)
    target = plan().columns.target
    pd.testing.assert_frame_equal(before.drop(columns=target), after.drop(columns=target))


def test_the_input_is_not_changed() -> None:
    rows = observations()
    copy = rows.copy(deep=True)
    make_features(plan(), rows, START, START + dt.timedelta(days=3))
    pd.testing.assert_frame_equal(rows, copy)


@pytest.mark.parametrize("feature", list(CalendarFeature))
def test_calendar_features_are_numbers(feature: CalendarFeature) -> None:
    days = pd.Series(pd.to_datetime(["2026-01-03", "2026-12-31"]))
    expected = {
        CalendarFeature.DAY_OF_WEEK: [5, 3],
        CalendarFeature.DAY_OF_MONTH: [3, 31],
        CalendarFeature.DAY_OF_YEAR: [3, 365],
        CalendarFeature.WEEK_OF_YEAR: [1, 53],
        CalendarFeature.MONTH: [1, 12],
        CalendarFeature.IS_WEEKEND: [1, 0],
    }
    assert calendar_feature(days, feature).tolist() == expected[feature]


def test_holidays_and_the_days_before_them() -> None:
    days = pd.Series(pd.to_datetime(["2025-12-31", "2026-01-01", "2026-01-02", "2026-12-24"]))
    found = holiday_features(days, "DE")
    assert found["is_holiday"].tolist() == [0, 1, 0, 0]
    assert found["is_holiday_eve"].tolist() == [1, 0, 0, 1]
    settings = load_project().features.model_copy(update={"holidays": "DE"})
    with_them = replace(plan(), features=settings)
    made = make_features(with_them, observations(), START, START + dt.timedelta(days=2))
    assert made["is_holiday"].tolist() == [0, 0, 0, 0]
    assert {"is_holiday", "is_holiday_eve"} <= {*with_them.numeric}


def test_rows_to_come_are_those_of_the_last_due_day() -> None:
    business = replace(plan(), due=DueDays(tuple(Weekday)[:5]))
    rows = observations()
    friday, monday = pd.Timestamp("2026-03-06"), dt.date(2026, 3, 9)
    rows.loc[rows["date"] == friday, "unit_price"] = 7.0
    found = rows_to_come(business, rows, rows.iloc[:0], [monday])
    assert found["unit_price"].tolist() == [7.0, 7.0]
    assert set(found["date"]) == {pd.Timestamp(monday)}
    assert set(found["inputs_from"]) == {"the day before"}
