"""The running web UI: where its pages are, and how it learns of new definitions."""

import os
from urllib.parse import urlsplit

from mlops_assets.lazy import dagster_graphql
from mlops_assets.project import Project

RELOAD_SECONDS = 120


def web_url(path: str = "") -> str:
    """Where a browser finds a page of the web UI: under WEB_URL, which `mlops-assets run` sets."""
    return f"{os.environ.get('WEB_URL', 'http://127.0.0.1:3000').rstrip('/')}/{path}"


def asset_page(project: Project, *parts: str) -> str:
    """The path of the page of an asset in the web UI."""
    return "/".join(["assets", *filter(None, [project.prefix]), *parts])


def page_url(project: Project, page: str = "") -> str:
    """Where a browser finds a page: under PAGES_URL, else where `mlops-assets run` serves it."""
    url = os.environ.get("PAGES_URL", "http://127.0.0.1:3001").rstrip("/")
    return "/".join([url, *filter(None, [project.prefix]), page])


def reload_definitions(location: str) -> str:
    """Have the running web UI load the definitions again; what came of it, in words.

    Without a web UI there is nothing to reload: it will load them when it starts.
    """
    try:
        url = urlsplit(web_url())
        client = dagster_graphql.DagsterGraphQLClient(
            url.hostname or "127.0.0.1",
            port_number=url.port,
            use_https=url.scheme == "https",
            timeout=RELOAD_SECONDS,
        )
        answer = client.reload_repository_location(location)
    except (
        dagster_graphql.DagsterGraphQLClientError,
        OSError,
        ValueError,
    ):  # ValueError: WEB_URL is no URL
        return (
            f"no web UI answers at {web_url()}: the next one to start will show it, one that runs "
            "elsewhere once its definitions are reloaded; WEB_URL names another"
        )
    if answer.status != dagster_graphql.ReloadRepositoryLocationStatus.SUCCESS:
        return f"{web_url()} could not reload {location}: {answer.message}"
    return f"{web_url()} shows it"
