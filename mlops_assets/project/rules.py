"""What must hold across the sections of a project, by subject and in the order of asking.

What does not is a ValueError that begins with `at PLACE: `, by which the line of the mistake is
found. What is asked relies on what was asked before it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlops_assets.ml.due_days import LONGEST, Grain
from mlops_assets.ml.features.feature_settings import CalendarFeature, Reduction
from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.metrics.scores import RESERVED_COLUMNS
from mlops_assets.ml.models.families import FAMILIES, get_family, parse_hyperparameters
from mlops_assets.ml.models.splits import Fixed
from mlops_assets.project.problem import Problem
from mlops_assets.project.sections import ExpectedSettings
from mlops_assets.project.source_settings import REPLAY_DAYS

CALENDAR_OF: Mapping[Grain, Sequence[CalendarFeature]] = {
    Grain.WEEK: [
        CalendarFeature.DAY_OF_MONTH,
        CalendarFeature.DAY_OF_YEAR,
        CalendarFeature.WEEK_OF_YEAR,
        CalendarFeature.MONTH,
    ],
    Grain.MONTH: [CalendarFeature.DAY_OF_YEAR, CalendarFeature.MONTH],
    Grain.QUARTER: [CalendarFeature.DAY_OF_YEAR, CalendarFeature.MONTH],
}
GOES_BY_DAYS = {
    "expected": "leave it out: weekdays and holidays are",
    "evaluation.label_delay_days": (
        "leave it out, and let the source have a row once its target is known: it is a number"
    ),
    "columns.time_of_day": "leave it out: times are",
    "features.holidays": "leave it out: holidays are",
    "features.custom": "leave out weekday_mean, which is",
    "source": "name the recording itself, which is not replayed: a replay is",
}


def check(problem: Problem) -> None:
    """ValueError of the first thing that does not hold."""
    _columns(problem)
    _grain(problem)
    _names(problem)
    _task(problem)
    _target(problem)
    _aggregates(problem)
    _known_in_time(problem)
    _stored_names(problem)
    _training(problem)
    _first_day(problem)
    _expected(problem)
    _replay(problem)


def _columns(problem: Problem) -> None:
    """Each column has one role, and constraints that are compared with its values."""
    columns, numbers = problem.columns, problem.number_columns
    if columns.date_parts is not None:
        taken = [columns.date, columns.target, *columns.series]
        _refuse(
            [name for name in columns.date_parts.names if name in taken],
            "columns.date_parts",
            "is a part of the date, and named as another column, too",
        )
        source = problem.source.recording if problem.source.kind == "replay" else problem.source
        if source.kind == "sql":
            raise ValueError(
                "at columns.date_parts: a database asks for days by one column; make a view or a "
                "query with a date"
            )
    roles = [columns.date, columns.target, *columns.numeric, *columns.categorical]
    _refuse(
        _repeated(roles),
        "columns",
        "have more than one role among date, target, numeric and categorical",
    )
    _refuse(
        [name for name in columns.series if name in (columns.date, columns.target)],
        "columns.series",
        "cannot name a series, being the date or the target",
    )
    _refuse(
        _missing(map(str, columns.time_of_day), [*columns.series, *columns.numeric]),
        "columns.time_of_day",
        "is used nowhere; name it among columns.numeric, or columns.series, too",
    )
    _refuse(
        [name for name in columns.categorical if name in columns.time_of_day],
        "columns.categorical",
        "is a number of the time of day; name it among columns.numeric",
    )
    _refuse_unknown(problem.constraints, problem.column_names, "constraints")
    _refuse_unknown(columns.units, numbers, "columns.units")
    called = columns.source_names
    _refuse_unknown(called, problem.source_columns, "columns.source_names")
    read = [called.get(name, name) for name in problem.source_columns]
    _refuse(_repeated(read), "columns.source_names", "are read under two names; read them once")
    undated = [name for name in problem.column_names if name != columns.date]
    _refuse_unknown(columns.missing, undated, "columns.missing")
    for name, constraint in problem.constraints.items():
        if constraint.nullable and name == columns.weight:
            raise ValueError(f"at constraints.{name}: is never missing, as rows count by it")
        bounds = [key for key in ("min", "max") if getattr(constraint, key) is not None]
        if bounds and name not in numbers:
            raise ValueError(
                f"at constraints.{name}: {' and '.join(bounds)} bound numbers, and {name!r} is "
                f"none; use allowed, or bound one of: {', '.join(numbers)}"
            )
        if constraint.allowed is not None and name in [*numbers, columns.date]:
            raise ValueError(
                f"at constraints.{name}: allowed lists texts, and {name!r} is none; use min and max"
            )
    _refuse_unknown(problem.evaluation.slices, _keys(problem), "evaluation.slices")


def _names(problem: Problem) -> None:
    """Features and models have names of their own, and what names a model names one."""
    _at("features.custom", lambda: problem.feature_plan.custom)
    plan, models = problem.feature_plan, [model.name for model in problem.models]
    others = [*problem.column_names, *plan.built_in_columns]
    taken = {name for name in plan.custom_columns if name in others}
    _refuse(
        sorted(taken.union(_repeated(plan.custom_columns))),
        "features.custom",
        "is the name of another column too; rename one of them",
    )
    _refuse(_repeated(models), "models", "are the names of more than one model; give each its own")
    _refuse(
        [name for name in models if name == "all"],
        "models",
        "is no name for a model, since retrain_all_job retrains them all",
    )
    _refuse_unknown([problem.evaluation.baseline], models, "evaluation.baseline")
    _refuse_unknown([problem.first_champion], models, "champion.initial")


def _task(problem: Problem) -> None:
    """Metrics, families and classes are those of the task."""
    _at("evaluation.metrics", lambda: problem.evaluation.made_metrics)
    _refuse_foreign(problem, "evaluation.metrics", problem.evaluation.made_metrics, METRICS)
    _refuse_foreign(problem, "models", [model.family for model in problem.models], FAMILIES)
    if (problem.classes is None) != (problem.task == "regression"):
        raise ValueError(
            "at classes: missing; name the labels of the target, and the positive one of two"
            if problem.classes is None
            else "at classes: only a task of classification has them; set task"
        )


def _target(problem: Problem) -> None:
    """The values of the target suit what is made of them."""
    target, features, metrics = problem.columns.target, problem.features, problem.evaluation
    if problem.labels and target in problem.constraints:
        why = "is the target, whose labels are those of classes.labels; leave it out"
        _refuse([target], "constraints", why)
    if len(problem.labels) > 2 and problem.longest_lag:
        raise ValueError(
            f"at features: lags and rolling_means need a target of numbers or two classes, not "
            f"of {len(problem.labels)}; leave them empty"
        )
    if problem.columns.absent == "zero":
        _absent(problem)
    needy = [name for name, metric in metrics.made_metrics.items() if metric.non_negative]
    if needy and not problem.non_negative:
        raise ValueError(
            f"at evaluation.metrics: {', '.join(needy)} needs a target of at least 0; set "
            f"constraints.{target}.min to 0, or leave the metric out"
        )
    if problem.constraint(target).nullable:
        raise ValueError(
            f"at constraints: {target!r} is the target and cannot be nullable; "
            "leave it out: rows without a target are left out of learning and scoring anyway"
        )
    _refuse_unknown([metrics.primary], metrics.made_metrics, "evaluation.primary")
    if not problem.columns.series and (features.lags or features.rolling_means):
        raise ValueError(
            "at features: lags and rolling_means follow a series; "
            "name columns.series, or use lagged_aggregates in their place"
        )


def _absent(problem: Problem) -> None:
    """An absent row of a series can be one with the target 0."""
    columns, aggregate = problem.columns, problem.aggregate
    limits = problem.constraint(columns.target)
    hindrances = {
        "needs columns.series": not columns.series,
        "is for one row a day and series; leave the time of day out of columns.series": bool(
            problem.feature_plan.times
        ),
        "is for numbers, not for classes": bool(problem.labels),
        f"needs constraints.{columns.target} that hold 0": (limits.min or 0) > 0
        or (limits.max or 0) < 0,
        "is for one row a day and series; leave out aggregate.by and min_rows": aggregate
        is not None
        and (aggregate.by is not None or aggregate.min_rows > 1),
    }
    for hindrance, there in hindrances.items():
        if there:
            raise ValueError(f"at columns.absent: zero {hindrance}")


def _aggregates(problem: Problem) -> None:
    """Aggregates name columns; rows that become one are told apart by keys, the rest is reduced."""
    for n, lagged in enumerate(problem.features.lagged_aggregates):
        place = f"features.lagged_aggregates.{n}"
        _refuse_unknown(lagged.by, _keys(problem), f"{place}.by")
        values = [] if lagged.of is None else [lagged.of]
        _refuse_unknown(values, problem.number_columns, f"{place}.of")
    columns, aggregate = problem.columns, problem.aggregate
    if aggregate is None:
        return
    if problem.labels and aggregate.target != Reduction.LAST:
        raise ValueError(
            f"at aggregate.target: {aggregate.target.value} is for numbers; classes come to last"
        )
    by = aggregate.key(columns.series)
    _refuse_unknown(by, _keys(problem), "aggregate.by")
    _refuse(_missing(columns.series, by), "aggregate.by", "is part of the series and must be in it")
    weight = [columns.weight] if columns.weight else []
    read = dict.fromkeys([*columns.numeric, *columns.categorical, *weight])
    rest = [name for name in read if name not in by]
    _refuse_unknown(aggregate.inputs, rest, "aggregate.inputs")
    _refuse(_missing(rest, aggregate.inputs), "aggregate.inputs", "missing: say what they come to")
    for name, reduction in aggregate.inputs.items():
        of_text = reduction == Reduction.MOST_COMMON
        if reduction != Reduction.LAST and of_text != (name in columns.categorical):
            raise ValueError(
                f"at aggregate.inputs.{name}: {reduction.value} does not suit it; text comes "
                "to most_common or last, numbers to sum, mean, median, min, max or last"
            )


def _known_in_time(problem: Problem) -> None:
    """A target that is not known when a forecast is issued is no input of it."""
    ahead = problem.days_ahead
    naive = [
        model.name
        for model in problem.models
        if model.family == "seasonal_naive" and not model.hyperparameters.get("repeats")
    ]
    newest = (
        f"with evaluation.label_delay_days of {problem.evaluation.label_delay_days}, the newest "
        f"target that is known when a day is forecast is that of {ahead} days before"
    )
    season = problem.due.season
    if naive and ahead > season:
        raise ValueError(
            f"at models: {', '.join(map(repr, naive))} repeats the target of {season} days "
            f"before, but {newest}; take historical_mean in its place"
        )
    lags = {"features.lags": problem.features.lags} | {
        f"features.lagged_aggregates.{n}.lags": lagged.lags
        for n, lagged in enumerate(problem.features.lagged_aggregates)
    }
    for place, days in lags.items():
        if early := [str(lag) for lag in days if lag < ahead]:
            raise ValueError(
                f"at {place}: {', '.join(early)} cannot be used: {newest}; name "
                f"lags of {ahead} or more"
            )


def _stored_names(problem: Problem) -> None:
    """What is stored beside forecasts and features has a name of its own there."""
    columns = problem.columns
    # without series, rows of forecasts are told apart by their inputs
    inputs = [] if columns.series else [*columns.numeric, *columns.categorical]
    stored = dict.fromkeys([*columns.series, *problem.evaluation.slices, *inputs])
    _refuse(
        [name for name in stored if name in RESERVED_COLUMNS],
        "columns",
        "stored beside forecasts under that name already; rename it in the source. "
        f"Names taken: {', '.join(RESERVED_COLUMNS)}",
    )
    computed = problem.feature_plan.computed_numbers
    _refuse(_repeated(computed), "features.lagged_aggregates", "are named more than once")
    _refuse(
        [name for name in problem.column_names if name in computed],
        "columns",
        "named like a computed feature; rename it in the source",
    )


def _training(problem: Problem) -> None:
    """Models can be made of the inputs, and a window leaves them something to learn."""
    for model in problem.models:
        hyperparameters = parse_hyperparameters(model.family, model.hyperparameters)
        try:
            get_family(model.family).check(hyperparameters, problem.inputs)
        except ValueError as error:
            raise ValueError(f"at models: {model.name!r} {error}") from error
    _at("training.split", lambda: problem.training_window)
    fewest, _ = _days_learned(problem)
    delay = problem.evaluation.label_delay_days
    if problem.training.holdout_days + delay >= fewest // LONGEST[problem.grain]:
        late = f", with the {delay} days before them that are not known by then," if delay else ""
        raise ValueError(
            f"at training.holdout_days: {problem.training.holdout_days} days{late} leave nothing "
            f"of a window of {_window_in_words(problem)} to learn from"
        )


def _first_day(problem: Problem) -> None:
    """There is one where it is needed, and the split has a window after it."""
    if problem.first_day is not None:
        earliest = problem.due.back(problem.first_day, -problem.longest_lag)
        _at("training.split", lambda: problem.training_window.first_month(earliest))
    elif problem.source.kind != "replay":
        raise ValueError("at first_day: missing; name the first day of the source to use")
    elif isinstance(problem.training_window.split, Fixed):
        raise ValueError("at first_day: missing; fixed dates to learn from need it")


def _expected(problem: Problem) -> None:
    """What goes by the days on which rows are due can do so."""
    if problem.due.all:
        return
    if problem.evaluation.label_delay_days:
        raise ValueError(
            f"at expected: rows are not due on every day, and a target that is known "
            f"{problem.evaluation.label_delay_days} day(s) later is told by days; leave out "
            "evaluation.label_delay_days, and let the source have a row once its target is known"
        )
    if problem.source.kind == "replay" and problem.due.holidays:
        raise ValueError(
            "at expected.holidays: a recording is replayed on other dates than those of its "
            "holidays; leave them out"
        )


def _grain(problem: Problem) -> None:
    """What goes by days is not asked of weeks, months or quarters."""
    if problem.due.daily:
        return
    grain, first, features = problem.grain, problem.first_day, problem.features
    if first is not None and first not in problem.due:
        raise ValueError(
            f"at first_day: {first} is not the first day of a {grain}; write "
            f"{problem.due.start(first)} or {problem.due.end(first)}"
        )
    other = [str(name) for name in features.calendar if name not in CALENDAR_OF[grain]]
    _refuse(
        other,
        "features.calendar",
        f"tells nothing of a {grain}; choose of: {', '.join(CALENDAR_OF[grain]) or 'none'}",
    )
    custom = [*map(str, features.custom)]
    hindrances = {
        "expected": problem.expected != ExpectedSettings(),
        "evaluation.label_delay_days": problem.evaluation.label_delay_days > 0,
        "columns.time_of_day": bool(problem.columns.time_of_day),
        "features.holidays": features.holidays is not None,
        "features.custom": any("weekday_mean" in name for name in custom),
        "source": problem.source.kind == "replay",
    }
    if problem.inputs.seasonal is None and any(
        model.family == "seasonal_naive" and not model.hyperparameters.get("repeats")
        for model in problem.models
    ):
        raise ValueError(
            f"at models: seasonal_naive repeats the target of a year ago; add {problem.due.season} "
            f"to features.lags, or say which one it repeats, such as {problem.columns.target}_lag_1"
        )
    for place, there in hindrances.items():
        if there:
            raise ValueError(f"at {place}: {GOES_BY_DAYS[place]} of days, not of a {grain}")


def _replay(problem: Problem) -> None:
    """No day of a recording is learned from twice."""
    if problem.source.kind != "replay":
        return
    window, lag = problem.training_window, problem.longest_lag
    _, most = _days_learned(problem)
    if most is None:
        raise ValueError(
            f"at training.split: a recording replayed in a loop of {REPLAY_DAYS} days would be "
            f"learned from twice by {window.split.name}; choose trailing"
        )
    reach = most + lag + window.days_left_out
    if reach >= REPLAY_DAYS:
        raise ValueError(
            f"at training.window_months: {_window_in_words(problem)} and the longest "
            f"lag of {lag} days reach back {reach} days; a recording replayed in "
            f"a loop of {REPLAY_DAYS} days would be learned from twice; shorten either"
        )


def _keys(problem: Problem) -> list[str]:
    """The columns whose values can be a key."""
    return [*problem.columns.series, *problem.columns.categorical]


def _days_learned(problem: Problem) -> tuple[int, int | None]:
    """The fewest and the most days that a model learns from, None where they grow for ever."""
    return problem.training_window.split.days(problem.training.window_months)


def _window_in_words(problem: Problem) -> str:
    months = f"{problem.training.window_months} months"
    return "its fixed dates" if isinstance(problem.training_window.split, Fixed) else months


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _missing(names: Iterable[str], known: Iterable[str]) -> list[str]:
    known = set(known)
    return [name for name in names if name not in known]


def _refuse(names: list[str], place: str, reason: str) -> None:
    if names:
        raise ValueError(f"at {place}: {', '.join(map(repr, names))} {reason}")


def _refuse_unknown(names: Iterable[str], known: Iterable[str], place: str) -> None:
    known = list(known)
    _refuse(_missing(names, known), place, f"not among: {', '.join(known)}")


def _refuse_foreign(
    problem: Problem, place: str, names: Iterable[str], known: Mapping[str, Any]
) -> None:
    """What is for another kind of target is refused."""
    fitting = [name for name, kind in known.items() if problem.task in kind.tasks]
    _refuse(
        sorted({name for name in names if name not in fitting}),
        place,
        f"are not for a task of {problem.task}; choose of: {', '.join(fitting)}",
    )


def _at(place: str, look: Callable[[], object]) -> None:
    """Look at what the settings of a place mean; ValueError that names the place."""
    try:
        look()
    except ValueError as error:
        raise ValueError(f"at {place}: {error}") from error
