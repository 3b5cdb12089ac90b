"""The web UI in a real browser: what a person sees, launches and gets, on a small project."""

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.graph.partitions import day_of, days_between, month_of
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.ml.monitoring.performance import CHECKS as CONTROL_CHECKS
from mlops_assets.resources.stores.model_store import ModelCard
from mlops_tests.browsing import (
    COLOURED_PIXELS,
    PAGE_SECONDS,
    POINTS,
    RUN_SECONDS,
    Browser,
    Served,
    open_browser,
    serve,
    wait_for,
    yesterday,
)
from mlops_tests.small import MODELS, small_environment

pytestmark = [pytest.mark.browser, pytest.mark.served]

NEW_ALPHA = 3.5
GROUPS = ("datasets", "models", "validation", "serving", "monitoring")


@pytest.fixture(scope="module")
def served(small_project: Path) -> Iterator[Served]:
    with serve(small_project / "serve.log", small_environment(small_project)) as served:
        yield served


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@dataclass(frozen=True)
class Launched:
    """A version that was trained by hand, and when its training was asked for."""

    card: ModelCard
    pressed: float


@pytest.fixture(scope="module")
def launched(served: Served, browser: Browser) -> Launched:
    """The version of `linear` that a person trains with another penalty in the launchpad."""
    month = month_of(yesterday())
    known = {run["runId"] for run in served.runs()}
    config = browser.open_launchpad(served.url, "models/linear", month, "alpha: 10")
    editor = 'const editor = document.querySelector(".CodeMirror").CodeMirror;'
    line = config[: config.index("alpha")].count("\n")
    browser.run(f"{editor} editor.focus(); editor.setCursor({{line: {line}, ch: 10}});")
    penalty = FAMILIES["ridge"].hyperparameters.model_fields["alpha"].description
    assert penalty
    penalty = penalty.rstrip(".")  # its bounds follow
    wait_for(lambda: penalty in browser.text(), PAGE_SECONDS, f"description {penalty!r}")

    browser.configure(
        config.replace("alpha: 10", f"alpha: {NEW_ALPHA}"), config.replace("alpha: 10", "alpha: x")
    )
    browser.press("//button[normalize-space()='Materialize' and not(@disabled)]")
    pressed = time.monotonic()

    def finished() -> Any:
        for run in served.runs():
            if run["runId"] in known or run["assetSelection"] != [{"path": ["models", "linear"]}]:
                continue
            assert run["status"] not in ("FAILURE", "CANCELED"), run
            return run["status"] == "SUCCESS"
        return None

    wait_for(finished, RUN_SECONDS, "success of the run from the launchpad")
    card = max(served.models.cards("linear"), key=lambda card: card.created)
    return Launched(card, pressed)


@pytest.fixture(scope="module")
def retrained(launched: Launched) -> ModelCard:
    return launched.card


def test_the_metrics_of_a_model_are_plotted(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/assets/validation/hist_boosting?view=overview")
    browser.press("//button[normalize-space()='Plots']")
    charts = wait_for(
        lambda: (counts := browser.run(COLOURED_PIXELS)) and all(counts) and counts,
        PAGE_SECONDS,
        "lines in every chart",
    )
    shown = browser.text()
    names = ["WMAPE", "WMAPE_vs_baseline_reconstructed", "bias_reconstructed", "gain_over_previous"]
    assert [name for name in names if name not in shown] == []
    assert len(names) <= len(charts) <= 8
    assert shown.index("WMAPE") < shown.index("bias_reconstructed")  # the first plot
    assert min(charts) > 50, charts


def test_what_a_training_makes_of_its_days_is_plotted_without_another_click(
    served: Served, browser: Browser, launched: Launched
) -> None:
    """How long it took is printed: half a minute at most on a machine that is quiet."""
    retrained = launched.card
    days = days_between(day_of(retrained.month), yesterday() + dt.timedelta(days=1))

    def refreshed() -> Any:
        found = served.evaluated("linear", days, "hindsight_version")
        by = {version for _, version in found}
        return len(found) == len(days) and by == {retrained.version} and found

    found = wait_for(refreshed, RUN_SECONDS, f"days of {retrained.month} by {retrained.version}")
    browser.open(f"{served.url}/assets/validation/linear?view=overview")
    browser.press("//button[normalize-space()='Plots']")
    wait_for(lambda: "WMAPE_hindsight" in browser.text(), PAGE_SECONDS, "the effect in a plot")
    took = time.monotonic() - launched.pressed
    print(f"from click to plot: {took:.1f} s")
    (run_id,) = {run for run, _ in found}
    (run,) = [run for run in served.runs() if run["runId"] == run_id]
    assert {"key": "dagster/sensor_name", "value": "upkeep_sensor"} in run["tags"]
    assert run["assetSelection"] == [{"path": ["validation", "linear"]}]


def test_a_launched_training_carries_its_hyperparameters(retrained: ModelCard) -> None:
    assert retrained.hyperparameters == {"alpha": NEW_ALPHA}
    assert retrained.month == month_of(yesterday())


def test_the_lineage_shows_every_asset(served: Served, browser: Browser) -> None:
    groups = ",".join(f"global@global:{group}" for group in GROUPS)
    browser.driver.set_window_size(1600, 2000)  # only what lies within the window is drawn
    browser.open(f"{served.url}/asset-groups?expanded={groups}")
    assets = ["observations", "features", "training_set", "leaderboard", "champion", "forecast"]
    assets += MODELS
    wait_for(
        lambda: all(asset in browser.text() for asset in assets), PAGE_SECONDS, f"all of {assets}"
    )
    assert browser.run("return document.querySelectorAll('svg path').length") >= len(assets)


def test_the_page_of_models_is_a_click_from_the_leaderboard(
    served: Served, browser: Browser
) -> None:
    browser.open(f"{served.url}/assets/leaderboard?view=overview")
    page = f"{served.pages_url}/models"
    browser.act(f"//a[@href='{page}']", lambda link: browser.open(link.get_attribute("href")))
    wait_for(lambda: browser.run(POINTS), PAGE_SECONDS, "lines of the models")
    assert [model for model in MODELS if model not in browser.text()] == []


def test_a_day_in_the_web_ui_leads_to_its_page(served: Served, browser: Browser) -> None:
    day = str(yesterday())
    browser.open(f"{served.url}/assets/leaderboard?view=overview")
    way = "//a[normalize-space()='All that happened on the day']"
    browser.act(way, lambda link: browser.open(link.get_attribute("href")))
    assert browser.driver.current_url == f"{served.pages_url}/day?on={day}"
    assert f"{yesterday():%A, %d %B %Y}" in browser.text()


def test_home_says_what_is_next(served: Served, browser: Browser) -> None:
    browser.open(served.pages_url)
    assert "is champion since" in browser.text()
    wait_for(lambda: "evaluation: " in browser.text(), PAGE_SECONDS, "the next evaluation")


def test_every_check_of_a_model_says_how_its_days_did(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/assets/validation/linear?view=checks")
    wait_for(
        lambda: all(name in browser.text() for name in CONTROL_CHECKS),
        PAGE_SECONDS,
        f"all of {list(CONTROL_CHECKS)}",
    )
    # Dagster reads what a check said and how its run stands one after the other: a run that ends
    # between the two looks for a moment as if it had skipped its checks.
    wait_for(
        lambda: "Latest execution" in (text := browser.text()) and "Skipped" not in text,
        PAGE_SECONDS,
        "the newest outcome of every check, none of them skipped",
    )
    wait_for(lambda: all(browser.run(COLOURED_PIXELS)), PAGE_SECONDS, "lines in the plots")


def test_the_monitoring_page_of_the_metadata_is_filled(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/assets/drift?view=overview")
    page = f"{served.pages_url}/checks"
    browser.act(f"//a[@href='{page}']", lambda link: browser.open(link.get_attribute("href")))
    wait_for(
        lambda: browser.run("return document.querySelectorAll('.hm image').length"),
        PAGE_SECONDS,
        "the checks by day",
    )
    lines = browser.run("return [...document.querySelectorAll('#checks .ytick')].length")
    assert lines >= len(CONTROL_CHECKS) * len(MODELS)
    browser.run("window.scrollTo(0, document.body.scrollHeight)")  # what is not seen is not drawn
    for marks in ("#drift .bars .point", "#slices .scatterlayer .trace"):
        count = f"return document.querySelectorAll('{marks}').length"
        wait_for(lambda count=count: browser.run(count), PAGE_SECONDS, marks)  # type: ignore[misc]


def test_no_sensor_fails(served: Served) -> None:
    query = """{ sensorsOrError(repositorySelector: {
        repositoryName: "__repository__", repositoryLocationName: "mlops_assets"
      }) { ... on Sensors { results { name sensorState { status
        ticks(limit: 20) { status error { message } }
      } } } } }"""
    sensors = served.ask(query)["sensorsOrError"]["results"]
    states = {sensor["name"]: sensor["sensorState"] for sensor in sensors}
    assert set(states) == {
        *("upkeep_sensor", "registry_sensor"),
        *("performance_sensor", "drift_sensor", "alert_sensor", "late_data_sensor"),
    }
    for state in states.values():
        assert state["status"] == "RUNNING"
        assert state["ticks"]
        assert [tick["error"] for tick in state["ticks"] if tick["error"]] == []


def test_the_browser_has_the_today_of_the_tests(browser: Browser) -> None:
    browser.open("about:blank")
    days = browser.run(
        "return [new Date(), new Date(Date.now()), new Date(Date())].map((d) => d.toISOString())"
    )
    assert [day[:10] for day in days] == [str(yesterday() + dt.timedelta(days=1))] * 3
    assert browser.run("return new Date(0).getTime() + new Date(2020, 0).getMonth()") == 0
    assert browser.run("return new Date() instanceof Date")
