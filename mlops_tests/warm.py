"""Command lines that start at once: those of `dagster`, `dg`, `mlops-assets` and `python`.

A process of either spends most of its time on importing what it hardly uses. Here one process has
imported everything but a project's settings, and every command is a fork of it with the
arguments, environment, folder and streams of whoever asked: `python -m mlops_tests.warm SOCKET`.
"""

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

SCRIPTS = ("dagster", "dg", "mlops-assets")
START_SECONDS = 120
STREAMS = 3
LONGEST_REQUEST = 1_000_000

# Asks the warm process to run a command; needs nothing but the standard library.
CLIENT = """
import json, os, socket, sys
path, *argv = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(path)
    request = {"argv": argv, "cwd": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(asked, [b"x"], [0, 1, 2])
    asked.sendall(json.dumps(request).encode())
    asked.shutdown(socket.SHUT_WR)
    code = asked.recv(16)
sys.exit(int(code or 1))
"""


@contextlib.contextmanager
def warm_commands(folder: Path) -> Iterator[str]:
    """Lines for the head of a bash script, after which these commands start at once."""
    path, client = folder / "warm", folder / "client.py"
    client.write_text(CLIENT)
    process = subprocess.Popen([sys.executable, "-m", "mlops_tests.warm", str(path)])
    try:
        deadline = time.monotonic() + START_SECONDS
        while not path.exists():
            assert process.poll() is None, "the warm process ended"
            assert time.monotonic() < deadline, "the warm process does not start"
            time.sleep(0.1)
        yield "\n".join(
            f'{name}() {{ {sys.executable} -S -E {client} {path} {name} "$@"; }}'
            for name in (*SCRIPTS, "python")
        )
    finally:
        process.kill()
        process.wait()


def serve(path: str) -> None:
    """Run every command that is asked for on a socket, until this process is killed."""
    commands = {
        name: entry.load()
        for name in SCRIPTS
        for entry in entry_points(group="console_scripts", name=name)
    }
    commands["python"] = run_python
    import_what_commands_use()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{path}.new")
        listening.listen()
        os.rename(f"{path}.new", path)
        while True:
            connection, _ = listening.accept()
            if not os.fork():
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _run(connection, commands)
            connection.close()


def _run(connection: socket.socket, commands: dict[str, object]) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, STREAMS)
    parts = iter(lambda: connection.recv(LONGEST_REQUEST), b"")
    request = json.loads(b"".join(parts))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["argv"]
    code = 1
    try:
        sys.exit(commands[sys.argv[0]]())  # type: ignore[operator]
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(code).encode())
        os._exit(code)


def run_python() -> None:
    """What `python -c` and `python -m` do with the rest of the command line."""
    _, option, what, *arguments = sys.argv
    sys.path.insert(0, os.getcwd())
    sys.argv = [option, *arguments]
    if option == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        assert option == "-c", option
        exec(what, {"__name__": "__main__"})


def import_what_commands_use() -> None:
    """Import all that most commands and runs do, so that forks of this process have it."""
    import importlib

    for name in ("pandas", "plotly.graph_objects", "pyarrow.parquet", "scipy.stats", "skops.io"):
        importlib.import_module(name)
    for name in ("sklearn.ensemble", "sklearn.linear_model", "sklearn.inspection"):
        importlib.import_module(name)
    importlib.import_module("mlops_assets.definitions")


if __name__ == "__main__":
    serve(sys.argv[1])
