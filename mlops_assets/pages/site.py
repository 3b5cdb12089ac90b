"""A small web app that shows what is stored of projects as pages, and changes nothing."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from mlops_assets.lazy import np
from mlops_assets.pages.day_page import day_page
from mlops_assets.pages.home_page import Now, home_page
from mlops_assets.pages.models_page import chosen_pair, models_page
from mlops_assets.pages.monitoring_page import monitoring_page
from mlops_assets.pages.parts import Page, Part, make_table
from mlops_assets.pages.policies_page import policies_page
from mlops_assets.pages.rows import matching
from mlops_assets.pages.series_page import series_page
from mlops_assets.pages.shelf import Look, Shelf
from mlops_assets.pages.versions_page import versions_page
from mlops_assets.pages.view import ViewError
from mlops_assets.project import ProjectError
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.web import web_url

METRICS_TYPE = "text/plain; version=0.0.4"
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
}
PAGES: dict[str, tuple[str, Callable[[Look], Page]]] = {
    "": ("Home", home_page),
    "models": ("Models", models_page),
    "series": ("Series", series_page),
    "versions": ("Versions", versions_page),
    "day": ("Day", day_page),
    "checks": ("Checks", monitoring_page),
    "policies": ("Policies", policies_page),
}
HOME = "home"  # what the parts of the first page lie under
OLD = {"leaderboard.html": "models", "monitoring.html": "checks", "policies.html": "policies"}
PLOTLY = "plotly.min.js"


HERE = Path(__file__).parent
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def make_site(
    projects: Mapping[str, tuple[Shelf, Now]], metrics: Callable[[], str] | None = None
) -> Starlette:
    """The app of the projects of a workspace: each under its name, which `/` lists.

    The project without a name, where there is one, has its pages at the top. Each comes with what
    tells what runs and is due. `/metrics` answers machines with the text that `metrics` makes.
    """

    def for_machines(_: Request) -> Response:
        return Response(metrics() if metrics else "", media_type=METRICS_TYPE, headers=HEADERS)

    def listed(_: Request) -> Response:
        text = TEMPLATES.get_template("projects.html").render(names=list(projects))
        return HTMLResponse(text, headers=HEADERS)

    named = [Mount(f"/{name}", make_app(*known)) for name, known in projects.items() if name]
    top = Mount("/", make_app(*projects[""])) if "" in projects else Route("/", listed)
    return Starlette(routes=[Route("/metrics", for_machines), *named, top])


def make_app(shelf: Shelf, now: Now) -> Starlette:
    """The app of one project: pages by name, what they are made of, and what they load.

    All links are relative, so that it may be served under any prefix.
    """
    site = Site(shelf, now)
    routes: list[BaseRoute] = [
        Route("/names", site.names),
        Route(f"/static/{PLOTLY}", lambda _: FileResponse(_plotly(), headers=HEADERS)),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *(Route(f"/{old}", partial(_moved, new)) for old, new in OLD.items()),
    ]
    for name in PAGES:
        routes.append(Route(f"/{name}", partial(site.page, name)))
        routes.append(Route(f"/{name or HOME}/{{part}}.{{form}}", partial(site.part, name)))
    return Starlette(routes=routes, exception_handlers=ERRORS)


def _moved(page: str, _: Request) -> Response:
    """To where a page that was a file once is now."""
    return RedirectResponse(page, headers=HEADERS)


def _plotly() -> Path:
    """Plotly's script, as the installed package has it."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data" / PLOTLY


@dataclass(frozen=True)
class Site:
    """The pages of one project."""

    shelf: Shelf
    now: Now

    # Not async, none of these: Starlette then calls them in threads, as they wait for disks.
    def page(self, name: str, request: Request) -> Response:
        look = self._look(request)
        text = self._render("page.html", look, name, page=PAGES[name][1](look))
        return HTMLResponse(text, headers=HEADERS)

    def part(self, name: str, request: Request) -> Response:
        """A part as its figure, its table or its CSV."""
        wanted, form = request.path_params["part"], request.path_params["form"]
        look = self._look(request)
        page = PAGES[name][1](look) if name else home_page(look, self.now)
        found = next((part for part in page.parts if part.name == wanted), None)
        if found is None or form not in ("csv", "html", "json"):
            known = ", ".join(part.name for part in page.parts)
            raise HTTPException(404, f"{wanted}.{form} is none of the parts: {known}")
        if form == "csv":
            return self._csv(found, f"{look.project.name}-{name or HOME}-{wanted}")
        if form == "json":
            figure = found.draw(found.frame()) if found.draw else None
            told = {"damaged": [*map(str, look.damaged.values())]} if look.damaged else {}
            return JSONResponse(_jsonable({**(figure or {}), **told}), headers=HEADERS)
        text = self._render("part.html", look, name, part=found)
        return HTMLResponse(text, headers=HEADERS)

    def names(self, request: Request) -> Response:
        """The slices and series that hold what is typed."""
        typed = request.query_params.get("typed", "")[:100]
        return JSONResponse(matching(self.shelf.look([]), typed), headers=HEADERS)

    def _look(self, request: Request) -> Look:
        return self.shelf.look(request.query_params.multi_items())

    def _csv(self, part: Part, name: str) -> Response:
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.csv"'}
        text = part.frame().to_csv(index=False)
        return Response(text, media_type="text/csv", headers=headers)

    def _render(self, template: str, look: Look, name: str, **more: Any) -> str:
        return TEMPLATES.get_template(template).render(
            look=look,
            view=look.view,
            name=name,
            place=name or HOME,
            pages={page: title for page, (title, _) in PAGES.items()},
            metrics=look.project.evaluation.made_metrics,
            make_table=make_table,
            pair=chosen_pair,
            web=web_url(),
            **more,
        )


def _jsonable(value: Any) -> Any:
    """A figure as JSON takes it: numbers of NumPy as those of Python, and none for no number."""
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _said(status: int) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        text = error.detail if isinstance(error, HTTPException) else str(error)
        code = error.status_code if isinstance(error, HTTPException) else status
        if "text/html" in request.headers.get("accept", ""):
            page = TEMPLATES.get_template("error.html").render(text=text)
            return HTMLResponse(page, status_code=code, headers=HEADERS)
        return PlainTextResponse(f"{text}\n", status_code=code, headers=HEADERS)

    return answer


ERRORS: Mapping[Any, Any] = {
    HTTPException: _said(404),
    ViewError: _said(400),
    ProjectError: _said(500),
    StorageError: _said(500),
}
