"""A storage in an object store, such as S3, where a request costs more than what it brings."""

from __future__ import annotations

import io
import re
import threading
import time
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from mlops_assets.lazy import fsspec
from mlops_assets.resources.layout import PACKS, WRITTEN, is_card, logged_as, mark_of
from mlops_assets.resources.seals import sealed
from mlops_assets.resources.storage import LOST, Storage, StorageError, checked, damaged_file

# by which a file is replaced by one request, whole or not at all
SCHEMES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory")
AT_ONCE = 32  # requests on their way
FEW = 4  # files of a month that are read one by one before they are packed
SMALL = 100_000  # bytes of a file that is packed
HELD = 64_000_000  # bytes of what was read, kept by its tag
TRIES = 14  # each waits longer than the one before: over a minute in all
VERSIONS = 2  # so many folders deep lie versions
MONTH = re.compile(r"(\d{4}-\d\d)-\d\d\.")


class Listed(NamedTuple):
    """What a store lists of a file: the tag of its content, if it has such, and its bytes."""

    tag: str
    size: int


Listing: TypeAlias = dict[str, Listed]  # by path


class ObjectStore(Storage):
    """Files by fsspec URL: a write is one request, and of two who create one file one is refused.

    Nothing is renamed and no listing is kept, so that what another process has written is seen.
    Small files of past days are read from packs, one object a month: copies, each of which counts
    only as long as the store lists the file with the tag that it had when it was copied.
    """

    def __init__(self, root: str, project: str = "") -> None:
        super().__init__(root.rstrip("/"), project)
        scheme = root.partition("://")[0]
        if scheme not in SCHEMES:
            raise StorageError(
                f"{root} is no object store, in which a file is replaced as a whole "
                f"({', '.join(SCHEMES)}); mount it and name the folder"
            )
        self._copies = Copies()

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        options: dict[str, Any] = {"use_listings_cache": False}
        if self.root.startswith("s3"):
            tries = {"mode": "standard", "max_attempts": TRIES}
            options["config_kwargs"] = {"max_pool_connections": AT_ONCE, "retries": tries}
            options["max_concurrency"] = 1  # else it asks for the size of a file before it reads it
        filesystem, folder = fsspec.core.url_to_fs(self.root, **options)
        return filesystem, folder

    def _file(self, path: str) -> str:
        return f"{self._place[1]}/{checked(path)}"

    def _get(self, path: str) -> bytes:
        data: bytes = self._place[0].cat_file(self._file(path))
        return data

    def _put(self, path: str, data: bytes, seal: str, *, new: bool) -> None:
        mode = "create" if new else "overwrite"
        self._place[0].pipe_file(self._file(path), sealed(path, data, seal), mode=mode)
        if is_card(path):  # after it, as a log of a folder is
            self._place[0].pipe_file(self._mark(logged_as(path)), seal.encode())

    def _mark(self, version: str) -> str:
        return f"{self._place[1]}/{mark_of(checked(version))}"

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._place[0].rm_file(f"{self._place[1]}/{path}")

    def delete(self, path: str) -> None:
        if path.startswith("models/") and path.count("/") == VERSIONS:
            with suppress(FileNotFoundError):
                self._place[0].rm_file(self._mark(path))
        with suppress(FileNotFoundError):
            self._place[0].rm(self._file(path), recursive=True)

    def exists(self, path: str) -> bool:
        return bool(self._place[0].exists(self._file(path)))

    def names(self, folder: str) -> list[str]:
        return sorted(name for name in self._entries(folder) if not name.startswith("."))

    def known(self, folder: str) -> list[str]:
        names = set(self._entries(folder))
        plain = {name for name in names if not name.startswith(".")}
        marks = {name for name in names - plain if name.endswith(WRITTEN)}
        return sorted(plain | {name[1:].removesuffix(WRITTEN) for name in marks})

    def stamps(self, folder: str) -> dict[str, Hashable]:
        entries = self._entries(folder).items()
        return {name: str(sorted(entry.items(), key=str)) for name, entry in entries}

    def url(self, path: str) -> str:
        return f"{self.root}/{checked(path)}"

    def files(self) -> Iterator[tuple[str, float]]:
        filesystem, folder = self._place
        now = time.time()
        for file, about in filesystem.find(folder, detail=True).items():
            # as it is called by object stores and in memory
            changed = about.get("LastModified") or about.get("created") or about.get("mtime")
            then = changed.timestamp() if hasattr(changed, "timestamp") else changed
            yield file.removeprefix(f"{folder}/"), now - then if then else 0.0

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | Exception]]:
        paths = list(paths)
        found = self._many(paths) if len(paths) > FEW else self._singly(paths)
        for path in paths:
            data = found.pop(path)
            if isinstance(data, FileNotFoundError) and is_card(path):
                if self._place[0].exists(self._mark(logged_as(path))):
                    data = damaged_file(self, path, LOST)
            elif isinstance(data, bytes):
                try:
                    data = self._verified(path, data)
                except StorageError as error:
                    data = error
            yield path, data

    def _many(self, paths: list[str]) -> dict[str, bytes | Exception]:
        """What lies at paths, by as few requests as copies of the same tag allow."""
        folders = {path.rpartition("/")[0] for path in paths}
        listed = self._listed(*folders)
        there = [path for path in paths if path in listed]
        small: dict[str, list[str]] = defaultdict(list)  # by the pack that holds them
        for path in there:
            if listed[path].tag and listed[path].size < SMALL:
                small[pack_of(path)].append(path)
        small.pop("", None)
        known = {path: data for path in there if (data := self._copies.get(path, listed[path].tag))}
        wanted = [name for name, members in small.items() if not known.keys() >= {*members}]
        packs = {
            name: unpacked(pack, listed)
            for name, pack in self._singly(sorted(wanted)).items()
            if isinstance(pack, bytes)
        }
        for pack in packs.values():
            known |= pack
        new = self._singly([path for path in there if path not in known])
        now = self._listed(*folders) if len(new) > FEW else listed
        # what was replaced while it was read may be newer than the tag that was listed
        read = {
            path: data
            for path, data in new.items()
            if isinstance(data, bytes) and now.get(path) == listed[path]
        }
        for name in wanted:
            unpacked_yet = {path: read[path] for path in small[name] if path in read}
            if len(unpacked_yet) > FEW:
                whole = packed(packs.get(name, {}) | unpacked_yet, listed)
                self._place[0].pipe_file(self._file(name), whole)
        self._copies.keep(known | (read if now is not listed else {}), listed)
        missing = {path: FileNotFoundError(self.url(path)) for path in paths}
        return missing | new | {path: known[path] for path in there if path in known}

    def _singly(self, paths: list[str]) -> dict[str, bytes | Exception]:
        """What lies at paths, a request each, many at once."""
        if not paths:
            return {}
        files = {self._file(path): path for path in paths}
        data = self._place[0].cat(list(files), on_error="return", batch_size=AT_ONCE)
        for error in data.values():
            if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
                raise error
        return {path: data[file] for file, path in files.items()}

    def _listed(self, *folders: str) -> Listing:
        """What lies in folders now."""
        found: Listing = {}
        for folder in folders:
            for name, entry in self._entries(folder).items():
                tag = str(entry.get("ETag") or entry.get("etag") or "")
                found[f"{folder}/{name}"] = Listed(tag, entry.get("size") or 0)
        return found

    def _entries(self, folder: str) -> dict[str, dict[str, Any]]:
        """What the store says of each file and folder in a folder, by name."""
        try:
            entries = self._place[0].ls(self._file(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rstrip("/").rpartition("/")[2]: entry for entry in entries}


class Copies:
    """The newest contents that were read, each with its tag."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()

    def get(self, path: str, tag: str) -> bytes | None:
        """The content of a file, where it is known by this tag."""
        held = self._held.get(path)
        return held[1] if held and tag and held[0] == tag else None

    def keep(self, files: Mapping[str, bytes], listed: Listing) -> None:
        """Keep small contents as those of the tags that are listed; the oldest ones make room."""
        with self._lock:
            for path, content in files.items():
                if len(content) < SMALL:
                    self._held[path] = listed[path].tag, content
            size = sum(len(content) for _, content in self._held.values())
            while size > HELD:
                size -= len(self._held.pop(next(iter(self._held)))[1])


def pack_of(path: str) -> str:
    """The pack that the copy of a file lies in: one a month and folder, or none."""
    folder, _, name = path.rpartition("/")
    month = MONTH.match(name)
    return f"{PACKS}/{folder}/{month[1]}.zip" if month else ""


def packed(files: Mapping[str, bytes], listed: Listing) -> bytes:
    """A pack of files: a ZIP in which each has its tag for a comment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as pack:
        for path in sorted(files):
            member = zipfile.ZipInfo(path)
            member.comment = listed[path].tag.encode()
            pack.writestr(member, files[path])
    return buffer.getvalue()


def unpacked(pack: bytes, listed: Listing) -> dict[str, bytes]:
    """The files of a pack that are still as they are listed; none where it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as members:
            return {
                one.filename: members.read(one)
                for one in members.infolist()
                if one.filename in listed and listed[one.filename].tag.encode() == one.comment
            }
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, RuntimeError):
        return {}
