"""Models under the names that they have by now: what is stored stays where it was first written.

A model that is renamed keeps its files, under its first name; a rename is one small file. Whoever
asks for the new name is led there, and what was written under older names is read under the new.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

from mlops_assets.resources.storage import Storage

RENAMES = "registry/renames"
OF_MODELS = (  # folders with a folder, or a file, that is called like a model
    "models",
    "datasets/validation",
    "datasets/validation_facts",
    "datasets/first_seen",
    "datasets/checks/validation",
    "datasets/checks/models",
    "registry/models",
    "registry/updates",
)
OF_ANY_MODEL = tuple(f"{folder}/" for folder in OF_MODELS)
Value = TypeVar("Value")


class CurrentNames(Storage):
    """A storage in which models are called as they are by now."""

    def __init__(self, stored: Storage) -> None:
        super().__init__(stored.root, stored.project)
        self.stored = stored
        self._looked = False

    def look(self) -> None:
        given = {
            name: self.stored.read(f"{RENAMES}/{name}").decode().strip()
            for name in self.stored.names(RENAMES)
        }
        self._renamed = {name: _last(given, name) for name in given}
        first = given.keys() - set(given.values())
        self._first = {self._renamed[name]: name for name in first}
        self._looked = True

    @property
    def renamed(self) -> Mapping[str, str]:
        if not self._looked:  # only once it is asked for: in an object store it is a request
            self.look()
        return self._renamed

    def _at(self, path: str) -> str:
        """Where a path lies."""
        return _with_other_names(path, self._first) if self._is_of_renamed(path) else path

    def _called(self, path: str) -> str:
        """What a path that lies somewhere is called by now."""
        return _with_other_names(path, self._renamed) if self._is_of_renamed(path) else path

    def _is_of_renamed(self, path: str) -> bool:
        """Whether a path is of models, of which any has another name by now."""
        return path.startswith(OF_ANY_MODEL) and bool(self.renamed)

    def _shown(self, folder: str, found: Mapping[str, Value]) -> dict[str, Value]:
        """What is in a folder, by the names of now."""
        start = f"{folder}/"
        return {self._called(start + name).removeprefix(start): found[name] for name in found}

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | Exception]]:
        asked = list(paths)
        found = self.stored.read_each(map(self._at, asked))
        return ((path, data) for path, (_, data) in zip(asked, found, strict=True))

    def write(self, path: str, data: bytes) -> str:
        return self.stored.write(self._at(path), data)

    def create(self, path: str, data: bytes) -> None:
        self.stored.create(self._at(path), data)

    def sweep(self, path: str) -> None:
        self.stored.sweep(self._at(path))

    def delete(self, path: str) -> None:
        self.stored.delete(self._at(path))

    def exists(self, path: str) -> bool:
        return self.stored.exists(self._at(path))

    def names(self, folder: str) -> list[str]:
        there = dict.fromkeys(self.stored.names(self._at(folder)))
        return sorted(self._shown(folder, there))

    def known(self, folder: str) -> list[str]:
        return sorted(self._shown(folder, dict.fromkeys(self.stored.known(self._at(folder)))))

    def stamps(self, folder: str) -> dict[str, Hashable]:
        return self._shown(folder, self.stored.stamps(self._at(folder)))

    def url(self, path: str) -> str:
        return self.stored.url(self._at(path))

    def files(self) -> Iterator[tuple[str, float]]:
        for path, age in self.stored.files():
            yield self._called(path), age

    def _get(self, path: str) -> bytes:
        return self.stored._get(self._at(path))

    def _put(self, path: str, data: bytes, seal: str, *, new: bool) -> None:
        self.stored._put(self._at(path), data, seal, new=new)

    def _remove(self, path: str) -> None:
        self.stored._remove(self._at(path))


def _with_other_names(path: str, names: Mapping[str, str]) -> str:
    """A path with another name of the model that it is of."""
    start = next(start for start in OF_ANY_MODEL if path.startswith(start))
    name, *rest = path.removeprefix(start).split("/")
    bare, *ending = name.split(".")
    return start + "/".join([".".join([names.get(bare, bare), *ending]), *rest])


def _last(given: Mapping[str, str], name: str) -> str:
    """The name that a model has by now."""
    while name in given:
        name = given[name]
    return name
