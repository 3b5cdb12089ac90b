"""Asks an app without a network, as a browser would."""

import asyncio
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd
from starlette.applications import Starlette
from starlette.types import ASGIApp

from mlops_assets.pages.shelf import Shelf
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.small import REPOSITORY

FIXTURE = REPOSITORY / "mlops_tests" / "fixtures" / "history_0_1" / "history.tar.xz"


def unpacked(folder: Path) -> Shelf:
    """The history of version 0.1, unpacked into a folder."""
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    return shelf_of(folder)


def shelf_of(folder: Path) -> Shelf:
    """What is stored in the folder of a history."""
    settings = folder / "project" / "project.yaml"
    return Shelf(LocalStorage(str(folder / "storage")), lambda: load_project(settings))


def answer(
    app: ASGIApp, address: str, method: str = "GET", **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body that an app answers a request with."""
    sent: list[dict[str, Any]] = []
    parts = urlsplit(address)
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }

    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not asked:
            await asyncio.Event().wait()  # until it is given up: who asks does not hang up
        return asked.pop()

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(app(scope, receive, send))
    found = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:])


def page(app: Starlette, address: str) -> str:
    status, _, body = answer(app, f"/{address}")
    assert status == 200, body
    return body.decode()


def table(app: Starlette, address: str) -> pd.DataFrame:
    """A part as its CSV."""
    return pd.read_csv(io.StringIO(page(app, address)))


def figure(app: Starlette, address: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page(app, address))
    return found
