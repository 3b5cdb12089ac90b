"""Where rows come from. Every source gives the rows of a half-open window of local days."""

from mlops_assets.resources.sources import file, landing_folder, plugin_source, replay, sql
from mlops_assets.resources.sources.base import (
    SOURCES,
    Source,
    SourceError,
    UnreachableError,
    get_source,
    make_source,
    register,
)
from mlops_assets.resources.sources.columns import check_columns

__all__ = [
    "SOURCES",
    "Source",
    "SourceError",
    "UnreachableError",
    "check_columns",
    "file",
    "get_source",
    "landing_folder",
    "make_source",
    "plugin_source",
    "register",
    "replay",
    "sql",
]
