"""What every source of rows must hold."""

from __future__ import annotations

import datetime as dt

from mlops_assets.contracts.wording import Problems, description_problems
from mlops_assets.lazy import pd
from mlops_assets.project.custom_sources import CustomSource
from mlops_assets.resources.sources import Source


def source_problems(
    source: Source, date: str, columns: list[str], first: dt.date, last: dt.date
) -> Problems:
    """The problems of a source that has rows on the days from `first` through `last`."""
    day = dt.timedelta(days=1)
    rows = source.read(first, last + day)
    if lacking := [name for name in columns if name not in rows.columns]:
        yield f"it lacks the column(s) {', '.join(lacking)}"
        return
    if rows.empty:
        yield f"it has no rows from {first} through {last}"
        return
    if str(rows[date].dtype) != "datetime64[ns]":
        yield f"its column {date} is {rows[date].dtype}, not datetime64[ns] without a zone"
        return
    if not rows[date].equals(rows[date].dt.normalize()):
        yield f"its column {date} holds hours; set each to midnight of its day"
    outside = rows[(rows[date] < pd.Timestamp(first)) | (rows[date] > pd.Timestamp(last))]
    if len(outside):
        yield f"asked for {first} through {last}, it gives rows of {outside[date].iloc[0]:%Y-%m-%d}"
    one = source.read(first, first + day)
    if set(one[date]) - {pd.Timestamp(first)}:
        yield "a window of one day gives rows of other days: the end is not part of it"
    empty = source.read(first, first)
    if len(empty) or list(empty.columns) != list(rows.columns):
        yield "an empty window gives rows, or not the same columns without any"
    if len(pd.concat([one, source.read(first + day, last + day)])) != len(rows):
        yield "two windows that meet give other rows than one over both"


def custom_source_problems(source: type[CustomSource]) -> Problems:
    """What can be said of a plugin's source before settings say where it reads."""
    yield from description_problems(source.description)
    for name, info in source.model_fields.items():
        if not info.description:
            yield f"option {name} has no description"
