"""Metrics of probabilities: of one of two classes, or of each of several."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.lazy import np, scipy
from mlops_assets.ml.metrics.metric import BoolArray, FloatArray, Histogram, Metric, Term, register

# Probabilities are counted by their log odds. Finer than what a ranking of real data tells apart;
# the two outer bins hold all that is beyond odds of 22,000 to 1.
SCORE_BINS = 256
LARGEST_LOG_ODDS = 10.0


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
    """By how many rows of a class and of the others have a probability in each bin."""

    tasks = ("classification",)
    direction = "higher"
    binned = True

    def terms(self, actual: FloatArray, forecast: FloatArray) -> tuple[Term, Term]:
        return score_counts(*one_vs_rest(actual, forecast))


def score_counts(of_class: BoolArray, probability: FloatArray) -> tuple[Histogram, Histogram]:
    """Histograms of the rows of each class and of the others, SCORE_BINS for a class.

    Both arguments are of shape (rows, classes).
    """
    with np.errstate(divide="ignore"):
        odds = np.log(probability) - np.log1p(-np.minimum(probability, 1.0))
    share = (odds / LARGEST_LOG_ODDS + 1) / 2
    bins = np.clip(share * SCORE_BINS, 0, SCORE_BINS - 1).astype(np.int64)
    classes = probability.shape[1]
    cells = bins + SCORE_BINS * np.arange(classes)
    size = SCORE_BINS * classes
    return (
        Histogram(cells, size, of_class.astype(float)),
        Histogram(cells, size, (~of_class).astype(float)),
    )


def _by_class(counts: FloatArray) -> FloatArray:
    """Of shape (groups, classes, SCORE_BINS), the largest probabilities first."""
    by_class: FloatArray = counts.reshape(len(counts), -1, SCORE_BINS)[:, :, ::-1]
    return by_class


def _mean_over_classes(values: FloatArray) -> FloatArray:
    """Of shape (groups,) from (groups, classes), over the classes that have a value."""
    known = np.isfinite(values)
    return _share(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Their quotient, missing where the whole is zero."""
    missing: FloatArray = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=missing, where=whole > 0)


@register
@dataclass(frozen=True)
class RocAuc(_Ranking):
    """How often a row of the class ranks above one of the others, ties counting half.

    (Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982.) Rows in one bin
    are ties.
    """

    name = "roc_auc"
    description = (
        "Area under the ROC curve: how often a row of the class is given a larger probability than "
        "another row; of several classes the mean. Missing where all rows are of one class."
    )

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        of_class, others = _by_class(numerator), _by_class(denominator)
        above = of_class.cumsum(axis=2) - of_class / 2
        pairs = of_class.sum(axis=2) * others.sum(axis=2)
        return _mean_over_classes(_share((above * others).sum(axis=2), pairs))


@register
@dataclass(frozen=True)
class PrAuc(_Ranking):
    """Area under the curve of precision by recall.

    The mean precision at each row of the class in turn, as scikit-learn's average_precision_score;
    within a bin the others lie evenly among them (after Davis and Goadrich, The relationship
    between precision-recall and ROC curves, 2006). The two differ where many rows have the very
    same probability, as by a small tree: scikit-learn takes the worst order of these.
    """

    name = "pr_auc"
    description = (
        "Area under the precision-recall curve, which tells more than ROC AUC where the class is "
        "rare; of several classes the mean. Missing where no row is of the class."
    )

    def finish(
        self, numerator: FloatArray, denominator: FloatArray, rows: FloatArray
    ) -> FloatArray:
        of_class, others = _by_class(numerator), _by_class(denominator)
        true = of_class.cumsum(axis=2) - of_class  # in the bins above
        false = others.cumsum(axis=2) - others
        # sum of (true + i) / (true + i + false + i others / (of_class + 1)) for i = 1 .. of_class
        slope = 1 + others / (of_class + 1)
        start = (true + false) / slope
        more = scipy.special.digamma(start + of_class + 1) - scipy.special.digamma(start + 1)
        precision: FloatArray = (of_class + (true - start) * more) / slope
        return _mean_over_classes(_share(precision.sum(axis=2), of_class.sum(axis=2)))


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
        error: FloatArray = abs(numerator).sum(axis=1) / denominator
        return error
