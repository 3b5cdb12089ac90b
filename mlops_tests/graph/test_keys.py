"""Asset keys: bare for the one project, under its name for one of several, made in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlops_assets
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.keys import asset_key, op_name, own_parts
from mlops_assets.jobs.evaluate import EVALUATE_JOB, RETRAIN_ALL_JOB
from mlops_assets.project import Project, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.web import asset_page

ONE = load_project()
BAKERY = ONE.model_copy(update={"name": "bakery", "prefix": "bakery"})
PACKAGE = Path(mlops_assets.__file__).parent
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


def test_one_project_has_bare_keys() -> None:
    assert asset_key(ONE, "models", "linear").path == ["models", "linear"]
    assert op_name(ONE, "models", "linear") == "models__linear"
    assert asset_page(ONE, "champion") == "assets/champion"


def test_one_of_several_has_its_name_before_them() -> None:
    assert asset_key(BAKERY, "models", "linear").path == ["bakery", "models", "linear"]
    assert op_name(BAKERY, "models", "linear") == "bakery__models__linear"
    assert asset_page(BAKERY, "champion") == "assets/bakery/champion"


@given(name=NAMES, parts=st.one_of(st.tuples(NAMES), st.tuples(st.just("models"), NAMES)))
def test_a_key_is_that_of_one_project(name: str, parts: tuple[str, ...]) -> None:
    project = ONE.model_copy(update={"prefix": name})
    other = ONE.model_copy(update={"prefix": f"{name}_2"})
    assert own_parts(project, asset_key(project, *parts)) == [*parts]
    assert own_parts(other, asset_key(project, *parts)) == []
    assert own_parts(ONE, asset_key(ONE, *parts)) == [*parts]
    assert own_parts(project, asset_key(ONE, "leaderboard")) == []
    if name not in ("models", "validation"):
        assert own_parts(ONE, asset_key(project, *parts)) == []


def keys_of(definitions: dg.Definitions) -> Iterator[dg.AssetKey]:
    """Every asset key that definitions name: assets, what they read, their checks, their jobs."""
    for spec in definitions.resolve_all_asset_specs():
        yield spec.key
        yield from (dependency.asset_key for dependency in spec.deps)
    graph = definitions.resolve_asset_graph()
    yield from (key.asset_key for key in graph.asset_check_keys)
    for job in definitions.resolve_all_job_defs():
        yield from job.asset_layer.selected_asset_keys


@pytest.fixture(params=[ONE, BAKERY], ids=["one", "one of several"])
def project(request: pytest.FixtureRequest) -> Project:
    found: Project = request.param
    return found


def test_every_key_of_the_definitions_is_the_projects_own(project: Project, tmp_path: Path) -> None:
    definitions = make_definitions(project, LocalStorage(str(tmp_path)))
    keys = set(keys_of(definitions))
    foreign = [key for key in keys if not own_parts(project, key)]
    assert not foreign
    assert len(keys) == 10 + 2 * len(project.models)
    for job in (EVALUATE_JOB, RETRAIN_ALL_JOB):
        assert definitions.resolve_job_def(job).asset_layer.selected_asset_keys
    if project.prefix:
        assert {key.path[0] for key in keys} == {project.prefix}


def bare_keys(file: Path) -> Iterator[str]:
    """What a module builds of an asset key by itself, or names an asset by in a decorator."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if name.endswith("AssetKey"):
                yield ast.unparse(node)
            if name.endswith((".AssetDep", ".AssetSpec", ".AssetMaterialization")) and isinstance(
                node.args[0], ast.Constant | ast.List
            ):
                yield ast.unparse(node)
            if name == "dg.asset" and not isinstance(given.get("key"), ast.Call | ast.Name):
                yield f"{ast.unparse(node)[:60]}: no key"
            deps = given.get("deps")
            for item in deps.elts if isinstance(deps, ast.List) else []:
                if isinstance(item, ast.Constant):
                    yield f"deps: {item.value}"


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_asset_keys_are_made_in_one_module(file: Path) -> None:
    if file.name != "keys.py":
        assert not list(bare_keys(file)), "use mlops_assets.graph.keys.asset_key"
