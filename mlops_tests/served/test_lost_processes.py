"""A run whose process is killed is ended within two minutes, by the service as it is shipped.

What `mlops-assets serve` serves lets no page of another origin in, on either of its ports.
"""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.graph.partitions import range_tags
from mlops_assets.graph.runs import process_of
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_tests.browsing import Served, serve, yesterday
from mlops_tests.served.test_spine import A_MONTH_LATER, write_project
from mlops_tests.servers import wait_for
from mlops_tests.small import prepare_instance, small_environment

pytestmark = [pytest.mark.browser, pytest.mark.served]

START_SECONDS, ENDED_SECONDS, AGAIN_SECONDS = 180.0, 120.0, 180.0
FAILURE = dg.DagsterRunStatus.FAILURE


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A project of some weeks of which nothing is made yet: the sensors ask for its last days."""
    folder = tmp_path_factory.mktemp("lost")
    (folder / "problem").mkdir()
    write_project(folder / "problem", A_MONTH_LATER)
    prepare_instance(folder)
    return small_environment(folder)


@pytest.fixture(scope="module")
def instance(environment: dict[str, str]) -> Iterator[dg.DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", environment["DAGSTER_HOME"])
        with dg.DagsterInstance.get() as found:
            yield found


@pytest.fixture(scope="module")
def served(environment: dict[str, str]) -> Iterator[Served]:
    folder = Path(environment["DAGSTER_HOME"]).parent
    with serve(folder / "serve.log", environment) as served:
        yield served


def killed(instance: dg.DagsterInstance, seconds: float, job: dict[str, str]) -> dg.DagsterRun:
    """A run that was under way with some tags and whose process was ended by kill -9."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags=job)
        for run in instance.get_runs(started):
            if process := process_of(run):
                os.kill(int(process.split(" ")[1]), signal.SIGKILL)
                return run
        time.sleep(0.02)
    raise TimeoutError(f"no run was under way within {seconds:.0f} s")


def failure_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Why a run failed, once it has."""

    def failed() -> bool:
        now = instance.get_run_by_id(run.run_id)
        return now is not None and now.status is FAILURE

    wait_for(failed, ENDED_SECONDS, f"end of {run.job_name}, whose process is gone")
    entries = instance.all_logs(run.run_id, dg.DagsterEventType.RUN_FAILURE)
    return " ".join(str(entry.get_dagster_event().message) for entry in entries)


def test_a_run_of_the_service_is_ended_and_tried_again(
    served: Served, instance: dg.DagsterInstance
) -> None:
    run = killed(instance, START_SECONDS, {})
    assert failure_of(instance, run)

    def again() -> bool:
        of = {"dagster/parent_run_id": run.run_id}
        runs = instance.get_runs(dg.RunsFilter(tags=of))
        return any(one.status is dg.DagsterRunStatus.SUCCESS for one in runs)

    wait_for(again, AGAIN_SECONDS, "the same run again")


def test_a_run_of_a_shell_is_ended_with_its_reason(
    served: Served, instance: dg.DagsterInstance, environment: dict[str, str]
) -> None:
    """As when its terminal is closed: nobody but the service sees that."""
    tags = range_tags(str(A_MONTH_LATER), str(yesterday() - dt.timedelta(days=20)))
    mine = {"asked": "by a shell"}
    command = ["-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions"]
    command += ["-j", EVALUATE_JOB, "--tags", json.dumps(tags | mine)]
    with subprocess.Popen(
        [sys.executable, *command], env=environment, stderr=subprocess.DEVNULL
    ) as shell:
        run = killed(instance, START_SECONDS, mine)
        assert shell.wait(10) == -signal.SIGKILL
    reason = failure_of(instance, run)
    assert f"The process of the run, {shell.pid} on " in reason
    assert "the rest is made by the next run" in reason


def answer(url: str, **headers: str) -> int:
    """The status with which a GET is answered."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_what_is_served_is_guarded_on_both_ports(served: Served) -> None:
    for url in (served.url, served.pages_url):
        assert answer(f"{url}/", Origin=url) in (200, 404), "its own; there are no pages yet"
        assert answer(f"{url}/", Host="evil.test") == 403
        assert answer(f"{url}/", Origin="http://evil.test") == 403
        assert answer(f"{url}/", **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert answer(f"{served.url}/graphql?query={{version}}") == 403
