"""What stands in front of the web UI and the pages, so that no other page in a browser gets in.

A browser sends along to a local server whatever a page of any other site asks it to. It says for
whom: in the header Host which name was looked up, in Origin which page asks. Programs other than
browsers send no Origin, and are let in by their host alone.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops_assets.resources.web import PAGES, PROXY_HEADER, PROXY_SECRET, pages_url

ALLOWED_HOSTS: Final = "MLOPS_ALLOWED_HOSTS"
"""The environment variable of further hosts, with commas between them."""
LOCAL = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")
PORTS = {"http": 80, "https": 443}  # the usual ones
READING = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
NO_FRAMES = "frame-ancestors 'self'"


@dataclass(frozen=True)
class Guard:
    """An ASGI app behind a guard; `host` is the address that it is served on.

    `allowed` are names by which it is reached besides, such as that of a proxy in front of it, with
    the port of that unless it is the usual one. With a `secret`, nothing is let in but what the
    proxy sends, which knows it.
    """

    app: ASGIApp
    host: str
    allowed: Collection[str] = ()
    secret: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif not (why := self.refusal(scope)):
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": why[:120]})
        else:
            refused = PlainTextResponse(f"{why}\n", status_code=403)
            await refused(scope, receive, _with_headers(send))

    def refusal(self, scope: Scope) -> str:
        """Why a request is refused; nothing where it is let in."""
        headers = Headers(scope=scope)
        told = headers.get(PROXY_HEADER, "")
        if self.secret and not hmac.compare_digest(told.encode(), self.secret.encode()):
            return "asked for past the proxy in front of it"
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(name := _host_of(f"//{hosts[0]}")):
            named = ", ".join(hosts) or "none"
            return f"not served under the host {named!r}; --allow-host NAME serves under it as well"
        for origin in headers.getlist("origin"):
            if not self._is_own(origin, hosts[0]):
                return f"asked for by a page of {origin!r}, which is not of {name!r}"
        if scope["type"] == "websocket":
            return ""
        site, mode = headers.get("sec-fetch-site", ""), headers.get("sec-fetch-mode", "")
        window = mode == "navigate" and headers.get("sec-fetch-dest") == "document"
        if site in ("cross-site", "same-site") and not (window and scope["method"] == "GET"):
            return "asked for by a page of another origin"
        if scope["method"] not in READING:
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                return f"what changes something is sent as application/json, not {kind or 'bare'}"
        elif scope["path"].rstrip("/").endswith("/graphql") and "query" in _parameters(scope):
            return "GraphQL is asked by POST, as application/json"
        return ""

    def _is_ours(self, name: str) -> bool:
        """Whether this is served under the name, or the address, of a host."""
        named = (_host_of(f"//{name}") for name in self.allowed)
        if name in (*LOCAL, self.host.strip("[]").lower(), *named):
            return True
        if self.host not in EVERYWHERE:
            return False
        # a name could be made to point here by whoever owns it; an address could not
        return _is_address(name) or name in (socket.gethostname().lower(), socket.getfqdn().lower())

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page of an origin is one that was served under the host, or by the proxy.

        A port that is not named is the usual one.
        """
        scheme, _, place = origin.partition("://")
        asks = _place(scheme, place)
        own = {_place(scheme, name) for name in (host, *self.allowed)}
        return scheme in PORTS and asks is not None and asks in own


def leading_to_pages(app: ASGIApp) -> ASGIApp:
    """The web UI, from which PAGES leads to where the pages are."""

    async def led(scope: Scope, receive: Receive, send: Send) -> None:
        before, way, page = scope.get("path", "").partition(f"{PAGES}/")
        if scope["type"] != "http" or before or not way:
            await app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        there = RedirectResponse("?".join(filter(None, [pages_url(page), query])))
        await there(scope, receive, send)

    return led


def guarded(app: ASGIApp, host: str) -> Guard:
    """An app behind a guard, served on a host; further names come from the environment.

    So does the secret of the proxy, where there is one.
    """
    allowed = os.environ.get(ALLOWED_HOSTS, "").split(",")
    names = [name.strip() for name in allowed if name.strip()]
    return Guard(app, host, names, os.environ.get(PROXY_SECRET, ""))


def _host_of(address: str) -> str:
    """The name in `//name:port`, without port and brackets; empty where there is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return ""
    plain = not (parts.path or parts.query or parts.fragment or parts.username)
    return (parts.hostname or "").rstrip(".") if plain else ""


def _place(scheme: str, name: str) -> tuple[str, int] | None:
    """Where `name:port` is, for pages of a scheme."""
    host = _host_of(f"//{name}")
    return (host, urlsplit(f"//{name}").port or PORTS.get(scheme, 0)) if host else None


def _parameters(scope: Scope) -> QueryParams:
    """What stands behind the path, read as the web UI reads it: `%71uery` is `query` as well."""
    return QueryParams(scope["query_string"])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    """Answers that say who may frame, embed and guess them."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.append("Content-Security-Policy", NO_FRAMES)
        await send(message)

    return send_with
