"""The pages in a browser: wide, on a phone, in the dark, by keyboard, for screen readers."""

import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import uvicorn
from selenium.webdriver.common.keys import Keys

from mlops_assets.cli.guard import guarded
from mlops_assets.pages.site import PAGES, make_site
from mlops_tests.browsing import PAGE_SECONDS, Browser, open_browser
from mlops_tests.pages.asking import unpacked
from mlops_tests.servers import HOST, free_ports, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::mlops_assets.project.old_words.OldWordWarning"),
    pytest.mark.filterwarnings("ignore:OwnSource is called CustomSource now:FutureWarning"),
]

PHONE, WIDE = (390, 844), (1280, 900)
FIRST_PAINT_SECONDS = 1.0
# what comes later has come
READY = """
return [...document.querySelectorAll("[data-figure], [data-table]")].every((place) => {
  place.scrollIntoView();
  return place.dataset.drawn || place.classList.contains("none");
});
"""
AXE = """
const [done] = arguments;
axe.run({resultTypes: ["violations"]}).then((found) => done(found.violations));
"""
PAPERS = """
return [...document.querySelectorAll(".js-plotly-plot")].map((f) => f.layout.paper_bgcolor);
"""
COLUMN = """
return [...document.querySelectorAll("#versions tbody tr")].map((row) => row.cells[8].dataset.v);
"""
PAINT = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages of the history of version 0.1, as they are served."""
    shelf = unpacked(tmp_path_factory.mktemp("history"))
    port = free_ports()
    site = make_site({"shop": (shelf, lambda: [("runs", "none under way")])})
    app = guarded(site, HOST)
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, 30, "start")
    yield f"http://{HOST}:{port}/shop/"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def show(
    browser: Browser, address: str, size: tuple[int, int] = WIDE, scheme: str = "light"
) -> None:
    """Open a page in a window of a size and in a colour scheme, and wait until all is there."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chosen = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", chosen)
    browser.open(address)
    wait_for(lambda: browser.run(READY), PAGE_SECONDS, f"all parts of {address}")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_every_page_is_there_in_any_size_and_light(
    browser: Browser, url: str, name: str, size: tuple[int, int], scheme: str
) -> None:
    browser.driver.get_log("browser")
    show(browser, f"{url}{name}", size, scheme)
    assert [
        entry for entry in browser.driver.get_log("browser") if entry["level"] == "SEVERE"
    ] == []
    wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, "the page itself never scrolls sideways"
    empty = browser.run(
        "return [...document.querySelectorAll('[data-figure]')].filter((f) => !f.dataset.drawn)"
        ".map((f) => f.dataset.figure)"
    )
    assert empty == []
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(245, 244, 241)" if scheme == "light" else "rgb(20, 21, 23)")
    assert set(browser.run(PAPERS)) <= {"#fff" if scheme == "light" else "#1d1f22"}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier_is_found(browser: Browser, url: str, name: str, scheme: str) -> None:
    show(browser, f"{url}{name}", PHONE if scheme == "dark" else WIDE, scheme)
    browser.run("document.querySelector('.choice').open = true")
    browser.run(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script(AXE)
    serious = [
        (one["id"], one["help"], [node["html"][:150] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_pages_are_painted_at_once(browser: Browser, url: str) -> None:
    for name in PAGES:
        show(browser, f"{url}{name}")
        browser.driver.refresh()  # the second time, as the first one of a process reads all files
        paint = wait_for(lambda: browser.run(PAINT), PAGE_SECONDS, "first paint")
        assert paint < FIRST_PAINT_SECONDS * 1000, name


def test_a_series_is_found_by_typing_and_kept_in_the_address(browser: Browser, url: str) -> None:
    show(browser, f"{url}series?from=2026-05-01")
    field = browser.driver.find_element("id", "series")
    field.send_keys("cak")
    offered = "return [...document.querySelectorAll('#names option')].map((o) => o.value)"
    wait_for(lambda: browser.run(offered) == ["bakery / cake"], PAGE_SECONDS, "the name")
    field.clear()
    field.send_keys("bakery / cake", Keys.ENTER)
    wait_for(lambda: "of=bakery" in browser.driver.current_url, PAGE_SECONDS, "the address")
    assert browser.driver.current_url == f"{url}series?of=bakery+%2F+cake&from=2026-05-01"
    assert "bakery / cake" in browser.run("return document.querySelector('h1').textContent")
    browser.press("//nav//a[text()='Models']")
    wait_for(lambda: "/models?" in browser.driver.current_url, PAGE_SECONDS, "the other page")
    assert "of=bakery+%2F+cake" in browser.driver.current_url


def test_a_table_is_sorted_by_its_heads_by_keyboard(browser: Browser, url: str) -> None:
    show(browser, f"{url}versions")
    head = browser.driver.find_element("css selector", "#versions th:nth-child(9) button")
    head.send_keys(Keys.ENTER)
    values = [float(value) for value in browser.run(COLUMN)]
    assert values == sorted(values)
    head.send_keys(Keys.ENTER)
    assert [float(value) for value in browser.run(COLUMN)] == sorted(values, reverse=True)
    sort = "return document.querySelector('#versions th:nth-child(9)').getAttribute('aria-sort')"
    assert browser.run(sort) == "descending"


def test_a_click_on_a_point_opens_its_day(browser: Browser, url: str) -> None:
    show(browser, f"{url}models?model=linear")
    browser.run("document.querySelector('#daily').scrollIntoView()")
    time.sleep(0.2)  # until it stands still
    place: Any = browser.run(
        """
        const figure = document.querySelector("#daily .figure"), line = figure.data[1];
        const n = line.y.findLastIndex((y) => y !== null);
        const {xaxis, yaxis} = figure._fullLayout, box = figure.getBoundingClientRect();
        return [box.left + xaxis._offset + xaxis.d2p(line.x[n]),
                box.top + yaxis._offset + yaxis.d2p(line.y[n]), line.x[n]];
        """
    )
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        event = {"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
        time.sleep(0.2)
    wait_for(lambda: "/day?" in browser.driver.current_url, PAGE_SECONDS, "the day")
    assert browser.driver.current_url == f"{url}day?model=linear&on={place[2]}"


def test_two_models_are_chosen_and_compared(browser: Browser, url: str) -> None:
    show(browser, f"{url}models")
    browser.run("document.querySelector('.pair [name=other]').value = 'tree'")
    browser.press("//form[contains(@class, 'pair')]/button")
    wait_for(lambda: "other=tree" in browser.driver.current_url, PAGE_SECONDS, "the address")
    assert " against tree" in browser.run(
        "return document.querySelector('#difference h2').textContent"
    )


def test_the_colours_follow_the_system(browser: Browser, url: str) -> None:
    show(browser, f"{url}checks")
    chosen = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", chosen)
    paper = "return document.querySelector('#slices .figure').layout.paper_bgcolor"
    wait_for(lambda: browser.run(paper) == "#1d1f22", PAGE_SECONDS, "the dark figure")


def test_a_figure_is_taken_along_as_a_picture(browser: Browser, url: str) -> None:
    show(browser, f"{url}series")
    assert browser.run("return document.querySelectorAll('#days .modebar-btn').length") == 1
    picture = browser.driver.execute_async_script(
        "const [done] = arguments;"
        "Plotly.toImage(document.querySelector('#days .figure'), {format: 'png'}).then(done, done)"
    )
    assert str(picture).startswith("data:image/png;base64,")
