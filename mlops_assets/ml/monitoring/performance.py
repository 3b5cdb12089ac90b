"""Whether a model is still good, judged by its own days before and by the baseline."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlops_assets.lazy import np, pd, scipy
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import (
    ROWS,
    BoolArray,
    FloatArray,
    Metric,
    as_array,
    rolling_sum,
)
from mlops_assets.ml.monitoring.daily_facts import ALL_ROWS, ARRAYS, THEIRS
from mlops_assets.ml.monitoring.monitoring_settings import PerformanceSettings
from mlops_assets.ml.monitoring.robust import usual_middle
from mlops_assets.ml.monitoring.sequential import RECENT, WEEK, Level, judge_levels

FEWEST_OF_WEEK = 5  # days with rows that speak for a week
NAMED = 3  # slices in a sentence
LIMITS, BASELINE, BIAS = "control_limits", "baseline", "bias"
COVERAGE, SLICES = "coverage", "slices"
LEVEL = (LIMITS, BIAS)  # the checks that say that a model has become worse
TOLD = (*LEVEL, SLICES)  # the checks that are alarms
SHARES = {LIMITS: 1 / 12, BIAS: 1 / 6, SLICES: 1 / 6}  # of the false alarms that are expected

# Each check by name, with what it asks of a day.
CHECKS = {
    LIMITS: "The primary metric is no worse than in the model's own weeks before, for days.",
    BASELINE: "Over the last 7 days the model is not surely worse than the baseline.",
    BIAS: "The forecasts are not off in one direction for days.",
    COVERAGE: "The intervals hold as large a share of the actuals as usual.",
    SLICES: "No slice has moved apart from the rest, in its target or in how far off it is.",
}


def days_judged_by(settings: PerformanceSettings) -> int:
    """How many days before one its verdicts rest on."""
    return settings.window_days + RECENT - 1


def judge_days(
    settings: PerformanceSettings,
    metric: Metric,
    facts: pd.DataFrame,
    days: Sequence[dt.date],
    *,
    against_baseline: bool,
    false_alarms_per_year: float,
    due: DueDays = EVERY_DAY,
) -> dict[str, dict[str, CheckResult]]:
    """Every check of each day that has facts, by key and name.

    `facts` are as from `daily_facts`, of these days and of those before them that there are. Each
    day is judged by itself and `days_judged_by` days before it, whichever others are asked for.
    """
    facts = _of_metric(metric, facts)
    first, last = facts["date"].min().date(), facts["date"].max().date()
    calendar = due.calendar(due.back(first, days_judged_by(settings)), last)
    total = _Daily(metric, facts[facts["slice"] == ALL_ROWS].set_index("date"), calendar, due)
    parts = _slice_days(metric, facts, calendar, due)
    judge = _Judge(settings, total, parts, false_alarms_per_year)
    verdicts: dict[str, dict[str, CheckResult]] = {}
    for day in days:
        now = calendar.get_indexer(pd.DatetimeIndex([pd.Timestamp(day)]))[0]
        if now < 0 or not total.rows[now]:
            continue
        found = {
            LIMITS: judge.limits(now, day),
            BASELINE: _against_baseline(settings, total, now),
            BIAS: judge.bias(now, day),
            COVERAGE: _coverage(settings, total, now),
            SLICES: judge.slices(now, day),
        }
        if not against_baseline:
            del found[BASELINE]
        verdicts[str(day)] = found
    return verdicts


def weekly_slices(metric: Metric, facts: pd.DataFrame, due: DueDays = EVERY_DAY) -> pd.DataFrame:
    """The loss of each slice pooled over the week up to each day; columns slice, date, value.

    `facts` are as from `daily_facts`; days that do not have a week of rows are left out.
    """
    facts = _of_metric(metric, facts)
    if facts.empty:
        return pd.DataFrame({"slice": [], "date": [], "value": []})
    calendar = due.calendar(facts["date"].min().date(), facts["date"].max().date())
    parts = [
        pd.DataFrame({"slice": name, "date": calendar, "value": daily.weekly_loss})
        for name, daily in _slice_days(metric, facts, calendar, due).items()
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
    metric: Metric, facts: pd.DataFrame, calendar: pd.DatetimeIndex, due: DueDays
) -> dict[str, _Daily]:
    """The days of each slice by its name."""
    slices = facts[facts["slice"] != ALL_ROWS]
    return {
        f"{value} ({column})": _Daily(metric, rows.set_index("date"), calendar, due)
        for (column, value), rows in slices.groupby(["slice", "value"])
    }


class _Daily:
    """Facts of all rows or of a slice on a calendar without gaps, as arrays of shape (days,)."""

    def __init__(
        self, metric: Metric, facts: pd.DataFrame, calendar: pd.DatetimeIndex, due: DueDays
    ) -> None:
        self.metric, self.due = metric, due
        self.frame = facts.reindex(calendar)
        self.weekdays = due.all_alike(calendar)
        self.rows = self._column(ROWS)
        self.standard_error = self.frame["standard_error"].to_numpy(dtype=float)
        whole_week = rolling_sum((self.rows > 0).astype(float), WEEK) >= FEWEST_OF_WEEK
        self.loss = self._loss(1, self.rows > 0)
        self.weekly_loss = self._loss(WEEK, whole_week)
        self.error, self.size = self._column("error"), self._column("actual")
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

    def _loss(self, days: int, enough: BoolArray) -> FloatArray:
        """The loss pooled over so many days up to each day, missing where there are not enough."""
        sums = [rolling_sum(self._column(n), days) for n in ("numerator", "denominator", ROWS)]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.metric.finish(*sums)
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


def _not_judged(settings: PerformanceSettings, value: float = math.nan) -> CheckResult:
    why = f"not judged: it has no value, or fewer than {settings.min_days} days before it have one"
    return CheckResult(True, why, value=value if math.isfinite(value) else None)


def _against_baseline(settings: PerformanceSettings, daily: _Daily, now: int) -> CheckResult:
    value, error, days = daily.against_baseline(now)
    if not math.isfinite(value) or not math.isfinite(error):
        of = f"{days} of the last {daily.due.in_words(WEEK)}"
        return CheckResult(True, f"not judged: {of} are common to both")
    high = float(scipy.stats.t.ppf(settings.confidence, days - 1)) * error
    name = daily.metric.loss_name
    over = f"{value:.4g} over {daily.due.in_words(days)}"
    said = f"{name} less the baseline's is {over}, chance explains {high:.4g}"
    if value <= high:
        return CheckResult(True, said, value=value, high=high)
    why = f"{said}: the model is surely worse; train it again, or retire what serves"
    return CheckResult(False, why, value=value, high=high)


def _coverage(settings: PerformanceSettings, daily: _Daily, now: int) -> CheckResult:
    value = float(daily.coverage[now])
    window = slice(max(now - settings.window_days, 0), now)
    past, weekdays = daily.coverage[window], daily.weekdays[window]
    known = np.isfinite(past)
    if known.sum() < settings.min_days or not math.isfinite(value):
        return _not_judged(settings, value)
    middle, deviation = usual_middle(past[known], weekdays[known], int(daily.weekdays[now]))
    low = middle - max(settings.width * deviation, settings.least_width * middle)
    said = f"the intervals hold {value:.1%} of the actuals, usual {daily.due.of_usual} is {low:.1%}"
    if value >= low:
        return CheckResult(True, f"{said} or more", value=value, low=low)
    why = f"{said} or more; plan with wider margins until the checks pass again"
    return CheckResult(False, why, value=value, low=low)


class _Judge:
    """Judges levels of all rows and of slices by evidence over days; arrays are by day."""

    def __init__(
        self,
        settings: PerformanceSettings,
        total: _Daily,
        parts: Mapping[str, _Daily],
        false_alarms_per_year: float,
    ) -> None:
        self.settings, self.total, self.false_alarms = settings, total, false_alarms_per_year
        of = " of that weekday" if total.due.daily else ""
        self.usual = f"a usual {total.due.grain}{of}"
        self.off = _off(total.error, total.size)
        self.erring = {
            **{f"forecasts of {name}": _apart(part, total) for name, part in parts.items()},
            **{f"target of {name}": _weight(part, total) for name, part in parts.items()},
        }
        self.losing = {
            f"{total.metric.loss_name} of {name}": _share_of_loss(part, total)
            for name, part in parts.items()
        }

    def _levels(
        self, check: str, streams: Mapping[str, FloatArray], now: int, least: float
    ) -> list[Level]:
        """What is known of streams of one check, by the days up to one."""
        window = slice(now - days_judged_by(self.settings), now + 1)
        return judge_levels(
            list(streams),
            np.column_stack([values[window] for values in streams.values()]),
            self.total.weekdays[window],
            false_alarms=self.false_alarms * SHARES[check],
            min_days=self.settings.min_days,
            width=self.settings.width,
            least=least,
            higher=check == LIMITS,
            wanders=check == SLICES,
        )

    def _since(self, level: Level, day: dt.date) -> dt.date:
        return level.since(day, self.total.due)

    def limits(self, now: int, day: dt.date) -> CheckResult:
        settings, name, value = self.settings, self.total.metric.loss_name, self.total.loss[now]
        window = self.total.loss[now - days_judged_by(settings) : now]
        if (window <= 0).any():
            return CheckResult(True, "not judged: a day before it has no loss", value=value)
        # ratios of losses are alike on good and bad weekdays, so their logarithms are judged
        least = math.log1p(settings.least_width)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self._levels(LIMITS, {name: np.log(self.total.loss)}, now, least)
        if not found:
            return _not_judged(settings, value)
        [level] = found
        high = math.exp(level.usual + max(settings.width * level.deviation, least))
        error = float(self.total.standard_error[now])
        sure = f" (standard error over its rows {error:.2g})" if math.isfinite(error) else ""
        said = f"{name} is {value:.4g}{sure}, {self.usual} has up to {high:.4g}"
        if not level.changed or level.shift < least:
            return CheckResult(True, said, value=float(value), high=high)
        why = (
            f"since {self._since(level, day)} {name} is {math.expm1(level.shift):.0%} higher than "
            f"usual; {said}; see which slices and rows are worst and whether the checks of "
            "observations and drift failed; holidays pass by themselves"
        )
        return CheckResult(False, why, value=float(value), high=high)

    def bias(self, now: int, day: dt.date) -> CheckResult:
        settings = self.settings
        value = float(_ratio(self.total.error, self.total.size)[now])
        found = self._levels(BIAS, {BIAS: self.off}, now, settings.least_bias)
        if not found:
            return _not_judged(settings, value)
        [level] = found
        half = max(settings.width * level.deviation, settings.least_bias)
        since = slice(now - level.days + 1, now + 1)
        error, size = self.total.error[since].sum(), self.total.size[since].sum()
        share = error / size if size > 0 else 0.0  # nothing was there to be off from
        said = (
            f"since {self._since(level, day)} the forecasts are too "
            f"{'high' if share > 0 else 'low'} by {abs(share):.1%} of the size of the actuals"
        )
        low, high = level.usual - half, level.usual + half
        if not level.changed or abs(share) < settings.least_bias:
            why = f"too {'high' if value > 0 else 'low'} by {abs(value):.1%}, no sure change"
            return CheckResult(True, why, value=value, low=low, high=high)
        why = f"{said}; the level has changed: train through yesterday once it is known to last"
        return CheckResult(False, why, value=value, low=low, high=high)

    def slices(self, now: int, day: dt.date) -> CheckResult:
        """Of the slice with the most evidence; the more there are, the more each one needs."""
        # forecasts of several classes have no error
        erring = self.total.size[now - days_judged_by(self.settings) : now + 1].any()
        streams = self.erring if erring else self.losing
        found = self._levels(SLICES, streams, now, self.settings.least_bias) if streams else []
        if not found:
            return CheckResult(True, "not judged: no slice has enough days before it")
        found.sort(key=lambda level: level.evidence, reverse=True)
        moved = [level for level in found if level.changed]
        value = (moved or found)[0].evidence
        if not moved:
            why = f"no slice has moved apart from the rest; nearest: {found[0].name}"
            return CheckResult(True, why, value=value, high=1.0)
        said = ", ".join(
            f"{level.name} by {math.expm1(level.shift):+.0%} since {self._since(level, day)}"
            for level in moved[:NAMED]
        )
        more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
        why = f"moved apart from the rest: {said}{more}; look at their rows since then"
        return CheckResult(False, why, value=value, high=1.0)


def _off(error: FloatArray, size: FloatArray) -> FloatArray:
    """How far forecasts are off as a share of the mean of forecast and actual, from -2 to 2.

    A factor and its inverse are as far, so that bad days are not skewed.
    """
    return _ratio(2 * error, np.maximum(2 * size + error, abs(error)))


def _apart(part: _Daily, total: _Daily) -> FloatArray:
    """How much further off a slice is than the other rows, missing where there are none."""
    others = _off(total.error - part.error, total.size - part.size)
    return _off(part.error, part.size) - others


def _weight(part: _Daily, total: _Daily) -> FloatArray:
    """The logarithm of the target of a slice beside that of the other rows."""
    return _log_ratio(part.size, total.size - part.size)


def _share_of_loss(part: _Daily, total: _Daily) -> FloatArray:
    """The logarithm of the loss of a slice as a share of that of all rows, if there are others."""
    return np.where(part.rows < total.rows, _log_ratio(part.loss, total.loss), math.nan)


def _log_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The logarithm of their quotient, missing where it has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(_ratio(numerator, denominator))
    return np.where(np.isfinite(logs), logs, math.nan)
