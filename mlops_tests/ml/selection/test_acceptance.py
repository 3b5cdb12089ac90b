"""Acceptance checks: what passes, what fails, and what they say."""

import math
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.selection.acceptance import (
    block_days,
    not_surely_worse,
    reproducible,
    sound_forecasts,
)
from mlops_assets.ml.selection.gate import Paired, paired
from mlops_tests.ml.selection.test_gate import rows_of

MAE, WMAPE = make_metrics(["mae", "wmape"]).values()
ACTUAL = np.array([1.0, 2.0, 3.0])


def one_a_day(other: Sequence[float], version: Sequence[float]) -> Paired:
    """Absolute errors of a row a day: the actual is zero."""
    dates = np.datetime64("2026-03-02", "ns") + np.arange(len(other)).astype("timedelta64[D]")
    sides = np.array(other, dtype=float), np.array(version, dtype=float)
    return Paired(MAE, dates, np.zeros(len(other)), sides)


def judge(other: Sequence[float], version: Sequence[float], tolerance: float = 0.1) -> CheckResult:
    window = one_a_day(other, version)
    return not_surely_worse(window, "another", tolerance=tolerance)


def test_a_limit_by_hand() -> None:
    # The means of three days are all alike, so what is unsure is that of single days: the standard
    # deviation of 1, 1.3 and 1.6 is the root of 0.06, over that of 26. The nine blocks have 12
    # degrees of freedom and the 27 days 26: Student's t for 19 is 1.729 in printed tables.
    chance = 1.729 * math.sqrt(0.06 / 26)
    outcome = judge([1.0] * 27, [1.0, 1.3, 1.6] * 9)
    assert not outcome.passed
    assert outcome.value == pytest.approx(1.3)
    assert outcome.high == pytest.approx(1.1 + chance, abs=1e-4)
    assert outcome.also == pytest.approx(
        {
            "difference": 0.2,
            "difference_low": 0.2 - chance,
            "difference_high": 0.2 + chance,
            "days": 27,
            "rows": 27,
        },
        abs=1e-4,
    )
    assert outcome.why == (
        "1.3 is surely above 1.1, 10% more than the mae of another on the same 27 rows: "
        "up to 1.183 may be chance"
    )


@pytest.mark.parametrize(
    ("tolerance", "why"),
    [
        (0.25, "1.3 is above 1.25, 25% more than .*, but not surely: up to 1.333 may be chance"),
        (0.3, "1.3 is within 1.3, 30% more than the mae of another on the same 27 rows"),
        (0.5, "1.3 is within 1.5, 50% more than .*"),
    ],
)
def test_what_is_not_surely_above_is_accepted(tolerance: float, why: str) -> None:
    outcome = judge([1.0] * 27, [1.0, 1.3, 1.6] * 9, tolerance)
    assert outcome.passed
    assert re.fullmatch(why, outcome.why), outcome.why


def test_what_is_worse_by_the_same_on_every_day_is_surely_worse() -> None:
    assert judge([1.0, 3.0] * 7, [1.1, 3.3] * 7).passed, "just as it may be"
    assert not judge([1.0, 3.0] * 7, [1.11, 3.33] * 7).passed
    assert not judge([1.0, 3.0] * 7, [1.01, 3.03] * 7, 0.0).passed
    assert judge([1.0, 3.0] * 7, [1.0, 3.0] * 7, 0.0).passed


def test_beside_one_that_makes_no_errors_a_single_day_is_none_but_all_are() -> None:
    assert judge([0.0] * 14, [0.0] * 14).passed
    assert judge([0.0] * 14, [0.0] * 13 + [50.0]).passed
    assert not judge([0.0] * 14, [0.4, 0.5] * 7).passed


def test_one_bad_day_does_not_hide_what_the_others_show() -> None:
    outcome = judge([1.0] * 8, [1.5, 1.5, 9.0, 1.5, 1.5, 1.5, 1.5, 1.5])
    assert not outcome.passed
    assert outcome.why == (
        "2.438 is above 1.1, 10% more than the mae of another on the same 8 rows; "
        "without 2026-03-04, its worst day, 1.5 is surely above 1.1: up to 1.1 may be chance"
    )
    assert (outcome.value, outcome.also["days"]) == (1.5, 7)
    assert judge([1.0] * 8, [1.05, 1.05, 9.0, 1.05, 1.05, 1.05, 1.05, 1.05]).passed
    # nor do two
    assert judge([1.0] * 8, [1.05, 1.05, 9.0, 1.05, 1.05, 9.0, 1.05, 1.05]).passed


@pytest.mark.parametrize("days", [1, 2, 3])
def test_too_few_days_refuse_nothing_and_say_so(days: int) -> None:
    outcome = judge([1.0] * days, [90.0] * days)
    assert outcome.passed
    blocks = days / (1 if days == 1 else 2)
    assert outcome.why == (
        f"not judged: {days} days that say no more than {blocks:.1f} blocks of them would; "
        f"it is 90 beside 1.1, 10% more than the mae of another on the same {days} rows"
    )
    assert not judge([1.0] * 4, [90.0] * 4).passed


@pytest.mark.parametrize(
    ("days", "block"), [(1, 1), (2, 2), (7, 2), (8, 2), (9, 3), (14, 3), (27, 3), (28, 4), (64, 4)]
)
def test_blocks_grow_as_the_cube_root_of_the_days(days: int, block: int) -> None:
    assert block_days(days) == block


def test_what_cannot_be_compared_is_accepted_and_says_why() -> None:
    nothing = one_a_day([], [])
    assert not_surely_worse(nothing, "another").why == (
        "not compared: no row that counts was forecast by another as well"
    )
    lost = judge([1.0, math.nan, 1.0, math.inf], [2.0] * 4)
    assert lost.passed
    assert lost.why == "not compared: of another 2 of 4 forecasts are not finite"
    closed = replace(one_a_day([1.0] * 7, [2.0] * 7), metric=WMAPE)
    outcome = not_surely_worse(closed, "another")
    assert outcome.passed
    assert outcome.why.startswith("not compared: wmape is not defined on these rows")
    # all that was sold was sold on one day, so that the others alone have no wmape
    one = replace(closed, actual=np.array([5.0] + [0.0] * 6))
    outcome = not_surely_worse(one, "another")
    assert outcome.passed
    assert outcome.why.startswith("not judged: 7 days that say no more than 1.0 blocks of them")


def week(holiday: float, spread: float) -> pd.DataFrame:
    """Nine series on seven days; on the last one `holiday` of what is usual is sold.

    The other is 15 % off, the version `spread` times as much; of the holiday the other knows.
    """
    random = np.random.default_rng(5)
    lines = []
    for date in pd.date_range("2026-12-20", periods=7):
        for row in range(9):
            usual = 20.0 + 10 * row
            share = holiday if date.day == 26 else 1.0
            actual, noise = share * usual, usual * random.normal(0, 0.15, 2)
            lines += [
                (date, row, "other", actual, actual + noise[0]),
                (date, row, "version", actual, usual + spread * noise[1]),
            ]
    return pd.DataFrame(lines, columns=["date", "row", "model", "actual", "forecast"])


@pytest.mark.parametrize(
    ("holiday", "spread", "passed"), [(1.0, 1.0, True), (0.2, 1.0, True), (1.0, 2.0, False)]
)
def test_a_holiday_alone_is_no_reason_to_refuse_and_a_broken_version_is(
    holiday: float, spread: float, passed: bool
) -> None:
    window = paired(WMAPE, week(holiday, spread), "other", "version")
    theirs, loss = window.losses()
    # what a share of 10 % by itself would have refused
    assert (loss > 1.1 * theirs) == (holiday < 1 or not passed)
    outcome = not_surely_worse(window, "another", tolerance=0.1)
    assert outcome.passed == passed
    assert outcome.also["rows"] == 63


def test_a_broken_version_is_refused_in_spite_of_a_holiday() -> None:
    window = paired(WMAPE, week(0.2, 2.0), "other", "version")
    outcome = not_surely_worse(window, "another", tolerance=0.1)
    assert not outcome.passed
    assert "; without 2026-12-26, its worst day, " in outcome.why


errors = st.floats(0.1, 10).map(lambda value: round(value, 3))
allowances = st.sampled_from([0.0, 0.1, 0.5])


@given(st.lists(errors, min_size=4, max_size=28), st.data(), st.floats(0, 1e6), allowances)
@settings(deadline=None, max_examples=60)
def test_no_single_day_refuses_however_far_off_it_is(
    other: list[float], data: st.DataObject, more: float, tolerance: float
) -> None:
    day = data.draw(st.integers(0, len(other) - 1))
    version = [value + more * (n == day) for n, value in enumerate(other)]
    assert judge(other, version, tolerance).passed


pairs = st.lists(st.tuples(errors, errors), min_size=4, max_size=28)


@pytest.mark.long
@given(pairs, st.sampled_from([1e-3, 0.3, 1e4]), st.randoms(use_true_random=False), allowances)
@settings(deadline=None, max_examples=60)
def test_the_verdict_is_free_of_the_unit_and_of_the_order_of_rows(
    lines: list[tuple[float, float]], unit: float, chance: random.Random, tolerance: float
) -> None:
    other, version = zip(*lines, strict=True)
    table = rows_of(other, version, [5.0 + n % 3 for n in range(len(lines))])
    factors = {"actual": unit * table["actual"], "forecast": unit * table["forecast"]}
    order = chance.sample(range(len(table)), len(table))
    one, unit_changed, mixed = (
        not_surely_worse(paired(metric, rows, "ours", "theirs"), "another")
        for metric, rows in (
            (WMAPE, table),
            (WMAPE, table.assign(**factors)),
            (WMAPE, table.iloc[order]),
        )
    )
    for changed in (unit_changed, mixed):
        assert changed.passed == one.passed
        assert [changed.value, changed.high] == pytest.approx([one.value, one.high])
    scaled = judge([unit * value for value in other], [unit * value for value in version])
    assert scaled.passed == judge(other, version).passed


@given(pairs, st.sampled_from([0.6, 0.95]), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_refused_is_only_what_is_worse_and_more_tolerance_refuses_no_more(
    lines: list[tuple[float, float]], confidence: float, one: float, other: float
) -> None:
    window = one_a_day(*zip(*lines, strict=True))
    theirs, loss = window.losses()
    strict, mild = (
        not_surely_worse(window, "another", confidence=confidence, tolerance=tolerance)
        for tolerance in sorted([one, other])
    )
    assert strict.passed or loss > theirs
    assert mild.passed or not strict.passed
    for found in (strict, mild):
        assert found.passed == (found.also["difference_low"] <= 1e-9 * loss)


@pytest.mark.parametrize(
    ("forecasts", "why"),
    [
        ([1.0, np.nan, np.inf], "2 of 3 forecasts are not finite"),
        ([2.0, 2.0, 2.0], "all 3 forecasts are 2"),
    ],
)
def test_forecasts_that_say_nothing_are_not_sound(forecasts: list[float], why: str) -> None:
    outcome = sound_forecasts(np.array(forecasts), ACTUAL)
    assert (outcome.passed, outcome.why) == (False, why)


def test_forecasts_that_differ_are_sound() -> None:
    assert sound_forecasts(np.array([1.0, 1.0, 1.5]), ACTUAL).passed


def test_one_forecast_is_enough_for_actuals_that_are_all_the_same() -> None:
    assert sound_forecasts(np.zeros(3), np.full(3, 4.0)).passed


def test_one_forecast_is_enough_of_a_kind_of_model_that_says_one() -> None:
    one, outcome = np.zeros(3), np.array([1.0, 2.0, 4.0])
    assert not sound_forecasts(one, outcome).passed
    assert sound_forecasts(one, outcome, may_be_constant=True).passed
    assert not sound_forecasts(np.full(3, np.inf), outcome, may_be_constant=True).passed


class Unseeded(RegressorMixin, BaseEstimator):
    """Forecasts noise that differs from fit to fit."""

    def fit(self, inputs: Any, target: Any) -> Self:
        self.noise_ = np.random.default_rng().random()
        return self

    def predict(self, inputs: Any) -> Any:
        return np.full(len(inputs), self.noise_)


def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({"x": random.random(700), "y": random.random(700)})


@pytest.mark.parametrize("estimator", [LinearRegression(), DecisionTreeRegressor(random_state=1)])
def test_a_seeded_pipeline_is_reproducible(estimator: Any) -> None:
    outcome = reproducible(make_pipeline(estimator), rows(), ["x"], "y")
    assert outcome.passed
    assert outcome.why == "two fits on 500 rows agree to the last bit"


def test_an_unseeded_one_is_not() -> None:
    outcome = reproducible(make_pipeline(Unseeded()), rows(), ["x"], "y")
    assert not outcome.passed
    assert outcome.why == "500 of 500 forecasts differ between two fits on the same rows"
