"""Two projects side by side in one served instance: nothing of one is taken for the other's."""

import contextlib
import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mlops_assets.automation.alerts import failed_runs
from mlops_assets.graph.keys import asset_key, op_name, own_parts
from mlops_assets.graph.partitions import PARTITION
from mlops_assets.graph.runs import PROJECT_TAG
from mlops_assets.project import Project
from mlops_assets.project.workspace import load_named
from mlops_assets.resources.switches import paused_models
from mlops_tests import clock
from mlops_tests.assets.lab import make_settings
from mlops_tests.cli.test_history import FIRST_DAY, YESTERDAY, make_rows
from mlops_tests.servers import HOST, ask, free_ports, wait_for
from mlops_tests.small import REPOSITORY, prepare_instance
from mlops_tests.warm import warm_commands

pytestmark = pytest.mark.served
NAMES = ("bakery", "fish")
DOCUMENT = REPOSITORY / "docs" / "several-projects.md"


@dataclass(frozen=True)
class Served:
    """Two projects with their histories, served."""

    folder: Path
    url: str
    pages_url: str
    instance: dg.DagsterInstance

    def ask(self, query: str, **variables: Any) -> Any:
        """The data that answer a GraphQL query."""
        return ask(self.url, query, **variables)

    def launch(self, project: Project, job: str, tags: dict[str, str], config: Any) -> str:
        """Launch a job of a project through the workspace; the id of the run."""
        parameters = {
            "selector": {
                "repositoryLocationName": project.name,
                "repositoryName": "__repository__",
                "jobName": job,
            },
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        query = """
            mutation ($parameters: ExecutionParams!) {
              launchRun(executionParams: $parameters) {
                __typename ... on LaunchRunSuccess { run { runId } }
                ... on RunConfigValidationInvalid { errors { message } }
                ... on PythonError { message }
              }
            }"""
        answer = self.ask(query, parameters=parameters)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def end_of(self, run_id: str) -> dg.DagsterRun:
        """A run once it has ended."""

        def ended() -> dg.DagsterRun | None:
            run = self.instance.get_run_by_id(run_id)
            return run if run is not None and run.is_finished else None

        return wait_for(ended, 180, f"end of {run_id}")


def write_project(folder: Path, name: str) -> None:
    """A small project of one series and one model in the folder of its name."""
    folder.mkdir(parents=True)
    make_rows().to_parquet(folder / "rows.parquet", index=False)
    settings = make_settings() | {"name": name, "first_day": FIRST_DAY}
    settings["models"] = [model for model in settings["models"] if model["name"] == "linear"]
    settings["evaluation"] |= {"baseline": "linear"}
    (folder / "project.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The blocks of a kind in the documentation."""
    return re.findall(rf"```{kind}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two projects set up as the documentation says, after all of its commands."""
    folder = tmp_path_factory.mktemp("two")
    for name in NAMES:
        write_project(folder / "projects" / name, name)
    [workspace] = blocks("yaml")
    (folder / "projects" / "workspace.yaml").write_text(workspace, encoding="utf-8")
    prepare_instance(folder)
    (folder / "home").rename(folder / ".dagster")
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    commands = [block for block in blocks("sh") if not block.startswith("make ")]
    assert len(commands) == 4
    with (
        warm_commands(tmp_path_factory.mktemp("warm")) as warm,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLOPS_ROOT", str(folder / "storage"))
        patch.setenv("PYTHONPATH", clock.environment(REPOSITORY)["PYTHONPATH"])
        done = subprocess.run(
            ["bash", "-c", "\n".join([warm, "set -euxo pipefail", *commands])],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        patch.setenv("MLOPS_TESTS_HASTE", "yes")
        patch.setenv("DAGSTER_HOME", str(folder / ".dagster"))
        patch.setenv("MLOPS_WORKSPACE", str(folder / "projects" / "workspace.yaml"))
        yield folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """The web UI of both, as `make run` serves it."""
    port = free_ports()
    log = folder / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlops_assets", "serve", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with dg.DagsterInstance.get() as instance:
            pages_url = f"http://{HOST}:{port + 1}"
            found = Served(folder, f"http://{HOST}:{port}", pages_url, instance)
            up = lambda: server.poll() is not None or b"Ctrl+C stops" in log.read_bytes()  # noqa: E731
            wait_for(up, 180, "start")
            assert server.poll() is None, log.read_text()
            yield found
    finally:
        server.terminate()
        try:
            server.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait(30)


def test_both_histories_are_built_and_no_asset_is_shared(folder: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        keys = set(instance.get_asset_keys())
        for name in NAMES:
            project = load_named(name)
            days = instance.get_materialized_partitions(asset_key(project, "leaderboard"))
            assert str(YESTERDAY) in days
            own = {key for key in keys if own_parts(project, key)}
            assert {key.path[0] for key in own} == {name}
            keys -= own
            made = folder / "storage" / name / "datasets" / "observations"
            assert (made / f"{YESTERDAY}.parquet").exists()
        assert not keys


def test_a_model_is_paused_in_one_of_them(folder: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        assert paused_models(instance, load_named("fish")) == {"linear"}
        assert paused_models(instance, load_named("bakery")) == set()


def test_the_snippet_loads_the_champion(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    [snippet] = blocks("python")
    found: dict[str, Any] = {}
    exec(snippet, found)
    assert found["card"].model == "linear"


def test_the_make_target_takes_the_workspace() -> None:
    [command] = [block for block in blocks("sh") if block.startswith("make ")]
    subprocess.run([*command.split(), "--dry-run"], cwd=REPOSITORY, check=True, capture_output=True)


def test_one_served_instance_tells_them_apart(served: Served) -> None:
    bakery, fish = (load_named(name) for name in NAMES)
    month = str(YESTERDAY.replace(day=1))
    wrong = {"ops": {op_name(fish, "models", "linear"): {"config": {"through": "2999-01-01"}}}}
    failing = served.launch(fish, "retrain_linear_job", {PARTITION: month}, wrong)
    registry = served.launch(bakery, "registry_job", {}, {})
    failed, made = served.end_of(failing), served.end_of(registry)

    assert failed.status == dg.DagsterRunStatus.FAILURE
    assert failed.tags[PROJECT_TAG] == "fish"
    now = dt.datetime.now(dt.UTC)
    [problem] = failed_runs(served.instance, fish, now, set())[0]
    assert problem.subject == f"fish: retrain_linear_job of {month} failed"
    assert failed_runs(served.instance, bakery, now, set()) == ([], set())

    assert made.status == dg.DagsterRunStatus.SUCCESS
    event = served.instance.get_latest_materialization_event(asset_key(bakery, "model_registry"))
    assert event is not None
    assert event.asset_materialization is not None
    links = str(event.asset_materialization.metadata["links"].value)
    assert f"{served.url}/assets/bakery/models/linear" in links
    assert f"{served.url}/locations/bakery/schedules/retrain_linear_schedule" in links

    def page(path: str) -> str:
        with urllib.request.urlopen(f"{served.pages_url}/{path}", timeout=30) as response:
            text: str = response.read().decode()
        return text

    assert all(f'<a href="{name}/">{name}</a>' in page("") for name in NAMES)
    assert all(f"<h1>{name}</h1>" in page(f"{name}/") for name in NAMES)
    assert "<title>Checks · fish</title>" in page("fish/monitoring.html"), "where it was once"
