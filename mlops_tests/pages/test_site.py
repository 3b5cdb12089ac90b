"""The web app hands out stored pages and nothing else."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest
from starlette.applications import Starlette

from mlops_assets.pages.site import make_app, make_site, policy

FILES = {"leaderboard.html": b"<h1>hi</h1>", "plotly.min.js": b"var a"}


class Recorder:
    """Reads from a dictionary and keeps the names it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> bytes:
        self.names.append(name)
        try:
            return FILES[name]
        except KeyError:
            raise FileNotFoundError(name) from None


def request(read: Recorder, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    return answer(make_app(read), path, method)


def answer(app: Starlette, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body that the app answers a request with, without a network."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(app(scope, receive, send))
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:])


@pytest.mark.parametrize(
    ("path", "kind"), [("/leaderboard.html", "text/html"), ("/plotly.min.js", "text/javascript")]
)
def test_a_page_is_served_as_what_it_is(path: str, kind: str) -> None:
    status, headers, body = request(Recorder(), path)
    assert (status, body) == (200, FILES[path[1:]])
    assert headers["content-type"] == f"{kind}; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_page_runs_the_scripts_that_it_was_built_with_and_no_others() -> None:
    inline = b"const a = '</p>';"
    page = b'<script src="plotly.min.js"></script><script>' + inline + b"</script>"
    digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
    said = policy(page)
    assert f"script-src 'self' 'sha256-{digest}';" in said
    assert said.startswith("default-src 'none';")
    assert "unsafe-inline" not in said.partition("script-src")[2].partition(";")[0]
    assert request(Recorder(), "/leaderboard.html")[1]["content-security-policy"] == policy(
        FILES["leaderboard.html"]
    )


def test_the_front_door_leads_to_the_leaderboard() -> None:
    status, headers, _ = request(Recorder(), "/")
    assert (status, headers["location"]) == (307, "/leaderboard.html")


def test_a_page_that_is_not_built_says_how_to_build_it() -> None:
    status, headers, body = request(Recorder(), "/model_card.html")
    assert (status, body) == (404, b"not built yet: materialize leaderboard\n")
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../leaderboard.html",
        "/pages/leaderboard.html",
        "//leaderboard.html",
        "/..\\leaderboard.html",
        "/.html",
        "/..html",
        "/Leaderboard.html",
        "/model.pkl",
        "/leaderboard.html.txt",
        "/html",
    ],
)
def test_no_other_name_is_looked_for(path: str) -> None:
    read = Recorder()
    status, headers, _ = request(read, path)
    assert (status, read.names) == (404, [])
    assert headers["x-content-type-options"] == "nosniff"


def test_nothing_can_be_written() -> None:
    read = Recorder()
    assert request(read, "/leaderboard.html", method="POST")[0] == 405
    assert read.names == []


def test_projects_have_their_pages_under_their_names() -> None:
    bakery, fish = Recorder(), Recorder()
    site = make_site({"bakery": bakery, "fish": fish})
    status, headers, body = answer(site, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'<a href="bakery/">bakery</a>' in body
    assert b'<a href="fish/">fish</a>' in body
    status, headers, _ = answer(site, "/fish/")
    assert (status, headers["location"]) == (307, "/fish/leaderboard.html")
    assert answer(site, "/fish/plotly.min.js")[2] == FILES["plotly.min.js"]
    assert (bakery.names, fish.names) == ([], ["plotly.min.js"])
    for path in ("/leaderboard.html", "/meat/leaderboard.html", "/fish/../leaderboard.html"):
        assert answer(site, path)[0] == 404


def test_the_one_project_keeps_its_pages_at_the_top() -> None:
    one, fish = Recorder(), Recorder()
    site = make_site({"": one, "fish": fish})
    assert answer(site, "/")[1]["location"] == "/leaderboard.html"
    assert answer(site, "/leaderboard.html")[2] == FILES["leaderboard.html"]
    assert answer(site, "/fish/leaderboard.html")[0] == 200
    assert (one.names, fish.names) == (["leaderboard.html"], ["leaderboard.html"])
