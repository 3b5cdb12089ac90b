"""What all tests share."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from mlops_tests import clock

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
