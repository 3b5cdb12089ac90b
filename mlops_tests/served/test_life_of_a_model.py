"""The whole life of a model in the web UI, from its creation to the day it is dropped.

The units of the data are three times the promotion, which differs from day to day: whoever reads
it must beat the baseline, which repeats last week.
"""

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets import load_champion
from mlops_assets.graph.partitions import month_of
from mlops_tests.browsing import (
    COLOURED_PIXELS,
    PAGE_SECONDS,
    RUN_SECONDS,
    Browser,
    Served,
    open_browser,
    serve,
    wait_for,
    yesterday,
)
from mlops_tests.small import PROJECT_FILE, build_history, small_environment

pytestmark = [pytest.mark.browser, pytest.mark.served]

NAME = "challenger"
WEEKS = 14


def write_project(folder: Path) -> None:
    """Settings with the baseline alone, and rows up to and including tomorrow."""
    folder.mkdir(parents=True)
    last = yesterday() + dt.timedelta(days=2)
    days = pd.date_range(last - dt.timedelta(weeks=WEEKS), last)
    random = np.random.default_rng(5)
    frames = []
    for category in ("bread", "cake", "rolls", "pie"):
        promotion = random.random(len(days)).round(3)
        frames.append(
            pd.DataFrame(
                {
                    "date": days,
                    "department": "bakery",
                    "category": category,
                    "units": (30 * promotion + random.random(len(days))).round(2),
                    "unit_price": 2.0,
                    "promotion": promotion,
                }
            )
        )
    pd.concat(frames).to_parquet(folder / "rows.parquet", index=False)
    settings: dict[str, Any] = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
    settings |= {
        "source": {"kind": "file", "path": "rows.parquet"},
        "first_day": days[0].date(),
        "features": {"lags": [1, 7], "rolling_means": [7], "calendar": ["day_of_week"]},
        "training": {"window_months": 1, "holdout_days": 7},
        "models": [{"name": "seasonal_naive", "family": "seasonal_naive"}],
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("life")
    write_project(folder / "problem")
    build_history(folder)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serve(folder / "serve.log", small_environment(folder)) as served:
        yield served


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def finish(served: Served, browser: Browser, known: set[str], job: str | None = None) -> str:
    """The status of the run of a job, or of an asset, that is not among those known, at its end.

    Once it is launched its page is left, which draws each of its events.
    """

    def launched() -> Any:
        for run in served.runs():
            mine = run["jobName"] == job if job else run["jobName"].startswith("__")
            if run["runId"] not in known and mine:
                return run
        return None

    def ended() -> Any:
        status = launched()["status"]
        return status if status in ("SUCCESS", "FAILURE") else None

    wait_for(launched, PAGE_SECONDS, f"launch of {job or 'the run'}")
    browser.open("about:blank")
    return str(wait_for(ended, RUN_SECONDS, f"end of {job or 'the run'}"))


def decide(served: Served, browser: Browser, job: str, config: dict[str, Any]) -> str:
    """Launch a management job from its launchpad; its status."""
    known = {run["runId"] for run in served.runs()}
    op = job.removesuffix("_job")
    browser.open(f"{served.url}/locations/mlops_assets/jobs/{job}/playground")
    wait_for(lambda: f"{op}:" in browser.config(), PAGE_SECONDS, "configuration")
    browser.configure(yaml.safe_dump({"ops": {op: {"config": config}}}), "x: 1")
    browser.press("//button[contains(., 'Launch Run') and not(@disabled)]")
    return finish(served, browser, known, job)


def materialize(
    served: Served, browser: Browser, asset: str, partition: str, config: dict[str, Any]
) -> str:
    """Materialize a partition of an asset from its launchpad; the status of its run."""
    known = {run["runId"] for run in served.runs()}
    op = asset.replace("/", "__")
    browser.open_launchpad(served.url, asset, partition, f"{op}:")
    browser.configure(yaml.safe_dump({"ops": {op: {"config": config}}}), "x: 1")
    browser.press("//button[normalize-space()='Materialize' and not(@disabled)]")
    return finish(served, browser, known)


def page(served: Served, browser: Browser, asset: str, *texts: str, day: str = "") -> None:
    """Open the page of an asset, or of a day of it, until it shows all of the texts.

    Again whenever it was made again, and otherwise every half a minute: to draw it takes long.
    """
    view = f"partitions&partition={day}" if day else "overview"
    seen, looked = None, 0.0

    def shows() -> bool:
        nonlocal seen, looked
        made, now = served.made(asset), time.monotonic()
        if made == seen and now < looked + 30:
            return False
        seen, looked = made, now
        browser.open(f"{served.url}/assets/{asset}?view={view}")
        try:
            wait_for(lambda: all(text in browser.text() for text in texts), 8, "texts")
        except TimeoutError:
            return False
        return True

    wait_for(shows, RUN_SECONDS, f"{texts} on the page of {asset}")


def test_the_life_of_a_model(served: Served, browser: Browser, folder: Path) -> None:
    root, day, month = str(folder / "storage"), str(yesterday()), month_of(yesterday())
    family = {"ridge": {"alpha": 50.0}}

    # created: its page, its plots, its place on the leaderboard, its schedule
    config = {"family": family, "name": NAME, "reason": "reads the promotion"}
    assert decide(served, browser, "create_model_job", config) == "SUCCESS"
    page(served, browser, f"models/{NAME}", "trained_through", "holdout_wmape")
    browser.open(f"{served.url}/assets/validation/{NAME}?view=overview")
    browser.press("//button[normalize-space()='Plots']")
    wait_for(
        lambda: (counts := browser.run(COLOURED_PIXELS)) and all(counts) and min(counts) > 20,
        PAGE_SECONDS,
        "lines in every chart",
    )
    page(served, browser, "leaderboard", NAME)
    assert decide(served, browser, "create_model_job", config) == "FAILURE"  # the name is taken

    # trained with another hyperparameter, which is adopted
    known = {card.version for card in served.models.cards(NAME)}
    hyperparameters = {"hyperparameters": {"alpha": 2.0}}
    assert materialize(served, browser, f"models/{NAME}", month, hyperparameters) == "SUCCESS"
    [version] = [card.version for card in served.models.cards(NAME) if card.version not in known]
    config = {"model": {NAME: {"adopt_version": version}}, "reason": "lower error"}
    assert decide(served, browser, "update_model_job", config) == "SUCCESS"
    page(served, browser, "model_registry", NAME, "lower error", "update")

    # paused: its schedule is switched off
    schedule = f"retrain_{NAME}_schedule"
    browser.open(f"{served.url}/locations/mlops_assets/schedules/{schedule}")
    browser.press("//label[.//input[@type='checkbox' and @checked]]")

    # champion, by its scores
    assert load_champion(root)[1].model == "seasonal_naive"
    assert materialize(served, browser, "champion", day, {}) == "SUCCESS"
    page(served, browser, "champion", f"{NAME} takes over", "surely better by at least")
    _, card = load_champion(root)
    assert (card.model, card.version) == (NAME, version)
    page(served, browser, "forecast", NAME, version)

    # by now the registry and the leaderboard say that it is paused
    page(served, browser, "model_registry", "champion, paused")
    # the overview shows what was made last, which may be an older day; the newest one says it
    page(served, browser, "leaderboard", f"{NAME}, paused, newest version", day=day)

    # rolled back: the version before it serves, and the forecast is issued again
    config = {"version": version, "evaluate_past": True, "reason": "odd on Sundays"}
    assert decide(served, browser, "retire_version_job", config) == "SUCCESS"
    _, card = load_champion(root)
    assert card.model == NAME
    assert card.version in known
    page(served, browser, "forecast", NAME, card.version)
    page(served, browser, "model_registry", "retired", "odd on Sundays")

    # dropped, once it is champion no more
    drop = {"model": NAME, "delete_stored": NAME, "reason": "the test is over"}
    assert decide(served, browser, "drop_model_job", drop) == "FAILURE"
    pin = {"pin": "seasonal_naive", "reason": "to drop the other"}
    assert materialize(served, browser, "champion", day, pin) == "SUCCESS"
    assert load_champion(root)[1].model == "seasonal_naive"
    assert decide(served, browser, "drop_model_job", drop) == "SUCCESS"
    assert served.models.cards(NAME) == []
    data = served.ask("{ assetNodes { assetKey { path } } }")
    assert not [node for node in data["assetNodes"] if NAME in node["assetKey"]["path"]]
    page(served, browser, "model_registry", "the test is over")
