"""What was written last of each file of a local folder, so that an older one put back is noticed.

Beside the files of a dataset lies one hidden log a month, to which each write adds a line: the file
first, then its line. So a file that no line knows is one whose write was killed in between, whole
by its own seal; one that an older line knows was put back. One that is not there, though its last
line tells of no removal, is lost.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlops_assets.resources.layout import WRITTEN, log_of

REMOVED = "removed"
"""In place of a seal, where a file was removed by its store."""


class Written:
    """The logs of a storage; what was read of one is kept until it grows."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], dict[str, list[str]]]] = {}

    @contextmanager
    def added(self, file: str, seal: str) -> Iterator[None]:
        """Record what is put into its place meanwhile; one writer of the folder after another."""
        log, name = _log(file)
        with open(log, "ab") as lines:
            with suppress(
                OSError
            ):  # of a place without locks, where two at once are not told apart
                fcntl.flock(lines, fcntl.LOCK_EX)
            yield
            line = f"{name} {seal}"
            lines.write(f"{line} {_sum(line)}\n".encode())

    def seals(self, file: str) -> list[str]:
        """The seals with which a file was written, in this order."""
        log, name = _log(file)
        return self._read(log).get(name, [])

    def _read(self, log: str) -> dict[str, list[str]]:
        try:
            now = os.stat(log)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        state = now.st_ino, now.st_size
        if log not in self._known or self._known[log][0] != state:
            self._known[log] = state, _read(log)
        return self._known[log][1]

    def names(self, folder: str) -> set[str]:
        """What a folder was written into, and not removed by its store."""
        with suppress(FileNotFoundError, NotADirectoryError):
            logs = [name for name in os.listdir(folder) if name.endswith(WRITTEN)]
            months = [self._read(f"{folder}/{log}") for log in logs]
            return {n for told in months for n, seals in told.items() if seals[-1] != REMOVED}
        return set()


def _log(file: str) -> tuple[str, str]:
    """The log that a file is told of in, and by which name."""
    folder, _, name = file.rpartition("/")
    return f"{folder}/{log_of(name)}", name


def _read(log: str) -> dict[str, list[str]]:
    """The seals of each file by name; lines that are damaged, or not whole yet, count for none."""
    seals: dict[str, list[str]] = {}
    for line in Path(log).read_text(encoding="utf-8", errors="replace").splitlines():
        told, _, checksum = line.rpartition(" ")
        if checksum == _sum(told):
            name, _, seal = told.partition(" ")
            seals.setdefault(name, []).append(seal)
    return seals


def _sum(line: str) -> str:
    return f"{zlib.crc32(line.encode()):08x}"
