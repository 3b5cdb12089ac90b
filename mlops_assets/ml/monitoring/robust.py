"""What is usual: medians and spreads that a few odd days do not move."""

from __future__ import annotations

from mlops_assets.lazy import np
from mlops_assets.ml.metrics.metric import FloatArray, IntArray

MAD_TO_DEVIATION = 1.4826  # of a normal distribution
SAME_WEEKDAYS = 3  # the fewest that speak for a weekday


def robust_deviation(residuals: FloatArray) -> float:
    """The standard deviation, as of a normal distribution, by the median absolute residual.

    (Hampel, The influence curve and its role in robust estimation, 1974.)
    """
    return MAD_TO_DEVIATION * float(np.median(abs(residuals)))


def usual_middle(values: FloatArray, weekdays: IntArray, weekday: int) -> tuple[float, float]:
    """The median of a weekday and the robust standard deviation of all days, of shape (days,).

    The median of all days where the weekday has fewer than SAME_WEEKDAYS; the deviation is that
    of each day from its weekday's median.
    """
    middles = np.array(
        [
            np.median(values[weekdays == known]) if (weekdays == known).any() else np.nan
            for known in range(7)
        ]
    )
    own = (weekdays == weekday).sum() >= SAME_WEEKDAYS
    middle = float(middles[weekday] if own else np.median(values))
    return middle, robust_deviation(values - middles[weekdays])
