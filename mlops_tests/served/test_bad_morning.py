"""Bad mornings, one after another, in a real browser: from the alert to the rows at fault."""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.graph.partitions import make_partitions
from mlops_assets.project import load_project
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.browsing import Browser, Served, open_browser, serve, yesterday
from mlops_tests.servers import wait_for
from mlops_tests.small import build_history, small_environment, write_small_project

pytestmark = [pytest.mark.browser, pytest.mark.served, pytest.mark.long]

TOLD_SECONDS = 120
PICTURES = "MLOPS_TESTS_PICTURES"  # a folder for what is seen, to be looked at


class Morning:
    """A served project, whose source is a file, and a browser on it."""

    def __init__(self, folder: Path, rows: pd.DataFrame, served: Served, browser: Browser) -> None:
        self.file, self.rows, self.served, self.browser = folder, rows, served, browser

    def arrive(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        """The source has yesterday as well, changed."""
        write_rows(self.file, self.rows, change)

    def see(self, *words: str, picture: str = "") -> str:
        """Wait until the newest alerts say words; what is shown then."""
        self.browser.open(f"{self.served.url}/assets/alerts?view=overview")
        return self.wait(*words, picture=picture)

    def follow(self, subject: str, check: str, *words: str, picture: str = "") -> str:
        """Click on an open alert, and see there what a check says, with rows at fault."""
        self.browser.open(f"{self.served.url}/assets/alerts?view=overview")
        row = f"//tr[not(.//tr)][contains(., '{subject}') and contains(., 'open')]"
        links: list[str] = []
        self.browser.act(f"{row}//a", lambda link: links.append(link.get_attribute("href")))
        self.browser.open(links[-1])
        return self.wait(check, *words, picture=picture or check)

    def rows_at_fault(self, picture: str) -> str:
        """Click on what a check has of rows; these."""
        self.browser.press("//*[normalize-space(text())='[Show Markdown]']")
        table = "return document.querySelector('[role=dialog] table')?.innerText"
        found: str = wait_for(lambda: self.browser.run(table), TOLD_SECONDS, "rows at fault")
        self._keep(picture)
        return found

    def wait(self, *words: str, picture: str) -> str:
        """The text of the page, once it says words; a picture of it, where these are asked for."""

        def said() -> str:
            text = self.browser.text()
            return text if all(word in text for word in words) else ""

        text = wait_for(said, TOLD_SECONDS, f"text of {words}")
        self._keep(picture)
        return text

    def _keep(self, picture: str) -> None:
        if folder := os.environ.get(PICTURES):
            self.browser.driver.save_screenshot(f"{folder}/{picture}.png")


def of_yesterday(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["date"] == pd.Timestamp(yesterday())


def write_rows(
    file: Path, rows: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    newest = of_yesterday(rows)
    changed = pd.concat([rows[~newest], change(rows[newest].copy())], ignore_index=True)
    changed.to_parquet(file.with_suffix(".new"), index=False)
    file.with_suffix(".new").replace(file)


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Morning]:
    folder = tmp_path_factory.mktemp("bad")
    settings_file = write_small_project(folder / "problem")
    project, storage = load_project(settings_file), LocalStorage(str(folder / "none"))
    first = make_partitions(project, storage).first_day
    rows = make_source(project, storage).read(first, yesterday() + dt.timedelta(days=1))
    # so that chance is little beside what is planted, and an input that stays as it is is odd
    random = np.random.default_rng(3)
    rows["units"] = random.normal(60, 3, len(rows)).round()
    rows["promotion"] = random.random(len(rows)).round(3)
    settings = yaml.safe_load(settings_file.read_text(encoding="utf-8"))
    settings["source"] = {"kind": "file", "path": "rows.parquet"}
    settings["first_day"] = first
    settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    file = folder / "problem" / "rows.parquet"
    write_rows(file, rows, lambda day: day.iloc[:0])
    assert build_history(folder)  # there are no rows of yesterday
    with (
        serve(folder / "serve.log", small_environment(folder)) as served,
        open_browser(tmp_path_factory.mktemp("profile")) as browser,
    ):
        yield Morning(file, rows, served, browser)


def test_from_each_alert_of_a_bad_morning_to_the_rows_at_fault(morning: Morning) -> None:
    day = yesterday()
    data = f"failed checks on {day}"

    refused = f"observations of {day} are refused"
    morning.see(f"act {refused} open", picture="missing")
    morning.follow(refused, "source_freshness", f"the source has no rows of {day}")

    morning.arrive(lambda rows: rows.assign(units=rows["units"] * 3))
    morning.see(f"{data} open", picture="late-and-tripled")
    morning.follow(data, "target_range", "compare the day with the source", picture="tripled")
    assert "SEAFOOD" in morning.rows_at_fault("rows-tripled")
    morning.browser.open(f"{morning.served.url}/assets/forecast?view=overview")
    morning.wait("failed_checks", f"of {day}: target_range", picture="forecast-marked")

    morning.arrive(lambda rows: rows.assign(units=rows["units"] / 2))
    morning.follow(data, "target_range", "is 3", picture="halved")
    assert "SEAFOOD" in morning.rows_at_fault("rows-halved")

    morning.arrive(lambda rows: rows)
    morning.see("nothing open since", picture="right-again")


def test_a_frozen_input_and_a_renamed_category_are_one_message(morning: Morning) -> None:
    day = yesterday()
    data = f"failed checks on {day}"
    before = morning.rows[morning.rows["date"] == pd.Timestamp(day - dt.timedelta(days=1))]
    frozen = before.set_index("category")["promotion"]
    renamed = {frozen.index[0]: "WAFFLES"}

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        rows["promotion"] = rows["category"].map(frozen)
        return rows.replace({"category": renamed})

    morning.arrive(change)
    morning.see(f"{data} open")
    morning.follow(data, "inputs_range", "promotion repeats 100%", picture="frozen")
    assert "promotion the day before" in morning.rows_at_fault("rows-frozen")
    morning.browser.driver.refresh()
    morning.browser.press("//*[normalize-space(text())='new_categories']")
    morning.wait("new: WAFFLES (category)", picture="renamed")
    assert "WAFFLES" in morning.rows_at_fault("rows-renamed")
    morning.arrive(lambda rows: rows)
    morning.see("nothing open since")
