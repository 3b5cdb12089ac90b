"""How far recent rows have moved from those that a version learned from, and how far is too far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlops_assets.lazy import np, pd, sklearn
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.metrics.metric import FloatArray
from mlops_assets.ml.monitoring.monitoring_settings import DriftSettings
from mlops_assets.ml.monitoring.robust import robust_deviation

INPUTS, FORECASTS, MULTIVARIATE = "inputs", "forecasts", "multivariate"
WEIGHTY = (INPUTS, FORECASTS)  # the checks of what the metric depends on

# Each check by name, with what it asks of the days up to one.
CHECKS = {
    INPUTS: "No input that the version in service depends on has left what it learned from.",
    FORECASTS: "Its forecasts are distributed as on the rows that it learned from.",
    MULTIVARIATE: "A classifier tells recent rows from those learned from no better than usual.",
}

FORECAST = "(forecast)"  # its column; no source names one so
OF_CLASS = "(forecast of "  # how those of several classes begin
NUMBERS, CATEGORIES, MISSING, REPEATED = "numbers", "categories", "missing", "repeated"
QUANTILES = 200
IQR_TO_DEVIATION = 1.349  # of a normal distribution
LEAST = 0.02  # a distance below it is never drift, however steady the training window was
LEAST_OF_NUMBERS = 0.1  # of numbers, in units of their spread: what is usually called drift
NAMED = 3
FOLDS = 3
AUC_WINDOWS = 10  # of training, from which the classifier's usual score is learnt
AUC_ROWS = 800  # of either kind that it sees at most


def forecast_columns(classes: Sequence[str] = ()) -> list[str]:
    """The column of the forecasts, or, of several classes, one for each."""
    if len(classes) > 2:
        return [f"{OF_CLASS}{label})" for label in classes]
    return [FORECAST]


def is_forecast(column: str) -> bool:
    return column == FORECAST or column.startswith(OF_CLASS)


@dataclass(frozen=True)
class Drift:
    """How far a column has moved; `kind` is what moved most for what is usual of it."""

    column: str
    kind: str
    distance: float
    threshold: float
    importance: float

    @property
    def ratio(self) -> float:
        return self.distance / self.threshold

    @property
    def drifted(self) -> bool:
        return self.distance > self.threshold


def wasserstein(first: FloatArray, second: FloatArray, spread: float) -> float:
    """The Wasserstein distance of two sorted samples in units of a spread.

    The mean distance of their quantiles (Vallender, 1974), at 200 levels. 0 where one is empty.
    """
    if not len(first) or not len(second):
        return 0.0
    return float(abs(_quantiles(first) - _quantiles(second)).mean()) / spread


def robust_spread(values: FloatArray) -> float:
    """The standard deviation by the quartiles; where they meet, the plain one, and 1 of a constant.

    Missing values do not count.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return 1.0
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / IQR_TO_DEVIATION or values.std() or 1.0)


def jensen_shannon(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """The Jensen-Shannon distance of two counts of the same categories, from 0 to 1 (base 2)."""
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(x > 0, x * np.log2(x / middle), 0.0).sum() for x in (p, q)]
    return float(np.sqrt(max(sum(terms) / 2, 0.0)))


def usual_limit(settings: DriftSettings, distances: FloatArray, least: float = LEAST) -> float:
    """What a distance may come to, by those of windows inside the training window.

    `margin` times the largest, or the median and `width` robust standard deviations
    (Hampel, The influence curve and its role in robust estimation, 1974), or `least`, whichever
    is most. The windows overlap, and a mean over four weeks hardly differs from one to the next:
    four months hold about as many different ones as there are months, so their largest distance
    is soon exceeded, which is what the margin is for.
    """
    middle = np.median(distances)
    deviation = robust_deviation(distances - middle)
    return float(max(settings.margin * distances.max(), middle + settings.width * deviation, least))


class Reference:
    """The rows that a version learned from, what is usual among them, and what lies beyond.

    `rows` hold the columns named, `date` and those of `series`. Limits do not depend on the days
    that are compared later.
    """

    def __init__(
        self,
        settings: DriftSettings,
        rows: pd.DataFrame,
        *,
        date: str,
        series: Sequence[str],
        numeric: Sequence[str],
        categorical: Sequence[str],
        importance: Mapping[str, float],
        due: DueDays = EVERY_DAY,
    ) -> None:
        self.settings, self.date, self.series = settings, date, list(series)
        self.numeric, self.categorical = list(numeric), list(categorical)
        total = sum(max(value, 0.0) for value in importance.values()) or 1.0
        self.importance = {name: max(value, 0.0) / total for name, value in importance.items()}
        self.rows = rows.sort_values([date, *self.series], kind="stable").reset_index(drop=True)
        numbers = due.numbers(self.rows[date])
        ordinal = numbers - numbers.min()
        last = int(ordinal.max())
        self.windows = [
            (inside, inside & (ordinal > start))
            for start in range(last - settings.window_days + 2)
            if (inside := (ordinal >= start) & (ordinal < start + settings.window_days)).any()
            and not inside.all()
        ]
        self.measured = bool(self.windows)
        if not self.measured:
            return
        self._learned_repeats = self._repeats(self.rows)
        self._usual: dict[str, list[dict[str, float]]] = {}
        self._numbers = {name: self._number(name) for name in self.numeric}
        self._categories = {name: self._category(name) for name in self.categorical}
        self._limits = self._usual_limits()

    def judged_by(self, settings: DriftSettings) -> Reference:
        """The same rows, their limits by other settings for windows as long; costs next to nothing.

        ValueError when the windows are not as long.
        """
        if settings.window_days != self.settings.window_days:
            raise ValueError(f"windows of {self.settings.window_days} days were compared")
        other = copy(self)
        other.settings = settings
        other.__dict__.pop("auc_limit", None)
        if other.measured:
            other._limits = other._usual_limits()
        return other

    def compare(self, recent: pd.DataFrame) -> list[Drift]:
        """How far each column has moved in the recent rows, by importance and excess."""
        return self.judge(self.measure(recent))

    def measure(self, recent: pd.DataFrame) -> dict[str, dict[str, float]]:
        """The distances of each column by what moved, whatever the limits are."""
        recent = recent.reset_index(drop=True)
        repeats = self._repeats(recent)
        numbers = {
            name: number.measure(recent[name].to_numpy(dtype=float), repeats[name])
            for name, number in self._numbers.items()
        }
        categories = {
            name: {CATEGORIES: category.measure(recent[name])}
            for name, category in self._categories.items()
        }
        return numbers | categories

    def judge(self, distances: Mapping[str, Mapping[str, float]]) -> list[Drift]:
        """Distances beside their limits, by importance and excess."""
        found = [self._worst(name, of, self._limits[name]) for name, of in distances.items()]
        return sorted(found, key=lambda drift: (-drift.importance * drift.ratio, -drift.ratio))

    @cached_property
    def auc_limit(self) -> float:
        """The largest usual score of the classifier, learnt when it is first asked for."""
        count = min(AUC_WINDOWS, len(self.windows))
        picked = np.linspace(0, len(self.windows) - 1, count).round().astype(int)
        scores = []
        for at in picked:
            inside, _ = self.windows[at]
            scores.append(self._auc(self.rows[~inside], self.rows[inside]))
        # with few rows chance alone does more: the deviation of a rank statistic (Mann and
        # Whitney, 1947) for as many rows of either kind as a window has
        size = min(AUC_ROWS, min(int(inside.sum()) for inside, _ in self.windows))
        chance = self.settings.width * math.sqrt((2 * size + 1) / (12 * size**2))
        usual = 0.5 + usual_limit(self.settings, np.array(scores) - 0.5)
        # what is left to a perfect score shrinks by the margin as well: there is nothing beyond 1
        usual = min(usual, 1 - (1 - max(scores)) / self.settings.margin)
        return min(max(usual, 0.5 + chance), 0.99)

    def auc(self, recent: pd.DataFrame) -> float:
        """How well a classifier tells the recent rows from those learned from.

        The area under the ROC curve out of fold (Lopez-Paz and Oquab, Revisiting classifier
        two-sample tests, 2017): 0.5 when it cannot, 1 when it always can.
        """
        return self._auc(self.rows, recent)

    def _worst(
        self, name: str, distances: Mapping[str, float], limits: Mapping[str, float]
    ) -> Drift:
        kind = max(distances, key=lambda kind: distances[kind] / limits[kind])
        importance = self.importance.get(name, 0.0)
        return Drift(name, kind, distances[kind], limits[kind], importance)

    def _usual_limits(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                kind: usual_limit(
                    self.settings,
                    np.array([found[kind] for found in distances]),
                    LEAST_OF_NUMBERS if kind == NUMBERS else LEAST,
                )
                for kind in distances[0]
            }
            for name, distances in self._usual.items()
        }

    def _number(self, name: str) -> _Number:
        values = self.rows[name].to_numpy(dtype=float)
        repeats = self._learned_repeats[name]
        order = np.argsort(values)  # missing ones last
        spread = robust_spread(values)

        whole = values[order]
        distances = []
        for window, later in self.windows:
            outside = ~window
            rest = whole[outside[order]]
            without = _Number(_present(rest), _missing(rest), _share(repeats[outside]), spread)
            # as in recent rows, of which the first day has none before it
            distances.append(without.measure(values[window], repeats[later]))
        self._usual[name] = distances
        return _Number(_present(whole), _missing(whole), _share(repeats), spread)

    def _category(self, name: str) -> _Category:
        codes, known = pd.factorize(_texts(self.rows[name]), use_na_sentinel=False)
        counts = np.bincount(codes, minlength=len(known)).astype(float)
        distances = []
        for window, _ in self.windows:
            inside = np.bincount(codes[window], minlength=len(known)).astype(float)
            distances.append({CATEGORIES: jensen_shannon(counts - inside, inside)})
        self._usual[name] = distances
        return _Category(pd.Series(counts, index=known))

    def _repeats(self, rows: pd.DataFrame) -> dict[str, FloatArray]:
        """Of each row 1 where a number is that of the series' row before, missing at the first.

        So a column that no longer moves is seen although its distribution stays.
        """
        if not self.series:
            return {name: np.full(len(rows), np.nan) for name in self.numeric}
        ordered = rows.sort_values(self.date, kind="stable")
        grouped = ordered.groupby(self.series, sort=False, dropna=False)
        before = grouped[self.numeric].shift().reindex(rows.index)
        first = grouped.cumcount().eq(0).reindex(rows.index)
        return {
            name: np.where(first, np.nan, before[name].to_numpy() == rows[name].to_numpy())
            for name in self.numeric
        }

    def _auc(self, learned: pd.DataFrame, recent: pd.DataFrame) -> float:
        """Folds keep a series whole: its own level, such as a constant price, is not learnt.

        Of plain rows they keep a day whole: what all its rows have in common is not learnt.
        """
        columns = [name for name in self.numeric if not is_forecast(name)]
        size = min(AUC_ROWS, len(learned), len(recent))
        if not columns or size < 2 * FOLDS:
            return 0.5
        rows = pd.concat(
            [learned.sample(size, random_state=0), recent.sample(size, random_state=0)]
        )
        labels = np.repeat([0, 1], size)
        groups = rows.groupby(self.series or self.date, dropna=False).ngroup().to_numpy()
        folds = groups % min(FOLDS, len(np.unique(groups)))
        values = rows[columns].to_numpy(dtype="float32")
        scores = np.full(len(rows), 0.5)
        for fold in np.unique(folds):
            inside = folds != fold
            if len(np.unique(labels[inside])) < 2:
                continue
            tree = sklearn.tree.DecisionTreeClassifier(
                max_depth=4, min_samples_leaf=max(size // 20, 1), random_state=0
            )
            tree.fit(values[inside], labels[inside])
            scores[~inside] = tree.predict_proba(values[~inside])[:, 1]
        return max(float(sklearn.metrics.roc_auc_score(labels, scores)), 0.5)


def reference_of(
    plan: FeaturePlan,
    settings: DriftSettings,
    rows: pd.DataFrame,
    inputs: Sequence[str],
    importance: Mapping[str, float],
) -> Reference:
    """What a version with these inputs learned from: `rows`, with its forecasts as FORECAST."""
    # a date moves on by itself: what is read off it always drifts
    calendar = {feature.value for feature in plan.features.calendar}
    read_as_categories = plan.categorical
    categorical = [name for name in inputs if name in read_as_categories]
    left_out = {*calendar, *categorical}
    return Reference(
        settings,
        rows,
        date=plan.columns.date,
        series=plan.columns.series,
        numeric=[
            *(name for name in inputs if name not in left_out),
            *forecast_columns(plan.classes),
        ],
        categorical=categorical,
        importance=importance,
        due=plan.due,
    )


@dataclass(frozen=True)
class _Number:
    """A column of numbers: its sorted values, what is missing and what repeats."""

    ordered: FloatArray
    missing: float
    repeated: float
    spread: float

    def measure(self, values: FloatArray, repeats: FloatArray) -> dict[str, float]:
        recent = _present(np.sort(values))
        return {
            NUMBERS: wasserstein(self.ordered, recent, self.spread),
            MISSING: abs(_missing(values) - self.missing),
            REPEATED: abs(_share(repeats) - self.repeated),
        }


@dataclass(frozen=True)
class _Category:
    """A column of categories: the counts of each, a missing one being one of them."""

    counts: pd.Series[float]

    def measure(self, values: pd.Series[Any]) -> float:
        recent = _texts(values).value_counts(dropna=False)
        known = self.counts.index.union(recent.index, sort=False)
        first, second = (
            counts.reindex(known, fill_value=0).to_numpy(dtype="float64")
            for counts in (self.counts, recent)
        )
        return jensen_shannon(first, second)


def judge_drift(
    settings: DriftSettings, drifts: Sequence[Drift], auc: float, auc_limit: float
) -> dict[str, CheckResult]:
    """The verdict of every check, by name.

    A column on which the metric hardly depends is listed, but is no alarm of the inputs: its
    drift does not change the forecasts, and with many such columns one always drifts.
    """
    inputs = [drift for drift in drifts if not is_forecast(drift.column)]
    weighty = [drift for drift in inputs if drift.importance > settings.min_importance]
    forecasts = [drift for drift in drifts if is_forecast(drift.column)]
    told = auc > auc_limit
    names = ", ".join(_named(drift) for drift in inputs[:NAMED])
    why = f"ROC AUC {auc:.3f}, {'above' if told else 'within'} {auc_limit:.3f}"
    if told:
        why += f"; the columns that moved most: {names}; {REMEDY}"
    return {
        INPUTS: _verdict(weighty, "no input that counts has moved further than usual"),
        FORECASTS: _verdict(forecasts, "the forecasts have moved no further than usual"),
        MULTIVARIATE: CheckResult(not told, why, value=auc, high=auc_limit),
    }


REMEDY = (
    "see whether the source has rescaled, frozen or lost a column; if the world has changed, "
    "train again through yesterday"
)


def _verdict(drifts: Sequence[Drift], fine: str) -> CheckResult:
    ratio = max((drift.ratio for drift in drifts), default=0.0)
    moved = [drift for drift in drifts if drift.drifted]
    if not moved:
        return CheckResult(True, fine, value=ratio, high=1.0)
    names = ", ".join(_named(drift) for drift in moved[:NAMED])
    more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    return CheckResult(False, f"drifted: {names}{more}; {REMEDY}", value=ratio, high=1.0)


def _named(drift: Drift) -> str:
    return f"{drift.column} ({drift.kind}: {drift.distance:.3g}, usual up to {drift.threshold:.3g})"


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """Categories with one mark for a missing one, whatever the frame holds in its place."""
    return values.astype(object).where(values.notna(), math.nan)


def _quantiles(ordered: FloatArray) -> FloatArray:
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    positions: np.ndarray[Any, Any] = (levels * len(ordered)).astype(int)
    values: FloatArray = ordered[positions]
    return values


def _present(ordered: FloatArray) -> FloatArray:
    """The values of a sorted array without the missing ones, which come last."""
    values: FloatArray = ordered[: len(ordered) - int(np.isnan(ordered).sum())]
    return values


def _missing(values: FloatArray) -> float:
    return float(np.isnan(values).mean())


def _share(repeats: FloatArray) -> float:
    """The share of rows that repeat the one before; 0 where no row has one before it."""
    known = repeats[~np.isnan(repeats)]
    return float(known.mean()) if len(known) else 0.0
