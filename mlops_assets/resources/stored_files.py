"""Walks all that is stored of a project, and tells what is wrong with it, with the remedy."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from mlops_assets.lazy import pd
from mlops_assets.project import Project
from mlops_assets.resources.layout import (
    CARD,
    DATASETS,
    DAYS_KEPT,
    OTHERS,
    PLAIN,
    REFERENCE,
    REMADE,
    is_log,
    remedy,
)
from mlops_assets.resources.notifier import Channel
from mlops_assets.resources.storage import (
    Storage,
    StorageError,
    damaged_file,
    is_plain,
    is_temporary,
)
from mlops_assets.resources.stores.alert_records import Alert
from mlops_assets.resources.stores.created_models import MODELS, UPDATES, Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore, read_parquet
from mlops_assets.resources.stores.decisions import Decision
from mlops_assets.resources.stores.model_store import MODEL, VERSION, ModelStore
from mlops_assets.resources.stores.record_log import RecordLog
from mlops_assets.resources.stores.turns import Turn

HOUR = 3600.0


class State(StrEnum):
    """What may be wrong with a file."""

    DAMAGED = "damaged"
    MISSING = "missing"
    FOREIGN = "foreign"
    LEFT_OVER = "left over"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    state: State
    text: str
    """Which file it is, what is wrong, and the remedy."""
    repair: Callable[[], None] | None = None
    """Does what is safe: what it removes is of no use, or is made again by itself."""


class ForeignError(Exception):
    """A file that nothing of this package writes."""


def leftovers(storage: Storage, files: Mapping[str, float]) -> Iterator[Finding]:
    """What killed writes and trainings, and older versions, left an hour ago; by their ages."""
    for path, age in files.items():
        if age < HOUR:
            continue
        folder, _, name = path.rpartition("/")
        if is_temporary(path):
            text = f"{storage.root}/{path} is of a write that was killed; delete it"
            yield Finding(State.LEFT_OVER, text, partial(storage.sweep, path))
        elif folder == "pages":
            text = f"{storage.root}/{path} is of a version that stored its pages; delete it"
            yield Finding(State.LEFT_OVER, text, partial(storage.delete, path))
        elif (
            _is_version(path)
            and name == MODEL
            and f"{folder}/{CARD}" not in files
            and not _is_lost(storage, f"{folder}/{CARD}")
        ):
            text = f"{storage.url(folder)} is of a training that was killed; delete it"
            yield Finding(State.LEFT_OVER, text, partial(storage.delete, folder))


def _is_lost(storage: Storage, path: str) -> bool:
    """Whether a file that is not there was."""
    try:
        storage.read(path)
    except FileNotFoundError:
        return False
    except StorageError:
        pass
    return True


def sweep(storage: Storage) -> None:
    """Remove the leftovers of what was killed."""
    for finding in leftovers(storage, dict(storage.files())):
        if finding.repair:
            finding.repair()


class StoredFiles:
    """The files of a project, `settings` being those of its file alone.

    `others` are the folders under the same root that belong to somebody else.
    """

    def __init__(self, storage: Storage, settings: Project, others: Container[str] = ()) -> None:
        self.storage = storage
        self.datasets, self.models = DatasetStore(storage), ModelStore(storage)
        self.project, self.left_out = Registry(storage).apply(settings)
        self.files = {
            path: age for path, age in storage.files() if path.partition("/")[0] not in others
        }

    def findings(self) -> Iterator[Finding]:
        """All that is wrong."""
        yield from leftovers(self.storage, self.files)
        known = {model.name for model in self.project.models}
        for path in sorted(self.files):
            if is_temporary(path) or is_log(path):
                continue
            try:
                self._read(path)
            except ForeignError:
                where = f"{self.storage.root}/{path}"
                text = f"{where} is no file of this store; move it away, if nothing else needs it"
                yield Finding(State.FOREIGN, text)
            except StorageError as error:
                yield Finding(State.DAMAGED, str(error), self._repair(path))
            if path.endswith(f"/{CARD}") and path.replace(CARD, MODEL) not in self.files:
                missing = damaged_file(self.storage, path.replace(CARD, MODEL), "is missing")
                yield Finding(State.MISSING, str(missing))
        for name in self.storage.names("datasets/validation"):
            if name not in known:
                text = (
                    f"{self.storage.url(f'datasets/validation/{name}')} is of a model that no "
                    f"settings name; drop_model_job with delete_stored = {name} deletes it"
                )
                yield Finding(State.LEFT_OVER, text)
        yield from self._lost_cards()
        yield from self._decided()

    def _lost_cards(self) -> Iterator[Finding]:
        """Versions whose card was deleted, with their folder or without it."""
        for model in filter(is_plain, self.storage.names("models")):
            damaged: dict[str, StorageError] = {}
            with suppress(StorageError):  # of a decision, or of what is no folder: told already
                self.models.cards(model, damaged)
            for version, error in damaged.items():
                if f"models/{model}/{version}/{CARD}" not in self.files:
                    yield Finding(State.MISSING, str(error))

    def _read(self, path: str) -> None:
        """Read a file as its store does. StorageError where it is damaged, ForeignError."""
        if not is_plain(path):
            raise ForeignError
        folder, _, name = path.rpartition("/")
        stem, _, kind = name.partition(".")
        match [*folder.split("/"), kind]:
            case ["datasets", first, *more, "parquet"] if first in PLAIN or (
                first in DATASETS and is_key(stem)
            ):
                self.datasets.read("/".join([first, *more]), [stem])
            case ["datasets", "forecast", "csv"] if is_key(stem):
                self._read_csv(path, stem)
            case ["models", _, _, "json"] if _is_version(path) and name == REFERENCE:
                self._read_plain(path, kind)
            case ["models", model, version, "json"] if _is_version(path):
                self.models.card(model, version)
            case ["models", model, version, "skops"] if _is_version(path):
                if card := self.models.card(model, version):
                    self.models.load(card)
            case ["models", model, version, "parquet"] if _is_version(path):
                if card := self.models.card(model, version):
                    self.models.held_out(card)
            case ["registry", "decisions", "json"]:
                RecordLog(self.storage, folder, Decision, what="decision").read(name)
            case ["registry", "turns", "json"]:
                RecordLog(self.storage, folder, Turn, what="turn").read(name)
            case ["registry", "models" | "updates", "yaml"]:
                about = {MODELS: stem, UPDATES: f"update of {stem}"}[folder]
                if about in self.left_out:
                    raise StorageError(self.left_out[about])
            case ["registry", "renames", ""]:
                self._read_plain(path, kind)
            case ["alerts", "json"]:
                RecordLog(self.storage, folder, Alert, what="alert").read(name)
            case ["alert_channels", "json"]:
                RecordLog(self.storage, folder, Channel, what="channel").read(name)
            case ["", _] if path in OTHERS:
                self._read_plain(path, kind)
            case ["packs", *_]:
                pass  # copies, which count as long as they are what lies in their place
            case ["landing" | "policies", *_]:
                self._read_plain(path, kind)
            case ["pages", _]:
                pass  # left over
            case _:
                raise ForeignError

    def _read_plain(self, path: str, kind: str) -> None:
        data = self.storage.read(path)
        try:
            if path in DAYS_KEPT:
                dt.date.fromisoformat(data.decode().strip())
            elif kind.endswith("json"):
                json.loads(data)
        except ValueError as error:
            raise damaged_file(self.storage, path, f"cannot be read ({error})") from error

    def _read_csv(self, path: str, key: str) -> None:
        if self.storage.read(path) != self._forecast(key).to_csv(index=False).encode():
            raise damaged_file(self.storage, path, "does not say what its Parquet file says")

    def _repair(self, path: str) -> Callable[[], None] | None:
        """What makes a damaged file right, where that is safe."""
        if path.partition("/")[0] in REMADE or path.endswith(f"/{REFERENCE}"):
            return partial(self.storage.delete, path)
        key = path.rpartition("/")[2].partition(".")[0]
        if path.endswith(".csv") and key in self.datasets.keys("forecast"):
            return partial(self._write_csv, key)
        return None

    def _write_csv(self, key: str) -> None:
        self.datasets.write_csv("forecast", key, self._forecast(key))

    def _forecast(self, key: str) -> pd.DataFrame:
        """A forecast as it is stored, whatever its model is called by now."""
        with suppress(FileNotFoundError):
            table = read_parquet(self.storage, self.datasets.path("forecast", key))
            frame: pd.DataFrame = table.to_pandas()
            return frame
        return pd.DataFrame()

    def _decided(self) -> Iterator[Finding]:
        """Versions that the audit trail names, and that are not there though their model is."""
        try:
            decisions = self.models.decisions.all()
        except StorageError:
            return  # told already
        for version, model in {one.version: one.model for one in decisions if one.version}.items():
            if version in self.models.replaced(model):
                continue  # another one stands in for it
            if self.storage.names(f"models/{model}") and not self.storage.names(
                f"models/{model}/{version}"
            ):
                path = f"models/{model}/{version}"
                text = (
                    f"{self.storage.url(path)} is named by the audit trail and is missing; "
                    f"restore it from a backup, or {remedy(self.storage.project, path)}"
                )
                yield Finding(State.MISSING, text)


def is_key(text: str) -> bool:
    """Whether it is the key of a partition."""
    try:
        return str(dt.date.fromisoformat(text)) == text
    except ValueError:
        return False


def _is_version(path: str) -> bool:
    first, *rest = path.split("/")
    return first == "models" and len(rest) == 3 and bool(VERSION.fullmatch(rest[1]))
