"""Benchmark: whether retraining pays, by policies tried on three tables, untouched and changed.

Each policy walks all days of a table as it is, and again some weeks before and after changes of the
target that last. They are walked by the functions of `backtest_policy_job`, from features made in
memory. Prints Markdown tables.

python -m benchmarks.policies [--table bikes]
"""

import argparse
import datetime as dt
import logging
import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.detection.plant import level
from benchmarks.detection.stretches import LEARNED_DAYS, MODEL, TABLES, World
from benchmarks.detection.tables import table as markdown
from mlops_assets.jobs.backtest import backtest_all
from mlops_assets.jobs.backtesting.plan import Plan, make_policy
from mlops_assets.jobs.backtesting.policy_config import BOTH, DEFAULT_POLICIES, DIALS
from mlops_assets.ml.backtest.policies import Course, format_figure
from mlops_assets.ml.backtest.policy import TRIGGERS, Policy
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.project import ModelSettings

NEWEST = 610  # days of a table that are walked untouched
BEFORE, AFTER = 84, 56  # days walked before a change and after it
BEGINNINGS = 4  # changes of a table, evenly spread, up and down by turns
SHARE = 0.3
FURTHER: list[dict[str, Any]] = [
    {"name": "monthly, performance", "triggers": ["performance"]},
    {"name": "never, triggers", "cadence": "never", "triggers": BOTH},
]
AROUND = ("monthly", "monthly, triggers", "never", "never, triggers")  # tried around changes


@dataclass(frozen=True)
class Asked:
    """A model and the names of the policies to try, all where there are none."""

    model: str
    names: Collection[str]


def policies(world: World, model: ModelSettings, names: Collection[str]) -> list[Policy]:
    """Those that the job compares by default and further ones, or the named of them."""
    left_out = {**dict.fromkeys(DIALS), "cadence": "monthly", "triggers": [], "hyperparameters": {}}
    asked = [{**left_out, **policy} for policy in [*DEFAULT_POLICIES, *FURTHER]]
    wanted = [policy for policy in asked if not names or policy["name"] in names]
    return [make_policy(world.project, model, policy) for policy in wanted]


def walk(
    world: World,
    features: pd.DataFrame,
    first: dt.date,
    last: dt.date,
    asked: Asked,
) -> list[Course]:
    date = world.project.columns.date
    known = frozenset(world.observations[date].dt.strftime("%Y-%m-%d"))
    model = world.project.model(asked.model)
    plan = Plan(model, policies(world, model, asked.names), features, known, first, last)
    log: Any = logging.getLogger(__name__)
    return backtest_all(world.project, plan, log)


def untouched(world: World, name: str, asked: Asked) -> list[Course]:
    """The newest days before which a window lies; of the sample, none that is a twin of another."""
    start = world.table.recorded_from
    days = 364 if name == "sample" else world.table.days
    first = max(world.project.longest_lag + 124, days - NEWEST)
    first_day, last_day = (start + dt.timedelta(days=n) for n in (first, days - 1))
    return walk(world, world.features, first_day, last_day, asked)


def beginnings(world: World) -> list[dt.date]:
    first = world.table.recorded_from + dt.timedelta(days=LEARNED_DAYS)
    span = (world.end - first).days - AFTER
    if world.table.every > 1:  # the sample comes again after a year
        span = min(span, 364 - 364 // BEGINNINGS)
    step = span // (BEGINNINGS - 1)
    return [first + dt.timedelta(days=n * step) for n in range(BEGINNINGS)]


def changed(world: World, number: int, begins: dt.date, model: str) -> list[Course]:
    """The weeks around a change of the target."""
    first, end = begins - dt.timedelta(days=BEFORE), begins + dt.timedelta(days=AFTER)
    plant = level(SHARE, target=world.project.columns.target)
    back = begins - dt.timedelta(days=world.project.longest_lag)
    random, sign = np.random.default_rng(number), 1 if number % 2 else -1
    rows = plant(world.between(world.observations, back, end), pd.Timestamp(begins), random, sign)
    fresh = make_features(world.project.feature_plan, rows, begins, end)
    before = world.between(world.features, world.table.recorded_from, begins)
    features = pd.concat([before, fresh], ignore_index=True)
    return walk(world, features, first, end - dt.timedelta(days=1), Asked(model, AROUND))


def of_changes(world: World, model: str) -> Iterator[list[str]]:
    """By policy: the metric after each change and of all, days until a reaction, trainings."""
    found: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for number, begins in enumerate(beginnings(world)):
        for course in changed(world, number, begins, model):
            if course.problem:
                raise SystemExit(f"{course.policy.name}: {course.problem}")
            after = course.days.loc[str(begins) :, "value"]
            later = [training for training in course.trainings if training.day > begins]
            reacted = [(t.day - begins).days for t in later if t.why in TRIGGERS]
            first = min(reacted, default=math.inf)
            found[course.policy.name].append((float(after.mean()), first, len(later)))
    for name, courses in found.items():
        values, firsts, counts = zip(*courses, strict=True)
        seen = [first for first in firsts if math.isfinite(first)]
        yield [
            name,
            format_figure(fmean(values)),
            *map(format_figure, values),
            f"{fmean(counts):.1f}",
            f"{median(seen):.0f} ({len(seen)}/{len(firsts)})" if seen else "",
        ]


def report(name: str, asked: Asked) -> None:
    started = time.process_time()
    world = World(TABLES[name])
    metric = world.project.primary_metric.name
    courses = untouched(world, name, asked)
    rows = [course.summary(metric) for course in courses]
    shown = [column for column in rows[0] if column != "problem"]
    days = max(len(course.days) for course in courses)
    print(f"`{name}`, untouched, {days} days:\n")
    print(
        markdown(shown, [[format_figure(row[column]) for column in shown] for row in rows]),
        flush=True,
    )
    begins = [f"from {day}" for day in beginnings(world)]
    header = ["policy", metric, *begins, "trainings", "days until the first reaction"]
    print(f"\n`{name}`, {AFTER} days from a change of {SHARE:.0%}, down and up by turns:\n")
    print(markdown(header, list(of_changes(world, asked.model))))
    print(f"\n{time.process_time() - started:.0f} CPU seconds\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=TABLES, help="one of them instead of all")
    parser.add_argument(
        "--few", action="store_true", help="only the policies that are tried around changes"
    )
    parser.add_argument("--model", default=MODEL, help=f"default {MODEL}")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for name in [args.table] if args.table else TABLES:
        report(name, Asked(args.model, AROUND if args.few else ()))


if __name__ == "__main__":
    main()
