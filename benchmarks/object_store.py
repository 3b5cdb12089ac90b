"""Benchmark: what an evaluated day asks of an object store, and how long it waits for that.

A small project (three models, two departments) is built in an S3 server on this machine, then its
newest day is evaluated twice and its last 30 days once, with a delay before each request.
Prints a Markdown table. Needs the extra `dev`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import s3fs
from moto.server import ThreadedMotoServer

from mlops_assets.cli import history
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import RANGE_END, RANGE_START, make_partitions
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.project import load_project
from mlops_assets.resources.roots import make_storage
from mlops_tests import small

ROOT = "s3://bucket/root"
asked: Counter[str] = Counter()
delay = 0.0
ask = s3fs.S3FileSystem._call_s3


async def counted(self: Any, method: str, *args: Any, **options: Any) -> Any:
    """A request of s3fs, after a delay."""
    asked[method] += 1
    await asyncio.sleep(delay)
    return await ask(self, method, *args, **options)


def line(what: str, began: float, cpu: float) -> None:
    reads, lists = asked["get_object"], asked["list_objects_v2"] + asked["head_object"]
    figures = [asked.total(), asked["put_object"], reads, lists]
    seconds = [f"{time.time() - began:.1f}", f"{time.process_time() - cpu:.1f}"]
    print(f"| {what} | {' | '.join(map(str, [*figures, *seconds]))} |", flush=True)


def main() -> None:
    global delay
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each request")
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    folder = Path(tempfile.mkdtemp())
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DAGSTER_HOME": str(folder / "home"),
    }
    s3fs.S3FileSystem().mkdir("bucket")
    s3fs.S3FileSystem._call_s3 = counted
    small.write_small_project(folder / "problem")
    small.prepare_instance(folder)
    project, storage = load_project(folder / "problem" / "project.yaml"), make_storage(ROOT)
    partitions = make_partitions(project, storage)
    print("| what | requests | writes | reads | lists | seconds | CPU seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with dg.DagsterInstance.get() as instance:
        began, cpu = time.time(), time.process_time()
        definitions = make_definitions(project, storage)
        assert history.build_history(project, definitions, partitions, instance) == []
        line("history, no delay", began, cpu)
        delay = options.delay
        for what, count in (("the day after", 1), ("a day, packs there", 1), ("30 days", 30)):
            keys = partitions.daily.get_partition_keys()[-count:]
            # as another process would: it knows nothing
            job = make_definitions(project, make_storage(ROOT)).resolve_job_def(EVALUATE_JOB)
            asked.clear()
            began, cpu = time.time(), time.process_time()
            of = {"partition_key": keys[0]}
            if count > 1:
                of = {"tags": {RANGE_START: keys[0], RANGE_END: keys[-1]}}
            assert job.execute_in_process(instance=instance, **of).success
            line(what, began, cpu)
    server.stop()


if __name__ == "__main__":
    main()
