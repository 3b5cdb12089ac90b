"""What is kept and shown of a backtest: a table, a page, and files under the storage root."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg

from mlops_assets.assets.candidates import in_words
from mlops_assets.assets.reporting import markdown_table
from mlops_assets.jobs.backtesting.plan import Plan
from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policies import Course, format_figure
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.pages.policies_page import policies_page
from mlops_assets.project import Project
from mlops_assets.resources.storage import Storage


def policies_table(project: Project, courses: Sequence[Course]) -> dg.MarkdownMetadataValue:
    """The policies side by side, for the web UI."""
    metric = project.primary_metric.name
    rows = [course.summary(metric) for course in courses]
    shown = [name for name in rows[0] if name != "problem" or any(row["problem"] for row in rows)]
    return markdown_table(
        shown,
        [
            [format_figure(row[name]).replace("|", "\\|").replace("\n", " ") for name in shown]
            for row in rows
        ],
    )


def policies_html(project: Project, plan: Plan, courses: Sequence[Course]) -> str:
    return policies_page(
        courses,
        metric=project.primary_metric.name,
        title=f"{project.name}: retraining policies for {plan.model.name}",
        through=f"replayed from {plan.first} through {plan.last}",
    )


def searched(project: Project, plan: Plan, courses: Sequence[Course]) -> dict[str, Any]:
    """What was tried beside the settings, which counts for the champion's gate; {} for nothing."""
    usual = parse_hyperparameters(plan.model.family, plan.model.hyperparameters)
    recipes = set()
    for policy in (course.policy for course in courses if not course.problem):
        months = policy.window_months
        other = months != project.training.window_months
        if other or policy.hyperparameters != usual:
            words = in_words(policy.hyperparameters.model_dump(mode="json"))
            recipes.add(", ".join(filter(None, [words, f"window_months {months}" * other])))
    days = {"first_day": str(plan.first), "last_day": str(plan.last)}
    return days | {"tried": sorted(recipes)} if recipes else {}


def store(
    project: Project, plan: Plan, courses: Sequence[Course], storage: Storage, folder: str
) -> None:
    """The table, every training and alarm as JSON, and the days of all policies as Parquet."""
    days = pd.concat([c.days.reset_index().assign(policy=c.policy.name) for c in courses])
    buffer = io.BytesIO()
    days.to_parquet(buffer, index=False)
    storage.write(f"{folder}/days.parquet", buffer.getvalue())
    metric = project.primary_metric.name
    found = {
        "model": plan.model.name,
        "metric": metric,
        "first_day": str(plan.first),
        "last_day": str(plan.last),
        "table": [course.summary(metric) for course in courses],
        "policies": [
            {
                **asdict(course.policy),
                "hyperparameters": course.policy.hyperparameters.model_dump(mode="json"),
                "reactions": course.policy.reactions.model_dump(mode="json"),
                "monitoring": course.policy.monitoring.model_dump(mode="json"),
                "performance": course.policy.performance.model_dump(mode="json"),
                "drift": course.policy.drift.model_dump(mode="json"),
                "trainings": [asdict(training) for training in course.trainings],
                "alarms": [asdict(alarm) for alarm in course.alarms],
            }
            for course in courses
        ],
    }
    text = json.dumps(found, indent=2, default=str)
    storage.write(f"{folder}/policies.json", text.encode())
