"""On which days a table has rows, and on which none are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from mlops_assets.lazy import holidays as holidays_package
from mlops_assets.ml.due_days import ALL_WEEK, DueDays, Weekday, holidays_of
from mlops_assets.new.inference.facts import Decision

FEWEST_WEEKS = 4  # with fewer of them, no weekday is judged
HARDLY = 0.1  # of the share of the usual weekday: a weekday with less is not due
REGULAR = 0.7  # the share of its days on which the usual weekday has rows
FEWEST_HOLIDAYS = 3  # days that are missing on holidays, to tell whose they are
MATCH = 0.9  # the share of missing days that are holidays, and of holidays that are missing
SHOWN = 3


def find_weekdays(days: list[dt.date]) -> Decision[DueDays]:
    """The weekdays on which rows are due, by all days that have some, in ascending order."""
    every = DueDays(), "rows come on every weekday"
    if not days or (days[-1] - days[0]).days < 7 * FEWEST_WEEKS:
        return Decision(*every)
    count = dict.fromkeys(ALL_WEEK, 0)
    for day in days:
        count[ALL_WEEK[day.weekday()]] += 1
    weeks = ((days[-1] - days[0]).days + 1) / 7
    most = max(count.values())
    rare = [name for name in ALL_WEEK if count[name] < HARDLY * most]
    if not rare or most < REGULAR * weeks:
        return Decision(*every)
    odd = [day for day in days if ALL_WEEK[day.weekday()] in rare]
    but = f", but for {len(odd)} day(s) such as {odd[-1]}, which are not used" if odd else ""
    kept = tuple(name for name in ALL_WEEK if name not in rare)
    return Decision(DueDays(kept), f"no rows on {', '.join(rare)}{but}")


def find_holidays(days: list[dt.date], weekdays: tuple[Weekday, ...]) -> Decision[str] | None:
    """Whose holidays the due days without rows are; None where nothing tells."""
    first, end = days[0], days[-1] + dt.timedelta(days=1)
    due = set(DueDays(weekdays).between(first, end))
    missing = due - set(days)
    if len(missing) < FEWEST_HOLIDAYS or len(missing) > len(due) / 5:
        return None
    best: tuple[float, str] | None = None
    for place in _places():
        known = {
            day for year in range(first.year, end.year + 1) for day in holidays_of(place, year)
        }
        off = known & due
        both = len(off & missing)
        if off and min(both / len(missing), both / len(off)) >= MATCH:
            score = both / len(missing) + both / len(off)
            best = max(best or (0.0, place), (score, place), key=lambda found: found[0])
    if best is None:
        return None
    place = best[1]
    shown = ", ".join(map(str, sorted(missing)[-SHOWN:]))
    return Decision(
        place, f"{len(missing)} days without rows, such as {shown}, are those of {place}"
    )


def free_on(days: list[dt.date], weekdays: tuple[Weekday, ...], place: str) -> bool:
    """Whether most of the holidays of a place have no rows."""
    first, end = days[0], days[-1] + dt.timedelta(days=1)
    due = DueDays(weekdays).between(first, end)
    off = [day for day in due if day in holidays_of(place, day.year)]
    return len(set(off) & set(days)) < len(off) / 2


def _places() -> Iterator[str]:
    """The countries and markets whose holidays are known; the plainest code of each."""
    yield from sorted(holidays_package.list_supported_countries(include_aliases=False))
    yield from sorted(holidays_package.list_supported_financial(include_aliases=False))
