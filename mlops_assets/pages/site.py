"""A small web app that serves the HTML pages from where they are stored."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from mlops_assets.resources.storage import StorageError

HOME = "/leaderboard.html"
PAGE_NAME = re.compile(r"[a-z0-9_][a-z0-9_.]*\.(html|js)")
MEDIA_TYPES = {"html": "text/html", "js": "text/javascript"}
BUILT_BY = {"monitoring.html": "materialize drift", "policies.html": "launch backtest_policy_job"}
SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
METRICS_TYPE = "text/plain; version=0.0.4"
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


Read = Callable[[str], bytes]


def make_site(projects: Mapping[str, Read], metrics: Callable[[], str] | None = None) -> Starlette:
    """The app of the projects of a workspace: each under its name, which `/` lists.

    The project without a name, where there is one, has its pages at the top. `/metrics` answers
    machines with the text that `metrics` makes.
    """
    alone = projects.get("")
    links = "".join(f'<li><a href="{escape(name)}/">{escape(name)}</a></li>' for name in projects)

    def home(_: Request) -> Response:
        return HTMLResponse(f"<title>Projects</title><ul>{links}</ul>", headers=HEADERS)

    def for_machines(_: Request) -> Response:
        return Response(metrics() if metrics else "", media_type=METRICS_TYPE, headers=HEADERS)

    named = [Mount(f"/{name}", make_app(read)) for name, read in projects.items() if name]
    top = Mount("/", make_app(alone)) if alone else Route("/", home)
    return Starlette(routes=[Route("/metrics", for_machines), *named, top])


def policy(page: bytes) -> str:
    """What a page may load and run: its own files, and the scripts that it was built with."""
    digests = (hashlib.sha256(script).digest() for script in SCRIPT.findall(page))
    own = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self'{own}; style-src 'unsafe-inline'; "
        "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'"
    )


def make_app(read: Read) -> Starlette:
    """The app that answers `/{name}` with the bytes that `read` returns for the name.

    Only plain names that end in .html or .js reach `read`. It raises FileNotFoundError for a
    page that is not built yet, which is answered with 404 and a hint, and StorageError for a
    damaged one, which is answered with what it says. `/` redirects to the
    leaderboard.
    """

    def home(request: Request) -> Response:
        return RedirectResponse(request.scope["root_path"] + HOME, headers=HEADERS)

    # Not async: Starlette then calls it in a thread, as `read` may wait for a disk or a network.
    def page(request: Request) -> Response:
        name = PAGE_NAME.fullmatch(request.path_params["name"])
        if name is None:
            return PlainTextResponse("no such page\n", status_code=404, headers=HEADERS)
        try:
            content = read(name.group())
        except FileNotFoundError:
            hint = f"not built yet: {BUILT_BY.get(name.group(), 'materialize leaderboard')}\n"
            return PlainTextResponse(hint, status_code=404, headers=HEADERS)
        except StorageError as error:
            return PlainTextResponse(f"{error}\n", status_code=500, headers=HEADERS)
        headers = HEADERS | {"Content-Security-Policy": policy(content)}
        return Response(content, media_type=MEDIA_TYPES[name.group(1)], headers=headers)

    return Starlette(routes=[Route("/", home), Route("/{name:path}", page)])
