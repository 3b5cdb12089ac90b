"""Folders that are made once for all processes of a run of the tests."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = "MLOPS_TESTS_SHARED"
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4_000_000_000


def make_root() -> None:
    """A folder for those folders, unless whoever started this process has made it.

    It lies in memory where there is enough, as do all temporary folders from then on: what tests
    write are small files, and many.
    """
    if ROOT in os.environ:
        return
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)
    os.environ[ROOT] = tempfile.mkdtemp(prefix="mlops-assets-shared-")


def remove_root() -> None:
    shutil.rmtree(os.environ[ROOT], ignore_errors=True)


def shared_folder(name: str, build: Callable[[Path], None]) -> Path:
    """The folder of a name that `build` fills the first time it is asked for; to be copied.

    Whoever asks while another process builds waits for it. A build that fails leaves nothing.
    """
    root = Path(os.environ[ROOT])
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / f"{name}.built").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            (root / f"{name}.built").touch()
    return folder
