"""Which runs of an instance are a project's own, and which of them nobody carries out any more.

Several projects may share an instance. Dagster's own launcher asks no process whether it lives.
"""

import datetime as dt
import time
from typing import Any

import dagster as dg

from mlops_assets.graph.keys import own_parts
from mlops_assets.lazy import sa
from mlops_assets.project import Project
from mlops_assets.resources.processes import is_gone, this_process
from mlops_assets.resources.stores.turns import Turn

PROJECT_TAG = "mlops_assets/project"  # of the jobs of one of several projects
PROCESS_TAG = "mlops_assets/process"  # which process carries out a run
AFTER_TAG = "mlops_assets/after"  # the run whose outcome one waits for before it judges its own
AFTER_SECONDS, AFTER_LOOK_SECONDS = 900.0, 1.0
RETRIED_TAG, WILL_RETRY_TAG = "dagster/auto_retry_run_id", "dagster/will_retry"
TIMEOUT_MS, RECYCLE_SECONDS = 60_000, 3600  # of a statement and a connection of PostgreSQL
UNSTARTED_SECONDS = 90  # from the making of a run in a shell to its start, which takes seconds
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def project_tags(project: Project) -> dict[str, str]:
    """The tags of a project's runs: its name, where it is one of several."""
    return {PROJECT_TAG: project.prefix} if project.prefix else {}


def is_own(run: dg.DagsterRun, project: Project) -> bool:
    """Whether a run is of a project: by the assets that it selects, else by the tag of its job."""
    if run.asset_selection:
        return any(own_parts(project, key) for key in run.asset_selection)
    return run.tags.get(PROJECT_TAG, "") == project.prefix


def unfinished_runs(
    instance: dg.DagsterInstance, project: Project, tags: dict[str, str] | None = None
) -> list[dg.DagsterRun]:
    """The runs of a project that are queued or under way, of those with some tags."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=tags or {}))
    return [run for run in runs if is_own(run, project)]


def process_tags(run_id: str) -> dict[str, str]:
    """The tag of a run that this process carries out.

    It names the run, since a run that is tried again takes over the tags of the one before.
    """
    return {PROCESS_TAG: f"{run_id} {this_process()}"}


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Have this process keep its connections to the instance, and make new ones for lost ones.

    With PostgreSQL each statement logs in anew otherwise, which is most of what a run costs.
    """
    instance.optimize_for_webserver(
        statement_timeout=TIMEOUT_MS, pool_recycle=RECYCLE_SECONDS, max_overflow=1
    )
    replace_lost_connections()


def replace_lost_connections() -> None:
    """Have all pools of this process make new connections for those that a server has cut."""
    if not sa.event.contains(sa.pool.Pool, "checkout", _still_there):
        sa.event.listen(sa.pool.Pool, "checkout", _still_there)


def _still_there(connection: Any, *_: Any) -> None:
    """Has a pool make a new connection in place of one that a restarted server has cut."""
    if type(connection).__module__ == "sqlite3":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except connection.OperationalError as error:
        raise sa.exc.DisconnectionError from error


def process_of(run: dg.DagsterRun) -> str:
    """The process that carries out a run; empty where it is not known."""
    of, _, process = run.tags.get(PROCESS_TAG, "").partition(" ")
    return process if of == run.run_id else ""


def is_carried_out(run: dg.DagsterRun) -> bool:
    """Whether a run is known to be under way in a process that lives, as far as can be seen."""
    process = process_of(run)
    return not run.is_finished and process != "" and not is_gone(process)


def end_lost_runs(instance: dg.DagsterInstance, project: Project) -> list[dg.DagsterRun]:
    """End the runs of a project whose process on this host is gone; those that were ended.

    They fail, with the reason, so that Dagster tries again what it has launched. Runs on other
    hosts are not judged.
    """
    filters = dg.RunsFilter(statuses=[s for s in UNFINISHED if s is not dg.DagsterRunStatus.QUEUED])
    lost = []
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        reason = _lost(run, dt.datetime.now(dt.UTC) - _in_utc(record.create_timestamp))
        if not reason or not is_own(run, project):
            continue
        now = instance.get_run_by_id(run.run_id)  # its process may just have ended it
        if now is not None and not now.is_finished and now.tags == run.tags:
            instance.report_run_failed(now, reason)
            lost.append(now)
    return lost


def holds_turn(instance: dg.DagsterInstance, turn: Turn, own: str) -> bool:
    """Whether a run that has taken a turn may still hold it, as far as can be seen from here."""
    run = instance.get_run_by_id(turn.run_id)
    ended = run is not None and run.is_finished
    return not (ended or turn.run_id == own or is_gone(turn.process))


def _lost(run: dg.DagsterRun, age: dt.timedelta) -> str:
    """Why a run will never end by itself; empty where it may."""
    process = process_of(run)
    if process and is_gone(process):
        host, number, _ = process.split(" ", 2)
        return (
            f"The process of the run, {number} on {host}, is gone: it was killed, its terminal was "
            "closed or the machine was restarted. What it had stored is kept; the rest is made by "
            "the next run."
        )
    unstarted = run.status is dg.DagsterRunStatus.NOT_STARTED and not process
    if unstarted and age.total_seconds() > UNSTARTED_SECONDS:
        return f"The run was made {age.total_seconds():.0f} s ago and nobody has started it."
    return ""


def _in_utc(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def newest_try(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
    """A run, or the last of those by which Dagster has tried it again; None for an unknown one."""
    run = instance.get_run_by_id(run_id)
    while run is not None and (again := run.tags.get(RETRIED_TAG)):
        run = instance.get_run_by_id(again)
    return run


def is_over(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run has ended and will not be tried again."""
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return run.is_finished
    undecided = instance.run_retries_enabled and WILL_RETRY_TAG not in run.tags
    return not (undecided or run.is_complete_and_waiting_to_retry)


def wait_for_run_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Wait for the run that a run is to follow, where it names one, for a quarter of an hour.

    TimeoutError where that has not ended by then.
    """
    before = run.tags.get(AFTER_TAG, "")
    deadline = time.monotonic() + AFTER_SECONDS
    while before and (found := newest_try(instance, before)) and not is_over(instance, found):
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"the run {found.run_id}, by whose outcome this one is judged, has not ended "
                f"within {AFTER_SECONDS / 60:.0f} minutes; run this again once it has"
            )
        time.sleep(AFTER_LOOK_SECONDS)
