"""Whether the source has the columns that the settings name, asked when definitions load."""

import json
import logging

from mlops_assets.project import Project, ProjectError
from mlops_assets.resources.sources.base import Source, SourceError, UnreachableError, make_source
from mlops_assets.resources.sources.rows import missing_columns
from mlops_assets.resources.storage import Storage, StorageError

COLUMNS_FILE = "source_columns.json"
OBSERVATIONS = "datasets/observations"


def check_columns(project: Project, storage: Storage) -> None:
    """ProjectError when the source lacks a column that the settings name.

    A source that is not there yet, or does not answer, is left to the first run. Once days are
    stored, nothing that becomes of the source keeps the definitions from loading: the run says it.
    What was found is kept until the source changes, since reading a header costs more than all the
    rest of loading.
    """
    source = make_source(project, storage)
    try:
        _check(project, storage, source)
    except UnreachableError as error:
        logging.getLogger(__name__).warning("the columns are not checked: %s", error)
    except (SourceError, ProjectError) as error:
        told = f"source: {error}" if isinstance(error, SourceError) else str(error)
        if not storage.names(OBSERVATIONS):
            raise ProjectError(told) from error
        logging.getLogger(__name__).warning("no further day can be ingested: %s", told)


def _check(project: Project, storage: Storage, source: Source) -> None:
    stamp = source.stamp()
    if stamp is None:
        return
    try:
        kept = json.loads(storage.read(COLUMNS_FILE))
        if kept["stamp"] == stamp and not missing_columns(project, kept["columns"]):
            return
    except (FileNotFoundError, StorageError, ValueError, LookupError, TypeError):
        pass  # it is only ever a short cut
    found = source.columns()
    missing = missing_columns(project, found)
    if missing:
        raise ProjectError(
            f"columns: {source} has no column {', '.join(map(repr, missing))}; "
            f"it has: {', '.join(found)}"
        )
    storage.write(COLUMNS_FILE, json.dumps({"stamp": stamp, "columns": found}).encode())
