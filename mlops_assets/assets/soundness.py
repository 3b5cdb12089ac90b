"""Whether the observations of a day may be stored, and what their checks found."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import dagster as dg

from mlops_assets.assets.checks import observation_checks
from mlops_assets.assets.datasets import by_day
from mlops_assets.assets.observations_type import TargetsError, example, validated
from mlops_assets.assets.reporting import PartitionError
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResult, CheckResults, FailedRows
from mlops_assets.ml.features.due_series import WINDOW, due_rows
from mlops_assets.ml.metrics.completeness import expected_rows
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.monitoring.at_fault import rows_at_fault
from mlops_assets.ml.monitoring.day_facts import (
    DayFacts,
    StoredNames,
    day_facts,
    facts_of,
    names_of_series,
)
from mlops_assets.ml.monitoring.quality import (
    FRESHNESS,
    READABLE,
    SCHEMA,
    TARGETS,
    days_looked_back,
    judge_day,
    readable,
    targets_known,
    without_rows,
)
from mlops_assets.project import Project
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore

OBSERVATIONS = "observations"
FACTS = "facts"  # what the file of a day tells of its rows


class UnsoundError(PartitionError):
    """A severe check of a day failed; `verdicts` are those of the checks that ran."""

    def __init__(self, message: str, verdicts: dict[str, CheckResult]) -> None:
        super().__init__(message)
        self.verdicts = verdicts


class Inspected(NamedTuple):
    """A day as it is to be stored."""

    rows: pd.DataFrame
    verdicts: dict[str, CheckResult]
    lacking: int
    """How many rows it has beside these, that lack a target."""


class Inspector:
    """Judges days one after another, each by the sound ones before it.

    `first` is the first of these days; the days before it are read from the store.
    """

    def __init__(
        self,
        project: Project,
        observations_type: dg.DagsterType,
        datasets: DatasetStore,
        first: dt.date,
    ) -> None:
        self.project, self.observations_type = project, observations_type
        self.rule = project.quality
        self.reach = days_looked_back(self.rule)
        self.datasets = datasets
        self.before: dict[dt.date, DayFacts] = {}
        self._digests: dict[dt.date, str] = {}
        self._seen: dict[dt.date, pd.DataFrame] = {}
        self._read_before(first)

    def _read_before(self, first: dt.date) -> None:
        """The facts of the days before a first one: as its file tells them, else of its rows.

        What is told of how a day moved since the one before holds for that one as it was stored.
        """
        past = days_between(self.project.due.back(first, self.reach), first)
        files = self.datasets.told(OBSERVATIONS, past, FACTS)
        self._digests = {day_of(key): one.digest for key, one in files.items()}
        said = {day_of(key): json.loads(one.text) for key, one in files.items() if one.text}
        fresh = {
            day: text["facts"]
            for day, text in said.items()
            if str(day) == past[0] or text["since"] == self._since(day)
        }
        before = self.project.due.before
        others = [day for day in self._digests if day not in fresh]
        wanted = {*others, *map(before, others), before(first)} & self._digests.keys()
        rows = self.datasets.read(OBSERVATIONS, sorted(map(str, wanted)), {})
        days = by_day(rows, self.project.columns.date)
        for key in sorted({*map(str, fresh), *days}):
            day = day_of(key)
            told = facts_of(fresh[day], partial(self._names, key)) if day in fresh else None
            facts = self._facts(day, days[key]) if key in days else told
            assert facts is not None
            if told:  # the rows of the day before it need not have been read
                facts = replace(facts, repeated=told.repeated, moves=told.moves)
            self.before[day] = facts

    def _since(self, day: dt.date) -> str:
        """Which rows those of a day are held against: the digest of the day before, if known."""
        return self._digests.get(self.project.due.before(day), "")

    def _names(self, key: str) -> frozenset[tuple[str, ...]]:
        """The names of the series of a stored day."""
        series = self.project.columns.series
        rows = self.datasets.read(OBSERVATIONS, [key], {})
        return names_of_series(_happened(self.project, rows).dropna(subset=series), series)

    def store(self, key: str, frame: pd.DataFrame) -> None:
        """Store a sound day with its facts, which the days after it are judged by."""
        day = day_of(key)
        facts, yesterday = self.before[day], self.project.due.before(day)
        told = json.dumps({"since": self._since(day), "facts": facts.told})
        self._digests[day] = self.datasets.write(OBSERVATIONS, key, frame, {FACTS: told})
        if known := self.before.get(yesterday):  # which is not looked at again, but for lost series
            names = StoredNames(len(known.series), partial(self._names, str(yesterday)))
            self.before[yesterday] = replace(known, series=names, values=None)

    def inspect(
        self, key: str, rows: pd.DataFrame | None, left_out: Sequence[str], *, accept: bool
    ) -> Inspected:
        """The rows of a day as they are to be stored; those without a target are none of them.

        `left_out` is what of the source could not be read. UnsoundError when a severe check fails,
        unless it may be accepted and is.
        """
        self._look_back_from(day := day_of(key))
        read = {READABLE: readable(left_out)}
        told = read if left_out else {}  # also of a day of which nothing else is known
        if rows is None or rows.empty:
            raise _unsound({FRESHNESS: without_rows(day, self.before), **told})
        try:
            frame, without = validated(self.project, self.observations_type, rows)
        except ValueError as error:
            check = TARGETS if isinstance(error, TargetsError) else SCHEMA
            refused = CheckResult(False, str(error), severe=True)
            raise _unsound({check: refused, **told}) from error
        known = len(frame) / (len(frame) + len(without))
        said = f", such as {example(self.project, without)}" if len(without) else ""
        read[TARGETS] = targets_known(self.rule, known, len(without), said)
        facts = self._facts(day, frame)
        verdicts = self._judge(day, facts, frame, read)
        severe = [name for name, verdict in verdicts.items() if verdict.severe]
        if severe and not accept:
            raise _unsound(verdicts)
        for name in severe:
            why = f"accepted by hand: {verdicts[name].why}"
            verdicts[name] = replace(verdicts[name], severe=False, why=why)
        self.before[day] = facts
        return Inspected(frame, verdicts, len(without))

    def judge_again(
        self, days: Mapping[str, pd.DataFrame], before: Mapping[str, CheckResults]
    ) -> dict[str, CheckResults]:
        """The verdicts on stored days, which stay stored, that failed some checks `before`."""
        found: dict[str, CheckResults] = {}
        for key, rows in days.items():
            self._look_back_from(day := day_of(key))
            facts = self._facts(day, rows)
            if key in before:
                read = {name: before[key][name] for name in (READABLE, TARGETS)}
                verdicts = self._judge(day, facts, rows, read)
                found[key] = {name: replace(v, severe=False) for name, v in verdicts.items()}
            self.before[day] = facts
        return found

    def _look_back_from(self, day: dt.date) -> None:
        """Whichever days were judged before it in a run, a day looks back as far as alone."""
        first = self.project.due.back(day, self.reach)
        self.before = {then: facts for then, facts in self.before.items() if then >= first}

    def _judge(
        self, day: dt.date, facts: DayFacts, frame: pd.DataFrame, read: CheckResults
    ) -> dict[str, CheckResult]:
        """The verdicts on a day in the order of its checks; `read` are those on how it was read."""
        found = judge_day(
            self.rule,
            day,
            facts,
            self.before,
            due=self.project.due,
            false_alarms_per_year=self.project.monitoring.false_alarms_per_year,
            series=bool(self.project.columns.series),
        ) | dict(read)
        return {
            name: found[name] if found[name].passed else self._with_rows(name, found[name], frame)
            for name in observation_checks(self.project)
        }

    def rows_judged(self, key: str) -> int:
        """How many rows of a sound day its checks counted: without absent ones."""
        return self.before[day_of(key)].rows

    def expected_rows(self, key: str) -> float | None:
        """How many rows a day should have, by the days before it.

        One of each series that is due; of other rows, as many as its weekday usually has.
        """
        day, due = day_of(key), self.project.due
        rows = {then: facts.rows for then, facts in self.before.items()}
        usual = expected_rows(day, rows, due)
        if usual is None or not self.project.feature_plan.by_series:
            return usual
        first = due.back(day, WINDOW)
        like = {rows[then] for then in rows if then >= first and due.alike(then) == due.alike(day)}
        if like == {usual}:  # no series has begun or ended of late
            return usual
        date, series = self.project.columns.date, self.project.columns.series
        seen = self._seen_since(first, day)
        return float(len(due_rows(seen, date, series, day, due))) if len(seen) else usual

    def _seen_since(self, first: dt.date, day: dt.date) -> pd.DataFrame:
        """The dates and series of the rows of the days known, from the first to before another."""
        columns = self.project.columns
        past = [then for then in sorted(self.before) if first <= then < day]
        unread = [str(then) for then in past if then not in self._seen]
        rows = self.datasets.read(OBSERVATIONS, unread, {}) if unread else pd.DataFrame()
        for known, part in by_day(rows, columns.date).items():
            self._seen[day_of(known)] = part[[columns.date, *columns.series]]
        self._seen = {then: self._seen[then] for then in past if then in self._seen}
        parts = [*self._seen.values()]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _with_rows(self, check: str, verdict: CheckResult, frame: pd.DataFrame) -> CheckResult:
        """A verdict with some of the rows that the check failed of."""
        columns = self.project.columns
        rows = rows_at_fault(
            check,
            frame,
            [self.before[day] for day in sorted(self.before)],
            date=columns.date,
            target=columns.target,
            series=columns.series,
            numeric=columns.numeric,
            categorical=columns.categorical,
        )
        return FailedRows(**vars(verdict), rows=rows)

    def _facts(self, day: dt.date, rows: pd.DataFrame) -> DayFacts:
        columns = self.project.columns
        rows = _happened(self.project, rows)
        numbers = target_numbers(rows[columns.target], self.project.labels)
        return day_facts(
            rows.assign(**{columns.target: numbers}),
            target=columns.target,
            series=columns.series,
            inputs=list(dict.fromkeys([*columns.numeric, *columns.categorical])),
            categorical=columns.categorical,
            before=self.before.get(self.project.due.before(day)),
        )


def _happened(project: Project, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that count: without absent ones, since a day that came by half has as many."""
    if project.columns.absent != "zero" or rows.empty:
        return rows
    happened = rows[rows[project.columns.target] != 0]
    return happened if len(happened) else rows


def _unsound(verdicts: dict[str, CheckResult]) -> UnsoundError:
    severe = {name: verdict for name, verdict in verdicts.items() if verdict.severe}
    reasons = "; ".join(verdict.why for verdict in severe.values())
    if not {SCHEMA, FRESHNESS, TARGETS} & set(severe):
        reasons += (
            "; run the day again once the source has the rest, or, where its rows are right as "
            "they are, with `accept: true` in the run config of observations"
        )
    return UnsoundError(reasons, verdicts)


def judged_again(
    project: Project, inspector: Inspector, last: str, datasets: DatasetStore
) -> dict[str, CheckResults]:
    """The new verdicts, kept, on the stored days after a last one that is stored anew.

    Of those that failed some checks: by days before them that were not there yet, or were wrong.
    """
    reach = days_looked_back(project.quality)
    end = project.due.back(day_of(last), -(reach + 1))
    later = [key for key in datasets.keys(OBSERVATIONS) if last < key < str(end)]
    checks = CheckStore(datasets)
    known = checks.results(OBSERVATIONS, later) if later else {}
    failing = {
        key: found
        for key, found in known.items()
        if not all(one.passed for one in found.values())
        and not any(one.severe for one in found.values())  # which are of rows that were refused
        and found.keys() == observation_checks(project).keys()
    }
    if not failing:
        return {}
    between = [key for key in later if key <= max(failing)]
    days = by_day(datasets.read(OBSERVATIONS, between, {}), project.columns.date)
    found = inspector.judge_again(days, failing)
    for key, verdicts in found.items():
        checks.write(OBSERVATIONS, key, verdicts)
    return found
