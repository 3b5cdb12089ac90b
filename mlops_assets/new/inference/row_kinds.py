"""Whether rows are series, a grid of times or events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.features.feature_settings import TimePart
from mlops_assets.ml.metrics.metric import IntArray as Codes
from mlops_assets.new.inference.facts import TARGET_NAMES, Decision, Facts
from mlops_assets.resources.sources.samples import CODE_NAME

OFTEN, SELDOM = "often", "seldom"
WHEN = "\0when"  # no column is called so
MOST_KEYS = 8  # columns tried as part of a series' name
MOST_IN_KEY = 3
MOST_SERIES = 200_000
MOST_CODES = 1_000  # different whole numbers that may be names
SAME_DAYS = 0.01  # the share of days that may hold a series twice
FEWEST_ROWS = 5  # of a series, on average, whose absent rows are zeros
MOST_ZEROS = 0.01  # the share of the rows of such a target that may be zeros
FEW_GAPS = 0.05  # the share of the days without a row that is nothing to ask about
MOST_REPEATED = 0.05  # the share of the rows that may be of a series and time again
MOST_COPIES = 0.2  # the share of the rows that may be copies, in all columns, of others
PRESENT = 0.3  # the share of the days on which the usual series comes
REGULAR = 0.8  # the share of days that have the usual number of rows


@dataclass(frozen=True)
class Repeated:
    """Rows of a series and time that is there already."""

    rows: int
    copies: bool
    """Whether each is a copy, in all columns, of the one before."""
    first: tuple[int, int]
    """The positions of the first one, and of the one that it repeats."""


@dataclass(frozen=True)
class Rows:
    """What the rows of a table are."""

    series: Decision[list[str]]
    grid: int | None = None
    """The usual number of rows of a day and series, where these come as regularly as hours."""
    single: bool = False
    """Whether there is one row a day once rows of a grid are one."""
    repeated: Repeated | None = None
    times: list[TimePart] = field(default_factory=list)
    """The parts of the time that tell rows of a grid apart; empty where the hours do not."""
    gaps: float = 0.0
    """The share of the days since a series began without a row of it, where that may be a 0."""
    sparse: bool = False
    """Whether they are series only if an absent row is a 0."""

    @property
    def events(self) -> bool:
        return not self.series.value and not self.single


def find_rows(
    frame: pd.DataFrame,
    facts: Mapping[str, Facts],
    days: pd.Series[pd.Timestamp],
    moments: pd.Series[Any],
    target: str,
    *,
    timed: bool,
    series: Sequence[str] | None = None,
    unit: str = "day",
) -> Rows:
    """Whether rows are series, a grid of times to be aggregated, or events each of its own.

    `days` and `moments` are those of each row; `timed` tells whether moments are within days.
    `unit` is what rows are of, `series` are the columns that somebody named; None where they are to
    be found.
    """
    copies = frame.assign(**{WHEN: moments if timed else days}).duplicated().to_numpy()
    if timed or copies.mean() > MOST_COPIES:
        copies[:] = False  # events that are alike
    once = np.flatnonzero(~copies)
    times = _codes(moments) if timed else _codes(days)
    day_codes = _codes(days)
    what = "time" if timed else unit

    def sound(key: Codes) -> bool:
        return _few_repeated(key[once], day_codes[once], 0.0 if timed else MOST_REPEATED)

    def panel(reason: str, keys: list[str], group: Codes) -> Rows:
        found = _with_grid(Decision(keys, reason), _joint([day_codes, group]), day_codes, timed)
        once_each = found.grid or found.events
        repeated = None if once_each else _repeated(_joint([times, group]), copies)
        return replace(found, repeated=repeated)

    adds_up = _adds_up(frame[target], facts[target])
    if series:
        group = _joint([_codes(frame[name]) for name in series])
        named = panel("as named", list(series), group)
        gaps = _gaps(group, days) if adds_up and named.grid is None else 0.0
        return replace(named, gaps=gaps, sparse=_presence(group, day_codes) < PRESENT)
    if sound(times):
        return panel(f"one row for each {what}", [], np.zeros_like(times))
    if series is not None:
        return Rows(Decision([], "as named"))

    def fits(group: Codes) -> str | None:
        often = _presence(group, day_codes) >= PRESENT
        seldom = adds_up and not timed and group.max() < len(frame) / FEWEST_ROWS
        able = (often or seldom) and group.max() < MOST_SERIES
        return (OFTEN if often else SELDOM) if able and sound(_joint([times, group])) else None

    best = _fewest(frame, _keys(facts, target, len(frame)), fits)
    if best is None:
        again = f"{unit} after {unit}"
        return Rows(
            Decision([], f"no columns that come again {again} tell the rows of a {unit} apart")
        )
    names, group, how = best
    gaps = _gaps(group, days) if adds_up and not timed else 0.0
    reason = f"the fewest columns that, with the {what}, tell all rows apart"
    return replace(panel(reason, names, group), gaps=gaps, sparse=how == SELDOM)


def _fewest(
    frame: pd.DataFrame, some_keys: Iterable[list[str]], fits: Callable[[Codes], str | None]
) -> tuple[list[str], Codes, str] | None:
    """The fewest columns that fit, often where any do so; their groups, and how they fit."""
    seldom: list[tuple[int, int, list[str], Codes]] = []
    for keys in some_keys:
        codes = {name: _codes(frame[name]) for name in keys}
        for size in range(1, MOST_IN_KEY + 1):
            often = []
            for names in combinations(keys, size):
                group = _joint([codes[name] for name in names])
                how = fits(group)
                if how == OFTEN:
                    often.append((int(group.max()), list(names), group))
                elif how == SELDOM:
                    seldom.append((size, int(group.max()), list(names), group))
            if often:
                return *min(often, key=lambda one: one[0])[1:], OFTEN
    return (*min(seldom, key=lambda one: one[:2])[2:], SELDOM) if seldom else None


def _keys(facts: Mapping[str, Facts], target: str, rows: int) -> Iterable[list[str]]:
    """Columns that may name series: text and those called like a code first, then whole numbers."""
    able = {
        name: fact
        for name, fact in facts.items()
        if name != target
        and not fact.missing
        and 2 <= fact.distinct <= min(MOST_SERIES, rows / 2)
        and (not fact.number or (fact.countable and fact.distinct <= MOST_CODES))
    }
    likely = [name for name, fact in able.items() if not fact.number or CODE_NAME.search(name)]
    rest = [name for name in able if name not in likely]
    yield likely[:MOST_KEYS]
    if rest:
        yield [*likely, *rest][:MOST_KEYS]


def _with_grid(series: Decision[list[str]], group: Codes, day_codes: Codes, timed: bool) -> Rows:
    """The rows of series, with the usual number of rows a day where that is more than one.

    `group` is the day and series of each row, from 0 on without gaps.
    """
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


def _codes(values: pd.Series[Any]) -> Codes:
    codes: Codes = pd.factorize(values, use_na_sentinel=False)[0].astype("int64")
    return codes


def _joint(codes: Sequence[Codes]) -> Codes:
    """One number for each combination, from 0 on without gaps."""
    joint = codes[0]
    for more in codes[1:]:
        mixed = joint * (int(more.max()) + 1) + more
        joint = pd.factorize(mixed)[0].astype("int64")
    return joint


def _adds_up(target: pd.Series[Any], fact: Facts) -> bool:
    """Whether no row may mean a 0: amounts above it, such as counts, none of them 0."""
    amounts = fact.number and not fact.negative and (fact.whole or target.name in TARGET_NAMES)
    return amounts and fact.distinct > 2 and bool((target == 0).mean() <= MOST_ZEROS)


def _gaps(group: Codes, days: pd.Series[pd.Timestamp]) -> float:
    """The share of the days with any rows, from the first one of each group on, without its row."""
    ranks = days.rank(method="dense").to_numpy()
    pairs = pd.DataFrame({"group": group, "day": ranks}).drop_duplicates()
    due = (ranks.max() + 1 - pairs.groupby("group")["day"].min()).sum()
    share = 1 - len(pairs) / float(due)
    return share if share > FEW_GAPS else 0.0


def _few_repeated(key: Codes, day_codes: Codes, most: float) -> bool:
    """Whether a key comes twice on few days, or in no larger share of the rows than `most`."""
    again = pd.Series(key).duplicated().to_numpy()
    days = len(np.unique(day_codes[again])) / len(np.unique(day_codes))
    return days <= SAME_DAYS or float(again.mean()) <= most


def _repeated(key: Codes, copies: np.ndarray[Any, Any]) -> Repeated | None:
    """The rows whose key is there already; None without any."""
    again = np.flatnonzero(pd.Series(key).duplicated())
    if not len(again):
        return None
    first = int(again[0])
    return Repeated(
        len(again), bool(copies[again].all()), (first, int((key == key[first]).argmax()))
    )


def _presence(group: Codes, day_codes: Codes) -> float:
    """The share of the days on which the usual group has rows."""
    pairs = pd.DataFrame({"group": group, "day": day_codes}).drop_duplicates()
    return float(pairs["group"].value_counts().median() / len(np.unique(day_codes)))
