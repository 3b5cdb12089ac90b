"""Work in a child process that is killed at one of its writes, as by kill -9."""

import gc
import os
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any

from mlops_assets.cli.backup import Place
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.warm import import_what_commands_use

CHILD_SECONDS = 120
KILLED = 77


def in_child(work: Callable[[], None], kill_at: int | None = None) -> int:
    """The exit code of a fork that does some work: 0, or 77 where it was killed.

    Killed before the write of that number, the first being 0: `os._exit` runs no `finally`.
    """
    import_what_commands_use()  # here, as otherwise by each child
    if not (pid := os.fork()):
        code = 1
        gc.freeze()  # what it begins with is no garbage to look for
        try:
            if kill_at is not None:
                _kill_before(kill_at)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    deadline = time.monotonic() + CHILD_SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"a child was not done within {CHILD_SECONDS} s")


def writes_of(work: Callable[[], None]) -> list[str]:
    """What some work in a child writes and deletes, by path and in order."""
    read, write = os.pipe()

    def counted() -> None:
        _before_each(lambda path: os.write(write, f"{path}\n".encode()))
        work()

    assert in_child(counted) == 0
    os.close(write)
    with os.fdopen(read) as told:  # fewer than the 64 KiB that a pipe holds
        return told.read().split()


def _kill_before(number: int) -> None:
    left = [number]

    def count(_: str) -> None:
        if left[0] == 0:
            os._exit(KILLED)
        left[0] -= 1

    _before_each(count)


def _before_each(look: Callable[[str], Any]) -> None:
    written: list[tuple[type, str]] = [(Place, "write"), (Place, "remove")]
    for kind, name in [*written, *((LocalStorage, n) for n in ("write", "create", "delete"))]:
        original = getattr(kind, name)

        def looked(
            self: Any, path: str, *data: bytes, original: Callable[..., Any] = original
        ) -> Any:
            look(path)
            return original(self, path, *data)

        setattr(kind, name, looked)
