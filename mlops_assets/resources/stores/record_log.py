"""Records that are added and never edited: a JSON file each, in a folder of a storage."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_assets.resources.storage import Storage, StorageError, damaged_file

ENDING = ".json"

R = TypeVar("R", bound=BaseModel)


class StoredRecord(BaseModel):
    """What is stored of a kind: these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordLog(Generic[R]):
    """Records of a kind by file name; `what` is said of a damaged one.

    With `keeps` it keeps the records that it has read, which are never edited.
    """

    def __init__(
        self, storage: Storage, folder: str, kind: type[R], *, what: str, keeps: bool = False
    ) -> None:
        self.storage, self.folder, self.kind = storage, folder, kind
        self.what, self.keeps = what, keeps
        self._known: dict[str, R] = {}
        self._steady = False
        self._names: list[str] | None = None

    def as_of_now(self) -> "RecordLog[R]":
        """The same, which lists its names once until it adds one; what is kept is shared."""
        steady = RecordLog(self.storage, self.folder, self.kind, what=self.what, keeps=self.keeps)
        steady._known, steady._steady = self._known, True
        return steady

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def names(self) -> list[str]:
        """The names of the records, sorted."""
        if self._names is not None:
            return self._names
        names = [name for name in self.storage.names(self.folder) if name.endswith(ENDING)]
        self._names = names if self._steady else None
        return names

    def add(self, name: str, record: R) -> None:
        """Add a record. FileExistsError where another one has its name."""
        self._names = None
        self.storage.create(self.path(name), _json(record))

    def replace(self, name: str, record: R) -> None:
        """Write what is no record of the past, but a state that changes."""
        self.storage.write(self.path(name), _json(record))

    def read(self, name: str) -> R:
        """A record as it is now. FileNotFoundError, or StorageError where it is damaged."""
        if name in self._known:
            return self._known[name]
        path = self.path(name)
        try:
            record = self.kind.model_validate_json(self.storage.read(path))
        except ValidationError as error:
            why = f"is no {self.what} ({error.error_count()} mistakes)"
            raise damaged_file(self.storage, path, why) from error
        if self.keeps:
            self._known[name] = record
        return record

    def all(self, damaged: list[str] | None = None) -> dict[str, R]:
        """Every record by name, in the order of the names.

        The first damaged one raises, unless `damaged` is given: then it is told where each is.
        """
        found = {}
        for name in self.names():
            try:
                found[name] = self.read(name)
            except (StorageError, FileNotFoundError):
                if damaged is None:
                    raise
                damaged.append(self.storage.url(self.path(name)))
        return found


def _json(record: BaseModel) -> bytes:
    return record.model_dump_json(indent=2).encode()
