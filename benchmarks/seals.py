"""Benchmark: what sealing and verifying all that is stored costs of an evaluation.

    python -m benchmarks.seals

Builds the history of a small project with and without seals, evaluates its newest 30 days again by
turns, and tells the CPU seconds of both. Reads and writes of Parquet
have page checksums on both sides: with them or without, a read takes the same 0.12 ms.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import dagster as dg

from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import run_tags
from mlops_assets.project import load_project
from mlops_assets.resources import storage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.written import Written
from mlops_tests.small import build_small_history

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAYS = 30


# what sealing and verifying is replaced by


def _digest(path: str, content: bytes) -> str:
    return ""


def _sealed(path: str, content: bytes, seal: str) -> bytes:
    return content


def _unsealed(path: str, data: bytes) -> tuple[bytes, str]:
    return data, ""


def _added(*_: object) -> contextlib.nullcontext[None]:
    return contextlib.nullcontext()


def _seals(*_: object) -> list[str]:
    return []


def _other_days(*_: object) -> None:
    pass


@contextlib.contextmanager
def without_seals() -> Iterator[None]:
    """Nothing is sealed, recorded or verified."""
    with (
        mock.patch.object(storage, "digest", _digest),
        mock.patch.object(storage, "sealed", _sealed),
        mock.patch.object(storage, "unsealed", _unsealed),
        mock.patch.object(Written, "added", _added),
        mock.patch.object(storage.LocalStorage, "_seals", _seals),
        mock.patch.object(DatasetStore, "_refuse_other_days", _other_days),
    ):
        yield


@contextlib.contextmanager
def evaluation(folder: Path) -> Iterator[Callable[[], float]]:
    """Evaluates the newest days of a small project; how many CPU seconds that takes."""
    project = load_project(folder / "problem" / "project.yaml")
    root = storage.LocalStorage(str(folder / "storage"))
    days = DatasetStore(root).keys("leaderboard")[-DAYS:]
    job = make_definitions(project, root).resolve_job_def("evaluate_job")
    os.environ["DAGSTER_HOME"] = str(folder / "home")
    with dg.DagsterInstance.get() as instance:

        def evaluate() -> float:
            start = time.process_time()
            tags = run_tags(days[0], days[-1])
            result = job.execute_in_process(instance=instance, tags=tags, run_config=QUIET)
            assert result.success
            return time.process_time() - start

        yield evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=12)
    turns = parser.parse_args().turns
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
    modes = {"with": contextlib.nullcontext, "without": without_seals}
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        asked = {}
        for name, mode in modes.items():
            folder = Path(temporary, name)
            folder.mkdir()
            with mode():
                build_small_history(folder)
                asked[name] = stack.enter_context(evaluation(folder))
        seconds: dict[str, list[float]] = {"with": [], "without": []}
        for turn in range(turns + 1):
            order = ("with", "without") if turn % 2 else ("without", "with")
            for name in order:
                with modes[name]():
                    took = asked[name]()
                if turn:  # the first one imports what is imported late
                    seconds[name].append(took)
    ratios = [a / b for a, b in zip(seconds["with"], seconds["without"], strict=True)]
    for name, all_of in seconds.items():
        print(f"{name:>8} seals: {statistics.median(all_of):.3f} CPU s, least {min(all_of):.3f}")
    print(f"median of the ratios: {statistics.median(ratios):.4f}")
    print(f"ratio of the least: {min(seconds['with']) / min(seconds['without']):.4f}")


if __name__ == "__main__":
    main()
