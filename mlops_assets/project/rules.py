"""What must hold across the sections of a project: each rule a function, in the order of asking.

A rule raises ValueError that begins with `at PLACE: `, by which the line of the mistake is found.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlops_assets.ml.features.feature_settings import Reduction
from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.metrics.scores import RESERVED_COLUMNS
from mlops_assets.ml.models.families import FAMILIES, get_family, parse_hyperparameters
from mlops_assets.ml.models.splits import Fixed
from mlops_assets.project.problem import SEASON, Problem
from mlops_assets.project.source_settings import REPLAY_DAYS

Rule = Callable[[Problem], None]


def check(problem: Problem) -> None:
    """Ask every rule. ValueError of the first one that is broken."""
    for rule in RULES:
        rule(problem)


def columns_have_one_role(problem: Problem) -> None:
    columns = problem.columns
    roles = [columns.date, columns.target, *columns.numeric, *columns.categorical]
    _refuse(
        _repeated(roles),
        "columns",
        "have more than one role among date, target, numeric and categorical",
    )


def series_are_neither_date_nor_target(problem: Problem) -> None:
    columns = problem.columns
    _refuse(
        [name for name in columns.series if name in (columns.date, columns.target)],
        "columns.series",
        "cannot name a series, being the date or the target",
    )


def constraints_name_columns(problem: Problem) -> None:
    _refuse_unknown(problem.constraints, problem.column_names, "constraints")


def constraints_apply(problem: Problem) -> None:
    """A constraint that nothing would ever compare with its column is refused."""
    numbers = problem.number_columns
    for name, constraint in problem.constraints.items():
        bounds = [key for key in ("min", "max") if getattr(constraint, key) is not None]
        if bounds and name not in numbers:
            raise ValueError(
                f"at constraints.{name}: {' and '.join(bounds)} bound numbers, and {name!r} is "
                f"none; use allowed, or bound one of: {', '.join(numbers)}"
            )
        if constraint.allowed is not None and name in [*numbers, problem.columns.date]:
            raise ValueError(
                f"at constraints.{name}: allowed lists texts, and {name!r} is none; use min and max"
            )


def slices_name_keys(problem: Problem) -> None:
    _refuse_unknown(problem.evaluation.slices, _keys(problem), "evaluation.slices")


def custom_features_are_known(problem: Problem) -> None:
    _at("features.custom", lambda: problem.custom_features)


def custom_features_have_names_of_their_own(problem: Problem) -> None:
    plan = problem.feature_plan
    others = [*problem.column_names, *plan.built_in_columns]
    taken = {name for name in plan.custom_columns if name in others}
    _refuse(
        sorted(taken.union(_repeated(plan.custom_columns))),
        "features.custom",
        "is the name of another column too; rename one of them",
    )


def models_have_names_of_their_own(problem: Problem) -> None:
    _refuse(
        _repeated(_model_names(problem)),
        "models",
        "are the names of more than one model; give each its own",
    )


def no_model_is_called_all(problem: Problem) -> None:
    _refuse(
        [name for name in _model_names(problem) if name == "all"],
        "models",
        "is no name for a model, since retrain_all_job retrains them all",
    )


def baseline_is_a_model(problem: Problem) -> None:
    _refuse_unknown([problem.evaluation.baseline], _model_names(problem), "evaluation.baseline")


def first_champion_is_a_model(problem: Problem) -> None:
    _refuse_unknown([problem.first_champion], _model_names(problem), "champion.initial")


def metrics_are_known(problem: Problem) -> None:
    _at("evaluation.metrics", lambda: problem.evaluation.made_metrics)


def metrics_fit_the_task(problem: Problem) -> None:
    _refuse_foreign(problem, "evaluation.metrics", problem.evaluation.made_metrics, METRICS)


def families_fit_the_task(problem: Problem) -> None:
    _refuse_foreign(problem, "models", [model.family for model in problem.models], FAMILIES)


def classes_fit_the_task(problem: Problem) -> None:
    if (problem.classes is None) != (problem.task == "regression"):
        raise ValueError(
            "at classes: missing; name the labels of the target, and the positive one of two"
            if problem.classes is None
            else "at classes: only a task of classification has them; set task"
        )


def labels_constrain_the_target(problem: Problem) -> None:
    if problem.labels:
        _refuse(
            [name for name in [problem.columns.target] if name in problem.constraints],
            "constraints",
            "is the target, whose labels are those of classes.labels; leave it out",
        )


def lags_have_numbers(problem: Problem) -> None:
    if len(problem.labels) > 2 and problem.longest_lag:
        raise ValueError(
            f"at features: lags and rolling_means need a target of numbers or two classes, not "
            f"of {len(problem.labels)}; leave them empty"
        )


def metrics_fit_the_target(problem: Problem) -> None:
    metrics = problem.evaluation.made_metrics
    needy = [name for name, metric in metrics.items() if metric.non_negative]
    if needy and not problem.non_negative:
        raise ValueError(
            f"at evaluation.metrics: {', '.join(needy)} needs a target of at least 0; set "
            f"constraints.{problem.columns.target}.min to 0, or leave the metric out"
        )


def target_is_never_missing(problem: Problem) -> None:
    if problem.constraint(problem.columns.target).nullable:
        raise ValueError(
            f"at constraints: {problem.columns.target!r} is the target and cannot be nullable; "
            "leave it out: rows without a target are left out of learning and scoring anyway"
        )


def primary_is_a_metric(problem: Problem) -> None:
    evaluation = problem.evaluation
    _refuse_unknown([evaluation.primary], evaluation.made_metrics, "evaluation.primary")


def lags_have_series(problem: Problem) -> None:
    features = problem.features
    if not problem.columns.series and (features.lags or features.rolling_means):
        raise ValueError(
            "at features: lags and rolling_means follow a series; "
            "name columns.series, or use lagged_aggregates in their place"
        )


def lagged_aggregates_name_columns(problem: Problem) -> None:
    for n, lagged in enumerate(problem.features.lagged_aggregates):
        place = f"features.lagged_aggregates.{n}"
        _refuse_unknown(lagged.by, _keys(problem), f"{place}.by")
        values = [] if lagged.of is None else [lagged.of]
        _refuse_unknown(values, problem.number_columns, f"{place}.of")


def aggregates_name_columns(problem: Problem) -> None:
    """Rows are told apart by keys, the series among them; the other inputs are reduced."""
    columns, aggregate = problem.columns, problem.aggregate
    if aggregate is None:
        return
    by = aggregate.key(columns.series)
    _refuse_unknown(by, _keys(problem), "aggregate.by")
    _refuse(_missing(columns.series, by), "aggregate.by", "is part of the series and must be in it")
    rest = [name for name in [*columns.numeric, *columns.categorical] if name not in by]
    _refuse_unknown(aggregate.inputs, rest, "aggregate.inputs")
    _refuse(_missing(rest, aggregate.inputs), "aggregate.inputs", "missing: say what they come to")


def reductions_suit_their_columns(problem: Problem) -> None:
    reduced = {} if problem.aggregate is None else problem.aggregate.inputs
    for name, reduction in reduced.items():
        if (reduction == Reduction.MOST_COMMON) != (name in problem.columns.categorical):
            raise ValueError(
                f"at aggregate.inputs.{name}: {reduction.value} does not suit it; text comes "
                "to most_common, numbers to sum, mean, median, min or max"
            )


def naive_models_know_the_season(problem: Problem) -> None:
    naive = [model.name for model in problem.models if model.family == "seasonal_naive"]
    if naive and problem.days_ahead > SEASON:
        raise ValueError(
            f"at models: {', '.join(map(repr, naive))} repeats the target of {SEASON} days "
            f"before, but {_newest_target(problem)}; take historical_mean in its place"
        )


def lags_read_known_targets(problem: Problem) -> None:
    """A target that is not known when a forecast is issued is no input of it."""
    ahead = problem.days_ahead
    lags = {"features.lags": problem.features.lags} | {
        f"features.lagged_aggregates.{n}.lags": lagged.lags
        for n, lagged in enumerate(problem.features.lagged_aggregates)
    }
    for place, days in lags.items():
        if early := [str(lag) for lag in days if lag < ahead]:
            raise ValueError(
                f"at {place}: {', '.join(early)} cannot be used: {_newest_target(problem)}; name "
                f"lags of {ahead} or more"
            )


def columns_are_stored_under_free_names(problem: Problem) -> None:
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


def features_have_names_of_their_own(problem: Problem) -> None:
    computed = problem.feature_plan.computed_numbers
    _refuse(_repeated(computed), "features.lagged_aggregates", "are named more than once")
    _refuse(
        [name for name in problem.column_names if name in computed],
        "columns",
        "named like a computed feature; rename it in the source",
    )


def families_take_the_inputs(problem: Problem) -> None:
    for model in problem.models:
        hyperparameters = parse_hyperparameters(model.family, model.hyperparameters)
        try:
            get_family(model.family).check(hyperparameters, problem.inputs)
        except ValueError as error:
            raise ValueError(f"at models: {model.name!r} {error}") from error


def split_is_known(problem: Problem) -> None:
    _at("training.split", lambda: problem.training_window)


def holdout_leaves_something_to_learn(problem: Problem) -> None:
    fewest, _ = _days_learned(problem)
    delay = problem.evaluation.label_delay_days
    if problem.training.holdout_days + delay >= fewest:
        late = f", with the {delay} days before them that are not known by then," if delay else ""
        raise ValueError(
            f"at training.holdout_days: {problem.training.holdout_days} days{late} leave nothing "
            f"of a window of {_window_in_words(problem)} to learn from"
        )


def first_day_is_there(problem: Problem) -> None:
    if problem.first_day is not None:
        return
    if problem.source.kind != "replay":
        raise ValueError("at first_day: missing; name the first day of the source to use")
    if isinstance(problem.training_window.split, Fixed):
        raise ValueError("at first_day: missing; fixed dates to learn from need it")


def split_fits_the_first_day(problem: Problem) -> None:
    if problem.first_day is not None:
        earliest = problem.first_day + dt.timedelta(days=problem.longest_lag)
        _at("training.split", lambda: problem.training_window.first_month(earliest))


def replay_is_learned_from_once(problem: Problem) -> None:
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


# In the order of asking: a rule relies on those before it.
RULES: tuple[Rule, ...] = (
    columns_have_one_role,
    series_are_neither_date_nor_target,
    constraints_name_columns,
    constraints_apply,
    slices_name_keys,
    custom_features_are_known,
    custom_features_have_names_of_their_own,
    models_have_names_of_their_own,
    no_model_is_called_all,
    baseline_is_a_model,
    first_champion_is_a_model,
    metrics_are_known,
    metrics_fit_the_task,
    families_fit_the_task,
    classes_fit_the_task,
    labels_constrain_the_target,
    lags_have_numbers,
    metrics_fit_the_target,
    target_is_never_missing,
    primary_is_a_metric,
    lags_have_series,
    lagged_aggregates_name_columns,
    aggregates_name_columns,
    reductions_suit_their_columns,
    naive_models_know_the_season,
    lags_read_known_targets,
    columns_are_stored_under_free_names,
    features_have_names_of_their_own,
    families_take_the_inputs,
    split_is_known,
    holdout_leaves_something_to_learn,
    first_day_is_there,
    split_fits_the_first_day,
    replay_is_learned_from_once,
)


def _keys(problem: Problem) -> list[str]:
    """The columns whose values can be a key."""
    return [*problem.columns.series, *problem.columns.categorical]


def _model_names(problem: Problem) -> list[str]:
    return [model.name for model in problem.models]


def _newest_target(problem: Problem) -> str:
    return (
        f"with evaluation.label_delay_days of {problem.evaluation.label_delay_days}, the newest "
        f"target that is known when a day is forecast is that of {problem.days_ahead} days before"
    )


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
