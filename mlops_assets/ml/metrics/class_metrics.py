"""Metrics of probabilities: of one of two classes, or of each of several."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from mlops_assets.lazy import np
from mlops_assets.ml.metrics.metric import (
    BoolArray,
    FloatArray,
    Histogram,
    IntArray,
    Metric,
    Term,
    register,
    share,
)

SCORE_BINS = 512  # of which half lie as the rows of a class do, and half as the others


def one_vs_rest(actual: FloatArray, forecast: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Whether each row is of a class and how probable that was, both of shape (rows, classes).

    Of two classes it is the positive one alone: `forecast` is then of shape (rows,), `actual` 0 or
    1; otherwise `forecast` is of shape (rows, classes), `actual` the position of the class.
    """
    if forecast.ndim == 1:
        return (actual == 1)[:, None], forecast[:, None]
    return actual[:, None] == np.arange(forecast.shape[1]), forecast


def probability_of_actual(actual: FloatArray, forecast: FloatArray) -> FloatArray:
    """How probable the class that came was, of shape (rows,); 0 for a class not forecast at all."""
    of_class, probability = one_vs_rest(actual, forecast)
    if forecast.ndim == 1:
        return np.where(of_class, probability, 1 - probability)[:, 0]
    found: FloatArray = np.where(of_class, probability, 0.0).sum(axis=1)
    return found


@register
@dataclass(frozen=True)
class LogLoss(Metric):
    """Mean of -log p of the class that came (Good, Rational decisions, 1952; scikit-learn's).

    Infinite for p = 0, such as a class that no row of the training window was of; so p is raised to
    the floor, and one row costs at most -log(floor), 13.8 at the default.
    """

    floor: float = 1e-6

    name = "log_loss"
    description = (
        "Mean negative logarithm of the probability of the class that came; probabilities are "
        "raised to the floor."
    )
    tasks = ("classification",)

    def __post_init__(self) -> None:
        if not 0 < self.floor < 0.5:
            raise ValueError(
                f"floor of log_loss must be above 0 and less than 0.5, not {self.floor}"
            )

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        probability = np.maximum(probability_of_actual(actual, forecast), self.floor)
        return -np.log(probability), np.ones_like(actual)


@register
@dataclass(frozen=True)
class BrierScore(Metric):
    """Mean squared error of the probabilities (Brier, 1950; scikit-learn's brier_score_loss)."""

    name = "brier_score"
    description = (
        "Mean squared error of the probability of the positive class; of several classes, the sum "
        "over them, from 0 to 2."
    )
    tasks = ("classification",)

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        of_class, probability = one_vs_rest(actual, forecast)
        return ((probability - of_class) ** 2).sum(axis=1), np.ones_like(actual)


@register
@dataclass(frozen=True)
class Accuracy(Metric):
    threshold: float = 0.5

    name = "accuracy"
    description = (
        "Share of rows whose class is forecast: of two classes the positive one from the threshold "
        "on, of several the most probable one."
    )
    tasks = ("classification",)
    direction = "higher"

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(
                f"threshold of accuracy must lie between 0 and 1, not {self.threshold}"
            )

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        right = predicted(forecast, self.threshold) == actual
        return right.astype(float), np.ones_like(actual)


def predicted(forecast: FloatArray, threshold: float) -> FloatArray:
    """The class that probabilities speak for, by its position, of shape (rows,)."""
    if forecast.ndim == 1:
        return (forecast >= threshold).astype(float)
    positions: FloatArray = forecast.argmax(axis=1).astype(float)
    return positions


class _Ranking(Metric):
    """A function of the order of the rows: exact where they are at hand.

    Its sums are how many rows of a class and of the others have a probability in each bin; of days
    that are kept without their rows they are the area and 1, times the rows (see `daily_facts`).
    """

    tasks = ("classification",)
    direction = "higher"
    binned = True
    needs_rows = True

    @abstractmethod
    def area(
        self, of_class: FloatArray, others: FloatArray, group: IntArray, groups: int
    ) -> FloatArray:
        """The area of each group, of shape (groups,), from its steps.

        A step is how many rows of the class and of the others have one and the same probability;
        steps lie group after group, within each the largest probability first.
        """

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        return score_counts(*one_vs_rest(actual, forecast))

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        if numerator.ndim == 1:
            return share(numerator, denominator)
        of_class, others = (
            counts.reshape(-1, SCORE_BINS)[:, ::-1].ravel() for counts in (numerator, denominator)
        )
        groups = of_class.size // SCORE_BINS
        areas = self.area(of_class, others, np.repeat(np.arange(groups), SCORE_BINS), groups)
        return _mean_over_classes(areas.reshape(len(numerator), -1))

    def of_rows(
        self,
        actual: FloatArray,
        forecast: FloatArray,
        group: IntArray,
        groups: int,
        weight: FloatArray | None,
    ) -> FloatArray:
        counted = np.ones(len(actual)) if weight is None else weight
        rows_of, scores = one_vs_rest(actual, forecast)
        areas = np.empty((groups, scores.shape[1]))
        for position, (of_class, score) in enumerate(zip(rows_of.T, scores.T, strict=True)):
            order = np.lexsort((-score, group))
            score, grouped = score[order], group[order]
            step = np.ones(len(order), dtype=bool)  # whether a row is the first of its step
            step[1:] = (np.diff(score) != 0) | (np.diff(grouped) != 0)
            at = step.cumsum() - 1
            ones, others = (
                _totals((side * counted)[order], at, int(step.sum()))
                for side in (of_class, ~of_class)
            )
            areas[:, position] = self.area(ones, others, grouped[step], groups)
        return _mean_over_classes(areas)


def score_counts(of_class: BoolArray, probability: FloatArray) -> tuple[Histogram, Histogram]:
    """Histograms of the rows of each class and of the others, SCORE_BINS for a class.

    Both arguments are of shape (rows, classes).
    """
    classes = probability.shape[1]
    cells = np.empty(probability.shape, dtype=np.int64)
    for position, column in enumerate(zip(of_class.T, probability.T, strict=True)):
        cells[:, position] = SCORE_BINS * position + _bins(*column)
    size = SCORE_BINS * classes
    return (
        Histogram(cells, size, of_class.astype(float)),
        Histogram(cells, size, (~of_class).astype(float)),
    )


def _bins(of_class: BoolArray, score: FloatArray) -> IntArray:
    """The bin of each row, from 0 to below SCORE_BINS, larger for larger scores.

    Each score is one bin where there are few. Else the bins begin with scores that part the rows
    of the class evenly, and those that part the others: bins follow the data, and no monotone
    change of the scores changes them.
    """
    starts = np.unique(score)
    if len(starts) > SCORE_BINS:
        sides = [np.sort(side) for side in (score[of_class], score[~of_class]) if len(side)]
        evenly = [np.linspace(0, len(side), SCORE_BINS // 2, endpoint=False) for side in sides]
        parts = [side[at.astype(np.int64)] for side, at in zip(sides, evenly, strict=True)]
        starts = np.unique(np.concatenate(parts))
    bins: IntArray = np.searchsorted(starts, score, side="right") - 1
    return bins


def _above(counts: FloatArray, group: IntArray, groups: int) -> tuple[FloatArray, FloatArray]:
    """How many rows lie in each step and those above it, and how many in each group."""
    total = _totals(counts, group, groups)
    before = total.cumsum() - total
    return counts.cumsum() - before[group], total


def _totals(values: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """The sum of the values of each group, of shape (groups,)."""
    return Histogram(np.zeros_like(group), 1, values).sums(group, groups)[:, 0]


def _mean_over_classes(values: FloatArray) -> FloatArray:
    """Of shape (groups,) from (groups, classes), over the classes that have a value."""
    known = np.isfinite(values)
    return share(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


@register
@dataclass(frozen=True)
class RocAuc(_Ranking):
    """How often a row of the class ranks above one of the others, ties counting half.

    (Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982; scikit-learn's
    roc_auc_score.)
    """

    name = "roc_auc"
    description = (
        "Area under the ROC curve: how often a row of the class is given a larger probability than "
        "another row; of several classes the mean. Missing where all rows are of one class."
    )

    def area(
        self, of_class: FloatArray, others: FloatArray, group: IntArray, groups: int
    ) -> FloatArray:
        above, ones = _above(of_class, group, groups)
        ordered = _totals((above - of_class / 2) * others, group, groups)
        return share(ordered, ones * _totals(others, group, groups))


@register
@dataclass(frozen=True)
class PrAuc(_Ranking):
    """Area under the curve of precision by recall: the mean precision at each row of the class.

    Rows that tie count as found together (scikit-learn's average_precision_score).
    """

    name = "pr_auc"
    description = (
        "Area under the precision-recall curve, which tells more than ROC AUC where the class is "
        "rare; of several classes the mean. Missing where no row is of the class."
    )

    def area(
        self, of_class: FloatArray, others: FloatArray, group: IntArray, groups: int
    ) -> FloatArray:
        true, ones = _above(of_class, group, groups)
        false, _ = _above(others, group, groups)
        precision = np.nan_to_num(share(true, true + false))
        return share(_totals(of_class * precision, group, groups), ones)


@register
@dataclass(frozen=True)
class CalibrationError(Metric):
    """Expected calibration error (Naeini, Cooper and Hauskrecht, 2015), by bins of equal width.

    The mean distance of probability and share of the class, weighted by the rows of each bin; of
    several classes the mean over them (Kull et al., Beyond temperature scaling, 2019).
    """

    bins: float = 10

    name = "calibration_error"
    description = (
        "How far probabilities and shares of the class that came are apart, in bins of equal width."
    )
    tasks = ("classification",)
    binned = True

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= 100 or self.bins != int(self.bins):
            raise ValueError(
                f"bins of calibration_error must be a whole number from 2 to 100, not {self.bins}"
            )

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        of_class, probability = one_vs_rest(actual, forecast)
        classes, bins = probability.shape[1], int(self.bins)
        cells = np.minimum((probability * bins).astype(np.int64), bins - 1)
        cells += bins * np.arange(classes)
        errors = Histogram(cells, bins * classes, probability - of_class)
        return errors, np.full(len(actual), float(classes))

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        return share(abs(numerator).sum(axis=1), denominator)
