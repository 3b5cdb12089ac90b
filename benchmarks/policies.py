"""Benchmark: try the job's default retraining policies, six, over a year of the sample.

Builds the observations and features of a year and of the window before it, or takes a root where
they are, then times `backtest_policy_job` in this process. Prints a Markdown table.
"""

import argparse
import datetime as dt
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from mlops_assets.graph.partitions import months_before, range_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB

PROJECT_FILE = Path(__file__).resolve().parents[1] / "project.yaml"
DAYS = 364
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LOUD: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


def prepare(root: Path) -> None:
    """The settings with an earlier first day, beside the storage that they are for."""
    settings = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
    longest = max(settings["features"]["lags"] + settings["features"]["rolling_means"])
    first = dt.date.today() - dt.timedelta(days=DAYS)
    settings["first_day"] = months_before(
        first, settings["training"]["window_months"]
    ) - dt.timedelta(days=longest + 1)
    settings["source"]["path"] = str((PROJECT_FILE.parent / settings["source"]["path"]).resolve())
    root.mkdir(parents=True, exist_ok=True)
    (root / "project.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


def build(definitions: dg.Definitions, first: dt.date) -> None:
    """Observations, then features, of every day through yesterday."""
    last = dt.date.today() - dt.timedelta(days=1)
    with dg.DagsterInstance.ephemeral() as instance:
        for asset in ("observations", "features"):
            definitions.resolve_job_def(EVALUATE_JOB).execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(asset)],
                tags=range_tags(str(first), str(last)),
                run_config=QUIET,
            )


def backtest(definitions: dg.Definitions, model: str) -> tuple[float, float, str]:
    """Seconds and CPU seconds of the job with its default policies, and its table."""
    config = {"ops": {"backtest_policy": {"config": {"model": model}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        started, worked = time.perf_counter(), time.process_time()
        result = definitions.resolve_job_def("backtest_policy_job").execute_in_process(
            instance=instance, run_config=LOUD | config
        )
        seconds = time.perf_counter() - started
    [output] = [event for event in result.all_node_events if event.is_successful_output]
    return (
        seconds,
        time.process_time() - worked,
        str(output.step_output_data.metadata["policies"].value),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, help="where to build, and to find what was built")
    parser.add_argument("--model", default="hist_boosting", help="default hist_boosting")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = args.root or Path(folder)
        if not (root / "project.yaml").exists():
            prepare(root)
        os.environ |= {
            "MLOPS_PROJECT": str(root / "project.yaml"),
            "MLOPS_ROOT": str(root / "storage"),
        }
        from mlops_assets.definitions import defs  # reads the settings named above

        if not (root / "storage" / "datasets" / "features").exists():
            started = time.perf_counter()
            first_day = yaml.safe_load((root / "project.yaml").read_text())["first_day"]
            build(defs, first_day)
            print(f"built in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        seconds, worked, table = backtest(defs, args.model)
    print(f"{args.model}: {seconds:.0f} s, of which {worked:.0f} s of CPU time\n\n{table}")


if __name__ == "__main__":
    main()
