"""Copies all that is stored, and what the instance recorded, to another place and back."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from mlops_assets.lazy import fsspec
from mlops_assets.project.folders import instance_folder, storage_root
from mlops_assets.resources.layout import WRITTEN
from mlops_assets.resources.storage import is_temporary

STORED, RECORDED = "storage", "instance"  # as they are called in a backup
DATABASE, BESIDE = ".db", (".db-wal", ".db-shm")
EVERY = 1000  # files, after which it is told how many there are so far


class Place:
    """A folder, here or behind an fsspec URL."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.filesystem, self.folder = fsspec.core.url_to_fs(self.root)

    def files(self) -> list[str]:
        """The paths of all files in it, hidden ones as well, sorted."""
        self.filesystem.invalidate_cache()
        found = self.filesystem.find(self.folder, withdirs=False)
        return sorted(path[len(self.folder) :].lstrip("/") for path in found)

    def read(self, path: str) -> bytes:
        data: bytes = self.filesystem.cat_file(f"{self.folder}/{path}")
        return data

    def write(self, path: str, data: bytes) -> None:
        file = f"{self.folder}/{path}"
        self.filesystem.makedirs(file.rpartition("/")[0], exist_ok=True)
        self.filesystem.pipe_file(file, data)


def backup(to: str) -> None:
    """Copy what is stored and recorded into an empty place, while the project is in use as well.

    ClickException where the place is not empty.
    """
    target = Place(to)
    _refuse_files(target, "name an empty folder, such as one of this day")
    stored = Place(storage_root())
    told = _copy(stored, Place(f"{to}/{STORED}"), _in_order(stored), stored.read)
    recorded = Place(str(instance_folder()))
    names = [name for name in recorded.files() if not name.endswith(BESIDE)]
    told += _copy(recorded, Place(f"{to}/{RECORDED}"), iter(names), _whole(recorded))
    click.echo(f"{told:,} files under {target.root}")


def restore(source: str) -> None:
    """Copy a backup back to where things are stored and recorded, which has to be empty.

    ClickException where it is not, or there is no backup.
    """
    kept = Place(f"{source}/{STORED}")
    names = kept.files()
    if not names:
        raise click.ClickException(f"{source} holds no backup: there is nothing in {STORED}/")
    stored, recorded = Place(storage_root()), Place(str(instance_folder()))
    _refuse_files(stored, "move it away first, or name another place by MLOPS_ROOT")
    if any(name.endswith(DATABASE) for name in recorded.files()):
        raise click.ClickException(
            f"{recorded.root} holds runs; move it away first, or name another one by DAGSTER_HOME"
        )
    # of a restore that is interrupted, what says what there is comes last
    told = _copy(kept, stored, iter(sorted(names, key=_is_log)), kept.read)
    events = Place(f"{source}/{RECORDED}")
    told += _copy(events, recorded, iter(events.files()), events.read)
    click.echo(f"{told:,} files; `mlops-assets check --stored` looks at them")


def _in_order(stored: Place) -> Iterator[str]:
    """The files of a storage: first the logs that tell what was written.

    A file may be newer than its log, as one is whose write was killed; the other way round it would
    be taken for an older one that was put back.
    """
    yield from (name for name in stored.files() if _is_log(name))
    yield from (name for name in stored.files() if not _is_log(name) and not is_temporary(name))


def _is_log(name: str) -> bool:
    return name.endswith(WRITTEN)


def _whole(place: Place) -> Callable[[str], bytes]:
    """Reads files of an instance: of a database that is in use, as it is at one moment."""

    def read(path: str) -> bytes:
        if not path.endswith(DATABASE):
            return place.read(path)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "copy.db")
            with (
                closing(sqlite3.connect(f"{place.folder}/{path}")) as used,
                closing(sqlite3.connect(copy)) as new,
            ):
                used.backup(new)
            return copy.read_bytes()

    return read


def _copy(source: Place, target: Place, names: Iterator[str], read: Callable[[str], bytes]) -> int:
    """Copy files; how many there were. What was removed meanwhile is left out."""
    count = 0
    for name in names:
        try:
            data = read(name)
        except FileNotFoundError:
            continue
        target.write(name, data)
        count += 1
        if count % EVERY == 0:
            click.echo(f"{count:,} files of {source.root}", err=True)
    return count


def _refuse_files(place: Place, remedy: str) -> None:
    if place.files():
        raise click.ClickException(f"{place.root} is not empty; {remedy}")
