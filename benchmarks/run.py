"""Benchmarks: the assets against the cheapest way to do the same, side by side.

The sides of a comparison take turns (A B A B ...), each in a fresh process, and the ratio of a
comparison is the median of the ratios of its turns, so that a machine that is busy for a while
slows both sides. Told are CPU seconds, those of started processes included. Prints a Markdown
table.
"""

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
PACKAGE_LOAD = """
import sys
from mlops_assets.definitions import defs
heavy = sorted({"sklearn", "plotly", "pandas", "sqlalchemy"} & set(sys.modules))
sys.exit(f"loading the definitions imports {heavy}" if heavy else 0)
"""
EMPTY_LOAD = "import dagster as dg; defs = dg.Definitions()"
DAYS, SINGLE_DAYS = 90, 5
QUICK_DAYS = 14
DEPARTMENTS = ("PASTRY", "SEAFOOD")  # of the quick form
MODELS = ("seasonal_naive", "linear", "tree", "hist_boosting")

Sample = Mapping[str, float]
Side = Callable[[], Sample]


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    ours: float
    other: float
    ratio: float
    goal: str
    met: bool | None

    def __str__(self) -> str:
        verdict = {True: "yes", False: "**no**", None: ""}[self.met]
        other = f"{self.other:.2f}" if self.other else ""
        ratio = f"{self.ratio:.2f}" if self.ratio else ""
        return f"| {self.name} | {self.ours:.2f} | {other} | {ratio} | {self.goal} | {verdict} |"


@dataclass(frozen=True)
class Place:
    """A storage and an instance with a built history, for the code of a tree of this repository."""

    root: Path
    home: Path
    tree: Path = REPOSITORY
    project: Path | None = None
    """Settings other than the shipped ones."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONDONTWRITEBYTECODE", "MLOPS_PROJECT")
        }
        own = {"MLOPS_PROJECT": str(self.project)} if self.project else {}
        return {
            **kept,
            **own,
            "DAGSTER_HOME": str(self.home),
            "MLOPS_ROOT": str(self.root),
            "DAGSTER_EVENT_BATCH_SIZE": "1000",
        }

    @property
    def days(self) -> list[str]:
        """The days that have features."""
        return sorted(file.stem for file in Path(self.root, "datasets/features").glob("*.parquet"))

    @property
    def out(self) -> Path:
        """Where the plain scripts write."""
        return self.root / "plain"

    def process(self, *command: str) -> dict[str, float]:
        """CPU seconds of a command (`process`), and how long it took (`wall`).

        With what it reports of itself as JSON.
        """
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            command, cwd=self.tree, env=self.environment, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
        last = done.stdout.strip().rsplit("\n", 1)[-1]
        reported = json.loads(last) if last.startswith("{") else {}
        return {"process": cpu, "wall": seconds, **reported}

    def python(self, *arguments: str) -> dict[str, float]:
        own = self.tree == REPOSITORY
        return self.process(sys.executable if own else f"{self.tree}/.venv/bin/python", *arguments)

    def assets(self, *arguments: str) -> dict[str, float]:
        """A run of the assets in a fresh process."""
        return self.python(str(self.tree / "benchmarks/assets.py"), *arguments)

    def plain(self, *arguments: str) -> dict[str, float]:
        """A plain script in a fresh process."""
        where = ("--root", str(self.root), "--out", str(self.out))
        return self.python(str(HERE / "plain.py"), *arguments, *where)

    def materialize(self, selection: str, day: str) -> dict[str, float]:
        """One day by the command line."""
        options = ("-m", "mlops_assets.definitions", "--select", selection, "--partition", day)
        return self.python("-m", "dagster", "asset", "materialize", *options)


@dataclass
class Bench:
    """Places to measure in, and how often."""

    given: Place | None
    folder: Path
    repeats: int
    quick: bool = False
    built: list[float] = field(default_factory=list)

    @property
    def days(self) -> int:
        """How many are evaluated in one run."""
        return QUICK_DAYS if self.quick else DAYS

    def build(self) -> Place:
        """A history built from nothing; its seconds are kept."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        project = write_small_project(folder) if self.quick else None
        place = Place(folder / "root", folder / "home", project=project)
        self.built.append(place.python("-m", "mlops_assets", "history")["wall"])
        return place

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A copy of a built history, to be changed at will."""
        if self.given is None:
            self.given = self.build()
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        copy = Place(folder / "root", folder / "home", project=self.given.project)
        shutil.copytree(self.given.root, copy.root)
        shutil.copytree(self.given.home, copy.home)
        copy.python("-c", "from mlops_assets.definitions import defs")
        yield copy
        shutil.rmtree(folder)

    def alternate(self, *, warm: bool = True, **sides: Side) -> dict[str, list[Sample]]:
        """The samples of each side, taken in turns, with `warm` after one that does not count."""
        for side in sides.values() if warm and not self.quick else ():
            side()
        samples: dict[str, list[Sample]] = {name: [] for name in sides}
        for turn in range(self.repeats):
            for name, side in sides.items():
                samples[name].append(side())
                found = ", ".join(f"{k} {v:.2f}" for k, v in samples[name][-1].items())
                print(f"  {turn + 1}/{self.repeats} {name}: {found}", file=sys.stderr, flush=True)
        return samples


def write_small_project(folder: Path) -> Path:
    """A part of the sample, which serves for as many days as a ranking needs; its settings."""
    import pandas as pd
    import yaml

    settings = yaml.safe_load((REPOSITORY / "project.yaml").read_text(encoding="utf-8"))
    rows = pd.read_parquet(REPOSITORY / settings["source"]["path"])
    rows[rows["department"].isin(DEPARTMENTS)].to_parquet(folder / "rows.parquet", index=False)
    settings["source"]["path"] = "rows.parquet"
    settings["features"] |= {"lags": [1, 7], "rolling_means": [7]}
    settings["training"]["window_months"] = 1
    served = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=31)).replace(day=1)
    learned = (served - dt.timedelta(days=1)).replace(day=1)
    settings["first_day"] = learned - dt.timedelta(days=7)
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


def median(samples: Sequence[Sample], key: str) -> float:
    return statistics.median(sample[key] for sample in samples)


def compare(
    name: str,
    ours: Sequence[Sample],
    other: Sequence[Sample],
    *,
    goal: float | None = None,
    at_least: bool = False,
    key: str = "process",
    scale: float = 1.0,
) -> Row:
    """A line from samples taken in turns. With `at_least`, the other side is to be slower."""
    pairs = [(a[key], scale * b[key]) for a, b in zip(ours, other, strict=True)]
    ratio = statistics.median(b / a if at_least else a / b for a, b in pairs)
    met = None if goal is None else (ratio >= goal if at_least else ratio <= goal)
    wanted = "" if goal is None else f"{'at least' if at_least else 'at most'} {goal:g}"
    return Row(name, median(ours, key), scale * median(other, key), ratio, wanted, met)


def evaluate_range(bench: Bench) -> list[Row]:
    """90 days of four models in one run."""
    singles_of = 1 if bench.quick else SINGLE_DAYS
    with bench.place() as place:
        days = place.days[-bench.days :]
        span = ("--first", days[0], "--last", days[-1])
        selection = " or ".join(f'key:"validation/{name}"' for name in MODELS)
        found = bench.alternate(
            ours=lambda: place.assets("range", *span),
            empty=lambda: place.assets("empty", *span),
            plain=lambda: place.plain("range", *span),
        )
        singles = [place.materialize(selection, day) for day in days[:singles_of]]
    ours, empty, plain = found["ours"], found["empty"], found["plain"]
    run_per_day: list[Sample] = [{"process": median(singles, "process")}] * len(ours)
    return [
        compare("evaluate_range: the run / empty bodies", ours, empty, goal=1.25, key="seconds"),
        compare("evaluate_range: the process / empty bodies", ours, empty),
        compare("evaluate_range: the process / plain script", ours, plain, goal=2.0),
        compare("evaluate_range: the run / plain script's body", ours, plain, key="seconds"),
        compare(
            f"evaluate_range: a run per day ({singles_of} measured, times "
            f"{bench.days / singles_of:g}) / the process",
            ours,
            run_per_day,
            goal=20,
            at_least=True,
            scale=bench.days,
        ),
    ]


def one_day(bench: Bench) -> list[Row]:
    """One day of all models and their ranking by the command line."""
    rows = []
    with bench.place() as place:
        newest, before = place.days[-1], place.days[-2]
        for title, day, goal in (
            ("one_day", before, 2.0),
            ("one_day: the newest", newest, None),
        )[: 1 if bench.quick else 2]:
            found = bench.alternate(
                ours=lambda day=day: place.materialize("group:validation", day),  # type: ignore[misc]
                plain=lambda day=day: place.plain("day", "--first", day),  # type: ignore[misc]
            )
            rows.append(
                compare(f"{title} / plain script", found["ours"], found["plain"], goal=goal)
            )
    return rows


def load(bench: Bench) -> list[Row]:
    """The definitions in a fresh process, which must import no heavy package."""
    with bench.place() as place:
        found = bench.alternate(
            ours=lambda: place.python("-c", PACKAGE_LOAD),
            empty=lambda: place.python("-c", EMPTY_LOAD),
        )
    return [compare("load / empty project", found["ours"], found["empty"], goal=1.15)]


def train_month(bench: Bench) -> list[Row]:
    """Four models of one month in one run."""
    with bench.place() as place:
        month = f"{dt.date.fromisoformat(place.days[-1]):%Y-%m}-01"
        found = bench.alternate(
            ours=lambda: place.assets("train", "--first", month),
            plain=lambda: place.plain("train", "--first", month),
        )
    ours, plain = found["ours"], found["plain"]
    fits = [{**s, "fits": s["seconds"] - s["importance"] - s["saving"]} for s in plain]
    whole = [{"fits": s["seconds"]} for s in ours]
    share = {
        part: median(ours, part) / median(ours, "seconds") for part in ("importance", "saving")
    }
    shares = ", ".join(f"{part} {value:.0%}" for part, value in share.items())
    return [
        compare("train_month: the run / plain fits alone", whole, fits, key="fits"),
        compare(
            f"train_month: the run ({shares}) / plain fits, importance and saving",
            ours,
            plain,
            goal=1.25,
            key="seconds",
        ),
        compare("train_month: the process / plain fits, importance and saving", ours, plain),
    ]


def history(bench: Bench) -> list[Row]:
    """The whole history from nothing. Measured once."""
    if not bench.built:
        shutil.rmtree(bench.build().root.parent)
    seconds = statistics.median(bench.built)
    return [Row("history, seconds that pass", seconds, 0, 0, "below 180 s", seconds < 180)]


COMPARISONS: dict[str, Callable[[Bench], list[Row]]] = {
    comparison.__name__: comparison
    for comparison in (load, one_day, evaluate_range, train_month, history)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "comparisons", nargs="*", metavar="NAME", help=f"of: {', '.join(COMPARISONS)}; default all"
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of each side (default 5)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"one turn each on a small part of the sample, {QUICK_DAYS} days: whether all of it "
        "still runs; its ratios say less, and no goal is for them",
    )
    parser.add_argument("--root", type=Path, help="MLOPS_ROOT of a built history, to be copied")
    parser.add_argument("--home", type=Path, help="DAGSTER_HOME of a built history, to be copied")
    args = parser.parse_args()
    unknown = set(args.comparisons) - set(COMPARISONS)
    if unknown or args.repeats < 1 or bool(args.root) != bool(args.home):
        parser.error(
            f"no comparison {', '.join(map(repr, sorted(unknown)))}; of: {', '.join(COMPARISONS)}"
            if unknown
            else "--repeats must be at least 1, and --root and --home go together"
        )
    given = Place(args.root.resolve(), args.home.resolve()) if args.root else None
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given, Path(folder), 1 if args.quick else args.repeats, args.quick)
        for name in args.comparisons or COMPARISONS:
            print(name, file=sys.stderr, flush=True)
            rows += COMPARISONS[name](bench)
    print("| CPU seconds | this project | other side | ratio | goal | met |")
    print("|---|---:|---:|---:|---|---|")
    print("\n".join(str(replace(row, goal="", met=None) if args.quick else row) for row in rows))


if __name__ == "__main__":
    main()
