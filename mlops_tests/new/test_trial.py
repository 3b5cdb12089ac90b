"""`new` tries recipes on the table: what wins becomes the models, and all of it is told."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.project import load_project
from mlops_tests.new.tables import YESTERDAY, days_up_to, main, settings, write

MADE = ["--yes", "--target", "sold"]
OLD = dt.date(2020, 5, 31)


def steps(count: int, seed: int = 0) -> pd.DataFrame:
    """A walk by chance, of which nothing tells more than the value of the day before."""
    random = np.random.default_rng(seed)
    days = days_up_to(YESTERDAY, count)
    return pd.DataFrame({"day": days, "sold": 1000.0 + random.normal(0, 1, count).cumsum()})


def weekly(count: int, last: dt.date = YESTERDAY) -> pd.DataFrame:
    """Two shops of which each sells by the weekday, and by chance."""
    random = np.random.default_rng(1)
    days = days_up_to(last, count)
    parts = [
        pd.DataFrame(
            {"day": days, "shop": shop, "sold": random.poisson(level + 3 * days.dayofweek)}
        )
        for shop, level in (("north", 5), ("south", 20))
    ]
    return pd.concat(parts)


def results(out: Path) -> list[list[str]]:
    """The cells of the table of results in the profile."""
    text = (out / "profile.md").read_text(encoding="utf-8").partition("## What was tried")[2]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip(" |") for cell in row] for row in rows[2:]]


@pytest.mark.long
def test_a_walk_is_repeated_and_the_table_of_results_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(steps(240), tmp_path)
    assert main([str(file), "--out", str(tmp_path / "a"), *MADE, "--seconds", "600"]) == 0
    said = capsys.readouterr()
    assert "--no-backtest leaves it out" in said.err
    project = load_project(tmp_path / "a" / "project.yaml")
    plain = project.model(project.evaluation.baseline)
    assert plain.family == "seasonal_naive"
    assert plain.hyperparameters == {"repeats": "sold_mean_lag_1"}
    others = [model for model in project.models if model is not plain]
    assert len({(one.family, one.hyperparameters.get("loss")) for one in others}) == 3
    found = results(tmp_path / "a")
    errors = [float(row[0].split(" ± ")[0]) for row in found]
    assert errors == sorted(errors)
    named = {row[3]: row[2] for row in found if len(row) > 3 and row[3]}
    assert named.keys() == {model.name for model in project.models}
    assert all(named[model.name].startswith(model.family) for model in project.models)
    text = (tmp_path / "a" / "project.yaml").read_text(encoding="utf-8")
    assert re.search(r"# Tried on \d+ days.*: wmape, with its standard error", text)
    assert f"{len(found)} recipes were tried" in said.out
    # the same again
    assert main([str(file), "--out", str(tmp_path / "b"), *MADE, "--seconds", "600"]) == 0
    assert results(tmp_path / "b") == found
    assert settings(tmp_path / "b")["models"] == settings(tmp_path / "a")["models"]


@pytest.mark.long
def test_what_a_replay_allows_is_tried(tmp_path: Path) -> None:
    file = write(weekly(500, OLD), tmp_path)
    assert main([str(file), "--out", str(tmp_path / "p"), *MADE, "--seconds", "5"]) == 0
    project = load_project(tmp_path / "p" / "project.yaml")
    assert project.source.kind == "replay"
    assert project.training.split == "trailing"
    assert 31 * project.training.window_months + project.longest_lag < 364
    assert results(tmp_path / "p")


@pytest.mark.long
def test_classes_are_tried_by_their_own_families(tmp_path: Path) -> None:
    rows = weekly(200).assign(sold=lambda rows: np.where(rows["sold"] > 15, "yes", "no"))
    file = write(rows, tmp_path)
    assert main([str(file), "--out", str(tmp_path / "p"), *MADE, "--seconds", "5"]) == 0
    project = load_project(tmp_path / "p" / "project.yaml")
    assert {task for model in project.models for task in FAMILIES[model.family].tasks} == {
        "classification"
    }
    assert results(tmp_path / "p")


@pytest.mark.parametrize(
    ("days", "flags", "why"),
    [
        (240, ["--no-backtest", "--seconds", "60"], "no backtest was asked for"),
        (55, ["--seconds", "5"], "55 days are too few"),
    ],
)
def test_without_a_backtest_the_models_are_usual_ones(
    days: int, flags: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(weekly(days), tmp_path)
    assert main([str(file), "--out", str(tmp_path / "p"), *MADE, *flags]) == 0
    assert f"Models are usual ones: {why}" in capsys.readouterr().out
    assert f"# By rule of thumb: {why}" in (tmp_path / "p" / "project.yaml").read_text()
    assert [model["name"] for model in settings(tmp_path / "p")["models"]] == [
        *("seasonal_naive", "linear", "tree", "hist_boosting")
    ]
