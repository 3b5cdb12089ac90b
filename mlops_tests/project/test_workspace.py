"""The workspace names the projects that share an instance; each is found by its name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets import definitions
from mlops_assets.project import ProjectError
from mlops_assets.project.workspace import (
    environment,
    load_named,
    location,
    project_names,
)
from mlops_assets.resources.layout import materialize_command
from mlops_assets.resources.roots import project_storage
from mlops_tests.small import PROJECT_FILE

DEFAULT = "mlops_assets.definitions"


def entry(name: str, **other: str) -> dict[str, Any]:
    module = {"module_name": DEFAULT, "attribute": name, "location_name": name}
    return {"python_module": module | other}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the projects bakery and fish, whose workspace is chosen but not written."""
    monkeypatch.setenv("MLOPS_WORKSPACE", str(tmp_path / "workspace.yaml"))
    monkeypatch.setenv("MLOPS_ROOT", str(tmp_path / "storage"))
    settings = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
    for name in ("bakery", "fish"):
        (tmp_path / name).mkdir()
        text = yaml.safe_dump(settings | {"name": name})
        (tmp_path / name / "project.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def write(folder: Path, *entries: Any) -> None:
    (folder / "workspace.yaml").write_text(yaml.safe_dump({"load_from": list(entries)}))


def test_the_shipped_workspace_is_the_one_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_WORKSPACE", raising=False)
    assert project_names() == [""]
    project = load_named()
    assert (project.prefix, location(project)) == ("", "mlops_assets")


def test_projects_are_named_in_order_and_other_code_is_passed_over(folder: Path) -> None:
    write(
        folder,
        entry("fish"),
        {"python_module": "something.else"},
        {"python_file": "x.py"},
        {"python_module": {"module_name": DEFAULT, "location_name": "mlops_assets"}},
        entry("bakery"),
    )
    assert project_names() == ["fish", "", "bakery"]
    write(folder, {"python_module": DEFAULT})
    assert project_names() == [""]


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([{"python_module": "something.else"}], "no entry of .* loads mlops_assets.definitions"),
        ([entry("fish"), entry("fish")], "names more than once: fish"),
        ([entry("fish", location_name="f")], "'fish' is called 'f'; add location_name: fish"),
        ([5], "is no workspace"),
        ([entry("../fish")], "'../fish' is no name for a project of several"),
    ],
)
def test_a_wrong_workspace_is_refused(folder: Path, entries: Any, complaint: str) -> None:
    write(folder, *entries)
    with pytest.raises(ProjectError, match=complaint):
        project_names()


def test_a_workspace_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ProjectError, match="set MLOPS_WORKSPACE to a YAML file"):
        project_names()


def test_a_project_of_several_has_its_own_place(folder: Path) -> None:
    project = load_named("fish")
    assert (project.name, project.prefix, location(project)) == ("fish", "fish", "fish")
    storage = project_storage(project)
    assert storage.root == str(folder / "storage" / "fish")
    assert materialize_command(storage.project, "models/linear", "2026-01-01") == (
        "dagster asset materialize -m mlops_assets.definitions -a fish "
        "--select fish/models/linear --partition 2026-01-01"
    )
    changed = project.with_models(project.models[:2])
    assert changed.prefix == "fish"


def test_it_is_chosen_by_name_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_PROJECT", "fish")
    assert load_named().prefix == "fish"
    monkeypatch.setenv("MLOPS_PROJECT", str(folder / "fish" / "project.yaml"))
    assert load_named().prefix == ""


@pytest.mark.parametrize("name", ["defs", "models", "validation", "mlops_assets", "Fish", "a/b"])
def test_a_name_that_would_be_taken_for_something_else_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="is no name for a project of several"):
        load_named(name)


def test_a_missing_or_otherwise_named_project_is_refused(folder: Path) -> None:
    with pytest.raises(ProjectError, match=r"there is no project 'meat': .*meat/project.yaml"):
        load_named("meat")
    (folder / "fish").rename(folder / "meat")
    with pytest.raises(ProjectError, match="'fish'; a project of several is called like its folde"):
        load_named("meat")


def test_the_prefix_is_no_setting(folder: Path) -> None:
    file = folder / "fish" / "project.yaml"
    file.write_text(file.read_text() + "prefix: fish\n")
    with pytest.raises(ProjectError, match="prefix: unknown setting"):
        load_named("fish")


def test_the_definitions_have_an_attribute_per_project_and_no_other(folder: Path) -> None:
    data = folder / "fish" / "data"
    data.symlink_to(PROJECT_FILE.with_name("data"))
    found = definitions.fish
    assert {spec.key.path[0] for spec in found.resolve_all_asset_specs()} == {"fish"}
    assert definitions.fish is found
    # libraries ask any module for any name, such as those that store a fitted model
    for name in ("agm", "models", "__path__"):
        assert not hasattr(definitions, name)
    assert "defs" in dir(definitions)


def test_a_process_in_another_folder_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_WORKSPACE", "projects/workspace.yaml")
    monkeypatch.setenv("MLOPS_PROJECT", "fish/project.yaml")
    monkeypatch.setenv("MLOPS_ROOT", "storage")
    assert environment() == {
        "MLOPS_WORKSPACE": str(tmp_path / "projects" / "workspace.yaml"),
        "MLOPS_PROJECT": str(tmp_path / "fish" / "project.yaml"),
        "MLOPS_ROOT": str(tmp_path / "storage"),
    }
    monkeypatch.setenv("MLOPS_PROJECT", "fish")  # one of the workspace
    monkeypatch.setenv("MLOPS_ROOT", "memory://storage")
    assert list(environment()) == ["MLOPS_WORKSPACE"]
