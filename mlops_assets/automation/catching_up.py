"""Sensors: what was missed is caught up with, what became stale is computed again."""

import datetime as dt
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from mlops_assets.assets.model_registry import STATE, registry_state
from mlops_assets.assets.validation import NOBODY, PAUSED, paused_names
from mlops_assets.graph.keys import asset_key, own_parts
from mlops_assets.graph.partitions import (
    LONG,
    RANGE_END,
    Partitions,
    add_months,
    day_of,
    days_between,
    range_tags,
    ranges,
)
from mlops_assets.graph.runs import unfinished_runs
from mlops_assets.jobs.evaluate import EVALUATE_JOB, REGISTRY_JOB, Job, retrain_job_name
from mlops_assets.ml.selection.versions import serving
from mlops_assets.project import Cadence, Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.switches import (
    EVALUATION_SCHEDULE,
    paused_models,
    paused_schedules,
    retraining_schedule_name,
)

TRY_AGAIN_HOURS = 6

Requests = Iterator[dg.RunRequest | dg.SkipReason]


@dataclass(frozen=True)
class Layer:
    """Daily assets that are computed together."""

    keys: list[dg.AssetKey]
    reads: Mapping[dg.AssetKey, Collection[int]]
    """What a day reads, with how many days before its own the days lie that it reads of it."""
    needs_model: bool = False
    """Whether there is nothing to compute before the first month of service."""
    decided_once: bool = False
    """Whether a day stays as it is when what it was made from changes."""
    newest_only: bool = False
    """Whether only the newest day is computed again then."""


def make_layers(project: Project) -> list[Layer]:
    """The daily assets in the order in which they are computed."""
    observations, features, leaderboard, champion, forecast, drift = (
        asset_key(project, name)
        for name in ("observations", "features", "leaderboard", "champion", "forecast", "drift")
    )
    validation = [asset_key(project, "validation", model.name) for model in project.models]
    return [
        Layer([observations], {}),
        Layer([features], {observations: project.days_read}),
        Layer(validation, {features: [0]}, needs_model=True),
        Layer([leaderboard], dict.fromkeys(validation, range(LONG)), needs_model=True),
        # who was live on a day is a fact, whatever is learned of that day later
        Layer([champion], {leaderboard: [0]}, needs_model=True, decided_once=True),
        # what was forecast for a day that is over has been read by others
        Layer(
            [forecast],
            {champion: [0], observations: range(project.longest_lag + 1)},
            needs_model=True,
            newest_only=True,
        ),
        # an alarm of a day that is over would come too late to act on
        Layer(
            [drift],
            {champion: [0], features: range(project.drift.window_days)},
            needs_model=True,
            newest_only=True,
        ),
    ]


def make_sensors(
    project: Project, partitions: Partitions, jobs: Sequence[Job], models: ModelStore
) -> list[dg.SensorDefinition]:
    """All sensors of a project, on by default."""

    def find_missing(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
        now = dt.datetime.now(zoneinfo.ZoneInfo(project.time_zone))
        return [
            *missing_days(instance, project, partitions, now),
            *missing_months(instance, project, partitions, now),
        ]

    return [
        make_sensor(
            "catch_up_sensor",
            project,
            jobs,
            find_missing,
            seconds=60,
            nothing="Nothing is missing.",
            description=(
                f"Requests what is missing of the last {project.schedule.catch_up_days} days, "
                "newest first, one run per layer and gap, and the month's training of each model "
                f"that lacks it. What fails is tried again every {TRY_AGAIN_HOURS} hours. A paused "
                "schedule is left alone."
            ),
        ),
        make_sensor(
            "refresh_sensor",
            project,
            jobs,
            lambda instance: stale_days(instance, project, partitions, models),
            seconds=30,
            nothing="Everything is newer than what it was made from.",
            description=(
                "After a training by hand, evaluates the days of that month again; after a day of "
                "data was materialized again, the days that read it. One run per layer and range. "
                "Who was champion on a day stays as it was decided, what was forecast then as well."
            ),
        ),
        make_sensor(
            "registry_sensor",
            project,
            jobs,
            lambda instance: stale_registry(instance, project, partitions, models),
            seconds=30,
            nothing="The registry shows everything that there is.",
            description="Makes the registry anew after a training, a decision or a pause.",
        ),
    ]


def make_sensor(
    name: str,
    project: Project,
    jobs: Sequence[Job],
    find: Callable[[dg.DagsterInstance], list[dg.RunRequest]],
    *,
    seconds: int,
    nothing: str,
    description: str,
) -> dg.SensorDefinition:
    """A sensor that requests what it finds, once no run of the project is queued or under way.

    So two runs never do the same work. `nothing` is what it says when it finds nothing.
    """

    @dg.sensor(
        name=name,
        jobs=jobs,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext) -> Requests:
        if unfinished_runs(context.instance, project):
            yield dg.SkipReason("Waiting for a run that is queued or under way.")
            return
        requests = find(context.instance)
        if not requests:
            yield dg.SkipReason(nothing)
        yield from requests

    return sensor


def missing_days(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, now: dt.datetime
) -> list[dg.RunRequest]:
    """A run per layer and gap of the recent days whose upstream layer is there."""
    if EVALUATION_SCHEDULE in paused_schedules(instance, project):
        return []
    # the newest day that is due is missed only once its schedule has had its hour
    waits = now.hour <= project.schedule.evaluate_hour
    end = project.due_end(now.date()) - dt.timedelta(days=waits)
    start = max(end - dt.timedelta(days=project.schedule.catch_up_days), partitions.first_day)
    recent = ready = set(days_between(start, end))
    requests = []
    for layer in make_layers(project):
        done = {key: instance.get_materialized_partitions(key) & recent for key in layer.keys}
        requests += range_requests(
            {key: ready - done[key] for key in layer.keys}, partitions, make_attempt(now)
        )
        ready = ready & set().union(*done.values())
    return sorted(requests, key=lambda request: request.tags[RANGE_END], reverse=True)


def missing_months(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, now: dt.datetime
) -> list[dg.RunRequest]:
    """A training for each month, newest first, that a model's cadence asked for of late."""
    last = (now - dt.timedelta(hours=project.schedule.retrain_hour + 1)).date()
    first = last - dt.timedelta(days=project.schedule.catch_up_days)
    paused = paused_schedules(instance, project)
    requests = []
    for model in project.models:
        if retraining_schedule_name(model.name) in paused:
            continue
        key = asset_key(project, "models", model.name)
        done = instance.get_materialized_partitions(key)
        requests += [
            dg.RunRequest(
                run_key=f"catch-up:{key.to_user_string()}:{month}:{make_attempt(now)}",
                job_name=retrain_job_name(model.name),
                partition_key=month,
            )
            for month in due_months(model.cadence, first, last)
            if month not in done and day_of(month) >= partitions.first_month
        ]
    return requests


def due_months(cadence: Cadence, first: dt.date, last: dt.date) -> list[str]:
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


def stale_days(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, models: ModelStore
) -> list[dg.RunRequest]:
    """Runs over the days that are older than what they were made from.

    The event log numbers its entries, so a day is stale when something that it reads has a higher
    number than itself. A day that reads a stale one waits for that to be computed first.
    """
    requests: list[dg.RunRequest] = []
    newest: dict[dg.AssetKey, Mapping[str, int]] = {}
    waiting: dict[dg.AssetKey, set[str]] = {}
    for layer in make_layers(project):
        stale: dict[dg.AssetKey, set[str]] = {}
        cause = 0
        for key in layer.keys:
            newest[key] = _latest(instance, key)
            stale[key], waiting[key] = set(), set()
            if layer.decided_once:
                continue
            trained = _trainings(instance, project, models, key)
            last = max(newest[key], default="")
            for day, at in newest[key].items():
                if layer.newest_only and day != last:
                    continue
                first = partitions.first_month if layer.needs_model else partitions.first_day
                if day_of(day) < first:
                    continue  # warm-up, or the settings begin later now
                changed = max((_serving(*served, day_of(day)) for served in trained), default=0)
                for upstream, days_back in layer.reads.items():
                    for back in days_back:
                        read = str(day_of(day) - dt.timedelta(days=back))
                        changed = max(changed, newest[upstream].get(read, 0))
                        if read in waiting[upstream]:
                            waiting[key].add(day)
                if day not in waiting[key] and at < changed:
                    stale[key].add(day)
                    cause = max(cause, changed)
        requests += range_requests(stale, partitions, str(cause))
        for key, days in stale.items():
            waiting[key] |= days
    return requests


def _trainings(
    instance: dg.DagsterInstance, project: Project, models: ModelStore, key: dg.AssetKey
) -> list[tuple[list[ModelCard], Mapping[str, int]]]:
    """The versions fit to serve of each model that the scores of an asset depend on.

    With each the number of the newest training of each month.
    """
    kind, *names = own_parts(project, key)
    if kind != "validation":
        return []
    found = []
    for name in {*names, project.evaluation.baseline}:
        try:
            cards = models.fit_to_serve(name)
        except StorageError:
            continue  # a damaged card is reported by the evaluation of the days that need it
        found.append((cards, _latest(instance, asset_key(project, "models", name))))
    return found


def _serving(cards: list[ModelCard], months: Mapping[str, int], day: dt.date) -> int:
    """The number of the newest training in the month of the version that serves a day."""
    card = serving(cards, day)
    return 0 if card is None else months.get(card.month, 0)


def stale_registry(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, models: ModelStore
) -> list[dg.RunRequest]:
    """Runs for the registry and the newest leaderboard when what they show has changed."""
    state = registry_state(instance, project, models)
    key = asset_key(project, "model_registry")
    event = instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event else None
    before = str(made.metadata[STATE].value) if made and STATE in made.metadata else ""
    requests = []
    if state != before:
        run_key = f"registry:{state}:{before}"
        requests.append(dg.RunRequest(run_key=run_key, job_name=REGISTRY_JOB))
    return [*requests, *_stale_leaderboard(instance, project, partitions)]


def _stale_leaderboard(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions
) -> list[dg.RunRequest]:
    """A run for the newest leaderboard when it names other models as paused than there are."""
    key = asset_key(project, "leaderboard")
    days = instance.get_materialized_partitions(key)
    if not days:
        return []
    newest = max(days)
    of_newest = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[newest])
    [record] = instance.fetch_materializations(of_newest, limit=1).records
    made = record.asset_materialization
    shown = str(made.metadata[PAUSED].value) if made and PAUSED in made.metadata else NOBODY
    paused = paused_names(paused_models(instance, project))
    if shown == paused:
        return []
    return range_requests({key: {newest}}, partitions, f"{paused}:{record.storage_id}")


def range_requests(
    wanted: Mapping[dg.AssetKey, set[str]], partitions: Partitions, attempt: str
) -> list[dg.RunRequest]:
    """One run per range of days; `attempt` tells a new request from a repeated one."""
    return [
        dg.RunRequest(
            run_key=f"{'+'.join(key.to_user_string() for key in keys)}:{first}:{last}:{attempt}",
            job_name=EVALUATE_JOB,
            asset_selection=keys,
            tags=range_tags(first, last),
        )
        for (first, last), keys in ranges(wanted, partitions.daily).items()
    ]


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[str, int]:
    """The number of the newest materialization of each partition in the event log."""
    return instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION
    )


def make_attempt(now: dt.datetime) -> str:
    """What tells a request from the same one in the next hours of trying again."""
    return f"{now:%Y-%m-%d}-{now.hour // TRY_AGAIN_HOURS}"
