"""Rows that do not count alike: metrics against scikit-learn's `sample_weight`."""

import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from mlops_assets.ml.estimators import HistoricalMeanRegressor
from mlops_assets.ml.metrics.day_sums import sums_of_days
from mlops_assets.ml.metrics.metric import WEIGHT, group_scores, make_metrics, score
from mlops_assets.ml.metrics.scores import IN_SHADOW, compare_with_previous, trailing_scores
from mlops_assets.ml.models.splits import Weights
from mlops_assets.ml.monitoring.daily_facts import daily_facts
from mlops_assets.ml.selection.gate import paired

RANDOM = np.random.default_rng(5)
ACTUAL = RANDOM.poisson(6, 300).astype(float)
FORECAST = np.maximum(ACTUAL + RANDOM.normal(0, 3, 300), 0.1)
WEIGHTS = RANDOM.integers(0, 5, 300).astype(float)
NUMBERS = make_metrics(["mae", "wmape", "rmse", "bias", {"tweedie_deviance": {"power": 1.5}}])
CAME = (RANDOM.random(300) < 0.3).astype(float)
PROBABILITY = np.clip(0.3 + 0.3 * (CAME - 0.3) + RANDOM.normal(0, 0.15, 300), 0.01, 0.99).round(2)
CLASSES = make_metrics(
    ["log_loss", "brier_score", "roc_auc", "pr_auc", "accuracy", "calibration_error"]
)


def frame_of(actual: np.ndarray, forecast: np.ndarray, weight: np.ndarray | None) -> pd.DataFrame:
    days = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(len(actual)) % 20, unit="D")
    frame = pd.DataFrame({"date": days, "actual": actual, "forecast": forecast, "model": "a"})
    frame["row"] = np.arange(len(actual))
    return frame if weight is None else frame.assign(**{WEIGHT: weight})


def test_numbers_count_by_their_weights_as_in_scikit_learn() -> None:
    found = score(NUMBERS, ACTUAL, FORECAST, WEIGHTS)
    of = {"sample_weight": WEIGHTS}
    mae = sk.mean_absolute_error(ACTUAL, FORECAST, **of)
    assert found["mae"] == pytest.approx(mae)
    assert found["wmape"] == pytest.approx(mae / np.average(ACTUAL, weights=WEIGHTS))
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(ACTUAL, FORECAST, **of))
    assert found["bias"] == pytest.approx(np.average(FORECAST - ACTUAL, weights=WEIGHTS))
    tweedie = sk.mean_tweedie_deviance(ACTUAL, FORECAST, power=1.5, **of)
    assert found["tweedie_deviance"] == pytest.approx(tweedie)


def test_two_rows_by_hand() -> None:
    # off by 2 and 6, of 10 and 20; the second counts three times
    found = score(NUMBERS, np.array([10.0, 20]), np.array([12.0, 14]), np.array([1.0, 3]))
    assert found["mae"] == (2 + 3 * 6) / 4
    assert found["wmape"] == (2 + 3 * 6) / (10 + 3 * 20)
    assert found["rmse"] == math.sqrt((4 + 3 * 36) / 4)
    assert found["bias"] == (2 - 3 * 6) / 4


def test_probabilities_count_by_their_weights_as_in_scikit_learn() -> None:
    found = score(CLASSES, CAME, PROBABILITY, WEIGHTS)
    of = {"sample_weight": WEIGHTS}
    assert found["log_loss"] == pytest.approx(sk.log_loss(CAME, PROBABILITY, **of))
    assert found["brier_score"] == pytest.approx(sk.brier_score_loss(CAME, PROBABILITY, **of))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(CAME, PROBABILITY, **of))
    assert found["pr_auc"] == pytest.approx(sk.average_precision_score(CAME, PROBABILITY, **of))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(CAME, PROBABILITY >= 0.5, **of))


def test_a_row_of_weight_three_is_three_rows() -> None:
    """Of a number of whole weights, the same rows so many times over say the same."""
    times = WEIGHTS.astype(int)
    for metrics, actual, forecast in ((NUMBERS, ACTUAL, FORECAST), (CLASSES, CAME, PROBABILITY)):
        once = score(metrics, actual, forecast, WEIGHTS)
        again = score(metrics, actual.repeat(times), forecast.repeat(times))
        assert once == pytest.approx(again)
        by_day = group_scores(metrics, frame_of(actual, forecast, WEIGHTS), ["date"])
        frame = frame_of(actual, forecast, None)
        repeated = group_scores(metrics, frame.loc[frame.index.repeat(times)], ["date"])
        pd.testing.assert_frame_equal(by_day.drop(columns="rows"), repeated.drop(columns="rows"))
        windows = trailing_scores(metrics, frame_of(actual, forecast, WEIGHTS), 7)
        longer = trailing_scores(metrics, frame.loc[frame.index.repeat(times)], 7)
        pd.testing.assert_frame_equal(windows[[*metrics]], longer[[*metrics]])


def test_weights_of_one_change_no_bit() -> None:
    one = np.ones(300)
    for metrics, actual, forecast in ((NUMBERS, ACTUAL, FORECAST), (CLASSES, CAME, PROBABILITY)):
        assert score(metrics, actual, forecast, one) == score(metrics, actual, forecast)
        pd.testing.assert_frame_equal(
            group_scores(metrics, frame_of(actual, forecast, one), ["date"]),
            group_scores(metrics, frame_of(actual, forecast, None), ["date"]),
            check_exact=True,
        )
        plain, told = (
            frame_of(actual, forecast, weight).assign(baseline_forecast=forecast, covered=np.nan)
            for weight in (None, one)
        )
        first = next(iter(metrics.values()))
        pd.testing.assert_frame_equal(
            daily_facts(first, told, []), daily_facts(first, plain, []), check_exact=True
        )


def test_the_gate_and_the_sums_of_a_day_count_them() -> None:
    ours = frame_of(ACTUAL, FORECAST, WEIGHTS)
    both = pd.concat([ours, ours.assign(model="b", forecast=ACTUAL + 1)])
    window = paired(NUMBERS["mae"], both, "a", "b")
    expected = score(NUMBERS, ACTUAL, FORECAST, WEIGHTS)["mae"]
    assert window.losses() == pytest.approx([expected, 1.0])
    first = window.between(pd.Timestamp("2026-03-01"), pd.Timestamp("2026-03-01"))
    day = ours[ours["date"] == "2026-03-01"]
    assert first.day_sums()[0].denominator == [day[WEIGHT].sum()]
    told = {"version": "v", "trained_through": "t", "issued_at": None, "previous_forecast": 0.0}
    stored = day.assign(**told, **{IN_SHADOW: None})
    [sums] = sums_of_days(NUMBERS, "mae", stored).values()
    assert sums["sums"]["mae__den"] == day[WEIGHT].sum()
    [alike] = sums_of_days(NUMBERS, "mae", stored.drop(columns=WEIGHT)).values()
    assert sums["same"] != alike["same"]
    gain = compare_with_previous(NUMBERS["mae"], stored, ["date"])["previous"].iloc[0]
    assert gain == pytest.approx(np.average(day["actual"], weights=day[WEIGHT]))


def test_a_day_that_does_not_count_says_nothing() -> None:
    frame = frame_of(ACTUAL, FORECAST, np.where(np.arange(300) % 20 == 0, 0.0, 1.0))
    by_day = group_scores(NUMBERS, frame, ["date"])
    assert by_day["mae"].isna().tolist() == [True] + [False] * 19
    assert trailing_scores(NUMBERS, frame, 7)["mae"].notna().sum() == 19  # the first has only it
    unweighted = frame_of(ACTUAL, FORECAST, np.full(300, np.nan))  # stored before there were any
    assert group_scores(NUMBERS, unweighted, ["date"])["mae"].isna().all()


def test_fits_count_rows_by_the_column_and_their_age() -> None:
    days = pd.to_datetime(["2026-03-01", "2026-03-01", "2026-03-11"])
    rows = pd.DataFrame({"date": days, "people": [2.0, 6, 1]})
    of_column = Weights("date", column="people")(rows)
    np.testing.assert_allclose(of_column, np.array([2.0, 6, 1]) / 3)
    of_both = Weights("date", 10, column="people")(rows)
    np.testing.assert_allclose(of_both, np.array([1.0, 3, 1]) / (5 / 3))
    assert Weights("date", column="people")(rows.assign(people=4.0)) is None  # all count alike
    with pytest.raises(ValueError, match=r"1 of 3 rows, such as one of 2026-03-11, have no people"):
        Weights("date", column="people")(rows.assign(people=[1, 2, None]))
    with pytest.raises(ValueError, match=r"people, .*, is 0 in all 3 rows"):
        Weights("date", column="people")(rows.assign(people=0.0))


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_the_usual_value_of_like_rows_counts_them(statistic: str) -> None:
    keys = RANDOM.integers(0, 4, (300, 1)).astype(float)
    times = WEIGHTS.astype(int)
    weighted = HistoricalMeanRegressor(statistic).fit(keys, ACTUAL, sample_weight=WEIGHTS)
    repeated = HistoricalMeanRegressor(statistic).fit(keys.repeat(times, 0), ACTUAL.repeat(times))
    asked = np.array([[0.0], [1], [2], [3], [9]])
    np.testing.assert_allclose(weighted.predict(asked), repeated.predict(asked))
    # a key none of whose rows counts has the value of all
    alone = HistoricalMeanRegressor(statistic).fit(
        np.array([[0.0], [1]]), [1.0, 5], sample_weight=[1, 0]
    )
    assert alone.predict(np.array([[1.0]])) == [1.0]
