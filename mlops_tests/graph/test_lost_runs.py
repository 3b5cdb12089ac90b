"""Runs whose process is gone are ended, those of others and of other hosts are not."""

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import time_machine

from mlops_assets.graph import runs
from mlops_assets.graph.partitions import range_tags
from mlops_assets.graph.runs import (
    PROCESS_TAG,
    UNFINISHED,
    UNSTARTED_SECONDS,
    end_lost_runs,
    is_over,
    newest_try,
    process_tags,
    wait_for_run_before,
)
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.project import load_project
from mlops_tests.served.test_spine import A_MONTH_LATER, write_project

PROJECT = load_project()
GONE = process_tags("x")[PROCESS_TAG].split(" ")[1] + " 4194300 1"  # above all numbers of Linux


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def add(
    instance: dg.DagsterInstance, run_id: str, process: str = "", status: str = "STARTED"
) -> None:
    tags = {PROCESS_TAG: process} if process else {}
    instance.add_run(
        dg.DagsterRun(EVALUATE_JOB, run_id, status=dg.DagsterRunStatus[status], tags=tags)
    )


def test_only_runs_whose_process_on_this_host_is_gone_are_ended(
    instance: dg.DagsterInstance,
) -> None:
    add(instance, "gone", f"gone {GONE}")
    add(instance, "canceling", f"canceling {GONE}", "CANCELING")
    add(instance, "lives", process_tags("lives")[PROCESS_TAG])
    add(instance, "elsewhere", "elsewhere another-host 4194300 1")
    add(instance, "again", f"gone {GONE}")  # tried again, with the tags of the one before
    add(instance, "unknown")
    assert {run.run_id for run in end_lost_runs(instance, PROJECT)} == {"gone", "canceling"}
    statuses = {run.run_id: run.status.value for run in instance.get_runs()}
    assert statuses == {
        **dict.fromkeys(("gone", "canceling"), "FAILURE"),
        **dict.fromkeys(("lives", "elsewhere", "again", "unknown"), "STARTED"),
    }
    [event] = [
        entry.dagster_event
        for entry in instance.all_logs("gone")
        if entry.dagster_event and entry.dagster_event.is_job_failure
    ]
    assert "4194300 on" in (event.message or "")
    assert end_lost_runs(instance, PROJECT) == []


def test_a_run_of_another_project_is_left_to_it(instance: dg.DagsterInstance) -> None:
    add(instance, "gone", f"gone {GONE}")
    fish = PROJECT.model_copy(update={"name": "fish", "prefix": "fish"})
    assert end_lost_runs(instance, fish) == []
    assert len(end_lost_runs(instance, PROJECT)) == 1


def test_a_run_that_nobody_starts_is_ended(instance: dg.DagsterInstance) -> None:
    add(instance, "made", status="NOT_STARTED")
    assert end_lost_runs(instance, PROJECT) == []
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=UNSTARTED_SECONDS + 5)
    with time_machine.travel(later):
        assert [run.run_id for run in end_lost_runs(instance, PROJECT)] == ["made"]


def test_a_run_that_has_just_ended_by_itself_stays_as_it_ended(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(instance, "gone", f"gone {GONE}")

    def ends(process: str) -> bool:
        run = instance.get_run_by_id("gone")
        assert run is not None
        instance.report_run_canceled(run)
        return True

    monkeypatch.setattr("mlops_assets.graph.runs.is_gone", ends)
    assert end_lost_runs(instance, PROJECT) == []


@pytest.mark.history
@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "mlops_assets", "history"],
        [
            *("-m", "dagster", "asset", "materialize", "-m", "mlops_assets.definitions"),
            *("--select", "observations", "--partition-range"),
        ],
        ["-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", EVALUATE_JOB],
    ],
    ids=["history", "materialize", "execute"],
)
def test_a_killed_command_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    write_project(tmp_path, A_MONTH_LATER)
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path / "project.yaml"))
    monkeypatch.setenv("MLOPS_ROOT", str(tmp_path / "storage"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    days = f"{A_MONTH_LATER}...{yesterday}"
    if arguments[-1] == "--partition-range":
        arguments = [*arguments, days]
    elif arguments[-1] == EVALUATE_JOB:
        arguments = [*arguments, "--tags", json.dumps(range_tags(*days.split("...")))]
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        with subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL) as process:

            def told() -> list[dg.DagsterRun]:
                assert process.poll() is None, "it ended before it could be killed"
                started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
                return [run for run in instance.get_runs(started) if PROCESS_TAG in run.tags]

            deadline = time.monotonic() + 120
            while not told():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        project = load_project(tmp_path / "project.yaml")
        [run] = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        assert str(process.pid) in run.tags[PROCESS_TAG]
        assert [lost.run_id for lost in end_lost_runs(instance, project)] == [run.run_id]
        assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))


def test_a_run_that_is_tried_again_is_over_with_the_last_of_its_tries() -> None:
    retries = {"run_retries": {"enabled": True, "max_retries": 2}}
    with dg.DagsterInstance.ephemeral(settings=retries) as instance:

        def failed(run_id: str, **tags: str) -> dg.DagsterRun:
            told = {f"dagster/{name}": value for name, value in tags.items()}
            run = dg.DagsterRun("job", run_id, status=dg.DagsterRunStatus.FAILURE, tags=told)
            return instance.add_run(run)

        assert not is_over(instance, failed("undecided"))
        assert not is_over(instance, failed("to be tried again", will_retry="true"))
        assert is_over(instance, failed("given up", will_retry="false"))
        failed("first", will_retry="true", auto_retry_run_id="second")
        assert newest_try(instance, "first") is None, "it is not there yet"
        add(instance, "second")
        second = newest_try(instance, "first")
        assert second is not None
        assert (second.run_id, is_over(instance, second)) == ("second", False)
        instance.report_run_canceled(second)
        assert is_over(instance, instance.get_run_by_id("second"))  # type: ignore[arg-type]


def test_a_run_waits_for_the_one_that_it_follows(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "AFTER_SECONDS", 0.1)
    monkeypatch.setattr(runs, "AFTER_LOOK_SECONDS", 0.01)
    tags = {runs.AFTER_TAG: "first"}
    second = instance.add_run(dg.DagsterRun("job", "second", tags=tags))
    wait_for_run_before(instance, second)  # of which nothing is known any more
    add(instance, "first")
    with pytest.raises(TimeoutError, match="the run first, by whose outcome"):
        wait_for_run_before(instance, second)
    instance.report_run_canceled(instance.get_run_by_id("first"))  # type: ignore[arg-type]
    wait_for_run_before(instance, second)
