"""The web UI and the daemon end with the command that serves them, however that ends."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from mlops_tests.servers import wait_for

SECONDS = 30

WEB = textwrap.dedent(
    """
    import os, sys, time, types
    from mlops_assets.cli import webserver

    def dev_command(*_, **__):
        print(os.getpid(), flush=True)
        time.sleep(600)

    sys.modules["dagster._cli.dev"] = types.SimpleNamespace(
        open_ipc_subprocess=None, dev_command=dev_command
    )
    webserver.serve_all()
    """
)
COMMAND = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WEB!r}])"


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.long
def test_what_is_served_ends_when_the_command_is_killed() -> None:
    told = {signal.SIGTERM, signal.SIGINT}
    before = {number: signal.getsignal(number) for number in told}
    for number in told:
        signal.signal(number, signal.SIG_DFL)  # a process is born with what its parent ignores
    try:
        command = subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert command.stdout is not None
    with command.stdout as said:
        web = int(said.readline())
    assert is_there(web)
    command.kill()
    command.wait(SECONDS)
    try:
        wait_for(lambda: not is_there(web), SECONDS, "the web UI to end")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(web, signal.SIGKILL)
