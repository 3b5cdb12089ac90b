"""URLs of the database and of a channel are told nowhere, whatever fails while they are used."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlops_assets.graph.partitions import PARTITION
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_tests.assets.lab import make_settings
from mlops_tests.browsing import Served, serve, yesterday
from mlops_tests.servers import wait_for
from mlops_tests.small import REPOSITORY, prepare_instance, small_environment

pytestmark = [pytest.mark.browser, pytest.mark.served]

SECRET = uuid.uuid4().hex  # in every password and token, so that one look finds them all
DATABASE = f"postgresql://shop:p%40{SECRET}@127.0.0.1:1/shop?application_name=x"
CHANNEL = f"json://me:p{SECRET}@127.0.0.1:9/t{SECRET}"
LAUNCH = """
mutation ($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message stack }
  }
}"""
EVENTS = """
query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  __typename ... on MessageEvent { message }
  ... on ErrorEvent { error { message stack causes { message stack } } }
} } } }"""
RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "mlops_assets") {
  __typename ... on WorkspaceLocationEntry {
    locationOrLoadError { __typename ... on PythonError { message stack causes { message stack } } }
  }
} }"""


def write(folder: Path, url_env: str) -> None:
    settings = make_settings() | {"first_day": yesterday().replace(day=1)}
    settings["source"] = {"kind": "sql", "url_env": url_env, "table": "sales"}
    (folder / "problem").mkdir(exist_ok=True)
    (folder / "problem" / "project.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("secrets")
    write(folder, "SHOP_URL")
    prepare_instance(folder)
    secrets = {"SHOP_URL": DATABASE, "MLOPS_ALERT_URLS": CHANNEL}
    return small_environment(folder) | secrets


@pytest.fixture(scope="module")
def folder(environment: dict[str, str]) -> Path:
    return Path(environment["DAGSTER_HOME"]).parent


@pytest.fixture(scope="module")
def served(folder: Path, environment: dict[str, str]) -> Iterator[Served]:
    with serve(folder / "serve.log", environment) as served:
        yield served


def tell_tales(folder: Path) -> list[str]:
    """The files below a folder that hold the secret, but for the settings, and the commands."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "project.yaml"]
    found = [str(file) for file in files if any(SECRET.encode() in text for text in texts(file))]
    return found + [str(line) for line in commands() if SECRET.encode() in line]


def texts(file: Path) -> Iterator[bytes]:
    """The bytes of a file, and of a database what Dagster keeps compressed in it."""
    with contextlib.suppress(FileNotFoundError):  # it is being written, or served
        yield file.read_bytes()
    if file.suffix == ".db":
        with (
            contextlib.suppress(sqlite3.OperationalError),  # it has no such table
            contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database,
        ):
            for (snapshot,) in database.execute("select snapshot_body from snapshots"):
                yield zlib.decompress(snapshot)


def commands() -> Iterator[bytes]:
    """The command lines of all processes, as `ps` shows them."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes()
        except OSError:  # it has ended
            continue


def failures(folder: Path) -> list[int]:
    """How often a channel that was told something did not take it."""
    files = (folder / "storage" / "alert_channels").glob("*.json")
    return [count for file in files if (count := json.loads(file.read_bytes())["failures"])]


def test_a_failing_run_and_a_failing_channel_tell_no_url(served: Served, folder: Path) -> None:
    day = str(yesterday())
    parameters = {
        "selector": {
            "repositoryLocationName": "mlops_assets",
            "repositoryName": "__repository__",
            "jobName": EVALUATE_JOB,
            "assetSelection": [{"path": ["observations"]}],
        },
        "executionMetadata": {"tags": [{"key": PARTITION, "value": day}]},
    }
    answer = served.ask(LAUNCH, parameters=parameters)["launchRun"]
    run_id = answer["run"]["runId"]

    def ended() -> bool:
        assert not [line for line in commands() if SECRET.encode() in line]
        return any(run["runId"] == run_id and run["status"] == "FAILURE" for run in served.runs())

    wait_for(ended, 120, "failure of the run")
    wait_for(lambda: failures(folder), 180, "failure of the channel")
    told = json.dumps([served.ask(EVENTS, id=run_id), served.runs()])
    assert "the database in SHOP_URL does not answer" in told
    assert SECRET not in told
    # what is no secret is found where the secret is looked for
    assert [file for file in folder.rglob("*.db*") if b"database in SHOP_URL" in file.read_bytes()]
    assert tell_tales(folder) == []


@pytest.mark.parametrize("command", ["history", "status"])
def test_a_command_tells_no_url(
    folder: Path, environment: dict[str, str], served: Served, command: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets", command],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout or done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert tell_tales(folder) == []


def test_a_url_in_the_place_of_its_variable_is_not_told(served: Served, folder: Path) -> None:
    write(folder, DATABASE)
    answer = served.ask(RELOAD)
    assert "source.url_env" in json.dumps(answer)
    assert SECRET not in json.dumps(answer)
    assert tell_tales(folder) == []
