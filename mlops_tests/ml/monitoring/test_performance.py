"""Whether a model is still good: values by hand, what must hold always, and planted changes."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.monitoring.daily_facts import covered_rows, daily_facts, standard_errors
from mlops_assets.ml.monitoring.performance import (
    BASELINE,
    BIAS,
    CHECKS,
    COVERAGE,
    LIMITS,
    SLICES,
    judge_days,
)
from mlops_assets.project import PerformanceSettings

DAYS, ROWS = 84, 40
START = pd.Timestamp("2026-01-05")  # a Monday
LAST = (START + pd.Timedelta(days=DAYS - 1)).date()
METRICS = make_metrics(["mae", "wmape", "rmse"])
WMAPE = METRICS["wmape"]


def make_forecasts(seed: int = 0, *, noise: float = 3.0) -> pd.DataFrame:
    """Two departments, a weekend twice as busy, unbiased forecasts and a noisy baseline."""
    random = np.random.default_rng(seed)
    days = np.repeat(pd.date_range(START, periods=DAYS), ROWS)
    mean = np.where(days.dayofweek >= 5, 40.0, 20.0)
    department = np.tile(np.where(np.arange(ROWS) < 10, "small", "large"), DAYS)
    return pd.DataFrame(
        {
            "date": days,
            "row": np.tile(np.arange(ROWS), DAYS),
            "department": department,
            "actual": mean + random.normal(0, noise, len(days)),
            "forecast": mean,
            "baseline_forecast": mean + random.normal(0, noise, len(days)),
            "covered": (random.random(len(days)) < 0.9).astype(float),
        }
    )


def judge(forecasts: pd.DataFrame, *days: dt.date) -> dict[str, dict[str, CheckResult]]:
    facts = daily_facts(WMAPE, forecasts, ["department"])
    return judge_days(
        PerformanceSettings(),
        WMAPE,
        facts,
        days or [LAST],
        against_baseline=True,
        false_alarms_per_year=6,
    )


def last_day(forecasts: pd.DataFrame) -> dict[str, CheckResult]:
    return judge(forecasts)[str(LAST)]


def failed(verdicts: dict[str, CheckResult]) -> set[str]:
    return {name for name, verdict in verdicts.items() if not verdict.passed}


def of_last(days: int) -> pd.Timestamp:
    return pd.Timestamp(LAST) - pd.Timedelta(days=days - 1)


def test_a_model_that_goes_on_as_before_passes_every_check() -> None:
    found = judge(make_forecasts(), *(LAST - dt.timedelta(days=n) for n in range(40)))
    assert len(found) == 40
    assert all(list(verdicts) == list(CHECKS) for verdicts in found.values())
    alarms = [name for verdicts in found.values() for name in failed(verdicts)]
    assert len(alarms) <= 1, alarms


@pytest.mark.parametrize("forecast", [0.0, 0.2])
def test_days_on_which_nothing_is_sold_are_no_alarm(forecast: float) -> None:
    """Closed on weekends, forecast well or not quite; a share of nothing is none."""
    shop = make_forecasts()
    closed = shop["date"].dt.dayofweek >= 5
    shop.loc[closed, ["actual", "baseline_forecast"]] = 0.0
    shop.loc[closed, "forecast"] = forecast
    found = judge(shop, *(LAST - dt.timedelta(days=n) for n in range(21)))
    assert len(found) == 21
    assert [verdicts for verdicts in found.values() if failed(verdicts) & {LIMITS, BIAS}] == []


def worse(forecasts: pd.DataFrame, days: pd.Series) -> pd.DataFrame:
    """With forecasts half too high and half too low on days, so that there is no bias."""
    signs = np.where(forecasts["row"] % 2 == 0, 0.5, 1.5)
    return forecasts.assign(forecast=forecasts["forecast"] * np.where(days, signs, 1.0))


def test_days_that_err_far_more_than_their_weekdays_do_are_told_and_one_is_not() -> None:
    forecasts = make_forecasts()
    once = last_day(worse(forecasts, forecasts["date"] == of_last(1)))[LIMITS]
    assert once.passed, "one day, such as a holiday, passes by itself"
    assert once.value is not None
    assert once.high is not None
    assert once.value > 0.4 > once.high > 0.06, "but it is seen beside what is usual"
    assert "standard error" in once.why
    verdict = last_day(worse(forecasts, forecasts["date"] >= of_last(3)))[LIMITS]
    assert not verdict.passed
    assert verdict.why.startswith(f"since {of_last(3):%Y-%m-%d} wmape is ")


def test_the_usual_level_of_a_weekday_is_no_alarm() -> None:
    """A week's Sundays are always bad here: no alarm, but one when other days are as bad."""
    forecasts = make_forecasts()
    sundays = forecasts["date"].dt.dayofweek == 6
    assert LAST.weekday() == 6
    assert last_day(worse(forecasts, sundays))[LIMITS].passed
    assert not last_day(worse(forecasts, sundays | (forecasts["date"] >= of_last(4))))[
        LIMITS
    ].passed


def test_a_shift_of_the_level_is_a_bias_since_it_began() -> None:
    forecasts = make_forecasts()
    forecasts.loc[forecasts["date"] >= of_last(5), "actual"] *= 1.25
    verdict = last_day(forecasts)[BIAS]
    assert not verdict.passed
    assert verdict.value == pytest.approx(-0.2, abs=0.02), "a fifth of the actuals is missing"
    assert verdict.why.startswith(f"since {of_last(6):%Y-%m-%d} the forecasts are too low by 18.8%")
    forecasts = make_forecasts()
    forecasts.loc[forecasts["date"] >= of_last(5), "actual"] *= 1.09
    assert last_day(forecasts)[BIAS].passed, "less than the least bias is never an alarm"


def test_a_model_that_became_worse_than_the_baseline_is_told() -> None:
    forecasts = make_forecasts()
    swapped = forecasts["date"] >= of_last(7)
    ours, theirs = forecasts["forecast"].copy(), forecasts["baseline_forecast"].copy()
    forecasts.loc[swapped, "forecast"], forecasts.loc[swapped, "baseline_forecast"] = theirs, ours
    found = last_day(forecasts)[BASELINE]
    assert not found.passed
    assert last_day(make_forecasts())[BASELINE].passed


def test_the_baseline_is_compared_by_the_jackknife_over_days() -> None:
    """Seven days of one row each, worked by hand with plain loops."""
    random = np.random.default_rng(1)
    forecasts = pd.DataFrame(
        {
            "date": pd.date_range(START, periods=7),
            "actual": random.uniform(10, 20, 7),
            "department": "all",
            "covered": 1.0,
        }
    ).assign(forecast=15.0, baseline_forecast=12.0)

    def difference(rows: pd.DataFrame) -> float:
        ours = (rows["forecast"] - rows["actual"]).abs().sum()
        theirs = (rows["baseline_forecast"] - rows["actual"]).abs().sum()
        return float((ours - theirs) / rows["actual"].sum())

    without = [difference(forecasts.drop(index=n)) for n in range(7)]
    error = np.sqrt(6 / 7 * sum((value - np.mean(without)) ** 2 for value in without))
    day = (START + pd.Timedelta(days=6)).date()
    verdict = judge(forecasts, day)[str(day)][BASELINE]
    assert verdict.value == pytest.approx(difference(forecasts))
    assert verdict.high == pytest.approx(3.142668 * error, rel=1e-5), "Student's t, 6 degrees, 99 %"


def test_fewer_actuals_in_their_intervals_than_usual_are_told() -> None:
    forecasts = make_forecasts()
    forecasts.loc[
        (forecasts["date"] == pd.Timestamp(LAST)) & (forecasts["row"] < 20), "covered"
    ] = 0
    verdict = last_day(forecasts)[COVERAGE]
    assert not verdict.passed
    assert verdict.value is not None
    assert verdict.value <= 0.5


def test_a_small_slice_is_named_with_its_beginning_while_the_total_looks_fine() -> None:
    forecasts = make_forecasts()
    bad = (forecasts["date"] >= of_last(7)) & (forecasts["row"] < 10)
    forecasts.loc[bad, "actual"] *= 1.12
    found = last_day(forecasts)
    assert failed(found) == {SLICES}
    assert "of small (department) by +1" in found[SLICES].why
    assert f"since {of_last(7):%Y-%m-%d}" in found[SLICES].why


def test_a_young_model_is_not_judged() -> None:
    early = (START + pd.Timedelta(days=10)).date()
    found = judge(make_forecasts(), early)[str(early)]
    assert not failed(found)
    assert "not judged" in found[LIMITS].why


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(
    first=st.integers(0, DAYS - 1),
    count=st.integers(1, 20),
    gaps=st.sets(st.integers(0, DAYS - 1), max_size=20),
)
def test_a_range_is_judged_as_its_days_one_by_one(first: int, count: int, gaps: set[int]) -> None:
    """With days missing, and whatever is known of the days after."""
    missing = [START + pd.Timedelta(days=day) for day in gaps]
    forecasts = make_forecasts()
    forecasts = forecasts[~forecasts["date"].isin(missing)]
    days = [(START + pd.Timedelta(days=day)).date() for day in range(first, first + count)]
    together = judge(forecasts, *days)
    for day in days:
        known = forecasts[forecasts["date"] <= pd.Timestamp(day)]
        alone = judge(known, day) if len(known) else {}
        assert alone.get(str(day)) == together.get(str(day))


def test_standard_errors_are_those_of_the_textbook() -> None:
    """For a mean the jackknife is the standard error of the mean; for a ratio, plain loops."""
    rows = make_forecasts().head(2 * ROWS)
    errors = (rows["forecast"] - rows["actual"]).abs()
    expected = errors.groupby(rows["date"]).sem()
    pd.testing.assert_series_equal(
        standard_errors(METRICS["mae"], rows, ["date"]), expected, check_names=False
    )
    day = rows.head(ROWS)
    size = errors.head(ROWS)
    without = [size.drop(n).sum() / day["actual"].drop(n).abs().sum() for n in day.index]
    by_hand = np.sqrt((ROWS - 1) * np.var(without))
    assert standard_errors(WMAPE, day, ["date"]).iloc[0] == pytest.approx(by_hand)
    assert standard_errors(METRICS["rmse"], rows.head(1), ["date"]).isna().all()


def test_intervals_come_from_the_days_before_alone() -> None:
    """Nine residuals of size 1 to 9: at a coverage of 0.5 the fifth of them, 5, is the radius."""
    before = pd.DataFrame(
        {"date": START, "actual": np.arange(1.0, 10.0), "forecast": 0.0, "name": "a"}
    )
    today = START + pd.Timedelta(days=1)
    now = pd.DataFrame({"date": today, "actual": [5.0, 5.1, -5.0], "forecast": 0.0, "name": "a"})
    covered = covered_rows(now, before, ["name"], coverage=0.5, window_days=1)
    assert covered.tolist() == [1.0, 0.0, 1.0]
    later = now.assign(date=today + pd.Timedelta(days=5))
    assert np.isnan(covered_rows(later, before, ["name"], coverage=0.5, window_days=5)).all()
