"""The side of the assets: one run of one asset in this process, by the settings of MLOPS_PROJECT.

Prints the CPU seconds of the run as JSON. What the packages take to be imported is left out, here
and on the other side: it is the same whatever the table is like.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib
import json
import time

import dagster as dg

PACKAGES = ("pandas", "pyarrow.parquet", "sklearn", "sklearn.ensemble", "skops.io", "plotly")
MONTHLY = ("training_set", "models")


def run(asset: str, first: str, last: str, profile: str | None) -> dict[str, float]:
    """The seconds of a run of an asset over days, or a month; how many partitions it made."""
    from mlops_assets.cli.instance import prepare_instance
    from mlops_assets.definitions import defs
    from mlops_assets.graph.partitions import PARTITION, range_tags
    from mlops_assets.jobs.evaluate import EVALUATE_JOB, RETRAIN_ALL_JOB
    from mlops_assets.jobs.running import QUIET

    prepare_instance()
    job_name = RETRAIN_ALL_JOB if asset.startswith(MONTHLY) else EVALUATE_JOB
    job = defs.resolve_job_def(job_name)
    tags = {PARTITION: first} if first == last else range_tags(first, last)
    for package in PACKAGES:
        importlib.import_module(package)
    profiler = cProfile.Profile() if profile else None
    with dg.DagsterInstance.get() as instance:
        started = time.process_time()
        if profiler:
            profiler.enable()
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset.split("/"))],
            tags=tags,
            run_config=QUIET,
        )
        if profiler:
            profiler.disable()
        seconds = time.process_time() - started
    if profiler:
        profiler.dump_stats(profile)
    made = sum(event.is_step_materialization for event in result.all_events)
    return {"seconds": seconds, "made": made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("asset", help="such as observations or models/linear")
    parser.add_argument("--first", required=True, help="the first day, or the month")
    parser.add_argument("--last", help="the last day; without it, the first alone")
    parser.add_argument("--profile", help="where to write a profile, which slows the run down")
    args = parser.parse_args()
    print(json.dumps(run(args.asset, args.first, args.last or args.first, args.profile)))


if __name__ == "__main__":
    main()
