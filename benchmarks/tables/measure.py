"""`new --yes` on public tables, beside LightGBM and plain rules on the same rows.

    python -m benchmarks.tables.measure [NAME ...] [--seconds 60] [--results FILE] [--all]

Each table is cut off three months before its end (a quarter of its days, where it is shorter than a
year), `new --yes` writes a project of what is left, and then the rest comes: every model of the
project forecasts these days month by month with what is live (its window, features, fit and
forecast), each month by what was learned before it. The other side gets the same rows: LightGBM
with lags up to a year, learned from all of the past before each month, its defaults once with the
squared error and once with the loss of the metric; last week's value, and the usual one of the
weekday. What was kept back while the product was tuned is told only with --all.
"""

import argparse
import datetime as dt
import json
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables.peer import peers
from benchmarks.tables.public import TABLES, Table
from mlops_assets.ml.backtest.contest import Entry, Stretch, errors, pooled, sampling_error
from mlops_assets.ml.features.aggregation import aggregated
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.project import Project, load_project
from mlops_assets.resources.sources import make_source

ONE_DAY = dt.timedelta(days=1)
MONTHS, SHARE = 3, 0.25


def days_of(frame: pd.DataFrame) -> "pd.Series[Any]":
    """The day of each row of a table as it lies there."""
    for name in frame:
        if frame[name].dtype == object and str(name).lower() in NAMED:
            text = frame[name].astype(str)
            for form in ("%Y-%m-%d", "%Y/%m/%d"):
                found = pd.to_datetime(text.str[:10], format=form, errors="coerce")
                if found.notna().mean() > 0.99:
                    return found
    raise ValueError(f"no day in {list(frame)}")


NAMED = ("date", "ts", "dteday", "time", "datetime", "date_time", "lastupdated")


def held_out_from(days: "pd.Series[Any]") -> dt.date:
    """The first day that the project does not know when it is written."""
    first, last = days.min().date(), days.max().date()
    if (last - first).days < 366:
        return last - dt.timedelta(days=int((last - first).days * SHARE))
    months = pd.Timestamp(last + ONE_DAY) - pd.DateOffset(months=MONTHS)
    return months.date()


def months(first: dt.date, last: dt.date) -> Iterator[Stretch]:
    """The days from the first to the last by calendar month, as they are served."""
    while first <= last:
        following = (first.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        yield Stretch(first, min(last, following - ONE_DAY))
        first = following


def write_project(table: Table, folder: Path, seconds: float) -> dict[str, Any]:
    """Run `new` in a process of its own on the rows of before; what it took and said."""
    whole = pd.read_csv(table.write(), dtype=str, keep_default_na=False)
    days = days_of(whole)
    cut = held_out_from(days)
    file = folder / f"{table.name}.csv"
    whole[days < pd.Timestamp(cut)].to_csv(file, index=False)
    command = [sys.executable, "-m", "mlops_assets", "new", str(file), "--target", table.target]
    command += ["--yes", "--no-replay", "--seconds", str(seconds), "--out", str(folder / "made")]
    began = time.monotonic()
    with open(folder / "said.txt", "w") as said:
        process = os.posix_spawn(
            sys.executable,
            [*command, *table.flags],
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, said.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, said.fileno(), 2),
            ],
        )
        mib = 0.0
        while not (ended := os.wait4(process, os.WNOHANG))[0]:
            mib = max(mib, peak(process))
            time.sleep(0.2)
        _, status, usage = ended
    whole.to_csv(file, index=False)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "said": (folder / "said.txt").read_text()[-2000:],
        "cpu": usage.ru_utime + usage.ru_stime,
        "passed": time.monotonic() - began,
        "mib": mib,
        "from": str(cut),
        "through": str(days.max().date()),
        "rows": len(whole),
    }


def peak(process: int) -> float:
    """The peak memory of a process in MiB; what `wait4` says counts this one's before the exec."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def read(project: Project, last: dt.date) -> pd.DataFrame:
    source = make_source(project)
    assert project.first_day is not None
    span = source.span()
    assert span is not None
    rows = source.read(span[0], last + ONE_DAY)
    return aggregated(project.columns, project.aggregate, rows, to_come=True)


def scores(project: Project, observations: pd.DataFrame, stretches: list[Stretch]) -> pd.DataFrame:
    """The sums of the metric of each model and day."""
    assert project.first_day is not None
    known = observations[observations[project.columns.date] >= pd.Timestamp(project.first_day)]
    end = stretches[-1].last + ONE_DAY
    features = make_features(project.feature_plan, known, project.first_day, end)
    features = features.sort_values(project.columns.date, kind="stable", ignore_index=True)
    earliest = project.first_day + project.longest_lag * ONE_DAY
    found = []
    for model in project.models:
        entry = Entry(
            project.fit_plan,
            model.family,
            parse_hyperparameters(model.family, model.hyperparameters),
            features,
            lambda end: project.training_window.of(end, earliest),
        )
        for stretch in stretches:
            sums = errors(entry, project.primary_metric, stretch)
            found.append(sums.reset_index().assign(model=model.name))
    return pd.concat(found)


def measured(table: Table, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(temporary)
        result: dict[str, Any] = {"name": table.name, "kind": table.kind}
        result |= write_project(table, folder, seconds)
        if result["code"]:
            return result
        keep = os.environ.get("KEEP_PROJECTS")
        if keep:
            shutil.copytree(folder / "made", Path(keep) / table.name, dirs_exist_ok=True)
        project = load_project(folder / "made" / "project.yaml")
        last = dt.date.fromisoformat(result["through"])
        observations = read(project, last)
        known = observations.dropna(subset=project.columns.target)[project.columns.date]
        stretches = [
            stretch
            for stretch in months(dt.date.fromisoformat(result["from"]), last)
            if known.between(pd.Timestamp(stretch.first), pd.Timestamp(stretch.last)).any()
        ]
        metric = project.primary_metric
        sums = scores(project, observations, stretches)
        for other in peers(project, observations, stretches):
            sums = pd.concat([sums, other])
        sums = sums.set_index("date")
        by_model = {name: of.drop(columns="model") for name, of in sums.groupby("model")}
        rows = {name: float(of["rows"].sum()) for name, of in by_model.items()}
        assert len(set(rows.values())) == 1, rows
        result["scored"] = next(iter(rows.values()))
        result["metric"] = metric.name
        result["models"] = [model.name for model in project.models]
        result["loss"] = {name: pooled(metric, of) for name, of in by_model.items()}
        result["se"] = {name: sampling_error(metric, of) for name, of in by_model.items()}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--all", action="store_true")
    asked = parser.parse_args()
    for table in TABLES:
        if (table.name in asked.names) if asked.names else (asked.all or not table.kept_back):
            try:
                result = measured(table, asked.seconds)
            except Exception as error:
                result = {"name": table.name, "kind": table.kind, "failed": f"{error!r}"[:500]}
            print(line(result), flush=True)
            if asked.results:
                with asked.results.open("a") as file:
                    file.write(json.dumps(result) + "\n")


def line(result: dict[str, Any]) -> str:
    """A line of the table of results."""
    if "loss" not in result:
        why = result.get("failed") or " ".join(result["said"].split())[-200:]
        return f"| {result['name']} | {result['kind']} | {why} |"
    loss = result["loss"]
    ours = [name for name in result["models"][1:] if name in loss] or result["models"]
    best = min(loss["lightgbm"], loss["lightgbm, its loss"])
    winner = loss[ours[0]]
    figures = [winner, result["se"][ours[0]], loss["lightgbm"], loss["lightgbm, its loss"]]
    plain = [loss[result["models"][0]], loss["last week"], loss["of the weekday"]]
    share = (np.array(figures[:1]) / best - 1)[0]
    cells = [f"{result['rows']:,}", result["metric"], *(f"{figure:.4g}" for figure in figures)]
    cells += [f"{share:+.1%}", *(f"{figure:.4g}" for figure in plain)]
    cells += [f"{result['cpu']:.0f}", f"{result['mib']:.0f}"]
    return f"| {result['name']} | {result['kind']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
