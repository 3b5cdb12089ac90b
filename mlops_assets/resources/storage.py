"""One root under which everything is stored: a local folder or any fsspec URL."""

from __future__ import annotations

import functools
import os
import re
import shutil
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import ParamSpec, Protocol, cast

from mlops_assets.lazy import fsspec
from mlops_assets.project import Project
from mlops_assets.project.folders import storage_root
from mlops_assets.resources.disk import why_not_written

P = ParamSpec("P")
SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


class StorageError(RuntimeError):
    """Something stored is damaged, foreign or missing; the message names it and the remedy."""


class Storage(Protocol):
    """Files by relative path; a write is seen whole or not at all."""

    root: str
    project: str
    """The name of the project that it holds; empty unless that is one of several."""

    def read(self, path: str) -> bytes:
        """The bytes of a file. FileNotFoundError where there is none."""

    def write(self, path: str, data: bytes) -> None:
        """Replace or create a file: a reader sees the old bytes or the new ones, never a part."""

    def create(self, path: str, data: bytes) -> None:
        """Write a file that is not there yet, whole. FileExistsError where there is one."""

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all that it holds; nothing happens where there is none."""

    def exists(self, path: str) -> bool: ...

    def names(self, folder: str) -> list[str]:
        """The sorted names in a folder, empty where there is none; temporary ones left out."""

    def url(self, path: str) -> str:
        """Where a person finds the file."""


def checked(path: str) -> str:
    """The path, when each part is a plain name; ValueError when it could leave the root."""
    for part in path.split("/"):
        if not SAFE_PART.fullmatch(part):
            raise ValueError(f"{part!r} in the path {path!r} is no plain file name")
    return path


class DiskError(StorageError):
    """A disk takes nothing more; the message says which one, why and what to do."""


def saying_why(put: Callable[P, None]) -> Callable[P, None]:
    """A write of `(storage, path, data, ...)` that says in words why a disk takes nothing more."""

    @functools.wraps(put)
    def written(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            put(*args, **kwargs)
        except OSError as error:
            storage, path, data, *_ = cast(tuple[Storage, str, bytes], args)
            why = why_not_written(error.errno, Path(storage.url(path)).parent, len(data))
            if why is None:
                raise
            raise DiskError(why) from error

    return written


class LocalStorage:
    """A folder on this machine."""

    def __init__(self, root: str, project: str = "") -> None:
        self.project = project
        self.root = str(Path(root).expanduser().absolute())

    def _file(self, path: str) -> Path:
        return Path(self.root, checked(path))

    def read(self, path: str) -> bytes:
        return self._file(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        self._put(path, data, os.replace)

    def create(self, path: str, data: bytes) -> None:
        self._put(path, data, os.link)  # which refuses to replace a file

    @saying_why
    def _put(self, path: str, data: bytes, into_place: Callable[[Path, Path], None]) -> None:
        file = self._file(path)
        temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        try:
            handle = temporary.open("wb")
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = temporary.open("wb")
        try:
            with handle:
                handle.write(data)
            into_place(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)

    def delete(self, path: str) -> None:
        file = self._file(path)
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)

    def exists(self, path: str) -> bool:
        return self._file(path).exists()

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(n for n in os.listdir(self._file(folder)) if not n.startswith("."))
        except FileNotFoundError:
            return []

    def url(self, path: str) -> str:
        return str(self._file(path))


class RemoteStorage:
    """Any place that fsspec reaches, by URL."""

    def __init__(self, root: str, project: str = "") -> None:
        self.project = project
        self.root = root.rstrip("/")

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, folder = fsspec.core.url_to_fs(self.root)
        return filesystem, folder

    def _file(self, path: str) -> str:
        return f"{self._place[1]}/{checked(path)}"

    def read(self, path: str) -> bytes:
        data: bytes = self._place[0].cat_file(self._file(path))
        return data

    def write(self, path: str, data: bytes) -> None:
        filesystem, file = self._place[0], self._file(path)
        folder, name = file.rsplit("/", 1)
        temporary = f"{folder}/.{name}.{uuid.uuid4().hex}"
        filesystem.makedirs(folder, exist_ok=True)
        filesystem.pipe_file(temporary, data)
        filesystem.mv(temporary, file)

    def create(self, path: str, data: bytes) -> None:
        # Of two who create the same file at once, a remote place may let the later one win.
        if self.exists(path):
            raise FileExistsError(self.url(path))
        self.write(path, data)

    def delete(self, path: str) -> None:
        if self.exists(path):
            self._place[0].rm(self._file(path), recursive=True)

    def exists(self, path: str) -> bool:
        return bool(self._place[0].exists(self._file(path)))

    def names(self, folder: str) -> list[str]:
        filesystem = self._place[0]
        filesystem.invalidate_cache()
        try:
            found = filesystem.ls(self._file(folder), detail=False)
        except FileNotFoundError:
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in found)
        return sorted(name for name in names if not name.startswith("."))

    def url(self, path: str) -> str:
        return f"{self.root}/{checked(path)}"


def make_storage(root: str, project: str = "") -> Storage:
    """The storage behind a folder or URL; `project` is the name of one of several."""
    return RemoteStorage(root, project) if "://" in root else LocalStorage(root, project)


def project_storage(project: Project) -> Storage:
    """Where a project is stored: the storage root, or the folder of its name under it."""
    return named_storage(project.prefix)


def named_storage(name: str) -> Storage:
    """The storage of a project of the workspace; without a name that of the project alone."""
    root = storage_root()
    return make_storage(f"{root.rstrip('/')}/{name}" if name else root, name)


def materialize_command(storage: Storage, asset: str, partition: str) -> str:
    """The command that makes a partition of an asset again."""
    target, prefix = (
        (f" -a {storage.project}", f"{storage.project}/") if storage.project else ("", "")
    )
    return (
        f"dagster asset materialize -m mlops_assets.definitions{target} "
        f"--select {prefix}{asset} --partition {partition}"
    )
