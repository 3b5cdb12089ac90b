"""Servers of a test: their ports, waiting for them, and asking the web UI."""

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from mlops_assets.cli.serve import port_is_free

HOST = "127.0.0.1"
ANSWER_SECONDS = 60

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """What `look` returns once that is not empty."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def free_ports() -> int:
    """A free port whose successor is free as well."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port < 65535 and port_is_free(HOST, port) and port_is_free(HOST, port + 1):
            return port


def ask(url: str, query: str, **variables: Any) -> Any:
    """The data by which the web UI at a URL answers a GraphQL query."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]
