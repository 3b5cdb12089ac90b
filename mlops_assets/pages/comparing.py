"""Models on the same rows: their scores pooled over any days, and differences with intervals."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.day_sums import DaySums
from mlops_assets.ml.metrics.metric import DENOMINATOR, NUMERATOR, ROWS, Metric, term_of, term_sums
from mlops_assets.ml.metrics.scores import LONG, common_rows
from mlops_assets.ml.selection.gate import Sums, error_of_difference, quantiles, too_few
from mlops_assets.pages.rows import named, rows_of
from mlops_assets.pages.shelf import Look, ToldSums
from mlops_assets.project.sections import ChampionSettings

VALUE = "value"


def day_sums(
    look: Look,
    between: tuple[dt.date, dt.date] | None = None,
    of: str | None = None,
    by: str = "",
) -> pd.DataFrame:
    """Sums of the metric by date and model and, where a slice is named, its VALUE.

    Of the rows that every model of a day forecast, as the leaderboard has them; of those of a slice
    or series where one is chosen, unless `of` says otherwise.
    """
    of = look.view.of if of is None else of
    metric, project = look.metric, look.project
    metrics = {metric.name: metric}

    def reduce(frame: pd.DataFrame) -> pd.DataFrame:
        known = rows_of(project, common_rows(frame), of)
        if known.empty:
            return pd.DataFrame()
        if by:
            known = named(known, [by])
        sums = term_sums(metrics, known, ["date", "model", *([by] if by else [])])
        return sums.reset_index().rename(columns={by: VALUE})

    def of_sums(told: ToldSums) -> pd.DataFrame | None:
        by_model = {asset.partition("/")[2]: days for asset, days in told.items()}
        every = project.evaluation.made_metrics
        found = DaySums.of(every, metric.name, by_model, project.due)
        return None if found is None else found.sums_of(metric.name).reset_index()

    every = [f"validation/{model.name}" for model in project.models]
    small = None if of or by else of_sums
    return look.reduced(("sums", metric, of, by), every, reduce, between, small)


def sums_by_day(metric: Metric, sums: pd.DataFrame, days: pd.DatetimeIndex) -> Sums:
    """The sums of one model and slice on days; those of a day without rows are zero."""
    by_day = sums.set_index("date").select_dtypes("number").reindex(days)
    above, below = (
        np.nan_to_num(term_of(by_day, metric.name + s)) for s in (NUMERATOR, DENOMINATOR)
    )
    return Sums(above, below, np.nan_to_num(by_day[ROWS].to_numpy(dtype=float)))


def pooled(metric: Metric, sums: Sums) -> float:
    """The metric of all days; NaN without rows."""
    if not sums.rows.sum():
        return math.nan
    total = (part.sum(axis=0, keepdims=True) for part in sums)
    return float(metric.finish(*total)[0])


@dataclass(frozen=True)
class Difference:
    """By how much the loss of one model is above that of another on the same rows."""

    days: int
    rows: int
    one: float
    other: float
    difference: float
    low: float = math.nan
    high: float = math.nan


def difference(
    metric: Metric, one: Sums, other: Sums, settings: ChampionSettings
) -> Difference | None:
    """The difference of the losses of two models, and the ends of its interval.

    By a jackknife over blocks of days, as challengers are judged; without ends where there are too
    few days for it. None without rows.
    """
    kept = one.rows > 0
    one, other = (Sums(*(part[kept] for part in sums)) for sums in (one, other))
    if not len(one.rows):
        return None
    ours, theirs = (
        float(metric.loss(np.array([pooled(metric, sums)]))[0]) for sums in (one, other)
    )
    found = Difference(len(one.rows), int(one.rows.sum()), ours, theirs, ours - theirs)
    if not math.isfinite(found.difference) or too_few(one, settings.block_days):
        return found
    wide = quantiles(one, settings.block_days, (1 - settings.confidence) / 2)
    # of the first less the second: a ratio of one
    error = error_of_difference(metric, (other, one), settings.block_days, 1.0)
    if not math.isfinite(wide * error):
        return found
    low, high = found.difference - wide * error, found.difference + wide * error
    return replace(found, low=low, high=high)


def _window(sums: Sums, start: int, end: int) -> Sums:
    return Sums(*(part[max(start, 0) : end] for part in sums))


def over_time(look: Look, one: str, other: str) -> pd.DataFrame:
    """The difference of two models over the 28 days up to each day shown."""
    first, last = look.between
    due = look.project.due
    days = due.calendar(due.back(first, LONG - 1), last)
    pair = _pair(look, day_sums(look, (days[0].date(), last)), one, other, days)
    rows: list[dict[str, Any]] = []
    for n in range(LONG - 1, len(days)):
        if pair is None or not pair[0].rows[n]:
            continue
        ours, theirs = (_window(sums, n - LONG + 1, n + 1) for sums in pair)
        if found := difference(look.metric, ours, theirs, look.project.champion):
            rows.append({"date": days[n], **vars(found)})
    return pd.DataFrame(rows)


def by_slice(look: Look, one: str, other: str, column: str) -> pd.DataFrame:
    """The difference of two models in each slice over the 28 days up to the last, largest first."""
    days = look.project.due.calendar(*look.back(LONG))
    sums = day_sums(look, look.back(LONG), by=column)
    rows = []
    for value, part in sums.groupby(VALUE) if len(sums) else ():
        pair = _pair(look, part, one, other, days)
        found = pair and difference(look.metric, *pair, look.project.champion)
        if found:
            rows.append({column: value, **vars(found)})
    frame = pd.DataFrame(rows)
    return frame.sort_values("rows", ascending=False) if len(frame) else frame


def _pair(
    look: Look, sums: pd.DataFrame, one: str, other: str, days: pd.DatetimeIndex
) -> tuple[Sums, Sums] | None:
    """The sums of two models on the days that both have rows on; None where either has none."""
    if sums.empty:
        return None
    parts = [sums[sums["model"] == model] for model in (one, other)]
    both = set(parts[0]["date"]) & set(parts[1]["date"])
    if not both:
        return None
    ours, theirs = (sums_by_day(look.metric, part[part["date"].isin(both)], days) for part in parts)
    return ours, theirs


def scores(look: Look, windows: Sequence[int]) -> pd.DataFrame:
    """The metric of each model over windows of days and all that are shown, best first.

    And the difference of its loss to that of the baseline over the longest of the windows.
    """
    longest = windows[-1]
    first = min(look.view.first, look.back(longest)[0])
    due = look.project.due
    days, shown = due.calendar(first, look.view.last), due.calendar(*look.between)
    sums = day_sums(look, (first, look.view.last))
    rows = []
    for model in look.models if len(sums) else ():
        own = sums_by_day(look.metric, sums[sums["model"] == model], days)
        line: dict[str, Any] = {"model": model}
        for head, back in _heads(look, windows, len(shown)):
            line[head] = pooled(look.metric, _window(own, len(days) - back, len(days)))
        rows.append(line | _against(look, sums, model, longest))
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    if not look.view.of and len(look.board):  # to the last digit as ranked
        board = look.board.set_index("model")
        for head, back in _heads(look, windows, 0):
            name = look.metric.name if back == 1 else f"{look.metric.name}_{back}d"
            if back and name in board:
                frame[head] = frame["model"].map(board[name])
    order = look.metric.loss(frame[look.over(longest)].to_numpy(dtype=float)).argsort()
    return frame.iloc[order]


def _heads(look: Look, windows: Sequence[int], every: int) -> Iterator[tuple[str, int]]:
    yield look.unit, 1
    for back in windows:
        yield look.over(back), back
    yield "all shown", every


def _against(look: Look, sums: pd.DataFrame, model: str, back: int) -> dict[str, float]:
    baseline = look.project.evaluation.baseline
    heads = [f"less {baseline}", "from", "up to"]
    days = look.project.due.calendar(*look.back(back))
    pair = _pair(look, sums, model, baseline, days) if model != baseline else None
    found = pair and difference(look.metric, *pair, look.project.champion)
    if not found:
        return dict.fromkeys(heads, math.nan)
    return dict(zip(heads, (found.difference, found.low, found.high), strict=True))
