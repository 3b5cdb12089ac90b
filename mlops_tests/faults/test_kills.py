"""A run that is killed at any moment leaves nothing torn, and the same again makes the rest."""

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.resources.stored_files import State, StoredFiles
from mlops_tests.assets.lab import Lab

pytestmark = pytest.mark.long
KILLS = max(3, int(os.environ.get("MLOPS_FAULTS", "10")) * 200 // 1500)  # 200 in the long form
DAYS = "2026-03-02", "2026-03-05"
DATASETS = ["observations", "features", "validation/linear", "leaderboard", "champion"]
ASSETS = "observations features validation/linear validation/seasonal_naive leaderboard champion"
SECONDS = 120.0


def evaluate(folder: Path) -> None:
    lab = Lab(folder)
    with lab.instance:
        assert lab.run(ASSETS, *DAYS).success


def train(folder: Path) -> None:
    lab = Lab(folder)
    with lab.instance:
        assert lab.run("models/linear", "2026-03-01").success


def in_fork(work: Callable[[Path], None], folder: Path, kill_after: float = SECONDS) -> float:
    """How long some work took in a process of its own, which kill -9 ends after so many seconds."""
    started = time.monotonic()
    if not (pid := os.fork()):
        code = 1
        try:
            work(folder)
            code = 0
        finally:
            os._exit(code)
    killer = threading.Timer(kill_after, os.kill, (pid, signal.SIGKILL))
    killer.start()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it keeps its number until it is waited for
    killer.cancel()
    killer.join()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == 0 or (code == -signal.SIGKILL and kill_after < SECONDS), code
    return time.monotonic() - started


def stored(folder: Path) -> dict[str, pd.DataFrame]:
    datasets = Lab(folder).datasets
    return {name: datasets.read(name, datasets.keys(name)) for name in DATASETS}


def wrong(folder: Path) -> list[str]:
    lab = Lab(folder)
    found = StoredFiles(lab.storage, lab.project).findings()
    return [one.text for one in found if one.state is not State.LEFT_OVER]


@pytest.mark.parametrize("work", [evaluate, train])
def test_killed_at_any_moment(
    trained_folder: Path, tmp_path: Path, work: Callable[[Path], None]
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(trained_folder, whole)
    took = in_fork(work, whole)
    expected = stored(whole)
    chance = random.Random(7)
    for number in range(KILLS):
        folder = tmp_path / str(number)
        shutil.copytree(trained_folder, folder)
        in_fork(work, folder, chance.uniform(0.05, 1) * took)
        assert wrong(folder) == []
        in_fork(work, folder)
        assert wrong(folder) == []
        for name, frame in stored(folder).items():
            told = ["version", "previous_version"]  # names that hold the time of a training
            pd.testing.assert_frame_equal(
                frame.drop(columns=told, errors="ignore"),
                expected[name].drop(columns=told, errors="ignore"),
                obj=name,
            )
        shutil.rmtree(folder)
