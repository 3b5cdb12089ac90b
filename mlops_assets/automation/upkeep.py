"""Upkeep: one sensor asks for the days that are missing, or older than what they were made from."""

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property, partial
from itertools import groupby
from typing import Self

import dagster as dg

from mlops_assets.automation.changes import START, Change, Log, Mark, day_key, day_number
from mlops_assets.automation.day_to_come import newest_made, outdated_forecasts
from mlops_assets.automation.requests import (
    BECAUSE_TAG,
    NOTHING_NEW,
    TRY_AGAIN_HOURS,
    WAITING,
    local_time,
    make_attempt,
    range_requests,
)
from mlops_assets.automation.staleness import (
    Daily,
    Plan,
    ReadsDays,
    ReadsService,
    always,
    find_missing,
    find_stale,
)
from mlops_assets.graph.keys import asset_key, node_key
from mlops_assets.graph.partitions import RANGE_END, Partitions, add_months, day_of
from mlops_assets.graph.reads import Every, Node, Reads, ReadsVersions, declared
from mlops_assets.graph.runs import unfinished_runs
from mlops_assets.jobs.evaluate import REGISTRY_JOB, Job, retrain_job_name
from mlops_assets.ml.due_days import DueDays
from mlops_assets.ml.selection.versions import days_in_service
from mlops_assets.project import Cadence, Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.switches import (
    EVALUATION_SCHEDULE,
    paused_schedules,
    retraining_schedule_name,
)

UPKEEP_SENSOR = "upkeep_sensor"
MISSING = "missing"
TICK_SECONDS = 3  # every round of the daemon, of 5 s: somebody may wait who has trained a model


@dataclass(frozen=True)
class Cursor:
    """What the ticks before have left."""

    settled: Mark = START
    """Up to this entry nothing was stale."""
    looked: str = ""
    """What the tick before has seen: where it is the same, there is nothing to look for."""
    asked: str = ""
    """What was stale then: where it is the same, it was tried in vain."""

    @classmethod
    def read(cls, text: str | None) -> Self:
        """As it was written; else empty, and the whole log is looked at once."""
        try:
            left = json.loads(text or "")
            settled, looked, asked = left["settled"], left["looked"], left["asked"]
            mark = Mark(int(settled["number"]), float(settled["at"]))
        except (ValueError, TypeError, KeyError):
            return cls()
        return cls(mark, looked, asked)

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def make_upkeep_sensor(
    project: Project, partitions: Partitions, jobs: Sequence[Job], models: ModelStore
) -> dg.SensorDefinition:
    """The sensor that asks for what is missing or stale, on by default."""

    @dg.sensor(
        name=UPKEEP_SENSOR,
        jobs=jobs,
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Requests what is missing of the last "
            f"{project.due.in_words(project.schedule.catch_up_days)}, newest first, the month's "
            "training of each model that lacks it, and what is older than what it was made from: "
            "after a training, what the new version serves; after corrected data, what reads them. "
            f"One run per layer and range. Who was champion of a {project.grain} stays as it was "
            "decided, what was forecast then as well; what is to come is issued again. What fails "
            f"is tried again every {TRY_AGAIN_HOURS} hours. A paused schedule is left alone."
        ),
    )
    def upkeep_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        upkeep = Upkeep(context.instance, project, partitions, models, local_time(project))
        return upkeep.tick(Cursor.read(context.cursor))

    return upkeep_sensor


@dataclass(frozen=True)
class Upkeep:
    """One look of the sensor, at a moment in the project's time zone."""

    instance: dg.DagsterInstance
    project: Project
    partitions: Partitions
    models: ModelStore
    now: dt.datetime

    @cached_property
    def log(self) -> Log:
        return Log(self.instance, self.project.due)

    @cached_property
    def paused(self) -> set[str]:
        """The schedules that somebody has switched off."""
        return paused_schedules(self.instance, self.project)

    @cached_property
    def assets(self) -> list[Daily]:
        """The daily assets in the order in which they are made."""
        champion = cache(self._champion)
        return daily_assets(self.project, self.partitions, self.models, self.newest, champion)

    def _champion(self, asset: str) -> str:
        """The model by which the newest day of an asset was made."""
        made = newest_made(self.instance, asset)
        return "" if made is None else str(made.shown.get("model", ""))

    @cached_property
    def newest(self) -> int:
        """The newest day that there may be, as days are counted."""
        return self.project.due.number(self.now.date())

    @property
    def attempt(self) -> str:
        return make_attempt(self.now)

    def tick(self, cursor: Cursor) -> dg.SensorResult:
        """A quiet look costs a query, however long the history is."""
        newest = self.log.newest()
        looked = self._looked(newest)
        if looked == cursor.looked:
            return dg.SensorResult(skip_reason=NOTHING_NEW, cursor=str(cursor))
        if self._unfinished():
            return dg.SensorResult(skip_reason=WAITING, cursor=str(cursor))
        settled = cursor.settled if self.log.holds(cursor.settled) else START
        plan = self.plan(settled.number)
        tried = plan.digest()
        # what was tried in vain holds nothing back
        gaps, held_back = self.missing(Plan() if tried == cursor.asked else plan)
        requests = [
            *gaps,
            *self.stale(plan),
            *missing_months(self.instance, self.project, self.partitions, self.now),
        ]
        if self._unfinished():  # it may have made something meanwhile
            return dg.SensorResult(skip_reason=WAITING, cursor=str(cursor))
        after = Cursor(newest if plan.settled else settled, "" if held_back else looked, tried)
        nothing = "Everything is there and newer than what it was made from."
        skip = None if requests else nothing
        return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=str(after))

    def _looked(self, newest: Mark) -> str:
        """What there is to react to, as text."""
        parts = [
            str(newest),
            self.attempt,
            *sorted(self.paused),
            f"{self.models.decisions.count()} decisions",
            *self.window[:1],
            *self.window[-1:],
            # the settings may have changed since
            *(f"{model.name} {model.cadence}" for model in self.project.models),
        ]
        return " ".join(parts)

    def _unfinished(self) -> bool:
        """Whether a run may be making days or versions; that of the registry only shows them."""
        runs = unfinished_runs(self.instance, self.project)
        return any(run.job_name != REGISTRY_JOB for run in runs)

    @cached_property
    def window(self) -> list[str]:
        """The last days to be there; the newest is left to its schedule until that had its hour."""
        days = self.partitions.last_days(self.project.schedule.catch_up_days, self.now)
        return days[:-1] if self.now.hour <= self.project.schedule.evaluate_hour else days

    def plan(self, after: int = 0) -> Plan:
        """The days that are older than what they were made from, by what came after an entry."""
        names = {node.asset for node in self.assets}
        names |= {read.asset for node in self.assets for read in node.reads}
        return find_stale(self.assets, self.log.changes(after, names), self.log, self.newest)

    def stale(self, plan: Plan) -> list[dg.RunRequest]:
        """Runs for the days of a plan that wait for no other, and for the day to come."""
        requests = []
        if causes := {change for days in plan.stale.values() for change in days.values()}:
            newest = max(causes, key=lambda change: change.number)
            more = f", and {len(causes) - 1} more" if len(causes) > 1 else ""
            requests = self._requests(
                plan.stale, f"{newest.number}:{self.attempt}", f"{newest} was made again{more}"
            )
        forecast = asset_key(self.project, "forecast")
        if plan.pending(forecast.to_user_string()):
            return requests  # it is issued again once what it reads is made
        for outdated in outdated_forecasts(self.instance, self.project, self.models):
            keys = [asset_key(self.project, name) for name in outdated.assets]
            days = {key: {day_key(outdated.day)} for key in keys}
            attempt = f"{outdated.number}:{self.attempt}"
            requests += range_requests(days, self.partitions, attempt, outdated.why)
        return requests

    def missing(self, waits_for: Plan) -> tuple[list[dg.RunRequest], bool]:
        """Runs for the days that are not there, newest first, and whether others wait."""
        if EVALUATION_SCHEDULE in self.paused:
            return [], False
        window = {day_number(key, self.project.due) for key in self.window}
        gaps, held_back = find_missing(self.assets, window, self.log, waits_for)
        for model in self.project.models:
            scores = asset_key(self.project, "validation", model.name).to_user_string()
            if gaps[scores] and not self._has_version(model.name):
                del gaps[scores]  # its first training comes first, and is news then
        requests = self._requests(gaps, self.attempt, MISSING)
        requests.sort(key=lambda request: request.tags[RANGE_END], reverse=True)
        return requests, held_back

    def _has_version(self, model: str) -> bool:
        try:
            damaged: dict[str, StorageError] = {}
            return bool(self.models.cards(model, damaged) or damaged)
        except StorageError:
            return True  # there is one, and it is damaged

    def _requests(
        self, wanted: Mapping[str, Iterable[int]], attempt: str, because: str
    ) -> list[dg.RunRequest]:
        """One run per layer and range."""
        requests = []
        for _, nodes in groupby(self.assets, lambda node: node.layer):
            due = self.project.due
            days = {
                dg.AssetKey.from_user_string(node.asset): {
                    day_key(day, due) for day in wanted[node.asset]
                }
                for node in nodes
                if node.asset in wanted
            }
            requests += range_requests(days, self.partitions, attempt, because)
        return requests


def daily_assets(
    project: Project,
    partitions: Partitions,
    models: ModelStore,
    newest: int,
    champion: Callable[[str], str],
) -> list[Daily]:
    """The daily assets in the order in which they are made, with what makes them stale.

    `newest` is the newest day; `champion` tells the model by which the newest day of an asset was
    made.
    """

    due = project.due

    def name(asset: str) -> str:
        return node_key(project, asset).to_user_string()

    def read(node: Node, what: Reads | ReadsVersions) -> ReadsDays | ReadsService:
        model = what.asset.partition("/")[2]
        counts = (lambda: champion(name(node.asset)) == model) if what.champion else always
        if isinstance(what, ReadsVersions):
            served = _served(models, what.model, newest, what.ahead, due)
            return ReadsService(name(what.asset), served, counts)
        back = what.back if isinstance(what.back, range) else frozenset(what.back)
        return ReadsDays(name(what.asset), back, counts, due)

    found = []
    for node in declared(project).values():
        if node.every is not Every.DAY:
            continue
        reads = [one for one in node.reads if not one.shown]
        past = [one.back for one in reads if isinstance(one, Reads) and one.asset == node.asset]
        first = partitions.first_month if node.needs_model else partitions.first_day
        found.append(
            Daily(
                name(node.asset),
                node.kind,
                [read(node, one) for one in reads if one.asset != node.asset],
                node.again,
                due.number(first),
                max((max(back) for back in past), default=0),
                partial(_failed, models, node.asset, due),
                due,
            )
        )
    return found


def _failed(models: ModelStore, asset: str, due: DueDays, days: Collection[int]) -> set[int]:
    """Those of some days whose checks failed."""
    keys = [day_key(day, due) for day in sorted(days)]
    found = CheckStore(DatasetStore(models.storage)).results(asset, keys)
    failed = [key for key, of in found.items() if not all(r.passed for r in of.values())]
    return {day_number(key, due) for key in failed}


def _served(
    models: ModelStore, name: str, newest: int, ahead: int, due: DueDays
) -> Callable[[Change], Iterable[int]]:
    """Of a training, the days up to the newest that read the version made by it.

    That is the one in service so many days after their own, and a gap in which none are due.
    """
    gap = due.longest_gap if ahead else 0

    @cache
    def cards() -> tuple[list[ModelCard], list[ModelCard]]:
        """All that there are, and those that are fit to serve, as they are at this look."""
        try:
            return models.cards(name, {}), models.fit_to_serve(name)
        except StorageError:
            return [], []  # a damaged card is reported by the evaluation of the days that need it

    def served(change: Change) -> Iterable[int]:
        known, fit = cards()
        trained = [
            card
            for card in known
            if card.month == change.partition and card.created.timestamp() <= change.at
        ]
        card = max(reversed(trained), key=lambda card: card.created, default=None)
        scored = [one for one in known if one in fit or one.refused]
        if card not in scored:
            return ()  # it changes nothing
        if card.refused and any(older in fit for older in scored[: scored.index(card)]):
            return ()  # nor does one that was refused, where another one serves
        first, end = days_in_service(scored if card.refused else fit, card)
        last = newest if end is None else min(newest, due.number(end) - 1 - ahead)
        return range(due.number(first) - ahead - gap, last + 1)

    return served


def missing_months(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, now: dt.datetime
) -> list[dg.RunRequest]:
    """A training for each month, newest first, that a model's cadence asked for of late."""
    last = (now - dt.timedelta(hours=project.schedule.retrain_hour + 1)).date()
    first = project.due.back(last, project.schedule.catch_up_days)
    paused = paused_schedules(instance, project)
    requests = []
    for model in project.models:
        if retraining_schedule_name(model.name) in paused:
            continue
        key = asset_key(project, "models", model.name).to_user_string()
        months = [
            month
            for month in cadence_months(model.cadence, first, last)
            if day_of(month) >= partitions.first_month
        ]
        done = Log(instance).made_keys(key, months)
        requests += [
            dg.RunRequest(
                run_key=f"catch-up:{key}:{month}:{make_attempt(now)}",
                job_name=retrain_job_name(model.name),
                partition_key=month,
                tags={BECAUSE_TAG: "missing"},
            )
            for month in months
            if month not in done
        ]
    return requests


def cadence_months(cadence: Cadence, first: dt.date, last: dt.date) -> list[str]:
    """The months that serve some of the days [first, last] and that a cadence trains for.

    Newest first. Between two quarterly trainings the quarter's first month goes on serving.
    """
    if cadence == Cadence.MANUAL:
        return []
    step = 3 if cadence == Cadence.QUARTERLY else 1
    month = add_months(last, -((last.month - 1) % step))
    months = [str(month)]
    while month > first:
        month = add_months(month, -step)
        months.append(str(month))
    return months
