"""The web UI in a real browser: what a person sees, launches and gets, on a small project."""

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mlops_assets.ml.families import FAMILIES
from mlops_assets.partitions import day_of, days_between, month_of
from mlops_assets.resources.pages import LEADERBOARD_PAGE
from mlops_assets.resources.storage import make_storage
from mlops_assets.resources.versions import ModelCard, ModelStore
from mlops_assets.serve import port_is_free
from mlops_tests.small import MODELS, REPOSITORY, small_environment

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
if not (CHROMIUM and CHROMEDRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.common.exceptions import (  # noqa: E402 (selenium may be missing)
    ElementClickInterceptedException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

HOST = "127.0.0.1"
CHROMIUM_OPTIONS = [
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
    "window-size=1600,1000",
]
PAGE_SECONDS = 60
RUN_SECONDS = 180
STOP_SECONDS = 30
NEW_ALPHA = 3.5
REPLACED = [StaleElementReferenceException, ElementClickInterceptedException]

# Pixels with a colour, as the lines have one and the axes and the grid are grey.
COLOURED_PIXELS = """
return [...document.querySelectorAll("canvas")].map((canvas) => {
  const {width, height} = canvas;
  if (!width || !height) return 0;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let count = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    const [r, g, b, alpha] = pixels.slice(i, i + 4);
    if (alpha && Math.max(r, g, b) - Math.min(r, g, b) > 60) count += 1;
  }
  return count;
});
"""
POINTS = """
return [...document.querySelectorAll(".js-plotly-plot")].map(
  (plot) => plot.data.map((trace) => (trace.x || []).length)
);
"""
RUN = "runId status assetSelection { path } tags { key value }"

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """What `look` returns once that is not empty."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


@dataclass(frozen=True)
class Served:
    """A small project with its history, served."""

    url: str
    pages_url: str
    models: ModelStore

    def ask(self, query: str, **variables: Any) -> Any:
        """The data that answer a GraphQL query."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first."""
        query = f"{{ runsOrError {{ ... on Runs {{ results {{ {RUN} }} }} }} }}"
        runs: list[dict[str, Any]] = self.ask(query)["runsOrError"]["results"]
        return runs

    def evaluated(self, model: str, days: list[str]) -> list[tuple[str, str]]:
        """The run that evaluated each day last, and the version of the model that it found."""
        query = """
            query ($key: AssetKeyInput!, $days: [String!]) {
              assetNodeOrError(assetKey: $key) { ... on AssetNode {
                latestMaterializationByPartition(partitions: $days) {
                  runId metadataEntries { label ... on TextMetadataEntry { text } }
                }
              } }
            }"""
        data = self.ask(query, key={"path": ["validation", model]}, days=days)
        return [
            (event["runId"], entry["text"])
            for event in data["assetNodeOrError"]["latestMaterializationByPartition"]
            for entry in event["metadataEntries"]
            if entry["label"] == "version"
        ]


def yesterday() -> dt.date:
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def free_ports() -> int:
    """A free port whose successor is free as well."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port < 65535 and port_is_free(HOST, port) and port_is_free(HOST, port + 1):
            return port


def stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server as a person would, and by force what is left of it after a while."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def served(small_project: Path) -> Iterator[Served]:
    log = small_project / "serve.log"
    environment = small_environment(small_project)
    port = free_ports()
    models = ModelStore(make_storage(environment["MLOPS_ROOT"]))
    served = Served(f"http://{HOST}:{port}", f"http://{HOST}:{port + 1}", models)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlops_assets.serve", "--port", str(port)],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: server.poll() is not None or b"Web UI: " in log.read_bytes(), 120, "start")
        assert server.poll() is None, log.read_text()
        yield served
    finally:
        stop(server)


class Browser:
    """A browser window on the web UI."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def act(self, xpath: str, action: Callable[[Any], Any]) -> None:
        """Do something with the last shown element of an XPath; again if it is replaced then."""

        def attempt(driver: Any) -> bool:
            shown = [
                found for found in driver.find_elements(By.XPATH, xpath) if found.is_displayed()
            ]
            if shown:
                action(shown[-1])
            return bool(shown)

        WebDriverWait(self.driver, PAGE_SECONDS, ignored_exceptions=REPLACED).until(
            attempt, f"not shown: {xpath}"
        )

    def press(self, xpath: str) -> None:
        self.act(xpath, lambda element: element.click())

    def text(self) -> str:
        """All text of the page on one line."""
        return " ".join(self.run("return document.body.innerText").split())

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns in the page."""
        return self.driver.execute_script(script, *arguments)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for option in [*CHROMIUM_OPTIONS, f"user-data-dir={profile}"]:
        options.add_argument(f"--{option}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        driver.set_page_load_timeout(PAGE_SECONDS)
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def retrained(served: Served, browser: Browser) -> ModelCard:
    """The version of `linear` that a person trains with another penalty in the launchpad."""
    month = month_of(yesterday())
    known = {run["runId"] for run in served.runs()}
    browser.open(f"{served.url}/assets/models/linear?view=overview")
    browser.press("//button[contains(., 'Materialize')]/following::button[1]")
    browser.press("//*[text()='Open launchpad']")
    partition = "//input[@placeholder='Partition']"
    browser.act(partition, lambda field: field.send_keys(month))
    browser.press(f"//*[contains(@class, 'menuItem')][normalize-space()='{month}']")
    # The partition's own configuration replaces that in the editor, so its tag is waited for.
    wait_for(lambda: f"partition: {month}" in browser.text(), PAGE_SECONDS, f"partition {month}")
    editor = 'const editor = document.querySelector(".CodeMirror").CodeMirror;'
    config = wait_for(
        lambda: "alpha: 10" in (text := browser.run(f"{editor} return editor.getValue()")) and text,
        PAGE_SECONDS,
        "the defaults in the launchpad",
    )
    line = config[: config.index("alpha")].count("\n")
    browser.run(f"{editor} editor.focus(); editor.setCursor({{line: {line}, ch: 10}});")
    penalty = FAMILIES["ridge"].hyperparameters.model_fields["alpha"].description
    assert penalty
    penalty = penalty.rstrip(".")  # its bounds follow
    wait_for(lambda: penalty in browser.text(), PAGE_SECONDS, f"description {penalty!r}")

    # The launchpad takes over what is typed after a moment: a wrong value shows that it has.
    browser.run(f"{editor} editor.setValue(arguments[0])", config.replace("alpha: 10", "alpha: x"))
    wait_for(lambda: "No errors" not in browser.text(), PAGE_SECONDS, "refusal of a wrong value")
    browser.run(
        f"{editor} editor.setValue(arguments[0])",
        config.replace("alpha: 10", f"alpha: {NEW_ALPHA}"),
    )
    wait_for(lambda: "No errors" in browser.text(), PAGE_SECONDS, "configuration without errors")
    browser.press("//button[normalize-space()='Materialize' and not(@disabled)]")

    def finished() -> Any:
        for run in served.runs():
            if run["runId"] in known or run["assetSelection"] != [{"path": ["models", "linear"]}]:
                continue
            assert run["status"] not in ("FAILURE", "CANCELED"), run
            return run["status"] == "SUCCESS"
        return None

    wait_for(finished, RUN_SECONDS, "success of the run from the launchpad")
    return max(served.models.cards("linear"), key=lambda card: card.created)


def test_the_metrics_of_a_model_are_plotted(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/assets/validation/hist_boosting?view=overview")
    browser.press("//button[normalize-space()='Plots']")
    charts = wait_for(
        lambda: (counts := browser.run(COLOURED_PIXELS)) and all(counts) and counts,
        PAGE_SECONDS,
        "lines in every chart",
    )
    shown = browser.text()
    names = ["mae", "wmape", "rmse", "bias", "mae_vs_yardstick"]
    assert [name for name in names if name not in shown] == []
    assert len(charts) >= len(names)
    assert min(charts) > 50, charts


def test_a_launched_training_carries_its_hyperparameters(retrained: ModelCard) -> None:
    assert retrained.hyperparameters == {"alpha": NEW_ALPHA}
    assert retrained.month == month_of(yesterday())


def test_the_lineage_shows_every_asset(served: Served, browser: Browser) -> None:
    groups = ",".join(f"global@global:{group}" for group in ("datasets", "models", "validation"))
    browser.open(f"{served.url}/asset-groups?expanded={groups}")
    assets = ["observations", "features", "training_set", "leaderboard", *MODELS]
    wait_for(
        lambda: all(asset in browser.text() for asset in assets), PAGE_SECONDS, f"all of {assets}"
    )
    assert browser.run("return document.querySelectorAll('svg path').length") >= len(assets)


def test_the_leaderboard_page_of_the_metadata_is_filled(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/assets/leaderboard?view=overview")
    page = f"{served.pages_url}/{LEADERBOARD_PAGE}"
    browser.act(f"//a[@href='{page}']", lambda link: browser.open(link.get_attribute("href")))
    charts = wait_for(lambda: browser.run(POINTS), PAGE_SECONDS, "charts of the leaderboard")
    assert len(charts) == 3
    assert all(traces and all(traces) for traces in charts), charts
    assert [model for model in MODELS if model not in browser.text()] == []


def test_the_days_of_a_retrained_month_are_evaluated_again(
    served: Served, retrained: ModelCard
) -> None:
    days = days_between(day_of(retrained.month), yesterday() + dt.timedelta(days=1))

    def refreshed() -> Any:
        found = served.evaluated("linear", days)
        return {version for _, version in found} == {retrained.version} and found

    found = wait_for(refreshed, RUN_SECONDS, f"days of {retrained.month} by {retrained.version}")
    assert len(found) == len(days)
    (run_id,) = {run for run, _ in found}
    (run,) = [run for run in served.runs() if run["runId"] == run_id]
    assert {"key": "dagster/sensor_name", "value": "refresh_sensor"} in run["tags"]
    assert run["assetSelection"] == [{"path": ["validation", "linear"]}]


def test_no_sensor_fails(served: Served) -> None:
    query = """{ sensorsOrError(repositorySelector: {
        repositoryName: "__repository__", repositoryLocationName: "mlops_assets"
      }) { ... on Sensors { results { name sensorState { status
        ticks(limit: 20) { status error { message } }
      } } } } }"""
    sensors = served.ask(query)["sensorsOrError"]["results"]
    states = {sensor["name"]: sensor["sensorState"] for sensor in sensors}
    assert set(states) == {"catch_up_sensor", "refresh_sensor"}
    for state in states.values():
        assert state["status"] == "RUNNING"
        assert state["ticks"]
        assert [tick["error"] for tick in state["ticks"] if tick["error"]] == []
