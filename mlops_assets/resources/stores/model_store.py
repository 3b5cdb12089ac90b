"""The model store: every version that was ever trained, with its card."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from mlops_assets.lazy import pd, sio, sklearn
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.models.families import FAMILIES, trusted_types
from mlops_assets.ml.selection.acceptance import COMPARISONS, MEASURES
from mlops_assets.ml.selection.versions import (
    Chosen,
    Unreadable,
    as_settings_said_then,
    serving,
)
from mlops_assets.project import IDENTIFIER
from mlops_assets.resources.layout import CARD, REFERENCE
from mlops_assets.resources.storage import Storage, StorageError, damaged_file
from mlops_assets.resources.stores.dataset_store import as_parquet, read_parquet
from mlops_assets.resources.stores.decisions import Action, Decisions
from mlops_assets.resources.stores.record_log import RecordLog, StoredRecord

SHOWN_VERSIONS = 5
KEPT_BYTES = 10_000_000  # of pipelines as they are stored; in memory they take a multiple of it
DAMAGED = "damaged"  # of a version that another one stands in for, in the decision
DEFAULTS = "the family's defaults"  # in place of hyperparameters that are these
MODEL, HOLDOUT = "model.skops", "holdout.parquet"
# what zip, JSON, skops and scikit-learn raise of bytes that are no fitted pipeline
UNREADABLE = (
    *(ValueError, TypeError, LookupError, AttributeError, ImportError, OSError, EOFError),
    *(NotImplementedError, RecursionError, zipfile.BadZipFile, zlib.error),
)
UNLESS_NONE = Field(exclude_if=lambda value: value is None)  # cards of days say nothing of it
MONTH = len("2026-03-01")  # so many letters of a version's name
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}_\d{8}T\d{12}_[0-9a-f]{8}")


def short(version: str) -> str:
    """The end of a version's name, which suffices to tell it from others."""
    return version.rpartition("_")[2]


def _created(version: str) -> dt.datetime:
    """When a version was made, by its name."""
    made = dt.datetime.strptime(version.split("_")[1], "%Y%m%dT%H%M%S%f")
    return made.replace(tzinfo=dt.UTC)


def _stored(check: CheckResult) -> dict[str, Any]:
    numbers = {"loss": check.value, "limit": check.high, **check.also}
    return {"passed": check.passed, "why": check.why, **numbers}


def _restored(check: Any) -> Any:
    if not isinstance(check, dict):
        return check
    fields = {"passed": "passed", "why": "why", "loss": "value", "limit": "high"}
    known = {fields[name]: value for name, value in check.items() if name in fields}
    also = {name: value for name, value in check.items() if name not in fields}
    return {**known, "severe": not check.get("passed"), "names": MEASURES, "also": also}


# a check of a version as cards hold it: its numbers by their own names
StoredCheck = Annotated[CheckResult, BeforeValidator(_restored), PlainSerializer(_stored)]


class ModelCard(StoredRecord):
    """What a version is, what it learned from and how it did on its holdout."""

    model: str
    version: str
    family: str
    hyperparameters: dict[str, Any]
    month: str
    trained_from: dt.date
    trained_through: dt.date
    label_delay_days: int = 0
    """So many days after a day had ended was its target known when it was trained."""
    first_served: Annotated[dt.date | None, UNLESS_NONE] = None
    """The period that followed the last one that it learned from, where rows are of weeks, months
    or quarters."""
    serves_before: dt.date | None = None
    """The first day that is again one that it learned from, of a recording that is replayed."""
    created: dt.datetime
    days: int
    rows: int
    inputs: list[str]
    non_negative: bool
    classes: list[str] = Field(default_factory=list)
    """Of a classification, in the order of the numbers that stand for them; of two, the second is
    the positive one."""
    training_set_sha256: str
    code_version: str
    window: str = ""
    """How the days to learn from were chosen."""
    weights: str = ""
    """How rows were weighted by their age, where the settings ask for it."""
    as_settings: bool = True
    """Whether it was trained as the settings said: by their hyperparameters, through the end of the
    month before."""
    fit_seconds: float
    holdout_from: dt.date
    holdout_rows: int
    holdout: dict[str, float]
    importance: dict[str, float]
    checks: dict[str, StoredCheck] = Field(default_factory=dict)
    size: int
    sha256: str

    @field_validator("checks", mode="before")
    @classmethod
    def _today(cls, checks: Any) -> Any:
        """Checks by the names of today; cards of versions before 0.2 say yardstick."""
        if not isinstance(checks, dict):
            return checks
        return {name.replace("yardstick", "baseline"): check for name, check in checks.items()}

    def __hash__(self) -> int:
        return hash(self.version)

    @property
    def serves_from(self) -> dt.date:
        """The first day that it may score: once all that it learned from is known."""
        if self.first_served is not None:
            return self.first_served
        return self.trained_through + dt.timedelta(days=1 + self.label_delay_days)

    @property
    def recipe(self) -> tuple[str, ...]:
        """What makes two versions the same candidate, learned from other days."""
        values = sorted(self.chosen.items())  # one that a family gets later is none that was tried
        return (self.family, str(values), ",".join(self.inputs), self.window, self.weights)

    @property
    def chosen(self) -> dict[str, Any]:
        """The hyperparameters that are not its family's defaults; all where it is not known."""
        if self.family not in FAMILIES:
            return self.hyperparameters
        fields = FAMILIES[self.family].hyperparameters.model_fields
        defaults = {name: field.default for name, field in fields.items()}
        values = self.hyperparameters.items()
        return {name: value for name, value in values if value != defaults.get(name)}

    @property
    def accepted(self) -> bool:
        """Whether it passed its acceptance checks, without which a version never serves."""
        return all(check.passed for check in self.checks.values())

    @property
    def refused(self) -> bool:
        """Whether only comparisons speak against it, so that it may be scored, but never serve."""
        failed = {name for name, check in self.checks.items() if not check.passed}
        return bool(failed) and failed <= set(COMPARISONS)


class ModelStore:
    """Fitted pipelines under `models/NAME/VERSION/` of a storage; nothing is overwritten.

    A version exists once its card does, and the card is written last.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.decisions = Decisions(storage)

    @staticmethod
    def _path(model: str, version: str, file: str) -> str:
        return f"models/{model}/{version}/{file}"

    def url(self, card: ModelCard) -> str:
        """Where a person finds the files of a version."""
        return self.storage.url(self._path(card.model, card.version, MODEL))

    def add(
        self,
        pipeline: sklearn.pipeline.Pipeline,
        *,
        model: str,
        month: str,
        held_out: pd.DataFrame | None = None,
        **facts: Any,
    ) -> ModelCard:
        """Store a fitted pipeline as a new version; `facts` are the other fields of its card.

        `held_out` are the rows of its holdout with what its twin forecast of them.
        """
        data = sio.dumps(pipeline, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
        sha256 = hashlib.sha256(data).hexdigest()
        created = dt.datetime.now(dt.UTC)
        card = ModelCard(
            model=model,
            version=f"{month}_{created:%Y%m%dT%H%M%S%f}_{sha256[:8]}",
            month=month,
            created=created,
            size=len(data),
            sha256=sha256,
            **facts,
        )
        self.storage.write(self._path(model, card.version, MODEL), data)
        if held_out is not None:
            self.storage.write(self._path(model, card.version, HOLDOUT), as_parquet(held_out))
        self._log(model, card.version).add(CARD, card)
        self._stand_in(card)
        return card

    def _stand_in(self, new: ModelCard) -> None:
        """Retire the versions of the same month that are damaged, as if they had never been."""
        retired = self.decisions.retired(new.model)
        damaged: dict[str, StorageError] = {}
        for card in self.cards(new.model, damaged):
            if card.month != new.month or card.version in retired:
                continue
            try:
                self._read(card)
            except StorageError as error:
                damaged[card.version] = error
        for version, why in damaged.items():
            if version.startswith(f"{new.month}_"):
                after = {DAMAGED: True}
                reason = f"{why}; {new.version} stands in for it"
                self.decisions.record(
                    Action.RETIRE, new.model, version=version, after=after, reason=reason
                )

    def _log(self, model: str, version: str) -> RecordLog[ModelCard]:
        return RecordLog(self.storage, f"models/{model}/{version}", ModelCard, what="model card")

    def cards(self, model: str, damaged: dict[str, StorageError] | None = None) -> list[ModelCard]:
        """The cards of all versions of a model, oldest data first, then oldest training first.

        A damaged or missing one raises, unless `damaged` is given: then its error is put there by
        version. One in whose place another one of its month was trained since is left out.
        """
        cards = []
        for name in self.versions(model):
            try:
                card = self.card(model, name)
            except StorageError as error:
                if name in self.replaced(model):
                    continue
                if damaged is None:
                    raise
                damaged[name] = error
            else:
                cards += [] if card is None else [card]
        return sorted(cards, key=lambda card: (card.trained_through, card.created))

    def versions(self, model: str) -> list[str]:
        """The names of all versions of a model, of missing and half-written ones as well."""
        return [n for n in self.storage.known(f"models/{model}") if VERSION.fullmatch(n)]

    def replaced(self, model: str) -> set[str]:
        """The versions that are damaged and have another one in their place."""
        state = {one.version: one for one in self.decisions.retirements(model)}
        return {
            version
            for version, decision in state.items()
            if decision.action == Action.RETIRE and DAMAGED in (decision.after or {})
        }

    def card(self, model: str, version: str) -> ModelCard | None:
        """The card of one version; None while it is still being written."""
        try:
            card = self._log(model, version).read(CARD)
        except FileNotFoundError:
            return None
        by_now = self.storage.renamed.get(card.model, card.model)
        if by_now != card.model:
            card = card.model_copy(update={"model": by_now})
        if (card.model, card.version) != (model, version):
            why = f"is the card of {card.version} of {card.model}"
            raise damaged_file(self.storage, self._path(model, version, CARD), why)
        return card

    def fit_to_serve(self, model: str) -> list[ModelCard]:
        """Of the cards that can be read, those that were accepted and are not retired."""
        retired = self.decisions.retired(model)
        known = self.cards(model, {})
        return [card for card in known if card.accepted and card.version not in retired]

    def in_service(self, model: str, day: dt.date) -> ModelCard | None:
        """The version that scores a day: the newest fit one, learned only from what was known."""
        return serving(self.fit_to_serve(model), day)

    def in_shadow(self, model: str, day: dt.date) -> ModelCard | None:
        """The version that is scored in shadow on a day, where none is in service."""
        retired = self.decisions.retired(model)
        cards = self.cards(model, {})
        return serving([c for c in cards if c.refused and c.version not in retired], day)

    def scored(self, model: str, day: dt.date) -> ModelCard | None:
        """The version whose forecasts of a day are scored: in service, or else in shadow."""
        return self.in_service(model, day) or self.in_shadow(model, day)

    def chosen(self, model: str, day_of: Callable[[dt.datetime], dt.date]) -> Chosen[ModelCard]:
        """By which versions the days that are over are judged; `day_of` is the day of a time."""
        retired: dict[str, list[tuple[dt.date, bool]]] = {}
        for decision in self.decisions.retirements(model):
            told = day_of(decision.at), decision.action == Action.RETIRE
            retired.setdefault(decision.version, []).append(told)
        replaced, damaged = self.replaced(model), dict[str, StorageError]()
        cards = [card for card in self.cards(model, damaged) if card.version not in replaced]
        by_settings = sorted((c for c in cards if c.as_settings), key=lambda card: card.created)
        as_then = as_settings_said_then(
            (card.version, day_of(card.created), card.recipe) for card in by_settings
        )
        made = {c.version: c.created for c in cards} | {name: _created(name) for name in damaged}
        candidates = [*(card.version for card in by_settings), *damaged]
        newest_first = sorted(candidates, key=lambda one: made[one], reverse=True)
        first = {version[:MONTH]: version for version in newest_first}
        in_time = {*first.values()} & {*damaged, *as_then}
        return Chosen(
            [card for card in cards if card.accepted],
            {version: day_of(made[version]) for version in made if version not in in_time},
            retired,
            [card for card in cards if card.refused],
            [
                Unreadable(
                    version, dt.date.fromisoformat(version[:MONTH]), day_of(made[version]), error
                )
                for version, error in damaged.items()
            ],
        )

    def find(self, version: str) -> ModelCard:
        """The card of a version of any model, by its name or the end of that which is its own.

        ValueError that lists the newest ones.
        """
        versions = {
            name: model
            for model in self.storage.names("models")
            if IDENTIFIER.fullmatch(model)
            for name in self.storage.names(f"models/{model}")
            if VERSION.fullmatch(name)
        }
        known = [name for name in versions if version in (name, short(name))]
        card = self.card(versions[known[0]], known[0]) if len(known) == 1 else None
        if card is None:
            newest = sorted(versions, key=lambda name: name.split("_")[1], reverse=True)
            listed = ", ".join(f"{name} ({versions[name]})" for name in newest[:SHOWN_VERSIONS])
            raise ValueError(
                f"{version!r} is no stored version; the newest are: {listed or 'none'}"
            )
        return card

    def delete(self, model: str, version: str | None = None) -> None:
        """Remove one version, or all of a model."""
        self.storage.delete(f"models/{model}/{version}" if version else f"models/{model}")

    def load(self, card: ModelCard) -> sklearn.pipeline.Pipeline:
        """The fitted pipeline of a card.

        StorageError when its bytes are not those of the card, or are no fitted pipeline.
        Nothing stored is executed: only audited types are restored.
        """
        data = self._read(card)
        path = self._path(card.model, card.version, MODEL)
        try:
            pipeline: sklearn.pipeline.Pipeline = sio.loads(data, trusted=trusted_types())
            if not isinstance(pipeline, sklearn.pipeline.Pipeline):
                raise TypeError(f"it holds a {type(pipeline).__name__}")
            sklearn.utils.validation.check_is_fitted(pipeline)
        except sio.exceptions.UntrustedTypesFoundException as error:
            raise StorageError(
                f"{self.storage.url(path)} holds types that are not trusted: {error}; where a "
                f"plugin brings the family {card.family}, read the settings that name it first "
                "(load_project), and have the family declare them as its trusted_types"
            ) from error
        except UNREADABLE as error:
            why = f"is no fitted pipeline ({error})"
            raise damaged_file(self.storage, path, why) from error
        return pipeline

    def _read(self, card: ModelCard) -> bytes:
        """The bytes of a pipeline. StorageError when they are not those of its card."""
        path = self._path(card.model, card.version, MODEL)
        try:
            data = self.storage.read(path)
        except FileNotFoundError as error:
            raise damaged_file(self.storage, path, "is missing") from error
        if hashlib.sha256(data).hexdigest() != card.sha256:
            why = "does not match the SHA-256 of its card: it is damaged or was replaced"
            raise damaged_file(self.storage, path, why)
        return data

    def held_out(self, card: ModelCard) -> pd.DataFrame | None:
        """The rows of a version's holdout with what its twin forecast of them.

        None of versions that kept none. StorageError when they are damaged.
        """
        path = self._path(card.model, card.version, HOLDOUT)
        try:
            frame: pd.DataFrame = read_parquet(self.storage, path).to_pandas()
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            raise damaged_file(self.storage, path, f"cannot be read ({error})") from error
        return frame

    def keep_reference(self, card: ModelCard, told: Mapping[str, Any]) -> None:
        """Keep what drift compares with beside a version that learned from it."""
        path = self._path(card.model, card.version, REFERENCE)
        self.storage.write(path, json.dumps(told).encode())

    def reference(self, card: ModelCard) -> dict[str, Any] | None:
        """What drift compares with; None where it is not there or damaged, to be made again."""
        try:
            found = json.loads(self.storage.read(self._path(card.model, card.version, REFERENCE)))
        except (FileNotFoundError, StorageError, ValueError):
            return None
        return found if isinstance(found, dict) else None


class KeepingModelStore(ModelStore):
    """Keeps the cards, decisions and newest pipelines that it has read, which never change."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.decisions = Decisions(storage, keeps=True)
        self._known: dict[tuple[str, str], ModelCard] = {}
        self._loaded: dict[tuple[str, str], tuple[int, sklearn.pipeline.Pipeline]] = {}

    def load(self, card: ModelCard) -> sklearn.pipeline.Pipeline:
        key = card.model, card.version
        if key not in self._loaded:
            self._loaded[key] = card.size, super().load(card)
        pipeline = self._loaded[key][1]
        while sum(size for size, _ in self._loaded.values()) > KEPT_BYTES:
            del self._loaded[next(iter(self._loaded))]
        return pipeline

    def card(self, model: str, version: str) -> ModelCard | None:
        if (model, version) not in self._known:
            card = super().card(model, version)
            if card is None:
                return None
            self._known[model, version] = card
        return self._known[model, version]
