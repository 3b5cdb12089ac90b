"""The contract of a metric finds each way of breaking it, and says it in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mlops_assets.contracts.metric_contract import metric_problems
from mlops_assets.ml.metrics.metric import Metric


@dataclass(frozen=True)
class Crooked(Metric):
    how: str = ""

    name = "crooked"
    description = "For tests."

    def terms(self, actual: Any, forecast: Any) -> Any:
        error = abs(forecast - actual)
        match self.how:
            case "order":
                error = error * np.arange(len(error))
            case "rude":
                forecast += 1
            case "backwards":
                error = -error
            case "share":
                return error, actual
        return error, np.ones_like(error)

    def finish(self, numerator: Any, denominator: Any, rows: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = numerator / denominator
        return value + (np.log(rows) == np.log(400)) * (self.how == "worse with rows")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("order", "depends on the order of the rows"),
        ("rude", "changes the arrays"),
        ("backwards", "a perfect forecast scores"),
        ("share", "of actuals of zero it is inf; it must be finite"),
    ],
)
def test_metrics(how: str, words: str) -> None:
    class Made(Crooked):
        def __init__(self) -> None:
            super().__init__(how)

    assert words in " ".join(metric_problems(Made))


def test_a_metric_that_is_no_ratio_of_sums() -> None:
    class PerGroup(Crooked):
        def terms(self, actual: Any, forecast: Any) -> Any:
            error = abs(forecast - actual)
            return np.full_like(error, np.median(error)), np.ones_like(error)

    class Undirected(Crooked):
        direction = "up"  # type: ignore[assignment]

    class Needy(Crooked):
        def __init__(self, power: float) -> None: ...

    assert list(metric_problems(Crooked)) == []
    shuffled = " ".join(metric_problems(Undirected))
    assert "direction is 'up'; say which values are better: ('lower', 'zero'" in shuffled
    assert "give each one a default" in " ".join(metric_problems(Needy))
