"""The instance gets its settings once, newer ones while nobody has edited them, and no others."""

import os
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli import instance
from mlops_assets.cli.instance import SHIPPED, is_unedited, marked, prepare_instance
from mlops_assets.project import ProjectError
from mlops_tests.small import write_small_project


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, which is the working folder."""
    write_small_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "to be restored")
    del os.environ["DAGSTER_HOME"]
    monkeypatch.delenv("MLOPS_ROOT")
    return tmp_path


def test_it_lies_beside_the_settings_and_dagster_takes_it(folder: Path) -> None:
    assert prepare_instance() == folder / ".dagster"
    assert os.environ["DAGSTER_HOME"] == str(folder / ".dagster")
    with dg.DagsterInstance.get() as opened:
        assert opened.root_directory == str(folder / ".dagster")
        assert not opened.telemetry_enabled
    assert is_unedited((folder / ".dagster" / "dagster.yaml").read_text())


def test_it_lies_where_dagster_home_says(folder: Path) -> None:
    os.environ["DAGSTER_HOME"] = "elsewhere"
    assert prepare_instance() == folder / "elsewhere"
    assert not (folder / ".dagster").exists()


def test_a_folder_in_the_place_of_the_settings_is_refused_and_gets_no_instance(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "inner").mkdir()
    monkeypatch.setenv("MLOPS_PROJECT", str(folder / "inner"))
    with pytest.raises(ProjectError, match="Is a directory"):
        prepare_instance()
    assert not (folder / ".dagster").exists()


def test_a_project_of_a_workspace_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_PROJECT", "bakery")
    with pytest.raises(ProjectError, match="there is no project 'bakery'"):
        prepare_instance()
    assert not os.listdir(tmp_path)


def test_unedited_settings_are_replaced_by_newer_ones(folder: Path) -> None:
    file = prepare_instance() / "dagster.yaml"
    newest = file.read_text()
    file.write_text(marked("nux: {enabled: true}\n"))
    prepare_instance()
    assert file.read_text() == newest
    assert newest.endswith(SHIPPED.read_text())


def test_edited_settings_stay(folder: Path) -> None:
    file = prepare_instance() / "dagster.yaml"
    edited = file.read_text().replace("enabled: false", "enabled: true")
    for text in (edited, "nux: {enabled: true}\n"):
        file.write_text(text)
        prepare_instance()
        assert file.read_text() == text


def test_settings_from_before_they_were_marked_are_known(folder: Path) -> None:
    repository = SHIPPED.parents[2]
    found = subprocess.run(
        ["git", "log", "--format=%H", "--", "dagster.yaml"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    commits = found.stdout.split() if found.returncode == 0 else []
    if not commits:
        pytest.skip("no history of the repository is at hand")
    texts = [
        subprocess.run(
            ["git", "show", f"{commit}:dagster.yaml"],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for commit in commits
    ]
    assert all(is_unedited(text) for text in texts if text)
    assert {instance._digest(text) for text in texts if text} == instance.UNMARKED
