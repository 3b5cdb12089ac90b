"""This project's checks, and fixed thresholds on its distances, on the days of a stretch."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmarks.detection.plant import Change
from benchmarks.detection.stretches import Stretch, Version, World
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.monitoring.daily_facts import covered_rows, daily_facts
from mlops_assets.ml.monitoring.day_facts import DayFacts, day_facts
from mlops_assets.ml.monitoring.distances import jensen_shannon, robust_spread, wasserstein
from mlops_assets.ml.monitoring.distribution import (
    FORECAST,
    FORECASTS,
    INPUTS,
    Reference,
    judge_drift,
)
from mlops_assets.ml.monitoring.performance import TOLD, judge_days
from mlops_assets.ml.monitoring.quality import (
    TARGET_LEVEL,
    days_judged_by,
    judge_day,
)
from mlops_assets.ml.monitoring.sequential import WEEK

Verdicts = dict[str, CheckResult]

UNTOUCHED = "nothing"
DATA, PERFORMANCE, DRIFT = "data", "performance", "drift"
OURS, LASTING, EVERY, FIXED, FIXED_DAILY = (
    "this project",
    "this project, while it lasts",
    "this project, every check",
    "fixed thresholds",
    "fixed thresholds, by day",
)
FIXED_THRESHOLD = 0.1  # the usual one, Evidently's default, of a scaled distance
ALARMS = {PERFORMANCE: TOLD, DRIFT: (INPUTS, FORECASTS)}
"""The checks whose failures are alarms; of the data all are."""
LASTS = (TARGET_LEVEL, *TOLD, INPUTS, FORECASTS)
"""The checks that fail as long as a change lasts: told again after a week without."""
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Alarm:
    """A check that failed on a day; `change` is what was planted."""

    side: str
    start: dt.date
    change: str
    day: dt.date
    family: str
    check: str


@dataclass(frozen=True)
class Case:
    """The days of a stretch as they were seen: facts of the observed rows, and their features.

    The features hold the forecasts as well; those of refused days are missing.
    """

    change: str
    first: dt.date
    facts: dict[dt.date, DayFacts]
    features: pd.DataFrame


def told_as(family: str, check: str) -> str:
    """What a failed check is told as: a model's and those of drift as one; empty if it is not."""
    if family == DATA:
        return check
    return family if check in ALARMS[family] else ""


class Follower:
    """Follows one stretch, untouched and with changes planted."""

    def __init__(self, world: World, versions: Mapping[dt.date, Version], stretch: Stretch) -> None:
        self.world, self.project, self.stretch = world, world.project, stretch
        self.columns = self.project.columns
        self.version = versions[stretch.start]
        self.baseline = world.baseline(stretch.start)
        self.rule = self.project.quality
        self.false_alarms = self.project.monitoring.false_alarms_per_year
        calendar = {feature.value for feature in self.project.features.calendar}
        self.numeric = [*(n for n in self.project.inputs.numeric if n not in calendar), FORECAST]
        self.categorical = list(self.columns.categorical)
        self.learned = self.with_forecasts(world.learned_from(stretch.start))
        self.reference = Reference(
            self.project.drift,
            self.learned,
            date=self.columns.date,
            series=self.columns.series,
            numeric=self.numeric,
            categorical=self.categorical,
            importance=self.version.importance,
        )
        self.history = pd.concat(
            [
                self.with_forecasts(world.between(world.features, start, end), versions[start])
                for start, end in zip(
                    stretch.version_starts, stretch.version_starts[1:], strict=False
                )
            ],
            ignore_index=True,
        )

    def with_forecasts(self, rows: pd.DataFrame, version: Version | None = None) -> pd.DataFrame:
        """Features with the forecasts of a version, that of the stretch if none is named."""
        if rows.empty:
            return rows.assign(**{FORECAST: np.nan})
        pipeline = (version or self.version).pipeline
        return rows.assign(**{FORECAST: self.world.forecast(pipeline, rows)})

    def alarms(self, planted: bool) -> Iterator[Alarm]:
        """All alarms of the untouched stretch, and of each planted change where asked for."""
        for case in self.cases(planted):
            yield from self.judge(case)

    def cases(self, planted: bool) -> Iterator[Case]:
        yield self.untouched
        for number, change in enumerate(self.world.table.changes if planted else ()):
            yield self.case(change, number)

    @cached_property
    def untouched(self) -> Case:
        stretch, world = self.stretch, self.world
        features = world.between(world.features, stretch.start, stretch.end)
        facts = {day: found for day, found in self._known_facts.items() if day >= stretch.start}
        return Case(UNTOUCHED, stretch.start, facts, self.with_forecasts(features))

    def case(self, change: Change, number: int) -> Case:
        """A planted change, which goes up in every other stretch."""
        stretch, world = self.stretch, self.world
        random = np.random.default_rng([stretch.number, number])
        back = stretch.planted - dt.timedelta(days=self.project.longest_lag)
        rows = world.between(world.observations, back, stretch.horizon)
        sign = 1 if stretch.number % 2 else -1
        rows = change.plant(rows, pd.Timestamp(stretch.planted), random, sign)
        changed = world.between(rows, stretch.planted, stretch.horizon)
        facts = self._facts(changed, self._known_facts)
        refused = [
            pd.Timestamp(day)
            for day, verdicts in self._soundness(facts, stretch.planted)
            if any(verdict.severe for verdict in verdicts.values())
        ]
        kept = rows[~rows[self.columns.date].isin(refused)]
        fresh = make_features(self.project.feature_plan, kept, stretch.planted, stretch.horizon)
        return Case(change.name, stretch.planted, facts, self.with_forecasts(fresh))

    def judge(self, case: Case) -> Iterator[Alarm]:
        """The alarms from the first day of the case on."""

        def alarm(side: str, day: dt.date, family: str, check: str) -> Alarm:
            return Alarm(side, self.stretch.start, case.change, day, family, check)

        failed = self._failed(case)
        before = [found for found in self._failed_untouched if found[0] < case.first]
        before += self._failed_before
        known = {(day, told_as(family, check)) for day, family, check in [*before, *failed]}
        for day, family, check in failed:
            yield alarm(EVERY, day, family, check)
            subject = told_as(family, check)
            if not subject:
                continue
            yield alarm(LASTING, day, family, check)
            quiet = range(1, 1 + (WEEK if check in LASTS else 1))
            if not any((day - back * ONE_DAY, subject) in known for back in quiet):
                yield alarm(OURS, day, family, check)
        for side, days in ((FIXED, self.project.drift.window_days), (FIXED_DAILY, 1)):
            for day, rows in self._recent(case, days):
                for column in self._beyond_fixed(rows):
                    yield alarm(side, day, DRIFT, column)

    def _failed(self, case: Case) -> list[tuple[dt.date, str, str]]:
        """The days, families and checks that failed."""
        families = {
            DATA: self._soundness(case.facts, case.first),
            PERFORMANCE: self._control(case),
            DRIFT: self._drift(case),
        }
        return list(_failing(families))

    @cached_property
    def _failed_untouched(self) -> list[tuple[dt.date, str, str]]:
        return self._failed(self.untouched)

    @cached_property
    def _failed_before(self) -> list[tuple[dt.date, str, str]]:
        """What failed of data and older versions in the week before, and so was told before."""
        first = self.stretch.start - WEEK * ONE_DAY
        week = {day: f for day, f in self._known_facts.items() if first <= day < self.stretch.start}
        families = {
            DATA: self._soundness(week, first),
            PERFORMANCE: self._judged(self._known_forecasts[1], list(week)),
        }
        return list(_failing(families))

    def _facts(
        self, rows: pd.DataFrame, before: Mapping[dt.date, DayFacts]
    ) -> dict[dt.date, DayFacts]:
        """Of each day of the rows; `before` are those of days before them."""
        columns = self.columns
        found: dict[dt.date, DayFacts] = {}
        for stamp, frame in rows.groupby(columns.date):
            day, yesterday = stamp.date(), stamp.date() - dt.timedelta(days=1)
            found[day] = day_facts(
                frame,
                target=columns.target,
                series=columns.series,
                inputs=list(dict.fromkeys([*columns.numeric, *columns.categorical])),
                categorical=columns.categorical,
                before=found.get(yesterday, before.get(yesterday)),
            )
        return found

    @cached_property
    def _known_facts(self) -> dict[dt.date, DayFacts]:
        """Of the untouched days, and of those before them."""
        first = self.stretch.start - dt.timedelta(days=days_judged_by(self.rule) + WEEK)
        world = self.world
        return self._facts(world.between(world.observations, first, self.stretch.end), {})

    def _soundness(
        self, facts: Mapping[dt.date, DayFacts], first: dt.date
    ) -> Iterator[tuple[dt.date, Verdicts]]:
        """The checks of observations; a refused day is no day before those after it."""
        before = {day: known for day, known in self._known_facts.items() if day < first}
        for day in sorted(facts):
            verdicts = judge_day(
                self.rule, day, facts[day], before, false_alarms_per_year=self.false_alarms
            )
            yield day, verdicts
            if not any(verdict.severe for verdict in verdicts.values()):
                before[day] = facts[day]

    def _forecasts(self, features: pd.DataFrame) -> pd.DataFrame:
        columns = self.columns
        known = dict.fromkeys([*columns.series, *self.project.evaluation.slices])
        return pd.DataFrame(
            {
                **{name: features[name] for name in known},
                "date": features[columns.date],
                "actual": features[columns.target],
                "forecast": features[FORECAST],
                "baseline_forecast": self.world.forecast(self.baseline, features),
            }
        )

    def _model_facts(self, forecasts: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
        project = self.project
        first = forecasts["date"].min() - pd.Timedelta(days=project.champion.window_days)
        covered = covered_rows(
            forecasts,
            before[before["date"] >= first],
            self.columns.series,
            coverage=project.champion.coverage,
            window_days=project.champion.window_days,
        )
        rows = forecasts.assign(covered=covered)
        return daily_facts(project.primary_metric, rows, project.evaluation.slices)

    @cached_property
    def _known_forecasts(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Of the untouched days and those before them, and what they come to."""
        every = pd.concat([self.history, self.untouched.features], ignore_index=True)
        forecasts = self._forecasts(every)
        return forecasts, self._model_facts(forecasts, forecasts.iloc[:0])

    def _control(self, case: Case) -> Iterator[tuple[dt.date, Verdicts]]:
        """The checks of the model, whose days before the case are those of the untouched."""
        first = pd.Timestamp(case.first)
        forecasts, known = self._known_forecasts
        if case is self.untouched:
            facts = known
        else:
            before = forecasts[forecasts["date"] < first]
            fresh = self._model_facts(self._forecasts(case.features), before)
            facts = pd.concat([known[known["date"] < first], fresh], ignore_index=True)
        days = [day.date() for day in sorted(case.features[self.columns.date].unique())]
        return self._judged(facts, days)

    def _judged(
        self, facts: pd.DataFrame, days: Sequence[dt.date]
    ) -> Iterator[tuple[dt.date, Verdicts]]:
        verdicts = judge_days(
            self.project.performance,
            self.project.primary_metric,
            facts,
            days,
            against_baseline=True,
            false_alarms_per_year=self.false_alarms,
        )
        for key, found in verdicts.items():
            yield dt.date.fromisoformat(key), found

    def _recent(self, case: Case, days: int) -> Iterator[tuple[dt.date, pd.DataFrame]]:
        """The rows of so many days up to each day of the case, those before it untouched."""
        date = self.columns.date
        back = case.first - dt.timedelta(days=days - 1)
        before = self.world.between(self.world.features, back, case.first)
        every = pd.concat([self.with_forecasts(before), case.features], ignore_index=True)
        for day in sorted(case.features[date].unique()):
            first = day - pd.Timedelta(days=days - 1)
            yield day.date(), every[(every[date] >= first) & (every[date] <= day)]

    def _drift(self, case: Case) -> Iterator[tuple[dt.date, Verdicts]]:
        settings, date = self.project.drift, self.columns.date
        for day, rows in self._recent(case, settings.window_days):
            if rows[date].nunique() >= settings.min_days:
                drifts, auc = self.reference.compare(rows), self.reference.auc(rows)
                yield day, judge_drift(settings, drifts, auc, self.reference.auc_limit)

    @cached_property
    def _sorted(self) -> dict[str, tuple[np.ndarray, float]]:
        """The numbers learned from, and their spread."""
        values = {name: np.sort(_present(self.learned[name])) for name in self.numeric}
        return {name: (numbers, robust_spread(numbers)) for name, numbers in values.items()}

    def _beyond_fixed(self, rows: pd.DataFrame) -> Iterator[str]:
        """The columns whose distance is above the fixed threshold."""
        for name, (learned, spread) in self._sorted.items():
            recent = np.sort(_present(rows[name]))
            if wasserstein(learned, recent, spread) > FIXED_THRESHOLD:
                yield name
        for name in self.categorical:
            counts = [frame[name].value_counts() for frame in (self.learned, rows)]
            known = counts[0].index.union(counts[1].index)
            first, second = (
                count.reindex(known, fill_value=0).to_numpy(dtype=float) for count in counts
            )
            if jensen_shannon(first, second) > FIXED_THRESHOLD:
                yield name


def _failing(
    families: Mapping[str, Iterable[tuple[dt.date, Verdicts]]],
) -> Iterator[tuple[dt.date, str, str]]:
    for family, found in families.items():
        for day, verdicts in found:
            for check, verdict in verdicts.items():
                if not verdict.passed:
                    yield day, family, check


def _present(values: pd.Series) -> np.ndarray:
    return values.dropna().to_numpy(dtype=float)
