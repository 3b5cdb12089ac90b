"""Benchmark: the assets on a table of many series, beside a plain Polars script.

Each step is a process of its own; told are the CPU seconds of its run and the peak of its memory.
Prints a Markdown table. Needs polars, which the package does not: `pip install -e '.[benchmarks]'`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from benchmarks.wide.panel import (  # noqa: E402 - run as a script, too
    FAMILIES,
    Span,
    span_of,
    write_panel,
    write_project,
)

M5 = 30_490
ONE_DAY = dt.timedelta(days=1)
GIB = 2**20  # of the kilobytes in which Linux tells what a process held


@dataclass(frozen=True)
class Step:
    """What both sides do; `title` is empty of what is only there for those after it."""

    title: str
    asset: str
    first: dt.date
    last: dt.date
    goal: float = 2.5


@dataclass(frozen=True)
class Cost:
    """What a step took of one side."""

    seconds: float
    peak: float
    """In GiB."""


def steps_of(span: Span, models: Sequence[str]) -> Iterator[Step]:
    """All steps in the order in which they need each other."""
    month, served, last = span.month, span.served, span.last
    learned, days = (month - span.first).days, (last - served).days + 1
    for asset in ("observations", "features"):
        yield Step(f"{asset}, {learned} days", asset, span.first, month - ONE_DAY, 4)
        yield Step("", asset, month, last - ONE_DAY)
        yield Step(f"{asset}, 1 day", asset, last, last, 4)
    yield Step("training set", "training_set", month, month)
    for name in models:
        title = f"models/{name}" if name in list(FAMILIES)[1:] else ""
        yield Step(title, f"models/{name}", month, month)
    for name in models:
        title = f"validation/{name}, {days} days" if name == "hist_boosting" else ""
        yield Step(title, f"validation/{name}", served, last)
    yield Step(f"leaderboard, {days} days", "leaderboard", served, last)
    yield Step(f"champion, {days} days", "champion", served, last)
    yield Step("issued, 1 day", "issued", last, last)
    yield Step("forecast, 1 day", "forecast", last, last)
    yield Step("first drift of a version, 1 day", "drift", last - ONE_DAY, last - ONE_DAY)
    yield Step("drift, 1 day", "drift", last, last)


class Sides:
    """Both sides on one table."""

    def __init__(self, folder: Path, series: int, span: Span, models: int) -> None:
        self.folder, self.source = folder, folder / "panel.parquet"
        self.project = folder / "project.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        if not self.source.exists():
            write_panel(self.source, series, span)
        write_project(self.project, self.source, span, models)

    def ours(self, step: Step) -> Cost:
        days = ("--first", str(step.first), "--last", str(step.last))
        return self._cost("assets_side.py", step.asset, *days)

    def plain(self, step: Step) -> Cost:
        days = ("--first", str(step.first), "--last", str(step.last))
        places = ("--source", str(self.source), "--out", str(self.folder / "plain"))
        return self._cost("polars_side.py", step.asset, *days, *places)

    def _cost(self, script: str, *arguments: str) -> Cost:
        left_out = ("PYTHONDONTWRITEBYTECODE",)
        environment = {k: v for k, v in os.environ.items() if k not in left_out} | {
            "MLOPS_PROJECT": str(self.project),
            "MLOPS_ROOT": str(self.folder / "root"),
            "DAGSTER_HOME": str(self.folder / "home"),
        }
        command = [sys.executable, str(HERE / script), *arguments]
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                command, env=environment, stdout=said, stderr=subprocess.STDOUT
            )
            _, status, usage = os.wait4(process.pid, 0)
            said.seek(0)
            told = said.read()
        if status:
            raise SystemExit(f"{' '.join(command)}\n{told}")
        seconds = json.loads(told.strip().rsplit("\n", 1)[-1])["seconds"]
        return Cost(seconds, usage.ru_maxrss / GIB)


def measured(
    sides: Sides, steps: Sequence[Step], *, plain: bool = True
) -> Iterator[tuple[Step, Cost, Cost | None]]:
    """What each step takes of both sides, those without a title left out."""
    for step in steps:
        ours = sides.ours(step)
        other = sides.plain(step) if plain and not step.asset.startswith("ridge_") else None
        beside = f", other {other.seconds:.2f} s" if other else ""
        print(
            f"  {step.asset} {step.first}: {ours.seconds:.2f} s, {ours.peak:.2f} GiB{beside}",
            file=sys.stderr,
            flush=True,
        )
        if step.title:
            yield step, ours, other


def table(rows: Sequence[tuple[Step, Cost, Cost | None]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| CPU seconds, peak GiB | this project | | Polars | | ratio | goal | met |"
    yield "|---|---:|---:|---:|---:|---:|---|---|"
    for step, ours, other in rows:
        assert other is not None
        ratio = ours.seconds / other.seconds if other.seconds else math.inf
        met = "yes" if ratio <= step.goal and ours.peak <= 4 else "**no**"
        yield (
            f"| {step.title} | {ours.seconds:.2f} | {ours.peak:.2f} | {other.seconds:.2f} | "
            f"{other.peak:.2f} | {ratio:.1f} | at most {step.goal:g} | {met} |"
        )


def growth(folder: Path, by: str, sizes: Sequence[int]) -> Iterator[str]:
    """What each step takes of tables of several sizes: of `by`, which is series, days or models.

    The exponent is that of a power of the size, between the last two.
    """
    found: list[dict[str, float]] = []
    for size in sizes:
        given = {"series": 300, "days": None, "models": len(FAMILIES), by: size}
        span = span_of(given["days"])
        models = given["models"] or 0
        sides = Sides(folder / f"{by}_{size}", given["series"] or 0, span, models)
        rows = measured(sides, [*steps_of(span, names_of(models))], plain=False)
        found.append({step.title.partition(",")[0]: cost.seconds for step, cost, _ in rows})
    yield f"| CPU seconds by {by} | {' | '.join(f'{size:,}' for size in sizes)} | exponent |"
    yield f"|---|{'---:|' * (len(sizes) + 1)}"
    for step in found[0]:
        values = [one[step] for one in found]
        exponent = math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])
        yield f"| {step} | {' | '.join(f'{v:.2f}' for v in values)} | {exponent:.2f} |"


def names_of(models: int) -> list[str]:
    """So many models, as the settings name them."""
    return [*FAMILIES, *(f"ridge_{n}" for n in range(len(FAMILIES), models))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=M5)
    parser.add_argument("--days", type=int, help="by default what one training and 25 days need")
    parser.add_argument("--models", type=int, default=len(FAMILIES))
    parser.add_argument("--folder", type=Path, help="kept, with the table; else a temporary one")
    parser.add_argument("--growth", choices=["series", "days", "models"], help="of --sizes")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 3000, M5])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if args.growth:
            print("\n".join(growth(folder, args.growth, args.sizes)))
            return
        span = span_of(args.days)
        sides = Sides(folder, args.series, span, args.models)
        print("\n".join(table([*measured(sides, [*steps_of(span, names_of(args.models))])])))


if __name__ == "__main__":
    main()
