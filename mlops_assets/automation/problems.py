"""Runs that failed, evaluations that were missed, and changes of the champion."""

import datetime as dt
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import dagster as dg

from mlops_assets.assets.freshness import EVALUATION_HOURS
from mlops_assets.automation.changes import Log
from mlops_assets.graph.keys import asset_key, daily_keys, own_parts
from mlops_assets.graph.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    Partitions,
    day_of,
    days_between,
)
from mlops_assets.graph.runs import UNFINISHED, is_own
from mlops_assets.jobs.evaluate import EVALUATE_JOB, HISTORY_TAG
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.alert_records import Alert, Kind, Severity
from mlops_assets.resources.stores.champions import CHAMPION
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_assets.resources.switches import EVALUATION_SCHEDULE, paused_schedules
from mlops_assets.resources.web import asset_page, day_url, web_url

MOST_RUNS = 500
# A run is long once it takes so many times as long as any of the last of its job, and so many
# seconds at least; of a job that has not succeeded yet, an hour.
LONG_TIMES, LONG_LEAST_SECONDS, LONG_UNKNOWN_SECONDS, LONG_KNOWN_RUNS = 3, 900.0, 3600.0, 20

Work = set[tuple[dg.AssetKey, str]]
"""Assets with the partition of each that a run was to make; an empty one where it has none."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong now, or a change that somebody should know."""

    kind: Kind
    key: str
    subject: str
    text: str
    path: str
    severity: Severity
    day: str = ""
    """The day that it is about; of a change, the one on which it was decided."""
    about: tuple[str, ...] = ()
    """What it is made of: it is told again once there is more."""
    digest: bool = False

    def alert(self, project: Project, at: dt.datetime) -> Alert:
        said = {name: value for name, value in vars(self).items() if name != "path"}
        page = day_url(project, self.day) if self.day else ""
        return Alert(at=at, url=web_url(self.path), page=page, **said)


def catching_up_since(project: Project, now: dt.datetime) -> dt.datetime:
    """Since when what was missed is looked for."""
    return now - (now.date() - project.due.back(now.date(), project.schedule.catch_up_days))


def subject_of(project: Project, text: str) -> str:
    """What an alert is about; of which project, where channels hear of several."""
    return f"{project.prefix}: {text}" if project.prefix else text


def failed_runs(
    instance: dg.DagsterInstance,
    project: Project,
    now: dt.datetime,
    refused: set[str],
    still: Mapping[str, Alert] = MappingProxyType({}),
) -> tuple[list[Problem], set[str]]:
    """The failed runs whose work is still to be done, and the partitions of that work.

    Those of late, and those older ones that are `still` told.
    A run that failed at the same work again is no problem of its own. What is left of days that
    another run has ingested since is work of upkeep, whose runs are told if they fail.
    """
    since = catching_up_since(project, now)
    failure = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=since)
    told: dict[str, Work] = {}
    problems, partitions = [], set()
    recent = instance.get_run_records(failure, limit=MOST_RUNS)
    for record in [*_told_before(instance, still, since), *reversed(recent)]:
        run = record.dagster_run
        if not is_own(run, project):
            continue
        work = planned(run, project)
        wanted = {item for item in work if item[1] not in refused}
        left = set(_undone(instance, wanted, record.create_timestamp))
        again = _ingested_since(instance, project, {day for _, day in left}, record)
        left = {item for item in left if item[1] not in again}
        if not left if work else _succeeded_since(instance, project, record):
            continue
        earlier = told.setdefault(run.job_name, set())
        days = _partitions_of(run)
        if left and left <= earlier:
            continue
        earlier |= left
        partitions |= {partition for _, partition in left}
        of = "" if not days else f" of {days[0]}" if len(days) == 1 else f" of {days[0]} on"
        problems.append(
            Problem(
                Kind.RUN_FAILED,
                f"run_failed:{run.job_name}:{'-'.join(days[:1] + days[-1:])}",
                subject_of(project, f"{run.job_name}{of} failed"),
                "Its page names the step and the reason; what is missing of the last days is tried "
                "again by itself, anything else once it is run again.",
                f"runs/{run.run_id}",
                Severity.ACT,
                digest=HISTORY_TAG in run.tags,
                day=_first_day(left, project),
            )
        )
    return problems, partitions


def _told_before(
    instance: dg.DagsterInstance, still: Mapping[str, Alert], since: dt.datetime
) -> list[dg.RunRecord]:
    """The failed runs created before a time that are still told, of those that had partitions."""
    names = {alert.url.rpartition("/")[2] for alert in still.values() if _is_failed_run(alert)}
    found = [instance.get_run_record_by_id(run_id) for run_id in sorted(names)]
    old = [record for record in found if record and record.create_timestamp < since]
    partitioned = [record for record in old if _partitions_of(record.dagster_run)]
    return sorted(partitioned, key=lambda record: record.create_timestamp)


def _is_failed_run(alert: Alert) -> bool:
    return alert.kind == Kind.RUN_FAILED


def is_let_go(instance: dg.DagsterInstance, alert: Alert) -> bool:
    """Whether nothing says any more if a problem lasts: a run without partitions, or none."""
    if not _is_failed_run(alert):
        return False
    run = instance.get_run_by_id(alert.url.rpartition("/")[2])
    return run is None or not _partitions_of(run)


def long_runs(
    instance: dg.DagsterInstance, project: Project, now: float | None = None
) -> list[Problem]:
    """The runs that hold up the sensors for longer than their kind usually takes."""
    now = time.time() if now is None else now
    found = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        began = record.start_time or record.create_timestamp.timestamp()
        lasts = now - began
        if lasts < LONG_LEAST_SECONDS or not is_own(run, project):
            continue
        usual = _longest_of_late(instance, project, run.job_name)
        most = (
            LONG_UNKNOWN_SECONDS if usual is None else max(LONG_TIMES * usual, LONG_LEAST_SECONDS)
        )
        if lasts < most:
            continue
        state = "lasts" if record.start_time else "waits"
        told = f", at most {usual / 60:.0f} minutes of late" if usual else ""
        found.append(
            Problem(
                Kind.RUN_LONG,
                f"{Kind.RUN_LONG}:{run.run_id}",
                subject_of(project, f"{run.job_name} {state} over {most / 60:.0f} minutes"),
                f"It usually takes less{told}, and the sensors wait for it. See on its page what "
                "it does; terminate it there if it does nothing, and it is made up for.",
                f"runs/{run.run_id}",
                Severity.WARN,
                digest=HISTORY_TAG in run.tags,
            )
        )
    return found


def _longest_of_late(instance: dg.DagsterInstance, project: Project, job_name: str) -> float | None:
    """How many seconds the longest of the last runs of a job took; None where none succeeded."""
    succeeded = dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.SUCCESS])
    took = [
        record.end_time - record.start_time
        for record in instance.get_run_records(succeeded, limit=LONG_KNOWN_RUNS)
        if record.start_time and record.end_time and is_own(record.dagster_run, project)
    ]
    return max(took, default=None)


def planned(run: dg.DagsterRun, project: Project) -> Work:
    """What a run was to make; nothing where it makes no assets that are known here."""
    selected = {key for key in run.asset_selection or () if own_parts(project, key)}
    if not selected and run.job_name == EVALUATE_JOB:
        selected = set(daily_keys(project))
    if not selected:
        names = [model.name for model in project.models if f"_{model.name}_job" in run.job_name]
        selected = {asset_key(project, "models", name) for name in names}
    partitions = _partitions_of(run)
    by_day = set(daily_keys(project))
    return {
        (key, partition)
        for key in selected
        for partition in partitions
        if key not in by_day or day_of(partition) in project.due
    }


def _first_day(work: Work, project: Project) -> str:
    """The first of the days among the partitions of work, where there are any."""
    by_day = set(daily_keys(project))
    return min((partition for key, partition in work if key in by_day), default="")


def _partitions_of(run: dg.DagsterRun) -> list[str]:
    if PARTITION in run.tags:
        return [run.tags[PARTITION]]
    if RANGE_START not in run.tags:
        return []
    first, last = (day_of(run.tags[tag]) for tag in (RANGE_START, RANGE_END))
    return days_between(first, last + dt.timedelta(days=1))


def _undone(
    instance: dg.DagsterInstance, work: Work, started: dt.datetime
) -> Iterator[tuple[dg.AssetKey, str]]:
    """The part of a run's work that was materialized neither by itself nor since."""
    for key in {key for key, _ in work}:
        wanted = {partition for other, partition in work if other == key}
        since = dg.AssetRecordsFilter(
            asset_key=key,
            asset_partitions=sorted(wanted),
            after_timestamp=started.timestamp(),
        )
        made = instance.fetch_materializations(since, limit=1000).records
        yield from (
            (key, missing) for missing in wanted - {record.partition_key for record in made}
        )


def _ingested_since(
    instance: dg.DagsterInstance, project: Project, days: set[str], record: dg.RunRecord
) -> set[str]:
    """Of days those whose observations another run has stored since a run was created."""
    if not days:
        return set()
    since = dg.AssetRecordsFilter(
        asset_key=asset_key(project, "observations"),
        asset_partitions=sorted(days),
        after_timestamp=record.create_timestamp.timestamp(),
    )
    made = instance.fetch_materializations(since, limit=1000).records
    return {str(one.partition_key) for one in made if one.run_id != record.dagster_run.run_id}


def _succeeded_since(instance: dg.DagsterInstance, project: Project, record: dg.RunRecord) -> bool:
    """Whether a run of the same job was started later and succeeded."""
    later = dg.RunsFilter(
        job_name=record.dagster_run.job_name,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        created_after=record.create_timestamp,
    )
    return any(is_own(run, project) for run in instance.get_runs(later, limit=MOST_RUNS))


def missed_evaluations(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    now: dt.datetime,
    explained: Collection[str],
    told: Collection[str],
) -> Iterator[Problem]:
    """The newest day, when it has no leaderboard two hours after its schedule had its hour.

    And the days that were told for this before and still have none. Not those that are explained.
    """
    newest = partitions.newest_day(now)
    if newest is None or EVALUATION_SCHEDULE in paused_schedules(instance, project):
        return
    by = min(project.schedule.evaluate_hour + EVALUATION_HOURS, 23)
    before = [day for day in told if day < str(newest)]
    days = [
        *before,
        *([str(newest)] if now.hour >= by and newest >= partitions.first_month else []),
    ]
    boards = asset_key(project, "leaderboard").to_user_string()
    made = Log(instance).made_keys(boards, days) if days else set()
    for day in days:
        if day in made or day in explained:
            continue
        yield Problem(
            Kind.EVALUATION_MISSED,
            f"{Kind.EVALUATION_MISSED}:{day}",
            subject_of(project, f"{day} is not evaluated"),
            f"It was due by {by}:00. See under Automation whether its schedule runs, and under "
            "Runs whether a run waits.",
            "automation",
            Severity.ACT,
            day=day,
        )


def unreadable_versions(project: Project, models: ModelStore) -> Iterator[Problem]:
    """The versions whose cards are damaged or gone, where nothing stands in for them."""
    for model in project.models:
        damaged: dict[str, StorageError] = {}
        models.cards(model.name, damaged)
        for version, error in damaged.items():
            yield Problem(
                Kind.UNREADABLE,
                f"{Kind.UNREADABLE}:{version}",
                subject_of(project, f"{version} of {model.name} cannot be read"),
                f"{error}. Until then the days that it served are not evaluated again, and the day "
                "to come is forecast by the version before it.",
                asset_page(project, "models", model.name),
                Severity.ACT,
            )


def champion_changes(
    project: Project, datasets: DatasetStore, recent: Sequence[str]
) -> tuple[dict[str, Problem], list[str]]:
    """The changes of the champion that were decided on recent days, by key; the days decided."""
    changes: dict[str, Problem] = {}
    days: list[str] = []
    decided = ""
    for row in datasets.read(CHAMPION, recent, {}).to_dict("records"):
        days.append(f"{row['date']:%Y-%m-%d}")
        # while targets are not known yet, another than that of the day may be decided already
        replaced = row["champion"]
        if project.evaluation.label_delay_days and decided:
            replaced = decided
        decided = str(row["next_champion"])
        if decided == replaced:
            continue
        since = row["next_since"]
        change = Problem(
            Kind.CHAMPION_CHANGED,
            f"champion_changed:{since}:{decided}",
            subject_of(project, f"{decided} is champion from {since}, after {replaced}"),
            str(row["next_why"]),
            f"{asset_page(project, CHAMPION)}?partition={days[-1]}",
            Severity.INFORM,
            day=days[-1],
        )
        changes[change.key] = change
    return changes, days
