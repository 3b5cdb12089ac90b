"""Build what is missing of the history: layer by layer, with progress shown."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import dagster as dg
from tqdm import tqdm

from mlops_assets.assets.reporting import DATA_ERRORS
from mlops_assets.definitions import load_definitions
from mlops_assets.graph.keys import asset_key, own_parts
from mlops_assets.graph.partitions import (
    Partitions,
    day_of,
    make_partitions,
    range_tags,
    ranges,
)
from mlops_assets.graph.reads import Every, layers
from mlops_assets.graph.runs import (
    end_lost_runs,
    is_carried_out,
    process_of,
    unfinished_runs,
)
from mlops_assets.jobs.evaluate import EVALUATE_JOB, HISTORY_TAG, RETRAIN_ALL_JOB
from mlops_assets.jobs.running import Work, carry_out, on_queue
from mlops_assets.ml.due_days import Grain
from mlops_assets.project import Project
from mlops_assets.project.workspace import load_named
from mlops_assets.resources.disk import GOES_ON
from mlops_assets.resources.processes import this_process
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.sources import Source, make_source
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.switches import paused_models

LINE_SECONDS = 5.0
OTHERS_SECONDS, OTHERS_LOOK_SECONDS = 3600.0, 1.0

Step = tuple[str, str, list[dg.AssetKey], "dg.PartitionsDefinition[str]"]


def steps(project: Project, partitions: Partitions) -> list[Step]:
    """Title, job, assets and partitions of each layer, in the order in which they are built."""
    jobs = {Every.DAY: EVALUATE_JOB, Every.MONTH: RETRAIN_ALL_JOB}
    definitions = {Every.DAY: partitions.daily, Every.MONTH: partitions.monthly}
    found: list[Step] = []
    for nodes in layers(project):
        every = nodes[0].every
        if every in jobs:
            title = "training sets" if nodes[0].kind == "training_set" else nodes[0].kind
            keys = [asset_key(project, *node.asset.split("/")) for node in nodes]
            found.append((title, jobs[every], keys, definitions[every]))
    return found


def build_history(
    project: Project,
    definitions: dg.Definitions,
    partitions: Partitions,
    instance: dg.DagsterInstance,
    terminal: TextIO | None = None,
    created: Collection[str] = (),
    source: Source | None = None,
) -> list[str]:
    """Materialize every missing partition; the reasons of those that failed.

    `created` are the models that were created while the system ran. Days after the last one that
    `source` has rows of are left to come.
    """
    terminal = terminal or sys.stderr
    failures: list[str] = []
    if project.prefix:
        print(f"{project.prefix}:", file=terminal)
    to_come: set[str] = set()
    newest, observed = str(partitions.newest_day()), asset_key(project, "observations")
    if source and newest not in instance.get_materialized_partitions(observed):
        to_come = without_rows_yet(source, partitions, terminal)
    for title, job_name, keys, definition in steps(project, partitions):
        wait_for_others(instance, project, terminal)
        known = [key for key in definition.get_partition_keys() if key not in to_come]
        if definition is partitions.monthly and not project.due.daily:
            known = trained_months(project, partitions)
        missing = {key: missing_of(project, key, known, instance, created) for key in keys}
        count = sum(map(len, missing.values()))
        if not count:
            print(f"{title}: complete", file=terminal)
            continue
        with Progress(title, count, terminal) as progress:
            for (first, last), assets in ranges(missing, definition).items():
                tags = {**range_tags(first, last), HISTORY_TAG: "true"}
                works = [Work(job_name, some, tags) for some in _apart(project, assets, instance)]
                failures += carry_out(project, works, definitions, instance, progress.see)
                if any(GOES_ON in reason for reason in failures):
                    return failures  # nothing else can be stored either
    return failures


def without_rows_yet(source: Source, partitions: Partitions, terminal: TextIO) -> set[str]:
    """The newest days of which the source has no rows yet, and says so to the terminal."""
    try:
        span = source.span()
    except DATA_ERRORS:
        return set()  # the observations will say what is wrong with it
    days = partitions.daily.get_partition_keys()
    found = [day for day in days if span and day > str(span[1])]
    if not span or not found or len(found) == len(days):
        return set()
    named = found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"
    print(
        f"the source has rows through {span[1]}: {named} is evaluated once it has them",
        file=terminal,
    )
    return set(found)


def trained_months(project: Project, partitions: Partitions) -> list[str]:
    """The months of a project of periods: of quarters those in which one begins.

    Nothing more is known in the others. That rows of a period are to come keeps none from being
    trained for, though it is called like its month.
    """
    months = partitions.monthly.get_partition_keys()
    return [key for key in months if project.grain != Grain.QUARTER or day_of(key) in project.due]


def missing_of(
    project: Project,
    key: dg.AssetKey,
    known: Collection[str],
    instance: dg.DagsterInstance,
    created: Collection[str],
) -> set[str]:
    """The partitions of an asset that are not there, without those that nobody asked for.

    A paused model is not trained, and of a created one nothing is made that lies before what its
    creation has made.
    """
    done = instance.get_materialized_partitions(key)
    missing = set(known) - done
    kind, *names = own_parts(project, key)
    if kind == "models" and paused_models(instance, project).intersection(names):
        return set()
    if set(created).intersection(names):
        return {partition for partition in missing if done and partition > min(done)}
    return missing


def foreign_days(
    project: Project, instance: dg.DagsterInstance, datasets: DatasetStore
) -> str | None:
    """Why the days that an instance knows are not those of a storage; None where they may be."""
    key = asset_key(project, "observations")
    known = instance.get_materialized_partitions(key)
    if not known or known & set(datasets.keys("observations")):
        return None
    return (
        f"the instance in DAGSTER_HOME says that {len(known)} days of {key.to_user_string()} are "
        f"there, through {max(known)}, but {datasets.storage.root} holds none of them: they are "
        "those of another project or of a storage that was moved. Set DAGSTER_HOME to a folder of "
        f"{project.name}'s own, or MLOPS_ROOT to the storage that holds them"
    )


def _apart(
    project: Project, assets: list[dg.AssetKey], instance: dg.DagsterInstance
) -> list[list[dg.AssetKey]]:
    """The assets of each run: models and their days by themselves, where runs go on the queue."""
    kinds = {own_parts(project, key)[0] for key in assets}
    if on_queue(instance) and kinds <= {"models", "validation"}:
        return [[asset] for asset in assets]
    return [assets]


def end_unfinished_runs(instance: dg.DagsterInstance, project: Project) -> None:
    """End the runs that an interrupted build left behind: sensors wait for unfinished runs.

    Not those of a build that is going on in another process.
    """
    for run in unfinished_runs(instance, project, {HISTORY_TAG: "true"}):
        if process_of(run) == this_process() or not is_carried_out(run):
            instance.report_run_canceled(run, message="The build of the history was interrupted.")


def wait_for_others(instance: dg.DagsterInstance, project: Project, terminal: TextIO) -> None:
    """Wait for what other processes are making, so that nothing is made twice."""
    told = ""
    deadline = time.monotonic() + OTHERS_SECONDS
    while time.monotonic() < deadline:
        runs = unfinished_runs(instance, project)
        others = [r for r in runs if is_carried_out(r) and process_of(r) != this_process()]
        if not others:
            return
        if others[0].run_id != told:
            told = others[0].run_id
            print(f"waiting for {others[0].job_name} ({told[:8]}) to end", file=terminal)
        time.sleep(OTHERS_LOOK_SECONDS)
        end_lost_runs(instance, project)


class Progress:
    """A bar in a terminal, a line now and then elsewhere."""

    def __init__(self, title: str, total: int, terminal: TextIO) -> None:
        self.title, self.total, self.terminal = title, total, terminal
        self.done = 0
        self.started = self.last_line = time.monotonic()
        self.bar = tqdm(
            total=total, desc=f"{title:>13}", unit="", disable=not terminal.isatty(), file=terminal
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        if self.bar.disable:
            self._line()

    def see(self, entry: dg.EventLogEntry) -> None:
        """Count a materialization."""
        event = entry.dagster_event
        if event is None or not event.is_step_materialization:
            return
        self.done += 1
        self.bar.update()
        if self.bar.disable and time.monotonic() - self.last_line > LINE_SECONDS:
            self._line()

    def _line(self) -> None:
        self.last_line = time.monotonic()
        seconds = self.last_line - self.started
        print(f"{self.title}: {self.done} of {self.total} in {seconds:.0f} s", file=self.terminal)


def build_all(names: Sequence[str]) -> int:
    """Build the history of projects of the workspace; 1 when a partition failed."""
    failures: list[str] = []
    # Dagster captures standard output and error while a run lasts; progress goes past it.
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    with dg.DagsterInstance.get() as instance, terminal:
        for name in names:
            try:
                failures += build_project(name, instance, terminal)
            except DATA_ERRORS as error:  # the others are built all the same
                failures.append(str(error))
    for reason in failures:
        print(f"\n{reason}", file=sys.stderr)
    return 1 if failures else 0


def build_project(name: str, instance: dg.DagsterInstance, terminal: TextIO) -> list[str]:
    """Build the history of a project of the workspace; the reasons of what failed."""
    base = load_named(name)
    storage = project_storage(base)
    project, _ = Registry(storage).apply(base)
    partitions = make_partitions(project, storage)
    registry, datasets = Registry(storage), DatasetStore(storage)
    if problem := foreign_days(project, instance, datasets):
        return [problem]
    definitions = load_definitions(name)
    end_unfinished_runs(instance, project)
    end_lost_runs(instance, project)
    # Dagster holds back an interrupt while a run is in the main thread, so runs get another.
    with ThreadPoolExecutor(1) as worker:
        building = worker.submit(
            build_history,
            project,
            definitions,
            partitions,
            instance,
            terminal,
            registry.created(),
            make_source(project, storage),
        )
        try:
            return building.result()
        except KeyboardInterrupt:
            end_unfinished_runs(instance, project)
            print("\nInterrupted; `mlops-assets history` goes on from here.", file=terminal)
            os._exit(130)
