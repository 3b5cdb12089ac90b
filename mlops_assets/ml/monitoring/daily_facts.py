"""The facts of a day that the performance checks of later days need, as sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import (
    DENOMINATOR,
    NUMERATOR,
    ROWS,
    WEIGHT,
    FloatArray,
    Metric,
    as_array,
    as_column,
    finish_sums,
    group_scores,
    term_of,
    term_sums,
    weight_of,
)
from mlops_assets.ml.models.intervals import radii_of_numbered, series_numbers

ALL_ROWS = ""  # the slice that holds every row
JACKKNIFE_PARTS = 20
ARRAYS = "_sums"  # what a column of arrays is called beside one of numbers: files hold one type
# the sums of the baseline, by the name under which facts have always been stored
THEIRS = "yardstick_"


def covered_rows(
    forecasts: pd.DataFrame,
    before: pd.DataFrame,
    series: Sequence[str],
    *,
    coverage: float,
    window_days: int,
    due: DueDays = EVERY_DAY,
) -> FloatArray:
    """Whether each actual lies in its interval, 1 or 0, NaN without one; of shape (rows,).

    The intervals are split-conformal, from the residuals of the `window_days` days before each day.
    Both frames have the columns date, actual, forecast and those of `series`.
    """
    columns = ["date", "actual", "forecast", *series]
    known = pd.concat([before[columns], forecasts[columns]]) if len(before) else forecasts[columns]
    dates = known["date"].to_numpy()
    order = np.argsort(dates, kind="stable")
    dates, number = dates[order], series_numbers(known, series)[order]
    residual = (known["actual"] - known["forecast"]).to_numpy(dtype=float)[order]
    covered = np.full(len(forecasts), np.nan)
    indices: dict[Any, Any] = dict(forecasts.groupby("date").indices)
    for date, positions in indices.items():
        since = np.datetime64(due.back(date.date(), window_days), "ns")
        first, start = np.searchsorted(dates, [since, date.to_datetime64()])
        if first == start:
            continue
        day = slice(start, start + len(positions))
        radii = radii_of_numbered(residual[first:start], number[first:start], number[day], coverage)
        inside = (np.abs(residual[day]) <= radii).astype(float)
        covered[positions] = np.where(np.isfinite(radii), inside, np.nan)
    return covered


def daily_facts(metric: Metric, forecasts: pd.DataFrame, slices: Sequence[str]) -> pd.DataFrame:
    """What later days need to know of these: sums by date and slice, as columns of a long frame.

    `forecasts` has the columns date, actual, forecast, baseline_forecast (or NaN), covered
    (1, 0 or NaN) and those of `slices`, and row_weight where rows do not count alike. Columns:
    date, slice (the name of the column, or ALL_ROWS), value, the name of the metric, rows,
    numerator and denominator of the metric, an array each where they are several sums, the same of
    the baseline on the rows that both forecast, error (forecast less actual), actual (absolute),
    covered and intervals; and, of all rows, standard_error, that of the metric. Probabilities of
    several classes have no error.
    """
    both = forecasts[forecasts["baseline_forecast"].notna()]
    values, actual = as_array(forecasts["forecast"]), forecasts["actual"].to_numpy(dtype=float)
    counted = weight_of(forecasts)
    counted = np.ones(len(actual)) if counted is None else counted
    rows = forecasts.assign(
        error=(values - actual) * counted if values.ndim == 1 else 0.0,
        size=np.abs(actual) * counted if values.ndim == 1 else 0.0,
    )
    parts = []
    for column in [ALL_ROWS, *slices]:
        by = ["date", column] if column else ["date"]
        ours = _sums(metric, forecasts, by)
        shared = _sums(metric, both, by)
        theirs = _sums(metric, both.assign(forecast=both["baseline_forecast"]), by)
        groups = rows.groupby(by, sort=True, dropna=False)
        facts = ours.assign(
            error=groups["error"].sum(),
            actual=groups["size"].sum(),
            covered=groups["covered"].sum(),
            intervals=groups["covered"].count().astype(float),
            standard_error=math.nan if column else standard_errors(metric, forecasts, by),
        )
        facts = facts.join(shared.add_prefix("shared_")).join(theirs.add_prefix(THEIRS))
        for name in facts.filter(like=ARRAYS):  # a missing array is none, and no number
            known = facts[name].notna()
            facts[name] = [v if k else None for v, k in zip(facts[name], known, strict=True)]
        facts = facts.rename_axis(index={column: "value"}).reset_index()
        parts.append(facts.assign(slice=column) if column else facts.assign(slice=column, value=""))
    return pd.concat(parts, ignore_index=True).assign(metric=metric.name)


def _sums(metric: Metric, rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The sums of the metric of each group; of one that needs the rows, itself times their number.

    Pooled, they are the mean over the days then, each by its rows.
    """
    if metric.needs_rows:
        scores = group_scores({metric.name: metric}, rows, by)
        value, count = scores[metric.name], scores[ROWS]
        groups = rows.groupby(list(by), dropna=False)
        of_rows = groups[WEIGHT].sum() if WEIGHT in rows else count
        weight = of_rows.where(value.notna(), 0.0)
        return pd.DataFrame(
            {ROWS: count, "numerator": value.fillna(0.0) * weight, "denominator": weight}
        )
    sums = term_sums({metric.name: metric}, rows, by)
    terms = {"numerator": metric.name + NUMERATOR, "denominator": metric.name + DENOMINATOR}
    columns: dict[str, Any] = {ROWS: sums[ROWS]}
    for column, term in terms.items():
        values = term_of(sums, term)
        columns[column if values.ndim == 1 else column + ARRAYS] = as_column(values)
    return pd.DataFrame(columns, index=sums.index)


def standard_errors(metric: Metric, forecasts: pd.DataFrame, by: Sequence[str]) -> pd.Series[float]:
    """The standard error of a metric over the rows of each group, missing for a single row.

    The jackknife: the metric without each row in turn (Efron and Stein, The jackknife estimate of
    variance, 1981), or, of a metric whose sums are histograms, without each of 20 random parts of
    the rows. It holds where the rows err independently of each other. That of a group depends on
    its own rows alone.
    """
    metrics, by = {metric.name: metric}, list(by)
    part = forecasts.groupby(by, dropna=False).cumcount()
    if metric.binned:
        draws = np.random.default_rng(0).random(int(part.max()) + 1)[part]  # those of any first n
        order = forecasts.assign(draw=draws).groupby(by, dropna=False)["draw"].rank()
        part = (order - 1).astype(int) % JACKKNIFE_PARTS
    rows = forecasts.assign(part=part)
    if metric.needs_rows:
        last = rows.groupby(by, dropna=False)["part"].transform("max")
        left = pd.concat(
            rows[(rows["part"] != out) & (last >= out)].assign(part=out)
            for out in range(rows["part"].max() + 1)
        )
        without = group_scores(metrics, left, [*by, "part"])[metric.name]
    else:
        sums = term_sums(metrics, rows, [*by, "part"])
        totals = sums.groupby(level=by, dropna=False).transform("sum")
        with np.errstate(divide="ignore", invalid="ignore"):
            without = finish_sums(metrics, totals - sums)[metric.name]
    finite = without.replace([np.inf, -np.inf], np.nan)
    groups = finite.groupby(level=by, sort=True, dropna=False)
    count = groups.size()
    variance: pd.Series[float] = (count - 1) * groups.var(ddof=0)
    return variance.pow(0.5).where(count > 1)
