"""Acceptance: what a new version must show before it serves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_assets.lazy import np, pd, sklearn
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.metric import FloatArray, finite_rows
from mlops_assets.ml.models.training import forecast

REPRODUCED_ROWS = 500
MEASURES = ("loss", "least", "limit")  # what the numbers of its checks are called

# Each check by name, with what it asks of a version.
CHECKS = {
    "beats_baseline": "On the holdout its primary metric is no worse than the baseline's.",
    "no_worse_than_in_service": (
        "On the same rows of the holdout its primary metric is not worse than that of the version "
        "in service by more than acceptance.tolerance."
    ),
    "sound_forecasts": "Its forecasts of the holdout are finite and not all the same.",
    "reproducible": "Fitted twice on the same rows, it makes the same forecasts to the last bit.",
}


def judged(
    passed: bool, why: str, *, loss: float | None = None, limit: float | None = None
) -> CheckResult:
    """A check of a version; `loss` and `limit` are of the primary metric."""
    return CheckResult(passed, why, severe=not passed, value=loss, high=limit, names=MEASURES)


def within(loss: float, limit: float, limit_of: str) -> CheckResult:
    """Whether a loss is at most as large as a limit; `limit_of` says what that is."""
    if math.isnan(loss) or math.isnan(limit):
        why = "not compared: the metric is not defined on these rows, such as those of one class"
        return judged(True, why)
    passed = loss <= limit
    relation = "within" if passed else "above"
    why = f"{loss:.4g} is {relation} {limit:.4g}, {limit_of}"
    return judged(passed, why, loss=loss, limit=limit)


def sound_forecasts(
    forecasts: FloatArray, actual: FloatArray, *, may_be_constant: bool = False
) -> CheckResult:
    """Whether forecasts of the holdout are finite and say more than one value.

    They are of shape (rows,) or, of several classes, (rows, classes). Actuals that are all the
    same may be forecast by one value, and so may any by a kind of model that says one value by
    intent.
    """
    infinite = len(forecasts) - int(finite_rows(forecasts).sum())
    if infinite:
        why = f"{infinite} of {len(forecasts)} forecasts are not finite"
        return judged(False, why)
    if not may_be_constant and not np.ptp(forecasts, axis=0).any() and np.ptp(actual) > 0:
        values = ", ".join(f"{value:.4g}" for value in np.atleast_1d(forecasts[0]))
        why = f"all {len(forecasts)} forecasts are {values}"
        return judged(False, why)
    return judged(True, f"from {forecasts.min():.4g} to {forecasts.max():.4g}, all finite")


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
