"""A project for a table: each setting with the reason for it."""

import datetime as dt
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_assets.ml import inference
from mlops_assets.ml.evaluation import RESERVED_COLUMNS
from mlops_assets.ml.inference import Columns, Decision, Facts, Rows, Span, UndecidableError
from mlops_assets.new.answers import Answers
from mlops_assets.project import (
    REPLAY_DAYS,
    ColumnSettings,
    DateOrder,
    FileSettings,
    Reduction,
    SqlSettings,
    check_time_zone,
)
from mlops_assets.resources.sources import SourceError, make_source
from mlops_assets.resources.sources.samples import Sample, read_sample, reading

if TYPE_CHECKING:
    import pandas as pd

KEEP = "none"  # the answer that leaves rows as they are
REDUCTIONS = ("sum", "mean", "median", "min", "max")
FINISHED_DAYS = 31  # a table whose last day is older is a recording
MOST_MISSING = 0.1  # the share of days that may lack a target
GAPS = 0.95  # with rows on fewer of the days, less coverage is asked
HOURS = 24
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Wishes:
    """What the flags say; None where a flag is not given."""

    name: str
    owner: str
    date: str | None = None
    target: str | None = None
    series: list[str] | None = None
    leave_out: list[str] | None = None
    aggregate: str | None = None
    replay: bool | None = None
    time_zone: str | None = None


@dataclass(frozen=True)
class Aggregate:
    """How rows become one a day and series."""

    target: Reduction
    reason: str
    min_rows: int
    max_rows: int | None


@dataclass(frozen=True)
class Days:
    """The days of a table that have a target."""

    first: dt.date
    last: dt.date
    share: float | None
    """Of those between, how many have rows; None where not all rows were read."""

    @property
    def count(self) -> int:
        return (self.last - self.first).days + 1


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
    target: Decision[str]
    rows: Rows
    aggregate: Aggregate | None
    columns: Columns
    days: Days
    replay: Decision[bool]
    span: Span
    key: Decision[str] | None
    """The category by which the past of events is summed up."""
    notes: list[str]

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
    source, sample, zone, date = _read(source, wishes, answers)
    column = sample.dates[date.value]
    facts = inference.facts_of(sample.frame)
    target = _target(sample, facts, wishes, answers)
    values = sample.frame[target.value]
    days = _days(_span_of(source, zone, date.value), sample, column.days, values)
    rows = _rows(sample, facts, date.value, target.value, wishes)
    aggregate, rows = _aggregate(rows, column.days, facts[target.value], wishes, answers)
    columns = _columns(sample, facts, date.value, target.value, rows, wishes, answers)
    if aggregate is not None:
        columns = _varying(columns, sample.frame, column.days)
    replay = _replay(days, today, wishes, answers)
    span = _span(days, replay.value)
    key = None
    if rows.events:
        key = inference.useful_key(sample.frame, facts, values, columns.categorical)
    notes = _notes(sample, column.days, values, days, today, replay.value)
    return Proposal(
        wishes, source, zone, len(sample.frame), sample.whole, facts, date, target, rows,
        aggregate, columns, days, replay, span, key, notes,
    )  # fmt: skip


def _read(
    source: FileSettings | SqlSettings, wishes: Wishes, answers: Answers
) -> tuple[FileSettings | SqlSettings, Sample, str, Decision[str]]:
    """The sample with its date column, once the order of its dates and the zone are known."""
    zone = wishes.time_zone or "UTC"
    sample = read_sample(source, zone)
    if isinstance(source, FileSettings) and not sample.dates and _two_readings(sample):
        reason = next(iter(sample.unclear.values()))
        order = answers.choose("--dates", f"{reason}.", [order.value for order in DateOrder], None)
        csv = source.csv.model_copy(update={"dates": DateOrder(order)})
        source = source.model_copy(update={"csv": csv})
        sample = read_sample(source, zone)
    date = _date(sample, wishes, answers)
    if sample.dates[date.value].zoned and wishes.time_zone is None:
        question = "Times have a zone: in which zone, such as Europe/Paris, does a day begin?"
        zone = answers.text("--time-zone", question, zone, check_time_zone)
        sample = read_sample(source, zone)
    return source, sample, zone, date


def _two_readings(sample: Sample) -> bool:
    return any("csv.dates" in reason for reason in sample.unclear.values())


def _date(sample: Sample, wishes: Wishes, answers: Answers) -> Decision[str]:
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
    spans = {name: column.days.nunique() for name, column in sample.dates.items()}
    found = inference.choose_date(spans)
    if len(spans) == 1:
        return found
    question = "Which column says the day of a row?"
    chosen = answers.choose("--date", question, list(spans), found.value, found.reason)
    return found if chosen == found.value else Decision(chosen, "as answered")


def _target(
    sample: Sample, facts: dict[str, Facts], wishes: Wishes, answers: Answers
) -> Decision[str]:
    candidates = inference.target_candidates(facts)
    named = wishes.target
    if named is None:
        if not candidates:
            raise UndecidableError("no numeric target: no column holds more than two numbers")
        found = inference.choose_target(candidates)
        if found is not None and len(candidates) == 1:
            return found
        default, why = found or (None, "")
        chosen = answers.choose(
            "--target", "Which column is to be forecast?", candidates, default, why
        )
        return found if found and chosen == found.value else Decision(chosen, "as answered")
    if named not in facts:
        known = ", ".join(facts)
        what = "holds dates" if named in sample.dates else "is no column"
        raise UndecidableError(f"the target {named!r} {what}; the columns are: {known}")
    fact = facts[named]
    if not fact.number:
        seen = ", ".join(map(repr, fact.common)) or "nothing"
        raise UndecidableError(
            f"the target {named!r} is not numeric: it holds {seen}; name one of: "
            f"{', '.join(candidates) or 'none here, no column holds numbers that vary'}"
        )
    if fact.distinct < 2:
        raise UndecidableError(f"the target {named!r} is the same in all rows")
    return Decision(named, "as named")


def _span_of(source: FileSettings | SqlSettings, zone: str, date: str) -> tuple[dt.date, dt.date]:
    """The first and the last day of all rows, read as later. SourceError."""
    columns = ColumnSettings(date=date, target=date)
    span = make_source(reading(source, zone, columns)).span()
    if span is None:
        raise SourceError("the source holds no rows; a project begins with some")
    return span


def _days(
    span: tuple[dt.date, dt.date],
    sample: Sample,
    days: "pd.Series[pd.Timestamp]",
    target: "pd.Series[Any]",
) -> Days:
    """The days up to the last one with a target: rows after it are still to come."""
    known = days[target.notna()]
    if not len(known):
        raise UndecidableError(f"the target {target.name!r} is missing in all rows")
    if not sample.whole:
        return Days(*span, None)
    first, last = span[0], known.max().date()
    past = days[days <= known.max()]
    lacking = days[target.isna() & (days <= known.max())].nunique()
    share = lacking / past.nunique()
    if share > MOST_MISSING:
        raise UndecidableError(
            f"the target {target.name!r} is missing on {lacking} of {past.nunique()} days, which "
            "would not be stored; leave such rows out of the table, or fill them"
        )
    return Days(first, last, past.nunique() / ((last - first).days + 1))


def _rows(sample: Sample, facts: dict[str, Facts], date: str, target: str, wishes: Wishes) -> Rows:
    column = sample.dates[date]
    for name in wishes.series or []:
        if name not in facts or name == target:
            known = ", ".join(other for other in facts if other != target)
            raise UndecidableError(f"{name!r} cannot name series; the columns are: {known}")
    usable = {name: fact for name, fact in facts.items() if name not in RESERVED_COLUMNS}
    return inference.find_rows(
        sample.frame,
        usable,
        column.days,
        column.moments,
        target,
        timed=column.timed,
        series=wishes.series,
    )


def _aggregate(
    rows: Rows,
    days: "pd.Series[pd.Timestamp]",
    target: Facts,
    wishes: Wishes,
    answers: Answers,
) -> tuple[Aggregate | None, Rows]:
    """How rows become one a day, where they come as regularly as hours or it is wished."""
    if wishes.aggregate == KEEP or (rows.grid is None and wishes.aggregate is None):
        kept: Decision[list[str]] = Decision([], "every row is an event of its own, as named")
        return None, rows if rows.grid is None else Rows(kept)
    counts = target.whole and not target.negative
    default = "sum" if counts else "mean"
    why = "whole numbers, none below zero, add up" if counts else "such numbers do not add up"
    how = wishes.aggregate or answers.choose(
        "--aggregate",
        f"A day has {rows.grid} rows of each series. What does the target of a day come to?",
        [*REDUCTIONS, KEEP],
        default,
        why,
    )
    if how == KEEP:
        return _aggregate(rows, days, target, replace(wishes, aggregate=KEEP), answers)
    reason = why if how == default and wishes.aggregate is None else "as named"
    least, most = 1, None
    if rows.grid is not None and rows.grid >= 2:
        # an hour comes twice or not at all on the days when clocks change
        slack = rows.grid // HOURS
        least, most = max(1, rows.grid - slack), rows.grid + slack if slack else None
    single = not rows.series.value
    return Aggregate(Reduction(how), reason, least, most), replace(rows, single=single)


def _columns(
    sample: Sample,
    facts: dict[str, Facts],
    date: str,
    target: str,
    rows: Rows,
    wishes: Wishes,
    answers: Answers,
) -> Columns:
    """The inputs; what else there is, with the reason why it is none."""
    known = [name for name in facts if name != target]
    out = {name: "another column of dates" for name in sample.dates if name != date}
    out |= dict.fromkeys(sample.strange, "neither numbers nor text")
    out |= dict.fromkeys(sample.unclear, "no clear dates")
    out |= dict.fromkeys(_parts_of_day(sample, date), "a part of the day")
    series = rows.series.value
    if not series:
        taken = "named like a column that is stored beside forecasts; rename it to use it"
        out |= {name: taken for name in known if name in RESERVED_COLUMNS}
    computed = re.compile(rf"{re.escape(target)}_(lag|mean|count|last)_")
    out |= {name: "named like a computed feature" for name in known if computed.match(name)}
    for name in wishes.leave_out or []:
        if name not in known or name in series:
            raise UndecidableError(f"{name!r} is no input; the columns are: {', '.join(known)}")
        out[name] = "as named"
    found = inference.choose_inputs(sample.frame, facts, target, series, out)
    inputs = [*found.numeric, *(name for name in found.categorical if name not in series)]
    if wishes.leave_out is None and inputs:
        question = "Which columns are known only after the day, and cannot help a forecast?"
        late = answers.several("--leave-out", question, inputs)
        out |= dict.fromkeys(late, "known only after the day, as answered")
        found = inference.choose_inputs(sample.frame, facts, target, series, out)
    return found


def _parts_of_day(sample: Sample, date: str) -> list[str]:
    """Columns of a folder such as year=2026/month=1/day=31."""
    return [part for part in ("year", "month", "day") if _is_part(sample, date, part)]


def _is_part(sample: Sample, date: str, part: str) -> bool:
    if part not in sample.frame:
        return False
    days, values = sample.dates[date].days, sample.frame[part]
    return values.dtype == "float64" and bool((getattr(days.dt, part) == values).all())


def _varying(columns: Columns, frame: "pd.DataFrame", days: "pd.Series[pd.Timestamp]") -> Columns:
    """Without the numbers that come to the same on every day, such as the hour."""
    means = frame[columns.numeric].groupby(days.to_numpy()).mean()
    flat = [name for name in columns.numeric if means[name].std() <= 1e-9 * abs(means[name]).max()]
    reason = "comes to the same every day"
    return Columns(
        [name for name in columns.numeric if name not in flat],
        columns.categorical,
        {**columns.left_out, **dict.fromkeys(flat, reason)},
    )


def _replay(days: Days, today: dt.date, wishes: Wishes, answers: Answers) -> Decision[bool]:
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
    reason = f"the last day, {days.last}, is past: a recording that can be played again"
    return Decision(answers.yes_or_no("replay", f"{reason}. Replay it?"), reason)


def _span(days: Days, replay: bool) -> Span:
    if not replay:
        return inference.fit_span(days.first, days.last)
    lags, months = inference.LAGS[0], inference.WINDOWS[0]
    reason = f"they fit into the loop of {REPLAY_DAYS} days, which is played up to yesterday"
    return Span(days.first, lags, months, 14, reason)


def _notes(
    sample: Sample,
    days: "pd.Series[pd.Timestamp]",
    target: "pd.Series[Any]",
    span: Days,
    today: dt.date,
    replay: bool,
) -> list[str]:
    """What a person should know of the table."""
    notes = []
    if not sample.whole:
        notes.append("Only a part of the rows was read; ranges and categories may be wider.")
    if span.share is not None and span.share < GAPS:
        notes.append(
            f"{1 - span.share:.0%} of the days have no rows; their partitions say so and fail."
        )
    past = days.dt.strftime("%Y-%m-%d")[target.isna()]
    lacking = sorted({day for day in past if day <= str(span.last)})
    if lacking:
        notes.append(
            f"{len(lacking)} day(s) lack a target and will not be stored, the first on "
            f"{lacking[0]}."
        )
    if not replay and (today - span.last).days > FINISHED_DAYS:
        notes.append(
            f"The last day is {span.last}: schedules will find nothing to do, and later days "
            "fail for want of rows."
        )
    return notes


def coverage(days: Days) -> float:
    """The share of a window's days that is asked for: the usual one, or less where days lack."""
    if days.share is None or days.share >= GAPS:
        return 0.9
    return max(0.1, math.floor((days.share - 0.1) * 100) / 100)
