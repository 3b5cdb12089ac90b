"""Serve the web UI with its schedules and sensors, and the interactive pages beside it."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

import uvicorn

from mlops_assets.pages.site import make_site
from mlops_assets.project import ProjectError
from mlops_assets.project.workspace import environment, project_names, workspace_file
from mlops_assets.resources.storage import named_storage
from mlops_assets.resources.stores.page_store import MONITORING_PAGE, PageStore

START_SECONDS = 120
STOP_SECONDS = 30
DAGSTER_DEV_WARNING = "ignore:Function `dev_command` is superseded"


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; 1 when a port is taken or the web UI ends by itself."""
    parser = argparse.ArgumentParser(prog="python -m mlops_assets.cli.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=3000, help="of the web UI; pages use the next")
    options = parser.parse_args(arguments)
    for port in (options.port, options.port + 1):
        if not port_is_free(options.host, port):
            print(
                f"Port {port} of {options.host} is taken. Stop what listens there, or choose "
                f"another: make run PORT={options.port + 10}",
                file=sys.stderr,
            )
            return 1
    try:
        names = project_names()
    except ProjectError as error:
        print(error, file=sys.stderr)
        return 1
    url = f"http://{options.host}:{options.port}"
    pages_url = f"http://{options.host}:{options.port + 1}"
    start_pages(options.host, options.port + 1, names)
    web = subprocess.Popen(
        [
            *(sys.executable, "-m", "dagster", "dev"),
            *("--workspace", str(workspace_file()), "--log-level", "warning"),
            *("--host", options.host, "--port", str(options.port)),
        ],
        # elsewhere, Dagster would warn of the dagster.yaml that is not the instance's own
        cwd=os.environ.get("DAGSTER_HOME"),
        env={
            **os.environ,
            "WEB_URL": url,
            "PAGES_URL": pages_url,
            **environment(),
            "PYTHONWARNINGS": DAGSTER_DEV_WARNING,
        },
    )

    def terminate(*_: object) -> None:
        web.terminate()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    try:
        if wait_until_up(url, web):
            print(f"\nWeb UI: {url}", flush=True)
            for name in names:
                of, home = (f" of {name}", f"{pages_url}/{name}") if name else ("", pages_url)
                print(f"Leaderboard page{of}: {home}", flush=True)
                print(f"Monitoring page{of}: {home}/{MONITORING_PAGE}", flush=True)
            print("Ctrl+C stops.", flush=True)
        return web.wait()
    except KeyboardInterrupt:
        # Ctrl+C reaches the web UI by itself
        try:
            return web.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            web.kill()
            return 1


def port_is_free(host: str, port: int) -> bool:
    """Whether nothing listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def start_pages(host: str, port: int, names: Sequence[str]) -> None:
    """Serve the pages in a thread of this process."""
    app = make_site({name: PageStore(named_storage(name)).read for name in names})
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()


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


if __name__ == "__main__":
    sys.exit(main())
