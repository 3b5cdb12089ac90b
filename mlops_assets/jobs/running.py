"""The runs that a command or another run needs: in this process, or on Dagster's queue.

They go on the queue where the instance names a launcher of runs other than Dagster's default.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import dagster as dg

from mlops_assets.graph.runs import (
    AFTER_TAG,
    end_lost_runs,
    is_over,
    newest_try,
    process_tags,
)
from mlops_assets.lazy import sa
from mlops_assets.project import Project
from mlops_assets.project.workspace import location
from mlops_assets.resources.web import NotSubmittedError, submit_run

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LOOK_SECONDS, LOST_SECONDS = 1.0, 5.0
UNSTARTED_SECONDS = 3600.0  # in which no run of those on the queue begins, goes on or ends
NOTHING_MOVES = (
    "for {:.0f} minutes none of the runs {} has begun: see that dagster-daemon runs, and workers "
    "of the launcher that the instance names"
)
EVENTS = 1000  # of a run at once
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION
FAILED = dg.DagsterEventType.STEP_FAILURE

See = Callable[[dg.EventLogEntry], None]


class Work(NamedTuple):
    """A run that is wanted."""

    job: str
    assets: Sequence[dg.AssetKey]
    tags: Mapping[str, str]
    """Which partitions, and for whom."""
    follows: bool = False
    """Whether what it makes is judged by what the one before it makes."""


def on_queue(instance: dg.DagsterInstance) -> bool:
    """Whether runs run elsewhere: by another launcher than Dagster's default."""
    return not (instance.is_ephemeral or isinstance(instance.run_launcher, dg.DefaultRunLauncher))


def carry_out(
    project: Project,
    works: Iterable[Work],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    see: See = lambda _: None,
) -> list[str]:
    """Run all, side by side where that is elsewhere, and wait for them; why some failed.

    `see` is told of each materialization.
    """
    if on_queue(instance):
        return _on_queue(project, works, instance, see)
    return [why for work in works for why in run_here(work, definitions, instance, see)]


def run_here(
    work: Work,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    see: See = lambda _: None,
) -> list[str]:
    """A run in this process; what its failed steps say."""
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, see)
    result = definitions.resolve_job_def(work.job).execute_in_process(
        instance=instance,
        asset_selection=list(work.assets),
        tags={**work.tags, **process_tags(run_id)},
        run_config=QUIET,
        run_id=run_id,
        raise_on_error=False,
    )
    if result.success:
        return []
    return list(_reasons(run_id, (e for e in result.all_events if e.is_step_failure)))


def _reasons(run_id: str, failed: Iterable[dg.DagsterEvent]) -> Iterator[str]:
    """What the failed steps of a run say, or that it failed."""
    none = True
    for event in failed:
        none = False
        data = event.step_failure_data
        failure, error = data.user_failure_data, data.error
        while error and error.cause:  # what Dagster wraps says that a step failed, and not why
            error = error.cause
        reason = failure.description if failure else error.message if error else event.message
        yield reason or f"{event.step_key} failed"
    if none:
        yield f"the run {run_id} failed"


def _on_queue(
    project: Project, works: Iterable[Work], instance: dg.DagsterInstance, see: See
) -> list[str]:
    failures: list[str] = []
    submitted: list[str] = []
    for work in works:
        after = {AFTER_TAG: submitted[-1]} if work.follows and submitted else {}
        known = instance.get_run_records(limit=1)
        try:
            run_id = submit_run(
                location(project),
                work.job,
                [key.path for key in work.assets],
                tags={**work.tags, **after},
                config=QUIET,
                known_run=known[0].dagster_run.run_id if known else "",
            )
        except NotSubmittedError as error:
            failures.append(str(error))
            break
        submitted.append(run_id)
    queue = Queue(project, instance, see)
    return failures + queue.wait(submitted)


class Queue:
    """Waits for runs of the queue, also while the database of the instance does not answer."""

    def __init__(self, project: Project, instance: dg.DagsterInstance, see: See) -> None:
        self.project, self.instance, self.see = project, instance, see
        self._cursors: dict[str, Any] = {}
        self._moved = time.monotonic()

    def wait(self, run_ids: Sequence[str]) -> list[str]:
        """Wait until all have ended, and those that were tried again in their place; why some
        failed."""
        waiting, failures, looked = list(run_ids), list[str](), time.monotonic()
        self._moved = looked
        while waiting:
            time.sleep(LOOK_SECONDS)
            with suppress(sa.exc.OperationalError):
                if time.monotonic() - looked > LOST_SECONDS:
                    end_lost_runs(self.instance, self.project)
                    looked = time.monotonic()
                for run_id in list(waiting):
                    ended, why = self._look(run_id)
                    if ended:
                        waiting.remove(run_id)
                        failures += why
            if waiting and time.monotonic() - self._moved > UNSTARTED_SECONDS:
                return [*failures, NOTHING_MOVES.format(UNSTARTED_SECONDS / 60, ", ".join(waiting))]
        return failures

    def _look(self, run_id: str) -> tuple[bool, list[str]]:
        """Whether a run has ended, as the last of those in its place, and why it failed."""
        run = newest_try(self.instance, run_id)
        if run is None:
            return True, [
                f"the run {run_id} is unknown to the instance: it went to a web UI of another"
            ]
        self._tell(run.run_id)
        if run.status is dg.DagsterRunStatus.STARTED:
            self._moved = time.monotonic()
        if not is_over(self.instance, run):
            return False, []
        if run.is_success:
            return True, []
        logs = self.instance.all_logs(run.run_id, of_type=FAILED)
        return True, list(_reasons(run.run_id, (entry.get_dagster_event() for entry in logs)))

    def _tell(self, run_id: str) -> None:
        more = True
        while more:
            found = self.instance.get_records_for_run(
                run_id, self._cursors.get(run_id), of_type=MADE, limit=EVENTS
            )
            self._cursors[run_id], more = found.cursor, found.has_more
            for record in found.records:
                self._moved = time.monotonic()
                self.see(record.event_log_entry)
