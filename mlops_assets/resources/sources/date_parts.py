"""Dates that stand in several columns, and periods that are no days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import pa, pc, pd
from mlops_assets.ml.features.feature_settings import DateParts
from mlops_assets.ml.values import is_text, numbers, plain
from mlops_assets.resources.sources.dates import MONTHS, WRITE

NAMES = {
    "year": ("year", "yr", "yyyy", "jahr"),
    "month": ("month", "mon", "mnth", "mm", "monat"),
    "day": ("day", "dd", "mday", "day_of_month", "tag"),
    "hour": ("hour", "hr", "hh", "stunde"),
}
YEAR = r"(?:1[89]|2[01])\d\d"
PERIODS = {
    "a week": rf"^\s*{YEAR}[-/ ]?[Ww]\d{{1,2}}(?:-\d)?\s*$",
    "a quarter": rf"^\s*(?:{YEAR}[-/ ]?[Qq][1-4]|[Qq][1-4][-/ ]?{YEAR})\s*$",
    "a month": (
        rf"(?i)^\s*(?:{YEAR}[-/. ]?(?:{MONTHS})[a-z]*|(?:{MONTHS})[a-z]*[-/., ]*(?:{YEAR}|\d\d)"
        rf"|{YEAR}[-/](?:0?[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])[-/]{YEAR})\s*$"
    ),
}
MOSTLY = 0.9


def find_parts(names: Sequence[str]) -> DateParts | None:
    """The columns that say year, month and day by their names, and the hour if one does."""
    found = {
        part: next((name for name in names if name.strip().lower() in known), None)
        for part, known in NAMES.items()
    }
    if None in (found["year"], found["month"], found["day"]):
        return None
    return DateParts.model_validate(found)


def joined_parts(table: Any, parts: DateParts) -> Any:
    """An Arrow array of dates as text, each of the columns that hold its parts; none if one lacks.

    A month may be a number or a name.
    """
    year, month, day, *hour = (plain(table[name]) for name in parts.names)
    years, days, *hours = (_whole(column) for column in (year, day, *hour))
    if is_text(month) and pc.any(pc.match_substring_regex(month, "[A-Za-z]")).as_py():
        named = pc.utf8_trim_whitespace(month)
        written = pc.binary_join_element_wise(days, named, years, " ")
    else:
        written = pc.binary_join_element_wise(years, _whole(month), days, "-")
    for hour_of_day in hours:
        written = pc.binary_join_element_wise(written, hour_of_day, " ")
        written = pc.binary_join_element_wise(written, "00", ":")
    return written


def _whole(column: Any) -> Any:
    """Whole numbers as text; what is none is missing."""
    found = pd.to_numeric(numbers(column), errors="coerce")
    return pa.array(found.where(found % 1 == 0).astype("Int64").astype("string"), pa.string())


def told_period(name: str, first: Any) -> str | None:
    """Why the first texts of a column are no days, where they are of longer periods."""
    for what, pattern in PERIODS.items():
        fitting = pc.sum(pc.match_substring_regex(first, pattern)).as_py() or 0
        if len(first) and fitting >= MOSTLY * len(first):
            return (
                f"column {name!r} holds {first[0].as_py()!r}, {what} and no day; a project is "
                f"evaluated by the day: give the table rows of days, and {WRITE}"
            )
    return None
