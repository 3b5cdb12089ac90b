"""What all tests share."""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from dagster._core.storage import event_log, runs
from hypothesis import settings

from mlops_tests import clock
from mlops_tests.in_memory import RunsInMemory, TogetherInMemory
from mlops_tests.shared import make_root, remove_root, shared_folder

if TYPE_CHECKING:
    from mlops_tests.assets.lab import Lab

clock.fix_today()
make_root()
gc.set_threshold(50_000, 20, 50)  # most of what is made lives as long as its test
# As many tests at once as there are processors: threads that wait for one another cost them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long a case takes says nothing where other work goes on beside it.
settings.register_profile("beside other work", deadline=None)
settings.load_profile("beside other work")

# The commands of the documentation are found by name, whether or not the environment is activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# Loading the definitions touches the storage: never the developer's own.
os.environ["MLOPS_ROOT"] = tempfile.mkdtemp(prefix="mlops-assets-tests-")
os.environ.pop("MLOPS_PROJECT", None)

# Nothing is timed in a test, on a machine that does other things besides.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# As the command sets it.
os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")


# Each of these takes longer than all that is left to the other processes when they begin last.
LONGEST = [
    *("test_life_of_a_model", "test_browser", "test_bad_morning", "test_readme", "test_spine"),
    "test_examples",
    *("test_continued_history", "test_several_projects", "test_your_data_page", "test_manage"),
    *("test_secrets", "test_lost_processes", "test_corrections", "test_adversary", "test_ranges"),
    *("test_killed_decisions", "test_history", "test_upkeep"),
]


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Marks the tests of modules that know the lab, as they run assets; begins with the longest."""
    for item in items:
        if "Lab" in vars(item.module):
            item.add_marker(pytest.mark.lab)
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session", autouse=True)
def instances_in_memory_are_quick() -> Iterator[None]:
    """Dagster makes each by itself, and stores in them each event by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "InMemoryRunStorage", RunsInMemory)
        patch.setattr(event_log, "InMemoryEventLogStorage", TogetherInMemory)
        yield


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(os.environ["MLOPS_ROOT"], ignore_errors=True)
    if not hasattr(config, "workerinput"):  # the workers have ended
        remove_root()


@pytest.fixture(scope="module")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project whose history is built, for the tests of one module."""
    from mlops_tests.small import build_small_history

    folder = tmp_path_factory.mktemp("copy")
    built = shared_folder("small", build_small_history)
    shutil.copytree(built, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def trained_folder() -> Path:
    """A folder whose observations, features, training sets and models are there, to be copied."""
    from mlops_tests.assets.lab import train

    return shared_folder("trained", train)


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
