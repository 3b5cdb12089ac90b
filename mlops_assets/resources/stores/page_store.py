"""Interactive pages, stored beside the datasets and served by `mlops-assets run`."""

import os
from importlib.metadata import version

from mlops_assets.lazy import plotly
from mlops_assets.project import Project
from mlops_assets.resources.storage import Storage, StorageError, damaged_file

LEADERBOARD_PAGE, MONITORING_PAGE = "leaderboard.html", "monitoring.html"
POLICIES_PAGE = "policies.html"
LIBRARY = "plotly.min.js"
RELEASE = "pages/plotly.txt"
HEAD = 300  # bytes in which the library says what it is
END = b"</html>\n"


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
        """The bytes of a page. FileNotFoundError before it is built, StorageError where damaged."""
        path = f"pages/{name}"
        content = self.storage.read(path)
        whole = b"plotly.js" in content[:HEAD] if name == LIBRARY else content.endswith(END)
        if not whole:
            raise damaged_file(self.storage, path, "is no whole page")
        return content

    def _release(self) -> bytes:
        """The release of the library that lies there."""
        try:
            return self.storage.read(RELEASE)
        except (FileNotFoundError, StorageError):
            return b""

    def write(self, name: str, html: str) -> None:
        release = version("plotly").encode()
        if self._release() != release:
            self.storage.write(f"pages/{LIBRARY}", plotly_js().encode())
            self.storage.write(RELEASE, release)
        self.storage.write(f"pages/{name}", html.encode())
