"""Dates that stand in several columns, and periods that are no days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import pa, pc, pd
from mlops_assets.ml.features.feature_settings import DateParts
from mlops_assets.ml.values import is_text, numbers, plain
from mlops_assets.resources.sources.dates import WRITE
from mlops_assets.resources.sources.periods import MONTHS

NAMES = {
    "year": ("year", "yr", "yyyy", "jahr"),
    "month": ("month", "mon", "mnth", "mm", "monat"),
    "day": ("day", "dd", "mday", "day_of_month", "tag"),
    "hour": ("hour", "hr", "hh", "stunde"),
}
SHORT_MONTH = rf"(?i)^\s*(?:{MONTHS})[a-z]*[-/., ]*\d\d\s*$"
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
    """Why the first texts of a column are no dates, where they are months of two digits."""
    fitting = pc.sum(pc.match_substring_regex(first, SHORT_MONTH)).as_py() or 0
    if not len(first) or fitting < MOSTLY * len(first):
        return None
    return (
        f"column {name!r} holds {first[0].as_py()!r}, which may be a day or a month of which year "
        "ever; write months such as 2026-01, weeks such as 2026-W05, and "
        f"{WRITE.removeprefix('write ')}"
    )
