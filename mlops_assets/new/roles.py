"""What the columns and rows of a table are for, by flags, answers and what can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlops_assets.lazy import pd
from mlops_assets.ml.features.feature_settings import TimePart
from mlops_assets.ml.metrics.scores import RESERVED_COLUMNS
from mlops_assets.new.answers import Answers
from mlops_assets.new.inference.facts import (
    Decision,
    Facts,
    Target,
    UndecidableError,
    choose_date,
    facts_of,
)
from mlops_assets.new.inference.inputs import Columns, choose_inputs
from mlops_assets.new.inference.row_kinds import Repeated, Rows, find_rows
from mlops_assets.new.inference.zones import zone_of
from mlops_assets.new.targets import values_of
from mlops_assets.new.wishes import ABSENT, KEEP, REDUCTIONS, REFUSE, REPEATS, Wishes
from mlops_assets.project import DateOrder, FileSettings, Reduction, SqlSettings, check_time_zone
from mlops_assets.resources.sources.samples import DateColumn, Sample, read_sample
from mlops_assets.resources.sources.time_of_day import changes_clocks, time_of_day
from mlops_assets.resources.sources.whole_files import SheetsError

HOURS = 24
NEARLY_ALL = 0.9
FEW_DAYS = 0.01  # that may have rows of a series and time again
SAME_DAYS = 0.99  # the share of rows of which two columns of dates name the same day


@dataclass(frozen=True)
class Aggregate:
    """How rows become one a day and series."""

    target: Reduction
    reason: str
    min_rows: int
    max_rows: int | None


def read_table(
    source: FileSettings | SqlSettings, wishes: Wishes, answers: Answers
) -> tuple[FileSettings | SqlSettings, Sample, str, Decision[str]]:
    """The sample with its date column, once the order of its dates and the zone are known."""
    zone = wishes.time_zone or "UTC"
    try:
        sample = read_sample(source, zone)
    except SheetsError as error:
        sheet = answers.choose("--sheet", f"{error}.", error.sheets, None)
        source = source.model_copy(update={"sheet": sheet})
        sample = read_sample(source, zone)
    two_readings = any("csv.dates" in reason for reason in sample.unclear.values())
    if isinstance(source, FileSettings) and not sample.dates and two_readings:
        reason = next(iter(sample.unclear.values()))
        order = answers.choose("--dates", f"{reason}.", [order.value for order in DateOrder], None)
        csv = source.csv.model_copy(update={"dates": DateOrder(order)})
        source = source.model_copy(update={"csv": csv})
        sample = read_sample(source, zone)
    date = find_date(sample, wishes, answers)
    if sample.dates[date.value].zoned and wishes.time_zone is None:
        suggested = zone_of(sample.dates[date.value])
        question = "Times have a zone: in which zone, such as Europe/Paris, does a day begin?"
        zone = answers.text("--time-zone", question, suggested or zone, check_time_zone)
        sample = read_sample(source, zone)
        if zone == suggested:
            why = f"A day begins in {zone}, as the offsets of {date.value} say; else: --time-zone."
            sample = replace(sample, notes=[*sample.notes, why])
    return source, sample, zone, date


def without_taken_names(
    sample: Sample, wishes: Wishes, target: str
) -> tuple[Sample, Wishes, dict[str, str]]:
    """The sample and the flags with other names for columns called like what is stored beside
    forecasts, and what these are called in the source. The target is not stored there.
    """
    taken = [str(name) for name in sample.frame if name in RESERVED_COLUMNS and name != target]
    called: dict[str, str] = {}
    for name in taken:
        other = f"{name}_"
        while other in sample.frame or other in RESERVED_COLUMNS or other in called:
            other += "_"
        called[other] = name
    if not called:
        return sample, wishes, {}
    names = {there: name for name, there in called.items()}

    def new(name: str) -> str:
        return names.get(name, name)

    def all_new(found: list[str] | None) -> list[str] | None:
        return None if found is None else [*map(new, found)]

    told = ", ".join(f"{there!r} is called {name!r} here" for name, there in called.items())
    renamed = replace(
        sample,
        frame=sample.frame.rename(columns=names),
        fractional=[*map(new, sample.fractional)],
        flags=[*map(new, sample.flags)],
        notes=[*sample.notes, f"Names that are stored beside forecasts: {told}."],
        markers={new(name): found for name, found in sample.markers.items()},
        unclear={new(name): why for name, why in sample.unclear.items()},
        units={new(name): unit for name, unit in sample.units.items()},
    )
    asked = replace(
        wishes,
        series=all_new(wishes.series),
        weight=wishes.weight and new(wishes.weight),
        leave_out=all_new(wishes.leave_out),
        keep=all_new(wishes.keep),
    )
    return renamed, asked, called


def find_date(sample: Sample, wishes: Wishes, answers: Answers) -> Decision[str]:
    named = wishes.date
    if named is not None:
        if named in sample.dates:
            return Decision(named, "as named")
        known = ", ".join([*sample.dates, *sample.frame.columns])
        why = sample.unclear.get(named) or f"column {named!r} holds no dates; there are: {known}"
        raise UndecidableError(why)
    if not sample.dates:
        if sample.unclear:
            raise UndecidableError(next(iter(sample.unclear.values())))
        raise UndecidableError(
            f"no column holds dates; there are: {', '.join(sample.frame.columns)}. A project needs "
            "the day of each row, such as 2026-01-31"
        )
    if sample.parts is not None:
        return Decision(next(iter(sample.dates)), f"made of {', '.join(sample.parts.names)}")
    spans = {name: column.days.nunique() for name, column in sample.dates.items()}
    found = choose_date(spans)
    if len(spans) == 1:
        return found
    found = _finer(sample, found)
    question = "Which column says the day of a row?"
    chosen = answers.choose("--date", question, list(spans), found.value, found.reason)
    return found if chosen == found.value else Decision(chosen, "as answered")


def _finer(sample: Sample, found: Decision[str]) -> Decision[str]:
    """The column that tells the times of the same days as the one found, where one does."""
    days = sample.dates[found.value].days
    for name, column in sample.dates.items():
        finer = column.timed and not sample.dates[found.value].timed
        if finer and (column.days == days).mean() >= SAME_DAYS:
            reason = f"the finer of {found.value} and {name}, which name the same days"
            return Decision(name, reason)
    return found


def kind_of_rows(
    sample: Sample,
    facts: dict[str, Facts],
    date: str,
    target: str,
    wishes: Wishes,
    unit: str = "day",
) -> Rows:
    column = sample.dates[date]
    for name in wishes.series or []:
        if name not in facts or name == target:
            known = ", ".join(other for other in facts if other != target)
            raise UndecidableError(f"{name!r} cannot name series; the columns are: {known}")
    usable = {
        name: fact
        for name, fact in facts.items()
        if name != wishes.weight and not _is_like_a_feature(name, target)
    }
    return find_rows(
        sample.frame,
        usable,
        column.days,
        column.moments,
        target,
        timed=column.timed,
        series=wishes.series,
        unit=unit,
    )


def find_aggregate(
    rows: Rows,
    target: Target,
    fact: Facts,
    wishes: Wishes,
    answers: Answers,
) -> tuple[Aggregate | None, Rows]:
    """How rows become one a day, where they come as regularly as hours, repeat a series and day, or
    it is wished.
    """
    if rows.repeated is not None and wishes.aggregate is None:
        return _of_repeated(rows.repeated, target, fact, wishes, answers), rows
    if target.labels and wishes.aggregate not in (None, KEEP):
        raise UndecidableError("classes do not add up to a day; leave out --aggregate")
    unasked = rows.grid is None and wishes.aggregate is None
    if wishes.aggregate in (None, KEEP) and rows.grid is not None and rows.times:
        return None, rows
    if target.labels or wishes.aggregate == KEEP or unasked:
        kept: Decision[list[str]] = Decision([], "several rows a day, each an event of its own")
        return None, rows if rows.grid is None else Rows(kept)
    default, why = _sum_or_mean(fact)
    how = wishes.aggregate or answers.choose(
        "--aggregate",
        f"A day has {rows.grid} rows of each series. What does the target of a day come to?",
        [*REDUCTIONS, KEEP],
        default,
        why,
    )
    if how == KEEP:
        return find_aggregate(rows, target, fact, replace(wishes, aggregate=KEEP), answers)
    reason = why if how == default and wishes.aggregate is None else "as named"
    least, most = 1, None
    if rows.grid is not None and rows.grid >= 2:
        # an hour comes twice or not at all on the days when clocks change
        slack = rows.grid // HOURS
        least, most = max(1, rows.grid - slack), rows.grid + slack if slack else None
    single = not rows.series.value
    return Aggregate(Reduction(how), reason, least, most), replace(rows, single=single)


def find_absent(rows: Rows, wishes: Wishes, answers: Answers) -> tuple[Decision[str] | None, Rows]:
    """Whether a series without a row of a day is a 0; None where nothing is absent."""
    if not rows.series.value or (not rows.gaps and wishes.absent is None):
        return None, rows
    why = (
        f"{rows.gaps:.0%} of the days since a series began have no row of it, and no target is 0: "
        "rows are there only where something happened"
    )
    question = "What is a series without a row of a day?"
    how = wishes.absent or answers.choose("--absent", question, ABSENT, "zero", why)
    if how == "missing" and rows.sparse and wishes.series is None:
        return None, Rows(Decision([], "rows are there on too few days to follow a series"))
    return Decision(how, why if wishes.absent is None else "as named"), rows


def _of_happenings(
    sample: Sample, names: list[str], series: list[str], days: pd.Series[pd.Timestamp]
) -> dict[str, str]:
    """Columns that only say what they do where something happened, which is not known before."""
    found = {}
    for name in names:
        by_series = sample.frame.groupby(series, dropna=False)[name].nunique() <= 1
        groups = sample.frame[name].groupby(days)
        by_day = (groups.nunique() <= 1)[groups.size() > 1]
        if by_series.mean() < NEARLY_ALL and by_day.mean() < NEARLY_ALL:
            found[name] = (
                "known only of days on which a series has a row, so it tells that it has one"
            )
    return found


def _of_repeated(
    repeated: Repeated, target: Target, fact: Facts, wishes: Wishes, answers: Answers
) -> Aggregate | None:
    """What repeated rows of a series and day come to; None where their days are to be refused."""
    default, why = _sum_or_mean(fact)
    if repeated.copies:
        default, why = "last", "they are copies of each other"
    elif target.labels:
        default, why = REFUSE, "classes do not add up"
    options = ["last", REFUSE] if target.labels else REPEATS
    if wishes.repeated is not None and wishes.repeated not in options:
        raise UndecidableError(f"classes do not add up; --repeated takes {' or '.join(options)}")
    question = f"{repeated.rows} row(s) repeat a series and day. What does the target come to?"
    how = wishes.repeated or answers.choose("--repeated", question, options, default, why)
    if how == REFUSE:
        return None
    return Aggregate(Reduction(how), why if how == default else "as named", 1, None)


def _sum_or_mean(fact: Facts) -> tuple[str, str]:
    if fact.whole and not fact.negative:
        return "sum", "whole numbers, none below zero, add up"
    return "mean", "such numbers do not add up"


def with_times(rows: Rows, column: DateColumn, frame: pd.DataFrame, time_zone: str) -> Rows:
    """Rows of a grid with the parts of the time that tell those of a day and series apart."""
    if rows.grid is None or not column.timed:
        return rows
    made = {part: time_of_day(part, column.times, time_zone) for part in TimePart}
    key = frame[rows.series.value].assign(day=column.days, **made)
    last = [TimePart.FOLD] if key[TimePart.FOLD].any() or changes_clocks(time_zone) else []
    for parts in ([TimePart.HOUR], [TimePart.HOUR, TimePart.QUARTER_HOUR]):
        others = [name for name in made if name not in [*parts, *last]]
        repeated = key.drop(columns=others).duplicated()
        if key["day"][repeated].nunique() <= FEW_DAYS * key["day"].nunique():
            return replace(rows, times=[*parts, *last])
    return rows


def with_time_of_day(
    sample: Sample, facts: dict[str, Facts], date: str, parts: Sequence[TimePart], time_zone: str
) -> tuple[Sample, dict[str, Facts]]:
    """The sample and its facts with columns made of the times of rows.

    One of the table that is called like them gives way.
    """
    times = sample.dates[date].times
    made = {part.value: time_of_day(part, times, time_zone) for part in parts}
    frame = sample.frame.assign(**made)
    taken = [
        f"column {name!r} gives way to the part of {date} that is called so; rename it to use it"
        for name in made
        if name in sample.frame and not frame[name].equals(sample.frame[name])
    ]
    return replace(sample, frame=frame, notes=[*sample.notes, *taken]), facts | facts_of(
        frame[[*made]]
    )


def find_columns(
    sample: Sample,
    facts: dict[str, Facts],
    date: str,
    target: Target,
    rows: Rows,
    wishes: Wishes,
    answers: Answers,
    times: Sequence[str] = (),
    *,
    absent_is_zero: bool = False,
) -> Columns:
    """The inputs; what else there is, with the reason why it is none.

    `times` are columns made of the times of rows, which are known before the day.
    """
    known = [name for name in facts if name != target.name]
    out = {name: "another column of dates" for name in sample.dates if name != date}
    out |= dict.fromkeys(sample.strange, "neither numbers nor text")
    out |= dict.fromkeys(sample.unclear, "no clear dates")
    parts = [part for part in ("year", "month", "day") if _is_part(sample, date, part)]
    out |= dict.fromkeys(parts, "a part of the day")
    series = rows.series.value
    alike = [name for name in known if _is_like_a_feature(name, target.name)]
    out |= dict.fromkeys(alike, "named like a computed feature")
    for name in [*(wishes.leave_out or []), *(wishes.keep or [])]:
        if name not in known or name in series:
            raise UndecidableError(f"{name!r} is no input; the columns are: {', '.join(known)}")
    out |= dict.fromkeys(wishes.leave_out or [], "as named")
    frame = sample.frame
    if wishes.weight is not None:
        _refuse_weight(wishes.weight, facts, [target.name, *series], frame)
        out[wishes.weight] = "how much a row counts"
    for part in times:
        same = [name for name in known if name != part and frame[name].equals(frame[part])]
        out |= dict.fromkeys(same, f"the {part} of {date}")
    values, days = values_of(sample, target), sample.dates[date].days
    kept = [*times, *(wishes.keep or [])]
    if absent_is_zero:
        varied = [name for name in known if name not in [*out, *series, *kept]]
        out |= _of_happenings(sample, varied, series, days)
    found = choose_inputs(sample.frame, facts, values, series, out, days, kept)
    if wishes.keep is None and found.doubted:
        why = "; ".join(f"{name}: {found.left_out[name]}" for name in found.doubted)
        question = f"Left out as they tell the target ({why}). Which are known before the day?"
        kept = [*times, *answers.several("--keep", question, found.doubted)]
        if kept:
            found = choose_inputs(sample.frame, facts, values, series, out, days, kept)
    inputs = [*found.numeric, *(name for name in found.categorical if name not in series)]
    if wishes.leave_out is None and inputs:
        question = "Which columns are known only after the day, and cannot help a forecast?"
        late = answers.several("--leave-out", question, inputs)
        out |= dict.fromkeys(late, "known only after the day, as answered")
        found = choose_inputs(sample.frame, facts, values, series, out, days, kept)
    return found


def _refuse_weight(
    name: str, facts: dict[str, Facts], others: Sequence[str], frame: pd.DataFrame
) -> None:
    """UndecidableError where a column cannot say how much rows count."""
    known = [other for other, fact in facts.items() if fact.number and other not in others]
    if name not in known:
        held = f"; it holds {frame[name].iloc[0]!r}" if name in frame else ""
        raise UndecidableError(
            f"--weight {name!r} is no column of numbers besides the target and the series{held}; "
            f"there are: {', '.join(known) or 'none'}"
        )
    values = frame[name]
    for why, bad in (("is missing", values.isna()), ("is below zero", values < 0)):
        if bad.any():
            first = values.index[bad][0]
            raise UndecidableError(
                f"--weight {name!r} {why} in {bad.sum():,} row(s), such as row {first + 1:,} "
                f"({values[first]:g}); rows count by a number of at least 0"
            )


def _is_like_a_feature(name: str, target: str) -> bool:
    return re.match(rf"{re.escape(target)}_(lag|mean|count|last)_", name) is not None


def _is_part(sample: Sample, date: str, part: str) -> bool:
    """Whether a column is of a folder such as year=2026/month=1/day=31."""
    if part not in sample.frame:
        return False
    days, values = sample.dates[date].days, sample.frame[part]
    return values.dtype == "float64" and bool((getattr(days.dt, part) == values).all())


def varying(columns: Columns, frame: pd.DataFrame, days: pd.Series[pd.Timestamp]) -> Columns:
    """The same columns without the numbers that come to the same on every day, such as the hour."""
    means = frame[columns.numeric].groupby(days.to_numpy()).mean()
    usual = means.median()
    near = (means - usual).abs() <= 1e-9 * usual.abs()
    flat = [name for name in columns.numeric if near[name].mean() >= NEARLY_ALL]  # not cut-off days
    reason = "comes to the same every day"
    return Columns(
        [name for name in columns.numeric if name not in flat],
        columns.categorical,
        {**columns.left_out, **dict.fromkeys(flat, reason)},
    )
