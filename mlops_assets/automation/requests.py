"""What the sensors share: when they look, and how they ask for days."""

import datetime as dt
import zoneinfo
from collections.abc import Callable, Collection, Mapping, Sequence

import dagster as dg

from mlops_assets.automation.changes import Log
from mlops_assets.graph.partitions import Partitions, range_tags, ranges
from mlops_assets.graph.runs import unfinished_runs
from mlops_assets.jobs.evaluate import EVALUATE_JOB, Job
from mlops_assets.project import Project
from mlops_assets.resources.switches import paused_schedules

BECAUSE_TAG = "mlops_assets/because"
TRY_AGAIN_HOURS = 6
WAITING = "Waiting for a run that is queued or under way."
NOTHING_NEW = "Nothing has changed."

Find = Callable[[dg.DagsterInstance], list[dg.RunRequest]]


def make_sensor(
    name: str,
    project: Project,
    jobs: Sequence[Job],
    find: Find,
    *,
    seconds: int,
    nothing: str,
    description: str,
    seen: Callable[[dg.DagsterInstance], str] | None = None,
) -> dg.SensorDefinition:
    """A sensor that requests what it finds, once no run of the project is queued or under way.

    So two runs never do the same work. `nothing` is what it says when it finds nothing. Where
    `seen`, which must be cheap, comes to the same text as at the tick before, it looks for nothing.
    """

    @dg.sensor(
        name=name,
        jobs=jobs,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = seen(context.instance) if seen else None
        if now is not None and now == context.cursor:
            return dg.SensorResult(skip_reason=NOTHING_NEW)
        if unfinished_runs(context.instance, project):
            return dg.SensorResult(skip_reason=WAITING)
        requests = find(context.instance)
        skip = None if requests else nothing
        return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=now)

    return sensor


def seen_of(instance: dg.DagsterInstance, project: Project) -> str:
    """What most sensors react to: the event log, the switches, and that time has passed."""
    paused = "+".join(sorted(paused_schedules(instance, project)))
    return f"{Log(instance).newest()} {make_attempt(local_time(project))} {paused}"


def local_time(project: Project) -> dt.datetime:
    """This moment in the time zone of a project."""
    return dt.datetime.now(zoneinfo.ZoneInfo(project.time_zone))


def range_requests(
    wanted: Mapping[dg.AssetKey, Collection[str]],
    partitions: Partitions,
    attempt: str,
    because: str,
) -> list[dg.RunRequest]:
    """One run per range of days; `attempt` tells a new request from a repeated one."""
    return [
        dg.RunRequest(
            run_key=f"{'+'.join(key.to_user_string() for key in keys)}:{first}:{last}:{attempt}",
            job_name=EVALUATE_JOB,
            asset_selection=keys,
            tags={**range_tags(first, last), BECAUSE_TAG: because},
        )
        for (first, last), keys in ranges(wanted, partitions.daily).items()
    ]


def make_attempt(now: dt.datetime) -> str:
    """What tells a request from the same one in the next hours of trying again."""
    return f"{now:%Y-%m-%d}-{now.hour // TRY_AGAIN_HOURS}"
