"""Metrics of forecasts. Each is a ratio of sums, so that rows, days, slices and windows pool."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from mlops_assets.ml.registries import Registry

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    FloatArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

NUMERATOR, DENOMINATOR, ROWS = "__num", "__den", "rows"


class Metric(ABC):
    """A number that judges forecasts; subclasses are frozen dataclasses of their options."""

    name: ClassVar[str]
    description: ClassVar[str]
    direction: ClassVar[Literal["lower", "zero"]] = "lower"
    """Whether lower values or values closer to zero are better."""
    non_negative: ClassVar[bool] = False
    """Whether it is defined for targets of at least 0 only."""

    @abstractmethod
    def terms(
        self, actual: "FloatArray", forecast: "FloatArray"
    ) -> tuple["FloatArray", "FloatArray"]:
        """What each row adds to the numerator and to the denominator, both of shape (rows,)."""

    def finish(
        self, numerator: "FloatArray", denominator: "FloatArray", rows: "FloatArray"
    ) -> "FloatArray":
        """The metric of each group from its sums, all of shape (groups,)."""
        return numerator / denominator

    def loss(self, values: "FloatArray") -> "FloatArray":
        """What ranks: the value, or its distance from zero."""
        return abs(values) if self.direction == "zero" else values


METRICS: Registry[type[Metric]] = Registry("metric")


def register(metric: type[Metric]) -> type[Metric]:
    """Make a metric known under its name."""
    METRICS.add(metric, metric)
    return metric


def _per_row(errors: "FloatArray") -> tuple["FloatArray", "FloatArray"]:
    import numpy as np

    return errors, np.ones_like(errors)


@register
@dataclass(frozen=True)
class MeanAbsoluteError(Metric):
    name = "mae"
    description = "Mean absolute error, in units of the target."

    def terms(
        self, actual: "FloatArray", forecast: "FloatArray"
    ) -> tuple["FloatArray", "FloatArray"]:
        return _per_row(abs(forecast - actual))


@register
@dataclass(frozen=True)
class WeightedAbsolutePercentageError(Metric):
    """Sum of absolute errors over the sum of absolute actuals (Kolassa and Schuetz, 2007)."""

    name = "wmape"
    description = (
        "Sum of absolute errors over the sum of absolute actuals, a share; where the actuals are "
        "all zero, every row counts as one unit."
    )

    def terms(
        self, actual: "FloatArray", forecast: "FloatArray"
    ) -> tuple["FloatArray", "FloatArray"]:
        return abs(forecast - actual), abs(actual)

    def finish(
        self, numerator: "FloatArray", denominator: "FloatArray", rows: "FloatArray"
    ) -> "FloatArray":
        import numpy as np

        return numerator / np.where(denominator > 0, denominator, rows)


@register
@dataclass(frozen=True)
class RootMeanSquaredError(Metric):
    name = "rmse"
    description = "Root of the mean squared error, in units of the target."

    def terms(
        self, actual: "FloatArray", forecast: "FloatArray"
    ) -> tuple["FloatArray", "FloatArray"]:
        return _per_row((forecast - actual) ** 2)

    def finish(
        self, numerator: "FloatArray", denominator: "FloatArray", rows: "FloatArray"
    ) -> "FloatArray":
        import numpy as np

        return np.sqrt(numerator / denominator)


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

    def terms(
        self, actual: "FloatArray", forecast: "FloatArray"
    ) -> tuple["FloatArray", "FloatArray"]:
        import numpy as np

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

    def terms(
        self, actual: "FloatArray", forecast: "FloatArray"
    ) -> tuple["FloatArray", "FloatArray"]:
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


def _require_finite(**columns: "FloatArray") -> None:
    import numpy as np

    for name, values in columns.items():
        bad = values[~np.isfinite(values)]
        if bad.size:
            raise ValueError(
                f"every {name} value must be finite, but {bad.size} of {values.size} are not, "
                f"the first of them {bad[0]}; drop those rows"
            )


def score(
    metrics: Mapping[str, Metric], actual: "FloatArray", forecast: "FloatArray"
) -> dict[str, float]:
    """Each metric of forecasts against actuals, both of shape (rows,) in units of the target.

    Rows are paired by position. ValueError when they are empty, differ in shape or are not finite.
    """
    import numpy as np

    actual, forecast = np.asarray(actual, dtype=float), np.asarray(forecast, dtype=float)
    if actual.shape != forecast.shape or not actual.size:
        raise ValueError(
            f"need as many forecasts as actuals and at least one, "
            f"not shapes {forecast.shape} and {actual.shape}"
        )
    _require_finite(actual=actual, forecast=forecast)
    rows = np.array([float(actual.size)])
    scores = {}
    for name, metric in metrics.items():
        numerator, denominator = metric.terms(actual, forecast)
        value = metric.finish(np.array([numerator.sum()]), np.array([denominator.sum()]), rows)
        scores[name] = float(value[0])
    return scores


def term_sums(
    metrics: Mapping[str, Metric], frame: "pd.DataFrame", by: Sequence[str]
) -> "pd.DataFrame":
    """Sums of the terms of each group of rows of a frame with columns `actual` and `forecast`.

    Indexed by group, with two columns per metric, `<metric>__num` and `<metric>__den`, and `rows`.
    Rows without a value in a column of `by` are a group too, so the sums of all groups are those
    of all rows. Sums may be added up further. ValueError when an actual or forecast is not finite.
    """
    import numpy as np
    import pandas as pd

    actual = frame["actual"].to_numpy(dtype=float)
    forecast = frame["forecast"].to_numpy(dtype=float)
    _require_finite(actual=actual, forecast=forecast)
    terms: dict[str, FloatArray] = {}
    for name, metric in metrics.items():
        terms[name + NUMERATOR], terms[name + DENOMINATOR] = metric.terms(actual, forecast)
    terms[ROWS] = np.ones_like(actual)
    groups = [frame[column].to_numpy() for column in by]
    keys = groups if len(groups) > 1 else groups[0]
    sums = pd.DataFrame(terms).groupby(keys, sort=True, dropna=False).sum()
    return sums.rename_axis(list(by) if len(by) > 1 else by[0])


def finish_sums(metrics: Mapping[str, Metric], sums: "pd.DataFrame") -> "pd.DataFrame":
    """The metrics of each group from its sums: a column per metric and `rows`."""
    import pandas as pd

    rows = sums[ROWS].to_numpy(dtype=float)
    values = {
        name: metric.finish(
            sums[name + NUMERATOR].to_numpy(dtype=float),
            sums[name + DENOMINATOR].to_numpy(dtype=float),
            rows,
        )
        for name, metric in metrics.items()
    }
    return pd.DataFrame({**values, ROWS: rows}, index=sums.index)
