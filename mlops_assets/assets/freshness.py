"""When an asset that a schedule keeps counts as out of date."""

import datetime as dt
from collections.abc import Iterable
from functools import cache

import dagster as dg

from mlops_assets.ml.due_days import ALL_WEEK
from mlops_assets.project import CRON_MONTHS, Cadence, Project

EVALUATION_HOURS = 2
RETRAINING_HOURS = 6


def daily_freshness(project: Project) -> dg.FreshnessPolicy | None:
    """To be materialized after each day that is due, or period, within two hours of the hour of
    evaluation.

    None where holidays are not due, of which a deadline knows nothing.
    """
    due = project.due
    if due.holidays:
        return None
    if not due.daily:
        *days_and_months, week = due.cron.split()
        hour = project.schedule.evaluate_hour
        return _deadline(project, hour, EVALUATION_HOURS, " ".join(days_and_months), week)
    days = [(ALL_WEEK.index(name) + 2) % len(ALL_WEEK) for name in due.weekdays]  # Sunday is 0
    week = "*" if due.all else ",".join(map(str, sorted(days)))
    return _deadline(project, project.schedule.evaluate_hour, EVALUATION_HOURS, "* *", week)


def training_freshness(project: Project, cadences: Iterable[Cadence]) -> dg.FreshnessPolicy | None:
    """To be materialized within six hours of the most frequent of the trainings that need it.

    None where all of them are by hand alone.
    """
    months = [CRON_MONTHS[cadence] for cadence in cadences if cadence in CRON_MONTHS]
    if not months:
        return None
    often = CRON_MONTHS[Cadence.MONTHLY]
    month = often if often in months else months[0]
    return _deadline(project, project.schedule.retrain_hour, RETRAINING_HOURS, f"1 {month}")


def _deadline(
    project: Project, start: int, hours: int, days: str, week: str = "*"
) -> dg.FreshnessPolicy:
    """Hours after a start hour, on the days and months of a cron schedule.

    What starts so late that its deadline falls on the next day is due at midnight less a minute.
    """
    hour, minute = (start + hours, 0) if start + hours < 24 else (23, 59)
    window = dt.timedelta(hours=hour - start, minutes=minute)
    return _cron(f"{minute} {hour} {days} {week}", window, project.time_zone)


@cache  # Dagster tries a policy on years of days, which for all assets is most of loading them
def _cron(deadline: str, window: dt.timedelta, time_zone: str) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.cron(
        deadline_cron=deadline, lower_bound_delta=window, timezone=time_zone
    )
