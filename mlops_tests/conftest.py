"""What all tests share."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_tests import clock

if TYPE_CHECKING:
    from mlops_tests.assets.lab import Lab

clock.fix_today()

# Loading the definitions touches the storage: never the developer's own.
os.environ["MLOPS_ROOT"] = tempfile.mkdtemp(prefix="mlops-assets-tests-")
os.environ.pop("MLOPS_PROJECT", None)


@pytest.fixture(scope="session")
def small_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small project whose history is built; to be copied, not to be changed."""
    from mlops_tests.small import build_small_history

    folder = tmp_path_factory.mktemp("small")
    build_small_history(folder)
    return folder


@pytest.fixture(scope="module")
def small_project(small_history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it for the tests of one module."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(small_history, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose observations, features, training sets and models are there, to be copied."""
    from mlops_tests.assets.lab import FIRST_DAY, Lab, make_rows, make_settings

    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.write(make_rows(), make_settings())
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), "2026-03-31").success
        trained = "training_set models/seasonal_naive models/linear"
        assert lab.run(trained, "2026-02-01", "2026-03-01").success
    return lab.folder


@pytest.fixture
def lab(trained_folder: Path, tmp_path: Path) -> "Iterator[Lab]":
    """Trained for February and March, nothing evaluated yet; its instance is empty."""
    from mlops_tests.assets.lab import Lab

    shutil.copytree(trained_folder, tmp_path / "lab")
    found = Lab(tmp_path / "lab")
    with found.instance:
        yield found


@pytest.fixture
def empty_lab(tmp_path: Path) -> "Iterator[Lab]":
    """Settings and rows, nothing materialized yet."""
    from mlops_tests.assets.lab import Lab, make_rows, make_settings

    found = Lab(tmp_path)
    found.write(make_rows(), make_settings())
    with found.instance:
        yield found
