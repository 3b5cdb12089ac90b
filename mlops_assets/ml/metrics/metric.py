"""Metrics of forecasts. Each is a function of sums, so that rows, days, slices and windows pool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeAlias

from mlops_assets.lazy import np, pd
from mlops_assets.ml.registries import Registry

FloatArray: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
BoolArray: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"
IntArray: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.int64]]"
Term: TypeAlias = "FloatArray | Histogram"

NUMERATOR, DENOMINATOR, ROWS = "__num", "__den", "rows"
WEIGHT = "row_weight"  # how much a row counts, where not all count alike
Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Histogram:
    """A term whose sums are those of the cells of a histogram.

    `cells`, each from 0 to below `size`, and `weights` are of the same shape, (rows,) or (rows, n)
    where a row adds to n cells. Its sums are of shape (groups, size), and no larger thing is made.
    """

    cells: IntArray
    size: int
    weights: FloatArray

    def sums(self, group: IntArray, groups: int) -> FloatArray:
        """The sums of each group; `group` is that of each row, from 0 to below `groups`."""
        cells = group.reshape(-1, *[1] * (self.cells.ndim - 1)) * self.size + self.cells
        flat = np.bincount(
            cells.ravel(), weights=self.weights.ravel(), minlength=groups * self.size
        )
        sums: FloatArray = flat.astype(float).reshape(groups, self.size)
        return sums


class Metric(ABC):
    """A number that judges forecasts; subclasses are frozen dataclasses of their options."""

    name: ClassVar[str]
    description: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    """What kinds of target it is for."""
    direction: ClassVar[Literal["lower", "zero", "higher"]] = "lower"
    """Whether lower values, values closer to zero or higher ones, up to 1, are better."""
    non_negative: ClassVar[bool] = False
    """Whether it is defined for targets of at least 0 only."""
    binned: ClassVar[bool] = False
    """Whether its terms are histograms."""
    needs_rows: ClassVar[bool] = False
    """Whether its sums only come close to it, so that it has `of_rows`."""

    @abstractmethod
    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        """What each row adds to two sums, by default the numerator and denominator of a ratio.

        `actual` is of shape (rows,), `forecast` as well; of a target with more than two classes it
        holds a probability each, of shape (rows, classes). A term is of shape (rows,), of shape
        (rows, n) for n sums, or a histogram.
        """

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        """The metric of each group, of shape (groups,), from its sums, NaN where it has none.

        Sums are of shape (groups,), or (groups, n) where the term has n of them. `rows` are how
        many there are, whatever they count: a mean divides by a sum of its terms.
        """
        return share(numerator, denominator)

    def of_rows(
        self,
        actual: FloatArray,
        forecast: FloatArray,
        group: IntArray,
        groups: int,
        weight: FloatArray | None,
    ) -> FloatArray:
        """The metric of each group of rows, of shape (groups,), NaN where it has none.

        `group` is that of each row, from 0 to below `groups`; `weight` how much each counts, of
        shape (rows,), None where all count alike.
        """
        raise NotImplementedError(f"{self.name} needs no rows: its sums say it")

    def counted(
        self, actual: FloatArray, forecast: FloatArray, weight: FloatArray | None
    ) -> tuple[Term, Term]:
        """The terms of rows, each as often as it counts."""
        above, below = self.terms(actual, forecast)
        return times(above, weight), times(below, weight)

    def loss(self, values: FloatArray) -> FloatArray:
        """What ranks, better when lower: the value, its distance from zero, or 1 less the value."""
        if self.direction == "higher":
            return 1.0 - values
        return abs(values) if self.direction == "zero" else values

    @property
    def loss_name(self) -> str:
        """What to call the loss."""
        return f"1 - {self.name}" if self.direction == "higher" else self.name


def times(term: Term, weight: FloatArray | None) -> Term:
    """A term of rows, each as often as it counts; as it is where all count alike."""
    if weight is None:
        return term
    values = term.weights if isinstance(term, Histogram) else term
    counted = values * weight.reshape(-1, *[1] * (values.ndim - 1))
    return replace(term, weights=counted) if isinstance(term, Histogram) else counted


def share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Their quotient, missing where the whole is zero."""
    missing: FloatArray = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=missing, where=whole != 0)


METRICS: Registry[type[Metric]] = Registry("metric")
register = METRICS.register


def _per_row(errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    return errors, np.ones_like(errors)


@register
@dataclass(frozen=True)
class MeanAbsoluteError(Metric):
    name = "mae"
    description = "Mean absolute error, in units of the target."

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _per_row(abs(forecast - actual))


@register
@dataclass(frozen=True)
class WeightedAbsolutePercentageError(Metric):
    """Sum of absolute errors over the sum of absolute actuals (Kolassa and Schuetz, 2007)."""

    name = "wmape"
    description = (
        "Sum of absolute errors over the sum of absolute actuals, a share; missing where actuals "
        "are all zero and forecasts are not."
    )

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[FloatArray, FloatArray]:
        return abs(forecast - actual), abs(actual)

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        nothing = np.where(numerator > 0, np.nan, 0.0)
        return np.divide(numerator, denominator, out=nothing, where=denominator > 0)


@register
@dataclass(frozen=True)
class RootMeanSquaredError(Metric):
    name = "rmse"
    description = "Root of the mean squared error, in units of the target."

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _per_row((forecast - actual) ** 2)

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        return np.sqrt(share(numerator, denominator))


@register
@dataclass(frozen=True)
class TweedieDeviance(Metric):
    """Mean unit deviance of the Tweedie distribution with a power between 1 and 2.

    2 (y^(2-p) / ((1-p)(2-p)) - y m^(1-p) / (1-p) + m^(2-p) / (2-p)) for an actual y and a
    forecast m (Joergensen, Exponential Dispersion Models, 1987; scikit-learn's
    mean_tweedie_deviance). It is infinite for m = 0 and y > 0, so forecasts below the floor, in
    units of the target, are raised to it.
    """

    power: float = 1.5
    floor: float = 0.1

    non_negative = True
    name = "tweedie_deviance"
    description = (
        "Mean Tweedie deviance, for counts with many zeros; forecasts are raised to the floor."
    )

    def __post_init__(self) -> None:
        if not 1 < self.power < 2:
            raise ValueError(
                f"power of tweedie_deviance must lie between 1 and 2, not {self.power}"
            )
        if not 0 < self.floor < float("inf"):
            raise ValueError(f"floor of tweedie_deviance must be above 0, not {self.floor}")

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[FloatArray, FloatArray]:
        if (actual < 0).any():
            raise ValueError(
                f"tweedie_deviance needs actuals of at least 0, found {actual.min():g}; "
                "leave it out of evaluation.metrics for a target that can be negative"
            )
        a, b = 1 - self.power, 2 - self.power
        mean = np.maximum(forecast, self.floor)
        return _per_row(2 * (actual**b / (a * b) - actual * mean**a / a + mean**b / b))


@register
@dataclass(frozen=True)
class Bias(Metric):
    name = "bias"
    description = "Mean of forecast minus actual, in units of the target: above zero, too much."
    direction = "zero"

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _per_row(forecast - actual)


def make_metrics(specs: Sequence[str | Mapping[str, Mapping[str, float]]]) -> dict[str, Metric]:
    """Metrics by name from settings such as `mae` or `{tweedie_deviance: {power: 1.5}}`.

    ValueError, with what is allowed, for an unknown name or option, a repeated name or an option
    out of its bounds.
    """
    metrics: dict[str, Metric] = {}
    for spec in specs:
        entries = {spec: {}} if isinstance(spec, str) else spec
        for name, options in entries.items():
            if name not in METRICS:
                raise ValueError(f"{name!r} is no known metric; choose of: {', '.join(METRICS)}")
            if name in metrics:
                raise ValueError(f"{name!r} is named more than once")
            known = [field.name for field in fields(METRICS[name])]  # type: ignore[arg-type]
            unknown = sorted(set(options) - set(known))
            if unknown:
                allowed = ", ".join(known) or "none"
                raise ValueError(f"{name!r} has no option {unknown[0]!r}; its options: {allowed}")
            for option, value in options.items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise ValueError(f"{option} of {name} must be a number, not {value!r}")
            metrics[name] = METRICS[name](**options)
    return metrics


def _require_finite(**columns: FloatArray) -> None:
    for name, values in columns.items():
        bad = values[~np.isfinite(values)]
        if bad.size:
            raise ValueError(
                f"every {name} value must be finite, but {bad.size} of {values.size} are not, "
                f"the first of them {bad[0]}; drop those rows"
            )


def weight_of(rows: pd.DataFrame) -> FloatArray | None:
    """How much each row counts, of shape (rows,); None where all count alike.

    One without a weight, as stored before there were weights, does not count.
    """
    return rows[WEIGHT].fillna(0.0).to_numpy(dtype=float) if WEIGHT in rows else None


def score(
    metrics: Mapping[str, Metric],
    actual: FloatArray,
    forecast: FloatArray,
    weight: FloatArray | None = None,
) -> dict[str, float]:
    """Each metric of forecasts against actuals, as `Metric.terms` takes them.

    Rows are paired by position, and count by their `weight`, of shape (rows,), where it is given.
    ValueError when they are empty, differ in shape or are not finite.
    """
    actual, forecast = np.asarray(actual, dtype=float), np.asarray(forecast, dtype=float)
    if actual.shape != forecast.shape[:1] or not actual.size:
        raise ValueError(
            f"need as many forecasts as actuals and at least one, "
            f"not shapes {forecast.shape} and {actual.shape}"
        )
    _require_finite(actual=actual, forecast=forecast)
    rows = np.array([float(actual.size)])
    one_group = np.zeros(actual.size, dtype=np.int64)
    scores = {}
    for name, metric in metrics.items():
        if metric.needs_rows:
            scores[name] = float(metric.of_rows(actual, forecast, one_group, 1, weight)[0])
            continue
        numerator, denominator = (
            term.sums(one_group, 1) if isinstance(term, Histogram) else term.sum(0, keepdims=True)
            for term in metric.counted(actual, forecast, weight)
        )
        scores[name] = float(metric.finish(numerator, denominator, rows)[0])
    return scores


def term_sums(
    metrics: Mapping[str, Metric], frame: pd.DataFrame, by: Sequence[str]
) -> pd.DataFrame:
    """Sums of the terms of each group of rows of a frame with columns `actual` and `forecast`.

    And `row_weight`, where rows do not count alike. Indexed by group, with two columns per metric,
    `<metric>__num` and `<metric>__den`, and `rows`; a term with several sums has a column for each,
    `<metric>__num_0` and so on. Rows without a value in a column of `by` are a group too, so the
    sums of all groups are those of all rows. Sums may be added up further. ValueError when an
    actual or forecast is not finite.
    """
    actual = frame["actual"].to_numpy(dtype=float)
    forecast, weight = as_array(frame["forecast"]), weight_of(frame)
    _require_finite(actual=actual, forecast=forecast)
    columns: dict[str, FloatArray] = {}
    histograms: dict[str, Histogram] = {}
    for name, metric in metrics.items():
        for side, term in zip(
            (NUMERATOR, DENOMINATOR), metric.counted(actual, forecast, weight), strict=True
        ):
            if isinstance(term, Histogram):
                histograms[name + side] = term
            elif term.ndim == 1:
                columns[name + side] = term
            else:
                columns |= {f"{name}{side}_{n}": part for n, part in enumerate(term.T)}
    columns[ROWS] = np.ones_like(actual)
    groups = _grouped(columns, frame, by)
    sums = groups.sum()
    if histograms:
        group = groups.ngroup().to_numpy().astype(np.int64)
        wide = [
            pd.DataFrame(histogram.sums(group, len(sums)), index=sums.index).add_prefix(f"{name}_")
            for name, histogram in histograms.items()
        ]
        sums = pd.concat([*wide, sums], axis=1)
    return sums.rename_axis(list(by) if len(by) > 1 else by[0])


def _grouped(
    values: Mapping[str, FloatArray], frame: pd.DataFrame, by: Sequence[str]
) -> pd.api.typing.DataFrameGroupBy[Any, Any]:
    """Values of the rows of a frame by its columns `by`."""
    # by name, since of keys that are arrays pandas first writes down that they are no columns
    keys = {f"by {column}": frame[column].to_numpy() for column in by}
    return pd.DataFrame({**values, **keys}).groupby([*keys], sort=True, dropna=False)


def group_scores(
    metrics: Mapping[str, Metric], frame: pd.DataFrame, by: Sequence[str]
) -> pd.DataFrame:
    """The metrics of each group of rows of a frame, as `term_sums` takes them, from its rows.

    Indexed by group, with a column per metric and `rows`. A group's do not depend on which others
    there are.
    """
    actual = frame["actual"].to_numpy(dtype=float)
    forecast = as_array(frame["forecast"])
    groups = _grouped({}, frame, by)
    group = groups.ngroup().to_numpy().astype(np.int64)
    summed = without_rows(metrics)
    scores = finish_sums(summed, term_sums(summed, frame, by))
    for name in metrics.keys() - summed.keys():
        scores[name] = metrics[name].of_rows(
            actual, forecast, group, groups.ngroups, weight_of(frame)
        )
    return scores[[*metrics, ROWS]]


def without_rows(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics that their sums say exactly."""
    return {name: metric for name, metric in metrics.items() if not metric.needs_rows}


def term_of(sums: pd.DataFrame, name: str) -> FloatArray:
    """The sums of a term such as `mae__num`, of shape (groups,) or, of several, (groups, n)."""
    if name in sums:
        return sums[name].to_numpy(dtype=float)
    parts = [column for column in sums if str(column).startswith(f"{name}_")]
    # group after group in memory, so that what is added up of one does not depend on the others
    return np.ascontiguousarray(sums[parts].to_numpy(dtype=float))


def finish_sums(metrics: Mapping[str, Metric], sums: pd.DataFrame) -> pd.DataFrame:
    """The metrics of each group from its sums: a column per metric and `rows`."""
    rows = sums[ROWS].to_numpy(dtype=float)
    if not len(rows):  # nothing to be finished, nor known of how many sums a metric has
        return pd.DataFrame({**dict.fromkeys(metrics, rows), ROWS: rows}, index=sums.index)
    values = {
        name: metric.finish(
            term_of(sums, name + NUMERATOR), term_of(sums, name + DENOMINATOR), rows
        )
        for name, metric in metrics.items()
    }
    return pd.DataFrame({**values, ROWS: rows}, index=sums.index)


def as_array(column: pd.Series[Any]) -> FloatArray:
    """Numbers of shape (rows,), or probabilities of shape (rows, classes), as frames hold them.

    Where rows are of before a class was added, its probability is 0.
    """
    if column.dtype != object:
        return column.to_numpy(dtype=float)
    rows = list(column)
    known = {len(row) for row in rows}
    if len(known) > 1:
        rows = [np.pad(row, (0, max(known) - len(row))) for row in rows]
    return np.array(rows, dtype=float).reshape(len(rows), max(known, default=0))


def finite_rows(values: FloatArray) -> BoolArray:
    """Whether the number, or every probability, of each row is finite; of shape (rows,)."""
    return np.asarray(np.isfinite(values).reshape(len(values), -1).all(axis=1))


def as_column(values: FloatArray) -> list[FloatArray] | FloatArray:
    """What a frame is to hold of numbers or probabilities: an array in each row of the latter."""
    return values if values.ndim == 1 else list(values)


def rolling_sum(values: FloatArray, days: int) -> FloatArray:
    """The sum over so many days up to each day, the first axis; those before count as zero."""
    # day after day, so that a sum does not depend on how many others there are
    sums: FloatArray = np.zeros(values.shape)
    for back in reversed(range(min(days, len(values)))):
        sums[back:] += values[: len(values) - back]
    return sums
