"""Tests of the metrics: by hand, against scikit-learn, and that sums pool."""

import math
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_tweedie_deviance, root_mean_squared_error

from mlops_assets.contracts.metric_contract import metric_problems
from mlops_assets.ml.metrics.metric import METRICS, finish_sums, make_metrics, score, term_sums

REGRESSION = [name for name, metric in METRICS.items() if "regression" in metric.tasks]
ACTUAL = np.array([2.0, 0.0, 4.0, 10.0])
FORECAST = np.array([3.0, 1.0, 4.0, 6.0])

units = st.floats(0, 1e4, allow_nan=False).map(lambda value: round(value, 3))
rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3), units, units),
    min_size=1,
    max_size=40,
).map(lambda values: pd.DataFrame(values, columns=["slice", "day", "actual", "forecast"]))


def one(name: str, actual: Any, forecast: Any, **options: float) -> float:
    metrics = make_metrics([{name: options}])
    return score(metrics, np.asarray(actual, float), np.asarray(forecast, float))[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # errors (forecast - actual) are 1, 1, 0, -4
        ("mae", (1 + 1 + 0 + 4) / 4),
        ("wmape", (1 + 1 + 0 + 4) / (2 + 0 + 4 + 10)),
        ("rmse", math.sqrt((1 + 1 + 0 + 16) / 4)),
        ("bias", (1 + 1 + 0 - 4) / 4),
    ],
)
def test_values_by_hand(name: str, value: float) -> None:
    assert one(name, ACTUAL, FORECAST) == pytest.approx(value)


def test_tweedie_deviance_by_hand() -> None:
    # power 1.5: 2 (y^0.5 / -0.25 + 2 y m^-0.5 + 2 m^0.5)
    # y = 4, m = 1: 2 (-8 + 8 + 2) = 4;   y = 0, m = 4: 2 (0 + 0 + 4) = 8;   mean 6
    assert one("tweedie_deviance", [4, 0], [1, 4]) == pytest.approx(6)


def test_forecasts_below_the_floor_are_raised_to_it() -> None:
    # y = 1, m = 0 raised to 0.25: 2 (-4 + 2 / 0.5 + 2 * 0.5) = 2
    assert one("tweedie_deviance", [1], [0], floor=0.25) == pytest.approx(2)
    assert one("tweedie_deviance", [1], [-3], floor=0.25) == pytest.approx(2)


@pytest.mark.long
@given(rows)
@settings(deadline=None)
def test_agrees_with_scikit_learn(frame: pd.DataFrame) -> None:
    actual, forecast = frame["actual"].to_numpy(), frame["forecast"].to_numpy()
    scores = score(make_metrics(REGRESSION), actual, forecast)
    floored = np.maximum(forecast, 0.1)
    expected = {
        "mae": mean_absolute_error(actual, forecast),
        "rmse": root_mean_squared_error(actual, forecast),
        "tweedie_deviance": mean_tweedie_deviance(actual, floored, power=1.5),
    }
    for name, value in expected.items():
        # the deviance is a difference of terms of up to 4 * sqrt(1e4)
        assert scores[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@pytest.mark.long
@given(rows, st.sampled_from([["slice"], ["day"], ["slice", "day"]]))
@settings(deadline=None)
def test_pooled_sums_of_any_grouping_score_all_rows(frame: pd.DataFrame, by: list[str]) -> None:
    metrics = make_metrics(REGRESSION)
    before = frame.copy()
    pooled = term_sums(metrics, frame, by).sum().to_frame().T
    values = finish_sums(metrics, pooled).iloc[0]
    expected = score(metrics, frame["actual"].to_numpy(), frame["forecast"].to_numpy())
    assert values["rows"] == len(frame)
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name
    pd.testing.assert_frame_equal(frame, before)


def test_groups_are_scored_one_by_one() -> None:
    metrics = make_metrics(["mae", "wmape"])
    frame = pd.DataFrame({"day": [1, 1, 2, 2], "actual": ACTUAL, "forecast": FORECAST})
    sums = term_sums(metrics, frame, ["day"])
    assert list(sums.columns) == ["mae__num", "mae__den", "wmape__num", "wmape__den", "rows"]
    assert sums.index.name == "day"
    days = finish_sums(metrics, sums)
    # day 1: (1 + 1) / 2 rows and / (2 + 0) units; day 2: (0 + 4) / 2 rows and / (4 + 10) units
    assert days["mae"].to_list() == [1, 2]
    assert days["wmape"].to_list() == pytest.approx([2 / 2, 4 / 14])
    assert days["rows"].to_list() == [2, 2]


def test_a_trailing_window_pools_its_rows() -> None:
    metrics = make_metrics(["wmape", "rmse"])
    frame = pd.DataFrame({"day": [1, 1, 2, 3], "actual": ACTUAL, "forecast": FORECAST})
    window = finish_sums(metrics, term_sums(metrics, frame, ["day"]).rolling(2).sum().dropna())
    # days 1 and 2: errors 1, 1, 0 on 6 units; days 2 and 3: errors 0, 4 on 14 units
    assert window["wmape"].to_list() == pytest.approx([2 / 6, 4 / 14])
    assert window["rmse"].to_list() == pytest.approx([math.sqrt(2 / 3), math.sqrt(16 / 2)])


def test_a_share_of_nothing_is_none_and_no_error_of_nothing_is_zero() -> None:
    assert math.isnan(one("wmape", [0, 0], [1, 3]))
    assert one("wmape", [0, 0], [0, 0]) == 0
    frame = pd.DataFrame(
        {"day": [1, 1, 2, 3], "actual": [0.0, 0.0, 8.0, 0.0], "forecast": [1.0, 3.0, 8.0, 0.0]}
    )
    metrics = make_metrics(["wmape"])
    sums = term_sums(metrics, frame, ["day"])
    assert finish_sums(metrics, sums)["wmape"].tolist() == pytest.approx(
        [math.nan, 0, 0], nan_ok=True
    )
    # the errors of the day without sales count in a window with others
    assert finish_sums(metrics, sums.sum().to_frame().T)["wmape"].tolist() == [4 / 8]


def test_loss_ranks_bias_by_its_distance_from_zero() -> None:
    metrics = make_metrics(["bias", "mae"])
    assert metrics["bias"].loss(np.array([-2.0, 1.0])).tolist() == [2, 1]
    assert metrics["mae"].loss(np.array([2.0, 1.0])).tolist() == [2, 1]


def test_rows_are_paired_by_position() -> None:
    actual, forecast = pd.Series([1.0, 2.0], index=[0, 1]), pd.Series([1.0, 2.0], index=[1, 0])
    assert score(make_metrics(["mae"]), actual, forecast) == {"mae": 0}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_keeps_the_contract(name: str) -> None:
    assert list(metric_problems(METRICS[name])) == []


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (
            ["mape"],
            f"'mape' is no known metric; choose of: {', '.join(METRICS)}",
        ),
        (["mae", "mae"], "'mae' is named more than once"),
        ([{"mae": {"power": 2}}], "'mae' has no option 'power'; its options: none"),
        (
            [{"tweedie_deviance": {"p": 1.5}}],
            "'tweedie_deviance' has no option 'p'; its options: power, floor",
        ),
        (
            [{"tweedie_deviance": {"power": 2}}],
            "power of tweedie_deviance must lie between 1 and 2, not 2",
        ),
        ([{"tweedie_deviance": {"floor": 0}}], "floor of tweedie_deviance must be above 0, not 0"),
        (
            [{"tweedie_deviance": {"floor": math.inf}}],
            "floor of tweedie_deviance must be above 0, not inf",
        ),
        (
            [{"tweedie_deviance": {"power": "high"}}],
            "power of tweedie_deviance must be a number, not 'high'",
        ),
    ],
)
def test_wrong_settings_are_named(
    specs: list[str | Mapping[str, Mapping[str, float]]], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        make_metrics(specs)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("actual", "forecast", "message"),
    [
        ([], [], "at least one"),
        ([1.0], [1.0, 2.0], r"not shapes \(2,\) and \(1,\)"),
        ([1.0, 2.0], [1.0, math.nan], "every forecast value must be finite, but 1 of 2"),
        ([math.inf, 2.0], [1.0, 2.0], "every actual value must be finite.* inf"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(
    actual: list[float], forecast: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score(make_metrics(["mae"]), np.array(actual), np.array(forecast))


def test_sums_refuse_missing_values() -> None:
    frame = pd.DataFrame({"day": [1], "actual": [1.0], "forecast": [math.nan]})
    with pytest.raises(ValueError, match="every forecast value must be finite"):
        term_sums(make_metrics(["mae"]), frame, ["day"])


def test_tweedie_deviance_refuses_negative_actuals() -> None:
    with pytest.raises(ValueError, match=r"at least 0, found -2\.5"):
        one("tweedie_deviance", [1, -2.5], [1, 1])


def test_importing_metrics_is_light() -> None:
    code = (
        "import sys, mlops_assets.ml.metrics.metric; "
        "print({'sklearn', 'dagster'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
