"""The side of the assets: one run in this process, in the instance and storage of the environment.

Prints the CPU seconds of the run and, for a training, of its parts, as JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import dagster as dg
from plain import MODELS


def run(job_name: str, keys: list[dg.AssetKey], tags: dict[str, str], partition: str | None) -> Any:
    """The seconds of one run over some assets."""
    from mlops_assets.definitions import defs
    from mlops_assets.jobs.running import QUIET

    job = defs.resolve_job_def(job_name)
    with dg.DagsterInstance.get() as instance:
        started = time.process_time()
        result = job.execute_in_process(
            instance=instance,
            asset_selection=keys,
            tags=tags,
            partition_key=partition,
            run_config=QUIET,
        )
        seconds = time.process_time() - started
    count = sum(event.is_step_materialization for event in result.all_events)
    return {"seconds": seconds, "materializations": count}


def evaluate(first: str, last: str) -> Any:
    """The days from `first` to `last` of four models."""
    from mlops_assets.graph.partitions import range_tags
    from mlops_assets.jobs.evaluate import EVALUATE_JOB

    keys = [dg.AssetKey(["validation", name]) for name in MODELS]
    return run(EVALUATE_JOB, keys, range_tags(first, last), None)


def empty_bodies() -> None:
    """Make the validation assets say one number of each day and do nothing else."""
    from mlops_assets.assets import validation

    def evaluate(project: Any, name: str, keys: list[str], *_: Any) -> tuple[Any, Any]:
        return {key: {"number": 1.0} for key in keys}, {}

    validation.evaluate = evaluate
    validation.gains_in_service = lambda *_: iter(())  # type: ignore[assignment]


def train(month: str) -> Any:
    """Four models of a month, with the seconds of the parts."""
    from mlops_assets.jobs.evaluate import RETRAIN_ALL_JOB
    from mlops_assets.ml.models import training
    from mlops_assets.resources.stores.model_store import ModelStore

    parts = {"importance": 0.0, "saving": 0.0}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                parts[name] += time.process_time() - started

        return call

    training.input_importance = timed("importance", training.input_importance)
    ModelStore.add = timed("saving", ModelStore.add)  # type: ignore[method-assign]
    keys = [dg.AssetKey(["models", name]) for name in MODELS]
    return {**run(RETRAIN_ALL_JOB, keys, {}, month), **parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["range", "empty", "train"])
    parser.add_argument("--first", required=True, help="first day, or the month")
    parser.add_argument("--last", help="last day")
    args = parser.parse_args()
    match args.mode:
        case "range":
            found = evaluate(args.first, args.last)
        case "empty":
            empty_bodies()
            found = evaluate(args.first, args.last)
        case "train":
            found = train(args.first)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
