"""Removes what is stored and of no use any more: versions, shadow forecasts, days before the first.

Never what a score, a decision, the champion, a pin or the audit trail names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import click

from mlops_assets.graph.partitions import Partitions, day_of, make_partitions
from mlops_assets.lazy import pa
from mlops_assets.ml.metrics.day_sums import SUMS
from mlops_assets.ml.selection.versions import previous_version, serving
from mlops_assets.project import Project
from mlops_assets.project.made_for import made_for
from mlops_assets.project.workspace import load_named
from mlops_assets.resources.layout import DATASETS, PLAIN
from mlops_assets.resources.object_store import pack_of
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stored_files import is_key
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore, read_parquet
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import VERSION, ModelCard, ModelStore

# of these nothing is removed: who was champion, from when on and why
DECIDED = ("champion", "champion_evidence")
MONTHLY = ("training_set",)
SHADOW = ("previous_version", "previous_forecast")
# folders of what was decided, told and tried, in whose texts versions are named
AUDIT = ("registry/decisions", "registry/turns", "alerts", "policies")
AHEAD = dt.timedelta(days=366)  # so far ahead it is looked which version will serve


class Finding(NamedTuple):
    """Something that is of no use any more."""

    kind: str
    what: str
    remove: Callable[[], None]


def prune(names: Sequence[str], older: int, yes: bool) -> None:
    """Print what is of no use any more of projects, and with `yes` remove it.

    `older` are the days since versions were made, or days evaluated, before they count.
    """
    for name in names:
        settings = load_named(name)
        storage = project_storage(settings)
        project, _ = Registry(storage).apply(settings)
        pruning = Pruning(project, storage, older)
        found = list(pruning.findings())
        for kind in dict.fromkeys(finding.kind for finding in found):
            some = [finding.what for finding in found if finding.kind == kind]
            few = ", ".join(some[:3]) + (f" to {some[-1]}" if len(some) > 3 else "")
            click.echo(f"{project.name}: {len(some)} {kind}: {few}")
        if not found:
            click.echo(f"{project.name}: nothing is of no use")
        elif yes:
            pruning.record()
            for finding in found:
                finding.remove()
            click.echo(f"{project.name}: removed")
        else:
            click.echo(f"{project.name}: `mlops-assets prune --older {older} --yes` removes that")


class Pruning:
    """What of a project is of no use any more."""

    def __init__(self, project: Project, storage: Storage, older: int) -> None:
        self.project, self.storage = project, storage
        self.datasets = DatasetStore(storage, made_for(project))
        self.models = ModelStore(storage)
        self.partitions: Partitions = make_partitions(project, storage)
        self.before = project.today() - dt.timedelta(days=older)
        self._versions: dict[str, list[str]] = {}
        self._stripped: set[tuple[str, str]] = set()

    def findings(self) -> Iterator[Finding]:
        """All of it; the days first, whose scores name versions."""
        yield from self._days()
        yield from self._shadows()
        yield from self._unused()

    def record(self) -> None:
        """Note in the audit trail which versions are removed."""
        for model, versions in self._versions.items():
            self.models.decisions.record(Action.PRUNE, model, after={"versions": versions})

    def _kept(self, dataset: str) -> Iterator[str]:
        """The keys of a dataset that stay."""
        keys = filter(is_key, self.datasets.keys(dataset))
        return (key for key in keys if dataset in DECIDED or day_of(key) >= self._first(dataset))

    def _first(self, dataset: str) -> dt.date:
        partitions = self.partitions
        return partitions.first_month if dataset in MONTHLY else partitions.first_day

    def _days(self) -> Iterator[Finding]:
        """Days and months that are none any more, since the settings begin later now."""
        for dataset in self._all_datasets():
            gone = {*filter(is_key, self.datasets.keys(dataset))} - {*self._kept(dataset)}
            for key in sorted(gone):
                remove = partial(self._remove, dataset, key)
                yield Finding(f"of {dataset} before the first", key, remove)

    def _remove(self, dataset: str, key: str) -> None:
        self.datasets.delete(dataset, key)
        path = self.datasets.path(dataset, key)
        self.storage.delete(path.replace(".parquet", ".csv"))
        if pack := pack_of(path):
            self.storage.delete(pack)

    def _all_datasets(self) -> Iterator[str]:
        for kind in DATASETS:
            if kind in PLAIN:
                continue
            yield from self._below(kind)

    def _below(self, dataset: str) -> Iterator[str]:
        """A dataset, or those in its folder, such as of each model."""
        names = self.storage.names(f"datasets/{dataset}")
        if any(name.endswith(".parquet") for name in names):
            yield dataset
        for name in names:
            if "." not in name:
                yield from self._below(f"{dataset}/{name}")

    def _shadows(self) -> Iterator[Finding]:
        """What previous versions forecast for old days, where the file tells what that came to."""
        for dataset in self._below("validation"):
            keys = [key for key in self._kept(dataset) if day_of(key) < self.before]
            told = self.datasets.told(dataset, keys, SUMS)
            for key in (key for key in keys if key in told and told[key].text):
                table = self._table(dataset, key)
                if {*SHADOW} <= {*table.column_names}:
                    self._stripped.add((dataset, key))
                    remove = partial(self._without_shadow, dataset, key)
                    yield Finding(f"shadow forecasts in {dataset}", key, remove)

    def _table(self, dataset: str, key: str) -> pa.Table:
        return read_parquet(self.storage, self.datasets.path(dataset, key))

    def _without_shadow(self, dataset: str, key: str) -> None:
        """The same file, which tells the same, without these forecasts."""
        table = self._table(dataset, key)
        frame = table.drop_columns(list(SHADOW)).to_pandas()
        said = {name.decode(): text.decode() for name, text in table.schema.metadata.items()}
        said = {name: text for name, text in said.items() if name != "pandas"}
        DatasetStore(self.storage).write(dataset, key, frame, said)

    def _unused(self) -> Iterator[Finding]:
        """Old versions that nothing names, and that serve no day."""
        named = self._named()
        for model in self.storage.names("models"):
            damaged: dict[str, StorageError] = {}
            cards = self.models.cards(model, damaged)
            used = named | self._serving(model, cards) | damaged.keys()
            old = [c for c in cards if c.created.date() < self.before and c.version not in used]
            if old:
                self._versions[model] = [card.version for card in old]
            for card in old:
                remove = partial(self.models.delete, model, card.version)
                yield Finding(f"versions of {model}", card.version, remove)

    def _named(self) -> set[str]:
        """The versions that a score, a decision or the audit trail names."""
        texts = set[str]()
        for folder in AUDIT:
            texts.update(self._texts(folder))
        for dataset in self._all_datasets():
            if dataset in ("observations", "features", "training_set"):
                continue
            for key in self._kept(dataset):
                table = self._table(dataset, key)
                gone = SHADOW if (dataset, key) in self._stripped else ()
                names = (n for n in table.column_names if n.endswith("version") and n not in gone)
                for name in names:
                    texts.update(filter(None, table.column(name).unique().to_pylist()))
        return {found for text in texts for found in VERSION.findall(text)}

    def _texts(self, folder: str) -> Iterator[str]:
        for name in self.storage.names(folder):
            if name.endswith(".json"):
                yield self.storage.read(f"{folder}/{name}").decode()
            elif "." not in name:
                yield from self._texts(f"{folder}/{name}")

    def _serving(self, model: str, cards: Sequence[ModelCard]) -> set[str]:
        """The versions that serve a day, from the first on, or that say how others are judged."""
        chosen = self.models.chosen(model, self.project.period_of).readable
        fit = self.models.fit_to_serve(model)
        used = {card.version for card in cards[-2:]}
        seen = set[str]()
        for card in sorted(cards, key=lambda card: card.created):
            # the first of a month counts as made in time, the others do not
            if card.month not in seen and day_of(card.month) >= self.partitions.first_month:
                used.add(card.version)
            seen.add(card.month)
        end = self.project.today() + AHEAD
        for day in map(day_of, self.partitions.keys(self.partitions.first_day, end)):
            now = serving(fit, day)
            before = now and previous_version(fit, now)
            on = (now, before, *chosen.in_turn(day), chosen.in_shadow(day))
            used |= {card.version for card in on if card}
        return used
