"""A process is told from a later one of its number, and from those of other hosts."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.resources import processes
from mlops_assets.resources.processes import is_gone, started, this_process

HOST = this_process().split(" ")[0]


@pytest.fixture(params=["as here", "by ps"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system as it is, and one without /proc."""
    if request.param == "by ps":
        if shutil.which("ps") is None:
            pytest.skip("there is no ps")
        monkeypatch.setattr(processes, "BOOT", Path("/there/is/none"))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.usefixtures("system")
def test_a_process_is_gone_once_it_is_killed(child: subprocess.Popen[bytes]) -> None:
    described = f"{HOST} {child.pid} {started(child.pid)}"
    assert not is_gone(described)
    child.kill()
    time.sleep(0.2)
    assert is_gone(described), "though nobody has asked for its exit code yet"
    child.wait()
    assert is_gone(described)


@pytest.mark.usefixtures("system")
def test_another_process_of_the_same_number_is_another_one() -> None:
    assert is_gone(f"{HOST} {os.getpid()} of_another_time")


def test_this_process_lives_and_a_fork_of_it_is_another() -> None:
    assert not is_gone(this_process())
    read, write = os.pipe()
    if not (pid := os.fork()):
        os.write(write, this_process().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1000).decode().split(" ")[:2] == [HOST, str(pid)]


@pytest.mark.parametrize("process", ["elsewhere 1 x", f"{HOST}", f"{HOST} one x", ""])
def test_what_is_of_another_host_or_no_process_is_not_judged(process: str) -> None:
    assert not is_gone(process)


def test_where_the_system_does_not_say_nothing_is_taken_for_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "BOOT", Path("/there/is/none"))
    monkeypatch.setenv("PATH", "")
    assert started(os.getpid()) == "unknown"
    assert not is_gone(f"{HOST} {os.getpid()} 12345")
