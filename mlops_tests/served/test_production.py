"""The set-up of `deploy/` as processes: PostgreSQL, code server, daemon, two web servers, nginx."""

import base64
import contextlib
import json
import os
import shutil
import ssl
import string
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from mlops_assets.graph.attribution import USER_HEADER, USER_TAG
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.decisions import Decisions
from mlops_tests.browsing import Processes, open_browser
from mlops_tests.resources.sources import postgresql
from mlops_tests.servers import HOST, free_ports, wait_for
from mlops_tests.small import REPOSITORY, small_environment

pytestmark = [pytest.mark.browser, pytest.mark.served, pytest.mark.postgresql, pytest.mark.history]

DEPLOY = REPOSITORY / "deploy"
NGINX, OPENSSL = shutil.which("nginx"), shutil.which("openssl")
PROGRAMS = postgresql.binaries()
USERS = {"anna": "operates", "victor": "views"}
PROXY_SECRET = "known to the proxy alone"
RUN_SECONDS = 180

if not (NGINX and OPENSSL and PROGRAMS):
    pytest.skip("nginx, openssl or postgresql are not installed", allow_module_level=True)

LAUNCH = """
mutation ($job: String!, $config: RunConfigData) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "mlops_assets", repositoryName: "__repository__",
               jobName: $job},
    runConfigData: $config
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
BACKFILL = """
mutation ($assets: [AssetKeyInput!], $days: [String!]) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $days}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
DAYS = """
{ assetNodeOrError(assetKey: {path: ["leaderboard"]}) { ... on AssetNode { partitionKeys } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }"
BUTTONS = """
return [...document.querySelectorAll("button")]
  .filter((button) => button.innerText.includes("Materialize")).map((button) => button.disabled)"""
STATE = "{ instance { autoMaterializePaused } }"
LOCATION = """
{ workspaceOrError { ... on Workspace { locationEntries { loadStatus
  locationOrLoadError { __typename ... on PythonError { message } } } } } }"""


@dataclass(frozen=True)
class Stack:
    """Where the parts of a running stack are."""

    url: str
    operator: str
    viewer: str
    root: str

    def ask(self, user: str, query: str, *, at: str = "", **more: Any) -> Any:
        """The answer to a GraphQL query of a user, or the code of a refusal."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        if user:
            told = f"{user}:{more.pop('password', USERS.get(user, ''))}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(told).decode()}"
        body = json.dumps({"query": query, "variables": more}).encode()
        request = urllib.request.Request(f"{at or self.url}/graphql", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60, context=trusting()) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            return refused.code

    def runs(self) -> dict[str, dict[str, Any]]:
        runs = self.ask("victor", RUNS)["runsOrError"]["results"]
        return {run["runId"]: run | {"tags": tags_of(run)} for run in runs}


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["tags"]}


def trusting() -> ssl.SSLContext:
    """The certificate is one of the test's own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, **options)
    return done.stdout.strip()


def write_nginx(folder: Path, places: dict[str, str], operator: str) -> Path:
    """What `deploy/README` asks for: certificate, users, operators; the path of nginx's file."""
    assert OPENSSL
    run(
        *(OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=localhost", "-keyout", str(folder / "server.key")),
        *("-out", str(folder / "server.crt")),
    )
    users = [f"{name}:{run(OPENSSL, 'passwd', '-apr1', word)}" for name, word in USERS.items()]
    (folder / "users.htpasswd").write_text("\n".join(users) + "\n")
    (folder / "operators.map").write_text(f"anna {operator};\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    template = string.Template((DEPLOY / "nginx.conf.template").read_text())
    site = template.safe_substitute(places | {"CONFIG": str(folder), "RESOLVER": ""})
    main = folder / "nginx.conf"
    as_root = "user root;" if os.geteuid() == 0 else ""  # who alone reads the folders of tests
    main.write_text(
        f"{as_root} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/body;\n"
        f"proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;"
        f" scgi_temp_path {folder}/s;\n{site}\n}}\n"
    )
    return main


@pytest.fixture(scope="module")
def stack(small_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    assert NGINX
    assert PROGRAMS
    folder = tmp_path_factory.mktemp("stack")
    folder.chmod(0o755)
    home = folder / "instance"
    home.mkdir()
    shutil.copy(DEPLOY / "dagster.production.yaml", home / "dagster.yaml")
    shutil.copy(DEPLOY / "workspace.production.yaml", folder / "workspace.yaml")
    database, code, operator, viewer, front, pages = (free_ports() for _ in range(6))
    places = {
        "LISTEN": f"{HOST}:{front}",
        "VIEWER": f"{HOST}:{viewer}",
        "PAGES": f"{HOST}:{pages}",
        "MLOPS_PROXY_SECRET": PROXY_SECRET,
    }
    url = f"https://{HOST}:{front}"
    environment = small_environment(small_project) | {
        "DAGSTER_HOME": str(home),
        "POSTGRES_HOST": HOST,
        "POSTGRES_PORT": str(database),
        "POSTGRES_USER": "shop",
        "POSTGRES_PASSWORD": unquote(postgresql.PASSWORD),
        "POSTGRES_DB": "postgres",
        "CODE_HOST": HOST,
        "CODE_PORT": str(code),
        "WEB_URL": url,
        "PAGES_URL": f"{url}/pages",
        "MLOPS_RELOAD_URL": f"http://{HOST}:{operator}",
        "MLOPS_PROXY_SECRET": PROXY_SECRET,
        "MLOPS_ALLOWED_HOSTS": f"{HOST}:{front}",
    }
    web = [sys.executable, "-m", "mlops_assets.cli.webserver", "-w", str(folder / "workspace.yaml")]
    web += ["--host", HOST, "--port"]
    with contextlib.ExitStack() as running:
        running.enter_context(postgresql.server(PROGRAMS, database))
        told = run(sys.executable, "-m", "mlops_assets", "rebuild-instance", env=environment)
        assert "observations: 0 registered" not in told

        processes = Processes(folder, environment)
        running.callback(processes.stop)
        start = processes.start
        code_server = ["dagster", "code-server", "start", "-m", "mlops_assets.definitions"]
        start(*code_server, "--host", HOST, "--port", str(code))
        start("dagster-daemon", "run", "-w", str(folder / "workspace.yaml"))
        start(*web, str(operator))
        start(*web, str(viewer), "--read-only")
        start(sys.executable, "-m", "mlops_assets", "pages", "--host", HOST, "--port", str(pages))
        start(
            NGINX, "-c", str(write_nginx(folder, places, f"{HOST}:{operator}")), "-p", str(folder)
        )
        stack = Stack(
            url, f"http://{HOST}:{operator}", f"http://{HOST}:{viewer}", environment["MLOPS_ROOT"]
        )

        def is_loaded(user: str) -> bool:
            with contextlib.suppress(OSError, TypeError):
                [entry] = stack.ask(user, LOCATION)["workspaceOrError"]["locationEntries"]
                return entry["locationOrLoadError"]["__typename"] == "RepositoryLocation"
            return False

        for user in USERS:
            wait_for(lambda user=user: is_loaded(user), 120, f"{user} sees the definitions")
        yield stack


def test_an_operator_changes_things_and_stands_on_what_follows(stack: Stack) -> None:
    config = {
        "ops": {
            "create_model": {
                "config": {
                    "name": "steep",
                    "family": {"ridge": {}},
                    "evaluate_past_days": 0,
                    "reason": "try it",
                    "by": "somebody else",
                }
            }
        }
    }
    launched = stack.ask("anna", LAUNCH, job="create_model_job", config=config)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def ended() -> dict[str, Any] | None:
        run = stack.runs()[run_id]
        return run if run["status"] in ("SUCCESS", "FAILURE") else None

    run = wait_for(ended, RUN_SECONDS, "the creation of a model")
    assert run["status"] == "SUCCESS"
    assert run["tags"][USER_TAG] == "anna"
    [decision] = Decisions(LocalStorage(stack.root)).all()
    assert (decision.model, decision.by) == ("steep", "anna")
    # its own reload reached the code server through the operator's web server
    names = stack.ask("victor", "{ assetNodes { assetKey { path } } }")["assetNodes"]
    assert ["models", "steep"] in [node["assetKey"]["path"] for node in names]


def test_a_backfill_of_an_operator_is_theirs(stack: Stack) -> None:
    day = stack.ask("anna", DAYS)["assetNodeOrError"]["partitionKeys"][-1]
    launched = stack.ask("anna", BACKFILL, assets=[{"path": ["leaderboard"]}], days=[day])
    assert launched["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", launched
    backfill = launched["launchPartitionBackfill"]["backfillId"]

    def theirs() -> list[str]:
        runs = stack.runs().values()
        return [
            run["tags"].get(USER_TAG, "nobody")
            for run in runs
            if run["tags"].get("dagster/backfill") == backfill and run["status"] == "SUCCESS"
        ]

    assert set(wait_for(theirs, RUN_SECONDS, "the backfill")) == {"anna"}


def test_a_viewer_sees_all_and_changes_nothing(stack: Stack) -> None:
    assert stack.runs()
    launched = stack.ask("victor", LAUNCH, job="registry_job", config={})["launchRun"]
    assert launched["__typename"] == "UnauthorizedError"
    before = stack.ask("anna", STATE)
    stack.ask("victor", "mutation { setAutoMaterializePaused(paused: true) }")
    assert stack.ask("anna", STATE) == before


def test_nobody_else_gets_anything(stack: Stack) -> None:
    assert stack.ask("", RUNS) == 401
    assert stack.ask("anna", RUNS, password="guessed") == 401
    assert stack.ask("mallory", RUNS, password="operates") == 401
    assert stack.ask("anna", RUNS, headers={"Origin": "https://evil.test"}) == 403
    for direct in (stack.operator, stack.viewer):
        assert stack.ask("", RUNS, at=direct) == 403
        assert stack.ask("", RUNS, at=direct, headers={USER_HEADER: "anna"}) == 403
    # what a browser sends along does not make somebody an operator
    launched = stack.ask(
        "victor", LAUNCH, job="registry_job", config={}, headers={USER_HEADER: "anna"}
    )
    assert launched["launchRun"]["__typename"] == "UnauthorizedError"


@pytest.mark.parametrize("user", [*USERS])
def test_each_sees_the_web_ui_in_a_browser(stack: Stack, user: str, tmp_path: Path) -> None:
    with open_browser(tmp_path, "ignore-certificate-errors") as browser:
        own = stack.url.replace("https://", f"https://{user}:{USERS[user]}@")
        browser.open(own)
        browser.open(f"{stack.url}/assets/leaderboard?view=overview")
        wait_for(lambda: "Materialize" in browser.text(), 60, "the asset")

        def may_change() -> str:
            """Whether the button can be pressed, once the page knows."""
            disabled = browser.run(BUTTONS)
            return "" if not disabled else "no" if all(disabled) else "yes"

        expected = {"anna": "yes", "victor": "no"}[user]
        wait_for(lambda: may_change() == expected, 60, f"{user} may change things: {expected}")
        assert may_change() == expected
        if where := os.environ.get("SCREENSHOTS"):
            browser.driver.save_screenshot(f"{where}/production-{user}.png")
