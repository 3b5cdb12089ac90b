"""Whether a model is still good, judged by its own trailing days and by the baseline."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple, TypeAlias

from mlops_assets.lazy import np, pd, scipy
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.metric import (
    ROWS,
    FloatArray,
    Metric,
    as_array,
    rolling_sum,
)
from mlops_assets.ml.monitoring.daily_facts import ALL_ROWS, ARRAYS, THEIRS
from mlops_assets.ml.monitoring.monitoring_settings import PerformanceSettings
from mlops_assets.ml.monitoring.robust import IntArray, robust_deviation, usual_middle

BoolArray: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"

WEEK = 7
FEWEST_OF_WEEK = 5  # days with rows that speak for a week
LIMITS, BASELINE, BIAS = "control_limits", "baseline", "bias"
COVERAGE, SLICES = "coverage", "slices"
LEVEL = (LIMITS, BIAS)  # the checks that say that a model has become worse

# Each check by name, with what it asks of a day.
CHECKS = {
    LIMITS: "The primary metric is as usual on that weekday, by the model's own weeks before.",
    BASELINE: "Over the last 7 days the model is not surely worse than the baseline.",
    BIAS: "Over the last 7 days the forecasts are not further off in one direction than usual.",
    COVERAGE: "The intervals hold as large a share of the actuals as usual.",
    SLICES: "No slice did worse over the last 7 days than in the weeks before.",
}


def days_looked_back(settings: PerformanceSettings) -> int:
    """How many days before a day its checks rest on.

    The oldest week that is compared ends with the first day of a window that ends before the
    newest week.
    """
    return settings.window_days + 2 * (WEEK - 1)


def judge_days(
    settings: PerformanceSettings,
    metric: Metric,
    facts: pd.DataFrame,
    days: Sequence[dt.date],
    *,
    against_baseline: bool,
) -> dict[str, dict[str, CheckResult]]:
    """Every check of each day that has facts, by key and name.

    `facts` are as from `daily_facts`, of these days and of those before them that there are. Each
    day is judged by itself and the days before it alone, whichever others are asked for.
    """
    facts = _of_metric(metric, facts)
    calendar = pd.date_range(facts["date"].min(), facts["date"].max())
    total = _Daily(metric, facts[facts["slice"] == ALL_ROWS].set_index("date"), calendar)
    parts = _slice_days(metric, facts, calendar)
    verdicts: dict[str, dict[str, CheckResult]] = {}
    reach = days_looked_back(settings)
    for day in days:
        now = calendar.get_indexer(pd.DatetimeIndex([pd.Timestamp(day)]))[0]
        if now < 0 or not total.rows[now]:
            continue
        seen = slice(max(now - reach, 0), now + 1)  # a slice of other days is none of this one
        known = {name: daily for name, daily in parts.items() if daily.rows[seen].any()}
        found = {
            LIMITS: _limits(settings, total, now),
            BASELINE: _against_baseline(settings, total, now),
            BIAS: _bias(settings, total, now),
            COVERAGE: _coverage(settings, total, now),
            SLICES: _slices(settings, known, now),
        }
        if not against_baseline:
            del found[BASELINE]
        verdicts[str(day)] = found
    return verdicts


def weekly_slices(metric: Metric, facts: pd.DataFrame) -> pd.DataFrame:
    """The loss of each slice pooled over the week up to each day; columns slice, date, value.

    `facts` are as from `daily_facts`; days that do not have a week of rows are left out.
    """
    facts = _of_metric(metric, facts)
    if facts.empty:
        return pd.DataFrame({"slice": [], "date": [], "value": []})
    calendar = pd.date_range(facts["date"].min(), facts["date"].max())
    parts = [
        pd.DataFrame({"slice": name, "date": calendar, "value": daily.weekly_loss})
        for name, daily in _slice_days(metric, facts, calendar).items()
    ]
    every = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"value": []})
    return every.dropna(subset=["value"])


def _of_metric(metric: Metric, facts: pd.DataFrame) -> pd.DataFrame:
    """Facts without those stored when another metric was the primary one, or it was binned."""
    if metric.needs_rows and (binned := f"numerator{ARRAYS}") in facts:
        facts = facts[facts[binned].isna()]  # of before areas were exact
    if "metric" not in facts:
        return facts
    return facts[facts["metric"].isna() | (facts["metric"] == metric.name)]


def _slice_days(
    metric: Metric, facts: pd.DataFrame, calendar: pd.DatetimeIndex
) -> dict[str, _Daily]:
    """The days of each slice by its name."""
    slices = facts[facts["slice"] != ALL_ROWS]
    return {
        f"{value} ({column})": _Daily(metric, rows.set_index("date"), calendar)
        for (column, value), rows in slices.groupby(["slice", "value"])
    }


class _Daily:
    """Facts of all rows or of a slice on a calendar without gaps, as arrays of shape (days,)."""

    def __init__(self, metric: Metric, facts: pd.DataFrame, calendar: pd.DatetimeIndex) -> None:
        self.metric = metric
        self.frame = facts.reindex(calendar)
        self.weekdays = calendar.dayofweek.to_numpy()
        self.rows = self._column(ROWS)
        self.standard_error = self.frame["standard_error"].to_numpy(dtype=float)
        whole_week = rolling_sum((self.rows > 0).astype(float), WEEK) >= FEWEST_OF_WEEK
        self.loss = self._loss(1, self.rows > 0)
        self.weekly_loss = self._loss(WEEK, whole_week)
        self.bias = _ratio(self._rolled("error", WEEK), self._rolled("actual", WEEK))
        self.bias[~whole_week] = math.nan
        self.coverage = _ratio(self._column("covered"), self._column("intervals"))

    def _column(self, name: str) -> FloatArray:
        """The sums of each day, zero on days without rows, of shape (days,) or (days, n)."""
        column = self.frame.get(name + ARRAYS)
        if column is None or column.isna().all():
            if name not in self.frame:
                return np.zeros(len(self.frame))
            return self.frame[name].fillna(0.0).to_numpy(dtype=float)
        known = column.notna().to_numpy()
        values = as_array(column[known])
        sums = np.zeros((len(column), values.shape[1]))
        sums[known] = values
        return sums

    def _rolled(self, name: str, days: int) -> FloatArray:
        return rolling_sum(self._column(name), days)

    def _loss(self, days: int, enough: BoolArray) -> FloatArray:
        """The loss pooled over so many days up to each day, missing where there are not enough."""
        sums = {name: self._rolled(name, days) for name in ("numerator", "denominator", ROWS)}
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.metric.finish(sums["numerator"], sums["denominator"], sums[ROWS])
        return np.where(enough, self.metric.loss(values), math.nan)

    def against_baseline(self, now: int) -> tuple[float, float, int]:
        """The loss less that of the baseline over a week, its standard error, and the days.

        The standard error is the jackknife's over days, since the rows of a day err together.
        """
        week = slice(max(now - WEEK + 1, 0), now + 1)
        names = [f"shared_{ROWS}", "shared_numerator", "shared_denominator"]
        names += [f"{THEIRS}numerator", f"{THEIRS}denominator"]
        sums = [self._column(name)[week] for name in names]
        shared = sums[0] > 0
        sums = [values[shared] for values in sums]
        days = int(shared.sum())
        if days < FEWEST_OF_WEEK:
            return math.nan, math.nan, days

        def difference(totals: list[FloatArray]) -> FloatArray:
            rows, *terms = totals
            ours = self.metric.loss(self.metric.finish(terms[0], terms[1], rows))
            return ours - self.metric.loss(self.metric.finish(terms[2], terms[3], rows))

        totals = [values.sum(axis=0, keepdims=True) for values in sums]
        without = difference([total - part for total, part in zip(totals, sums, strict=True)])
        error = math.sqrt((days - 1) * float(np.var(without)))
        return float(difference(totals)[0]), error, days


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Their quotient, missing where the denominator is zero."""
    missing = np.full_like(numerator, math.nan)
    return np.divide(numerator, denominator, out=missing, where=denominator > 0)


def allow_incomplete(
    settings: PerformanceSettings, verdicts: Mapping[str, CheckResult], completeness: float | None
) -> dict[str, CheckResult]:
    """The verdicts of a day, its loss not held against the model where rows are still to come."""
    limits = verdicts[LIMITS]
    if completeness is None or completeness >= settings.min_completeness or limits.passed:
        return dict(verdicts)
    why = (
        f"not judged: the day is incomplete, {completeness:.0%} of its usual rows are known, less "
        f"than {settings.min_completeness:.0%}; {limits.why.partition(';')[0]}"
    )
    return {**verdicts, LIMITS: replace(limits, passed=True, why=why)}


class _Past(NamedTuple):
    """Values of the days before, with their weekdays."""

    values: FloatArray
    weekdays: IntArray


def _past(
    settings: PerformanceSettings, daily: _Daily, values: FloatArray, end: int
) -> _Past | None:
    """The finite values of the window before the position `end`; None when there are too few."""
    window = slice(max(end - settings.window_days, 0), max(end, 0))
    known = np.isfinite(values[window])
    if known.sum() < settings.min_days:
        return None
    return _Past(values[window][known], daily.weekdays[window][known])


def _not_judged(settings: PerformanceSettings, value: float = math.nan) -> CheckResult:
    why = f"not judged: it has no value, or fewer than {settings.min_days} days before it have one"
    return CheckResult(True, why, value=value if math.isfinite(value) else None)


def _limits(settings: PerformanceSettings, daily: _Daily, now: int) -> CheckResult:
    name, value = daily.metric.loss_name, float(daily.loss[now])
    past = _past(settings, daily, daily.loss, now)
    if past is None or not math.isfinite(value):
        return _not_judged(settings, value)
    # ratios of losses are alike on good and bad weekdays, so the spread is that of logarithms
    if (past.values <= 0).any():
        return CheckResult(True, "not judged: a day before it has no loss", value=value)
    usual = usual_middle(np.log(past.values), past.weekdays, int(daily.weekdays[now]))
    high = _highest_loss(settings, *usual, settings.width)
    error = float(daily.standard_error[now])
    sure = f" (standard error over its rows {error:.2g})" if math.isfinite(error) else ""
    said = f"{name} is {value:.4g}{sure}, usual on that weekday is up to {high:.4g}"
    if value <= high:
        return CheckResult(True, said, value=value, high=high)
    why = (
        f"{said}; see which slices and rows are worst and whether the checks of observations "
        "and drift failed; a single day such as a holiday passes by itself"
    )
    return CheckResult(False, why, value=value, high=high)


def _against_baseline(settings: PerformanceSettings, daily: _Daily, now: int) -> CheckResult:
    value, error, days = daily.against_baseline(now)
    if not math.isfinite(value) or not math.isfinite(error):
        return CheckResult(True, f"not judged: {days} of the last {WEEK} days are common to both")
    high = float(scipy.stats.t.ppf(settings.confidence, days - 1)) * error
    name = daily.metric.loss_name
    said = f"{name} less the baseline's is {value:.4g} over {days} days, chance explains {high:.4g}"
    if value <= high:
        return CheckResult(True, said, value=value, high=high)
    why = f"{said}: the model is surely worse; train it again, or retire what serves"
    return CheckResult(False, why, value=value, high=high)


def _highest_loss(
    settings: PerformanceSettings, middle: float, deviation: float, width: float
) -> float:
    """The largest usual loss, by the middle and deviation of the logarithms of losses."""
    return math.exp(middle + max(width * deviation, math.log1p(settings.least_width)))


def _largest_bias(settings: PerformanceSettings, past: _Past, width: float) -> float:
    """The largest usual bias on either side of zero."""
    return max(width * robust_deviation(past.values), settings.least_bias)


def _bias(settings: PerformanceSettings, daily: _Daily, now: int) -> CheckResult:
    value = float(daily.bias[now])
    past = _past(settings, daily, daily.bias, now - WEEK + 1)
    if past is None or not math.isfinite(value):
        return _not_judged(settings, value)
    high = _largest_bias(settings, past, settings.width)
    side = "high" if value > 0 else "low"
    said = (
        f"over {WEEK} days the forecasts are too {side} by {abs(value):.1%} of the size of the "
        f"actuals, usual {high:.1%}"
    )
    if abs(value) <= high:
        return CheckResult(True, said, value=value, low=-high, high=high)
    why = f"{said}; the level has changed: train through yesterday once it is known to last"
    return CheckResult(False, why, value=value, low=-high, high=high)


def _coverage(settings: PerformanceSettings, daily: _Daily, now: int) -> CheckResult:
    value = float(daily.coverage[now])
    past = _past(settings, daily, daily.coverage, now)
    if past is None or not math.isfinite(value):
        return _not_judged(settings, value)
    middle, deviation = usual_middle(past.values, past.weekdays, int(daily.weekdays[now]))
    low = middle - max(settings.width * deviation, settings.least_width * middle)
    said = f"the intervals hold {value:.1%} of the actuals, usual on that weekday is {low:.1%}"
    if value >= low:
        return CheckResult(True, f"{said} or more", value=value, low=low)
    why = f"{said} or more; plan with wider margins until the checks pass again"
    return CheckResult(False, why, value=value, low=low)


def _slices(settings: PerformanceSettings, parts: Mapping[str, _Daily], now: int) -> CheckResult:
    """Of the slice that exceeds its limit by most; the limits are widened for their number."""
    judged = sorted(_slice_shares(settings, parts, now), reverse=True)
    if not judged:
        return CheckResult(True, "not judged: no slice has enough days before it")
    share, said, _ = judged[0]
    if share <= 1:
        return CheckResult(True, f"every slice is as usual; nearest: {said}", value=share, high=1.0)
    names = dict.fromkeys(name for share, _, name in judged if share > 1)
    why = f"{said}; above a limit: {', '.join(names)}; look at their rows of the week"
    return CheckResult(False, why, value=share, high=1.0)


def _slice_shares(
    settings: PerformanceSettings, parts: Mapping[str, _Daily], now: int
) -> Iterator[tuple[float, str, str]]:
    """Share of its limit, what to say of it, and name, for the loss and the bias of each slice."""
    # as unlikely for all slices together as one day outside its limits (Sidak, 1967)
    normal = NormalDist()
    alone = normal.cdf(-settings.width)
    width = -normal.inv_cdf(-math.expm1(math.log1p(-alone) / max(2 * len(parts), 1)))
    for name, daily in parts.items():
        value = float(daily.weekly_loss[now])
        past = _past(settings, daily, daily.weekly_loss, now - WEEK + 1)
        if past is not None and math.isfinite(value) and (past.values > 0).all():
            logs = np.log(past.values)
            middle = float(np.median(logs))
            high = _highest_loss(settings, middle, robust_deviation(logs - middle), width)
            metric = daily.metric.loss_name
            said = f"{metric} of {name} is {value:.4g} over {WEEK} days, usual is up to {high:.4g}"
            yield value / high, said, name
        bias = float(daily.bias[now])
        past = _past(settings, daily, daily.bias, now - WEEK + 1)
        if past is not None and math.isfinite(bias):
            high = _largest_bias(settings, past, width)
            side = "high" if bias > 0 else "low"
            said = (
                f"forecasts of {name} are too {side} by {abs(bias):.1%} of the size of the actuals "
                f"over {WEEK} days, usual is up to {high:.1%}"
            )
            yield abs(bias) / high, said, name
