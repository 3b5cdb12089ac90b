"""Labels are alike wherever they are written; what stands for them is by their order."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.models.families import FAMILIES, Inputs, parse_hyperparameters
from mlops_assets.ml.models.training import fit, forecast
from mlops_assets.ml.selection.acceptance import not_surely_worse, reproducible, sound_forecasts
from mlops_assets.ml.selection.gate import Paired
from mlops_assets.ml.values import text_of
from mlops_assets.pages.curves import calibration_of, roc_of, shown_classes

METRICS = make_metrics(["log_loss", "roc_auc"])


@pytest.mark.parametrize(
    ("value", "label"),
    [(True, "true"), (np.False_, "false"), (1, "1"), (1.0, "1"), (0.5, "0.5"), ("Yes", "Yes")],
)
def test_labels_are_alike_as_flags_numbers_and_text(value: object, label: str) -> None:
    assert text_of(value) == label


def test_numbers_stand_for_labels_by_their_order() -> None:
    values = pd.Series(["b", "a", None, "b"], dtype=object)
    np.testing.assert_array_equal(target_numbers(values, ("a", "b")), [1, 0, math.nan, 1])
    assert target_numbers(pd.Series([2.5, -1.0]), ()).tolist() == [2.5, -1.0]
    with pytest.raises(ValueError, match="'c' is none of the classes a, b; add it at the end"):
        target_numbers(pd.Series(["a", "c"]), ("a", "b"))


def tumours() -> tuple[pd.DataFrame, list[str]]:
    found = load_breast_cancer(as_frame=True)
    inputs = list(found.data.columns[:10])
    return found.data[inputs].assign(kind=np.where(found.target == 0, "bad", "good")), inputs


@pytest.mark.parametrize("name", ["logistic_regression", "hist_gradient_boosting_classifier"])
def test_tumours_are_told_apart(name: str) -> None:
    """On scikit-learn's breast cancer data far better than the prior, whose ROC AUC is 0.5."""
    rows, inputs = tumours()
    pipeline = FAMILIES[name].build(
        parse_hyperparameters(name, {}), Inputs(tuple(inputs), (), None)
    )
    learning, holdout = rows.iloc[:400], rows.iloc[400:]
    classes = ("good", "bad")
    result = fit(
        pipeline,
        learning,
        holdout,
        rows,
        inputs=inputs,
        target="kind",
        non_negative=False,
        metrics=METRICS,
        classes=classes,
    )
    assert result.holdout["roc_auc"] > 0.97
    assert result.holdout["log_loss"] < 0.25
    assert max(result.importance.values()) > 0.05, "the log loss grows when an input is shuffled"
    assert reproducible(pipeline, learning, inputs, "kind", classes).passed
    bad = forecast(result.pipeline, holdout[inputs], classes=classes)
    good = forecast(result.pipeline, holdout[inputs], classes=classes[::-1])
    assert good + bad == pytest.approx(1.0)
    # one class alone cannot be learned from; on a holdout of one class an area has no value
    with pytest.raises(ValueError, match=r"are of the class good; widen training\.window_months"):
        fit(
            pipeline,
            rows[rows["kind"] == "good"],
            holdout,
            rows,
            inputs=inputs,
            target="kind",
            non_negative=False,
            metrics=METRICS,
            classes=classes,
        )
    assert list(
        fit(
            pipeline,
            learning,
            holdout[holdout["kind"] == "good"],
            rows,
            inputs=inputs,
            target="kind",
            non_negative=False,
            metrics=METRICS,
            classes=classes,
        ).holdout
    ) == ["log_loss"]


def test_only_the_prior_may_forecast_the_same_for_all() -> None:
    forecasts, actual = np.tile([0.2, 0.8], (4, 1)), np.array([0.0, 1.0, 1.0, 1.0])
    found = sound_forecasts(forecasts, actual)
    assert not found.passed
    assert found.why == "all 4 forecasts are 0.2, 0.8"
    assert sound_forecasts(forecasts, actual, may_be_constant=True).passed
    forecasts[1, 0] = math.nan
    assert (
        sound_forecasts(forecasts, actual, may_be_constant=True).why
        == "1 of 4 forecasts are not finite"
    )


def test_what_has_no_value_is_not_compared() -> None:
    # all rows are of one class, so that there is no curve
    days = np.arange("2026-03-02", "2026-03-09", dtype="datetime64[D]")
    scores = np.linspace(0.1, 0.9, 7), np.linspace(0.9, 0.1, 7)
    window = Paired(make_metrics(["roc_auc"])["roc_auc"], days, np.ones(7), scores)
    found = not_surely_worse(window, "another")
    assert found.passed
    assert found.why == (
        "not compared: 1 - roc_auc is not defined on these rows, such as those of one class"
    )


def test_curves_by_hand() -> None:
    rows = pd.DataFrame(
        {"model": "a", "actual": [1.0, 0.0, 1.0, 0.0], "forecast": [0.9, 0.92, 0.3, 0.1]}
    )
    labels = ("no", "yes")
    assert shown_classes(labels) == ["yes"]
    bins = calibration_of(rows, labels, "yes").set_index("probability")
    assert bins["share"].to_dict() == pytest.approx({0.1: 0.0, 0.3: 1.0, 0.91: 0.5})
    assert bins["rows"].tolist() == [1, 1, 2]
    # from the largest down: a no, a yes, a yes, a no
    roc = roc_of(rows, labels, "yes")
    assert roc["others"].tolist() == [0, 0.5, 0.5, 0.5, 1]
    assert roc["of_class"].tolist() == [0, 0, 0.5, 1, 1]


def test_curves_of_several_classes_are_of_each_against_the_rest() -> None:
    rows = pd.DataFrame(
        {
            "model": "a",
            "actual": [0.0, 1.0],
            "forecast": [np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.7, 0.1])],
        }
    )
    labels = ("x", "y", "z")
    assert shown_classes(labels) == [*labels]
    assert calibration_of(rows, labels, "y")["share"].tolist() == [0.0, 1.0]
    assert len(roc_of(rows, labels, "x"))
    assert roc_of(rows, labels, "z").empty, "no row is of z"
