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
from mlops_assets.ml.monitoring.distances import (
    CATEGORIES,
    MISSING,
    NUMBERS,
    REPEATED,
    Categories,
    Numbers,
    jensen_shannon,
    quantiles,
    robust_spread,
    texts,
    wasserstein,
)
from mlops_assets.ml.monitoring.learned_rows import (
    LearnedRows,
    Ordered,
    Shares,
    repeats,
    rows_before,
)
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
    """What is usual among the rows that a version learned from, and what lies beyond.

    `rows` hold the columns named, `date` and those of `series`. Limits do not depend on the days
    that are compared later. What `told` gives is all that is needed to compare these.
    """

    def __init__(
        self,
        settings: DriftSettings,
        rows: pd.DataFrame | None,
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
        self._usual: dict[str, list[dict[str, float]]] = {}
        self.measured = False
        if rows is None:
            return  # `remember` says it
        self._learned = LearnedRows(rows, date, self.series, due)
        self._spans = self._learned.spans(settings.window_days)
        self.measured = bool(self._spans)
        if self.measured:
            self._numbers = {name: self._number(name) for name in self.numeric}
            self._categories = {name: self._category(name) for name in self.categorical}
            self._limits = self._usual_limits()

    def told(self) -> dict[str, Any]:
        """What was learned of the rows, in JSON's types."""
        stamps = self._sample[self.date].astype("int64")
        counts = {name: category.counts for name, category in self._categories.items()}
        return {
            "of": self._columns,
            "numbers": {name: number.told for name, number in self._numbers.items()},
            "categories": {name: [[*of.index], of.tolist()] for name, of in counts.items()},
            "usual": self._usual,
            "scores": self._scores,
            "fewest": self._fewest,
            "sample": self._sample.assign(**{self.date: stamps}).to_dict("list"),
        }

    def remember(self, told: Mapping[str, Any]) -> bool:
        """Take what was told instead of rows, where it is of the same columns and windows."""
        try:
            return told["of"] == self._columns and self._take(told)
        except (LookupError, TypeError, ValueError, AttributeError):
            return False  # told by another version of this

    def _take(self, told: Mapping[str, Any]) -> bool:
        self._numbers = {name: Numbers.of(number) for name, number in told["numbers"].items()}
        self._categories = {
            name: Categories(pd.Series(counts, index=pd.Index(known, dtype=object)))
            for name, (known, counts) in told["categories"].items()
        }
        self._usual, self.measured = told["usual"], True
        sample = pd.DataFrame(told["sample"])
        self._sample = sample.assign(**{self.date: pd.to_datetime(sample[self.date])})
        self._scores, self._fewest = told["scores"], told["fewest"]
        self._limits = self._usual_limits()
        return True

    @property
    def _columns(self) -> list[Any]:
        """What it is about."""
        return [self.settings.window_days, self.date, self.series, self.numeric, self.categorical]

    @cached_property
    def _sample(self) -> pd.DataFrame:
        """Some of the rows, as the classifier sees them."""
        columns = [self.date, *self.series, *(n for n in self.numeric if not is_forecast(n))]
        found: pd.DataFrame = self._learned.some(AUC_ROWS)[[*dict.fromkeys(columns)]]
        return found.reset_index(drop=True)

    @cached_property
    def _scores(self) -> list[float]:
        """How well the classifier tells some windows from the other rows."""
        count = min(AUC_WINDOWS, len(self._spans))
        picked = np.linspace(0, len(self._spans) - 1, count).round().astype(int)
        return [
            self._auc(
                self._learned.some(AUC_ROWS, without=self._spans[at]),
                self._learned.some(AUC_ROWS, within=self._spans[at]),
            )
            for at in picked
        ]

    @cached_property
    def _fewest(self) -> int:
        """How many rows a window has at least."""
        return min(span.end - span.start for span in self._spans)

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
        before = rows_before(recent.reset_index(drop=True), self.date, self.series)
        numbers = {}
        for name, number in self._numbers.items():
            values = recent[name].to_numpy(dtype=float)
            numbers[name] = number.measure(values, repeats(values, before))
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
        # with few rows chance alone does more: the deviation of a rank statistic (Mann and
        # Whitney, 1947) for as many rows of either kind as a window has
        size, scores = min(AUC_ROWS, self._fewest), self._scores
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
        drawn = recent.sample(min(AUC_ROWS, len(recent)), random_state=0)
        return self._auc(self._sample, drawn)

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

    def _number(self, name: str) -> Numbers:
        values = self._learned.numbers(name)
        spread = robust_spread(values)
        ordered = Ordered(values, self._learned.day)
        missing = Shares(np.isnan(values).astype(float))
        repeated = Shares(self._learned.repeats(values))
        self._usual[name] = [
            {
                NUMBERS: wasserstein(
                    ordered.quantiles(first, until, rest=True),
                    ordered.quantiles(first, until, rest=False),
                    spread,
                ),
                MISSING: abs(missing.of(start, end) - missing.rest(start, end)),
                # as in recent rows, of which the first day has none before it
                REPEATED: abs(repeated.of(later, end) - repeated.rest(start, end)),
            }
            for first, until, start, later, end in self._spans
        ]
        shares = missing.of(0, len(values)), repeated.of(0, len(values))
        return Numbers(quantiles(ordered.values), *shares, spread)

    def _category(self, name: str) -> Categories:
        codes, known = pd.factorize(texts(self._learned.column(name)), use_na_sentinel=False)
        counts = np.bincount(codes, minlength=len(known)).astype(float)
        distances = []
        for span in self._spans:
            inside = np.bincount(codes[span.start : span.end], minlength=len(known)).astype(float)
            distances.append({CATEGORIES: jensen_shannon(counts - inside, inside)})
        self._usual[name] = distances
        return Categories(pd.Series(counts, index=known))

    def _auc(self, learned: pd.DataFrame, recent: pd.DataFrame) -> float:
        """Of rows in an order by chance.

        Folds keep a series whole: its own level, such as a constant price, is not learnt. Of plain
        rows they keep a day whole: what all its rows have in common is not learnt.
        """
        columns = [name for name in self.numeric if not is_forecast(name)]
        size = min(AUC_ROWS, len(learned), len(recent))
        if not columns or size < 2 * FOLDS:
            return 0.5
        rows = pd.concat([learned.head(size), recent.head(size)])
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
    rows: pd.DataFrame | None,
    inputs: Sequence[str],
    importance: Mapping[str, float],
) -> Reference:
    """What a version with these inputs learned from: `rows`, with its forecasts as FORECAST.

    Without rows it is yet to remember what was told of them.
    """
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
