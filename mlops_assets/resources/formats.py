"""Which format a storage is in, so that code which is older than what is stored says so.

1: that of version 0.1, which notes nothing. 2: files carry seals, days what their rows come to.
Newer code reads what is of older formats as it is; what it writes is of its own.
"""

from __future__ import annotations

import json
from importlib.metadata import version

from mlops_assets.resources.layout import FORMAT_FILE
from mlops_assets.resources.storage import Storage, StorageError, damaged_file

FORMAT, FIRST = 2, 1


def check_format(storage: Storage) -> int:
    """The format of what is stored. StorageError where it is newer than this version knows."""
    try:
        said = json.loads(storage.read(FORMAT_FILE))
        found, by = int(said["format"]), str(said["by"])
    except FileNotFoundError:
        return FIRST
    except (ValueError, TypeError, KeyError) as error:
        raise damaged_file(storage, FORMAT_FILE, f"says no format ({error!r})") from error
    if found > FORMAT:
        raise StorageError(
            f"{storage.root} is of format {found}, written by mlops_assets {by}; this is "
            f"{version('mlops_assets')}, which knows formats up to {FORMAT}: install {by} or newer"
        )
    return found


def keep_format(storage: Storage) -> None:
    """Note the format of what is written from now on. StorageError as of `check_format`."""
    if check_format(storage) < FORMAT:
        told = {"format": FORMAT, "by": version("mlops_assets")}
        storage.write(FORMAT_FILE, json.dumps(told).encode())
