"""How much of a day is known so far: its rows against those that its weekday usually has."""

import datetime as dt
from collections.abc import Mapping
from statistics import median

from mlops_assets.ml.due_days import EVERY_DAY, DueDays

WEEKS = 8  # so many weeks back a weekday is looked up
FEWEST_WEEKS = 2  # with fewer of them, nothing is expected of a day


def expected_rows(
    day: dt.date, rows_of: Mapping[dt.date, int], due: DueDays = EVERY_DAY
) -> float | None:
    """The median rows of the same weekday in the weeks before a day, or of the periods before one.

    None where too few of these weeks have rows. Rows of other days are not looked at.
    """
    step = 7 if due.daily else 1
    past = (due.back(day, step * week) for week in range(1, WEEKS + 1))
    known = [rows_of[then] for then in past if rows_of.get(then)]
    return float(median(known)) if len(known) >= FEWEST_WEEKS else None


def label_completeness(rows: int, expected: float | None) -> float | None:
    """The share of the expected rows that is known, at most 1; None where nothing is expected."""
    return None if expected is None else min(rows / expected, 1.0)
