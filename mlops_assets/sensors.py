"""Sensors: what was missed is caught up with, what became stale is computed again."""

import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from mlops_assets.jobs import EVALUATE_JOB, Job, retrain_job_name
from mlops_assets.partitions import (
    LONG,
    RANGE_END,
    Partitions,
    add_months,
    day_of,
    days_between,
    month_of,
    range_tags,
    ranges,
)
from mlops_assets.project import Cadence, Project
from mlops_assets.schedules import EVALUATION_SCHEDULE, retraining_schedule_name

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
TRY_AGAIN_HOURS = 6

Requests = Iterator[dg.RunRequest | dg.SkipReason]


@dataclass(frozen=True)
class Layer:
    """Daily assets that read the same days of the layer before."""

    keys: list[dg.AssetKey]
    days_back: int
    """How many days before its own a day reads of the layer before."""
    needs_model: bool = False
    """Whether there is nothing to compute before the first month of service."""


def make_layers(project: Project) -> list[Layer]:
    """The daily assets in the order in which they are computed."""
    return [
        Layer([dg.AssetKey("observations")], 0),
        Layer([dg.AssetKey("features")], project.longest_lag),
        Layer([dg.AssetKey(["validation", model.name]) for model in project.models], 0, True),
        Layer([dg.AssetKey("leaderboard")], LONG - 1, True),
    ]


def make_sensors(
    project: Project, partitions: Partitions, jobs: Sequence[Job]
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
            jobs,
            lambda instance: stale_days(instance, project, partitions),
            seconds=30,
            nothing="Everything is newer than what it was made from.",
            description=(
                "After a training by hand, evaluates the days of that month again; after a day of "
                "data was materialized again, the days that read it. One run per layer and range."
            ),
        ),
    ]


def make_sensor(
    name: str,
    jobs: Sequence[Job],
    find: Callable[[dg.DagsterInstance], list[dg.RunRequest]],
    *,
    seconds: int,
    nothing: str,
    description: str,
) -> dg.SensorDefinition:
    """A sensor that requests what it finds, once no run is queued or under way.

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
        if context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1):
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
    if EVALUATION_SCHEDULE in paused_schedules(instance):
        return []
    # yesterday is missed only once its schedule has had its hour
    end = now.date() - dt.timedelta(days=now.hour <= project.schedule.evaluate_hour)
    start = max(end - dt.timedelta(days=project.schedule.catch_up_days), partitions.first_day)
    recent = ready = set(days_between(start, end))
    requests = []
    for layer in make_layers(project):
        done = {key: instance.get_materialized_partitions(key) & recent for key in layer.keys}
        requests += _range_requests(
            {key: ready - done[key] for key in layer.keys}, partitions, _attempt(now)
        )
        ready = ready & set().union(*done.values())
    return sorted(requests, key=lambda request: request.tags[RANGE_END], reverse=True)


def missing_months(
    instance: dg.DagsterInstance, project: Project, partitions: Partitions, now: dt.datetime
) -> list[dg.RunRequest]:
    """A training for each month, newest first, that a model's cadence asked for of late."""
    last = (now - dt.timedelta(hours=project.schedule.retrain_hour + 1)).date()
    first = last - dt.timedelta(days=project.schedule.catch_up_days)
    paused = paused_schedules(instance)
    requests = []
    for model in project.models:
        if retraining_schedule_name(model.name) in paused:
            continue
        key = dg.AssetKey(["models", model.name])
        done = instance.get_materialized_partitions(key)
        requests += [
            dg.RunRequest(
                run_key=f"catch-up:{key.to_user_string()}:{month}:{_attempt(now)}",
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
    instance: dg.DagsterInstance, project: Project, partitions: Partitions
) -> list[dg.RunRequest]:
    """Runs over the days that are older than what they were made from.

    The event log numbers its entries, so a day is stale when something that it reads has a higher
    number than itself. A day that reads a stale one waits for that to be computed first.
    """
    requests: list[dg.RunRequest] = []
    upstream: dict[str, int] = {}
    waiting: set[str] = set()
    for layer in make_layers(project):
        newest: dict[str, int] = {}
        stale: dict[dg.AssetKey, set[str]] = {}
        blocked: set[str] = set()
        cause = 0
        for key in layer.keys:
            stale[key] = set()
            trained = _trainings(instance, project, key)
            for day, at in _latest(instance, key).items():
                if day_of(day) < partitions.first_day:
                    continue  # the settings begin later now
                newest[day] = max(at, newest.get(day, 0))
                if layer.needs_model and day_of(day) < partitions.first_month:
                    continue  # warm-up: nothing is computed for it
                end = day_of(day) + dt.timedelta(days=1)
                reads = days_between(end - dt.timedelta(days=layer.days_back + 1), end)
                changed = max(upstream.get(read, 0) for read in reads)
                if layer.needs_model:
                    served = (_in_service(months, day_of(day)) for months in trained)
                    changed = max([changed, *served])
                if waiting.intersection(reads):
                    blocked.add(day)
                elif at < changed:
                    stale[key].add(day)
                    cause = max(cause, changed)
        requests += _range_requests(stale, partitions, str(cause))
        waiting = blocked.union(*stale.values())
        upstream = newest
    return requests


def _trainings(
    instance: dg.DagsterInstance, project: Project, key: dg.AssetKey
) -> list[Mapping[str, int]]:
    """The newest training of each month, by model that the scores of an asset depend on."""
    if key.path[0] != "validation":
        return []
    names = {key.path[-1], project.evaluation.yardstick}
    return [_latest(instance, dg.AssetKey(["models", name])) for name in names]


def _in_service(months: Mapping[str, int], day: dt.date) -> int:
    """The number of the training that serves a day: an earlier month's, where its own has none."""
    earlier = [month for month in months if month <= month_of(day)]
    return months[max(earlier)] if earlier else 0


def _range_requests(
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


def _attempt(now: dt.datetime) -> str:
    """What tells a request from the same one in the next hours of trying again."""
    return f"{now:%Y-%m-%d}-{now.hour // TRY_AGAIN_HOURS}"


def paused_schedules(instance: dg.DagsterInstance) -> set[str]:
    """The schedules that somebody has switched off."""
    states = instance.all_instigator_state()
    return {state.name for state in states if state.status.value == "STOPPED"}
