"""What is stored of a project as pages read it: each file once, for as long as it is the same."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import holidays_of
from mlops_assets.ml.metrics.day_sums import SUMS
from mlops_assets.ml.metrics.metric import Metric
from mlops_assets.ml.metrics.scores import IN_SHADOW
from mlops_assets.pages.drawing import Json, line_style
from mlops_assets.pages.view import View, view_of
from mlops_assets.project import Project
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.alert_records import Alerts
from mlops_assets.resources.stores.champions import Record, newest_record
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import VERSION, KeepingModelStore, ModelCard

ENDING = ".parquet"
BATCH = 31  # days that are read and made small together
A_YEAR, YEARS = 365, 3  # so many days are shown, or years of longer periods
KEPT_ROWS = 2_000_000  # of what was made of days
BOARD = "leaderboard"

SINCE = ("reconstructed_version", "reconstructed_forecast")
BESIDE = ("issued_at", "previous_version", "previous_forecast", *SINCE)

Reduce = Callable[["pd.DataFrame"], "pd.DataFrame"]
ToldSums = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""What files tell of their forecasts, by dataset and day."""
OfSums = Callable[[ToldSums], "pd.DataFrame | None"]


def _by_day(keys: Sequence[str], small: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each day; none of a day that has none."""
    days = small.groupby("date") if len(small) else ()
    return {key: pd.DataFrame() for key in keys} | {f"{day:%Y-%m-%d}": rows for day, rows in days}


STATES = ("models", "updates", "renames")  # what changes which models there are


class Shelf:
    """The stores of a project, with what was read of them; `load` reads its settings."""

    def __init__(self, storage: Storage, load: Callable[[], Project]) -> None:
        self.storage, self._load = storage, load
        self.datasets, self.models = DatasetStore(storage), KeepingModelStore(storage)
        self.alerts = Alerts(storage, keeps=True)
        self._project: tuple[Hashable, Project] | None = None
        self._kept: dict[Hashable, tuple[Hashable, pd.DataFrame]] = {}
        self._lock = threading.Lock()

    def project(self) -> Project:
        """The settings as they are now, created models included. ProjectError."""
        state: Hashable = None
        if self._project is not None:
            state = self._settings_state(self._project[1])
            if state == self._project[0]:
                return self._project[1]
        project, _ = Registry(self.storage).apply(self._load())
        self._kept.clear()  # made as the settings were
        self._project = self._settings_state(project), project
        return project

    def _settings_state(self, project: Project) -> Hashable:
        files = [(file.name, file.stat().st_mtime_ns) for file in project.folder.glob("*.yaml")]
        stored = [self.storage.stamps(f"registry/{kind}") for kind in STATES]
        return str(sorted(files)) + str(stored)

    def reduced(
        self,
        name: Hashable,
        datasets: Sequence[str],
        between: tuple[dt.date, dt.date],
        reduce: Reduce,
        damaged: dict[str, StorageError],
        of_sums: OfSums | None = None,
    ) -> pd.DataFrame:
        """What `reduce` makes of the days of datasets together, from the first to the last.

        It is given the rows of some days, those of `validation/NAME` with a column `model`, and
        makes of each day rows with its `date`, which are kept under `name` for as long as the files
        of the day are the same. Errors of damaged days go to `damaged`. `of_sums` makes the same of
        what the files of forecasts tell of their rows, which costs less; None where it cannot.
        """
        first, last = (str(day) for day in between)
        states = [self.storage.stamps(f"datasets/{dataset}") for dataset in datasets]
        days = {file.removesuffix(ENDING) for state in states for file in state}
        days = {day for day in days if first <= day <= last}
        state_of = {day: tuple(s.get(f"{day}{ENDING}") for s in states) for day in sorted(days)}
        found: dict[str, pd.DataFrame] = {}
        for day, state in state_of.items():
            kept = self._kept.get((name, day))
            if kept is not None and kept[0] == state:
                found[day] = kept[1]
        missing = [day for day in state_of if day not in found]
        for start in range(0, len(missing), BATCH):
            keys = missing[start : start + BATCH]
            told = self._told(datasets, keys) if of_sums else None
            small = of_sums(told) if of_sums and told is not None else None
            if small is None:
                made = self._read(datasets, keys, reduce, damaged)
            else:
                made = _by_day(keys, small)
            found |= made
            self._keep({(name, day): (state_of[day], frame) for day, frame in made.items()})
        parts = [found[day] for day in state_of if len(found.get(day, ()))]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _told(self, datasets: Sequence[str], keys: list[str]) -> ToldSums | None:
        """What the files of days tell of their forecasts; None where one is damaged."""
        wrong: dict[str, StorageError] = {}
        found = {name: self.datasets.told(name, keys, SUMS, wrong).items() for name in datasets}
        if wrong:
            return None
        return {
            name: {key: json.loads(one.text) if one.text else {} for key, one in days}
            for name, days in found.items()
        }

    def _read(
        self,
        datasets: Sequence[str],
        keys: list[str],
        reduce: Reduce,
        damaged: dict[str, StorageError],
    ) -> dict[str, pd.DataFrame]:
        frames, wrong = [], dict[str, StorageError]()
        for dataset in datasets:
            frame = self.datasets.read(dataset, keys, wrong)
            kind, _, model = dataset.partition("/")
            if len(frame) and kind == "validation":
                # columns without any value are slow to put together
                none = [name for name in BESIDE if name in frame and frame[name].isna().all()]
                frames.append(frame.drop(columns=none).assign(model=model))
            elif len(frame):
                frames.append(frame)
        damaged |= wrong
        small = reduce(pd.concat(frames, ignore_index=True)) if frames else pd.DataFrame()
        return _by_day([key for key in keys if key not in wrong], small)

    def _keep(self, made: dict[Hashable, tuple[Hashable, pd.DataFrame]]) -> None:
        with self._lock:
            self._kept |= made
            rows = sum(len(frame) + 1 for _, frame in self._kept.values())
            while rows > KEPT_ROWS and self._kept:
                rows -= len(self._kept.pop(next(iter(self._kept)))[1]) + 1

    def look(self, asked: Sequence[tuple[str, str]]) -> Look:
        """What the parameters of an address ask for. ViewError, ProjectError, StorageError."""
        project = self.project()
        days, due = self.datasets.keys(BOARD), project.due
        shown = A_YEAR if due.daily else YEARS * due.year
        metric = project.evaluation.primary
        view = view_of(
            asked,
            newest=dt.date.fromisoformat(days[-1]) if days else due.start(project.today()),
            since=lambda last: due.back(last, shown - 1),
            models=[model.name for model in project.models],
            metrics=[metric, *(n for n in project.evaluation.made_metrics if n != metric)],
        )
        return Look(self, project, view, days)


@dataclass(frozen=True)
class Look:
    """One look at a project: what a page needs of it, each read once."""

    shelf: Shelf
    project: Project
    view: View
    days: Sequence[str]
    """Those that are evaluated."""
    damaged: dict[str, StorageError] = field(default_factory=dict)

    @property
    def metric(self) -> Metric:
        return self.project.evaluation.made_metrics[self.view.metric]

    @property
    def between(self) -> tuple[dt.date, dt.date]:
        return self.view.first, self.view.last

    @property
    def unit(self) -> str:
        """What rows are of in words: a day, or another period, which is counted like days."""
        return str(self.project.due.grain)

    def over(self, days: int) -> str:
        """So many of them in words."""
        return self.project.due.in_words(days)

    def back(self, days: int) -> tuple[dt.date, dt.date]:
        """The first and the last of so many days up to the last one shown."""
        return self.project.due.back(self.view.last, days - 1), self.view.last

    @cached_property
    def last_day(self) -> str:
        """The newest evaluated day that is shown; empty where there is none."""
        return max((day for day in self.days if day <= str(self.view.last)), default="")

    def boards(self, between: tuple[dt.date, dt.date] | None = None) -> pd.DataFrame:
        """The leaderboards of days, of the models chosen."""
        found = self.read(BOARD, between)
        if found.empty:
            return found
        if IN_SHADOW in found:
            shadow = found[IN_SHADOW].eq(True)
            versions = found["version"] + shadow.map({True: ", in shadow: not accepted", False: ""})
            found = found.assign(version=versions)
        chosen = self.view.models or [model.name for model in self.project.models]
        return found[found["model"].isin(chosen)].reset_index(drop=True)

    @cached_property
    def board(self) -> pd.DataFrame:
        """The leaderboard of the newest evaluated day, best first."""
        if not self.last_day:
            return pd.DataFrame()
        day = dt.date.fromisoformat(self.last_day)
        found = self.boards((day, day))
        return found.sort_values("rank") if len(found) else found

    @cached_property
    def models(self) -> list[str]:
        """The models chosen, best first, those without a rank last."""
        ranked = self.board["model"].tolist() if len(self.board) else []
        every = self.view.models or [model.name for model in self.project.models]
        return [*ranked, *(name for name in every if name not in ranked)]

    @cached_property
    def champion(self) -> Record | None:
        """Who is live after the newest day shown, as it was decided."""
        before = str(self.view.last + dt.timedelta(days=1))
        return newest_record(self.shelf.datasets, before, self.damaged)

    @cached_property
    def shown(self) -> list[str]:
        """The models whose forecasts are drawn: those chosen, else the champion."""
        if self.view.models:
            return self.models
        record = self.champion
        return [record.next_champion if record else self.project.first_champion]

    @cached_property
    def lines(self) -> dict[str, Json]:
        """Colour and dash of each model, for ever: by the order in which they came to be."""
        born: dict[str, str] = {}
        for name in self.shelf.storage.names("models"):
            versions = filter(VERSION.fullmatch, self.shelf.storage.names(f"models/{name}"))
            born[name] = min((one.split("_")[1] for one in versions), default="")
        for decision in self.shelf.models.decisions.all():
            if decision.action == Action.CREATE:
                born[decision.model] = f"{decision.at:%Y%m%dT%H%M%S%f}"
        ordered = sorted((when or "later", name) for name, when in born.items())
        every = [*(name for _, name in ordered), *(model.name for model in self.project.models)]
        return {name: line_style(number) for number, name in enumerate(dict.fromkeys(every))}

    @cached_property
    def holidays(self) -> dict[dt.date, str]:
        """The holidays that the settings know of, of the days shown."""
        place = self.project.features.holidays or self.project.due.holidays
        if place is None:
            return {}
        years = range(self.view.first.year, self.view.last.year + 1)
        days = {day: name for year in years for day, name in holidays_of(place, year).items()}
        return {day: name for day, name in days.items() if self.view.first <= day <= self.view.last}

    def read(self, dataset: str, between: tuple[dt.date, dt.date] | None = None) -> pd.DataFrame:
        """Days of a small dataset, those shown unless others are asked for."""
        return self.reduced(dataset, [dataset], lambda rows: rows, between)

    def reduced(
        self,
        name: Hashable,
        datasets: Sequence[str],
        reduce: Reduce,
        between: tuple[dt.date, dt.date] | None = None,
        of_sums: OfSums | None = None,
    ) -> pd.DataFrame:
        """As `Shelf.reduced`, of the days shown unless others are asked for."""
        days = between or self.between
        return self.shelf.reduced(name, datasets, days, reduce, self.damaged, of_sums)

    def card(self, model: str, version: str) -> ModelCard | None:
        """A version's card; None where it is not there yet, or damaged."""
        try:
            return self.shelf.models.card(model, version)
        except StorageError as error:
            self.damaged[version] = error
            return None
