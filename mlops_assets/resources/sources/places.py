"""Where files lie: which there are, when they changed, and how to open them."""

from __future__ import annotations

import glob
import os
import urllib.parse
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any

from mlops_assets.lazy import fsspec
from mlops_assets.project.masking import masked
from mlops_assets.resources.sources.base import SourceError, UnreachableError

PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
PARQUET = (".parquet", ".pq")
ZIP = ".zip"
KINDS = {
    "parquet": PARQUET,
    "excel": (".xlsx", ".xlsm", ".xls", ".ods"),
    "json": (".json", ".jsonl", ".ndjson"),
    "feather": (".feather", ".arrow"),
}
TABLES = (".csv", ".tsv", ".txt", *(ending for endings in KINDS.values() for ending in endings))
# what file systems call the things that change with a file
MARKS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified")


@dataclass(frozen=True)
class File:
    """A file as it was when it was listed."""

    path: str
    stamp: str
    """Changes whenever the file does."""
    keys: dict[str, str] = field(default_factory=dict, hash=False)
    """The parts of its path that say `key=value`."""

    def __str__(self) -> str:
        return masked(self.path)

    @property
    def format(self) -> str:
        """What it holds, by its name."""
        return next((kind for kind, ends in KINDS.items() if self.bare.endswith(ends)), "csv")

    @property
    def bare(self) -> str:
        """Its name without the ending of a compression."""
        for ending in (*PACKED, ZIP):
            if self.path.lower().endswith(ending):
                return self.path[: -len(ending)].lower()
        return self.path.lower()

    @property
    def codec(self) -> str | None:
        """How it is compressed, by its name."""
        return next((c for end, c in PACKED.items() if self.path.lower().endswith(end)), None)

    @property
    def zipped(self) -> bool:
        return self.path.lower().endswith(ZIP)


def unzipped(handle: IO[bytes], place: str) -> IO[bytes]:
    """The only file in a zip file. SourceError."""
    try:
        archive = zipfile.ZipFile(handle)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        inside = [name for name in names if not name.startswith(("__MACOSX/", "."))]
        if len(inside) != 1:
            told = ", ".join(inside[:5]) or "none"
            raise SourceError(f"{place} holds {len(inside)} files ({told}); zip one table alone")
        return archive.open(inside[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"cannot read {place}: {error}; zip it again") from error


class Place:
    """One file, the files of a glob, or all tables in a folder; local or behind an fsspec URL."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.remote = "://" in path

    def __str__(self) -> str:
        return masked(self.path)

    def files(self) -> list[File]:
        """The files, sorted by path; empty where there is none. SourceError."""
        try:
            found = self._remote_files() if self.remote else self._local_files()
            return sorted(found, key=lambda file: file.path)
        except FileNotFoundError:
            return []
        except ImportError as error:
            raise SourceError(f"{self} needs a package: {masked(str(error))}") from None
        except (OSError, ValueError) as error:
            kind = UnreachableError if self.remote else SourceError
            raise kind(f"cannot list {self}: {masked(str(error))}") from None

    def open(self, file: File) -> IO[bytes]:
        """The bytes of a file; OSError."""
        if self.remote:
            handle: IO[bytes] = self._filesystem[0].open(file.path, "rb")
            return handle
        return open(file.path, "rb")

    def _local_files(self) -> Iterator[File]:
        if os.path.isdir(self.path):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    path = os.path.join(folder, name)
                    if _is_table(os.path.relpath(path, self.path)):
                        yield _local(path)
        elif glob.has_magic(self.path) and not os.path.exists(self.path):
            for path in glob.glob(self.path, recursive=True):
                if os.path.isfile(path):
                    yield _local(path)
        elif os.path.exists(self.path):
            yield _local(self.path)

    @cached_property
    def _filesystem(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, path = fsspec.core.url_to_fs(self.path)
        return filesystem, path

    def _remote_files(self) -> Iterator[File]:
        filesystem, path = self._filesystem
        filesystem.invalidate_cache()
        found: dict[str, dict[str, Any]]
        if glob.has_magic(path):
            found = filesystem.glob(path, detail=True)
        elif filesystem.isdir(path):
            inside = filesystem.find(path, detail=True)
            found = {
                name: info
                for name, info in inside.items()
                if _is_table(name.removeprefix(path.rstrip("/") + "/"))
            }
        else:
            found = {path: filesystem.info(path)}
        for name, info in found.items():
            if info["type"] == "file":
                marks = [str(info[mark]) for mark in (*MARKS, "created") if info.get(mark)]
                yield File(name, " ".join([str(info["size"]), *marks]), _keys(name))


def _local(path: str) -> File:
    about = os.stat(path)
    return File(path, f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}", _keys(path))


def _is_table(path: str) -> bool:
    """Whether a file in a folder is a table: hidden and foreign files are not."""
    parts = path.replace(os.sep, "/").split("/")
    if any(part.startswith((".", "_")) for part in parts):
        return False
    return File(path, "").bare.endswith(TABLES) or path.lower().endswith(ZIP)


def _keys(path: str) -> dict[str, str]:
    folders = path.replace(os.sep, "/").split("/")[:-1]
    pairs = (folder.partition("=") for folder in folders if "=" in folder)
    return {key: urllib.parse.unquote(value) for key, _, value in pairs}
