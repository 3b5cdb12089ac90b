"""Retraining policies, tried on the past: what each would have done, and what it came to.

Day after day the version in service is scored, judged and, where the policy says so, replaced, as
the live system does. It only ever learns from rows of days before those that it is scored on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policy import DRIFT, PERFORMANCE, TRIGGERS, Policy
from mlops_assets.ml.backtest.workshop import ONE_DAY, Version, Workshop
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import (
    WEIGHT,
    FloatArray,
    Metric,
    as_column,
    finite_rows,
    group_scores,
)
from mlops_assets.ml.metrics.scores import compare_with_previous, trailing_scores
from mlops_assets.ml.monitoring.daily_facts import daily_facts
from mlops_assets.ml.monitoring.distribution import WEIGHTY, judge_drift
from mlops_assets.ml.monitoring.performance import LEVEL, days_judged_by, judge_days
from mlops_assets.ml.monitoring.sequential import WEEK
from mlops_assets.ml.selection.retraining_rule import RetrainingRule, brought_nothing
from mlops_assets.ml.selection.versions import may_serve

FIRST, SCHEDULED = "first", "schedule"
SERVES, REFUSED, FAILED = "serves", "refused", "failed"
Row = dict[str, float | str | None]

# What the columns of the table mean, for whoever reads it.
MEANINGS = {
    "retrainings": "trainings after the first one: scheduled, caused by an alarm, or refused",
    "alarms": "times that the checks of the triggers began to fail persistently, as the reactions "
    "define it; without a trigger, those of performance, which nothing follows. An alarm lasts "
    "until a new version serves, or until fewer of the days fail than raise one",
    "false": "alarms whose training, the one that they caused or else the next, was refused or "
    "did no better on the days that it served than the version that it replaced",
    "undecided": "alarms that no training followed before the backtest ended",
    "days degraded": "days from the first failing one of each alarm through the evening of the "
    "training that ended it, or through the last failing one, or to the end of the backtest",
    "fit seconds": "what the retrainings took, each as if this policy had been alone",
}


@dataclass
class Training:
    """A training before the day that it may serve first, and what it came to."""

    number: int
    day: dt.date
    why: str
    state: str
    reason: str = ""
    trained_from: dt.date | None = None
    trained_through: dt.date | None = None
    fit_seconds: float = 0.0
    days_in_service: int = 0
    gain: float | None = None
    """Over the version before it on the days that it served, in units of the metric's loss."""


@dataclass
class Alarm:
    """A persistent failure of the checks of a trigger."""

    since: dt.date
    """The first failing day of those by which it was raised."""
    raised: dt.date
    trigger: str
    why: str
    until: dt.date | None = None
    """The last degraded day, None while it lasts."""
    false: bool | None = None
    due: DueDays = EVERY_DAY

    @property
    def degraded_days(self) -> int:
        return 0 if self.until is None else self.due.count(self.since, self.until) + 1


@dataclass(frozen=True)
class Course:
    """What a policy did. Without a version to begin with there are no days, but a problem."""

    policy: Policy
    days: pd.DataFrame
    """By date: value, that of the metric; weekly, pooled over 7 days; rows and training."""
    value: float
    """The metric of all days, their rows pooled as on the leaderboard."""
    trainings: list[Training]
    alarms: list[Alarm]
    problem: str = ""

    @property
    def retrainings(self) -> list[Training]:
        return [training for training in self.trainings if training.why != FIRST]

    def summary(self, metric: str) -> Row:
        """The row of the table, see MEANINGS; without figures where there is a problem."""
        figures: Row = {
            metric: None if self.problem else self.value,
            "retrainings": len(self.retrainings),
            "alarms": len(self.alarms),
            "false": sum(alarm.false is True for alarm in self.alarms),
            "undecided": sum(alarm.false is None for alarm in self.alarms),
            "days degraded": sum(alarm.degraded_days for alarm in self.alarms),
            "fit seconds": sum(training.fit_seconds for training in self.retrainings),
        }
        return {
            "policy": self.policy.name,
            **(dict.fromkeys(figures) if self.problem else figures),
            "problem": self.problem,
        }


def backtest(workshop: Workshop, policy: Policy, first: dt.date, last: dt.date) -> Course:
    """Walk the days from the first to the last as the policy says.

    ValueError where nothing can be trained before the first day.
    """
    return _Walk(workshop, policy, first, last).course()


@dataclass
class _Walk:
    """The state of a backtest on its way."""

    workshop: Workshop
    policy: Policy
    first: dt.date
    last: dt.date
    trainings: list[Training] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    served: list[pd.DataFrame] = field(default_factory=list)
    facts: list[pd.DataFrame] = field(default_factory=list)
    version: Version | None = None
    previous: Version | None = None
    number: int = 0
    """That of the training of the version in service."""
    failed: dict[str, dict[dt.date, str]] = field(default_factory=dict)
    """By trigger, why the version in service failed on days that it served."""
    ever_failed: dict[str, set[dt.date]] = field(default_factory=dict)
    """By trigger, the days on which whichever version failed."""
    verdicts: dict[str, dict[str, CheckResult]] = field(default_factory=dict)
    """By day, what the checks say of the version in service."""

    @property
    def watched(self) -> tuple[str, ...]:
        return self.policy.triggers or (PERFORMANCE,)

    @property
    def rule(self) -> RetrainingRule:
        return RetrainingRule(self.policy.reactions, self.periods)

    @property
    def periods(self) -> DueDays:
        return self.workshop.feature_plan.due

    def _after(self, day: dt.date) -> dt.date:
        return self.periods.back(day, -1)

    def _is_due(self, day: dt.date) -> bool:
        return self.policy.due(day, self.first, self.periods)

    @property
    def delay(self) -> dt.timedelta:
        """How long after a day has ended its target is known, and so whether it failed."""
        return self.workshop.feature_plan.label_delay_days * ONE_DAY

    def course(self) -> Course:
        self._train(self.first, FIRST)
        day = self.first
        while day <= self.last:
            day = self._after(self._serve(day, self._last_before_due(day)))
            if day <= self.last and self._is_due(day):
                self._train(day, SCHEDULED)
        if self.alarms and self.alarms[-1].until is None:
            self.alarms[-1].until = self.last
        for training in self.trainings:
            training.days_in_service, training.gain = self._gain(training.number, self.last)
        for alarm in self.alarms:
            alarm.false = self._was_false(alarm)
        days = _days(self.workshop.metric, self.policy.name, self.served, self.periods)
        return Course(self.policy, *days, self.trainings, self.alarms)

    def _last_before_due(self, day: dt.date) -> dt.date:
        while day < self.last and not self._is_due(self._after(day)):
            day = self._after(day)
        return day

    def _train(self, day: dt.date, why: str) -> None:
        """Train on the days before one; the version serves from that day on, if it may."""
        training = Training(len(self.trainings), day, why, SERVES)
        policy, gap = self.policy, why not in TRIGGERS
        end = policy.learned_before(day, self.periods) if why == SCHEDULED else day
        try:
            version = self.workshop.version(
                policy.hyperparameters, end, policy.window_months, gap=gap
            )
        except ValueError as error:
            if why == FIRST:
                raise
            training.state, training.reason = FAILED, str(error)
            self.trainings.append(training)
            return
        training.trained_from, training.trained_through = (
            version.trained_from,
            version.trained_through,
        )
        training.fit_seconds = version.window.fit.fit_seconds
        training.reason = self.workshop.refusal(version, self.version)
        self.trainings.append(training)
        if training.reason:
            training.state = REFUSED
            if why == FIRST:
                raise ValueError(f"the first version was not accepted: {training.reason}")
            return
        self.previous, self.version, self.number = self.version, version, training.number
        self.failed = {trigger: {} for trigger in self.watched}
        self.verdicts = {}
        if self.alarms and self.alarms[-1].until is None:
            self.alarms[-1].until = self.periods.back(day, 1)

    def _serve(self, first: dt.date, last: dt.date) -> dt.date:
        """Score and judge days; the last of them, or that on whose evening it was trained again."""
        rows = self._forecasts(first, last)
        self.served.append(rows)
        if rows.empty:
            return last
        metric = self.workshop.metric
        self.facts.append(daily_facts(metric, rows, []))
        self.verdicts |= self._judge(first, rows)
        day = first
        while day <= last:
            known = day - self.delay
            trigger = self._watch(known, self.verdicts.get(str(known), {}))
            if trigger and day < last and self._cooled_down(day):
                now = pd.Timestamp(day)
                self.served[-1] = rows[rows["date"] <= now]
                self.facts[-1] = self.facts[-1][self.facts[-1]["date"] <= now]
                self._train(self._after(day), trigger)
                return day
            day = self._after(day)
        return last

    def _forecasts(self, first: dt.date, last: dt.date) -> pd.DataFrame:
        """Rows of days with the forecasts of the version in service and of that before it.

        A day that has a forecast that is not finite is left out.
        """
        assert self.version is not None
        workshop, plan = self.workshop, self.workshop.feature_plan
        rows = workshop.features.iloc[workshop.rows(first, last)]
        dates = rows[plan.columns.date]
        if not (fit := may_serve(self.version, dates)).all():
            raise ValueError(
                f"{self.version.version} cannot be scored on {dates[~fit].min().date()}: it may "
                "not serve it, or learned from the same rows a loop of the recording before"
            )
        values = workshop.forecast(self.version, first, last)

        def column(forecasts: FloatArray) -> pd.Series[Any]:
            known = pd.Series(as_column(forecasts), index=rows.index)
            return known.where(finite_rows(forecasts))

        found = rows[[]].assign(
            date=dates,
            actual=target_numbers(rows[plan.columns.target], plan.classes),
            forecast=column(values),
            previous_forecast=(
                float("nan")
                if self.previous is None
                else column(workshop.forecast(self.previous, first, last)).where(
                    may_serve(self.previous, dates)
                )
            ),
            **self._weight(rows),
            baseline_forecast=float("nan"),
            covered=float("nan"),
            version=self.number,
        )
        broken = found.loc[found["forecast"].isna(), "date"].unique()
        return found[~found["date"].isin(broken)]

    def _weight(self, rows: pd.DataFrame) -> dict[str, FloatArray]:
        """How much rows count, by the column that says it."""
        weights = self.workshop.fit_plan.weights
        told = None if weights is None else weights.told(rows)
        return {} if told is None else {WEIGHT: told}

    def _judge(self, first: dt.date, rows: pd.DataFrame) -> dict[str, dict[str, CheckResult]]:
        """The verdicts of the checks of both triggers, as far as they are watched, by day."""
        policy = self.policy
        days = [day.date() for day in rows["date"].unique()]
        verdicts: dict[str, dict[str, CheckResult]] = {str(day): {} for day in days}
        if PERFORMANCE in self.watched:
            reach = days_judged_by(policy.performance)
            since = pd.Timestamp(self.periods.back(first, reach))
            verdicts = judge_days(
                policy.performance,
                self.workshop.metric,
                pd.concat([part[part["date"] >= since] for part in self.facts]),
                days,
                against_baseline=False,
                false_alarms_per_year=policy.monitoring.false_alarms_per_year,
                due=self.periods,
            )
        if DRIFT in self.watched:
            assert self.version is not None
            for day in days:
                drifts = self.workshop.drifts(self.version, policy.drift, day)
                if drifts is not None:  # the classifier only warns, and is not asked
                    verdicts[str(day)] |= judge_drift(policy.drift, drifts, 0.5, 1.0)
        return verdicts

    def _watch(self, day: dt.date, verdicts: Mapping[str, CheckResult]) -> str:
        """Keep what failed on a day, open or close an alarm; the trigger to react to, or none."""
        alarm = self.alarms[-1] if self.alarms else None
        checks = {PERFORMANCE: LEVEL, DRIFT: WEIGHTY}
        firing = []
        for trigger in self.watched:
            bad = [
                f"{name}: {verdicts[name].why}"
                for name in checks[trigger]
                if name in verdicts and not verdicts[name].passed
            ]
            if bad:
                self.failed[trigger][day] = "; ".join(bad)
                self.ever_failed.setdefault(trigger, set()).add(day)
            ever = self.ever_failed.get(trigger, ())
            if self.rule.persistent(self.failed[trigger], day, ever):
                firing.append(trigger)
        if firing and (alarm is None or alarm.until is not None):
            failing = self.rule.persistent(self.failed[firing[0]], day)
            if alarm and alarm.until:
                failing = [d for d in failing if d > alarm.until]  # each is counted once
            why = self.failed[firing[0]][day]
            raised = day + self.delay
            self.alarms.append(Alarm(failing[0], raised, firing[0], why, due=self.periods))
        elif alarm and alarm.until is None:
            days = self.rule.last_days(day)
            counts = [sum(d in failed for d in days) for failed in self.failed.values()]
            if max(counts) < self.policy.reactions.failures:
                alarm.until = max(d for failed in self.failed.values() for d in failed)
        return firing[0] if firing and self.policy.triggers else ""

    def _cooled_down(self, day: dt.date) -> bool:
        """Whether it may be trained again on the evening of a day."""
        caused = [training for training in self.trainings[::-1] if training.why in TRIGGERS]
        if not caused:
            return True
        known = day - self.delay
        fruitless = (bool(self._brought_nothing(training, known)) for training in caused)
        return self._after(day) >= self.rule.rests_until(caused[0].day, fruitless)

    def _brought_nothing(self, training: Training, through: dt.date) -> bool | None:
        """Whether it was refused or is no gain so far; None where nothing says so."""
        _, gain = self._gain(training.number, through)
        return brought_nothing(refused=training.state == REFUSED, gain=gain)

    def _gain(self, number: int, through: dt.date) -> tuple[int, float | None]:
        """The days through one that a training served, and its gain over the version before."""
        parts = [
            part[part["date"] <= pd.Timestamp(through)]
            for part in self.served
            if len(part) and part["version"].iloc[0] == number
        ]
        if not parts:
            return 0, None
        rows = pd.concat(parts)
        if rows.empty:  # nothing that it served is known yet
            return 0, None
        compared = compare_with_previous(self.workshop.metric, rows, ["version"])
        gain = None if compared.empty else float(compared["gain"].iloc[0])
        return int(rows["date"].nunique()), gain

    def _was_false(self, alarm: Alarm) -> bool | None:
        """By the training that ended it, else by the next one that is no failure."""
        later = [t for t in self.trainings if t.day > alarm.raised and t.state != FAILED]
        served = [t for t in later if t.state == SERVES]
        ended = [t for t in served if self.periods.back(t.day, 1) == alarm.until]
        judged = [*ended, *later]
        return self._brought_nothing(judged[0], self.last) if judged else None


def _days(
    metric: Metric, name: str, served: list[pd.DataFrame], due: DueDays
) -> tuple[pd.DataFrame, float]:
    rows = pd.concat(served)
    training = rows.groupby("date")["version"].first()
    rows = rows.assign(model=name)
    daily, weekly = (
        trailing_scores({metric.name: metric}, rows, days, due).droplevel("model")
        for days in (1, WEEK)
    )
    pooled = group_scores({metric.name: metric}, rows, ["model"])[metric.name]
    days = pd.DataFrame(
        {
            "value": daily[metric.name],
            "weekly": weekly[metric.name],
            "rows": daily["rows"].astype(int),
            "training": training,
        }
    )
    return days, float(pooled.iloc[0])


def format_figure(value: float | str | None) -> str:
    """A figure of the table as it is read: four digits, and no decimals from 10 on."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10 else f"{value:.0f}"
