"""Splits by time, fits that repeat to the last bit, and scores that pool."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.metrics.scores import (
    common_rows,
    compare_with_previous,
    score_days,
    trailing_scores,
)
from mlops_assets.ml.models.families import FAMILIES, Inputs
from mlops_assets.ml.models.learners import RidgeHyperparameters
from mlops_assets.ml.models.splits import HoldoutSplit
from mlops_assets.ml.models.training import FitPlan, FittedWindow, fit, fit_window, forecast

END = dt.date(2026, 3, 1)
INPUTS = Inputs(numeric=("x", "noise"), categorical=(), seasonal=None)


def rows(days: int = 40) -> pd.DataFrame:
    random = np.random.default_rng(1)
    dates = pd.date_range(end=END - dt.timedelta(days=1), periods=days).repeat(10)
    x = random.random(len(dates))
    return pd.DataFrame({"date": dates, "x": x, "noise": random.random(len(x)), "y": 5 * x - 1})


def test_the_holdout_is_the_last_days() -> None:
    learning, holdout = HoldoutSplit(7).split(rows(), "date", END)
    assert holdout["date"].nunique() == 7
    assert holdout["date"].min() == pd.Timestamp(2026, 2, 22)
    assert learning["date"].max() == pd.Timestamp(2026, 2, 21)
    assert len(learning) + len(holdout) == 400


@pytest.mark.parametrize("delay", [0, 2, 5])
def test_what_judges_learns_only_what_was_known_before_the_holdout(delay: int) -> None:
    data = rows()
    plan = FitPlan("date", "y", INPUTS, make_metrics(["mae"]), (), HoldoutSplit(7, delay), 1, None)
    first = pd.Timestamp(2026, 2, 22)
    unknown = data["date"].between(first - pd.Timedelta(days=delay), first, inclusive="left")
    raised = data.assign(y=data["y"] + 100.0 * unknown)

    def fitted(given: pd.DataFrame) -> FittedWindow:
        return fit_window(plan, "ridge", RidgeHyperparameters(), given, END)

    plain, moved = fitted(data), fitted(raised)
    assert plain.learning["date"].max() == first - pd.Timedelta(days=1 + delay)
    assert plain.holdout["date"].min() == first
    assert plain.fit.forecasts.tobytes() == moved.fit.forecasts.tobytes()
    assert plain.fit.holdout == moved.fit.holdout
    # what serves learns from all of them
    finals = [forecast(window.fit.pipeline, data).mean() for window in (plain, moved)]
    assert finals[1] - finals[0] == pytest.approx(100 * unknown.mean(), abs=1)


def test_a_holdout_before_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(ValueError, match="with 33 days not known by then, takes 400 of 400 rows"):
        HoldoutSplit(7, 33).split(rows(), "date", END)


@pytest.mark.parametrize("days", [40, 500])
def test_a_holdout_that_takes_all_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="both sides need rows"):
        HoldoutSplit(days).split(rows(), "date", END)


def test_a_holdout_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one day, not 0"):
        HoldoutSplit(0)


@pytest.mark.parametrize("family", ["ridge", "gradient_boosting", "hist_gradient_boosting"])
def test_the_same_data_give_the_same_forecasts_to_the_last_bit(family: str) -> None:
    data = rows()
    learning, holdout = HoldoutSplit(7).split(data, "date", END)
    kind = FAMILIES[family]

    def once() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        result = fit(
            kind.build(kind.hyperparameters(), INPUTS),
            learning,
            holdout,
            data,
            inputs=["x", "noise"],
            target="y",
            non_negative=False,
            metrics=make_metrics(["mae"]),
        )
        assert next(iter(result.importance)) == "x"
        assert result.holdout["mae"] < 0.5
        return forecast(result.pipeline, data, non_negative=False)

    assert once().tobytes() == once().tobytes()


def test_forecasts_of_a_non_negative_target_are_clipped() -> None:
    data = rows()
    pipeline = FAMILIES["linear_regression"].build(None, INPUTS).fit(data, data["y"])
    assert forecast(pipeline, data, non_negative=False).min() < 0
    assert forecast(pipeline, data, non_negative=True).min() == 0


def forecasts() -> pd.DataFrame:
    """Two models, two days of two rows; model b lacks a row of the second day."""
    return pd.DataFrame(
        [
            ("a", "2026-01-01", 0, "p", 10.0, 12.0),
            ("a", "2026-01-01", 1, "q", 20.0, 19.0),
            ("a", "2026-01-02", 0, "p", 10.0, 10.0),
            ("a", "2026-01-02", 1, "q", 40.0, 30.0),
            ("b", "2026-01-01", 0, "p", 10.0, 10.0),
            ("b", "2026-01-01", 1, "q", 20.0, 25.0),
            ("b", "2026-01-02", 0, "p", 10.0, 14.0),
        ],
        columns=["model", "date", "row", "slice", "actual", "forecast"],
    ).astype({"date": "datetime64[ns]"})


def test_scores_of_days_and_slices_by_hand() -> None:
    metrics = make_metrics(["mae", "wmape", "bias"])
    one = forecasts().query("model == 'a'")
    scores = score_days(metrics, one, ["slice"])
    assert scores.days["mae"].tolist() == [1.5, 5.0]  # (2 + 1) / 2 and (0 + 10) / 2
    assert scores.days["wmape"].tolist() == [3 / 30, 10 / 50]
    assert scores.days["bias"].tolist() == [0.5, -5.0]
    q = scores.slices.query("value == 'q'")
    assert q["wmape"].tolist() == [1 / 20, 10 / 40]


def test_models_are_compared_on_the_rows_that_all_have() -> None:
    common = common_rows(forecasts())
    assert len(common) == 6
    assert common[common["date"] == pd.Timestamp(2026, 1, 2)]["row"].tolist() == [0, 0]


def test_trailing_scores_pool_rows_by_hand() -> None:
    scores = trailing_scores(make_metrics(["wmape"]), common_rows(forecasts()), 2)
    second = pd.Timestamp(2026, 1, 2)
    assert scores.loc[("a", second), "wmape"] == pytest.approx(3 / 40)  # 2 + 1 + 0 of 10 + 20 + 10
    assert scores.loc[("b", second), "wmape"] == pytest.approx(9 / 40)  # 0 + 5 + 4
    assert scores.loc[("b", second), "days"] == 2
    alone = trailing_scores(make_metrics(["wmape"]), common_rows(forecasts()), 1)
    assert alone.loc[("b", second), "wmape"] == pytest.approx(4 / 10)


def test_the_version_before_is_compared_on_the_rows_that_both_forecast() -> None:
    rows = pd.DataFrame(
        {
            "model": ["a", "a", "a", "b"],
            "actual": [10.0, 30.0, 20.0, 5.0],
            "forecast": [12.0, 27.0, 0.0, 5.0],
            "previous_forecast": [15.0, 20.0, np.nan, np.nan],
        }
    )
    [wmape] = make_metrics(["wmape"]).values()
    compared = compare_with_previous(wmape, rows, ["model"])
    assert list(compared.index) == ["a"]
    assert compared.loc["a", "previous"] == pytest.approx(15 / 40)
    assert compared.loc["a", "gain"] == pytest.approx(15 / 40 - 5 / 40)
    # of a metric that is best at zero, what counts is how far off it is
    [bias] = make_metrics(["bias"]).values()
    compared = compare_with_previous(bias, rows, ["model"])
    assert compared.loc["a", "previous"] == pytest.approx(-2.5)
    assert compared.loc["a", "gain"] == pytest.approx(2.5 - 0.5)
    before_there_were_any = rows.drop(columns="previous_forecast")
    assert compare_with_previous(bias, before_there_were_any, ["model"]).empty
