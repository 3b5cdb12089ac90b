"""What a recipe is scored on it never learned from; errors and their spread are worked by hand."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.backtest.contest import (
    Entry,
    Stretch,
    difference,
    errors,
    pooled,
    sampling_error,
    stretches,
)
from mlops_assets.ml.metrics.metric import MeanAbsoluteError
from mlops_assets.ml.models.families import Inputs, parse_hyperparameters
from mlops_assets.ml.models.splits import HoldoutSplit, Window
from mlops_assets.ml.models.training import FitPlan

MAE = MeanAbsoluteError()
FIRST = dt.date(2026, 1, 1)
MARCH = Stretch(dt.date(2026, 3, 1), dt.date(2026, 3, 2))
PLAN = FitPlan(
    date="date",
    target="units",
    inputs=Inputs(("weekday",), (), None, non_negative=False),
    metrics={"mae": MAE},
    classes=(),
    holdout=HoldoutSplit(7),
    threads=1,
    weights=None,
)


def rows() -> pd.DataFrame:
    """1 to 59 on the days of January and February, then 100 on each day of March."""
    dates = pd.date_range(FIRST, "2026-03-31")
    units = [*range(1, 60), *[100.0] * 31]
    return pd.DataFrame({"date": dates, "units": units, "weekday": dates.dayofweek})


def entry(features: pd.DataFrame, days: int = 10) -> Entry:
    def learned(end: dt.date) -> Window:
        return Window(end - dt.timedelta(days=days), end)

    usual = parse_hyperparameters("historical_mean", {})
    return Entry(PLAN, "historical_mean", usual, features, learned)


def test_the_days_before_a_stretch_are_learned_from() -> None:
    sums = errors(entry(rows()), MAE, MARCH)
    # the mean of 50 to 59 is 54.5
    assert sums["mae__num"].tolist() == [45.5, 45.5]
    assert sums["rows"].tolist() == [1, 1]
    assert [str(day.date()) for day in sums.index] == ["2026-03-01", "2026-03-02"]
    assert pooled(MAE, sums) == 45.5


def test_targets_of_the_stretch_and_later_change_no_forecast() -> None:
    honest, other = rows(), rows()
    other.loc[other["date"] >= "2026-03-01", "units"] = 1000.0
    # 1000 - 54.5 where it was 100 - 54.5
    assert errors(entry(other), MAE, MARCH)["mae__num"].tolist() == [945.5, 945.5]
    assert errors(entry(honest), MAE, MARCH)["mae__num"].tolist() == [45.5, 45.5]


def test_a_window_that_reaches_into_the_stretch_is_refused() -> None:
    leaking = replace(entry(rows()), learned=lambda end: Window(FIRST, end + dt.timedelta(days=1)))
    with pytest.raises(ValueError, match="would learn from 2026-01-01 through 2026-03-01"):
        errors(leaking, MAE, MARCH)


def test_rows_without_a_target_are_neither_learned_from_nor_scored() -> None:
    gaps = rows()
    gaps.loc[gaps["date"].between("2026-02-28", "2026-03-01"), "units"] = np.nan
    sums = errors(entry(gaps), MAE, MARCH)
    # the mean of 50 to 58 is 54
    assert sums["mae__num"].tolist() == [46]


def test_nothing_to_learn_from_or_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows to learn from or to forecast from 2026-05-01"):
        errors(entry(rows()), MAE, Stretch(dt.date(2026, 5, 1), dt.date(2026, 5, 2)))


def weeks(*errors_of_weeks: float) -> pd.DataFrame:
    """Sums of weeks whose days each have such an absolute error in one row."""
    days = pd.date_range("2026-01-05", periods=7 * len(errors_of_weeks))
    values = np.repeat(np.array(errors_of_weeks), 7)
    return pd.DataFrame({"mae__num": values, "mae__den": 1.0, "rows": 1.0}, index=days)


def test_the_sampling_error_leaves_out_one_week_after_the_other() -> None:
    # without each week: 3, 2.5 and 1.5, whose mean is 7/3; off by 4, 1 and 5 sixths
    expected = np.sqrt(2 / 3 * (16 + 1 + 25) / 36)
    assert sampling_error(MAE, weeks(1, 2, 4)) == pytest.approx(expected)
    assert np.isnan(sampling_error(MAE, weeks(1)))


def test_the_difference_is_that_of_the_same_days() -> None:
    share, error = difference(MAE, weeks(2, 4), weeks(1, 2))
    assert share == pytest.approx(1)
    assert error == pytest.approx(0)  # twice as large in either week
    # 3 / 2 - 1 over both; without one week 4/2 - 1 and without the other 2/2 - 1
    share, error = difference(MAE, weeks(2, 4), weeks(2, 2))
    assert share == pytest.approx(0.5)
    assert error == pytest.approx(np.sqrt(0.5 * (0.5**2 + 0.5**2)))


def test_stretches_end_so_many_days_before_the_last() -> None:
    last = dt.date(2026, 3, 31)
    assert stretches(FIRST, last, (0, 28, 85), 7) == [
        Stretch(dt.date(2026, 3, 25), last),
        Stretch(dt.date(2026, 2, 25), dt.date(2026, 3, 3)),
    ]
