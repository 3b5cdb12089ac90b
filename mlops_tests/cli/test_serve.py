"""Serving refuses a port that is taken, before it starts anything."""

import io
import signal
import socket
import subprocess
import sys

import pytest

from mlops_assets.cli import serve
from mlops_assets.cli.serve import pass_on, port_is_free
from mlops_tests.commands import command

HOST = "127.0.0.1"


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("name", ["run", "serve"])
def test_a_taken_port_is_named_with_another_to_choose(
    name: str, offset: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        busy = taken.getsockname()[1]
        port = busy - offset
        if offset and not port_is_free(HOST, port):
            pytest.skip("the port before it is taken as well")
        assert command(name, "--port", port) == 1
        said = capsys.readouterr().err
        assert f"Port {busy} of {HOST} is taken" in said
        assert f"make run PORT={port + 10}" in said


@pytest.mark.parametrize("deaf", [False, True])
def test_what_was_stopped_as_asked_for_is_no_failure(
    deaf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends by itself, by the first signal or by the second one."""
    monkeypatch.setattr(serve, "CTRL_C_SECONDS", 0.1)
    monkeypatch.setattr(serve, "STOP_SECONDS", 2)
    setting = f"signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN); " if deaf else ""
    code = f"import signal, time; {setting}print(flush=True); time.sleep(1 if {deaf} else 60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as web:
        assert web.stdout is not None
        web.stdout.readline()
        assert serve.stopped(web) == 0
    assert web.returncode == (0 if deaf else -signal.SIGTERM)


def test_the_terminal_is_spared_what_is_said_while_nothing_is_wrong() -> None:
    head = b"2026-11-27 06:42:20 +0000 - dagster"
    wrong = [
        head + b" - WARNING - evaluate_job - 1 - models__linear - it is not accepted\n",
        head + b" - ERROR - evaluate_job - 1 - models__linear - STEP_FAILURE - it failed\n",
        b"  INFO of a traceback\n",
    ]
    fine = [
        head + b" - INFO - evaluate_job - 1 - leaderboard - leaderboard 2026-11-26: stored\n",
        head + b".daemon.SensorDaemon - INFO - Checking\n",
        b"\x1b[32m2026-11-27 06:42:20 +0000\x1b[0m - dagster - \x1b[34mDEBUG\x1b[0m - Started\n",
        b"Aborted!\n",
    ]
    terminal = io.BytesIO()
    pass_on([fine[0], wrong[0], *fine[1:3], *wrong[1:], fine[3]], terminal)
    assert terminal.getvalue() == b"".join(wrong)
