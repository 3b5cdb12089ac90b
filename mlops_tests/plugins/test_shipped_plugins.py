"""LightGBM and XGBoost, where they are installed, keep the contract of a family."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.contracts.family_contract import family_problems
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.project.plugin_loader import use_plugins

NAMES = ["lightgbm", "xgboost"]


@pytest.fixture
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    name: str = request.param
    pytest.importorskip(name, reason=f"pip install 'mlops_assets[{name}]'")
    use_plugins(tmp_path, [f"mlops_assets.plugins.{name}"])
    yield name
    use_plugins(tmp_path, [])


@pytest.mark.parametrize("family", NAMES, indirect=True)
def test_the_family_keeps_its_contract(family: str) -> None:
    assert list(family_problems(FAMILIES[family], {"n_estimators": 5})) == []


@pytest.mark.parametrize("family", NAMES, indirect=True)
def test_every_trusted_type_is_needed(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = FAMILIES[family].trusted_types
    for name in declared:
        rest = tuple(other for other in declared if other != name)
        monkeypatch.setattr(type(FAMILIES[family]), "trusted_types", rest)
        problems = " ".join(family_problems(FAMILIES[family], {"n_estimators": 2}))
        assert f"holds {name}, which no family declares" in problems
