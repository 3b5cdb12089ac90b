"""Acceptance: what a new version must show before it serves.

A holdout is short, and one holiday can make a sound version look bad. So a version is refused only
where it is surely worse than it may be. What is judged is its loss less what is allowed, a multiple
of the other's, with the sampling error of that difference on the same rows, which is that of the
champion's gate. A difference and no ratio: of a difference that comes from a single day, however
large, the standard error is as large as it, so that one day alone never refuses. Nor does one day
hide what the others show: they are judged once more without the worst.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.lazy import np, pd, sklearn
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.metric import FloatArray, as_column, finite_rows
from mlops_assets.ml.models.training import forecast
from mlops_assets.ml.selection.gate import Paired, error_of_difference, quantiles, too_few

REPRODUCED_ROWS = 500
CONFIDENCE = 0.95  # that a version which is refused is worse than it may be
MEASURES = ("loss", "least", "limit")  # what the numbers of its checks are called

# Each check by name, with what it asks of a version.
CHECKS = {
    "beats_baseline": "On the holdout its primary metric is not surely worse than the baseline's.",
    "no_worse_than_in_service": (
        "On the same rows of the holdout its primary metric is not surely worse than that of the "
        "version in service by more than acceptance.tolerance."
    ),
    "sound_forecasts": "Its forecasts of the holdout are finite and not all the same.",
    "reproducible": "Fitted twice on the same rows, it makes the same forecasts to the last bit.",
}

COMPARISONS = ("beats_baseline", "no_worse_than_in_service")


def judged(passed: bool, why: str, loss: float | None = None, **more: Any) -> CheckResult:
    """A check of a version; `loss` and, in what there is more, `high` are of the primary metric."""
    return CheckResult(passed, why, severe=not passed, value=loss, names=MEASURES, **more)


def forecast_rows(
    dates: pd.Series[Any], actual: FloatArray, forecasts: FloatArray, **more: pd.Series[float]
) -> pd.DataFrame:
    """Rows of a holdout with their forecasts, as `gate.paired` takes those of a model.

    A row is told from the others of its day by its position.
    """
    found = {"date": dates.to_numpy(), "actual": actual, "forecast": as_column(forecasts)}
    rows = pd.DataFrame(found | {name: values.to_numpy() for name, values in more.items()})
    return rows.assign(row=rows.groupby("date").cumcount())


@dataclass(frozen=True)
class Difference:
    """How a version did beside another one, and what is chance in it."""

    loss: float
    allowed: float
    limit: float
    """The largest loss that is not surely above what is allowed."""
    days: int
    rows: int

    @property
    def sure(self) -> bool:
        """Whether it is surely worse than it may be."""
        return self.loss > self.limit and not math.isclose(self.loss, self.limit)

    @property
    def measures(self) -> dict[str, Any]:
        """The numbers of a check."""
        above, chance = self.loss - self.allowed, self.limit - self.allowed
        ends = {"difference_low": above - chance, "difference_high": above + chance}
        sizes = {"days": float(self.days), "rows": float(self.rows)}
        return {
            "loss": self.loss,
            "high": self.limit,
            "also": {"difference": above, **ends, **sizes},
        }


def not_surely_worse(
    window: Paired, other: str, *, tolerance: float = 0.0, confidence: float = CONFIDENCE
) -> CheckResult:
    """Whether a version does not do surely worse than it may, on rows that another one forecast.

    In `window` the other one is the champion. Allowed are its loss and, as a share of that, the
    `tolerance`. Refused is what lies above by more than chance explains, at a one-sided
    `confidence`, on all days or without its worst one. Where there are too few days to measure
    chance, nothing is refused.
    """
    if why := _incomparable(window, other):
        return judged(True, f"not compared: {why}")
    found = _measured(window, tolerance, confidence)
    theirs, loss = window.losses()
    allowed = (1 + tolerance) * theirs
    more = f"{tolerance:.0%} more than " if tolerance else ""
    limit_of = (
        f"{allowed:.4g}, {more}the {window.metric.loss_name} of {other} on the same "
        f"{len(window.actual)} rows"
    )
    if isinstance(found, str):
        return judged(True, f"not judged: {found}; it is {loss:.4g} beside {limit_of}", loss)
    if loss <= allowed:
        return judged(True, f"{loss:.4g} is within {limit_of}", **found.measures)
    chance = f"up to {found.limit:.4g} may be chance"
    if found.sure:
        return judged(False, f"{loss:.4g} is surely above {limit_of}: {chance}", **found.measures)
    day = _worst_day(window)
    rest = _measured(window.without(day), tolerance, confidence)
    if isinstance(rest, Difference) and rest.sure:
        why = (
            f"{loss:.4g} is above {limit_of}; without {str(day)[:10]}, its worst day, "
            f"{rest.loss:.4g} is surely above {rest.allowed:.4g}: up to {rest.limit:.4g} may be "
            "chance"
        )
        return judged(False, why, **rest.measures)
    why = f"{loss:.4g} is above {limit_of}, but not surely: {chance}"
    return judged(True, why, **found.measures)


def _incomparable(window: Paired, other: str) -> str:
    """Why there is nothing to compare, empty where there is."""
    if not len(window.actual) or not len(window.day_sums()[0].rows):
        return f"no row that counts was forecast by {other} as well"
    if lost := _not_finite(window.forecasts[0]):
        return f"of {other} {lost}"
    if not np.isfinite(window.losses()).all():
        name = window.metric.loss_name
        return f"{name} is not defined on these rows, such as those of one class"
    return ""


def _measured(window: Paired, tolerance: float, confidence: float) -> Difference | str:
    """The difference in a window, or why chance cannot be measured there."""
    theirs, loss = window.losses()
    sums = window.day_sums()
    days = len(sums[0].rows)
    block = block_days(days)
    if few := too_few(sums[0], block):
        return few
    # surely worse than the other at all, too: else more tolerance could refuse more
    errors = {
        ratio: error_of_difference(window.metric, sums, block, ratio)
        for ratio in (1.0, 1 + tolerance)
    }
    wide = quantiles(sums[0], block, 1 - confidence)
    limit = max(ratio * theirs + wide * error for ratio, error in errors.items())
    if not math.isfinite(limit):
        return f"without some of the {days} days {window.metric.loss_name} is not defined"
    return Difference(loss, (1 + tolerance) * theirs, limit, days, len(window.actual))


def _worst_day(window: Paired) -> np.datetime64:
    """The day without which the version comes off best beside the other one."""

    def above(day: np.datetime64) -> float:
        theirs, loss = window.without(day).losses()
        return math.inf if math.isnan(loss - theirs) else loss - theirs

    worst: np.datetime64 = min(np.unique(window.dates), key=above)
    return worst


def block_days(days: int) -> int:
    """How many days stay together where chance is measured: the cube root of all, rounded up.

    The variance of blocks is best for lengths that grow so (Kuensch, 1989).
    """
    return next(length for length in range(1, days + 1) if length**3 >= days)


def sound_forecasts(
    forecasts: FloatArray, actual: FloatArray, *, may_be_constant: bool = False
) -> CheckResult:
    """Whether forecasts of the holdout are finite and say more than one value.

    They are of shape (rows,) or, of several classes, (rows, classes). Actuals that are all the
    same may be forecast by one value, and so may any by a kind of model that says one value by
    intent.
    """
    if lost := _not_finite(forecasts):
        return judged(False, lost)
    if not may_be_constant and not np.ptp(forecasts, axis=0).any() and np.ptp(actual) > 0:
        values = ", ".join(f"{value:.4g}" for value in np.atleast_1d(forecasts[0]))
        why = f"all {len(forecasts)} forecasts are {values}"
        return judged(False, why)
    return judged(True, f"from {forecasts.min():.4g} to {forecasts.max():.4g}, all finite")


def _not_finite(forecasts: FloatArray) -> str:
    """How many of the forecasts are not finite, in words; empty where all are."""
    lost = len(forecasts) - int(finite_rows(forecasts).sum())
    return f"{lost} of {len(forecasts)} forecasts are not finite" if lost else ""


def reproducible(
    pipeline: sklearn.pipeline.Pipeline,
    rows: pd.DataFrame,
    inputs: list[str],
    target: str,
    classes: Sequence[str] = (),
) -> CheckResult:
    """Whether two fits on at most 500 of the rows agree. `pipeline` stays unfitted."""
    rows = rows.sample(min(len(rows), REPRODUCED_ROWS), random_state=0)
    first, second = (
        forecast(
            sklearn.base.clone(pipeline).fit(rows[inputs], rows[target]),
            rows[inputs],
            classes=classes,
        )
        for _ in range(2)
    )
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    different = int((~same).reshape(len(rows), -1).any(axis=1).sum())
    if different:
        why = f"{different} of {len(rows)} forecasts differ between two fits on the same rows"
        return judged(False, why)
    return judged(True, f"two fits on {len(rows)} rows agree to the last bit")
