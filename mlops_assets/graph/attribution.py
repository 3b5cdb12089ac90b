"""Who asked for a run: the user that a proxy in front of the web UI has let in.

The proxy names them in a header, which it sets anew on every request, so that nobody else can.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mlops_assets.resources.web import USER_HEADER

USER_TAG = "user"


class AttributingRunCoordinator(dg.QueuedRunCoordinator):
    """Dagster's queue of runs, which puts on each run the user that has asked for it."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        if user := context.get_request_header(USER_HEADER):
            self._instance.add_run_tags(context.dagster_run.run_id, {USER_TAG: user})
        return super().submit_run(context)


def viewer_tags(request_context: Any) -> dict[str, str]:
    """The same for backfills, whose runs are submitted later: tags of a request to the web UI."""
    user = getattr(request_context.source, "headers", {}).get(USER_HEADER)
    return {USER_TAG: user} if user else {}


def decided_by(typed: str, tags: Mapping[str, str]) -> str:
    """Who decides in a run: whom the proxy has let in, else who was typed."""
    return tags.get(USER_TAG) or typed
