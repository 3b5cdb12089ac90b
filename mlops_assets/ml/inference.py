"""What can be told of a problem from a sample of its rows. Each decision comes with its reason."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from mlops_assets.ml.splits import Trailing, TrainingWindow, add_months

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Codes = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

Value = TypeVar("Value")

DATE_NAMES = ("date", "day", "ds", "dt", "timestamp", "datetime", "time", "dteday")
TARGET_NAMES = (
    *("target", "y", "label", "demand", "sales", "units", "quantity", "qty", "cnt", "count"),
    *("value", "amount", "total", "revenue", "load", "consumption", "delay", "price"),
)
KEY_NAME = re.compile(
    r"(^|_)(id|code|nr|no|number|key|sku|ean|store|shop|item|product|site|sensor|station|region|"
    r"branch|hour|hr|department|customer|line)s?($|_)",
    re.IGNORECASE,
)
FEW = 20  # so many labels are classes
MOST_KEYS = 8  # columns tried as part of a series' name
MOST_IN_KEY = 3
MOST_SERIES = 50_000
MOST_CATEGORIES = 1_000
SLICE_VALUES = 12
SAME_DAYS = 0.01  # the share of days that may hold a series twice
PRESENT = 0.3  # the share of the days on which the usual series comes
REGULAR = 0.8  # the share of days that have the usual number of rows
IDENTIFIER_ROWS = 30  # with fewer rows all values may differ by chance
LAGS = ([1, 7, 14, 28], [1, 7, 14], [1, 7])
WINDOWS = (4, 3, 2, 1)
SERVICE_DAYS = 60
HISTORY_MONTHS = 6


class UndecidableError(ValueError):
    """The rows do not make a project; the message says why and what to do."""


class Decision(NamedTuple, Generic[Value]):
    """Something that was inferred."""

    value: Value
    reason: str


@dataclass(frozen=True)
class Facts:
    """What a column holds."""

    number: bool
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    whole: bool = False
    """Whether it holds whole numbers only."""
    common: tuple[str, ...] = ()
    """Its commonest texts."""

    @property
    def negative(self) -> bool:
        return self.low is not None and self.low < 0


def facts_of(frame: "pd.DataFrame") -> dict[str, Facts]:
    """The facts of each column of a frame of numbers (float64) and text."""
    return {str(name): _facts(frame[name]) for name in frame.columns}


def _facts(values: "pd.Series[Any]") -> Facts:
    known = values.dropna()
    missing, distinct = len(values) - len(known), int(known.nunique())
    if values.dtype == "float64":
        whole = bool((known == known.round()).all()) and len(known) > 0
        low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
        return Facts(True, missing, distinct, low, high, whole)
    common = tuple(str(value) for value in known.value_counts().index[:3])
    return Facts(False, missing, distinct, common=common)


def choose_date(spans: Mapping[str, int]) -> Decision[str]:
    """The column that says the day, of those that hold dates with their numbers of days."""
    if len(spans) == 1:
        return Decision(next(iter(spans)), "the only column that holds dates")
    others = ", ".join(spans)
    for name in DATE_NAMES:
        for column in spans:
            if column.lower() == name:
                return Decision(column, f"by its name, of {others}")
    best = max(spans, key=lambda name: spans[name])
    return Decision(best, f"it has the most days of {others}")


def target_candidates(facts: Mapping[str, Facts]) -> list[str]:
    """The columns that hold numbers worth a forecast, the likeliest first."""
    numeric = [name for name, fact in facts.items() if fact.number and fact.distinct > 2]
    clued = [name for known in TARGET_NAMES for name in numeric if name.lower() == known]
    return list(dict.fromkeys([*clued, *(name for name in numeric if not KEY_NAME.search(name))]))


def choose_target(candidates: Sequence[str]) -> Decision[str] | None:
    """The target, where a name or being the only candidate tells; None where nothing does."""
    if len(candidates) == 1:
        return Decision(candidates[0], "the only column of numbers that vary")
    if candidates and candidates[0].lower() in TARGET_NAMES:
        return Decision(candidates[0], f"by its name, of {', '.join(candidates)}")
    return None


@dataclass(frozen=True)
class Rows:
    """What the rows of a table are."""

    series: Decision[list[str]]
    grid: int | None = None
    """The usual number of rows of a day and series, where these come as regularly as hours."""
    single: bool = False
    """Whether there is one row a day once rows of a grid are one."""

    @property
    def events(self) -> bool:
        return not self.series.value and not self.single


def find_rows(
    frame: "pd.DataFrame",
    facts: Mapping[str, Facts],
    days: "pd.Series[pd.Timestamp]",
    moments: "pd.Series[Any]",
    target: str,
    *,
    timed: bool,
    series: Sequence[str] | None = None,
) -> Rows:
    """Whether rows are series, a grid of times to be aggregated, or events each of its own.

    `days` and `moments` are those of each row; `timed` tells whether moments are within days.
    `series` are the columns that somebody named; None where they are to be found.
    """
    times = _codes(moments) if timed else _codes(days)
    day_codes = _codes(days)
    what = "time" if timed else "day"
    if series:
        group = _joint([day_codes, *(_codes(frame[name]) for name in series)])
        return _with_grid(Decision(list(series), "as named"), group, day_codes, timed)
    if _share_repeated(times, times, day_codes) <= SAME_DAYS:
        return _with_grid(Decision([], f"one row for each {what}"), day_codes, day_codes, timed)
    if series is not None:
        return Rows(Decision([], "as named"))
    for keys in _keys(facts, target, len(frame)):
        codes = {name: _codes(frame[name]) for name in keys}
        for size in range(1, MOST_IN_KEY + 1):
            fitting = []
            for names in combinations(keys, size):
                group = _joint([codes[name] for name in names])
                if group.max() >= MOST_SERIES or _presence(group, day_codes) < PRESENT:
                    continue
                if _share_repeated(_joint([times, group]), times, day_codes) <= SAME_DAYS:
                    fitting.append((int(group.max()), list(names), group))
            if fitting:
                _, found, group = min(fitting, key=lambda one: one[0])
                reason = f"the fewest columns that, with the {what}, tell all rows apart"
                return _with_grid(
                    Decision(found, reason), _joint([day_codes, group]), day_codes, timed
                )
    return Rows(
        Decision([], "no columns that come again day after day tell the rows of a day apart")
    )


def _keys(facts: Mapping[str, Facts], target: str, rows: int) -> Iterable[list[str]]:
    """Columns that may name series: text and those called like a code first, then whole numbers."""
    able = {
        name: fact
        for name, fact in facts.items()
        if name != target
        and not fact.missing
        and 2 <= fact.distinct <= min(MOST_SERIES, rows / 2)
        and (not fact.number or (fact.whole and fact.distinct <= MOST_CATEGORIES))
    }
    likely = [name for name, fact in able.items() if not fact.number or KEY_NAME.search(name)]
    rest = [name for name in able if name not in likely]
    yield likely[:MOST_KEYS]
    if rest:
        yield [*likely, *rest][:MOST_KEYS]


def _with_grid(
    series: Decision[list[str]], group: "Codes", day_codes: "Codes", timed: bool
) -> Rows:
    """The rows of series, with the usual number of rows a day where that is more than one.

    `group` is the day and series of each row, from 0 on without gaps.
    """
    import numpy as np

    counts = np.bincount(group)
    usual = int(np.median(counts))
    if not timed or usual < 2:
        return Rows(series, single=not series.value)
    if (abs(counts - usual) <= max(1, usual // 24)).mean() < REGULAR:
        return Rows(
            Decision(
                [], f"the times of {'a series' if series.value else 'the rows'} follow no grid"
            )
        )
    return Rows(series, usual, single=not series.value)


def _codes(values: "pd.Series[Any]") -> "Codes":
    import pandas as pd

    codes: Codes = pd.factorize(values, use_na_sentinel=False)[0].astype("int64")
    return codes


def _joint(codes: Sequence["Codes"]) -> "Codes":
    """One number for each combination, from 0 on without gaps."""
    import pandas as pd

    joint = codes[0]
    for more in codes[1:]:
        mixed = joint * (int(more.max()) + 1) + more
        joint = pd.factorize(mixed)[0].astype("int64")
    return joint


def _share_repeated(key: "Codes", times: "Codes", day_codes: "Codes") -> float:
    """The share of days on which a key comes twice."""
    import numpy as np
    import pandas as pd

    again = pd.Series(key).duplicated().to_numpy()
    return len(np.unique(day_codes[again])) / len(np.unique(day_codes))


def _presence(group: "Codes", day_codes: "Codes") -> float:
    """The share of the days on which the usual group has rows."""
    import numpy as np
    import pandas as pd

    pairs = pd.DataFrame({"group": group, "day": day_codes}).drop_duplicates()
    return float(pairs["group"].value_counts().median() / len(np.unique(day_codes)))


@dataclass(frozen=True)
class Columns:
    """The inputs, and why the other columns are none."""

    numeric: list[str]
    categorical: list[str]
    left_out: dict[str, str]


def choose_inputs(
    frame: "pd.DataFrame",
    facts: Mapping[str, Facts],
    target: str,
    series: Sequence[str],
    left_out: Mapping[str, str],
) -> Columns:
    """Numeric and categorical inputs: all but those that say nothing or too much.

    `left_out` are columns that are none already, with the reasons.
    """
    from mlops_assets.ml.leaks import find_leaks

    out = dict(left_out)
    kept = [name for name in facts if name not in out and name != target]
    for name in kept:
        reason = _useless(facts[name], len(frame))
        if reason is not None and name not in series:
            out[name] = reason
    named = {
        name: "too many values to be an input; it names series only"
        for name in series
        if facts[name].distinct > MOST_CATEGORIES
    }
    rest = [name for name in kept if name not in out and name not in series]
    leaks = find_leaks(frame, target, rest)
    return Columns(
        numeric=[name for name in rest if name not in leaks and facts[name].number],
        categorical=[
            *(name for name in series if name not in named),
            *(name for name in rest if name not in leaks and not facts[name].number),
        ],
        left_out={**out, **leaks, **named},
    )


def _useless(fact: Facts, rows: int) -> str | None:
    if not fact.distinct:
        return "empty"
    if fact.distinct == 1 and not fact.missing:
        return "the same in all rows"
    if fact.distinct == rows - fact.missing and rows > IDENTIFIER_ROWS:
        if not fact.number:
            return "different in every row, so it names rows and says nothing of others"
        span = (fact.high or 0.0) - (fact.low or 0.0)
        if fact.whole and span < 2 * rows:
            return "a running number"
    if not fact.number and fact.distinct > max(FEW, (rows - fact.missing) / 2):
        return f"text with {fact.distinct} different values in {rows} rows"
    if not fact.number and fact.distinct > MOST_CATEGORIES:
        return f"{fact.distinct} different texts are more than models can tell apart"
    return None


def useful_key(
    frame: "pd.DataFrame",
    facts: Mapping[str, Facts],
    target: "pd.Series[Any]",
    names: Sequence[str],
) -> Decision[str] | None:
    """The category whose values tell most of the target: by it the past of events is summed up."""
    shares = {
        name: _explained(frame[name], target)
        for name in names
        if 2 <= facts[name].distinct <= min(MOST_CATEGORIES, len(frame) / FEW)
    }
    if not shares:
        return None
    best = max(shares, key=lambda name: shares[name])
    return Decision(best, f"its values tell {max(0.0, shares[best]):.0%} of the target's variance")


def _explained(groups: "pd.Series[Any]", target: "pd.Series[Any]") -> float:
    """The share of the variance between groups, less what chance would give (epsilon squared)."""
    known = target.notna() & groups.notna()
    values, names = target[known], groups[known]
    total = float(((values - values.mean()) ** 2).sum())
    inside = float(((values - values.groupby(names).transform("mean")) ** 2).sum())
    free = len(values) - names.nunique()
    if not total or free < 1:
        return 0.0
    return (total - inside - (names.nunique() - 1) * inside / free) / total


@dataclass(frozen=True)
class Span:
    """How much is learned from, and since when."""

    first_day: dt.date
    lags: list[int]
    window_months: int
    holdout_days: int
    reason: str


def fit_span(first: dt.date, last: dt.date) -> Span:
    """The first day, lags and window that a history allows. UndecidableError when it is too short.

    The longest lags and window that leave two months of service are taken, else the least ones.
    """
    found: tuple[list[int], int] | None = None
    for lags, months in product(LAGS, WINDOWS):
        if service_days(first, last, max(lags), months) >= SERVICE_DAYS:
            found = lags, months
            break
    lags, months = found or (LAGS[-1], WINDOWS[-1])
    served = service_days(first, last, max(lags), months)
    days = (last - first).days + 1
    if served < 1:
        raise UndecidableError(
            f"the rows reach from {first} to {last}, {days} days; a window of one month, after the "
            f"{max(lags)} days that the lags need, ends after them. Give it more days"
        )
    start = _recent_start(first, last, max(lags), months)
    left = f"of {days} days" if start == first else f"of {days} days, of which the last are used"
    reason = f"{left}, lags and window leave {service_days(start, last, max(lags), months)} days of service"
    return Span(start, lags, months, 7 if months == 1 else 14, reason)


def service_days(first: dt.date, last: dt.date, reach: int, months: int) -> int:
    """How many days, up to the last, a model with such lags and window serves."""
    earliest = first + dt.timedelta(days=reach)
    begins = TrainingWindow(Trailing(), months, 0).first_month(earliest)
    return (last - begins).days + 1


def _recent_start(first: dt.date, last: dt.date, reach: int, months: int) -> dt.date:
    """The first day, such that at most some months are served: more cost time and tell little."""
    begins = add_months(last, 1 - HISTORY_MONTHS - months) - dt.timedelta(days=reach)
    return max(first, begins)
