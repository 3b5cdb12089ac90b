"""Runs on two Celery workers, which share a database, a queue and an object store."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.graph.partitions import run_tags
from mlops_assets.graph.runs import is_over, newest_try, process_of
from mlops_assets.jobs.evaluate import retrain_job_name
from mlops_assets.lazy import sa
from mlops_assets.project import Project, load_project
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.storage import LocalStorage, Storage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import VERSION, ModelStore
from mlops_assets.resources.web import submit_run
from mlops_tests.browsing import Processes
from mlops_tests.clock.haste import IMPORTED
from mlops_tests.resources.s3 import S3Server, s3_server
from mlops_tests.resources.sources import postgresql
from mlops_tests.servers import HOST, ask, free_ports, wait_for
from mlops_tests.small import MODELS, REPOSITORY, small_environment

pytest.importorskip("dagster_celery", reason="the extra celery is not installed")
pytestmark = [
    *(pytest.mark.served, pytest.mark.postgresql, pytest.mark.slow),
    pytest.mark.filterwarnings("ignore:Using variable_values:DeprecationWarning"),  # of Dagster's
]

PRELOADED = [*IMPORTED, "s3fs", "dagster_postgres", "alembic.config", "dagster._core.storage"]
DEPLOY, PAGE = REPOSITORY / "deploy", REPOSITORY / "docs" / "deploying.md"
ROOT = "s3://bucket/root"
REDIS, PROGRAMS = shutil.which("redis-server"), postgresql.binaries()
if not (REDIS and PROGRAMS):
    pytest.skip("redis-server or postgresql are not installed", allow_module_level=True)

START_SECONDS, HISTORY_SECONDS, AGAIN_SECONDS = 180, 900, 600
LOADED = """
{ workspaceOrError { ... on Workspace { locationEntries { loadStatus
  locationOrLoadError { __typename } } } } }"""


@dataclass
class Stack:
    """What runs, and where."""

    instance: dg.DagsterInstance
    project: Project
    storage: Storage
    server: S3Server
    processes: Processes
    workers: dict[str, "subprocess.Popen[bytes]"]
    database: str

    def start_worker(self, name: str) -> None:
        """A worker as `deploy/celery.yaml` has it; what runs import is imported once."""
        command = ["dagster-celery", "worker", "start", "-A", "dagster_celery.app", "-n", name]
        command += ["-y", str(DEPLOY / "celery.yaml")]
        imported = [word for module in PRELOADED for word in ("-i", module)]
        self.workers[name] = self.processes.start(*command, *imported)

    def submit(self, job: str, *assets: str, tags: dict[str, str], **config: Any) -> str:
        """The id of a run that is put on the queue; `config` is that of each op."""
        ops = {"ops": {name: {"config": given} for name, given in config.items()}}
        keys = [asset.split("/") for asset in assets] or None
        return submit_run("mlops_assets", job, keys, tags=tags, config=ops if config else {})

    def training(self, run_id: str) -> dg.DagsterRun | None:
        """A run, or what was made of it, once it is in the midst of training."""
        run = newest_try(self.instance, run_id)
        assert run is not None
        started = self.instance.all_logs(run.run_id, dg.DagsterEventType.STEP_START)
        return run if started and process_of(run) and not run.is_finished else None

    def ended(self, run_id: str) -> dg.DagsterRun | None:
        """A run, or what was made of it, once that has ended for good."""
        with contextlib.suppress(sa.exc.OperationalError):  # while the database is restarted
            run = newest_try(self.instance, run_id)
            return run if run and is_over(self.instance, run) else None
        return None


@pytest.fixture(scope="module")
def stack(small_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    assert PROGRAMS
    assert REDIS
    folder = tmp_path_factory.mktemp("workers")
    shutil.copy(DEPLOY / "workspace.production.yaml", folder / "workspace.yaml")
    database, code, web, queue = (free_ports() for _ in range(4))
    instance = yaml.safe_load((DEPLOY / "dagster.production.yaml").read_text())
    [launcher] = re.findall(r"```yaml\n(run_launcher:.*?)```", PAGE.read_text(), re.DOTALL)
    instance |= yaml.safe_load(launcher)
    instance["run_coordinator"]["config"] |= {"max_concurrent_runs": 2}
    instance["run_coordinator"]["config"] |= {"dequeue_interval_seconds": 1}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(instance))
    with contextlib.ExitStack() as running:
        patch = running.enter_context(pytest.MonkeyPatch.context())
        server = running.enter_context(s3_server())
        url = running.enter_context(postgresql.server(PROGRAMS, database))
        environment = small_environment(small_project) | {
            "MLOPS_ROOT": ROOT,
            "DAGSTER_HOME": str(folder),
            "POSTGRES_HOST": HOST,
            "POSTGRES_PORT": str(database),
            "POSTGRES_USER": "shop",
            "POSTGRES_PASSWORD": unquote(postgresql.PASSWORD),
            "POSTGRES_DB": "postgres",
            "CODE_HOST": HOST,
            "CODE_PORT": str(code),
            "WEB_URL": f"http://{HOST}:{web}",
            "CELERY_BROKER": f"redis://{HOST}:{queue}/0",
            "CELERY_BACKEND": f"redis://{HOST}:{queue}/1",
        }
        del environment["MLOPS_TESTS_HASTE"]  # sensors that look all the time leave less to workers
        for name, value in environment.items():
            patch.setenv(name, value)
        processes = Processes(folder, environment)
        running.callback(processes.stop)
        start = processes.start
        start(REDIS, "--port", str(queue), "--bind", HOST, "--save", "", "--dir", str(folder))
        definitions = ["-m", "mlops_assets.definitions", "--host", HOST, "--port", str(code)]
        start("dagster", "code-server", "start", *definitions)
        workspace = ["-w", str(folder / "workspace.yaml")]
        start("dagster-daemon", "run", *workspace)
        module = ["-m", "mlops_assets.cli.webserver", *workspace]
        start(sys.executable, *module, "--host", HOST, "--port", str(web))
        project = load_project(small_project / "problem" / "project.yaml")

        def is_loaded() -> bool:
            with contextlib.suppress(OSError, TypeError, AssertionError):
                [entry] = ask(f"http://{HOST}:{web}", LOADED)["workspaceOrError"]["locationEntries"]
                return entry["locationOrLoadError"]["__typename"] == "RepositoryLocation"
            return False

        wait_for(is_loaded, START_SECONDS, "the definitions")
        with dg.DagsterInstance.get() as found:
            stack = Stack(found, project, make_storage(ROOT), server, processes, {}, url)
            stack.start_worker("one")
            stack.start_worker("two")
            yield stack


def in_months(text: Any) -> Any:
    """A text in which versions are called by their months, and not by when they were made."""
    return VERSION.sub(lambda found: found[0][:10], text) if isinstance(text, str) else text


def rows(storage: Storage, dataset: str) -> pd.DataFrame:
    """What is stored of all days, without when it was made."""
    datasets = DatasetStore(storage)
    frame = datasets.read(dataset, datasets.keys(dataset))
    return frame.drop(columns="issued_at", errors="ignore").map(in_months)


def test_a_history_on_both_is_that_of_one_process(stack: Stack, small_project: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mlops_assets", "history"],
        env=stack.processes.environment,
        capture_output=True,
        text=True,
        timeout=HISTORY_SECONDS,
        cwd=stack.processes.folder,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "models: " in built.stderr
    for name, worker in stack.workers.items():
        assert "Task execute_job" in stack.processes.log(worker), f"{name} ran nothing"
    local = LocalStorage(str(small_project / "storage"))
    here, there = ModelStore(local), ModelStore(stack.storage)
    features = DatasetStore(local).read("features", DatasetStore(local).keys("features")[-1:])
    for model in MODELS:
        pairs = list(zip(here.cards(model), there.cards(model), strict=True))
        assert pairs
        for one, other in pairs:
            assert in_months(str(one.checks)) == in_months(str(other.checks))
            forecasts = [
                store.load(card).predict(features[card.inputs])
                for store, card in ((here, one), (there, other))
            ]
            assert (forecasts[0] == forecasts[1]).all()
    kinds = ["observations", "features", "training_set", "leaderboard", "champion", "forecast"]
    for dataset in (*kinds, "drift", *(f"validation/{model}" for model in MODELS)):
        pd.testing.assert_frame_equal(rows(local, dataset), rows(stack.storage, dataset))


def test_a_run_whose_worker_is_killed_is_done_by_the_other_one(stack: Stack) -> None:
    """How long that took is printed: three minutes at most on a machine that is quiet."""
    month = stack.project.today().replace(day=1)
    slow = {"hyperparameters": {"max_iter": 5000}}
    run_id = stack.submit(
        retrain_job_name("hist_boosting"),
        "models/hist_boosting",
        tags=run_tags(str(month), str(month)),
        models__hist_boosting=slow,
    )
    run = wait_for(lambda: stack.training(run_id), START_SECONDS, "a training")
    group = os.getpgid(int(process_of(run).split(" ")[1]))
    [killed] = [name for name, worker in stack.workers.items() if worker.pid == group]
    os.killpg(group, signal.SIGKILL)
    began = time.monotonic()
    end = wait_for(lambda: stack.ended(run_id), AGAIN_SECONDS, "the same run again")
    print(f"\ndone {time.monotonic() - began:.0f} s after its worker was killed")
    assert end.status is dg.DagsterRunStatus.SUCCESS
    assert end.run_id != run.run_id
    newest = ModelStore(stack.storage).cards("hist_boosting")[-1]
    assert newest.hyperparameters["max_iter"] == 5000
    assert len(ModelStore(stack.storage).cards("hist_boosting")) == 3
    stack.start_worker(f"{killed} again")
