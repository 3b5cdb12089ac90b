"""Whether the rows of a day are sound, judged by the days before it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from mlops_assets.lazy import np
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.completeness import WEEKS
from mlops_assets.ml.monitoring.day_facts import DayFacts
from mlops_assets.ml.monitoring.monitoring_settings import QualitySettings
from mlops_assets.ml.monitoring.robust import usual_middle
from mlops_assets.ml.monitoring.sequential import RECENT, as_logs, judge_levels

SCHEMA, FRESHNESS, SERIES_COUNT = "schema", "source_freshness", "series_count"
READABLE, TARGETS = "source_readable", "targets_known"
TARGET_RANGE, TARGET_LEVEL = "target_range", "target_level"
TARGET_SHARE = 7 / 12  # of the false alarms that are expected
ODD_DAY = 4.0  # standard deviations; a target further away counts for no more
FLAG = frozenset((0.0, 1.0))
NAMED = 5  # so many names in a sentence

# Each check by name, with what it asks of a day.
CHECKS = {
    SCHEMA: "Columns, types and constraints are those of the settings. Severe.",
    FRESHNESS: "The source has rows of the day, and of the day before it. Severe without rows.",
    READABLE: "All rows and files of the source have been read; what is left out is told once.",
    TARGETS: "Rows without a target are left out; severe below quality.min_completeness.",
    "row_count": "As many rows as usual on that weekday. Severe below half of the fewest of late.",
    SERIES_COUNT: "As many series as usual. Severe below half of the fewest of late.",
    "missing_values": "No input lacks more of its values than it did of late.",
    "duplicates": "No row is there twice; of plain rows, no more of them than of late.",
    "inputs_range": "The numbers of each input are as high, move and repeat as of late.",
    "new_categories": "Every category was seen of late.",
    "vanished_categories": "Every category that was there on nearly all days of late is there.",
    TARGET_RANGE: "The mean target of a row is as high as usual on that weekday.",
    TARGET_LEVEL: "The mean target of a row has not changed for days, by its usual weekdays.",
}


def checks_of(*, series: bool) -> dict[str, str]:
    """The checks of a day with what they ask; plain rows have no series to count."""
    return {name: asks for name, asks in CHECKS.items() if series or name != SERIES_COUNT}


def days_looked_back(rule: QualitySettings) -> int:
    """How many days before a day its checks, and how many rows it usually has, rest on.

    The facts of the oldest day of a window say what it repeats of the day before that.
    """
    return max(days_judged_by(rule), rule.window_days + 1, 7 * WEEKS)


def judge_day(
    rule: QualitySettings,
    day: dt.date,
    facts: DayFacts,
    before: Mapping[dt.date, DayFacts],
    *,
    due: DueDays = EVERY_DAY,
    false_alarms_per_year: float,
    series: bool = True,
) -> dict[str, CheckResult]:
    """Every check of a day that has rows and keeps to the schema, by name.

    But READABLE and TARGETS, which are about what of the source is no row of the day.

    `before` are days before it, of which `days_judged_by` count, `due` those on which rows are due.
    `series` says whether rows are of series, each of which has one row a day.
    """
    first = due.back(day, rule.window_days)
    history = {known: before[known] for known in before if first <= known < day}
    asked = [name for name in checks_of(series=series) if name not in (READABLE, TARGETS)]
    verdicts = {
        SCHEMA: CheckResult(True, "columns, types and constraints are those of the settings"),
        FRESHNESS: _freshness(day, before, due),
    }
    if series:
        verdicts["duplicates"] = _at_most(facts.duplicates, 0, "rows that are there twice or more")
    if len(history) < rule.min_days:
        why = f"not judged: {len(history)} days before it have rows, fewer than {rule.min_days}"
        return {name: verdicts.get(name, CheckResult(True, why)) for name in asked}

    if series:
        verdicts[SERIES_COUNT] = _series_count(rule, day, facts, history, due)
    else:
        verdicts["duplicates"] = _repeated(rule, facts, list(history.values()))
    rows = {known: then.rows for known, then in history.items()}
    usual = usual_range(rule, day, rows, due)
    verdicts |= {
        "row_count": _count(facts.rows, usual, min(rows.values()), "rows", "", due),
        "missing_values": _missing(rule, facts, list(history.values())),
        "inputs_range": _inputs(rule, day, facts, history, due),
        "new_categories": _new(facts, list(history.values())),
        "vanished_categories": _vanished(rule, day, facts, history, due),
        **_target(rule, day, {**before, day: facts}, false_alarms_per_year, due),
    }
    return {name: verdicts[name] for name in asked}


def _series_count(
    rule: QualitySettings,
    day: dt.date,
    facts: DayFacts,
    history: Mapping[dt.date, DayFacts],
    due: DueDays,
) -> CheckResult:
    """By the days before it that have series: others were stored when these had another name."""
    named = {known: then for known, then in history.items() if then.series}
    if len(named) < rule.min_days:
        return CheckResult(True, f"not judged: {len(named)} days before it have these series")
    lost = named[max(named)].series - facts.series  # few, of which those are told that all had
    for then in named.values():
        lost &= then.series
    told = f"; lost: {_named([' '.join(map(str, name)) for name in lost])}" if lost else ""
    counts = {known: len(then.series) for known, then in named.items()}
    usual = usual_range(rule, day, counts, due)
    return _count(len(facts.series), usual, min(counts.values()), "series", told, due)


def days_judged_by(rule: QualitySettings) -> int:
    """How many days before one the verdict on its target rests on."""
    return rule.window_days + RECENT - 1


def _target(
    rule: QualitySettings,
    day: dt.date,
    known: Mapping[dt.date, DayFacts],
    false_alarms_per_year: float,
    due: DueDays,
) -> dict[str, CheckResult]:
    """Whether the target of a day is usual, and whether its level has changed for days."""
    days = [due.back(day, back) for back in range(days_judged_by(rule), -1, -1)]
    targets = np.array([known[then].target if then in known else math.nan for then in days])
    values, logs = as_logs(targets)
    least = math.log1p(rule.least_width) if logs else rule.least_width * abs(np.nanmedian(values))
    found = judge_levels(
        ["the mean target of a row"],
        values[:, None],
        np.array([due.alike(then) for then in days]),
        false_alarms=false_alarms_per_year * TARGET_SHARE,
        min_days=rule.min_days,
        width=ODD_DAY,
        least=least,
    )
    value = float(targets[-1])
    if not found:
        unknown = CheckResult(True, f"not judged: fewer than {rule.min_days} days", value=value)
        return {TARGET_RANGE: unknown, TARGET_LEVEL: unknown}
    [level] = found
    half = max(rule.width * level.deviation, least)
    ends = level.usual - half, level.usual + half
    low, high = (math.exp(end) for end in ends) if logs else ends
    usual = f"usual {due.of_usual} is {low:.4g} to {high:.4g}"
    within = low <= value <= high
    of_day = f"{level.name} is {value:.4g}, {usual}"
    if not within:
        of_day += "; compare the day with the source, and run it again once it is corrected there"
    by = f"{abs(math.expm1(level.shift)):.0%}" if logs else f"{abs(level.shift):.4g}"
    of_level = (
        f"since {level.since(day, due)} {level.name} is "
        f"{'higher' if level.shift > 0 else 'lower'} by "
        f"{by} than usual; compare the {due.grain}s since then with the source"
    )
    return {
        TARGET_RANGE: CheckResult(within, of_day, value=value, low=low, high=high),
        TARGET_LEVEL: CheckResult(
            not level.changed,
            of_level if level.changed else f"{level.name} is as high as of late",
            value=level.evidence,
            high=1.0,
        ),
    }


def usual_range(
    rule: QualitySettings,
    day: dt.date,
    values: Mapping[dt.date, float],
    due: DueDays = EVERY_DAY,
) -> tuple[float, float]:
    """What is usual on the weekday of a day, by the values of days before it.

    The median of the weekday, or of all days where the weekday has too few, give or take
    `rule.width` robust standard deviations (`usual_middle`).
    """
    middle, deviation = usual_middle(
        np.array(list(values.values())),
        np.array([due.alike(known) for known in values]),
        due.alike(day),
    )
    half = max(rule.width * deviation, rule.least_width * abs(middle))
    return middle - half, middle + half


def without_rows(day: dt.date, before: Mapping[dt.date, DayFacts]) -> CheckResult:
    """The verdict on a day of which the source has no rows."""
    newest = max((known for known in before if known < day), default=None)
    behind = "" if newest is None else f"; the newest before it is {newest}"
    days = None if newest is None else float((day - newest).days)
    why = f"the source has no rows of {day}{behind}; run the day again once it has"
    return CheckResult(False, why, severe=True, value=days, high=0.0)


def targets_known(
    rule: QualitySettings, share: float, lacking: int, example: str = ""
) -> CheckResult:
    """The verdict on the share of a day's rows that have a target; with fewer, it is refused."""
    left_out = (
        f"{lacking} row(s) have no target{example}; they are left out of learning and scoring"
    )
    why = left_out if lacking else "every row has a target"
    return CheckResult(True, why, value=share, low=rule.min_completeness)


def readable(left_out: Sequence[str]) -> CheckResult:
    """The verdict on what of the source could not be read, as the source says it."""
    if not left_out:
        return CheckResult(True, "nothing new of the source is left out", value=0.0, high=0.0)
    more = f"; and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
    why = f"left out: {'; '.join(left_out[:NAMED])}{more}. The rest is read as if it were not there"
    return CheckResult(False, why, value=float(len(left_out)), high=0.0)


def _freshness(day: dt.date, before: Mapping[dt.date, DayFacts], due: DueDays) -> CheckResult:
    newest = max((known for known in before if known < day), default=None)
    if newest is None:
        return CheckResult(True, "the first day that there is", value=0.0, high=0.0)
    gap = len(due.between(newest + dt.timedelta(days=1), day))
    if gap:
        why = (
            f"the {gap} {due.grain}(s) before it have no rows: their lags are missing in its "
            "features; materialize observations of them once the source has them"
        )
        return CheckResult(False, why, value=float(gap), high=0.0)
    return CheckResult(True, f"it and the {due.grain} before it have rows", value=0.0, high=0.0)


def _count(
    count: float, usual: tuple[float, float], fewest: float, what: str, lost: str, due: DueDays
) -> CheckResult:
    low, high = usual
    found = _within(count, (max(low, 0.0), high), f"the number of {what}", lost, due)
    if count < fewest / 2:  # even where counts vary so much that it is within what is usual
        why = f"{count:g} {what}, less than half of the fewest of late, {fewest:g}{lost}"
        return CheckResult(False, why, severe=True, value=count, low=found.low, high=found.high)
    return found


def _within(
    value: float, usual: tuple[float, float], what: str, more: str, due: DueDays
) -> CheckResult:
    low, high = usual
    passed = low <= value <= high
    relation = f"{'as usual' if passed else 'unusual'} {due.of_usual}"
    like = "the same weekdays" if due.daily else f"the {due.grain}s"
    remedy = "" if passed else f"; compare the {due.grain} with {like} before it at the source"
    why = f"{what} is {value:.4g}, {relation}: {low:.4g} to {high:.4g}{more}{remedy}"
    return CheckResult(passed, why, value=float(value), low=low, high=high)


def _at_most(value: float, high: float, what: str) -> CheckResult:
    passed = value <= high
    remedy = "" if passed else "; remove them at the source and run the day again"
    return CheckResult(passed, f"{value:g} {what}{remedy}", value=float(value), high=high)


def _repeated(rule: QualitySettings, facts: DayFacts, history: Sequence[DayFacts]) -> CheckResult:
    """Events can be alike, so that only more of them than usual are odd."""
    share = facts.duplicates / facts.rows
    limit = max(then.duplicates / then.rows for then in history) + rule.more_missing
    passed = share <= limit
    why = (
        f"{share:.1%} of the rows repeat another in every column, "
        f"{'within' if passed else 'above'} {limit:.1%}"
    )
    remedy = "" if passed else "; see whether the source holds the day twice, and run it again"
    return CheckResult(passed, f"{why}{remedy}", value=share, high=limit)


def _missing(rule: QualitySettings, facts: DayFacts, history: Sequence[DayFacts]) -> CheckResult:
    """Of the input that exceeds its limit by most."""
    if not facts.missing:
        return CheckResult(True, "there are no inputs")
    limits = {
        name: max(then.missing.get(name, 0.0) for then in history) + rule.more_missing
        for name in facts.missing
    }
    worst = max(facts.missing, key=lambda name: facts.missing[name] - limits[name])
    share, limit = facts.missing[worst], limits[worst]
    passed = share <= limit
    why = f"{worst} lacks {share:.1%} of its values, {'within' if passed else 'above'} {limit:.1%}"
    remedy = "" if passed else "; see why the source has lost them, and run the day again"
    return CheckResult(passed, f"{why}{remedy}", value=share, high=limit)


def _inputs(
    rule: QualitySettings,
    day: dt.date,
    facts: DayFacts,
    history: Mapping[dt.date, DayFacts],
    due: DueDays,
) -> CheckResult:
    """Of the input that exceeds a limit by most.

    A level that moves in steps, such as one by the week, looks steady between them: it must leave
    the usual range and, by `rule.beyond`, that between the lowest and the highest of late; where
    all series have moved at once, one half as wide as the usual. A flag of whole days, such as a
    holiday, may rise after weeks without.
    """
    found: list[tuple[float, str]] = []
    for name, middle in facts.middles.items():
        known = {then: past.middles.get(name, math.nan) for then, past in history.items()}
        known = {then: value for then, value in known.items() if math.isfinite(value)}
        if len(known) < rule.min_days or not math.isfinite(middle):
            continue
        if FLAG.issuperset({middle, *known.values()}):
            continue
        if _moved_at_once(rule, name, facts, history):
            narrow = rule.model_copy(update={"width": rule.width / 2})
            low, high = usual_range(narrow, day, known, due)
        else:
            low, high = usual_range(rule, day, known, due)
            least, most = _beyond(rule, known.values())
            low, high = min(low, least), max(high, most)
        half = (high - low) / 2
        away = abs(middle - (low + high) / 2)
        said = f"{name} is {middle:.4g} at the middle, of late {low:.4g} to {high:.4g}"
        found.append((away / half if half else math.inf if away else 0.0, said))
    for name, share in facts.repeated.items():
        past = [then.repeated[name] for then in history.values() if name in then.repeated]
        if len(past) < rule.min_days:
            continue
        limit = max(past) + rule.more_repeated
        said = f"{name} repeats {share:.0%} of its values of the day before, of late up to"
        found.append((share / limit, f"{said} {limit:.0%}"))
    if not found:
        return CheckResult(True, "there are no inputs of numbers that are known for long enough")
    worst, said = max(found)
    if worst <= 1:
        return CheckResult(
            True, f"every input is as of late; nearest: {said}", value=worst, high=1.0
        )
    wrong = [why for ratio, why in sorted(found, reverse=True) if ratio > 1]
    why = f"{'; '.join(wrong)}; see whether the source has rescaled, frozen or lost it"
    return CheckResult(False, why, value=worst, high=1.0)


def _beyond(rule: QualitySettings, values: Collection[float]) -> tuple[float, float]:
    """The range of values, wider by `rule.beyond` of it on either side."""
    more = rule.beyond * (max(values) - min(values))
    return min(values) - more, max(values) + more


def _moved_at_once(
    rule: QualitySettings, name: str, facts: DayFacts, history: Mapping[dt.date, DayFacts]
) -> bool:
    """Whether all series of an input have moved since the day before as they never did of late."""
    known = [past.moves[name] for past in history.values() if name in past.moves]
    move = facts.moves.get(name, 0.0)
    if len(known) < rule.min_days or abs(move) <= math.log1p(rule.least_width):
        return False
    low, high = _beyond(rule, known)
    return not low <= move <= high


def _new(facts: DayFacts, history: Sequence[DayFacts]) -> CheckResult:
    seen = {name: _known(name, history) for name in facts.categories}
    found = [
        f"{value} ({name})"
        for name, values in facts.categories.items()
        for value in sorted(values.keys() - seen[name] if seen[name] else ())  # new as a whole
    ]
    if not found:
        return CheckResult(True, "every category was seen of late", value=0.0, high=0.0)
    why = f"new: {_named(found)}; models treat them as unknown until they are trained again"
    return CheckResult(False, why, value=float(len(found)), high=0.0)


def _known(name: str, history: Iterable[DayFacts]) -> set[str]:
    return set().union(*(then.categories[name] for then in history))


def _vanished(
    rule: QualitySettings,
    day: dt.date,
    facts: DayFacts,
    history: Mapping[dt.date, DayFacts],
    due: DueDays,
) -> CheckResult:
    found = []
    for name, values in facts.categories.items():
        found += [
            f"{value} ({name})"
            for value in sorted(_known(name, history.values()) - values.keys())
            if _missed(
                rule,
                day,
                {at: then.categories[name].get(value, 0) for at, then in history.items()},
                due,
            )
        ]
    if not found:
        return CheckResult(True, "every usual category is there", value=0.0, high=0.0)
    why = f"vanished: {_named(found)}; see whether the source has renamed or lost them"
    return CheckResult(False, why, value=float(len(found)), high=0.0)


def _missed(rule: QualitySettings, day: dt.date, rows: Mapping[dt.date, int], due: DueDays) -> bool:
    """Whether a category without rows has vanished, rather than had none by chance.

    `rows` are those that it had on the days before. It must have been there on nearly all of them,
    and its number of rows keep away from zero: with three rows a day of the sort that come by
    chance, one day in twenty has none.
    """
    counts = list(rows.values())
    if sum(count > 0 for count in counts) < rule.nearly_all * len(counts):
        return False
    narrow = rule.model_copy(update={"width": rule.missed_width})
    return min(counts) >= rule.missed_rows or usual_range(narrow, day, rows, due)[0] > 0


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
