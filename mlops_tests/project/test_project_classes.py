"""The settings of a classification: what fits is taken, what does not is named with the remedy."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.project import Project, ProjectError, load_project
from mlops_tests.assets.class_lab import make_class_settings


def load(folder: Path, target: str = "repaid", **changes: Any) -> Project:
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(make_class_settings(target) | changes), encoding="utf-8")
    return load_project(file)


def test_the_positive_label_comes_last(tmp_path: Path) -> None:
    project = load(tmp_path)
    assert project.labels == ("true", "false")
    assert project.constraint("repaid").allowed == ["true", "false"]
    assert project.number_columns == ["debt", "age"]
    assert project.evaluation.threshold == 0.4
    assert not project.non_negative


def test_several_labels_keep_their_order(tmp_path: Path) -> None:
    assert load(tmp_path, "outcome").labels == ("repaid", "late", "lost")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "regression"}, ["'log_loss'", "not for a task of regression", "mae, wmape"]),
        ({"classes": None}, ["classes", "missing; name the labels"]),
        (
            {"models": [{"name": "prior", "family": "ridge"}]},
            ["'ridge' are not for a task of classification", "prior, logistic_regression"],
        ),
        (
            {"evaluation": {"metrics": ["mae"], "primary": "mae", "baseline": "prior"}},
            ["'mae' are not for a task of classification", "log_loss, brier_score"],
        ),
        (
            {"classes": {"labels": ["a", "b"]}},
            ["positive must be one of a, b, not None"],
        ),
        (
            {"classes": {"labels": ["a", "b", "c"], "positive": "a"}},
            ["positive is for two labels", "leave it out"],
        ),
        ({"classes": {"labels": ["a", "a"], "positive": "a"}}, ["named more than once: a"]),
        (
            {"constraints": {"repaid": {"allowed": ["true"]}}},
            ["'repaid' is the target, whose labels are those of classes.labels"],
        ),
        (
            {"features": {"lags": [1]}},
            ["lags and rolling_means follow a series"],
        ),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, **changes)
    for word in words:
        assert word in str(caught.value)


def test_several_classes_have_no_lags(tmp_path: Path) -> None:
    columns = make_class_settings("outcome")["columns"] | {"series": ["region"]}
    with pytest.raises(ProjectError, match="two classes, not of 3; leave them empty"):
        load(tmp_path, "outcome", columns=columns, features={"lags": [1]})
