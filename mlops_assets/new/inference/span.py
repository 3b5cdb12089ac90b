"""How much is learned from, and since when."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from mlops_assets.ml.due_days import EVERY_DAY, DueDays, Grain
from mlops_assets.ml.models.splits import Trailing, TrainingWindow, add_months
from mlops_assets.new.inference.facts import UndecidableError

LAGS = ([1, 7, 14, 28], [1, 7, 14], [1, 7])


@dataclass(frozen=True)
class Scale:
    """What suits rows of days, weeks, months or quarters; lags and the like count these."""

    lags: Sequence[list[int]]
    """The longest first."""
    windows: Sequence[int]
    """Months to learn from, the longest first."""
    service_days: int
    """So many days of the calendar are to be left for service."""
    history_months: int
    """Of service, at most."""
    holdout: int
    means: Sequence[tuple[int, ...]]
    """Means of the past that may be inputs, the usual ones first."""
    near: tuple[int, ...]
    """Lags that may be inputs."""
    stretches: tuple[int, ...]
    """How long a stretch is that is forecast in a backtest, the longest first."""
    half_lives: tuple[int, ...]
    block: int
    """What errs together."""
    tried: Sequence[int]
    """Months to learn from that are tried in a backtest."""


SCALES = {
    Grain.DAY: Scale(
        lags=LAGS,
        windows=(4, 3, 2, 1),
        service_days=60,
        history_months=6,
        holdout=14,
        means=((7, 28), (7, 28, 91), (3, 7, 14, 28, 56)),
        near=(1, 2, 3, 4, 5, 6, 7, 14, 21, 28),
        stretches=(91, 56, 28),
        half_lives=(365, 120),
        block=7,
        tried=(60, 36, 24, 12, 6, 4, 2, 1),
    ),
    Grain.WEEK: Scale(
        lags=([1, 2, 3, 4, 52], [1, 2, 3, 4], [1, 2]),
        windows=(24, 12, 9, 6),
        service_days=182,
        history_months=12,
        holdout=8,
        means=((4, 13), (4, 13, 26), (2, 4, 8)),
        near=(1, 2, 3, 4, 5, 8, 13),
        stretches=(26, 13),
        half_lives=(104, 26),
        block=4,
        tried=(60, 36, 24, 12, 9, 6),
    ),
    Grain.MONTH: Scale(
        lags=([1, 2, 3, 12], [1, 2, 3], [1]),
        windows=(60, 48, 36, 24, 18),
        service_days=365,
        history_months=36,
        holdout=6,
        means=((3, 12), (3, 6, 12), (6,)),
        near=(1, 2, 3, 6),
        stretches=(24, 12),
        half_lives=(60, 24),
        block=3,
        tried=(120, 84, 60, 48, 36, 24, 18),
    ),
    Grain.QUARTER: Scale(
        lags=([1, 2, 4], [1, 2], [1]),
        windows=(96, 72, 60, 48),
        service_days=730,
        history_months=72,
        holdout=4,
        means=((4,), (4, 8), (2, 4)),
        near=(1, 2, 3),
        stretches=(12, 8),
        half_lives=(40, 16),
        block=2,
        tried=(120, 96, 72, 60, 48),
    ),
}
WINDOWS = SCALES[Grain.DAY].windows


@dataclass(frozen=True)
class Span:
    """How much is learned from, and since when."""

    first_day: dt.date
    lags: list[int]
    window_months: int
    holdout_days: int
    reason: str


def fit_span(
    first: dt.date,
    last: dt.date,
    choices: Sequence[list[int]] = LAGS,
    due: DueDays = EVERY_DAY,
) -> Span:
    """The first day, lags and window that a history allows. UndecidableError if it is too short.

    Of the choices of lags the first is the longest. The longest lags and window that leave as much
    service as the scale asks for are taken, else the least ones.
    """
    scale, unit = SCALES[due.grain], due.grain
    found: tuple[list[int], int] | None = None
    for lags, months in product(choices, scale.windows):
        if service_days(first, last, max(lags, default=0), months, due) >= scale.service_days:
            found = lags, months
            break
    lags, months = found or (choices[-1], scale.windows[-1])
    reach = max(lags, default=0)
    days = due.count(first, last) + 1
    if service_days(first, last, reach, months, due) < 1:
        least = "a calendar month" if months == 1 else f"{months} calendar months"
        raise UndecidableError(
            f"the rows reach from {first} to {last}, {days} {unit}s; {least} to learn from"
            f"{f', after {due.in_words(reach)} for the lags,' if reach else ''} leaves none to "
            f"serve; give the table more {unit}s"
        )
    start = recent_start(first, last, reach, months, due)
    used = "" if start == first else ", of which the last are used"
    left = f"of {days} {unit}s{used}"
    served = service_days(start, last, reach, months, due)
    served = served if due.daily else due.count(last - dt.timedelta(days=served), last)
    reason = f"{left}, lags and window leave {served} {unit}s of service"
    return Span(start, lags, months, 7 if months == 1 else scale.holdout, reason)


def service_days(
    first: dt.date, last: dt.date, reach: int, months: int, due: DueDays = EVERY_DAY
) -> int:
    """How many days, up to the last, a model with such lags and window serves."""
    earliest = due.back(first, -reach)
    begins = TrainingWindow(Trailing(), months, 0, due=due).first_month(earliest)
    return (due.end(last) - begins).days


def recent_start(
    first: dt.date, last: dt.date, reach: int, months: int, due: DueDays = EVERY_DAY
) -> dt.date:
    """The first day, such that at most some months are served: more cost time and tell little."""
    served = SCALES[due.grain].history_months
    return max(first, due.back(add_months(last, 1 - served - months), reach))
