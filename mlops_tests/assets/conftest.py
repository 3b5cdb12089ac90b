"""Projects for the tests of the assets: one that is trained, one that is yet to be run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_tests.assets.lab import FIRST_DAY, Lab, make_rows, make_settings


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose observations, features, training sets and models are there, to be copied."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.write(make_rows(), make_settings())
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), "2026-03-31").success
        trained = "training_set models/seasonal_naive models/linear"
        assert lab.run(trained, "2026-02-01", "2026-03-01").success
    return lab.folder


@pytest.fixture
def lab(trained_folder: Path, tmp_path: Path) -> Iterator[Lab]:
    """Trained for February and March, nothing evaluated yet; its instance is empty."""
    shutil.copytree(trained_folder, tmp_path / "lab")
    found = Lab(tmp_path / "lab")
    with found.instance:
        yield found


@pytest.fixture
def empty_lab(tmp_path: Path) -> Iterator[Lab]:
    """Settings and rows, nothing materialized yet."""
    found = Lab(tmp_path)
    found.write(make_rows(), make_settings())
    with found.instance:
        yield found
