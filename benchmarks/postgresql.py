"""Benchmark: what a history of a small project costs on PostgreSQL, by how its runs reach it.

A run of the observations of all days is done in turns with a new connection for each statement, as
Dagster has it, and with connections that are kept, as runs have it here. Needs the extra `dev` and
PostgreSQL. Prints a Markdown table.
"""

import os
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote

import dagster as dg
import yaml

from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import make_partitions, range_tags
from mlops_assets.graph.runs import keep_connections
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_tests import small
from mlops_tests.resources.sources import postgresql
from mlops_tests.servers import HOST, free_ports

ROUNDS = 3


def main() -> None:
    programs, port = postgresql.binaries(), free_ports()
    assert programs, "PostgreSQL is not installed"
    folder = Path(tempfile.mkdtemp())
    small.write_small_project(folder / "problem")
    project = load_project(folder / "problem" / "project.yaml")
    place = {"hostname": HOST, "port": port, "username": "shop", "db_name": "postgres"}
    place["password"] = unquote(postgresql.PASSWORD)
    settings = {"storage": {"postgres": {"postgres_db": place}}, "telemetry": {"enabled": False}}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    os.environ |= {"DAGSTER_HOME": str(folder), "DAGSTER_EVENT_BATCH_SIZE": "1000"}
    print("| connections | seconds | CPU seconds of the run |\n| --- | --- | --- |")
    with postgresql.server(programs, port):
        for n in range(2 * ROUNDS):
            storage = LocalStorage(str(folder / f"storage-{n}"))
            keys = make_partitions(project, storage).daily.get_partition_keys()
            job = make_definitions(project, storage).resolve_job_def(EVALUATE_JOB)
            with dg.DagsterInstance.get() as instance:
                if n % 2:
                    keep_connections(instance)
                began, cpu = time.monotonic(), time.process_time()
                done = job.execute_in_process(
                    instance=instance,
                    asset_selection=[dg.AssetKey("observations")],
                    tags=range_tags(keys[0], keys[-1]),
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                )
                seconds, own = time.monotonic() - began, time.process_time() - cpu
                assert done.success
            how = "kept" if n % 2 else "one for each statement"
            print(f"| {how} | {seconds:.1f} | {own:.1f} |", flush=True)


if __name__ == "__main__":
    main()
