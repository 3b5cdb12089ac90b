"""One root under which everything is stored: a local folder or any fsspec URL.

What is written is sealed and what is read is verified here, for all stores.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from mlops_assets.resources.disk import why_not_written
from mlops_assets.resources.layout import is_missed, logged_as, remedy
from mlops_assets.resources.seals import digest, sealed, unsealed
from mlops_assets.resources.written import REMOVED, Written

SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
LOST = "was written and is missing"
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")


class StorageError(RuntimeError):
    """Something stored is damaged, foreign or missing; the message names it and the remedy."""


class Storage(ABC):
    """Files by relative path, sealed; a write is seen whole or not at all.

    `project` is the name of the project that it holds; empty unless that is one of several.
    """

    def __init__(self, root: str, project: str = "") -> None:
        self.root, self.project = root, project

    @property
    def renamed(self) -> Mapping[str, str]:
        """The names that models have by now, by those that they had."""
        return {}

    def look(self) -> None:  # noqa: B027 - most know no other names
        """See which models were renamed since."""

    def read(self, path: str) -> bytes:
        """The bytes of a file as they were written.

        FileNotFoundError where there is none, StorageError where they are others.
        """
        [(_, found)] = self.read_each([path])
        if isinstance(found, bytes):
            return found
        raise found

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | Exception]]:
        """The bytes of several files, or what `read` raises of them, in the order of the paths."""
        for path in paths:
            seals = self._seals(path)  # before the file, which only ever becomes a newer one
            try:
                yield path, self._verified(path, self._get(path), seals)
            except (FileNotFoundError, StorageError) as error:
                lost = isinstance(error, FileNotFoundError) and is_missed(path)
                if lost and seals and seals[-1] != REMOVED:
                    error = damaged_file(self, path, LOST)
                yield path, error

    def _verified(self, path: str, data: bytes, seals: Sequence[str] = ()) -> bytes:
        """The content of a file, as which it was written. StorageError where it is another."""
        content, seal = unsealed(path, data)
        if not seal and not seals:
            return content  # by a version that knew no seals
        found = digest(path, content)
        if found in seals[:-1] and found != seals[-1]:
            raise damaged_file(self, path, "is an older file that was put back")
        if seal != found and found not in seals:
            raise damaged_file(self, path, "is not as it was written, or another file lies there")
        return content

    def write(self, path: str, data: bytes) -> str:
        """Replace or create a file: a reader sees the old bytes or the new ones, never a part.

        What it is sealed with.
        """
        seal = digest(path, data)
        self._put(path, data, seal, new=False)
        return seal

    def create(self, path: str, data: bytes) -> None:
        """Write a file that is not there yet, whole. FileExistsError where there is one."""
        self._put(path, data, digest(path, data), new=True)

    def sweep(self, path: str) -> None:
        """Remove what a write that was killed left over. ValueError where it is something else."""
        if not is_temporary(path):
            raise ValueError(f"{path} is no temporary file")
        self._remove(path)

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file or a folder with all that it holds; nothing happens where there is none."""

    @abstractmethod
    def exists(self, path: str) -> bool: ...

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """The sorted names in a folder, empty where there is none; temporary ones left out."""

    @abstractmethod
    def stamps(self, folder: str) -> dict[str, Hashable]:
        """What changes with every write of a file, by its name in a folder; empty without one."""

    @abstractmethod
    def url(self, path: str) -> str:
        """Where a person finds the file."""

    @abstractmethod
    def files(self) -> Iterator[tuple[str, float]]:
        """The path of every file, hidden ones as well, and the seconds since its last write."""

    @abstractmethod
    def _get(self, path: str) -> bytes:
        """The bytes that are there."""

    @abstractmethod
    def _put(self, path: str, data: bytes, seal: str, *, new: bool) -> None:
        """Store with a seal."""

    @abstractmethod
    def _remove(self, path: str) -> None:
        """Remove a file, which may be hidden; nothing happens where there is none."""

    def known(self, folder: str) -> list[str]:
        """The names in a folder, and what was written into it and is gone, as far as is known."""
        return self.names(folder)

    def _seals(self, path: str) -> list[str]:
        """The seals with which a file was written, where these are known beside it."""
        return []


def is_plain(path: str) -> bool:
    return all(SAFE_PART.fullmatch(part) for part in path.split("/"))


def checked(path: str) -> str:
    """The path, when each part is a plain name; ValueError when it could leave the root."""
    for part in path.split("/"):
        if not SAFE_PART.fullmatch(part):
            raise ValueError(f"{part!r} in the path {path!r} is no plain file name")
    return path


def damaged_file(storage: Storage, path: str, why: object) -> StorageError:
    """The error of a file that cannot be used as it is; it names the file and the remedy."""
    return StorageError(f"{storage.root}/{path} {why}; {remedy(storage.project, path)}")


def is_temporary(path: str) -> bool:
    """Whether a file is one that is being written, or was when its write was killed."""
    return bool(TEMPORARY.fullmatch(path.rpartition("/")[2]))


class DiskError(StorageError):
    """A disk takes nothing more; the message says which one, why and what to do."""


class LocalStorage(Storage):
    """A folder on this machine."""

    def __init__(self, root: str, project: str = "") -> None:
        super().__init__(str(Path(root).expanduser().absolute()), project)
        self._written = Written()

    def _file(self, path: str) -> Path:
        return Path(self.root, checked(path))

    def _get(self, path: str) -> bytes:
        try:
            return self._file(path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise damaged_file(self, path, f"cannot be read ({error.strerror})") from error

    def _put(self, path: str, data: bytes, seal: str, *, new: bool) -> None:
        file = self._file(path)
        try:
            self._put_whole(file, path, data, seal, new)
        except OSError as error:
            why = why_not_written(error.errno, file.parent, len(data))
            if why is None:
                raise
            raise DiskError(why) from error

    def _put_whole(self, file: Path, path: str, data: bytes, seal: str, new: bool) -> None:
        temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        try:
            handle = temporary.open("wb")
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = temporary.open("wb")
        try:
            with handle:
                handle.write(sealed(path, data, seal))
            told = f"{self.root}/{logged_as(path)}"
            with self._written.added(told, seal) if logged_as(path) else nullcontext():
                # a link refuses to replace a file
                (os.link if new else os.replace)(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)

    def _seals(self, path: str) -> list[str]:
        told = logged_as(checked(path))
        return self._written.seals(f"{self.root}/{told}") if told else []

    def known(self, folder: str) -> list[str]:
        return sorted({*self.names(folder), *self._written.names(str(self._file(folder)))})

    def _remove(self, path: str) -> None:
        Path(self.root, path).unlink(missing_ok=True)

    def delete(self, path: str) -> None:
        file = self._file(path)
        of_folder = self._written.seals(str(file)) if file.is_dir() else []  # that of a version
        known = of_folder or (is_missed(path) and self._seals(path))
        with self._written.added(str(file), REMOVED) if known else nullcontext():
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
        except OSError as error:
            raise damaged_file(self, folder, f"cannot be listed ({error.strerror})") from error

    def stamps(self, folder: str) -> dict[str, Hashable]:
        found: dict[str, Hashable] = {}
        with suppress(FileNotFoundError), os.scandir(self._file(folder)) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # removed at this moment
                    about = entry.stat()
                    found[entry.name] = about.st_mtime_ns, about.st_size, about.st_ino
        return found

    def url(self, path: str) -> str:
        return str(self._file(path))

    def files(self) -> Iterator[tuple[str, float]]:
        now = time.time()
        for folder, _, names in os.walk(self.root):
            for name in names:
                file = Path(folder, name)
                with suppress(FileNotFoundError):  # written or removed at this moment
                    age = now - file.stat().st_mtime
                    yield file.relative_to(self.root).as_posix(), age
