"""Copies all that is stored, and what the instance recorded, to another place and back."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import click

from mlops_assets.lazy import fsspec
from mlops_assets.project.folders import instance_folder, storage_root
from mlops_assets.resources.layout import RESTORING, WRITTEN
from mlops_assets.resources.storage import is_temporary

STORED, RECORDED = "storage", "instance"  # as they are called in a backup
LIST = "backup.sha256"  # what belongs to a backup, as `sha256sum --check` reads it; written last
COPYING = "backup_under_way.txt"
DATABASE, BESIDE = ".db", (".db-wal", ".db-shm")
EVERY = 1000  # files, after which it is told how many there are so far


class Place:
    """A folder, here or behind an fsspec URL."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.filesystem, self.folder = fsspec.core.url_to_fs(self.root)

    def files(self) -> list[str]:
        """The paths of all files in it, hidden ones as well, sorted; no links, no devices."""
        self.filesystem.invalidate_cache()
        found = self.filesystem.find(self.folder, withdirs=False, detail=True).items()
        plain = [path for path, about in found if about["type"] == "file"]
        return sorted(path[len(self.folder) :].lstrip("/") for path in plain)

    def read(self, path: str) -> bytes:
        data: bytes = self.filesystem.cat_file(f"{self.folder}/{path}")
        return data

    def write(self, path: str, data: bytes) -> None:
        file = f"{self.folder}/{path}"
        self.filesystem.makedirs(file.rpartition("/")[0], exist_ok=True)
        self.filesystem.pipe_file(file, data)

    def remove(self, path: str) -> None:
        self.filesystem.rm_file(f"{self.folder}/{path}")


def backup(to: str) -> None:
    """Copy what is stored and recorded into an empty place, while the project is in use as well.

    One that was interrupted is made anew. ClickException where the place is not empty.
    """
    target, stored = Place(to), Place(storage_root())
    recorded = Place(str(instance_folder()))
    for used in (stored, recorded):
        if f"{target.folder}/".startswith(f"{used.folder}/"):
            raise click.ClickException(f"{target.root} lies in {used.root}, of which it is a copy")
    there = target.files()
    if there and (LIST in there or COPYING not in there):
        raise click.ClickException(
            f"{target.root} is not empty; name an empty folder, such as one of this day"
        )
    target.write(COPYING, b"")
    copied = _copy(stored, _in_order(stored), stored.read, target, f"{STORED}/")
    names = [name for name in recorded.files() if not name.endswith(BESIDE)]
    copied |= _copy(recorded, names, _whole(recorded), target, f"{RECORDED}/")
    told = "".join(f"{digest}  {path}\n" for path, digest in copied.items())
    target.write(LIST, told.encode())
    target.remove(COPYING)
    click.echo(f"{len(copied):,} files under {target.root}")


def restore(source: str) -> None:
    """Copy a backup back to where things are stored and recorded, which has to be empty.

    The same again completes one that was interrupted, before which nothing is read of what it has
    brought. ClickException where the place is not empty, or there is no whole backup; and, once all
    else is restored, where files of it are damaged.
    """
    kept = Place(source)
    listed = _listed(kept)
    stored, recorded = Place(storage_root()), Place(str(instance_folder()))
    there = stored.files()
    if RESTORING in there:
        begun = stored.read(RESTORING).decode(errors="replace").strip()
        if begun != kept.root:
            raise click.ClickException(
                f"{stored.root} holds a part of {begun}: run `mlops-assets restore --from {begun}` "
                "again, or move it away"
            )
    elif there:
        raise click.ClickException(
            f"{stored.root} is not empty; move it away first, or name another place by MLOPS_ROOT"
        )
    elif any(name.endswith(DATABASE) for name in recorded.files()):
        raise click.ClickException(
            f"{recorded.root} holds runs; move it away first, or name another one by DAGSTER_HOME"
        )
    parts = [path.split("/") for path in listed]
    projects = {part[1] for part in parts if part[0] == STORED and part[2:3] == ["datasets"]}
    marks = [RESTORING, *(f"{name}/{RESTORING}" for name in projects)]
    for mark in marks:  # each of several projects is read by itself as well
        stored.write(mark, f"{kept.root}\n".encode())
    damaged = _put_back(kept, listed, {STORED: stored, RECORDED: recorded})
    for mark in reversed(marks):
        stored.remove(mark)
    click.echo(f"{len(listed):,} files; `mlops-assets check --stored` looks at them")
    if damaged:
        raise click.ClickException(
            f"{len(damaged)} of them are not as they were backed up, such as {kept.root}/"
            f"{damaged[0]}: restore another backup elsewhere, or do what `mlops-assets check "
            "--stored` and, of runs, `mlops-assets rebuild-instance` say"
        )


def _put_back(kept: Place, listed: dict[str, str], to: dict[str, Place]) -> list[str]:
    """Copy what is listed; which of it is damaged or gone.

    What is damaged of what is stored comes along, to be named by whoever reads it. Of an instance
    nothing does.
    """
    damaged = []
    there = set(kept.files())
    for count, (path, digest) in enumerate(listed.items(), 1):
        first, _, rest = path.partition("/")
        data = kept.read(path) if path in there else None
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            damaged.append(path)
        if data is not None and (first == STORED or path not in damaged[-1:]):
            to[first].write(rest, data)
        _tell(count, kept)
    return damaged


def _listed(kept: Place) -> dict[str, str]:
    """The digests of what belongs to a backup, by path. ClickException where it is not whole."""
    try:
        lines = kept.read(LIST).decode().removesuffix("\n").split("\n")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise click.ClickException(
            f"{kept.root} holds no backup that is whole: its list {LIST}, which is written last, "
            "is not there or damaged; name another one"
        ) from error
    listed = {path: digest for digest, _, path in (line.partition("  ") for line in lines)}
    folders = {path[:end] for path in listed for end, sign in enumerate(path) if sign == "/"}
    for path in listed:
        first, *rest = path.split("/")
        odd = not rest or {"", ".", ".."} & {*rest} or "\0" in path or path in folders
        if odd or first not in (STORED, RECORDED):
            raise click.ClickException(
                f"{kept.root}/{LIST} names {path!r}, which no backup holds; nothing was restored"
            )
    return listed


def _in_order(stored: Place) -> list[str]:
    """The files of a storage: first the logs that tell what was written.

    A file may be newer than its log, as one is whose write was killed; the other way round it would
    be taken for an older one that was put back.
    """
    logs = [name for name in stored.files() if name.endswith(WRITTEN)]
    others = [name for name in stored.files() if not name.endswith(WRITTEN)]
    return logs + [name for name in others if not is_temporary(name)]


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


def _copy(
    source: Place, names: Iterable[str], read: Callable[[str], bytes], target: Place, under: str
) -> dict[str, str]:
    """Copy files; the digest of each. What was removed meanwhile is left out."""
    digests = {}
    for name in names:
        try:
            data = read(name)
        except FileNotFoundError:
            continue
        target.write(under + name, data)
        digests[under + name] = hashlib.sha256(data).hexdigest()
        _tell(len(digests), source)
    return digests


def _tell(count: int, source: Place) -> None:
    if count % EVERY == 0:
        click.echo(f"{count:,} files of {source.root}", err=True)
