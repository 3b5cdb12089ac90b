"""Files that arrive in a folder: complete ones are sorted in once, the days they touch ingested."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from mlops_assets.automation.changes import Log
from mlops_assets.automation.late_data import (
    CHANGED_AT_SOURCE,
    ONE_DAY,
    changed_days,
    digest,
    due_only,
)
from mlops_assets.automation.requests import (
    WAITING,
    local_time,
    make_attempt,
    range_requests,
    seen_of,
)
from mlops_assets.graph.keys import asset_key, daily_keys
from mlops_assets.graph.partitions import Partitions, days_between
from mlops_assets.graph.runs import unfinished_runs
from mlops_assets.jobs.evaluate import Job
from mlops_assets.project import LandingSettings, Project
from mlops_assets.resources.sources import SourceError, UnreachableError
from mlops_assets.resources.sources.base import OfPeriods
from mlops_assets.resources.sources.file import FileSource
from mlops_assets.resources.sources.landing_folder import (
    Arrival,
    LandingSource,
)
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.switches import EVALUATION_SCHEDULE, paused_schedules

NAMED = 5  # so many days in a sentence


@dataclass(frozen=True)
class Seen:
    """A file that waits, and since when it has been seen as it is."""

    size: int
    modified: str
    since: float


def make_landing_sensor(
    project: Project,
    settings: LandingSettings,
    partitions: Partitions,
    jobs: Sequence[Job],
    storage: Storage,
) -> dg.SensorDefinition:
    """The sensor that sorts in what arrived and requests the days that it touches."""
    source = LandingSource(settings, project.in_source_names(), storage)

    @dg.sensor(
        name="landing_sensor",
        jobs=jobs,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Takes the files that arrive as {settings.pattern} in {source} once they have "
            f"stayed the same for {settings.settle_seconds} seconds, moves them to accepted/ or, "
            "with the reason, to rejected/, and requests the days whose rows they change."
        ),
    )
    def landing_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = local_time(project)
        before, looked = read_cursor(context.cursor)
        arrivals = source.folder.arrivals()
        complete, waiting = settled(arrivals, before, now, settings.settle_seconds)
        said = sort_in(source, complete, partitions.first_day)
        for line in said:
            context.log.info(line)
        requests: list[dg.RunRequest] = []
        accepted = hashlib.sha256("\n".join(source.folder.accepted()).encode()).hexdigest()[:16]
        # what the days to ingest follow from
        seen = f"{seen_of(context.instance, project)} {partitions.newest_day(now)} {accepted}"
        if seen != looked:  # else nothing can have become of the accepted files since
            if unfinished_runs(context.instance, project):
                said.append(WAITING)
                seen = looked
            elif EVALUATION_SCHEDULE not in paused_schedules(context.instance, project):
                datasets = DatasetStore(storage)
                requests = landed_days(context.instance, project, partitions, source, datasets, now)
        if not requests and not said:
            said.append(f"{len(waiting)} file(s) are not complete yet." if waiting else "No news.")
        cursor = json.dumps(
            {"waiting": {name: vars(file) for name, file in waiting.items()}, "looked": seen}
        )
        skip = None if requests else "\n".join(said)
        return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=cursor)

    return landing_sensor


def read_cursor(cursor: str | None) -> tuple[dict[str, Seen], str]:
    """The files that the tick before has seen, and what else; nothing where that is unreadable."""
    try:
        left = json.loads(cursor or "{}")
        waiting = {name: Seen(**seen) for name, seen in left.get("waiting", {}).items()}
        return waiting, str(left.get("looked", ""))
    except (ValueError, TypeError, AttributeError):
        return {}, ""


def settled(
    arrivals: Iterable[Arrival], before: dict[str, Seen], now: dt.datetime, seconds: int
) -> tuple[list[Arrival], dict[str, Seen]]:
    """The files that are complete, and those to look at again.

    Complete is what was changed so many seconds ago by its own time, or was seen as it is by ticks
    so many seconds apart, since the clocks of two machines may differ.
    """
    complete: list[Arrival] = []
    waiting: dict[str, Seen] = {}
    for arrival in arrivals:
        modified = arrival.modified.isoformat()
        known = before.get(arrival.name)
        same = known is not None and (known.size, known.modified) == (arrival.size, modified)
        since = known.since if known is not None and same else now.timestamp()
        age = (now - arrival.modified).total_seconds()
        if age >= seconds or (same and now.timestamp() - since >= seconds):
            complete.append(arrival)
        else:
            waiting[arrival.name] = Seen(arrival.size, modified, since)
    return complete, waiting


def sort_in(source: LandingSource, arrivals: Iterable[Arrival], first_day: dt.date) -> list[str]:
    """Accept or reject complete files; what there is to say of each.

    Each step can be interrupted: a file is where it was, or in its new place, and which days are
    still to be ingested is known from the accepted files alone.
    """
    known = source.folder.contents()
    return [_sort_in(source, arrival, known, first_day) for arrival in arrivals]


def _sort_in(
    source: LandingSource, arrival: Arrival, known: dict[str, str], first_day: dt.date
) -> str:
    folder = source.folder
    try:
        content = folder.content(arrival.name)
        if content in known:
            folder.remove(arrival)
            return f"{arrival.name} is no news: its content is that of {known[content]}."
        reason = problem(source.file(arrival.name), source.project)
    except (OSError, UnreachableError) as error:
        return f"{arrival.name} cannot be read now and is tried again: {error}"
    if folder.arrival(arrival.name) != arrival:
        return f"{arrival.name} was changed while it was read and is read again."
    if reason is not None:
        folder.reject(arrival, content, reason)
        return f"{arrival.name} is rejected: {reason}"
    known[content] = folder.accept(arrival, content)
    days = source.days(known[content])
    said = f"{arrival.name} is accepted, with rows of {_named(days)}."
    if early := [day for day in days if day < str(first_day)]:
        said += f" Not used, being before the first day {first_day}: {_named(early)}."
    return said


def problem(source: FileSource, project: Project) -> str | None:
    """Why a file cannot be accepted. UnreachableError where that cannot be told now."""
    from mlops_assets.assets.observations_type import typed  # which imports pandas

    try:
        span = source.span()
        if span is None:
            return "it holds no rows"
        typed(project, source.read(span[0], span[1] + ONE_DAY))
    except UnreachableError:
        raise
    except (SourceError, ValueError) as error:
        return str(error)
    return None


def landed_days(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    source: LandingSource,
    datasets: DatasetStore,
    now: dt.datetime,
) -> list[dg.RunRequest]:
    """Runs over the days whose rows in the accepted files are not those that were ingested.

    New days are evaluated as well, once there are models; of others the observations alone are
    requested, since who was champion of them stays as it was decided. A day whose target is not
    known yet waits until it is.
    """
    newest = partitions.newest_day(now)
    if newest is None:
        return []
    dated = source if project.due.daily else OfPeriods(source, project.in_source_names())
    fingerprints = due_only(project, dated.fingerprints(partitions.first_day, newest + ONE_DAY))
    changed = changed_days(project, dated, datasets, fingerprints)
    if not changed:
        return []
    log = Log(instance)
    observations = asset_key(project, "observations")
    new = set(changed) - log.made_keys(observations.to_user_string(), changed)
    models = [asset_key(project, "models", model.name) for model in project.models]
    trained = all(map(instance.get_materialized_partitions, models))
    wanted = daily_keys(project)
    if not trained:
        wanted = [observations, asset_key(project, "features")]
    attempt = f"{digest(changed)}:{make_attempt(now)}"
    return [
        *range_requests(dict.fromkeys(wanted, new), partitions, attempt, "landed"),
        *range_requests({observations: set(changed) - new}, partitions, attempt, CHANGED_AT_SOURCE),
    ]


def _named(days: Iterable[str]) -> str:
    """Some days in words."""
    found = sorted(days)
    if len(found) <= NAMED:
        return ", ".join(found)
    gaps = len(days_between(*map(dt.date.fromisoformat, (found[0], found[-1])))) + 1 - len(found)
    return f"{len(found)} days from {found[0]} to {found[-1]}" + (", with gaps" if gaps else "")
