"""Dagster's web server behind the guard: `python -m mlops_assets.cli.webserver`.

With `dev` as its first argument `dagster dev`, which then starts this one instead of its own.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

OWN, DAGSTERS = "mlops_assets.cli.webserver", "dagster_webserver"


def serve_web() -> None:
    """What `dagster-webserver` does, with its app behind the guard."""
    from mlops_assets.cli.guard import guarded, leading_to_pages
    from mlops_assets.graph.attribution import viewer_tags
    from mlops_assets.graph.runs import replace_lost_connections

    context: Any = import_module("dagster._core.workspace.context")
    replace_lost_connections()
    context.WorkspaceRequestContext.get_viewer_tags = viewer_tags
    cli: Any = import_module("dagster_webserver.cli")
    made, host = cli.create_app_from_workspace_process_context, _host(sys.argv)

    def make_app(*args: Any, **options: Any) -> Any:
        return guarded(leading_to_pages(made(*args, **options)), host)

    cli.create_app_from_workspace_process_context = make_app
    cli.main()


def serve_all() -> None:
    """What `dagster dev` does, with a web server as above."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    dev: Any = import_module("dagster._cli.dev")
    started = dev.open_ipc_subprocess

    def start(command: Sequence[str], **options: Any) -> Any:
        return started([OWN if part == DAGSTERS else part for part in command], **options)

    dev.open_ipc_subprocess = start
    dev.dev_command(sys.argv[2:], prog_name="dagster dev")


def end_with(parent: int) -> None:
    """End this process once the one that started it is gone, however that ended.

    Else schedules and sensors would go on unseen, and the port stay taken.
    """
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _host(arguments: Sequence[str]) -> str:
    return arguments[arguments.index("--host") + 1] if "--host" in arguments else "127.0.0.1"


if __name__ == "__main__":
    if sys.argv[1:2] == ["dev"]:
        serve_all()
    else:
        serve_web()
