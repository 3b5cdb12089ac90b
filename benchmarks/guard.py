"""Benchmark: what the guard in front of the web UI adds to a request, in turns. Prints Markdown."""

import asyncio
import statistics
import time
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Scope

from mlops_assets.cli.guard import Guard

REQUESTS, TURNS = 2000, 11
# as Chromium asks for the data of a page
HEADERS = {
    "host": "127.0.0.1:3000",
    "connection": "keep-alive",
    "content-length": "2",
    "sec-ch-ua-platform": '"Linux"',
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "accept": "*/*",
    "content-type": "application/json",
    "origin": "http://127.0.0.1:3000",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "referer": "http://127.0.0.1:3000/overview",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "en-US,en;q=0.9",
}
SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/graphql",
    "query_string": b"",
    "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
}


async def bare(scope: Scope, receive: Any, send: Any) -> None:
    await PlainTextResponse("{}")(scope, receive, send)


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"{}"}


async def send(message: Any) -> None:
    assert message.get("status", 200) == 200


async def seconds(app: ASGIApp) -> float:
    """CPU seconds of a request."""
    start = time.process_time()
    for _ in range(REQUESTS):
        await app(dict(SCOPE), receive, send)
    return (time.process_time() - start) / REQUESTS


def main() -> None:
    sides: dict[str, ASGIApp] = {"without": bare, "with the guard": Guard(bare, "127.0.0.1")}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, app in sides.items():
            taken[name].append(asyncio.run(seconds(app)))
    print("| a request | CPU milliseconds, median | range |\n| --- | ---: | ---: |")
    for name, found in taken.items():
        low, middle, high = (1000 * n for n in (min(found), statistics.median(found), max(found)))
        print(f"| {name} | {middle:.3f} | {low:.3f} to {high:.3f} |")


if __name__ == "__main__":
    main()
