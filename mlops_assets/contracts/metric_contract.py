"""What every metric must hold."""

from __future__ import annotations

from typing import get_args, get_type_hints

from mlops_assets.contracts.wording import (
    TOLERANCE,
    Problems,
    close,
    description_problems,
    differ,
)
from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.metric import Metric, finish_sums, score, term_sums

NO_ACTUALS = "actuals of zero"
DIRECTIONS = get_args(get_args(get_type_hints(Metric)["direction"])[0])


def metric_problems(metric: type[Metric]) -> Problems:
    """The problems of a metric, with its options at their defaults."""
    yield from description_problems(metric.description)
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
            NO_ACTUALS: (np.zeros(400), forecast),
            "one row": (actual[:1], forecast[:1]),
        }
        if not metric.non_negative:
            samples["values below zero"] = (actual - 5, forecast - 5)
    for what, (truth, guess) in samples.items():
        value = score(made, truth.copy(), guess.copy())[metric.name]
        missing = what == NO_ACTUALS and np.isnan(value)  # a share of nothing is none
        if not np.isfinite(value) and not missing:
            yield f"of {what} it is {value}; it must be finite"
    given = actual.copy(), forecast.copy()
    whole = score(made, *given)[metric.name]
    if differ(given[0], actual) or differ(given[1], forecast):
        yield "it changes the arrays that it is given"
    frame = pd.DataFrame({"day": np.arange(400) % 7, "actual": actual, "forecast": forecast})
    pooled = finish_sums(made, term_sums(made, frame, ["day"]).sum().to_frame().T)
    if not close(float(pooled[metric.name].iloc[0]), whole):
        yield (
            "the sums of seven days do not add up to the metric of all rows: use a function of sums"
        )
    order = random.permutation(400)
    if not close(score(made, actual[order], forecast[order])[metric.name], whole):
        yield "it depends on the order of the rows"
    guesses = [actual + scale * (forecast - actual) for scale in (0.0, 0.1, 1.0)]
    values = np.array([score(made, actual, guess)[metric.name] for guess in guesses])
    perfect = values[0]
    best, *losses = made[metric.name].loss(values)
    if any(best > loss + TOLERANCE for loss in losses):
        yield (
            f"a perfect forecast scores {perfect:.4g}, worse than one with errors, "
            f"where the direction {metric.direction!r} says what is better"
        )
