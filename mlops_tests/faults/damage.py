"""Damages every kind of stored file in every way, and tells what its reader makes of it.

    python -m mlops_tests.faults.damage FOLDER --flips 1500

prints a table. FOLDER holds a small project with its history (`mlops_tests/small.py`); without one
it is built first.
"""

import argparse
import datetime as dt
import random
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets import load_champion
from mlops_assets.assets.soundness import FACTS
from mlops_assets.assets.validation import SUMS
from mlops_assets.graph.partitions import FIRST_DAY_FILE, make_partitions
from mlops_assets.ml.monitoring.distribution import reference_of
from mlops_assets.project import Cadence, ModelSettings, Project, ReplaySettings, load_project
from mlops_assets.project.made_for import made_for
from mlops_assets.resources.layout import DATASETS, REFERENCE, REPLAYED, log_of
from mlops_assets.resources.notifier import FOLDER as CHANNELS
from mlops_assets.resources.notifier import Channel
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.sources.columns import check_columns
from mlops_assets.resources.sources.replay import ReplaySource
from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_assets.resources.stores.alert_records import Alert, Alerts
from mlops_assets.resources.stores.alert_records import Kind as AlertKind
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore, Told
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_assets.resources.stores.record_log import RecordLog

OUTCOMES = ("right", "named", "wrong", "traceback")
"""Read as it was; an error that names the file; read as something else; another error."""
DAY = dt.date(2026, 11, 10)
MADE_AGAIN: dict[str, Any] = {}
OTHER = b"what a program of somebody else has written"


@dataclass
class Kind:
    """The files of one kind, and how the product reads one of them."""

    paths: list[str]
    read: Callable[[str], Any]
    older: dict[str, bytes] = field(default_factory=dict)
    """Their bytes before they were written again, where that may be."""


class Store:
    """A copy of the storage of a small project, with a file of every kind."""

    def __init__(self, folder: Path, to: Path) -> None:
        self.storage = LocalStorage(str(shutil.copytree(folder / "storage", to / "storage")))
        self.project = load_project(folder / "problem" / "project.yaml")
        self.models = ModelStore(self.storage)
        self.datasets = DatasetStore(self.storage, made_for(self.project))
        self.registry = Registry(self.storage)
        self._add()

    def file(self, path: str) -> Path:
        return Path(self.storage.root, path)

    def _add(self) -> None:
        """What the history of a small project lacks."""
        ridge = ModelSettings(
            name="mine", family="ridge", hyperparameters={"alpha": 3.0}, cadence=Cadence.MANUAL
        )
        self.registry.create(ridge)
        self.registry.update(self.project, "linear", {"alpha": 5.0})
        for action in (Action.CREATE, Action.PIN, Action.UNPIN):
            after = {"first": str(DAY)}
            self.models.decisions.record(action, "linear", by="ada", reason="a test", after=after)
        now = dt.datetime(2026, 11, 18, tzinfo=dt.UTC)
        for day in range(3):
            said = Alert(
                at=now, kind=AlertKind.CHECK_FAILED, key=f"a:{day}", subject="s", text="t", url="u"
            )
            Alerts(self.storage).record(said)
        channels = RecordLog(self.storage, CHANNELS, Channel, what="channel")
        channels.replace("one.json", Channel(since=now, delivered=["a", "b"]))
        [issued] = self.datasets.keys("issued")
        for days in range(1, 6):
            frame = self.datasets.read("issued", [issued])
            earlier = dt.date.fromisoformat(issued) - dt.timedelta(days=days)
            self.datasets.write("issued", str(earlier), frame.iloc[days:])
        self.datasets.write("model_registry", "newest", frame)
        for path in (FIRST_DAY_FILE, REPLAYED):
            self.storage.write(path, b"2026-08-25\n")

    def kinds(self) -> Iterator[tuple[str, Kind]]:
        """Every kind of stored file by its name."""
        every = [path for path, _ in self.storage.files()]
        for dataset in DATASETS:
            paths = [p for p in every if p.startswith(f"datasets/{dataset}/") and _is_parquet(p)]
            yield dataset, Kind(paths, self._frame, self._rewritten(paths[:20]))
        for dataset, said in (("observations", FACTS), ("validation", SUMS)):
            paths = [p for p in every if p.startswith(f"datasets/{dataset}/") and _is_parquet(p)]
            yield f"footers of {dataset}", Kind(paths, partial(self._told, said))
        logs = [p for p in every if p.endswith(log_of(f"{DAY}.parquet"))]
        yield "log of writes", Kind(logs, self._logged)
        cards = [p for p in every if p.endswith("/card.json")]
        yield "card", Kind(cards, lambda path: self.models.card(*path.split("/")[1:3]))
        models = [p for p in every if p.endswith(".skops")]
        yield "model", Kind(models, self._model)
        references = [p for p in every if p.endswith(f"/{REFERENCE}")]
        yield "reference", Kind(references, self._reference)
        held_out = [p for p in every if p.endswith("/holdout.parquet")]
        yield "holdout", Kind(held_out, self._held_out)
        for folder, kind in (("decisions", Decision), ("alerts", Alert), (CHANNELS, Channel)):
            place = f"registry/{folder}" if kind is Decision else folder
            records = RecordLog(self.storage, place, kind, what=folder)
            paths = [records.path(name) for name in records.names()]
            yield folder, Kind(paths, lambda path, log=records: log.read(path.split("/")[-1]))
        paths = ["registry/models/mine.yaml", "registry/updates/linear.yaml"]
        yield "registry", Kind(paths, lambda _: self._registry())
        yield "index", Kind(["source_index.json"], lambda _: self._source())
        yield "columns", Kind(["source_columns.json"], lambda _: self._columns())
        yield "first day", Kind([FIRST_DAY_FILE], lambda _: self._first_day())
        yield "replayed through", Kind([REPLAYED], lambda _: self._replayed())
        yield "load_champion", Kind(self._champion(), lambda _: load_champion(self.storage.root)[1])

    def _frame(self, path: str) -> pd.DataFrame:
        _, *dataset, name = path.split("/")
        return self.datasets.read("/".join(dataset), [name.partition(".")[0]])

    def _told(self, name: str, path: str) -> Told:
        _, *dataset, file = path.split("/")
        key, damaged = file.partition(".")[0], dict[str, StorageError]()
        told = self.datasets.told("/".join(dataset), [key], name, damaged)
        if damaged:
            raise damaged[key]
        assert told[key].text
        return told[key]

    def _reference(self, path: str) -> dict[str, Any]:
        """What drift compares with: what is kept, else it is made again."""
        card = self.models.card(*path.split("/")[1:3])
        assert card is not None
        project, kept = self.project, self.models.reference(card)
        settings, weights = project.drift, card.importance
        found = reference_of(project.feature_plan, settings, None, card.inputs, weights)
        return found.told() if kept is not None and found.remember(kept) else MADE_AGAIN

    def _rewritten(self, paths: list[str]) -> dict[str, bytes]:
        """Write files again with a row less and as they were; what they held in between."""
        older = {}
        for path in paths:
            _, *dataset, name = path.split("/")
            key, of = name.partition(".")[0], "/".join(dataset)
            frame = self._frame(path)
            self.datasets.write(of, key, frame.iloc[1:])
            older[path] = self.file(path).read_bytes()
            self.datasets.write(of, key, frame)
        return older

    def _logged(self, path: str) -> list[pd.DataFrame]:
        """The files of the month that a log tells of."""
        month = path[path.rfind("/") + 2 :].removesuffix(".written")
        folder = self.file(path).parent
        files = [file for file in sorted(folder.iterdir()) if file.name.startswith(month)][:5]
        found = [f.relative_to(self.storage.root).as_posix() for f in files if _is_parquet(f.name)]
        return [self._frame(one) for one in found]

    def _model(self, path: str) -> bytes:
        """Its bytes, once it is loaded: what these say was known when it was stored."""
        card = self.models.card(*path.split("/")[1:3])
        assert card is not None
        self.models.load(card)
        return self.file(path).read_bytes()

    def _held_out(self, path: str) -> Any:
        card = self.models.card(*path.split("/")[1:3])
        assert card is not None
        return self.models.held_out(card)

    def _registry(self) -> Project:
        project, left_out = self.registry.apply(self.project)
        if left_out:
            raise StorageError(" ".join(left_out.values()))
        return project

    def _source(self) -> Any:
        source = make_source(self.project, self.storage)
        return source.fingerprints(DAY, DAY + dt.timedelta(days=3))

    def _columns(self) -> None:
        check_columns(self.project, self.storage)

    def _replayed(self) -> dt.date | None:
        settings = ReplaySettings(kind="replay", path="rows.csv")
        return ReplaySource(settings, self.project, self.storage).through(DAY)

    def _first_day(self) -> dt.date:
        without = self.project.model_copy(update={"first_day": None})
        return make_partitions(without, self.storage).first_day

    def _champion(self) -> list[str]:
        """The files that it depends on: the newest record, the version and the audit trail."""
        _, card = load_champion(self.storage.root)
        version = f"models/{card.model}/{card.version}"
        record = self.datasets.path("champion", self.datasets.keys("champion")[-1])
        decisions = [self.models.decisions.log.path(n) for n in self.models.decisions.log.names()]
        return [record, f"{version}/card.json", f"{version}/model.skops", *decisions]


def _is_parquet(path: str) -> bool:
    return path.endswith(".parquet")


Damage = Callable[[random.Random, bytes, Kind, str, Store], bytes]


def flipped(chance: random.Random, data: bytes, *_: Any) -> bytes:
    """One bit is another."""
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut_short(chance: random.Random, data: bytes, *_: Any) -> bytes:
    """It ends early, mostly shortly before its end."""
    return data[: chance.choice([0, chance.randrange(len(data)), len(data) - 1, len(data) - 8])]


def blanked(chance: random.Random, data: bytes, *_: Any) -> bytes:
    """A block is zeros, as after a power cut."""
    start = chance.randrange(len(data))
    end = min(start + chance.choice([8, 512, 4096]), len(data))
    return data[:start] + bytes(end - start) + data[end:]


def swapped(chance: random.Random, data: bytes, kind: Kind, path: str, store: Store) -> bytes:
    """The file of another day, model or version lies there."""
    return store.file(chance.choice(kind.paths)).read_bytes()


def put_back(chance: random.Random, data: bytes, kind: Kind, path: str, store: Store) -> bytes:
    """An older one lies there."""
    return kind.older.get(path, data)


def foreign(*_: Any) -> bytes:
    """Something else lies there."""
    return OTHER


DAMAGES: dict[str, Damage] = {
    "flip": flipped,
    "cut short": cut_short,
    "zeros": blanked,
    "another file": swapped,
    "older file": put_back,
    "foreign": foreign,
}


def tried(
    store: Store, kind: Kind, damage: Damage, tries: int, chance: random.Random
) -> Iterator[tuple[str, str]]:
    """What the reader made of each damaged file, and which it was."""
    paths = [*kind.older] if damage is put_back else kind.paths
    intact: dict[str, Any] = {}
    for _ in range(tries if paths else 0):
        path = chance.choice(paths)
        file = store.file(path)
        data = file.read_bytes()
        if path not in intact:
            intact[path] = kind.read(path)
        changed = damage(chance, data, kind, path, store)
        if changed == data:
            continue
        file.write_bytes(changed)
        try:
            with warnings.catch_warnings():  # that an older version stands in is told as one
                warnings.simplefilter("error", UserWarning)
                outcome = "right" if _same(kind.read(path), intact[path]) else "wrong"
        except (StorageError, UserWarning) as error:
            outcome = "named" if str(file.parent) in str(error) else "traceback"
        except Exception:  # of any kind: that is what is counted
            outcome = "traceback"
        finally:
            file.write_bytes(data)
        yield outcome, path


def _same(found: Any, right: Any) -> bool:
    if found is MADE_AGAIN:
        return True
    if isinstance(right, pd.DataFrame):
        return bool(found.equals(right)) and [*found.dtypes] == [*right.dtypes]
    if isinstance(right, list):
        return len(found) == len(right) and all(map(_same, found, right))
    return bool(found == right)


def table(store: Store, flips: int, others: int) -> dict[tuple[str, str], Counter[str]]:
    """How often which damage of which kind of file had which outcome."""
    counted: dict[tuple[str, str], Counter[str]] = {}
    for name, kind in store.kinds():
        assert kind.paths, name
        for what, damage in DAMAGES.items():
            chance = random.Random(f"{name} {what}")
            tries = flips if damage is flipped else others
            outcomes = Counter(outcome for outcome, _ in tried(store, kind, damage, tries, chance))
            counted[name, what] = outcomes
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--flips", type=int, default=1500)
    parser.add_argument("--others", type=int, default=150)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary, "small")
        if not asked.folder:
            from mlops_tests import clock
            from mlops_tests.small import build_small_history

            clock.fix_today()
            folder.mkdir()
            build_small_history(folder)
        counted = table(Store(folder, Path(temporary)), asked.flips, asked.others)
    print("\n".join(lines(counted)))


def lines(counted: dict[tuple[str, str], Counter[str]]) -> Iterator[str]:
    """The table in Markdown: a line for each kind of file, and one for all."""
    yield f"| stored file | flips | other damage | {' | '.join(OUTCOMES)} |"
    yield f"|---|{'---:|' * (len(OUTCOMES) + 2)}"
    names = [*dict.fromkeys(name for name, _ in counted)]
    for title, those in [*((name, [name]) for name in names), ("**all**", names)]:
        flips, others = Counter[str](), Counter[str]()
        for (name, what), outcomes in counted.items():
            if name in those:
                (flips if what == "flip" else others).update(outcomes)
        both = flips + others
        shown = " | ".join(
            f"{n:,}" for n in [flips.total(), others.total(), *(both[o] for o in OUTCOMES)]
        )
        yield f"| {title} | {shown} |"


if __name__ == "__main__":
    main()
