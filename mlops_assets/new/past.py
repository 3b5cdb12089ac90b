"""The rows of a table as a backtest of new recipes needs them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.features.absent_rows import with_absent_rows
from mlops_assets.ml.features.aggregation import aggregated
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.new.proposal import Proposal
from mlops_assets.project import Project
from mlops_assets.resources.sources import make_source

MOST_ROWS = 1_000_000  # read, of the newest days
MOST_LEARNED = 60_000  # of which so many are learned from and scored, spread over all series
LEAST_DAYS = 56
LOOKED_AT = 28
SEASONS = range(2, 401)  # days
MANY_ZEROS = 0.2  # of the targets
TWICE = 2.0  # a season must be seen so often


@dataclass
class Past:
    """Rows of the newest days, and the features made of them, kept by what they are made of."""

    observations: pd.DataFrame
    date: str
    first: dt.date
    last: dt.date
    due: DueDays = EVERY_DAY
    _features: dict[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def read(cls, made: Proposal, project: Project) -> Past:
        """The rows of as many of the newest days as can be tried. ValueError, SourceError."""
        source = make_source(project, settings=made.source)
        due = project.due
        end = due.end(made.days.last)
        first = made.days.first
        if not made.whole:
            newest = source.read(due.back(end, LOOKED_AT), end)
            days = MOST_ROWS * LOOKED_AT // max(1, len(newest))
            if days < LEAST_DAYS:
                many = f"{due.in_words(LOOKED_AT)} hold {len(newest):,} rows"
                raise ValueError(f"{many}, too many to try")
            first = max(first, due.back(end, days))
        rows = source.read(first, end)
        if project.columns.absent == "zero":
            keys = len(rows[project.columns.series].drop_duplicates())
            days = MOST_ROWS // max(1, keys)
            if days < LEAST_DAYS:
                raise ValueError(f"a {due.grain} holds up to {keys:,} rows, too many to try")
            first = max(first, due.back(end, days))
            rows = with_absent_rows(project.columns, rows, first, end)
        observations = aggregated(project.columns, project.aggregate, rows, to_come=True)
        return cls(observations, project.columns.date, first, made.days.last, due)

    def features(self, plan: FeaturePlan) -> pd.DataFrame:
        """The features of the days, sorted by date; of many rows a part, of the same series."""
        key = f"{plan.features!r}"
        if key not in self._features:
            end = self.due.end(self.last)
            made = make_features(plan, self.observations, self.first, end)
            kept = made[_spread(made, plan.columns.series)]
            self._features[key] = kept.sort_values(self.date, kind="stable", ignore_index=True)
        return self._features[key]

    def is_often_zero(self, target: str) -> bool:
        """Whether a target is never below zero, and 0 in many rows."""
        values = self.observations[target]
        return bool((values.min() >= 0) & ((values == 0).mean() >= MANY_ZEROS))

    def season(self, target: str) -> int | None:
        """After how many days the total of a day comes again most nearly; None where none does."""
        values = self.observations[target]
        if values.dtype != "float64":
            return None
        days = self.due.calendar(self.first, self.last)
        by_day = values.groupby(self.observations[self.date]).sum(min_count=1)
        totals = by_day.reindex(days).to_numpy()
        off = {lag: _off(totals, lag) for lag in SEASONS if lag * TWICE <= len(totals)}
        known = {lag: value for lag, value in off.items() if np.isfinite(value)}
        return min(known, key=lambda lag: known[lag]) if known else None


def _off(totals: np.ndarray[tuple[int], np.dtype[np.float64]], lag: int) -> float:
    """How far the totals are from those so many days before."""
    apart = np.abs(totals[lag:] - totals[:-lag])
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


def _spread(rows: pd.DataFrame, series: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are taken: every so manieth series, or event."""
    every = -(-len(rows) // MOST_LEARNED)
    if every <= 1:
        return np.ones(len(rows), dtype=bool)
    number = rows.groupby(series, dropna=False).ngroup() if series else pd.Series(range(len(rows)))
    few = series and number.nunique() < 2 * every
    taken = np.ones(len(rows), dtype=bool) if few else (number % every == 0).to_numpy()
    return np.asarray(taken)
