"""Conventions of the code, kept by tests: loading, descriptions, defaults."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import mlops_assets
from mlops_assets.definitions import defs
from mlops_assets.project import load_project
from mlops_tests.small import write_small_project

PACKAGE = Path(mlops_assets.__file__).parent
TESTS = Path(__file__).parent
ASSETS = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key.path)


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_private_modules_of_dagster_are_imported_in_two_places() -> None:
    found = {file.name for file in sources() for name in imports(file) if "dagster._" in name}
    assert found == {"event_log.py", "recording.py"}


def test_definitions_are_built_in_one_place() -> None:
    found = {file.name for file in sources() if "dg.Definitions(" in file.read_text()}
    assert found == {"definitions.py"}


def test_a_test_lies_where_its_module_lies() -> None:
    lies: dict[str, set[Path]] = {}
    for file in sources():
        lies.setdefault(file.stem, set()).add(file.parent.relative_to(PACKAGE))
    elsewhere = {Path(name) for name in ("benchmarks", "docs", "faults", "honesty", "served")}
    for file in sorted(TESTS.rglob("test_*.py")):
        name, folder = file.stem.removeprefix("test_"), file.parent.relative_to(TESTS)
        if folder in elsewhere or folder.name == name:
            continue
        assert (PACKAGE / folder).is_dir(), file
        assert folder in lies.get(name, {folder}), file


def loaded_modules(environment: dict[str, str]) -> list[str]:
    script = (
        "from mlops_assets.definitions import defs; "
        "import sys, json; print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


@pytest.mark.long
def test_loading_is_light_and_works_in_every_environment(tmp_path: Path) -> None:
    small = str(write_small_project(tmp_path / "small"))
    heavy = {"sklearn", "plotly", "pandas", "numpy", "starlette", "sqlalchemy"}
    for root in (str(tmp_path / "root"), f"memory://{tmp_path.name}"):
        loaded_modules({"MLOPS_ROOT": root, "MLOPS_PROJECT": small})
    # The first load reads the header of the source; what it found is kept.
    again = loaded_modules({"MLOPS_ROOT": str(tmp_path / "root"), "MLOPS_PROJECT": small})
    assert not heavy & set(again)


@pytest.mark.long
def test_a_missing_column_stops_loading(tmp_path: Path) -> None:
    file = write_small_project(tmp_path)
    file.write_text(file.read_text().replace("promotion", "advert"))
    with pytest.raises(subprocess.CalledProcessError) as caught:
        loaded_modules({"MLOPS_PROJECT": str(file), "MLOPS_ROOT": str(tmp_path / "root")})
    assert "has no column 'advert'; it has: date, department" in caught.value.stderr


@pytest.mark.parametrize("spec", ASSETS, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_says_what_it_is(spec: dg.AssetSpec) -> None:
    assert spec.description
    assert spec.group_name in {"datasets", "models", "validation", "serving", "monitoring"}
    assert spec.owners == [load_project().owner]
    assert spec.kinds
    in_metadata = spec.key.path[-1] in {"champion", "alerts"}  # shown whole there
    if spec.group_name != "models" and not in_metadata:
        assert "column_schema" in spec.metadata


def test_one_asset_of_each_kind_per_model() -> None:
    keys = {spec.key.to_user_string() for spec in ASSETS}
    names = [model.name for model in load_project().models]
    assert {"seasonal_naive", "linear", "tree", "boosting", "hist_boosting"} <= set(names)
    assert keys == {
        *("observations", "features", "training_set", "leaderboard", "champion", "forecast"),
        *("model_registry", "drift", "alerts", "issued"),
        *(f"{kind}/{name}" for kind in ("models", "validation") for name in names),
    }


def test_schedules_and_sensors_are_on() -> None:
    repository = defs.get_repository_def()
    names = [model.name for model in load_project().models]
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "evaluation_schedule",
        *(f"retrain_{name}_schedule" for name in names),
    }
    assert {s.default_status for s in repository.schedule_defs} == {
        dg.DefaultScheduleStatus.RUNNING
    }
    assert {s.default_status for s in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "alert_sensor",
        "upkeep_sensor",
        "registry_sensor",
        "performance_sensor",
        "late_data_sensor",
        "drift_sensor",
    }


def test_the_launchpad_explains_every_hyperparameter() -> None:
    for model in load_project().models:
        asset = defs.get_repository_def().assets_defs_by_key[dg.AssetKey(["models", model.name])]
        field = asset.op.config_schema.config_type.fields["hyperparameters"]
        for name, hyperparameter in field.config_type.fields.items():
            assert hyperparameter.description, (model.name, name)
            assert hyperparameter.default_provided, (model.name, name)
    [alpha] = (
        defs.get_repository_def()
        .assets_defs_by_key[dg.AssetKey(["models", "linear"])]
        .op.config_schema.config_type.fields["hyperparameters"]
        .config_type.fields.values()
    )
    assert alpha.default_value == 10.0
    assert "(more than 0, at most 1,000,000)." in alpha.description
