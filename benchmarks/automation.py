"""Benchmark: what all sensors together cost in a minute in which nothing happens.

Makes an event log and model cards of a whole history by bulk inserts, without a run, then ticks
every sensor of the project twice and once more, and counts the CPU seconds of the last tick of each
times its ticks a minute. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import sqlite3
import tempfile
import time
import warnings
from pathlib import Path

import dagster as dg

from mlops_assets.cli.instance import SHIPPED
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.keys import asset_key, daily_keys
from mlops_assets.graph.partitions import Partitions, make_partitions
from mlops_assets.project import Project, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.model_store import ModelCard

SIZES = [(180, 5), (180, 30), (1825, 5), (1825, 30)]  # days, models
MINUTE = 60
PROJECT_FILE = Path(__file__).resolve().parents[1] / "project.yaml"
TEMPLATE = "0000-00-00"


def make_project(days: int, models: int) -> Project:
    """The shipped project with a longer history and as many linear models."""
    whole = load_project(PROJECT_FILE)
    first = whole.today() - dt.timedelta(days=days)
    names = [f"model_{n:02}" for n in range(models)]
    some = [whole.models[0].model_copy(update={"name": name}) for name in names]
    evaluation = whole.evaluation.model_copy(update={"baseline": names[0]})
    changes = {"first_day": first, "models": some, "evaluation": evaluation}
    return whole.model_copy(update=changes)


def write_cards(project: Project, months: list[str], storage: LocalStorage) -> None:
    """A version of every model for every month."""
    for model in project.models:
        for n, month in enumerate(months):
            first = dt.date.fromisoformat(month)
            version = f"{month}_{month.replace('-', '')}T000000000000_{n:08x}"
            card = ModelCard(
                model=model.name,
                version=version,
                family=model.family,
                hyperparameters={},
                month=month,
                trained_from=first - dt.timedelta(days=120),
                trained_through=first - dt.timedelta(days=1),
                created=dt.datetime(first.year, first.month, 1, tzinfo=dt.UTC),
                days=120,
                rows=8400,
                inputs=["units_lag_7"],
                non_negative=True,
                training_set_sha256="0" * 64,
                code_version="1",
                fit_seconds=1.0,
                holdout_from=first - dt.timedelta(days=28),
                holdout_rows=63,
                holdout={},
                importance={},
                size=1,
                sha256="0" * 64,
            )
            path = f"models/{model.name}/{version}/card.json"
            storage.write(path, card.model_dump_json().encode())


def the_instance(home: Path) -> dg.DagsterInstance:
    """The instance as the product sets it up."""
    os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.get()


def write_log(project: Project, partitions: Partitions, home: Path) -> None:
    """Every partition made once, in the order of the graph."""
    home.mkdir()
    shutil.copy(SHIPPED, home / "dagster.yaml")
    with the_instance(home) as instance:
        months = partitions.monthly.get_partition_keys()
        days = partitions.daily.get_partition_keys()
        made = dict.fromkeys(daily_keys(project), days)
        made |= {asset_key(project, "models", model.name): months for model in project.models}
        for key in made:  # a true entry of each, to be repeated
            instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=TEMPLATE))
    [database] = home.rglob("index.db")
    columns = "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
    with sqlite3.connect(database) as connection:
        for key, partitions_of_it in made.items():
            name = json.dumps(key.path)
            query = f"select {columns} from event_logs where asset_key = ?"
            run, event, kind, at, step, _, _ = connection.execute(query, [name]).fetchone()
            rows = [
                (run, event.replace(TEMPLATE, one), kind, at, step, name, one)
                for one in partitions_of_it
            ]
            marks = ", ".join("?" * 7)
            connection.execute("delete from event_logs where asset_key = ?", [name])
            connection.executemany(f"insert into event_logs ({columns}) values ({marks})", rows)
    connection.close()


def seconds_of(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> tuple[float, float]:
    """The CPU seconds of a first tick, and of one when nothing has happened since."""
    cursor, spent = None, []
    for _ in range(4):
        started = time.process_time()
        with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
            tick = sensor.evaluate_tick(context)
        spent.append(time.process_time() - started)
        cursor = tick.cursor or cursor
    return spent[0], spent[-1]


def measure(days: int, models: int, folder: Path) -> dict[str, tuple[float, float, int]]:
    """Of each sensor the seconds of its first tick and of a quiet one, and its interval."""
    project = make_project(days, models)
    storage = LocalStorage(str(folder / "storage"))
    partitions = make_partitions(project, storage)
    write_cards(project, partitions.monthly.get_partition_keys(), storage)
    write_log(project, partitions, folder / "home")
    sensors = make_definitions(project, storage).sensors or ()
    found = {}
    with the_instance(folder / "home") as instance:
        for sensor in sensors:
            assert isinstance(sensor, dg.SensorDefinition)
            interval = sensor.minimum_interval_seconds or MINUTE
            found[sensor.name] = (*seconds_of(sensor, instance), interval)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    warnings.simplefilter("ignore")
    results = {}
    for days, models in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            results[days, models] = measure(days, models, Path(folder))
    names = list(next(iter(results.values())))
    print("| days | models |", " | ".join(names), "| a minute | first tick |")
    print("|---:" * (len(names) + 4) + "|")
    for (days, models), found in results.items():
        cells = [f"{quiet * 1000:.1f} ms" for _, quiet, _ in found.values()]
        minute = sum(quiet * MINUTE / interval for _, quiet, interval in found.values())
        first = sum(first for first, _, _ in found.values())
        print(f"| {days} | {models} |", " | ".join(cells), f"| {minute:.2f} s | {first:.2f} s |")


if __name__ == "__main__":
    main()
