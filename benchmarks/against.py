"""Benchmark: this code against that of another tree, each on a history of its own.

The tree is a git worktree of this repository with a `.venv` of its own, and packages compiled to
bytecode on both sides. They take turns, each in a fresh process, after one turn that does not
count; of `history` what was built for the other comparisons is that turn. Told are CPU seconds, the
children's included, which other work on the machine changes less than seconds. Prints a Markdown
table.
"""

import argparse
import datetime as dt
import shutil
import sys
import tempfile
from pathlib import Path

from run import DAYS, REPOSITORY, Bench, Place, Row, Sample, compare

LOAD = "from mlops_assets.definitions import defs"
COMPARISONS = ("load", "one_day", "evaluate_range", "train_month", "history")


def build(folder: Path, tree: Path) -> tuple[Place, Sample]:
    """A history built from nothing by the code of a tree, and what that took."""
    place = Place(folder / "root", folder / "home", tree)
    if (tree / "mlops_assets/cli").exists():
        return place, place.python("-m", "mlops_assets", "history")
    place.home.mkdir(parents=True)
    shutil.copy(tree / "dagster.yaml", place.home)
    return place, place.python("-m", "mlops_assets.history")


def rebuild(folder: Path, tree: Path) -> Sample:
    """What another history takes, which is thrown away."""
    with tempfile.TemporaryDirectory(dir=folder) as again:
        return build(Path(again), tree)[1]


def work(comparison: str, place: Place) -> Sample:
    """What one comparison takes in the place of one side."""
    newest = place.days[-1]
    match comparison:
        case "load":
            return place.python("-c", LOAD)
        case "one_day":
            return place.materialize("group:validation", place.days[-2])
        case "evaluate_range":
            return place.assets("range", "--first", place.days[-DAYS], "--last", newest)
        case _:
            return place.assets(
                "train", "--first", str(dt.date.fromisoformat(newest).replace(day=1))
            )


def measure(comparison: str, bench: Bench, ours: Place, other: Place) -> Row:
    if comparison == "history":
        found = bench.alternate(
            warm=False,
            ours=lambda: rebuild(bench.folder, ours.tree),
            other=lambda: rebuild(bench.folder, other.tree),
        )
    else:
        found = bench.alternate(
            ours=lambda: work(comparison, ours), other=lambda: work(comparison, other)
        )
    return compare(comparison, found["ours"], found["other"], goal=1.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="where the other code is checked out")
    parser.add_argument("comparisons", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side (default 3)")
    parser.add_argument("--folder", type=Path, help="where histories are built, and found again")
    args = parser.parse_args()
    if unknown := set(args.comparisons) - set(COMPARISONS):
        parser.error(f"no comparison {', '.join(unknown)}; of: {', '.join(COMPARISONS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        places = []
        for side, tree in (("ours", REPOSITORY), ("other", args.tree.resolve())):
            place = Place(folder / side / "root", folder / side / "home", tree)
            if not place.root.exists():
                print(f"history of {side}", file=sys.stderr, flush=True)
                build(folder / side, tree)
            places.append(place)
        bench = Bench(None, folder, args.repeats)
        rows = [measure(name, bench, *places) for name in args.comparisons or COMPARISONS]
    print("| CPU seconds | this code | the other | ratio | goal | met |")
    print("|---|---:|---:|---:|---|---|")
    print("\n".join(map(str, rows)))


if __name__ == "__main__":
    main()
