"""From forecasts to scores: of a day, of its slices, and of trailing windows on common rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import (
    ROWS,
    WEIGHT,
    FloatArray,
    Metric,
    as_array,
    finish_sums,
    group_scores,
    rolling_sum,
    term_sums,
    weight_of,
    without_rows,
)

TRAILING_DAYS = (7, 28)  # windows over which models are compared
SHORT, LONG = TRAILING_DAYS
IN_SHADOW = "in_shadow"  # of forecasts by a version that was not accepted
# Columns of stored forecasts, beside those of the series and slices
FORECAST_COLUMNS = (
    *("date", "row", "actual", "forecast", "version", "trained_through"),
    *("previous_version", "previous_forecast", "issued_at"),
)
# Names that columns of a project's own cannot have, where they are stored beside these
RESERVED_COLUMNS = (
    *(*FORECAST_COLUMNS, IN_SHADOW, WEIGHT),
    *("model", "lower", "upper", "inputs_from", "residual", "radius", "nth"),
    *("baseline_forecast", "covered", "error", "size", "rows", "num", "den", "without"),
)


@dataclass(frozen=True)
class DayScores:
    """Scores of one model by day, and by day and value of each slice column."""

    days: pd.DataFrame
    slices: pd.DataFrame


def score_days(
    metrics: Mapping[str, Metric], forecasts: pd.DataFrame, slices: Sequence[str]
) -> DayScores:
    """Score forecasts (FORECAST_COLUMNS and slice columns) of any number of days at once.

    `days` is indexed by date and has a column per metric and `rows`; `slices` has the columns
    date, slice (the name of the column), value, a column per metric and rows.
    """
    days = group_scores(metrics, forecasts, ["date"])
    parts = [
        group_scores(metrics, forecasts, ["date", column])
        .rename_axis(index={column: "value"})
        .reset_index()
        .assign(slice=column)
        for column in slices
    ]
    return DayScores(days, pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def common_rows(forecasts: pd.DataFrame) -> pd.DataFrame:
    """The rows that every model of the day forecast; `forecasts` has a column `model`."""
    models_of_day = forecasts.groupby("date")["model"].transform("nunique")
    models_of_row = forecasts.groupby(["date", "row"])["row"].transform("size")  # once a model
    return forecasts[models_of_row == models_of_day]


def compare_with_previous(
    metric: Metric, forecasts: pd.DataFrame, by: Sequence[str]
) -> pd.DataFrame:
    """How much better than the version before it the version in service is, by group.

    Columns: `previous`, the metric of the version before, and `gain`, its loss less that of the
    version in service, in units of the metric, above zero where retraining paid. `forecasts`
    (FORECAST_COLUMNS and those of `by`) are compared on the rows that both versions forecast; a
    group without such rows is left out.
    """
    both = of_both(forecasts)
    if "previous_forecast" not in both:
        return pd.DataFrame({"previous": [], "gain": []}, dtype=float)
    metrics = {metric.name: metric}
    ours = group_scores(metrics, both, by)
    shadow = both.assign(forecast=both["previous_forecast"])
    theirs = group_scores(metrics, shadow, by)
    previous = theirs[metric.name].to_numpy()
    gain = metric.loss(previous) - metric.loss(ours[metric.name].to_numpy())
    return pd.DataFrame({"previous": previous, "gain": gain}, index=ours.index)


def of_both(forecasts: pd.DataFrame) -> pd.DataFrame:
    """The rows that the version before the one in service forecast as well."""
    if "previous_forecast" not in forecasts:  # stored before previous versions were scored
        return forecasts.iloc[:0]
    return forecasts[forecasts["previous_forecast"].notna()]


def trailing_gain(
    metric: Metric, forecasts: pd.DataFrame, days: int, due: DueDays = EVERY_DAY
) -> pd.Series[float]:
    """The `gain` of `compare_with_previous` over the `days` days up to each, their rows pooled."""
    both, metrics = of_both(forecasts), {metric.name: metric}
    if both.empty:
        return pd.Series(dtype=float)
    ours = trailing_scores(metrics, both, days, due)[metric.name]
    shadow = both.assign(forecast=both["previous_forecast"])
    previous = trailing_scores(metrics, shadow, days, due)[metric.name].to_numpy()
    return pd.Series(metric.loss(previous) - metric.loss(ours.to_numpy()), ours.index)


def trailing_scores(
    metrics: Mapping[str, Metric],
    forecasts: pd.DataFrame,
    days: int,
    due: DueDays = EVERY_DAY,
) -> pd.DataFrame:
    """Scores of each model over the `days` days up to each date, on common rows.

    Or over so many weeks, months or quarters, where rows are `due` of these. The rows of a window
    are pooled, so that a busy day weighs more than a quiet one. Indexed by model and date, with a
    column per metric, `rows`, and `days`: how many days of the window have forecasts.
    """
    summed = without_rows(metrics)
    scores = trailing_sums(summed, term_sums(summed, forecasts, ["model", "date"]), days, due)
    for name in metrics.keys() - summed.keys():
        scores[name] = _scores_of_windows(metrics[name], forecasts, days, due)
    return scores[[*metrics, ROWS, "days"]]


def trailing_sums(
    metrics: Mapping[str, Metric], sums: pd.DataFrame, days: int, due: DueDays = EVERY_DAY
) -> pd.DataFrame:
    """The same of metrics that sums say exactly, from those of each model and date, the index."""
    sums = sums.assign(days=1.0)
    dates = sums.index.get_level_values("date")
    calendar = due.calendar(dates.min().date(), dates.max().date())
    models = sums.index.get_level_values("model").unique()
    grid = pd.MultiIndex.from_product([models, calendar], names=["model", "date"])
    by_model = sums.reindex(grid, fill_value=0.0).to_numpy().reshape(len(models), len(calendar), -1)
    windows = np.concatenate([rolling_sum(values, days) for values in by_model])
    rolled = pd.DataFrame(windows, grid, sums.columns).loc[sums.index]
    scores = finish_sums(metrics, rolled.drop(columns="days"))
    return scores.assign(days=rolled["days"].astype(int))


def _scores_of_windows(
    metric: Metric, forecasts: pd.DataFrame, days: int, due: DueDays
) -> FloatArray:
    """What the rows of the days up to each date say, of model after model."""
    found = []
    for _, rows in forecasts.groupby("model"):
        rows = rows.sort_values("date", kind="stable")
        dates, actual = due.numbers(rows["date"]), rows["actual"].to_numpy(dtype=float)
        forecast, weight = as_array(rows["forecast"]), weight_of(rows)
        for date in np.unique(dates):
            ends = [date - days + 1, date + 1]
            window = slice(*np.searchsorted(dates, ends))
            one_group = np.zeros(len(actual[window]), dtype=np.int64)
            counted = None if weight is None else weight[window]
            found.append(metric.of_rows(actual[window], forecast[window], one_group, 1, counted))
    return np.concatenate(found)
