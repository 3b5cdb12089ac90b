"""Who is let in to the web UI and the pages: by host, origin, method and type, by hand."""

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from mlops_assets.cli.guard import Guard, leading_to_pages

JSON = {"Content-Type": "application/json"}
LOCAL = {"Host": "127.0.0.1:3000"}


def ask(
    headers: dict[str, str],
    path: str = "/",
    method: str = "GET",
    *,
    kind: str = "http",
    host: str = "127.0.0.1",
    allowed: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """What a guard that is served on a host sends; an app behind it says that it was let in."""
    path, _, query = path.partition("?")
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if kind == "http":
            await PlainTextResponse("in")(scope, receive, send)
        else:
            await send({"type": "websocket.accept"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(Guard(leading_to_pages(app), host, allowed)(scope, receive, send))
    return sent


def status(headers: dict[str, str], path: str = "/", method: str = "GET", **on: Any) -> int:
    """What a request is answered with; its host is that of the guard unless it says another."""
    code: int = ask(LOCAL | headers, path, method, **on)[0]["status"]
    return code


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:3000", True),
        ("127.0.0.1", True),
        ("LOCALHOST:3000", True),
        ("localhost.:3000", True),
        ("[::1]:3000", True),
        ("evil.test:3000", False),
        ("127.0.0.1.evil.test", False),
        ("localhost@evil.test", False),
        ("evil.test#localhost", False),
        ("localhost:port", False),
        ("192.0.2.1:3000", False),
        ("", False),
    ],
)
def test_only_its_own_hosts_are_served(host: str, known: bool) -> None:
    assert status({"Host": host}) == (200 if known else 403)


def test_served_everywhere_it_is_reached_by_address_and_allowed_names_only() -> None:
    for host in ("0.0.0.0", "::"):
        assert status({"Host": "192.0.2.1:3000"}, host=host) == 200
        assert status({"Host": "[2001:db8::1]:3000"}, host=host) == 200
        assert status({"Host": "evil.test"}, host=host) == 403
    models = ("models.example:8443",)
    assert status({"Host": "models.example"}, allowed=models) == 200
    assert status({"Host": "other.example"}, allowed=models) == 403
    # a proxy that passes its own name on, or none
    for host in ("models.example", "127.0.0.1:3000"):
        for port, let_in in (("8443", True), ("443", False), ("9000", False)):
            asked = {"Host": host, "Origin": f"https://models.example:{port}"} | JSON
            expected = 200 if let_in else 403
            if host == "models.example" and port == "443":
                expected = 200  # the same as the host that is asked
            assert status(asked, method="POST", allowed=models) == expected
    assert status({"Origin": "https://models.example"}, allowed=("models.example",)) == 200


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://127.0.0.1:3000", True),
        ("https://127.0.0.1:3000", True),
        ("http://127.0.0.1:3001", False),
        ("http://localhost:3000", False),
        ("http://127.0.0.1", False),
        ("http://evil.test:3000", False),
        ("http://127.0.0.1:3000.evil.test", False),
        ("null", False),
        ("file://", False),
        ("", False),
    ],
)
def test_only_its_own_pages_may_ask(origin: str, own: bool) -> None:
    asked = {"Origin": origin}
    assert status(asked | JSON, method="POST") == (200 if own else 403)
    assert status(asked) == (200 if own else 403)
    [first, *_] = ask(LOCAL | asked, kind="websocket")
    assert first["type"] == ("websocket.accept" if own else "websocket.close")


def test_the_standard_port_may_be_left_out() -> None:
    assert status({"Host": "localhost", "Origin": "http://localhost:80"}) == 200
    assert status({"Host": "localhost:443", "Origin": "https://localhost"}) == 200
    assert status({"Host": "localhost", "Origin": "http://localhost:3000"}) == 403


@pytest.mark.parametrize(
    ("kind", "let_in"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/plain", False),
        ("text/plain; application/json", False),
        ("multipart/form-data; boundary=application/json", False),
        ("application/x-www-form-urlencoded", False),
        ("application/graphql", False),
        ("", False),
    ],
)
def test_what_changes_something_is_json(kind: str, let_in: bool) -> None:
    expected = 200 if let_in else 403
    for path in ("/graphql", "/report_asset_materialization/champion"):
        assert status({"Content-Type": kind}, path, "POST") == expected


def test_graphql_is_not_asked_by_get() -> None:
    assert status({}, "/graphql?query=mutation{a}") == 403
    assert status(JSON, "/prefix/graphql/?operationName=a&query={a}") == 403
    for key in ("%71uery", "q%75ery", "a=1&query", "quer%79"):
        assert status({}, f"/graphql?{key}=mutation{{a}}") == 403
    assert status({}, "/graphql?text=query%3D") == 200
    assert status({"Accept": "text/html"}, "/graphql") == 200
    assert status({}, "/assets?query=a") == 200


def test_pages_elsewhere_may_link_and_neither_frame_nor_embed() -> None:
    for site in ("cross-site", "same-site"):
        for mode, dest, let_in in [
            ("navigate", "document", True),
            ("navigate", "iframe", False),
            ("no-cors", "image", False),
            ("no-cors", "script", False),
            ("cors", "empty", False),
        ]:
            told = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
            assert status(told) == (200 if let_in else 403), told
            assert status(told | JSON, method="POST") == 403
    assert status({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}) == 200
    told = {name.decode(): value.decode() for name, value in ask(LOCAL)[0]["headers"]}
    assert told["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in told["content-security-policy"]


def test_the_web_ui_leads_to_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGES_URL", "https://models.example.org/elsewhere/")
    [start, _] = ask(LOCAL, "/pages/bakery/day?on=2026-03-01&of=store%3A%20a")
    assert start["status"] == 307
    there = "https://models.example.org/elsewhere/bakery/day?on=2026-03-01&of=store%3A%20a"
    assert (b"location", there.encode()) in start["headers"]
    assert status({}, "/assets/pages/day") == 200
    assert status({"Host": "models.example"}, "/pages/day") == 403


def test_a_refusal_says_why_and_what_to_do() -> None:
    start, body = ask({"Host": "models.example"})
    assert b"not served under the host 'models.example'; --allow-host" in body["body"]
    assert (b"x-frame-options", b"SAMEORIGIN") in start["headers"]


def test_one_host_is_named() -> None:
    both = {"Host": "localhost", "host ": "evil.test"}
    headers = [(name.strip().lower().encode(), value.encode()) for name, value in both.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    for told in (headers, []):
        assert Guard(lambda: None, "127.0.0.1").refusal(scope | {"headers": told})  # type: ignore[arg-type]
