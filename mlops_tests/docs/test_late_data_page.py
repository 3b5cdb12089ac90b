"""The settings that docs/late-data.md shows are settings, with the defaults that it names."""

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml

from mlops_assets.ml.metrics.completeness import FEWEST_WEEKS, WEEKS
from mlops_assets.project import LandingSettings, Project
from mlops_assets.resources.sources.landing_folder import TEMPORARY
from mlops_tests.assets.lab import make_settings
from mlops_tests.small import REPOSITORY

PAGE = (REPOSITORY / "docs" / "late-data.md").read_text(encoding="utf-8")


def test_every_snippet_is_read_as_settings() -> None:
    snippets = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(snippets) == 3
    assert "```sh" not in PAGE
    assert "```python" not in PAGE
    defaults = Project.model_validate(make_settings())
    for snippet in snippets:
        project = Project.model_validate(make_settings() | {"folder": Path("/p")} | snippet)
        assert project.performance.min_completeness == defaults.performance.min_completeness
        assert project.schedule.late_days == defaults.schedule.late_days
        if "source" in snippet:
            assert isinstance(project.source, LandingSettings)
            shown = LandingSettings(kind="landing", path="incoming", pattern="*.csv")
            assert project.source == shown, "what is shown is the default"


def test_the_page_names_what_the_code_does() -> None:
    assert (WEEKS, FEWEST_WEEKS) == (8, 2), "as the page says in words"
    assert all(f"`{ending}`" in PAGE for ending in TEMPORARY)


def test_the_delay_that_is_shown_is_that_of_the_table() -> None:
    shown = next(
        yaml.safe_load(text)
        for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        if "label_delay_days" in text
    )
    project = Project.model_validate(make_settings() | shown)
    assert project.evaluation.label_delay_days == 2
    assert str(project.day_to_come(dt.date(2026, 3, 10))) == "2026-03-13"
    with pytest.raises(ValueError, match="lags of 3 or more"):
        Project.model_validate(make_settings() | shown | {"features": {"lags": [2, 7]}})
