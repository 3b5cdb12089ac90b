"""The last line of a `dagster` command that ends in a traceback: what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import dagster as dg

from mlops_assets.resources.disk import why_of
from mlops_assets.resources.storage import StorageError

NOT_THERE = (dg.DagsterInvalidSubsetError, dg.DagsterUnknownPartitionError)


def have_the_last_word() -> None:
    """Have what ends a `dagster` command said in words after its traceback; not in other ones."""
    if Path(sys.argv[0]).stem != "dagster" or sys.excepthook is not sys.__excepthook__:
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        if why := in_words(error, sys.argv):
            print(f"\n{why}", file=sys.stderr)

    sys.excepthook = hook


def in_words(error: BaseException, arguments: list[str]) -> str | None:
    """What an error of Dagster's, or one behind it, means here; None where it says that itself."""
    if isinstance(error, StorageError):
        return None
    for one in _behind(error):
        if isinstance(one, StorageError):
            return str(one)
        if isinstance(one, Exception) and (why := why_of(one)):
            return why
    asked = [after for name, after in pairwise(arguments) if name.startswith("--partition")]
    if not isinstance(error, NOT_THERE) or not asked:
        return None
    return (
        f"{asked[0]} is not there to be made, or not all of it: a day is once it is over and its "
        "target is known, a month from its first day on, both from the first day of the project "
        "on. `mlops-assets status` names the newest day."
    )


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
