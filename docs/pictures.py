"""Takes the pictures of the docs anew: `make pictures`.

Of the history that `make history` builds, as it is served: what is in them is what there is.
"""

import os
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))
os.environ["MLOPS_TESTS_SHIFT_SECONDS"] = "0"  # the browser's clock is that of today

from mlops_assets.project.folders import storage_root  # noqa: E402 (of this checkout)
from mlops_tests.browsing import (  # noqa: E402
    COLOURED_PIXELS,
    PAGE_SECONDS,
    Browser,
    open_browser,
    serve,
    wait_for,
)

DRAWN = """
return [...document.querySelectorAll("[data-figure], [data-table]")].every((place) => {
  place.scrollIntoView();
  return place.dataset.drawn || place.classList.contains("none");
});
"""
PAGES = {"home.png": ("", 1120), "models.png": ("models", 1500), "monitoring.png": ("checks", 1440)}
WIDTH = 1200


def take_page(browser: Browser, address: str, height: int, file: Path) -> None:
    """A picture of a page from its top, all of its parts being there."""
    browser.driver.set_window_size(WIDTH, height)
    browser.open(address)
    wait_for(lambda: browser.run(DRAWN), PAGE_SECONDS, f"all parts of {address}")
    browser.run("window.scrollTo(0, 0)")
    browser.driver.save_screenshot(str(file))


def take_plots(browser: Browser, address: str, file: Path) -> None:
    """A picture of the plots of an asset in the web UI."""
    browser.driver.set_window_size(1600, 1000)
    browser.open(address)
    browser.press("//button[normalize-space()='Plots']")
    wait_for(
        lambda: (counts := browser.run(COLOURED_PIXELS)) and all(counts), PAGE_SECONDS, "plots"
    )
    browser.driver.save_screenshot(str(file))


def main() -> None:
    environment = {"MLOPS_ROOT": str(Path(storage_root()).absolute()), **os.environ}
    with tempfile.TemporaryDirectory() as folder:
        log, profile = Path(folder, "serve.log"), Path(folder, "profile")
        with serve(log, environment) as served, open_browser(profile, "hide-scrollbars") as browser:
            for name, (page, height) in PAGES.items():
                take_page(browser, f"{served.pages_url}/{page}", height, DOCS / name)
            asset = f"{served.url}/assets/validation/hist_boosting?view=overview"
            take_plots(browser, asset, DOCS / "model-page.png")


if __name__ == "__main__":
    main()
