"""Whether the source has the columns that the settings name, asked when definitions load."""

import json
import logging

from mlops_assets.project import Project, ProjectError
from mlops_assets.resources.sources.base import Source, SourceError, UnreachableError, make_source
from mlops_assets.resources.storage import Storage, StorageError

COLUMNS_FILE = "source_columns.json"


def check_columns(project: Project, storage: Storage) -> None:
    """ProjectError when the source lacks a column that the settings name.

    A source that is not there yet, or does not answer, is left to the first run. What was found is
    kept until the source changes, since reading a header costs more than all the rest of loading.
    """
    source = make_source(project, storage)
    try:
        _check(project, storage, source)
    except UnreachableError as error:
        logging.getLogger(__name__).warning("the columns are not checked: %s", error)
    except SourceError as error:
        raise ProjectError(f"source: {error}") from error


def _check(project: Project, storage: Storage, source: Source) -> None:
    stamp = source.stamp()
    if stamp is None:
        return
    try:
        kept = json.loads(storage.read(COLUMNS_FILE))
        if kept["stamp"] == stamp and not _missing(project, kept["columns"]):
            return
    except (FileNotFoundError, StorageError, ValueError, LookupError, TypeError):
        pass  # it is only ever a short cut
    found = source.columns()
    missing = _missing(project, found)
    if missing:
        raise ProjectError(
            f"columns: {source} has no column {', '.join(map(repr, missing))}; "
            f"it has: {', '.join(found)}"
        )
    storage.write(COLUMNS_FILE, json.dumps({"stamp": stamp, "columns": found}).encode())


def _missing(project: Project, found: list[str]) -> list[str]:
    return [name for name in project.column_names if name not in found]
