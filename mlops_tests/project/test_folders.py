"""One rule says which settings are in use, and where all else lies."""

from pathlib import Path

import pytest

from mlops_assets.project import ProjectError, load_project
from mlops_assets.project.folders import (
    instance_folder,
    settings_file,
    storage_root,
    workspace_file,
)

VARIABLES = ("MLOPS_PROJECT", "MLOPS_ROOT", "MLOPS_WORKSPACE", "DAGSTER_HOME")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the working folder, with folders in it and another project beside it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here" / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name in ("here", "other"):
        (tmp_path / name / "project.yaml").touch()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def found() -> tuple[Path, str, Path, Path]:
    return settings_file(), storage_root(), workspace_file(), instance_folder()


def beside(folder: Path) -> tuple[Path, str, Path, Path]:
    """All four where no variable says otherwise."""
    names = ("project.yaml", "storage", "workspace.yaml", ".dagster")
    settings, storage, workspace, instance = (folder / name for name in names)
    return settings, str(storage), workspace, instance


def test_all_lie_in_the_working_folder(folder: Path) -> None:
    assert found() == beside(folder / "here")


def test_all_lie_in_the_nearest_folder_above(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "here" / "deep" / "deeper")
    assert found() == beside(folder / "here")


def test_all_lie_beside_the_settings_that_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_PROJECT", "../other/project.yaml")
    assert found() == beside(folder / "other")


def test_the_workspace_leads_to_the_settings_wherever_a_command_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_WORKSPACE", str(folder / "here" / "deep" / "workspace.yaml"))
    monkeypatch.setenv("MLOPS_PROJECT", "fish")  # one of the workspace
    monkeypatch.chdir(folder / "other")
    settings, storage, _, instance = beside(folder / "here")
    assert found() == (settings, storage, folder / "here" / "deep" / "workspace.yaml", instance)


def test_each_is_where_its_variable_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_ROOT", "s3://bucket/demand")
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    settings, _, workspace, _ = beside(folder / "here")
    assert found() == (settings, "s3://bucket/demand", workspace, folder / "home")


def test_without_settings_what_makes_some_is_told(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match=r"mlops-assets new TABLE.*MLOPS_PROJECT") as told:
        load_project()
    assert f"{tmp_path}/project.yaml" in str(told.value)
