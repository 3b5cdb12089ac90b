"""Tells in a few lines how the projects of the workspace are doing, from what is stored."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import zoneinfo
from collections.abc import Iterator, Sequence

import click
import dagster as dg

from mlops_assets.assets.forecast import held_days, what_stays
from mlops_assets.graph.partitions import PARTITION, RANGE_END, RANGE_START, add_months
from mlops_assets.graph.runs import unfinished_runs
from mlops_assets.project import CRON_MONTHS, Cadence, Project, ProjectError
from mlops_assets.project.folders import INSTANCE_VARIABLE, instance_folder
from mlops_assets.project.workspace import load_named
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.alert_records import Alerts
from mlops_assets.resources.stores.champions import CHAMPION
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.switches import (
    EVALUATION_SCHEDULE,
    paused_models,
    paused_schedules,
)

DAYS = 28
SHOWN = 3
UNDER_WAY = ("newest", "forecast", "runs", "next")
BUILD = "`mlops-assets history` builds it"


def print_status(names: Sequence[str]) -> None:
    """Print a block of lines for each project of the workspace.

    ClickException, once all others are told, where one cannot be.
    """
    refused: list[str] = []
    with open_instance() as instance:
        for number, name in enumerate(names):
            try:
                base = load_named(name)
                storage = project_storage(base)
                project, _ = Registry(storage).apply(base)
                print(f"{chr(10) if number else ''}{project.name}")
                for title, text in status(project, storage, instance):
                    print(f"  {title:<9} {text}")
            except (ProjectError, StorageError) as error:
                refused.append(str(error))
    if refused:
        raise click.ClickException("\n".join(refused))


def under_way(name: str) -> list[tuple[str, str]]:
    """What a page says of now: whether days are behind, forecasts held, what runs and is due.

    ProjectError, StorageError.
    """
    base = load_named(name)
    storage = project_storage(base)
    project, _ = Registry(storage).apply(base)
    lines, title = [], ""
    with open_instance() as instance:
        for told, text in status(project, storage, instance):
            title = told or title
            if title in UNDER_WAY:
                lines.append((title, text))
    return lines


@contextlib.contextmanager
def open_instance() -> Iterator[dg.DagsterInstance | None]:
    """The instance; None where there is none yet, for looking makes none."""
    folder = instance_folder()
    if not folder.exists():
        yield None
        return
    os.environ[INSTANCE_VARIABLE] = str(folder)
    with dg.DagsterInstance.get() as instance:
        yield instance


def status(
    project: Project, storage: Storage, instance: dg.DagsterInstance | None
) -> Iterator[tuple[str, str]]:
    """What a person wants to know of a project: titles, each with a line."""
    now = dt.datetime.now(zoneinfo.ZoneInfo(project.time_zone))
    datasets = DatasetStore(storage)
    days = datasets.keys("leaderboard")
    if not days:
        yield "newest", f"no {project.grain} is evaluated yet; {BUILD}"
    else:
        newest = project.due.named(days[-1])
        yield "newest", f"{newest} is evaluated{_behind(project, days[-1], now)}"
        yield from _champion(project, datasets, days[-1])
    if held := held_days(project, datasets):
        yield "forecast", f"held since {min(held)}; {what_stays(project, max(held), datasets)}"
        for day in sorted(held)[-SHOWN:]:
            yield "", f"{day}: {held[day]}"
    problems = Alerts(storage).open()
    yield "problems", f"{len(problems)} open" if problems else "none open"
    for alert in list(problems.values())[-SHOWN:]:
        yield "", f"{alert.at:%Y-%m-%d %H:%M} {alert.subject}"
    runs = unfinished_runs(instance, project) if instance else []
    yield "runs", f"{len(runs)} under way" if runs else "none under way"
    for run in runs[:SHOWN]:
        yield "", _run(run)
    yield from _next(project, instance, now)


def _behind(project: Project, day: str, now: dt.datetime) -> str:
    """How far the newest evaluated day is behind the newest whose evaluation is due."""
    due = (now.replace(tzinfo=None) - dt.timedelta(hours=project.schedule.evaluate_hour)).date()
    late = project.due.count(project.day_to_come(dt.date.fromisoformat(day)), due)
    return f", {project.due.in_words(late)} behind; {BUILD}" if late > 0 else ""


def _champion(project: Project, datasets: DatasetStore, day: str) -> Iterator[tuple[str, str]]:
    """Who is live, and its trailing score beside that of the baseline."""
    decided = datasets.keys(CHAMPION)
    if not decided:
        yield "champion", "none is chosen yet"
        return
    [record] = datasets.lines(CHAMPION, decided[-1], ["next_champion", "next_since"])
    champion, baseline = record["next_champion"], project.evaluation.baseline
    yield "champion", f"{champion}, since {record['next_since']}"
    primary = project.evaluation.primary
    column = f"{primary}_{DAYS}d"
    board = {
        line["model"]: line.get(column)  # not in what was ranked by another metric
        for line in datasets.lines("leaderboard", day, ["model", column])
    }
    told = [
        f"{board[name]:.4g} of {name}{' (the baseline)' * (name == baseline)}"
        for name in dict.fromkeys([champion, baseline])
        if board.get(name) is not None
    ]
    of = ", ".join(told) or f"of neither {champion} nor {baseline}"
    yield f"{DAYS} {project.grain}s", f"{primary} {of}"


def _run(run: dg.DagsterRun) -> str:
    names = [key.to_user_string() for key in sorted(run.asset_selection or [])]
    what = run.job_name if not run.job_name.startswith("__") else ", ".join(names[:SHOWN])
    first = run.tags.get(PARTITION) or run.tags.get(RANGE_START, "")
    last = run.tags.get(RANGE_END, first)
    span = first if first == last else f"{first} to {last}"
    return f"{run.run_id[:8]} {run.status.value.lower()}: {what} {span}".rstrip()


def _next(
    project: Project, instance: dg.DagsterInstance | None, now: dt.datetime
) -> Iterator[tuple[str, str]]:
    """The next ticks of the schedules that are on; they tick while the project is served."""
    off = paused_schedules(instance, project) if instance else set()
    daily = next_evaluation(project, now)
    when = "switched off" if EVALUATION_SCHEDULE in off else f"{daily:%Y-%m-%d %H:%M %Z}"
    yield "next", f"evaluation: {when}"
    paused = paused_models(instance, project) if instance else set()
    for cadence, months in CRON_MONTHS.items():
        names = [model.name for model in project.models if model.cadence == cadence]
        if names := [name for name in names if name not in paused]:
            tick = next_tick(now, project.schedule.retrain_hour, months)
            yield "", f"{cadence} training: {tick:%Y-%m-%d %H:%M %Z}, of {', '.join(names)}"
    manual = [model.name for model in project.models if model.cadence == Cadence.MANUAL]
    if left := sorted({*paused, *manual}):
        yield "", f"not trained by schedule: {', '.join(left)}"


def next_evaluation(project: Project, now: dt.datetime) -> dt.datetime:
    """The next evaluation after now: daily, or once a period has ended."""
    if project.due.daily:
        return next_tick(now, project.schedule.evaluate_hour)
    hour, start = dt.time(project.schedule.evaluate_hour), project.due.start(now.date())
    today = dt.datetime.combine(start, hour, now.tzinfo)
    return today if today > now else dt.datetime.combine(project.due.end(start), hour, now.tzinfo)


def next_tick(now: dt.datetime, hour: int, months: str | None = None) -> dt.datetime:
    """The next tick after now: daily at an hour, or on the first of months as cron names them."""
    step = dt.timedelta(days=1)
    if months is None:
        today = dt.datetime.combine(now.date(), dt.time(hour), now.tzinfo)
        return today if today > now else dt.datetime.combine(today.date() + step, today.timetz())
    allowed = range(1, 13) if months == "*" else [int(month) for month in months.split(",")]
    first = now.date().replace(day=1)
    while True:
        tick = dt.datetime.combine(first, dt.time(hour), now.tzinfo)
        if tick > now and first.month in allowed:
            return tick
        first = add_months(first, 1)
