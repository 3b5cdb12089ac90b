"""The files of a new project: its settings with a reason beside each, and a profile of its data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from mlops_assets.ml.due_days import Grain, Weekday
from mlops_assets.ml.metrics.scores import RESERVED_COLUMNS
from mlops_assets.ml.values import text_of
from mlops_assets.new.choice import Choice
from mlops_assets.new.inference.facts import Facts
from mlops_assets.new.proposal import Proposal, coverage, due_in_words
from mlops_assets.new.usual import chosen, columns_used
from mlops_assets.project import CalendarFeature, FileSettings, SqlSettings
from mlops_assets.project.masking import masked

CALENDAR_OF = {
    Grain.WEEK: (CalendarFeature.WEEK_OF_YEAR, CalendarFeature.MONTH),
    Grain.MONTH: (CalendarFeature.MONTH,),
    Grain.QUARTER: (CalendarFeature.MONTH,),
}
FEWER = {Grain.MONTH: (24, 12), Grain.QUARTER: (16, 8)}
CALENDAR = (
    CalendarFeature.DAY_OF_WEEK,
    CalendarFeature.DAY_OF_MONTH,
    CalendarFeature.WEEK_OF_YEAR,
)
WIDE = 1 << 20
MOSTLY = 0.5  # of the rows
SLICE_VALUES = 20
MOST_SHOWN = 8  # recipes told beside the models


def settings_text(made: Proposal) -> str:
    """The project.yaml of a proposal."""
    sections = (
        _head(made),
        _source(made),
        _columns(made),
        _classes(made),
        _aggregate(made),
        _constraints(made),
        _features(made),
        _training(made),
        _evaluation(made),
        _judged(made),
        _models(made),
    )
    texts = ["\n".join(lines) for lines in map(list, sections) if lines]
    return "\n\n".join(texts) + "\n"


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=WIDE
    )
    return text.removesuffix("\n").removesuffix("...").strip()


def comment(text: str) -> str:
    """A remark on one line, whatever the names in it hold."""
    return f"# {' '.join(text.split())}"


def _head(made: Proposal) -> Iterator[str]:
    yield comment("Written from a look at the table, with the reason beside each choice.")
    yield comment("profile.md tells what was seen; every line may be changed.")
    yield f"name: {flow(made.wishes.name)}"
    due = made.due.value
    yield f"description: {flow(f'{made.target.name}, forecast one {due.grain} ahead.')}"
    yield f"owner: {flow(made.wishes.owner)}  # who answers for it"
    yield f"time_zone: {flow(made.time_zone)}  # in which a day begins and ends"
    if not due.daily:
        yield f"grain: {due.grain}  {comment(made.due.reason)}"
        if due.week_begins != Weekday.MON:
            yield f"week_begins: {due.week_begins}"
        yield comment(f"All settings of days and forecasts count {due.grain}s, each named by its")
        yield comment("first day; months, such as training.window_months, are those of the year.")
    if not made.replay.value:
        yield comment(made.span.reason)
        if made.span.first_day > made.days.first:
            yield comment(f"the rows begin on {made.days.first}")
        yield f"first_day: {made.span.first_day}"
    if not due.all:
        told = {"weekdays": [*map(str, due.weekdays)], "holidays": due.holidays}
        expected = {name: value for name, value in told.items() if value}
        yield f"expected: {flow(expected)}  {comment(made.due.reason)}"


def _source(made: Proposal) -> Iterator[str]:
    yield comment(made.replay.reason)
    yield "source:"
    settings = made.source.model_dump(mode="json", exclude_defaults=True)
    if made.replay.value:
        yield "  kind: replay"
        yield f"  source: {flow(settings)}"
    else:
        for name, value in settings.items():
            yield f"  {name}: {flow(value)}"


def _columns(made: Proposal) -> Iterator[str]:
    columns, series = made.columns, made.rows.series
    yield "columns:"
    yield f"  date: {flow(made.date.value)}  {comment(made.date.reason)}"
    if made.date_parts is not None:
        yield f"  date_parts: {flow(made.date_parts.model_dump(exclude_none=True))}"
    yield f"  target: {flow(made.target.name)}  {comment(made.target.reason)}"
    if parts := [str(part) for part in made.time_of_day]:
        why = f"made of the times in {made.date.value}"
        yield f"  time_of_day: {flow(parts)}  {comment(why)}"
    if series.value:
        yield f"  series: {flow(series.value)}  {comment(series.reason)}"
    else:
        yield f"  {comment(f'no series: {series.reason}')}"
    if (weight := made.wishes.weight) is not None:
        yield f"  weight: {flow(weight)}  {comment('how much a row counts, as named')}"
    if made.absent is not None:
        yield f"  absent: {made.absent.value}  {comment(made.absent.reason)}"
    yield f"  {comment('inputs: they must be known before the day; move out those that are not')}"
    yield f"  numeric: {flow(columns.numeric)}"
    yield f"  categorical: {flow(columns.categorical)}"
    called = {
        name: there for name, there in made.source_names.items() if name in columns_used(made)
    }
    numbers = [*made.columns.numeric, made.wishes.weight]
    units = {name: unit for name, unit in made.units.items() if name in numbers}
    if made.target.name in made.units and not made.target.labels:
        units[made.target.name] = made.units[made.target.name]
    if units:
        yield f"  units: {flow(units)}  {comment('beside the numbers, and no part of them')}"
    if called:
        yield f"  source_names: {flow(called)}  {comment('names that are taken by what is made')}"
    markers = {name: found for name, found in made.markers.items() if name in columns_used(made)}
    if markers:
        yield f"  {comment('what stands where there is no value; profile.md tells how often')}"
        written = {name: [*map(_marker, found)] for name, found in markers.items()}
        yield f"  missing: {flow(written)}"
    for name, reason in columns.left_out.items():
        yield f"  {comment(f'left out: {name}: {reason}')}"


def _marker(text: str) -> str | int | float:
    """A marker as people write it: -999, which reads back as the text."""
    value = yaml.safe_load(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text
    return value if isinstance(value, int | float) and text_of(value) == text else text


def _classes(made: Proposal) -> Iterator[str]:
    target = made.target
    if target.labels:
        yield "task: classification"
        yield comment("A day with another label is not stored; add a new one at the end.")
        yield "classes:"
        yield f"  labels: {flow(list(target.labels))}"
        if target.positive is not None:
            yield f"  positive: {flow(target.positive)}  {comment('its probability is forecast')}"


def _aggregate(made: Proposal) -> Iterator[str]:
    aggregate = made.aggregate
    if aggregate is None:
        return
    series = made.rows.series.value
    last = aggregate.target == "last"
    reduced = dict.fromkeys(made.columns.numeric, "last" if last else "mean") | {
        name: "last" if last else "most_common"
        for name in made.columns.categorical
        if name not in series
    }
    if (weight := made.wishes.weight) is not None:
        reduced[weight] = "last" if last else "sum"
    some = "Rows" if made.rows.repeated is None else "Repeated rows of a series"
    yield comment(f"{some} of a day become one.")
    yield "aggregate:"
    yield f"  target: {aggregate.target.value}  {comment(aggregate.reason)}"
    if reduced:
        yield f"  inputs: {flow(reduced)}"
    if aggregate.min_rows > 1:
        usual = f"a day usually has {made.rows.grid} rows; one that is not whole is refused"
        yield f"  min_rows: {aggregate.min_rows}  {comment(usual)}"
    if aggregate.max_rows is not None:
        yield f"  max_rows: {aggregate.max_rows}"


def _constraints(made: Proposal) -> Iterator[str]:
    target = made.target.name
    bounded = not made.target.labels and not made.facts[target].negative
    limits = {target: {"min": 0} if bounded else {}}
    for name in made.columns.numeric:
        limits[name] = _least(made.facts[name], year=made.days.count >= made.due.value.year)
    for name in [*made.columns.numeric, *made.columns.categorical]:
        if made.facts[name].missing:
            limits[name] = {**limits.get(name, {}), "nullable": True}
    told = {name: limit for name, limit in limits.items() if limit}
    if told:
        yield comment("A day that breaks them is not stored. From the values that were seen.")
        yield "constraints:"
        for name, limit in told.items():
            yield f"  {flow(name)}: {flow(limit)}"


def _least(fact: Facts, *, year: bool) -> dict[str, Any]:
    """The least value of an input; a temperature of a summer may yet fall below zero."""
    return {"min": 0} if not fact.negative and (fact.whole or year) else {}


def _features(made: Proposal) -> Iterator[str]:
    lags = made.span.lags
    windows = list(chosen(made).means)
    due = made.due.value
    features = CALENDAR if due.daily else CALENDAR_OF[due.grain]
    calendar = [str(feature) for feature in features if feature not in columns_used(made)]
    yield "features:"
    if not made.target.lagged:
        yield f"  {comment('no lags: several classes are no numbers')}"
    elif made.lagged:
        yield f"  {comment('what all rows of the days before came to')}"
        yield "  lagged_aggregates:"
        # one row a day is followed through its weeks, events by their newest days
        near = lags if made.rows.single else lags[:2]
        yield f"    - {flow({'statistic': 'mean', 'lags': near, 'windows': windows})}"
        if made.key is not None:
            by = {"by": [made.key.value], "statistic": "mean", "lags": near, "windows": windows}
            yield f"    {comment(f'by {made.key.value}: {made.key.reason}')}"
            yield f"    - {flow(by)}"
    else:
        yield f"  lags: {flow(lags)}  {comment(f'of the same series, {due.grain}s before')}"
        yield f"  rolling_means: {flow(windows)}"
        if made.rows.times:
            keys = [name for name in made.rows.series.value if name not in made.time_of_day]
            whole = {"by": keys, "statistic": "mean", "lags": lags[:2], "windows": windows[:1]}
            yield f"  {comment('what all times of the days before came to')}"
            yield f"  lagged_aggregates: {flow([whole])}"
    yield f"  calendar: {flow(calendar)}"
    if made.wishes.holidays and not (made.due.value.holidays or made.replay.value):
        why = "is_holiday and is_holiday_eve; rows come on holidays, too"
        yield f"  holidays: {flow(made.wishes.holidays)}  {comment(why)}"


def _training(made: Proposal) -> Iterator[str]:
    span, share = made.span, coverage(made.days)
    yield "training:"
    yield f"  window_months: {span.window_months}  {comment(span.reason)}"
    choice = chosen(made)
    if choice.split != "trailing":
        yield f"  split: {choice.split}  {comment('all of the past, and at least those months')}"
    if choice.half_life_days is not None:
        yield f"  half_life_days: {choice.half_life_days}  {comment('older rows count less')}"
    yield f"  holdout_days: {span.holdout_days}"
    must = f"the share of the {made.due.value.grain}s that must have rows"
    yield f"  min_coverage: {share}  {comment(must)}"


def _evaluation(made: Proposal) -> Iterator[str]:
    fact = made.facts[made.target.name]
    yield "evaluation:"
    if made.target.labels:
        yield "  metrics: [log_loss, brier_score, roc_auc, pr_auc, accuracy, calibration_error]"
        yield "  primary: log_loss"
    elif fact.negative:
        yield f"  {comment('the target can be negative, so that shares of it say little')}"
        yield "  metrics: [mae, rmse, bias]"
        yield "  primary: mae"
    else:
        yield "  metrics:"
        for metric in ("mae", "wmape", "rmse"):
            yield f"    - {metric}"
        yield "    - tweedie_deviance: {power: 1.5, floor: 0.1}"
        yield "    - bias"
        mostly_zero = made.rows.gaps > MOSTLY and _absent_is_zero(made)
        if mostly_zero:
            yield f"  {comment('most targets are 0, which would be the best forecast by wmape')}"
        yield f"  primary: {'tweedie_deviance' if mostly_zero else 'wmape'}"
    yield f"  baseline: {chosen(made).baseline.name}"
    slices = _slices(made)
    if slices:
        yield f"  slices: {flow(slices)}"


def _judged(made: Proposal) -> Iterator[str]:
    """How many periods decide where there are few of them."""
    unit = made.due.value.grain
    if unit in FEWER:
        window, least = FEWER[unit]
        yield comment(f"{unit}s that decide on another champion, and from how many on")
        yield f"champion: {flow({'window_days': window, 'min_days': least})}"
        yield comment(f"{unit}s from which on a model is judged by its own past")
        yield f"performance: {flow({'min_days': 14})}"


def _absent_is_zero(made: Proposal) -> bool:
    return made.absent is not None and made.absent.value == "zero"


def _slices(made: Proposal) -> list[str]:
    """The category of the fewest values, by which metrics are broken down."""
    names = dict.fromkeys([*made.rows.series.value, *made.columns.categorical])
    few = [
        name
        for name in names
        if name not in {*RESERVED_COLUMNS, *made.time_of_day}
        and 2 <= made.facts[name].distinct <= SLICE_VALUES
    ]
    return sorted(few, key=lambda name: made.facts[name].distinct)[:1]


def _models(made: Proposal) -> Iterator[str]:
    choice = chosen(made)
    yield from map(comment, _tried(choice))
    yield "models:"
    for model in (choice.baseline, *choice.models):
        yield f"  - name: {model.name}"
        yield f"    family: {model.family}"
        if model.hyperparameters:
            yield f"    hyperparameters: {flow(model.hyperparameters)}"
        if made.due.value.grain is Grain.QUARTER:
            yield "    cadence: quarterly"


def _tried(choice: Choice) -> Iterator[str]:
    """What the backtest says, best first."""
    made = choice.backtest
    if made is None:
        yield f"By rule of thumb: {choice.untried or 'nothing was tried'}."
        return
    yield f"Tried on {made.days}: {made.metric}, with its standard error."
    shown = [result for n, result in enumerate(made.results) if n < MOST_SHOWN or result.name]
    for result in shown:
        name = f"{result.name}: " if result.name else ""
        yield f"{result.error:.4g} +- {result.sampling_error:.2g}  {name}{result.recipe}"
    if len(shown) < len(made.results):
        yield f"{len(made.results) - len(shown)} more were worse: profile.md tells them all."


def _results(choice: Choice) -> Iterator[str]:
    """The table of the backtest for the profile."""
    made = choice.backtest
    yield from ("", "## What was tried", "")
    if made is None:
        yield f"Nothing: {choice.untried or 'no backtest was made'}; the models are usual ones."
        return
    yield f"Each recipe forecast {made.days}, by what the days before each stretch taught."
    if made.stopped:
        yield "The time was over before all were tried: `--seconds` gives more."
    yield from ("", f"| {made.metric} | above the first | recipe | model |")
    yield "| --- | --- | --- | --- |"
    for result in made.results:
        error = f"{result.error:.4g} ± {result.sampling_error:.2g}"
        above = f"{result.above:+.1%} ± {result.above_error:.1%}"
        yield f"| {error} | {above} | {cell(result.recipe)} | {result.name} |"


def profile_text(made: Proposal) -> str:
    """The profile.md of a proposal."""
    days = made.days
    share = "" if days.share is None else f", {days.share:.1%} of them with rows"
    lines = [
        f"# {made.wishes.name}: what the table holds",
        "",
        f"- Table: `{table_name(made.source)}`",
        f"- Rows read: {made.rows_read:,}{' (all)' if made.whole else ' (a part)'}",
        f"- {str(days.due.grain).capitalize()}s: {days.first} to {days.last}, {days.count:,} in "
        f"all{share}",
        *(f"- {note}" for note in made.notes),
        "",
        "## Columns",
        "",
        "| column | type | used as | missing | values |",
        "| --- | --- | --- | --- | --- |",
        f"| {cell(made.date.value)} | date | date | 0 | {days.first} to {days.last} |",
        *(_row(made, name, fact) for name, fact in made.facts.items()),
        "",
        "## What was inferred, and why",
        "",
        *(f"- **{what}**: {cell(value)}: {cell(why)}" for what, value, why in _decisions(made)),
        *_results(chosen(made)),
        "",
    ]
    return "\n".join(lines)


def table_name(source: FileSettings | SqlSettings) -> str:
    """What people call the table."""
    if isinstance(source, SqlSettings):
        return f"table {source.table} of the database in {source.url_env}"
    return masked(source.path)


def cell(text: object) -> str:
    """A text that is safe in a table of Markdown."""
    plain = " ".join(str(text).split())
    return re.sub(r"([\\|<>`*\[\]])", r"\\\1", plain)


def _row(made: Proposal, name: str, fact: Facts) -> str:
    kind = ("whole number" if fact.whole else "number") if fact.number else "text"
    if fact.low is not None and fact.high is not None:
        values = f"{fact.low:g} to {fact.high:g}"
    else:
        more = ", ..." if fact.distinct > len(fact.common) else ""
        values = f"{fact.distinct} different: {', '.join(fact.common)}{more}"
    used = _use(made, name)
    return f"| {cell(name)} | {kind} | {cell(used)} | {fact.missing:,} | {cell(values)} |"


def _use(made: Proposal, name: str) -> str:
    series, columns = made.rows.series.value, made.columns
    uses: Mapping[str, Sequence[str]] = {
        "target": [made.target.name],
        "series": series,
        "numeric input": columns.numeric,
        "categorical input": columns.categorical,
        "weight": [made.wishes.weight or ""],
    }
    found = [use for use, names in uses.items() if name in names]
    return ", ".join(found) or f"left out: {columns.left_out.get(name, 'not used')}"


def _decisions(made: Proposal) -> Iterator[tuple[str, object, str]]:
    yield "date", *made.date
    yield "target", made.target.name, made.target.reason
    if made.target.positive is not None:
        yield "probability of", made.target.positive, "the one of two labels that is forecast"
    yield "series", ", ".join(made.rows.series.value) or "none", made.rows.series.reason
    if made.absent is not None:
        yield "absent rows", *made.absent
    if not made.due.value.daily:
        yield "grain", made.due.value.grain, made.due.reason
    if not made.due.value.all:
        yield "days on which rows are due", due_in_words(made.due.value), made.due.reason
    if made.aggregate is not None:
        yield "aggregate", made.aggregate.target.value, made.aggregate.reason
    if made.key is not None:
        yield "aggregates of the past by", *made.key
    yield "replay", "yes" if made.replay.value else "no", made.replay.reason
    if not made.replay.value:
        yield "first day", made.span.first_day, made.span.reason
    yield "lags", ", ".join(map(str, made.span.lags)) or "none", made.span.reason
    yield "window in months", made.span.window_months, made.span.reason
    for name, reason in made.columns.left_out.items():
        yield "left out", name, reason
