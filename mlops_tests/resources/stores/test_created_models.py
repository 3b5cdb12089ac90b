"""Created models: a file each, which costs itself alone when something is wrong with it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_assets.project import Cadence, ModelSettings, Project, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.created_models import Registry

PROJECT = load_project()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(LocalStorage(str(tmp_path)))


def ridge(name: str, alpha: float = 3.0) -> ModelSettings:
    return ModelSettings(
        name=name, family="ridge", hyperparameters={"alpha": alpha}, cadence=Cadence.MANUAL
    )


def applied(registry: Registry, project: Project = PROJECT) -> Project:
    found, left_out = registry.apply(project)
    assert left_out == {}
    return found


def test_a_created_model_comes_after_those_of_the_project(registry: Registry) -> None:
    assert applied(registry) == PROJECT
    registry.create(ridge("mine"))
    assert applied(registry).models == [*PROJECT.models, ridge("mine")]
    registry.drop("mine")
    assert applied(registry) == PROJECT


def test_of_many_who_create_one_name_at_once_one_wins(registry: Registry) -> None:
    def create(alpha: int) -> int | None:
        try:
            registry.create(ridge("mine", float(alpha)))
        except FileExistsError:
            return None
        return alpha

    with ThreadPoolExecutor(8) as threads:
        won = [alpha for alpha in threads.map(create, range(1, 33)) if alpha is not None]
    assert len(won) == 1
    assert applied(registry).model("mine").hyperparameters == {"alpha": float(won[0])}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken", "name: [", "broken.yaml"),
        ("odd", "name: odd\nfamily: nonsense\n", "'nonsense' is no known family"),
        ("odd", "name: odd\nfamily: ridge\nhyperparameters: {alpha: -1}\n", "alpha = -1"),
        ("odd", "name: even\nfamily: ridge\n", "it names 'even'"),
        ("linear", "name: linear\nfamily: ridge\n", "project.yaml has a model of that name"),
        ("all", "name: all\nfamily: ridge\n", "is no name for a model"),
    ],
)
def test_a_wrong_file_costs_itself_alone(
    registry: Registry, tmp_path: Path, name: str, text: str, message: str
) -> None:
    registry.create(ridge("mine"))
    (tmp_path / "registry" / "models" / f"{name}.yaml").write_text(text)
    project, left_out = registry.apply(PROJECT)
    assert project.models == [*PROJECT.models, ridge("mine")]
    assert list(left_out) == [name]
    assert message in left_out[name]
    assert f"{name}.yaml" in left_out[name]


def test_an_update_holds_until_the_project_says_something_else(registry: Registry) -> None:
    registry.update(PROJECT, "linear", {"alpha": 5.0})
    assert applied(registry).model("linear").hyperparameters == {"alpha": 5.0}
    registry.update(PROJECT, "linear", {"alpha": 6.0})
    assert applied(registry).model("linear").hyperparameters == {"alpha": 6.0}
    models = [ridge("linear", 2.0) if model.name == "linear" else model for model in PROJECT.models]
    edited = PROJECT.with_models(models)
    assert applied(registry, edited).model("linear").hyperparameters == {"alpha": 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "is no update; remove it"),
        ("hyperparameters: [", "expected the node content"),
        ("hyperparameters: {alpha: -1}\nreplaces: {alpha: 10.0}\n", "alpha = -1"),
    ],
)
def test_a_wrong_update_costs_itself_alone(
    registry: Registry, tmp_path: Path, text: str, message: str
) -> None:
    registry.update(PROJECT, "linear", {"alpha": 5.0})
    (tmp_path / "registry" / "updates" / "linear.yaml").write_text(text)
    project, left_out = registry.apply(PROJECT)
    assert project == PROJECT
    assert list(left_out) == ["update of linear"]
    assert message in left_out["update of linear"]
    assert "linear.yaml" in left_out["update of linear"]


def test_an_update_of_a_created_model_keeps_the_rest_of_it(registry: Registry) -> None:
    registry.create(ridge("mine"))
    registry.update(PROJECT, "mine", {"alpha": 9.0})
    assert applied(registry).model("mine") == ridge("mine", 9.0)
