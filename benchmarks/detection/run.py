"""How soon planted changes are noticed, and how often nothing is: this project and others.

Prints the Markdown tables of benchmarks/README.md.
"""

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from functools import cache, partial
from pathlib import Path

import pandas as pd

from benchmarks.detection.ours import UNTOUCHED, Alarm, Follower
from benchmarks.detection.stretches import (
    TABLES,
    Stretch,
    Version,
    World,
    versions_needed,
)
from benchmarks.detection.tables import tables
from mlops_assets.ml.monitoring.distribution import FORECAST

HERE = Path(__file__).resolve().parent
OTHERS = ("nannyml", "evidently")
OURS_FILE = "alarms this project.parquet"


@cache
def world(table: str) -> World:
    """One for each process."""
    return World(TABLES[table])


def train(table: str, start: dt.date) -> tuple[dt.date, Version]:
    return start, world(table).train(start)


def follow(
    table: str,
    stretch: Stretch,
    versions: dict[dt.date, Version],
    planted: bool,
    folder: Path,
) -> None:
    """Write the alarms of this project, and the rows that the others are given."""
    needed = {start: versions[start] for start in stretch.version_starts}
    follower = Follower(world(table), needed, stretch)
    place = folder / str(stretch.start)
    if (place / OURS_FILE).exists():
        return
    place.mkdir(exist_ok=True)
    date, target = follower.columns.date, follower.columns.target
    columns = [date, target, *follower.numeric, *follower.categorical]
    names = {date: "date", target: "target", FORECAST: "forecast"}

    def give(name: str, rows: pd.DataFrame) -> None:
        rows[columns].rename(columns=names).to_parquet(place / f"{name}.parquet")

    give("learned", follower.learned)
    give("history", follower.history)
    alarms = []
    for case in follower.cases(planted):
        alarms += follower.judge(case)
        give(f"case {case.change}", case.features)
    pd.DataFrame(alarms, columns=[field.name for field in fields(Alarm)]).to_parquet(
        place / OURS_FILE
    )


def environment(name: str, cache_folder: Path) -> Path:
    """The Python of an environment of their own, made when it is not there yet."""
    place = cache_folder / name
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = place / "installed"
    wanted = (HERE / f"{name}.txt").read_text()
    if not done.exists() or done.read_text() != wanted:
        venv.create(place, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", HERE / f"{name}.txt"]
        subprocess.run(install, check=True)
        done.write_text(wanted)
    return python


def judge_by(name: str, folder: Path, cache_folder: Path) -> None:
    """Have another library judge the rows of all stretches."""
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [environment(name, cache_folder), HERE / "others.py", name, folder]
    subprocess.run(command, check=True, env=outside)


def said(what: str, started: float) -> None:
    print(f"{time.perf_counter() - started:6.0f} s {what}", file=sys.stderr, flush=True)


def measure(
    table: str,
    stretches: Sequence[Stretch],
    planted: Sequence[Stretch],
    others: Sequence[str],
    folder: Path,
    cache_folder: Path,
    workers: int,
) -> pd.DataFrame:
    """All alarms; changes are planted into some of the stretches as well."""
    started = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        left = [s for s in stretches if not (folder / str(s.start) / OURS_FILE).exists()]
        versions = dict(pool.map(partial(train, table), versions_needed(left)))
        said(f"{len(versions)} versions trained", started)
        jobs = [
            pool.submit(follow, table, stretch, versions, stretch in planted, folder)
            for stretch in left
        ]
        for job in jobs:
            job.result()
    said("this project has judged", started)
    for name in others:
        judge_by(name, folder, cache_folder)
        said(f"{name} has judged", started)
    return pd.concat(
        [pd.read_parquet(file) for file in sorted(folder.glob("*/alarms *.parquet"))],
        ignore_index=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--table", choices=TABLES, default="sample", help="which one (default sample)"
    )
    parser.add_argument(
        "--tuning", action="store_true", help="the stretches that the defaults were tuned on"
    )
    parser.add_argument(
        "--every",
        type=int,
        help="changes are planted into every so many of them (default 2 of the sample, else 1)",
    )
    parser.add_argument("--without", nargs="*", default=[], choices=OTHERS, metavar="NAME")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--alarms", type=Path, help="also write all alarms to this Parquet file")
    parser.add_argument(
        "--folder", type=Path, help="keep what is found here, and go on with it when run again"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "mlops_assets_detection",
        help="where the environments of the others are kept",
    )
    args = parser.parse_args()
    if args.every is not None and args.every < 1:
        parser.error(f"--every {args.every} is less than 1")
    table = TABLES[args.table]
    stretches = table.tuned_on if args.tuning else table.reported
    planted = stretches[:: args.every or table.every]
    others = [name for name in OTHERS if name not in args.without]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        alarms = measure(args.table, stretches, planted, others, folder, args.cache, args.workers)
    if args.alarms:
        alarms.to_parquet(args.alarms)
    print(
        tables(alarms, stretches, planted, [UNTOUCHED, *(change.name for change in table.changes)])
    )


if __name__ == "__main__":
    main()
