"""Settings files of earlier versions are read in the words of today."""

from pathlib import Path

import pytest
import yaml

import mlops_assets.plugin
from mlops_assets.project import ProjectError, load_project
from mlops_assets.project.old_words import OldWordWarning, in_new_words
from mlops_tests.assets.lab import make_settings


def write(folder: Path, settings: dict[str, object]) -> Path:
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


def test_old_words_are_read_with_a_warning_that_names_the_new_one(tmp_path: Path) -> None:
    settings = make_settings()
    evaluation = dict(settings["evaluation"])
    evaluation["yardstick"] = evaluation.pop("baseline")
    old = settings | {"evaluation": evaluation, "control": {"width": 5.0}}
    new = settings | {"performance": {"width": 5.0}}
    with pytest.warns(OldWordWarning) as told:
        read = load_project(write(tmp_path, old))
    assert read == load_project(write(tmp_path, new))
    assert [str(warning.message).split(", ")[1] for warning in told] == [
        "control: is called performance now",
        "evaluation.yardstick: is called baseline now",
    ]


@pytest.mark.filterwarnings("ignore::mlops_assets.project.old_words.OldWordWarning")
def test_a_mistake_under_an_old_word_is_told_with_its_line(tmp_path: Path) -> None:
    settings = make_settings()
    settings["evaluation"]["yardstick"] = settings["evaluation"].pop("baseline") + "_2"
    file = write(tmp_path, settings | {"control": {"min_days": 20, "width": -1}})
    lines = file.read_text().splitlines()
    with pytest.raises(ProjectError) as told:
        load_project(file)
    assert f"line {lines.index('  width: -1') + 1}, performance.width: " in str(told.value)
    file = write(tmp_path, settings)
    with pytest.raises(ProjectError) as told:
        load_project(file)
    line = lines.index("  yardstick: seasonal_naive_2") + 1
    assert f"line {line}, evaluation.baseline: " in str(told.value)


def test_own_is_custom_among_features_and_sources() -> None:
    old = {
        "source": {"kind": "replay", "source": {"kind": "own", "use": "rows"}},
        "features": {"own": ["weekday_mean"], "lags": [1]},
    }
    with pytest.warns(OldWordWarning, match="own"):
        assert in_new_words(old, "file") == {
            "source": {"kind": "replay", "source": {"kind": "custom", "use": "rows"}},
            "features": {"custom": ["weekday_mean"], "lags": [1]},
        }
    assert "own" in old["features"]  # what was given stays as it is


def test_both_words_at_once_are_refused(tmp_path: Path) -> None:
    settings = make_settings() | {"control": {}, "performance": {}}
    with pytest.raises(ProjectError, match="control: performance is there too"):
        load_project(write(tmp_path, settings))


def test_what_is_no_mapping_is_left_to_the_validation() -> None:
    assert in_new_words({"evaluation": ["yardstick"], "source": "own"}, "file") == {
        "evaluation": ["yardstick"],
        "source": "own",
    }


def test_plugins_of_earlier_versions_find_their_base_class() -> None:
    with pytest.warns(FutureWarning, match="CustomSource"):
        assert mlops_assets.plugin.OwnSource is mlops_assets.plugin.CustomSource
