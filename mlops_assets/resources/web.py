"""The running web UI: where its pages are, how it learns of new definitions and of wanted runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mlops_assets.lazy import dagster_graphql
from mlops_assets.project import Project

RELOAD_SECONDS = 120
PAGES = "/pages"
"""What leads from the web UI to the pages."""
PAGES_URL = "PAGES_URL"
"""The environment variable of where the pages are."""
REPOSITORY = "__repository__"  # as Dagster calls the definitions of a location
RELOAD_URL = "MLOPS_RELOAD_URL"
"""The environment variable of the address at which the web UI is told to load definitions again.

Where a proxy stands in front of it, WEB_URL is the address of that, which asks for a password.
"""
PROXY_SECRET = "MLOPS_PROXY_SECRET"
"""The environment variable of what the proxy alone knows, and sends along in PROXY_HEADER."""
PROXY_HEADER = "X-Proxy-Secret"


def web_url(path: str = "") -> str:
    """Where a browser finds a page of the web UI: under WEB_URL, which `mlops-assets run` sets."""
    return f"{os.environ.get('WEB_URL', 'http://127.0.0.1:3000').rstrip('/')}/{path}"


def asset_page(project: Project, *parts: str) -> str:
    """The path of the page of an asset in the web UI."""
    return "/".join(["assets", *filter(None, [project.prefix]), *parts])


def page_url(project: Project, page: str = "") -> str:
    """Where a browser finds a page of a project."""
    return pages_url("/".join([*filter(None, [project.prefix]), page]))


def pages_url(path: str) -> str:
    """Under PAGES_URL, else where `mlops-assets run` serves the pages."""
    return f"{os.environ.get(PAGES_URL, 'http://127.0.0.1:3001').rstrip('/')}/{path}"


def day_link(project: Project, day: object) -> str:
    """Markdown of the way from the web UI to what happened on a day.

    Relative, so that it holds wherever both are served: the web UI, or the proxy in front of it,
    leads from PAGES to the pages.
    """
    path = "/".join([PAGES, *filter(None, [project.prefix]), f"day?on={day}"])
    return f"[All that happened on the {project.due.grain}]({path})"


def day_url(project: Project, day: str) -> str:
    """Where a browser finds the page of a day; nothing where no pages are known to be served."""
    return page_url(project, f"day?on={day}") if PAGES_URL in os.environ else ""


def reload_definitions(location: str, run_id: str) -> str:
    """Have the running web UI load the definitions again; what came of it, in words.

    `run_id` is a run of the own instance: a web UI that does not know it serves another one, and
    is left alone. Without a web UI there is nothing to reload: it will load them when it starts.
    """
    where = _own_url()
    try:
        client = _client(where)
        client.get_run_status(run_id)
        answer = client.reload_repository_location(location)
    except dagster_graphql.DagsterGraphQLClientError as error:
        if _is_unknown_run(error):
            return _another_instance(where)
        return _nobody_answers(where)
    except (OSError, ValueError):  # ValueError: it is no URL
        return _nobody_answers(where)
    if answer.status != dagster_graphql.ReloadRepositoryLocationStatus.SUCCESS:
        return f"{where} could not reload {location}: {answer.message}"
    return f"{web_url()} shows it"


class NotSubmittedError(RuntimeError):
    """A run could not be put on the queue; the message says why and what to do."""


def submit_run(
    location: str,
    job: str,
    assets: Sequence[Sequence[str]] | None,
    *,
    tags: Mapping[str, str],
    config: Mapping[str, Any],
    known_run: str = "",
) -> str:
    """Put a run of a job, of the assets with these keys or of all, on Dagster's queue; its id.

    `known_run` is a run of the own instance, by which the web UI is known to serve that.
    NotSubmittedError where none answers, another one does, or it refuses the run.
    """
    where = _own_url()
    try:
        client = _client(where)
        if known_run:
            client.get_run_status(known_run)
        run_id: str = client.submit_job_execution(
            job,
            repository_location_name=location,
            repository_name=REPOSITORY,
            run_config=dict(config),
            tags=dict(tags),
            asset_selection=assets,
        )
    except dagster_graphql.DagsterGraphQLClientError as error:
        if _is_unknown_run(error):
            raise NotSubmittedError(_another_instance(where)) from error
        why = error.__cause__ or " ".join(map(str, error.args))
        raise NotSubmittedError(f"{where} took no run of {job}: {why}") from error
    except (OSError, ValueError) as error:  # ValueError: it is no URL
        raise NotSubmittedError(
            f"no web UI answers at {where}, by which runs get on the queue of the instance: start "
            f"it and dagster-daemon, or name another by {RELOAD_URL} or WEB_URL"
        ) from error
    return run_id


def _own_url() -> str:
    return os.environ.get(RELOAD_URL) or web_url().rstrip("/")


def _client(where: str) -> dagster_graphql.DagsterGraphQLClient:
    """Of the web UI at an address. OSError, ValueError or its own error where there is none."""
    url, secret = urlsplit(where), os.environ.get(PROXY_SECRET)
    return dagster_graphql.DagsterGraphQLClient(
        url.netloc,
        use_https=url.scheme == "https",
        path_prefix=url.path.rstrip("/"),
        timeout=RELOAD_SECONDS,
        headers={PROXY_HEADER: secret} if secret else None,
    )


def _is_unknown_run(error: dagster_graphql.DagsterGraphQLClientError) -> bool:
    """Whether GraphQL says so, rather than something on the way there."""
    return str(error.args[0]).endswith("RunNotFoundError")


def _another_instance(where: str) -> str:
    return (
        f"{where} serves another instance and is left alone; {RELOAD_URL} or WEB_URL names that "
        "of this one"
    )


def _nobody_answers(where: str) -> str:
    return (
        f"no web UI answers at {where}: the next one to start will show it, one that runs "
        f"elsewhere once its definitions are reloaded; {RELOAD_URL} or WEB_URL names another"
    )
