"""Interactive pages, stored beside the datasets and served by `mlops-assets run`."""

import os
from importlib.metadata import version

from mlops_assets.lazy import plotly
from mlops_assets.project import Project
from mlops_assets.resources.storage import Storage

LEADERBOARD_PAGE, MONITORING_PAGE = "leaderboard.html", "monitoring.html"
POLICIES_PAGE = "policies.html"
LIBRARY = "plotly.min.js"
RELEASE = "pages/plotly.txt"


def page_url(project: Project, name: str) -> str:
    """Where a browser finds a page: PAGES_URL, else where `mlops-assets run` serves it."""
    url = os.environ.get("PAGES_URL", "http://127.0.0.1:3001").rstrip("/")
    return "/".join([url, *filter(None, [project.prefix]), name])


def plotly_js() -> str:
    """The text of plotly.js, which the pages expect beside them as `plotly.min.js`."""
    return str(plotly.offline.get_plotlyjs())


class PageStore:
    """HTML pages under `pages/` of a storage, with the plotting library that they share."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def read(self, name: str) -> bytes:
        """The bytes of a page. FileNotFoundError before it is built."""
        return self.storage.read(f"pages/{name}")

    def write(self, name: str, html: str) -> None:
        """Replace a page."""
        release = version("plotly").encode()
        if not self.storage.exists(RELEASE) or self.storage.read(RELEASE) != release:
            self.storage.write(f"pages/{LIBRARY}", plotly_js().encode())
            self.storage.write(RELEASE, release)
        self.storage.write(f"pages/{name}", html.encode())
