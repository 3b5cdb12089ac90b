"""What the body of an asset reads the stores through: only what the asset declares to read."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from mlops_assets.graph.reads import Every, Node, Reads, ReadsVersions
from mlops_assets.lazy import pd, sklearn
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.project.made_for import MadeFor
from mlops_assets.resources.formats import keep_format
from mlops_assets.resources.layout import asset_of
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore, Told
from mlops_assets.resources.stores.model_store import KeepingModelStore, ModelCard, ModelStore

# The newest reads by dataset and days, with their bytes: the assets of a run read the same ones one
# after another.
Kept: TypeAlias = "dict[tuple[str, ...], tuple[pd.DataFrame, int]]"
KEPT_BYTES = 250_000_000


class UndeclaredReadError(RuntimeError):
    """An asset reads what it does not declare."""

    def __init__(self, node: Node, what: str) -> None:
        super().__init__(
            f"{node.asset} reads {what}, which it does not declare; declare it in "
            "mlops_assets/graph/reads.py, or do not read it"
        )


class Readers:
    """The stores of a run, and what its assets read one after another."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        storage: Storage,
        made: Mapping[str, MadeFor] | None = None,
        due: DueDays = EVERY_DAY,
    ) -> None:
        keep_format(storage)
        self.nodes, self.storage, self.made, self.due = nodes, storage, made, due
        self._kept: Kept = {}
        self._models = KeepingModelStore(storage)

    def datasets(self, asset: str, keys: Iterable[str]) -> DatasetReader:
        """The datasets that partitions of an asset may read."""
        node = self.nodes[asset]
        return DatasetReader(node, keys, self.storage, self._kept, self.made, self.due)

    def models(self, asset: str) -> ModelReader:
        """The versions that an asset may read."""
        return ModelReader(self.nodes[asset], self._models)


class DatasetReader(DatasetStore):
    """Refuses datasets and days that an asset does not declare; what it writes is its own."""

    def __init__(
        self,
        node: Node,
        keys: Iterable[str],
        storage: Storage,
        kept: Kept,
        made: Mapping[str, MadeFor] | None = None,
        due: DueDays = EVERY_DAY,
    ) -> None:
        super().__init__(storage, made)
        self.node, self._kept, self.due = node, kept, due
        self.own = sorted(map(self._position, keys)) if node.every is not Every.PROJECT else []
        self.spans: dict[str, list[range]] = {}
        for read in node.reads:
            if isinstance(read, Reads):
                self.spans.setdefault(read.asset, []).extend(_spans(read.back))

    def read(
        self,
        dataset: str,
        keys: Iterable[str],
        damaged: dict[str, StorageError] | None = None,
    ) -> pd.DataFrame:
        keys = list(keys)
        self._refuse_undeclared(dataset, keys)
        if (kept := self._kept.get((dataset, *keys))) is not None:
            return kept[0]
        found: dict[str, StorageError] | None = None if damaged is None else {}
        frame = super().read(dataset, keys, found)
        if found:
            assert damaged is not None
            damaged |= found
        elif len(frame) and asset_of(dataset) != self.node.asset:
            self._kept[dataset, *keys] = frame, int(frame.memory_usage().sum())
            while sum(size for _, size in self._kept.values()) > KEPT_BYTES:
                del self._kept[next(iter(self._kept))]
        return frame

    def keys(self, dataset: str) -> list[str]:
        if asset_of(dataset) not in {self.node.asset, *self.spans}:
            raise UndeclaredReadError(self.node, f"which days of {dataset} are stored")
        return super().keys(dataset)

    def told(
        self,
        dataset: str,
        keys: Iterable[str],
        name: str,
        damaged: dict[str, StorageError] | None = None,
    ) -> dict[str, Told]:
        keys = list(keys)
        self._refuse_undeclared(dataset, keys)
        return super().told(dataset, keys, name, damaged)

    def write(
        self, dataset: str, key: str, frame: pd.DataFrame, told: Mapping[str, str] | None = None
    ) -> str:
        self._forget(dataset)
        return super().write(dataset, key, frame, told)

    def delete(self, dataset: str, key: str | None = None) -> None:
        self._forget(dataset)
        super().delete(dataset, key)

    def _forget(self, dataset: str) -> None:
        for read in [read for read in self._kept if read[0] == dataset]:
            del self._kept[read]

    def _refuse_undeclared(self, dataset: str, keys: Iterable[str]) -> None:
        for key in keys:
            if not self._may_read(dataset, key):
                raise UndeclaredReadError(self.node, f"{dataset} of {key}")

    def _may_read(self, dataset: str, key: str) -> bool:
        asset = asset_of(dataset)
        if self.node.every is Every.PROJECT:
            return asset in self.spans
        position = self._position(key)
        return any(self._within(position, span) for span in self.spans.get(asset, ()))

    def _within(self, position: int, span: range) -> bool:
        """Whether one of the own partitions lies so many days after a position."""
        first = bisect_left(self.own, position + span.start)
        return first < len(self.own) and self.own[first] < position + span.stop

    def _position(self, key: str) -> int:
        return self.due.number(dt.date.fromisoformat(key))


class ModelReader(ModelStore):
    """Refuses the versions of models that an asset does not declare to read.

    It lists versions and decisions once, until it adds to them: those of one moment.
    """

    def __init__(self, node: Node, kept: KeepingModelStore) -> None:
        super().__init__(kept.storage)
        self.node, self._kept, self.decisions = node, kept, kept.decisions.as_of_now()
        self._listed: dict[str, list[str]] = {}
        self.allowed = {read.model for read in node.reads if isinstance(read, ReadsVersions)}

    def cards(self, model: str, damaged: dict[str, StorageError] | None = None) -> list[ModelCard]:
        self._check(model)
        return super().cards(model, damaged)

    def versions(self, model: str) -> list[str]:
        if model not in self._listed:
            self._listed[model] = super().versions(model)
        return self._listed[model]

    def add(
        self, pipeline: sklearn.pipeline.Pipeline, *, model: str, month: str, **facts: Any
    ) -> ModelCard:
        self._listed.clear()
        return super().add(pipeline, model=model, month=month, **facts)

    def card(self, model: str, version: str) -> ModelCard | None:
        self._check(model)
        return self._kept.card(model, version)

    def load(self, card: ModelCard) -> sklearn.pipeline.Pipeline:
        self._check(card.model)
        return self._kept.load(card)

    def held_out(self, card: ModelCard) -> pd.DataFrame | None:
        self._check(card.model)
        return super().held_out(card)

    def reference(self, card: ModelCard) -> dict[str, Any] | None:
        self._check(card.model)
        return super().reference(card)

    def keep_reference(self, card: ModelCard, told: Mapping[str, Any]) -> None:
        self._check(card.model)
        super().keep_reference(card, told)

    def _check(self, model: str) -> None:
        if model not in self.allowed:
            raise UndeclaredReadError(self.node, f"the versions of {model}")


def _spans(back: Sequence[int]) -> Iterator[range]:
    """Numbers in ascending order as ranges without gaps."""
    if isinstance(back, range):
        yield back
        return
    start = 0
    for n in range(1, len(back) + 1):
        if n == len(back) or back[n] != back[n - 1] + 1:
            yield range(back[start], back[n - 1] + 1)
            start = n
