"""Weeks, months and quarters as texts: each stands for its first day."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlops_assets.lazy import np, pa, pc

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
YEAR = r"(?:1[89]|2[01])\d\d"
# each with the year, and the number or name of the week, quarter or month
FORMS = (
    rf"^\s*(?P<year>{YEAR})[-/ ]?[Ww](?P<week>\d{{1,2}})(?:-(?P<weekday>[1-7]))?\s*$",
    rf"^\s*(?P<year>{YEAR})[-/ ]?[Qq](?P<quarter>[1-4])\s*$",
    rf"^\s*[Qq](?P<quarter>[1-4])[-/ ]?(?P<year>{YEAR})\s*$",
    rf"(?i)^\s*(?P<year>{YEAR})[-/. ]?(?P<name>{MONTHS})[a-z]*\s*$",
    rf"(?i)^\s*(?P<name>{MONTHS})[a-z]*[-/., ]*(?P<year>{YEAR})\s*$",
    rf"^\s*(?P<year>{YEAR})[-/](?P<month>0?[1-9]|1[0-2])\s*$",
    rf"^\s*(?P<month>0?[1-9]|1[0-2])[-/](?P<year>{YEAR})\s*$",
)


def with_first_days(texts: Any) -> tuple[Any, np.ndarray[Any, Any]]:
    """An Arrow array of texts, of which those of periods are written as their first day.

    2026-W05 is 2026-01-26, a Monday, as ISO 8601 has it; 1977-Jan and 1977-01 are 1977-01-01. And
    flags that say which texts these are.
    """
    days = np.full(len(texts), None, dtype=object)
    for form in FORMS:
        if not pc.any(pc.match_substring_regex(texts, form)).as_py():
            continue
        for at, found in enumerate(pc.extract_regex(texts, pattern=form).to_pylist()):
            if found is not None:
                days[at] = _first_day(found)
    told = days != None  # noqa: E711  # element by element
    if not told.any():
        return texts, told
    written = pa.array([None if day is None else str(day) for day in days], pa.string())
    return pc.if_else(pa.array(told), written, texts), told


def _first_day(found: dict[str, str]) -> dt.date | None:
    """The day of what an expression found; none of a week 53 of a year that has 52."""
    year = int(found["year"])
    if "week" in found:
        try:
            return dt.date.fromisocalendar(year, int(found["week"]), int(found["weekday"] or 1))
        except ValueError:
            return None
    if "quarter" in found:
        return dt.date(year, 3 * int(found["quarter"]) - 2, 1)
    if "month" in found:
        return dt.date(year, int(found["month"]), 1)
    return dt.date(year, MONTHS.split("|").index(found["name"].lower()) + 1, 1)


def are_periods(texts: Any) -> bool:
    """Whether most of some texts are weeks, months or quarters."""
    _, told = with_first_days(texts)
    return bool(len(told)) and bool(told.mean() > 0.5)
