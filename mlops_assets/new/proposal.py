"""A project for a table: each setting with the reason for it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import ALL_WEEK, EVERY_DAY, LONGEST, DueDays
from mlops_assets.ml.features.feature_settings import TimePart
from mlops_assets.ml.values import text_of
from mlops_assets.new.answers import Answers
from mlops_assets.new.choice import Choice
from mlops_assets.new.inference.dirt import without_dirt
from mlops_assets.new.inference.expected import find_holidays, find_weekdays, free_on
from mlops_assets.new.inference.facts import Decision, Facts, Target, UndecidableError, facts_of
from mlops_assets.new.inference.grain import ends_with, find_grain, of_periods, with_other_date
from mlops_assets.new.inference.inputs import Columns, useful_key
from mlops_assets.new.inference.row_kinds import Repeated, Rows
from mlops_assets.new.inference.span import SCALES, Span, fit_span
from mlops_assets.new.roles import (
    Aggregate,
    find_absent,
    find_aggregate,
    find_columns,
    kind_of_rows,
    read_table,
    varying,
    with_time_of_day,
    with_times,
    without_taken_names,
)
from mlops_assets.new.targets import find_target, values_of
from mlops_assets.new.wishes import KEEP, Wishes
from mlops_assets.project import REPLAY_DAYS, ColumnSettings, DateParts, FileSettings, SqlSettings
from mlops_assets.resources.sources import SourceError, make_source
from mlops_assets.resources.sources.samples import DateColumn, Sample, reading, without_stray_days

FINISHED_DAYS = 31  # a table whose last day is older is a recording
MOST_MISSING = 0.5  # the share of rows that may lack a target
AHEAD = dt.timedelta(days=366)  # a day later than that from now is a slip
GAPS = 0.95  # with rows on fewer of the days, less coverage is asked


@dataclass(frozen=True)
class Days:
    """The days of a table that have a target."""

    first: dt.date
    last: dt.date
    share: float | None
    """Of those between that are due, how many have rows; None where not all rows were read."""
    due: DueDays = EVERY_DAY

    @property
    def count(self) -> int:
        """How many days, or weeks or months, these are."""
        return self.due.count(self.first, self.last) + 1

    @property
    def end(self) -> dt.date:
        """The first day after them."""
        return self.due.end(self.last)

    @property
    def newest(self) -> str:
        """The last one, in a sentence."""
        return f"the last {self.due.grain}, {self.last},"


@dataclass(frozen=True)
class Proposal:
    """A project, and what was seen of its table."""

    wishes: Wishes
    source: FileSettings | SqlSettings
    time_zone: str
    rows_read: int
    whole: bool
    facts: dict[str, Facts]
    date: Decision[str]
    target: Target
    rows: Rows
    aggregate: Aggregate | None
    columns: Columns
    time_of_day: list[TimePart]
    """The columns made of the times of rows."""
    days: Days
    replay: Decision[bool]
    span: Span
    key: Decision[str] | None
    """The category by which the past of events is summed up."""
    notes: list[str]
    absent: Decision[str] | None
    """What a series without a row of a day is, where that comes up."""
    units: dict[str, str]
    """What stands beside the numbers of a column."""
    source_names: dict[str, str]
    """What columns are called in the source, where they cannot be called so."""
    markers: dict[str, list[str]]
    """What stands in a column where there is no value."""
    due: Decision[DueDays]
    """The days on which rows are due."""
    date_parts: DateParts | None = None
    """The columns that the date is made of, where none holds it."""
    choice: Choice | None = None
    """The models that a backtest chose; None where none was made yet."""

    @property
    def lagged(self) -> bool:
        """Whether days before come in by aggregates rather than by series."""
        return not self.rows.series.value


def propose(
    source: FileSettings | SqlSettings,
    wishes: Wishes,
    answers: Answers,
    today: dt.date,
) -> Proposal:
    """A project for the table of a source, whose path is absolute.

    SourceError when the table cannot be read, UndecidableError when it does not make a project.
    """
    source, sample, zone, date = read_table(source, wishes, answers)
    sample = without_stray_days(without_dirt(sample, wishes.target), date.value, today + AHEAD)
    column = sample.dates[date.value]
    facts = facts_of(sample.frame, sample.fractional)
    target = find_target(sample, facts, wishes, answers)
    sample, wishes, renamed = without_taken_names(sample, wishes, target.name)
    facts = dict(zip(map(str, sample.frame), facts.values(), strict=True))
    values = values_of(sample, target)
    known_days = [day.date() for day in sorted(column.days[values.notna()].unique())]
    due = _grain(known_days, wishes, answers) or find_weekdays(known_days)
    if not due.value.daily:
        sample = of_periods(sample, date.value, due.value)
        column = sample.dates[date.value]
    read = ColumnSettings(date=date.value, target=date.value, date_parts=sample.parts)
    every = _span_of(source, zone, read, due.value)
    if not due.value.daily:
        sample, date, there = with_other_date(sample, date)
        renamed |= there
    days = _days(every, sample, column.days, values, due.value)
    unit = due.value.grain
    rows = kind_of_rows(sample, facts, date.value, target.name, wishes, unit)
    rows = with_times(rows, column, sample.frame, zone)
    absent = None
    if not rows.times or wishes.absent is not None:
        absent, rows = find_absent(rows, wishes, answers)
    aggregate, rows = find_aggregate(rows, target, facts[target.name], wishes, answers)
    parts = time_parts(column, rows, target.name) if aggregate is None else []
    inputs = [part for part in parts if part != TimePart.FOLD]  # which only tells rows apart
    sample, facts = with_time_of_day(sample, facts, date.value, inputs, zone)
    columns = find_columns(
        sample, facts, date.value, target, rows, wishes, answers, inputs,
        absent_is_zero=absent is not None and absent.value == "zero",
    )  # fmt: skip
    parts = [part for part in parts if part in columns.numeric or part in rows.times]
    if rows.times and aggregate is None:
        rows = by_time(rows)
    if aggregate is not None and rows.grid is not None:
        columns = varying(columns, sample.frame, column.days)
    replay = _replay(days, today, wishes, answers)
    if due.value.daily:
        due = _without_holidays(due, known_days, wishes, answers, replay=replay.value)
    days = _days(every, sample, column.days, values, due.value)
    span = _span(days, target, replay=replay.value)
    key = None
    if rows.events and target.lagged:
        key = useful_key(sample.frame, facts, values, columns.categorical)
    notes = _notes(sample, column.days, values, days, today, replay.value)
    if not due.value.daily:
        notes.append(f"Rows are of {due.value.grain}s: {due.reason}.")
    elif not due.value.all:
        notes.append(f"Rows are due on {due_in_words(due.value)}: {due.reason}.")
    notes += [f"{name} is left out: {columns.left_out[name]}." for name in columns.leaks]
    if absent is not None:
        taken = "is taken for a 0" if absent.value == "zero" else "is none, and not forecast"
        notes.append(f"A series without a row of a {due.value.grain} {taken}: {absent.reason}.")
    if rows.repeated is not None:
        notes.append(_repetition(rows.repeated, rows.series.value, sample, column.days, aggregate))
    return Proposal(
        wishes, source, zone, len(sample.frame), sample.whole, facts, date, target, rows,
        aggregate, columns, parts, days, replay, span, key, notes, absent, sample.units, renamed,
        sample.markers, due, sample.parts,
    )  # fmt: skip


def _grain(days: list[dt.date], wishes: Wishes, answers: Answers) -> Decision[DueDays] | None:
    """The periods that rows stand for; on which day weeks begin is asked where it may be two."""
    found = find_grain(days, wishes.week_begins)
    if found is None or wishes.week_begins or (ends := ends_with(days, found.value)) is None:
        return found
    question = f"{found.reason}. With which day does a week begin?"
    options = [str(found.value.week_begins), str(ends)]
    asked = answers.choose("--week-begins", question, options, options[0])
    return found if asked == options[0] else find_grain(days, asked)


def time_parts(column: DateColumn, rows: Rows, target: str) -> list[TimePart]:
    """The parts of the time of day that tell something of rows: of events the hour."""
    if rows.times:
        return rows.times
    hours = column.times.local.dt.hour.nunique()
    told = rows.events and column.timed and hours > 1 and target != TimePart.HOUR
    return [TimePart.HOUR] if told else []


def _without_holidays(
    due: Decision[DueDays],
    days: list[dt.date],
    wishes: Wishes,
    answers: Answers,
    *,
    replay: bool,
) -> Decision[DueDays]:
    """The days that are due without the holidays on which no rows come."""
    weekdays, reason = due.value.weekdays, due.reason
    place, why = wishes.holidays, "as named"
    if replay or (place and not free_on(days, weekdays, place)):
        return due  # a recording is played on other dates than those of its holidays
    if place is None and (found := find_holidays(days, weekdays)):
        question = f"{found.reason}. On whose holidays are no rows due?"
        place = answers.choose("--holidays", question, [found.value, KEEP], found.value)
        place, why = ("", "") if place == KEEP else (place, found.reason)
    return Decision(DueDays(weekdays, place), f"{reason}; {why}") if place else due


def by_time(rows: Rows) -> Rows:
    """Rows of series that have many a day, each time of which is followed by itself."""
    series, reason = rows.series
    named = [*series, *map(str, rows.times)]
    why = f"{reason}; a day has {rows.grid} rows of each, and each time is followed by itself"
    return replace(rows, series=Decision(named, why), single=False)


def due_in_words(due: DueDays) -> str:
    """The days on which rows are due, in a sentence."""
    week = "every weekday" if len(due.weekdays) == len(ALL_WEEK) else ", ".join(due.weekdays)
    return f"{week}, not on the holidays of {due.holidays}" if due.holidays else week


def _span_of(
    source: FileSettings | SqlSettings, zone: str, columns: ColumnSettings, due: DueDays
) -> tuple[dt.date, dt.date]:
    """The first and the last day of all rows, read as later. SourceError."""
    span = make_source(reading(source, zone, columns, due)).span()
    if span is None:
        raise SourceError("the source holds no rows; a project begins with some")
    return span


def _days(
    span: tuple[dt.date, dt.date],
    sample: Sample,
    days: pd.Series[pd.Timestamp],
    target: pd.Series[Any],
    due: DueDays,
) -> Days:
    """The days up to the last one with a target: rows after it are still to come."""
    known = days[target.notna()]
    if not len(known):
        raise UndecidableError(f"the target {target.name!r} is missing in all rows")
    if not sample.whole:
        last = span[1] if span[1] <= days.max().date() + AHEAD else days.max().date()
        return Days(span[0], last, None, due)
    first, last = days.min().date(), known.max().date()
    past = days[days <= known.max()]
    lacking = target[days <= known.max()].isna()
    if lacking.mean() > MOST_MISSING:
        raise UndecidableError(
            f"the target {target.name!r} is missing in {lacking.sum()} of {len(lacking)} rows, "
            "more than half; name another one, or fill them"
        )
    asked = due.between(first, last + dt.timedelta(days=1))
    there = past.drop_duplicates().isin(pd.DatetimeIndex(asked)).sum()
    return Days(first, last, there / len(asked), due)


def _replay(days: Days, today: dt.date, wishes: Wishes, answers: Answers) -> Decision[bool]:
    if not days.due.daily:
        return _not_replayed(days, today, wishes)
    old = (today - days.last).days > FINISHED_DAYS
    able = days.count >= REPLAY_DAYS
    if wishes.replay is not None:
        if wishes.replay and not able:
            raise UndecidableError(
                f"the rows reach from {days.first} to {days.last}, {days.count} days; a replay "
                f"needs {REPLAY_DAYS}. Leave out --replay"
            )
        return Decision(wishes.replay, "as named")
    if not old:
        return Decision(False, f"the last day, {days.last}, is recent: rows keep coming")
    if not able:
        return Decision(
            False, f"the last day, {days.last}, is past, but a replay needs {REPLAY_DAYS} days"
        )
    begins = days.last - dt.timedelta(days=REPLAY_DAYS - 1)
    reason = (
        f"the last day, {days.last}, is past: a recording; its days from {begins} on can be played "
        "again, each within three days of its date"
    )
    return Decision(answers.yes_or_no("replay", f"{reason}. Replay it?"), reason)


def _not_replayed(days: Days, today: dt.date, wishes: Wishes) -> Decision[bool]:
    if wishes.replay:
        raise UndecidableError(
            f"a recording of {days.due.grain}s cannot be played again as days are; leave out "
            "--replay"
        )
    keeps = "is past" if is_finished(days, today) else "is recent: rows keep coming"
    return Decision(False, f"{days.newest} {keeps}")


def is_finished(days: Days, today: dt.date) -> bool:
    """Whether no more rows come, by how long ago the last ones were."""
    late = FINISHED_DAYS + (0 if days.due.daily else LONGEST[days.due.grain])
    return (today - days.end).days + 1 > late


def _span(days: Days, target: Target, *, replay: bool) -> Span:
    scale = SCALES[days.due.grain]
    choices: Sequence[list[int]] = scale.lags if target.lagged else [[]]
    if not replay:
        return fit_span(days.first, days.last, choices, days.due)
    lags, months = choices[0], scale.windows[0]
    reason = f"they fit into the {REPLAY_DAYS} days that are played up to yesterday"
    return Span(days.first, lags, months, 14, reason)


def _notes(
    sample: Sample,
    days: pd.Series[pd.Timestamp],
    target: pd.Series[Any],
    span: Days,
    today: dt.date,
    replay: bool,
) -> list[str]:
    """What a person should know of the table."""
    notes = list(sample.notes)
    if not sample.whole:
        notes.append("Only a part of the rows was read; ranges and categories may be wider.")
    if span.share is not None and span.share < GAPS:
        notes.append(
            f"{1 - span.share:.0%} of the {span.due.grain}s have no rows; their partitions say so "
            "and fail."
        )
    lacking = days[target.isna() & (days <= pd.Timestamp(span.last))]
    if len(lacking):
        notes.append(
            f"{len(lacking)} row(s) lack a target, the first of {lacking.min():%Y-%m-%d}: they are "
            "left out of learning and scoring."
        )
    if not replay and is_finished(span, today):
        unit = span.due.grain
        notes.append(
            f"The last {unit} is {span.last}: schedules will find nothing to do, and later {unit}s "
            "fail for want of rows."
        )
    return notes


def _repetition(
    repeated: Repeated,
    series: list[str],
    sample: Sample,
    days: pd.Series[pd.Timestamp],
    aggregate: Aggregate | None,
) -> str:
    """What to say of repeated rows."""
    later, earlier = repeated.first
    key = [text_of(sample.frame[name].iloc[later]) for name in series]
    name = " ".join([*key, f"{days.iloc[later]:%Y-%m-%d}"])
    alike = "copies of others" if repeated.copies else "not all alike"
    how = None if aggregate is None else f"the target is their {aggregate.target}"
    return (
        f"{repeated.rows} row(s) repeat a series and day, such as row {later + 1} row "
        f"{earlier + 1} ({name}); they are {alike}: {how or 'their days are refused'}."
    )


def coverage(days: Days) -> float:
    """The share of a window's days that is asked for: the usual one, or less where days lack."""
    if days.share is None or days.share >= GAPS:
        return 0.9
    return max(0.1, math.floor((days.share - 0.1) * 100) / 100)
