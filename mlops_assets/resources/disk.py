"""Why a disk takes nothing more, in words: it is full, read-only, or of somebody else."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from contextlib import suppress
from pathlib import Path

from mlops_assets.lazy import sa
from mlops_assets.project.folders import instance_folder
from mlops_assets.resources.processes import account

FULL = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY = {errno.EROFS}
FORBIDDEN = {errno.EACCES, errno.EPERM}
TOO_LARGE = {errno.EFBIG}
WRITING = "disk I/O error"
# What SQLite says, whose errors have no number here.
SQLITE = {
    "database or disk is full": errno.ENOSPC,
    "attempt to write a readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
    WRITING: errno.ENOSPC,
}
ENOUGH = 50_000_000  # bytes with which a disk is not full
PAGE = 65_536  # bytes, the largest of SQLite
GOES_ON = "What is missing is then made by itself, or by the same command again."


def why_of(error: Exception) -> str | None:
    """What an error says of a disk that takes nothing more; None where it is another one.

    SQLite's are of the instance.
    """
    if isinstance(error, OSError):
        folder = Path(error.filename).parent if error.filename else instance_folder()
        return why_not_written(error.errno, folder)
    recorded = isinstance(error, sa.exc.OperationalError)
    return why_not_recorded(str(error), instance_folder()) if recorded else None


def why_not_written(number: int | None, folder: Path, needed: int = 0) -> str | None:
    """What an error of a write in a folder says, and what to do; None where it is another one.

    `number` is that of the error, `needed` how many bytes were to be written.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if number in FULL:
        wants = f", {needed:,} bytes are needed for this file alone" if needed else ""
        return (
            f"the disk is full: {_free(folder)} are free in {folder}{wants}. Make room. {GOES_ON}"
        )
    if number in READ_ONLY:
        return f"{folder} is read-only. Mount it for writing. {GOES_ON}"
    if number in FORBIDDEN:
        return (
            f"no permission to write in {folder} for the account {account()}. Give it that. "
            f"{GOES_ON}"
        )
    if number in TOO_LARGE:
        return (
            f"no file in {folder} may be larger than {_limit():,} bytes: the account {account()} "
            f"is held to that (ulimit -f). Raise it. {GOES_ON}"
        )
    return None


def why_not_recorded(said: str, folder: Path) -> str | None:
    """The same of the instance's folder, from what SQLite says."""
    for words, number in SQLITE.items():
        if words in said:
            if words == WRITING and any(map(_is_as_large_as_may_be, folder.rglob("*.db*"))):
                return why_not_written(errno.EFBIG, folder)
            full = number in FULL and shutil.disk_usage(folder).free > ENOUGH
            return None if full else why_not_written(_of(number, folder), folder)
    return None


def _of(number: int, folder: Path) -> int:
    """That of a file which cannot be opened: the folder may be full or read-only."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return errno.EROFS
    return errno.ENOSPC if shutil.disk_usage(folder).free == 0 else number


def _limit() -> int:
    """How many bytes a file of this process may have; -1 without a limit."""
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0]


def _is_as_large_as_may_be(file: Path) -> bool:
    """Whether a file of SQLite, which writes pages, is within one of the limit."""
    limit = _limit()
    with suppress(FileNotFoundError):
        return limit != resource.RLIM_INFINITY and file.stat().st_size > limit - PAGE
    return False


def _free(folder: Path) -> str:
    room = os.statvfs(folder)
    no_names = room.f_files > 0 and room.f_favail == 0
    return "no more files" if no_names else f"{room.f_bavail * room.f_frsize:,} bytes"
