"""Where the steps of a run run: as the settings say, or refused in words."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets.graph.runs import process_of
from mlops_assets.jobs.executor import make_executor
from mlops_assets.project import Executor, ProjectError
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.small import small_environment


@pytest.mark.skipif(find_spec("dagster_k8s") is not None, reason="it is installed")
def test_one_whose_package_is_missing_is_refused_with_its_extra() -> None:
    with pytest.raises(ProjectError, match=r"compute.executor = k8s: dagster-k8s is not installed"):
        make_executor(Executor.K8S)
    with pytest.raises(ProjectError, match=r"pip install 'mlops_assets\[k8s\]'"):
        make_executor(Executor.K8S)


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        (Executor.IN_PROCESS, "in_process"),
        (Executor.MULTIPROCESS, "multiprocess"),
        (Executor.CELERY, "celery"),
    ],
)
def test_each_is_dagsters(chosen: Executor, name: str) -> None:
    assert make_executor(chosen).name == name


@pytest.mark.history
@pytest.mark.long
def test_steps_run_in_processes_beside_the_run(
    small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small_project / "problem" / "project.yaml"
    settings = yaml.safe_load(file.read_text()) | {"compute": {"executor": "multiprocess"}}
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    datasets = DatasetStore(LocalStorage(str(small_project / "storage")))
    scores = ["validation/linear", "validation/seasonal_naive"]
    day = datasets.keys(scores[0])[-1]
    before = [datasets.read(name, [day]) for name in scores]
    command = ["-m", "dagster", "asset", "materialize", "-m", "mlops_assets.definitions"]
    command += ["--select", ",".join(scores), "--partition", day]
    environment = small_environment(small_project)
    subprocess.run(
        [sys.executable, *command], env=environment, check=True, capture_output=True, timeout=300
    )
    monkeypatch.setenv("DAGSTER_HOME", environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs(limit=1)
        assert run.status is dg.DagsterRunStatus.SUCCESS
        started = instance.all_logs(run.run_id, dg.DagsterEventType.STEP_WORKER_STARTED)
        assert len(started) == len(scores)
        assert process_of(run)
    for name, frame in zip(scores, before, strict=True):
        assert datasets.read(name, [day]).equals(frame)
