"""The page on classification: its settings load, its tables name all that there is."""

import re
from pathlib import Path

import yaml

from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.project import load_project
from mlops_tests.small import REPOSITORY

PAGE = (REPOSITORY / "docs" / "classification.md").read_text(encoding="utf-8")


def test_the_settings_load_as_written(tmp_path: Path) -> None:
    whole, several = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "project.yaml"
    file.write_text(whole, encoding="utf-8")
    project = load_project(file)
    assert project.labels == ("on_time", "late")
    assert project.evaluation.threshold == 0.4
    changed = yaml.safe_load(whole) | yaml.safe_load(several)
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    assert load_project(file).labels == ("on_time", "late", "cancelled")


def test_every_family_and_metric_is_in_the_tables() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    known = [*FAMILIES.items(), *METRICS.items()]
    fitting = [name for name, kind in known if "classification" in kind.tasks]
    assert sorted(named) == sorted(fitting)


def test_what_the_page_says_of_defaults_holds() -> None:
    assert METRICS["log_loss"]().floor == 0.000001  # type: ignore[attr-defined]
    assert METRICS["accuracy"]().threshold == 0.5  # type: ignore[attr-defined]
    assert METRICS["calibration_error"]().bins == 10  # type: ignore[attr-defined]
