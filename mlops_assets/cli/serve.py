"""Serve the web UI with its schedules and sensors, and the interactive pages beside it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import click
import uvicorn

from mlops_assets.cli.guard import ALLOWED_HOSTS, guarded
from mlops_assets.pages.home_page import home_page
from mlops_assets.pages.shelf import Shelf
from mlops_assets.pages.site import make_site
from mlops_assets.project import ProjectError
from mlops_assets.project.folders import workspace_file
from mlops_assets.project.workspace import environment, load_named
from mlops_assets.resources.roots import named_storage
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stored_files import sweep

START_SECONDS = 120
CTRL_C_SECONDS = 5
STOP_SECONDS = 30
SHIPPED_WORKSPACE = Path(__file__).with_name("workspace.yaml")
# What runs say while nothing is wrong, which the web UI has; what a first start warns of; and what
# the web UI says of having been stopped.
NOTHING_WRONG = re.compile(
    rb"\S+ \S+ \S+ - dagster\S* - ((DEBUG|INFO) - |WARNING - No cursor for event type)|Aborted!$"
)
COLOUR = re.compile(rb"\x1b\[[\d;]*m")
WEBSERVER = "mlops_assets.cli.webserver"
UNGUARDED = (
    "The web UI lets pages of other sites in, so it was stopped: this version of dagster-webserver "
    "is none that this package knows. Install those of its constraints."
)
DAGSTER_DEV_WARNING = "ignore:Function `dev_command` is superseded"


def refuse_taken_ports(host: str, port: int) -> None:
    """ClickException where something listens on the port of the web UI or of the pages."""
    for wanted in (port, port + 1):
        if not port_is_free(host, wanted):
            raise click.ClickException(
                f"Port {wanted} of {host} is taken. Stop what listens there, or choose another: "
                f"mlops-assets run --port {port + 10}, or make run PORT={port + 10}"
            )


def replace_process(host: str, port: int, allowed: Sequence[str]) -> NoReturn:
    """Serve in a fresh interpreter that takes the place of this one."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-P", "-m", "mlops_assets", "serve", "--host", host]
    command += ["--port", str(port), *(f"--allow-host={name}" for name in allowed)]
    os.execv(sys.executable, command)


def serve(host: str, port: int, names: Sequence[str], allowed: Sequence[str] = ()) -> int:
    """Serve projects of the workspace until interrupted; 1 when the web UI ends by itself.

    `allowed` are the names by which a browser may ask for it, besides the host and this machine.
    """
    if allowed:
        os.environ[ALLOWED_HOSTS] = ",".join(allowed)
    url = f"http://{host}:{port}"
    pages_url = f"http://{host}:{port + 1}"
    for name in names:
        sweep(named_storage(name))
    os.environ |= {"WEB_URL": url, "PAGES_URL": pages_url}
    start_pages(host, port + 1, names)
    web = subprocess.Popen(
        [
            *(sys.executable, "-m", WEBSERVER, "dev"),
            *("--workspace", str(served_workspace()), "--log-level", "warning"),
            *("--host", host, "--port", str(port)),
        ],
        # elsewhere, Dagster would warn of the dagster.yaml that is not the instance's own
        cwd=os.environ.get("DAGSTER_HOME"),
        env={
            **os.environ,
            **environment(),
            "PYTHONWARNINGS": DAGSTER_DEV_WARNING,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert web.stdout is not None
    threading.Thread(target=pass_on, args=(web.stdout, sys.stderr.buffer), daemon=True).start()

    def terminate(*_: object) -> None:
        web.terminate()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    try:
        if wait_until_up(url, web):
            if not is_guarded(url):
                web.terminate()
                raise click.ClickException(UNGUARDED)
            print()
            for name in names:
                of, home = (f" of {name}", f"{pages_url}/{name}/") if name else ("", pages_url)
                print(f"Home{of}: {home}", flush=True)
            print(f"Web UI: {url}", flush=True)
            print(f"For machines: {pages_url}/metrics", flush=True)
            print("Ctrl+C stops.", flush=True)
        return web.wait()
    except KeyboardInterrupt:
        return stopped(web)


def stopped(web: subprocess.Popen[bytes]) -> int:
    """End the web UI: Ctrl+C reaches it by itself, a signal to this process alone does not.

    0 once it has ended, by whichever of the signals: that is what was asked for.
    """
    for seconds, press in ((CTRL_C_SECONDS, web.terminate), (STOP_SECONDS, web.kill)):
        try:
            web.wait(seconds)
        except subprocess.TimeoutExpired:
            press()
        else:
            return 0
    return 1


def pass_on(lines: Iterable[bytes], terminal: IO[bytes]) -> None:
    """Pass on what the web UI and its runs print, but for what they say while nothing is wrong."""
    for line in lines:
        if not NOTHING_WRONG.match(COLOUR.sub(b"", line)):
            terminal.write(line)
            terminal.flush()


def served_workspace() -> Path:
    """The workspace file to serve; without one of the user's, that of the project alone."""
    return file if (file := workspace_file()).exists() else SHIPPED_WORKSPACE


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def start_pages(host: str, port: int, names: Sequence[str]) -> None:
    """Serve the pages in a thread of this process."""
    threading.Thread(target=make_pages(host, port, names).run, daemon=True).start()


def make_pages(host: str, port: int, names: Sequence[str]) -> uvicorn.Server:
    """What serves the pages of projects; what these need is being imported meanwhile."""

    def metrics() -> str:
        from mlops_assets.cli.machine_metrics import machine_metrics  # brings Dagster

        return machine_metrics(names)

    def now(name: str) -> list[tuple[str, str]]:
        from mlops_assets.cli.status import under_way  # brings Dagster

        return under_way(name)

    pages = {
        name: (Shelf(named_storage(name), partial(load_named, name)), partial(now, name))
        for name in names
    }

    def warm() -> None:
        """Import what pages need, so that the first one that is opened need not wait for it."""
        for shelf, _ in pages.values():
            with suppress(ProjectError, StorageError):
                home_page(shelf.look([]))

    app = guarded(make_site(pages, metrics), host)
    threading.Thread(target=warm, daemon=True).start()
    return uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning"))


def is_guarded(url: str) -> bool:
    """Whether the web UI refuses what is asked under a name that is not its own."""
    asked = urllib.request.Request(f"{url}/server_info", headers={"Host": "elsewhere.invalid"})
    try:
        with urllib.request.urlopen(asked, timeout=START_SECONDS):
            return False
    except urllib.error.HTTPError as refused:
        return refused.code == 403


def wait_until_up(url: str, web: subprocess.Popen[bytes]) -> bool:
    """Wait for the web UI to answer; False when it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while web.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return False
