"""Trainings that a cadence asked for of late and that are missing."""

import datetime as dt

import dagster as dg

from mlops_assets.automation.changes import Log
from mlops_assets.automation.requests import BECAUSE_TAG, make_attempt
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, add_months, day_of
from mlops_assets.jobs.evaluate import retrain_job_name
from mlops_assets.project import Cadence, Project
from mlops_assets.resources.switches import paused_schedules, retraining_schedule_name


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
