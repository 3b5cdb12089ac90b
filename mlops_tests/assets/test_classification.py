"""A target of classes through the same assets, from observations to forecast and drift."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets import load_champion
from mlops_assets.assets.performance_checks import checks_of
from mlops_assets.ml.metrics.labels import class_probabilities
from mlops_assets.pages.models_page import models_page
from mlops_assets.pages.series_page import series_page
from mlops_assets.pages.shelf import Shelf
from mlops_tests.assets.class_lab import LABELS, make_class_settings, make_loans, probabilities
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, reason

LAST = "2026-02-28"
DAYS = keys("2026-02-01", LAST)
MODELS = ["prior", "logistic", "boosting"]


@pytest.fixture(scope="module", params=["repaid", "outcome"])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A lab of two classes and one of three, every asset materialized for February."""
    lab = Lab(tmp_path_factory.mktemp("classes"))
    lab.write(make_loans(), make_class_settings(request.param))
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), LAST).success
        trained = " ".join(f"models/{name}" for name in MODELS)
        assert lab.run(f"training_set {trained}", "2026-02-01").success
        evaluated = " ".join(f"validation/{name}" for name in MODELS)
        assert lab.run(f"{evaluated} leaderboard champion forecast", DAYS[0], LAST).success
        assert lab.run("drift", LAST).success
        yield lab


def is_binary(lab: Lab) -> bool:
    return len(lab.project.labels) == 2


def test_observations_hold_labels_and_forecasts_numbers(built: Lab) -> None:
    project = built.project
    observed = built.datasets.read("observations", [LAST])[project.columns.target]
    assert set(observed) <= set(project.labels)
    counts = {
        label: built.metadata("observations", LAST)[f"rows_{label}"] for label in project.labels
    }
    assert counts == observed.value_counts().reindex(project.labels, fill_value=0).to_dict()
    made = built.datasets.read("validation/logistic", [LAST])
    assert [project.labels[int(code)] for code in made["actual"]] == observed.tolist()


def test_forecasts_are_near_the_true_probabilities(built: Lab) -> None:
    rows = built.datasets.read("features", DAYS)
    made = built.datasets.read("validation/logistic", DAYS)
    truth = probabilities(rows, built.project.columns.target)
    if is_binary(built):
        assert abs(made["forecast"] - truth[:, 1]).mean() < 0.04
    else:
        assert abs(np.stack(made["forecast"].tolist()) - truth).mean() < 0.04


def test_scores_are_near_those_of_the_true_probabilities(built: Lab) -> None:
    board = built.datasets.read("leaderboard", [LAST]).set_index("model")
    rows = built.datasets.read("features", DAYS)
    truth = probabilities(rows, built.project.columns.target)
    entropy = -(truth * np.log(truth)).sum(axis=1).mean()
    assert board.loc["logistic", "log_loss_28d"] == pytest.approx(entropy, abs=0.05)
    assert board.loc["prior", "roc_auc_28d"] == 0.5
    assert board.loc["prior", "calibration_error_28d"] < 0.05
    assert board["rank"].to_dict() == {"logistic": 1, "boosting": 2, "prior": 3}
    assert built.metadata("leaderboard", LAST)["best"] == "logistic"


def test_the_better_model_becomes_champion(built: Lab) -> None:
    record = built.datasets.read("champion", [LAST]).iloc[0]
    assert record["next_champion"] == "logistic"
    assert built.project.primary_metric.loss_name in record["next_why"]


def test_the_forecast_is_of_probabilities_and_a_class(built: Lab) -> None:
    built.write(make_loans())
    issued = built.datasets.read("forecast", [LAST])
    labels = built.project.labels
    assert issued["forecast"].between(0, 1).all()
    assert {"lower", "upper"}.isdisjoint(issued.columns)
    metadata = built.metadata("forecast", LAST)
    if is_binary(built):
        positive = issued["forecast_class"] == "false"
        assert (positive == (issued["forecast"] >= 0.4)).all()
        assert metadata["expected_false"] == pytest.approx(issued["forecast"].sum(), rel=1e-5)
    else:
        each = issued[[f"probability_{label}" for label in LABELS]]
        assert each.sum(axis=1).to_numpy() == pytest.approx(1.0)
        assert (each.max(axis=1) == issued["forecast"]).all()
        assert issued["forecast_class"].tolist() == [
            LABELS[position] for position in each.to_numpy().argmax(axis=1)
        ]
    csv = pd.read_csv(metadata["csv"])
    assert csv["forecast_class"].astype(str).str.lower().isin(labels).all()


def test_the_champion_loads_as_a_pipeline_of_labels(built: Lab) -> None:
    pipeline, card = load_champion(str(built.folder / "storage"))
    assert card.classes == list(built.project.labels)
    assert set(pipeline.classes_) == set(card.classes)
    rows = built.datasets.read("features", [LAST])
    made = class_probabilities(pipeline, rows[card.inputs], card.classes)
    assert np.isfinite(made).all()
    assert card.importance["debt"] > 0.01


def test_checks_that_do_not_apply_are_left_out(built: Lab) -> None:
    two = {"control_limits", "baseline", "bias", "slices"}
    assert set(checks_of(built.project, "logistic")) == (
        two if is_binary(built) else two - {"bias"}
    )
    drift = built.datasets.read("drift", [LAST])
    forecasts = {name for name in drift["column"] if name.startswith("(forecast")}
    several = {f"(forecast of {label})" for label in LABELS}
    assert forecasts == ({"(forecast)"} if is_binary(built) else several)
    assert not drift["drifted"].any()


def test_the_page_shows_calibration_and_roc(built: Lab) -> None:
    shelf = Shelf(built.storage, lambda: built.project)
    parts = {part.name: part for part in models_page(shelf.look([])).parts}
    shown = [built.project.labels[1]] if is_binary(built) else [*built.project.labels]
    for number, label in enumerate(shown):
        for part in (parts[f"calibration-{number}"], parts[f"roc-{number}"]):
            assert label in part.heading
            assert part.draw
            figure = part.draw(part.frame())
            assert figure
            assert {line["name"] for line in figure["data"]} == {"prior", "logistic", "boosting"}
    assert f"roc-{len(shown)}" not in parts
    [days, *_] = series_page(shelf.look([])).parts
    assert days.frame().empty != is_binary(built)


def test_the_prior_is_a_version_in_service_and_worse_models_are_not(built: Lab) -> None:
    [prior] = built.models.cards("prior")
    assert prior.accepted
    assert prior.checks["sound_forecasts"].passed


def test_the_version_before_goes_on_in_shadow(built: Lab) -> None:
    day = "2026-03-01"
    assert lab_days(built, day)
    assert built.run("training_set models/prior models/logistic", day).success
    assert built.run("validation/prior validation/logistic", day).success
    made = built.datasets.read("validation/logistic", [LAST, day])
    assert made["previous_forecast"].notna().tolist() == (made["date"] == day).tolist()
    told = built.metadata("validation/logistic", day)
    primary = built.project.evaluation.primary
    sign = -1 if built.project.primary_metric.direction == "higher" else 1
    gain = sign * (told[f"{primary}_of_previous"] - told[f"{primary}_reconstructed"])
    assert told["gain_over_previous"] == pytest.approx(gain, abs=1e-5)


def lab_days(lab: Lab, day: str) -> bool:
    """Whether observations and features of a day could be made."""
    return lab.run("observations features", day).success


def test_a_strange_label_is_refused_and_a_class_that_was_never_learned_is_scored(
    tmp_path: Path,
) -> None:
    rows = make_loans()
    late = rows["date"] < "2026-02-01"
    rows.loc[late & (rows["outcome"] == "lost"), "outcome"] = "late"
    rows.loc[(rows["date"] == "2026-02-02") & (rows.index % 7 == 0), "outcome"] = "stolen"
    lab = Lab(tmp_path)
    lab.write(rows, make_class_settings("outcome"))
    with lab.instance:
        result = lab.run("observations", str(FIRST_DAY), "2026-02-02")
        assert "stolen" in reason(result)
        assert lab.run("features", str(FIRST_DAY), "2026-02-01").success
        assert lab.run("training_set models/prior models/logistic", "2026-02-01").success
        assert lab.run("validation/prior validation/logistic", "2026-02-01").success
        scores = lab.metadata("validation/logistic", "2026-02-01")
        assert np.isfinite(scores["log_loss_reconstructed"])
        made = lab.datasets.read("validation/logistic", ["2026-02-01"])
        assert all(probability[2] == 0 for probability in made["forecast"])


def test_lags_of_two_classes_are_those_of_the_positive_one(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=12)
    rows = pd.DataFrame({"date": days, "shop": "a", "open": ["yes", "no", "no"] * 4, "debt": 0.0})
    settings = make_class_settings("repaid")
    settings["columns"] = {
        "date": "date",
        "target": "open",
        "series": ["shop"],
        "numeric": ["debt"],
    }
    settings["classes"] = {"labels": ["yes", "no"], "positive": "yes"}
    settings["features"] = {"lags": [1], "rolling_means": [3]}
    settings["evaluation"]["slices"] = []
    settings["first_day"] = days[0].date()
    lab = Lab(tmp_path)
    lab.write(rows, settings)
    with lab.instance:
        assert lab.run("observations features", "2026-01-01", "2026-01-12").success
        day = lab.datasets.read("features", ["2026-01-05"]).iloc[0]
    assert (day["open"], day["open_lag_1"]) == ("no", 1.0)
    assert day["open_mean_3"] == pytest.approx(1 / 3)
