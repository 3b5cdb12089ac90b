"""How much is learned from, and since when."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from mlops_assets.ml.models.splits import Trailing, TrainingWindow, add_months
from mlops_assets.new.inference.facts import UndecidableError

LAGS = ([1, 7, 14, 28], [1, 7, 14], [1, 7])
WINDOWS = (4, 3, 2, 1)
SERVICE_DAYS = 60
HISTORY_MONTHS = 6


@dataclass(frozen=True)
class Span:
    """How much is learned from, and since when."""

    first_day: dt.date
    lags: list[int]
    window_months: int
    holdout_days: int
    reason: str


def fit_span(first: dt.date, last: dt.date, choices: Sequence[list[int]] = LAGS) -> Span:
    """The first day, lags and window that a history allows. UndecidableError if it is too short.

    Of the choices of lags the first is the longest. The longest lags and window that leave two
    months of service are taken, else the least ones.
    """
    found: tuple[list[int], int] | None = None
    for lags, months in product(choices, WINDOWS):
        if service_days(first, last, max(lags, default=0), months) >= SERVICE_DAYS:
            found = lags, months
            break
    lags, months = found or (choices[-1], WINDOWS[-1])
    reach = max(lags, default=0)
    days = (last - first).days + 1
    if service_days(first, last, reach, months) < 1:
        raise UndecidableError(
            f"the rows reach from {first} to {last}, {days} days; a calendar month to learn from"
            f"{f', after {reach} days for the lags,' if reach else ''} leaves none to serve; "
            "give the table more days"
        )
    start = recent_start(first, last, reach, months)
    left = f"of {days} days" if start == first else f"of {days} days, of which the last are used"
    served = service_days(start, last, reach, months)
    reason = f"{left}, lags and window leave {served} days of service"
    return Span(start, lags, months, 7 if months == 1 else 14, reason)


def service_days(first: dt.date, last: dt.date, reach: int, months: int) -> int:
    """How many days, up to the last, a model with such lags and window serves."""
    earliest = first + dt.timedelta(days=reach)
    begins = TrainingWindow(Trailing(), months, 0).first_month(earliest)
    return (last - begins).days + 1


def recent_start(first: dt.date, last: dt.date, reach: int, months: int) -> dt.date:
    """The first day, such that at most some months are served: more cost time and tell little."""
    begins = add_months(last, 1 - HISTORY_MONTHS - months) - dt.timedelta(days=reach)
    return max(first, begins)
