"""Model inputs of a day: what is known of it in advance, and the target of the days before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import ONE_DAY, DueDays, holidays_of
from mlops_assets.ml.features.custom_features import FeatureError, add_custom_features
from mlops_assets.ml.features.due_series import due_rows
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.feature_settings import EVES, HOLIDAYS, CalendarFeature, TimePart
from mlops_assets.ml.features.lagged_aggregates import lagged_aggregates
from mlops_assets.ml.features.times_to_come import every_time, times_of
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import rolling_sum


def make_features(
    plan: FeaturePlan,
    observations: pd.DataFrame,
    start: dt.date,
    end: dt.date,
    rows: pd.DataFrame | None = None,
    broken: dict[str, FeatureError] | None = None,
) -> pd.DataFrame:
    """The features of the days [start, end), one row per observation of these days.

    Where `rows` of these days are given, one row for each of them instead.

    `observations` also holds the `plan.longest_lag` days before `start`. Lags, rolling means and
    lagged aggregates of a day use only rows of days that are known when it is forecast, which lie
    `plan.days_ahead` or more days before it; where these are missing they are NaN.
    The columns are those of the settings, then lags, rolling means, aggregates, calendar and
    features of one's own. A day for which one of the latter fails is left out and named in
    `broken`, where that is given.
    """
    date = plan.columns.date
    days = observations[date]
    if rows is None:
        rows = observations[(days >= pd.Timestamp(start)) & (days < pd.Timestamp(end))]
    rows = rows[plan.columns.names].reset_index(drop=True)
    if plan.classes:  # of days before, a class counts as its number
        target = plan.columns.target
        numbers = target_numbers(observations[target], plan.classes)
        observations = observations.assign(**{target: numbers})
    history = _history(plan, observations, rows, start, end)
    aggregates = lagged_aggregates(plan, observations, rows, start, end)
    calendar = {
        feature.value: calendar_feature(rows[date], feature) for feature in plan.features.calendar
    }
    if (place := plan.features.holidays) is not None:
        calendar |= holiday_features(rows[date], place)
    return add_custom_features(
        plan.custom,
        plan.columns,
        observations,
        rows.assign(**history, **aggregates, **calendar),
        broken,
        plan.label_delay_days,
        plan.due,
    )


def rows_to_come(
    plan: FeaturePlan, observations: pd.DataFrame, planned: pd.DataFrame, days: Sequence[dt.date]
) -> pd.DataFrame:
    """A row per series and day to forecast: its inputs, without the target.

    `planned` are rows of these days from the source. A day without any takes the series that are
    due on it, by the `observations` that are known by then, with their last inputs; where absent
    rows are 0, those of the newest day. Columns are those of the settings and `inputs_from`, which
    says which of the two it was.
    """
    date, series = plan.columns.date, plan.columns.series
    ahead = plan.days_ahead
    unit = plan.due.grain
    newest = f"the {unit} before" if ahead == 1 else f"{ahead} {unit}s before"
    parts = []
    for day in map(pd.Timestamp, days):
        rows, inputs_from = planned[planned[date] == day], "source"
        if series:
            rows = rows.drop_duplicates(series)
        if plan.times or rows.empty:
            before = observations[observations[date] == pd.Timestamp(plan.newest_known(day.date()))]
        if plan.times:
            seen = pd.concat([observations, rows])
            rows, planned_all = every_time(plan, rows, before, times_of(plan, seen, day.date()))
            inputs_from = "source" if planned_all else newest
        elif rows.empty:
            rows = before if series else before.iloc[:0]
            inputs_from = newest
            if plan.by_series:
                known = observations[
                    observations[date] <= pd.Timestamp(plan.newest_known(day.date()))
                ]
                rows = due_rows(known, date, series, day.date(), plan.due)
        parts.append(rows.assign(**{date: day}).assign(inputs_from=inputs_from))
    filled = [part for part in parts if len(part)]
    rows = pd.concat(filled, ignore_index=True) if filled else parts[0]
    rows = rows.assign(**{plan.columns.target: float("nan")})
    return rows.astype({date: "datetime64[ns]"})


def _history(
    plan: FeaturePlan,
    observations: pd.DataFrame,
    rows: pd.DataFrame,
    start: dt.date,
    end: dt.date,
) -> dict[str, pd.Series[float]]:
    """Lags and rolling means of the target, aligned with `rows`."""
    delay = plan.label_delay_days
    windows = (days + delay for days in plan.features.rolling_means)
    gap = plan.due.longest_gap
    reach = max([*(lag + gap for lag in plan.features.lags), *windows], default=0)
    if not reach:
        return {}
    date, target, series = plan.columns.date, plan.columns.target, plan.followed
    days = plan.due.calendar(plan.due.back(start, reach), end - ONE_DAY)
    named = observations.dropna(subset=series)  # of other settings, rows may lack a part of it
    if TimePart.FOLD in plan.times:  # of an hour that comes twice, the first is looked back on
        named = named[named[TimePart.FOLD] == 0]
    # days x series, so that a lag is a shift and no row can meet another series
    wide = named.pivot(index=date, columns=series, values=target).astype(float)
    wide = wide.reindex(days)
    known_targets = wide.shift(plan.days_ahead)
    as_due = _as_due(plan.due, wide)
    columns = {name: as_due.shift(lag) for name, lag in plan.lag_columns.items()}
    columns |= {
        name: _rolling_mean(known_targets, window) for name, window in plan.rolling_columns.items()
    }
    day_of_row = days.get_indexer(pd.DatetimeIndex(rows[date]))
    keys = rows[series[0]] if len(series) == 1 else pd.MultiIndex.from_frame(rows[series])
    series_of_row = wide.columns.get_indexer(pd.Index(keys))
    known = series_of_row >= 0  # a series without observations has no history
    return {
        name: pd.Series(values.to_numpy()[day_of_row, series_of_row], index=rows.index).where(known)
        for name, values in columns.items()
    }


def _as_due(due: DueDays, wide: pd.DataFrame) -> pd.DataFrame:
    """A table of days, of which those that are not due repeat the last one that is."""
    if due.all:
        return wide
    at = due.last_due(pd.DatetimeIndex(wide.index))
    known = np.where((at >= 0)[:, None], wide.to_numpy()[at], np.nan)
    return pd.DataFrame(known, wide.index, wide.columns)


def _rolling_mean(table: pd.DataFrame, days: int) -> pd.DataFrame:
    """The mean of what is known of so many days up to each day, the index."""
    known = table.notna().to_numpy()
    sums = rolling_sum(np.where(known, table.to_numpy(), 0.0), days)
    counts = rolling_sum(known.astype(float), days)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return pd.DataFrame(means, table.index, table.columns)


def holiday_features(days: pd.Series[pd.Timestamp], place: str) -> dict[str, pd.Series[int]]:
    """1 on the public holidays of a place, and on the days before them, else 0."""
    years = range(days.dt.year.min(), days.dt.year.max() + 2) if len(days) else range(0)
    known = pd.DatetimeIndex([day for year in years for day in holidays_of(place, year)])
    eves = known - pd.Timedelta(days=1)
    return {
        name: days.isin(found).astype("int32") for name, found in ((HOLIDAYS, known), (EVES, eves))
    }


def calendar_feature(days: pd.Series[pd.Timestamp], feature: CalendarFeature) -> pd.Series[int]:
    """A calendar feature of each date: Monday is 0, the first of January is day 1 of the year."""
    calendar = days.dt
    match feature:
        case CalendarFeature.DAY_OF_MONTH:
            return calendar.day
        case CalendarFeature.WEEK_OF_YEAR:
            return calendar.isocalendar().week.astype("int32")
        case CalendarFeature.IS_WEEKEND:
            return (calendar.dayofweek >= 5).astype("int32")
        case _:
            found: pd.Series[int] = getattr(calendar, feature.value)  # as pandas calls it, too
            return found
