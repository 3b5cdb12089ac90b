"""The web UI of a served project, and a browser on it, for tests of what a person does."""

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.assets.reporting import DETAILS
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_tests import clock
from mlops_tests.servers import HOST, ask, free_ports, wait_for
from mlops_tests.small import REPOSITORY

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
if not (CHROMIUM and CHROMEDRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.common.exceptions import (  # noqa: E402 (selenium may be missing)
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM_OPTIONS = [
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
    "window-size=1600,1000",
]
PAGE_SECONDS = 60
MENU_SECONDS = 5
RUN_SECONDS = 180
STOP_SECONDS = 90  # a busy machine takes half a minute for it
# of an element that is just being replaced, covered or faded in
PASSING = [
    StaleElementReferenceException,
    ElementClickInterceptedException,
    ElementNotInteractableException,
]

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
RUN = "runId jobName status assetSelection { path } tags { key value }"


@dataclass(frozen=True)
class Served:
    """A small project with its history, served."""

    url: str
    pages_url: str
    models: ModelStore

    def ask(self, query: str, **variables: Any) -> Any:
        """The data that answer a GraphQL query."""
        return ask(self.url, query, **variables)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first."""
        query = f"{{ runsOrError {{ ... on Runs {{ results {{ {RUN} }} }} }} }}"
        runs: list[dict[str, Any]] = self.ask(query)["runsOrError"]["results"]
        return runs

    def made(self, asset: str) -> Any:
        """When an asset was materialized last, and by which run."""
        query = """
            query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
              assetMaterializations(limit: 1) { runId timestamp }
            } } }"""
        return self.ask(query, key={"path": asset.split("/")})["assetNodeOrError"]

    def evaluated(
        self, model: str, days: list[str], told: str = "version"
    ) -> list[tuple[str, str]]:
        """The run that evaluated each day last, and the version of the model that it told."""
        query = """
            query ($key: AssetKeyInput!, $days: [String!]) {
              assetNodeOrError(assetKey: $key) { ... on AssetNode {
                latestMaterializationByPartition(partitions: $days) {
                  runId metadataEntries { label ... on JsonMetadataEntry { jsonString } }
                }
              } }
            }"""
        data = self.ask(query, key={"path": ["validation", model]}, days=days)
        return [
            (event["runId"], said[told])
            for event in data["assetNodeOrError"]["latestMaterializationByPartition"]
            for entry in event["metadataEntries"]
            if entry["label"] == DETAILS and told in (said := json.loads(entry["jsonString"]))
        ]


def yesterday() -> dt.date:
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server as a person would, and by force what is left of it after a while."""
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(STOP_SECONDS)


class Processes:
    """What is started for a stack, and ended with it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{len(self.started)}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        self.started.append(process)
        return process

    def log(self, process: "subprocess.Popen[bytes]") -> str:
        """What a process has said."""
        return (self.folder / f"{self.started.index(process)}.log").read_text()

    def stop(self) -> None:
        for process in reversed(self.started):
            process.terminate()
        for process in reversed(self.started):
            stop(process)


@contextlib.contextmanager
def serve(log: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    """Serve the project of an environment as `make run` does."""
    port = free_ports()
    models = ModelStore(make_storage(environment["MLOPS_ROOT"]))
    served = Served(f"http://{HOST}:{port}", f"http://{HOST}:{port + 1}", models)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlops_assets", "serve", "--port", str(port)],
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

    def act(self, xpath: str, action: Callable[[Any], Any], seconds: float = PAGE_SECONDS) -> None:
        """Do something with the last shown element of an XPath, once it can be used."""

        def attempt(driver: Any) -> bool:
            shown = [
                found for found in driver.find_elements(By.XPATH, xpath) if found.is_displayed()
            ]
            if shown:
                action(shown[-1])
            return bool(shown)

        WebDriverWait(self.driver, seconds, ignored_exceptions=PASSING).until(
            attempt, f"not shown: {xpath}"
        )

    def press(self, xpath: str) -> None:
        self.act(xpath, lambda element: element.click())

    def set_config(self, config: str) -> None:
        """Replace the run configuration in the launchpad."""
        editor = 'const editor = document.querySelector(".CodeMirror").CodeMirror;'
        self.run(f"{editor} editor.setValue(arguments[0])", config)

    def config(self) -> str:
        """The run configuration in the launchpad; empty before there is one."""
        script = 'const editor = document.querySelector(".CodeMirror");'
        found: str = self.run(f"{script} return editor ? editor.CodeMirror.getValue() : ''")
        return found

    def open_launchpad(self, url: str, asset: str, partition: str, default: str) -> str:
        """Open the launchpad of a partition of an asset; its configuration, once it holds a text.

        The partition's own configuration replaces that in the editor, so its tag is waited for.
        """
        self.open(f"{url}/assets/{asset}?view=overview")
        self.press("//button[contains(., 'Materialize')]/following::button[1]")
        self.press("//*[text()='Open launchpad']")
        wait_for(lambda: self._pick(partition), PAGE_SECONDS, f"{partition} in the menu")
        wait_for(
            lambda: f"partition: {partition}" in self.text(), PAGE_SECONDS, f"tag of {partition}"
        )
        return wait_for(
            lambda: default in (config := self.config()) and config, PAGE_SECONDS, default
        )

    def _pick(self, partition: str) -> bool:
        """Type a partition and press its entry; whether there was one.

        What is typed while the partitions are still being loaded may be lost, or be there twice.
        """

        def retype(field: Any) -> None:
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(partition)

        self.act("//input[@placeholder='Partition']", retype)
        entry = f"//*[contains(@class, 'menuItem')][normalize-space()='{partition}']"
        try:
            self.act(entry, lambda shown: shown.click(), MENU_SECONDS)
        except TimeoutException:
            return False
        return True

    def configure(self, config: str, wrong: str) -> None:
        """Put a configuration into the launchpad.

        It takes over what is typed after a moment: a wrong one before shows that it has.
        """
        self.set_config(wrong)
        wait_for(lambda: "No errors" not in self.text(), PAGE_SECONDS, "refusal of a wrong value")
        self.set_config(config)
        wait_for(lambda: "No errors" in self.text(), PAGE_SECONDS, "configuration without errors")

    def text(self) -> str:
        """All text of the page on one line."""
        return " ".join(self.run("return document.body.innerText").split())

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns in the page."""
        return self.driver.execute_script(script, *arguments)


@contextlib.contextmanager
def open_browser(profile: Path, *more: str) -> Iterator[Browser]:
    """A headless Chromium with a profile of its own, and more options."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in [*CHROMIUM_OPTIONS, f"user-data-dir={profile}", *more]:
        options.add_argument(f"--{option}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        driver.set_page_load_timeout(PAGE_SECONDS)
        # the plots reach back from the browser's own today
        driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": clock.shifted_date()}
        )
        yield Browser(driver)
    finally:
        driver.quit()
