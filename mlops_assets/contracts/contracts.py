"""What every family, metric, feature, split and source must hold, and what is wrong with one.

Each function yields problems in words; none means that the contract is kept. The command
`mlops-assets check`, the pytest plugin and the tests of the built-in entries share
them.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args, get_type_hints

from mlops_assets.lazy import np, pd, sio, sklearn, threadpoolctl
from mlops_assets.ml.features.custom_features import FEATURES, Feature, add_custom_features
from mlops_assets.ml.metrics.metric import (
    METRICS,
    FloatArray,
    Metric,
    finish_sums,
    score,
    term_sums,
)
from mlops_assets.ml.models.families import (
    FAMILIES,
    Family,
    Inputs,
    parse_hyperparameters,
    trusted_types,
)
from mlops_assets.ml.models.splits import (
    SPLITS,
    HoldoutSplit,
    Split,
    TrainingWindow,
    add_months,
)
from mlops_assets.ml.registries import Registry
from mlops_assets.project import ColumnSettings
from mlops_assets.project.custom_sources import CUSTOM_SOURCES, CustomSource
from mlops_assets.resources.sources import Source
from mlops_assets.resources.storage import make_storage
from mlops_assets.resources.stores.model_store import ModelStore

Problems = Iterator[str]

NUMERIC = ("price", "promotion", "weekday", "void", "units_lag_7")
CATEGORICAL = ("department", "store")
SHAPES = {
    "numbers and categories": Inputs(NUMERIC, CATEGORICAL, "units_lag_7"),
    "no categories": Inputs(NUMERIC, (), "units_lag_7"),
    "no numbers": Inputs((), CATEGORICAL, "units_lag_7"),
}
EXAMPLE_COLUMNS = ColumnSettings(
    date="date",
    target="units",
    series=["department", "store"],
    numeric=["price"],
    categorical=["department", "store"],
)
LEARNING, FRESH, EXAMPLE_CLASSES = 600, 60, 2
TOLERANCE = 1e-9
DIRECTIONS = get_args(get_args(get_type_hints(Metric)["direction"])[0])
STORES = itertools.count()


def problems_of(kind: str, name: str, columns: ColumnSettings | None = None) -> Problems:
    """The problems of a registered entry by its kind, such as `family`, and its name.

    A feature is tried on rows of these columns, where they are given.
    """
    registry, find = CONTRACTS[kind]
    try:
        entry = registry.find(name)
        if kind == "feature" and columns is not None:
            yield from feature_problems(entry, columns)
        else:
            yield from find(entry)
    except Exception as error:  # an entry's code may raise anything, which is what is asked here
        yield f"it raises {type(error).__name__}: {error}"


def family_problems(family: Family, values: Mapping[str, object] | None = None) -> Problems:
    """The problems of a family, tried with some hyperparameters, by default its own defaults."""
    yield from _description_problems(family.description)
    missing = [
        name for name, info in family.hyperparameters.model_fields.items() if info.is_required()
    ]
    for name in missing:
        yield f"hyperparameter {name} has no default: a model that leaves it out cannot be trained"
    for name, info in family.hyperparameters.model_fields.items():
        if not info.description:
            yield f"hyperparameter {name} has no description: the launchpad shows none"
        choice = isinstance(info.annotation, enum.EnumMeta) or info.annotation is bool
        if not choice and not info.metadata:
            yield f"hyperparameter {name} has no bounds: give Field its ge, gt, le or lt"
    if missing:
        return
    hyperparameters = parse_hyperparameters(family.name, values or {})
    for shape, inputs in SHAPES.items():
        with threadpoolctl.threadpool_limits(1):
            found = list(_pipeline_problems(family, hyperparameters, inputs))
        yield from (f"with {shape}, {problem}" for problem in found)


def _pipeline_problems(family: Family, hyperparameters: Any, inputs: Inputs) -> Problems:
    learning = example_rows(LEARNING, seed=1)
    target = example_target(LEARNING, EXAMPLE_CLASSES if of_classes(family) else 0)
    fresh = example_rows(FRESH, seed=2, departments=("food", "never seen"))
    fresh.loc[::5, "store"] = np.nan
    kept = learning.copy(), target.copy(), fresh.copy()

    pipeline = family.build(hyperparameters, inputs, 0)
    if not isinstance(pipeline, sklearn.pipeline.Pipeline):
        yield f"build returns {type(pipeline).__name__}, not a scikit-learn Pipeline"
        return
    try:
        sklearn.utils.validation.check_is_fitted(pipeline.steps[-1][1])
    except sklearn.exceptions.NotFittedError:
        pass
    except TypeError as error:
        yield f"the last step is no estimator: {error}"
        return
    else:
        yield "build returns a pipeline that is fitted already; return it unfitted"
    try:
        fitted = sklearn.base.clone(pipeline).fit(learning, target)
        forecasts = example_forecasts(fitted, fresh)
    except Exception as error:  # the estimator's own errors say what it cannot take
        yield (
            "it does not fit and forecast rows with missing values and categories never seen: "
            f"{type(error).__name__}: {error}"
        )
        return
    wanted = (FRESH, EXAMPLE_CLASSES) if of_classes(family) else (FRESH,)
    if forecasts.shape != wanted:
        yield (
            f"it forecasts shape {forecasts.shape} for {FRESH} rows; make one forecast per row, or "
            "a probability per row and class"
        )
        return
    if broken := int((~np.isfinite(forecasts)).sum()):
        yield f"{broken} of {FRESH} forecasts are not finite"
    again = family.build(hyperparameters, inputs, 0).fit(learning, target)
    if _differ(forecasts, example_forecasts(again, fresh)):
        yield "two fits on the same rows forecast differently: pass `seed` on, use one thread"
    known = {*inputs.numeric, *inputs.categorical, inputs.seasonal}
    columns = [name for name in fresh if name in known]
    if _differ(forecasts, example_forecasts(fitted, fresh[columns])):
        yield "forecasts depend on columns that are no inputs"
    if not (kept[0].equals(learning) and kept[1].equals(target) and kept[2].equals(fresh)):
        yield "it changes the rows that it is given; work on a copy"
    yield from _storage_problems(fitted, fresh, forecasts)


def _storage_problems(
    fitted: sklearn.pipeline.Pipeline, fresh: pd.DataFrame, forecasts: Any
) -> Problems:
    """Whether a fitted pipeline comes back from the model store as it went in."""
    unknown = sorted(set(sio.get_untrusted_types(data=sio.dumps(fitted))) - set(trusted_types()))
    if unknown:
        yield (
            f"its fitted pipeline holds {', '.join(unknown)}, which no family declares: read what "
            "they run when they are restored, then list them in trusted_types"
        )
        return
    day = dt.date(2026, 1, 1)
    models = ModelStore(make_storage(f"memory://contracts_{next(STORES)}"))
    card = models.add(
        fitted,
        model="contract",
        month=str(day),
        family="contract",
        hyperparameters={},
        trained_from=day,
        trained_through=day,
        days=1,
        rows=LEARNING,
        inputs=[],
        non_negative=False,
        training_set_sha256="",
        code_version="",
        fit_seconds=0,
        holdout_from=day,
        holdout_rows=0,
        holdout={},
        importance={},
    )
    if _differ(forecasts, example_forecasts(models.load(card), fresh)):
        yield "it forecasts differently once it was stored and loaded again"


def metric_problems(metric: type[Metric]) -> Problems:
    """The problems of a metric, with its options at their defaults."""
    yield from _description_problems(metric.description)
    if metric.direction not in DIRECTIONS:
        yield f"direction is {metric.direction!r}; say which values are better: {DIRECTIONS}"
        return
    try:
        made = {metric.name: metric()}
    except TypeError as error:
        yield f"it cannot be made without options ({error}): give each one a default"
        return
    random = np.random.default_rng(0)
    if "classification" in metric.tasks:
        actual = (random.random(400) < 0.3).astype(float)
        forecast = np.clip(0.3 + 0.2 * (actual - 0.3) + random.normal(0, 0.1, 400), 0.01, 0.99)
        # of one class alone a ranking says nothing, and is missing
        samples = {"probabilities": (actual, forecast)}
    else:
        actual = random.poisson(5, 400).astype(float)
        forecast = np.maximum(actual + random.normal(0, 2, 400), 0)
        samples = {
            "counts": (actual, forecast),
            "actuals of zero": (np.zeros(400), forecast),
            "one row": (actual[:1], forecast[:1]),
        }
        if not metric.non_negative:
            samples["values below zero"] = (actual - 5, forecast - 5)
    for what, (truth, guess) in samples.items():
        value = score(made, truth.copy(), guess.copy())[metric.name]
        if not np.isfinite(value):
            yield f"of {what} it is {value}; it must be finite"
    given = actual.copy(), forecast.copy()
    whole = score(made, *given)[metric.name]
    if _differ(given[0], actual) or _differ(given[1], forecast):
        yield "it changes the arrays that it is given"
    frame = pd.DataFrame({"day": np.arange(400) % 7, "actual": actual, "forecast": forecast})
    pooled = finish_sums(made, term_sums(made, frame, ["day"]).sum().to_frame().T)
    if not _close(float(pooled[metric.name].iloc[0]), whole):
        yield (
            "the sums of seven days do not add up to the metric of all rows: use a function of sums"
        )
    order = random.permutation(400)
    if not _close(score(made, actual[order], forecast[order])[metric.name], whole):
        yield "it depends on the order of the rows"
    perfect = score(made, actual, actual.copy())[metric.name]
    worse = {scale: actual + scale * (forecast - actual) for scale in (0.1, 1.0)}
    losses = {
        scale: float(made[metric.name].loss(np.array([score(made, actual, guess)[metric.name]]))[0])
        for scale, guess in worse.items()
    }
    best = float(made[metric.name].loss(np.array([perfect]))[0])
    if any(best > loss + TOLERANCE for loss in losses.values()):
        yield (
            f"a perfect forecast scores {perfect:.4g}, worse than one with errors, "
            f"where the direction {metric.direction!r} says what is better"
        )


def feature_problems(
    feature: type[Feature] | Feature, columns: ColumnSettings | None = None
) -> Problems:
    """The problems of a feature, or of its class with the options at their defaults.

    It is tried on made rows of a project's columns, or of an example's.
    """
    if isinstance(feature, type):
        try:
            feature = feature()
        except ValueError as error:
            yield f"it cannot be made without options ({error}): give each one a default"
            return
    yield from _description_problems(feature.description)
    for name, info in type(feature).model_fields.items():
        if not info.description:
            yield f"option {name} has no description"
    if feature.kind not in ("numeric", "categorical"):
        yield f"kind is {feature.kind!r}; say numeric or categorical"
        return
    if feature.reach < 0 or not feature.columns:
        yield "reach must be at least 0 and columns must name one column or more"
        return
    columns = columns or EXAMPLE_COLUMNS
    date, target = columns.date, columns.target
    day = pd.Timestamp(2026, 3, 2) + pd.Timedelta(days=feature.reach)
    observed = example_observations(day, feature.reach, columns)
    given = observed.copy()

    def make(observations: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        made = add_custom_features([feature], columns, observations, rows)
        return made[list(feature.columns)]

    rows = observed[observed[date] == day].reset_index(drop=True)
    values = make(observed, rows)
    if not observed.equals(given):
        yield "it changes the rows that it is given; work on a copy"
    future = observed[date] >= day
    changed = observed.assign(**{target: observed[target].where(~future, 1e6)})
    later = changed[~future | (observed[date] == day)]
    for what, other in {"changes": changed, "and the days after it change": later}.items():
        if not make(other, other[other[date] == day].reset_index(drop=True)).equals(values):
            yield (
                f"its values of a day differ when the target of that day {what}: it may read "
                "only what `rows` and `earlier` hold"
            )
            break
    stranger = observed[observed[date] < day - pd.Timedelta(days=feature.reach)]
    if len(stranger):
        nearer = observed.drop(index=stranger.index)
        if not make(nearer, rows).equals(values):
            yield f"it reads more than the {feature.reach} days before that `reach` declares"
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = make(observed, rows.iloc[order].reset_index(drop=True))
    if not shuffled.equals(values.iloc[order].reset_index(drop=True)):
        yield "the value of a row depends on the order of the rows"
    if not make(observed, rows).equals(values):
        yield "the same rows give other values the second time"
    first = observed[observed[date] == day]
    try:
        make(first, rows)
    except ValueError as error:
        yield f"without any earlier day it fails ({error}); give a missing value instead"


def split_problems(split: type[Split] | Split) -> Problems:
    """The problems of a split, or of its class with the options at their defaults."""
    if isinstance(split, type):
        try:
            split = split()
        except ValueError:
            # what only its users can know, such as dates, is judged where the settings name it
            split = split.model_validate(EXAMPLE_OPTIONS.get(split.name, {}))
    yield from _description_problems(split.description)
    earliest = dt.date(2025, 1, 20)
    for months, gap in itertools.product((1, 4), (0, 10)):
        chosen = TrainingWindow(split, months, gap)
        what = f"with {months} month(s) and a gap of {gap} days"
        try:
            first = chosen.first_month(earliest)
        except ValueError as error:
            yield f"{what}, {error}"
            continue
        if first.day != 1:
            yield f"{what}, first_end gives {first}, which is no first of a month"
            continue
        fewest, most = split.days(months)
        for end in (add_months(first, n) for n in range(14)):
            window = chosen.of(end, earliest)
            if window.start < earliest:
                yield f"{what}, the window for {end} begins on {window.start}, before {earliest}"
            if window.days < fewest or (most is not None and window.days > most):
                yield (
                    f"{what}, the window for {end} holds {window.days} days, "
                    f"but `days` declares {fewest} to {most}"
                )
            dates = pd.DataFrame({"date": pd.date_range(window.start, end, inclusive="left")})
            dates = dates[dates["date"] < pd.Timestamp(window.end)]
            learning, holdout = HoldoutSplit(7).split(dates, "date", window.end)
            if learning["date"].max() >= holdout["date"].min():
                yield f"{what}, for {end} the holdout does not lie after what is learned from"
            if (holdout["date"] >= pd.Timestamp(end - dt.timedelta(days=gap))).any():
                yield f"{what}, for {end} it learns from days of the gap or of service"


EXAMPLE_OPTIONS: dict[str, dict[str, Any]] = {
    "fixed": {"from": dt.date(2025, 2, 1), "through": dt.date(2025, 4, 30)}
}


def source_problems(
    source: Source, date: str, columns: list[str], first: dt.date, last: dt.date
) -> Problems:
    """The problems of a source that has rows on the days from `first` through `last`."""
    day = dt.timedelta(days=1)
    rows = source.read(first, last + day)
    if lacking := [name for name in columns if name not in rows.columns]:
        yield f"it lacks the column(s) {', '.join(lacking)}"
        return
    if rows.empty:
        yield f"it has no rows from {first} through {last}"
        return
    if str(rows[date].dtype) != "datetime64[ns]":
        yield f"its column {date} is {rows[date].dtype}, not datetime64[ns] without a zone"
        return
    if not rows[date].equals(rows[date].dt.normalize()):
        yield f"its column {date} holds hours; set each to midnight of its day"
    outside = rows[(rows[date] < pd.Timestamp(first)) | (rows[date] > pd.Timestamp(last))]
    if len(outside):
        yield f"asked for {first} through {last}, it gives rows of {outside[date].iloc[0]:%Y-%m-%d}"
    one = source.read(first, first + day)
    if set(one[date]) - {pd.Timestamp(first)}:
        yield "a window of one day gives rows of other days: the end is not part of it"
    empty = source.read(first, first)
    if len(empty) or list(empty.columns) != list(rows.columns):
        yield "an empty window gives rows, or not the same columns without any"
    if len(pd.concat([one, source.read(first + day, last + day)])) != len(rows):
        yield "two windows that meet give other rows than one over both"


def custom_source_problems(source: type[CustomSource]) -> Problems:
    """What can be said of a plugin's source before settings say where it reads."""
    yield from _description_problems(source.description)
    for name, info in source.model_fields.items():
        if not info.description:
            yield f"option {name} has no description"


CONTRACTS: dict[str, tuple[Registry[Any], Callable[[Any], Problems]]] = {
    "family": (FAMILIES, family_problems),
    "metric": (METRICS, metric_problems),
    "feature": (FEATURES, feature_problems),
    "split": (SPLITS, split_problems),
    "source": (CUSTOM_SOURCES, custom_source_problems),
}


def example_rows(
    rows: int, seed: int, departments: tuple[str, ...] = ("food", "toys")
) -> pd.DataFrame:
    """Inputs with gaps, an empty column, a flag and more stores than boosting has bins."""
    random = np.random.default_rng(seed)
    built = pd.DataFrame(
        {
            "price": random.gamma(2, 5, rows),
            "promotion": random.random(rows) < 0.3,
            "weekday": random.integers(0, 7, rows).astype("int32"),
            "void": np.full(rows, np.nan),
            "units_lag_7": random.poisson(5, rows).astype(float),
            "department": random.choice(departments, rows).astype(object),
            "store": random.choice([f"s{number}" for number in range(300)], rows).astype(object),
            "note": "a column that no model reads",
        }
    )
    built.loc[::9, ["price", "units_lag_7"]] = np.nan
    built.loc[::11, "department"] = None
    return built


def example_target(rows: int, classes: int = 0) -> pd.Series[Any]:
    """Counts, or as many labels as there are to be classes."""
    units = pd.Series(np.random.default_rng(7).poisson(5, rows).astype(float), name="units")
    return units.map(lambda value: f"class {value % classes:g}") if classes else units


def example_forecasts(fitted: sklearn.pipeline.Pipeline, rows: pd.DataFrame) -> FloatArray:
    """Forecasts, of shape (rows,), or the probabilities of classes, (rows, classes)."""
    forecast = getattr(fitted, "predict_proba", None) or fitted.predict
    return np.asarray(forecast(rows), dtype=np.float64)


def of_classes(family: Family) -> bool:
    """Whether a family is for targets of classes alone."""
    return "regression" not in family.tasks


def example_observations(
    day: pd.Timestamp, reach: int, columns: ColumnSettings = EXAMPLE_COLUMNS
) -> pd.DataFrame:
    """Four rows a day from ten days before what a feature of `day` reaches to three days after it.

    Each is of another series, where there are series.
    """
    days = pd.date_range(
        day - pd.Timedelta(days=reach + 10), day + pd.Timedelta(days=3), freq="D", unit="ns"
    )
    random = np.random.default_rng(4)
    names = dict.fromkeys([*columns.series, *columns.categorical])
    frames = [
        pd.DataFrame(
            {
                columns.date: days,
                # the first name alone tells the four apart
                **{name: f"{name} {number % 2 if at else number}" for at, name in enumerate(names)},
                columns.target: random.poisson(9, len(days)).astype(float),
                **{name: random.gamma(2, 5, len(days)).round(2) for name in columns.numeric},
            }
        )
        for number in range(4)
    ]
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values(columns.date, kind="stable", ignore_index=True)


def _description_problems(description: object) -> Problems:
    if not isinstance(description, str) or not description.endswith("."):
        yield f"description is {description!r}; say in a sentence, with a full stop, what it is"


def _differ(first: Any, second: Any) -> bool:
    """Whether two arrays differ in any bit, missing values apart."""
    return not np.array_equal(
        np.asarray(first, dtype=float), np.asarray(second, dtype=float), equal_nan=True
    )


def _close(first: float, second: float) -> bool:
    return abs(first - second) <= TOLERANCE * max(1.0, abs(first), abs(second))
