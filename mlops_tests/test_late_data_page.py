"""The settings that docs/late-data.md shows are settings, with the defaults that it names."""

import re
from pathlib import Path

import yaml

from mlops_assets.ml.completeness import FEWEST_WEEKS, WEEKS
from mlops_assets.project import LandingSettings, Project
from mlops_assets.resources.sources.landing import TEMPORARY
from mlops_tests.assets.lab import make_settings
from mlops_tests.small import REPOSITORY

PAGE = (REPOSITORY / "docs" / "late-data.md").read_text(encoding="utf-8")


def test_every_snippet_is_read_as_settings() -> None:
    snippets = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(snippets) == 2
    assert "```sh" not in PAGE
    assert "```python" not in PAGE
    defaults = Project.model_validate(make_settings())
    for snippet in snippets:
        project = Project.model_validate(make_settings() | {"folder": Path("/p")} | snippet)
        assert project.control.min_completeness == defaults.control.min_completeness
        assert project.schedule.late_days == defaults.schedule.late_days
        if "source" in snippet:
            assert isinstance(project.source, LandingSettings)
            shown = LandingSettings(kind="landing", path="incoming", pattern="*.csv")
            assert project.source == shown, "what is shown is the default"


def test_the_page_names_what_the_code_does() -> None:
    assert (WEEKS, FEWEST_WEEKS) == (8, 2), "as the page says in words"
    assert all(f"`{ending}`" in PAGE for ending in TEMPORARY)
