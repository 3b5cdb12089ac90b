"""Every snippet of docs/rows.md is a part of settings that load, and says what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.ml.metrics.scores import RESERVED_COLUMNS
from mlops_assets.project import Project, load_project
from mlops_tests.small import PROJECT_FILE, REPOSITORY

PAGE = (REPOSITORY / "docs" / "rows.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
REST = {
    "name": "shop",
    "owner": "team:shop",
    "source": {"kind": "file", "path": "rows.csv"},
    "first_day": "2026-01-01",
    "training": {"window_months": 1, "holdout_days": 7},
    "evaluation": {"metrics": ["mae"], "primary": "mae", "baseline": "naive"},
    "models": [{"name": "naive", "family": "seasonal_naive"}],
}


def load(snippet: str, folder: Path) -> Project:
    settings: dict[str, Any] = REST | yaml.safe_load(snippet)
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_project(file)


def test_there_is_a_snippet_for_each_kind() -> None:
    kinds = ["series", "events", "hours", "aggregate", "periods", "expected"]
    assert len(SNIPPETS) == len(kinds)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_snippet_loads(snippet: str, tmp_path: Path) -> None:
    assert load(snippet, tmp_path).models


def test_the_page_names_features_and_reach_as_they_are(tmp_path: Path) -> None:
    project = load(SNIPPETS[1], tmp_path)
    named = re.findall(r"`(delay_\w+)`", PAGE)
    assert named
    assert set(named) <= set(project.feature_plan.aggregate_columns)
    assert project.longest_lag == 28
    assert not project.non_negative


def test_the_names_that_the_page_calls_taken_are() -> None:
    text = PAGE.split("## Names that are taken")[1]
    named = set(re.findall(r"`(\w+)`", text))
    assert named
    assert named <= set(RESERVED_COLUMNS)


def test_the_shipped_project_is_one_of_series() -> None:
    assert load_project(PROJECT_FILE).row_columns == ["department", "category"]
