"""A policy tried on one series whose forecasts are the mean of the last two days learned from.

The target is 9 and 11 in turns, so that the forecast is 10, then twice as high for a while. A day
is then off by 9 to 11 of 19 to 21 units, which is far more than usual.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor

from mlops_assets.ml.backtest import workshop as workshop_module
from mlops_assets.ml.backtest.policies import REFUSED, SCHEDULED, Course, backtest
from mlops_assets.ml.backtest.policy import DRIFT, PERFORMANCE, Policy
from mlops_assets.ml.backtest.workshop import Version, Workshop
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.due_days import DueDays, Grain
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.ml.models.splits import Window, months_before
from mlops_assets.ml.models.training import Fit, FitPlan, FittedWindow, input_columns
from mlops_assets.ml.selection.retraining_rule import RetrainingRule
from mlops_assets.project import (
    DriftSettings,
    MonitoringSettings,
    PerformanceSettings,
    Project,
    ReactionSettings,
    load_project,
)
from mlops_tests.assets.lab import make_settings

START = dt.date(2026, 1, 1)
FIRST = dt.date(2026, 2, 1)
SHIFT = dt.date(2026, 4, 10)
END = dt.date(2026, 5, 20)
SECONDS = 2.0


def day(n: int) -> dt.date:
    """So many days after the shift begins."""
    return SHIFT + dt.timedelta(days=n)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    file = tmp_path_factory.mktemp("project") / "project.yaml"
    file.write_text(yaml.safe_dump(make_settings()))
    return load_project(file)


@pytest.fixture(scope="module", autouse=True)
def last_two_days() -> Any:
    """A fit that takes no time: the mean target of the last two days."""

    def fit_window(
        plan: FitPlan, family: str, hyperparameters: Any, rows: pd.DataFrame, end: dt.date
    ) -> FittedWindow:
        inputs = input_columns(plan.inputs)
        mean = float(rows["units"].tail(2).mean())
        pipeline = DummyRegressor(strategy="constant", constant=mean)
        pipeline.fit(rows[inputs], rows["units"])
        importance = {"unit_price": 1.0}
        fit = Fit(pipeline, np.array([mean]), {"wmape": 0.1}, importance, SECONDS)
        return FittedWindow(pipeline, rows, rows.tail(1), end, fit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workshop_module, "fit_window", fit_window)
        yield


def make_features(shifted: Callable[[dt.date], bool], start: dt.date = START) -> pd.DataFrame:
    days = pd.date_range(start, END)
    units = np.where(np.arange(len(days)) % 2, 11.0, 9.0)
    units += np.array([10.0 if shifted(date.date()) else 0.0 for date in days])
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"date": days, "units": units, "unit_price": random.normal(size=len(days))}
    )
    return frame.assign(
        department="a", category="b", promotion=0.0, units_lag_1=0.0, units_lag_7=0.0
    ).assign(units_mean_7=0.0, day_of_week=days.dayofweek)


def make_workshop(
    project: Project,
    features: pd.DataFrame,
    refused: tuple[dt.date, ...] = (),
    serves_before: Callable[[dt.date], dt.date | None] = lambda _: None,
) -> Workshop:
    def accept(version: Version, in_service: Version | None) -> dict[str, CheckResult]:
        passed = version.trained_through + dt.timedelta(days=1) not in refused
        return {"beats_baseline": CheckResult(passed=passed, why="as asked")}

    def learned(end: dt.date, months: int, gap: bool) -> Window:
        return Window(months_before(end, months), end)

    plans = project.feature_plan, project.fit_plan
    return Workshop(
        *plans, project.primary_metric, "ridge", features, learned, accept, serves_before
    )


def make_policy(**changes: Any) -> Policy:
    usual: dict[str, Any] = {
        "name": "policy",
        "cadence": "never",
        "window_months": 1,
        "triggers": (PERFORMANCE,),
        "hyperparameters": parse_hyperparameters("ridge", {}),
        "reactions": ReactionSettings(days=5, failures=3, cool_down_days=7),
        # a bias of the week would go on failing after the training, by days before it
        # so many that the first day of a shift is an alarm
        "monitoring": MonitoringSettings(false_alarms_per_year=120),
        "performance": PerformanceSettings(min_days=14, least_bias=10.0),
        "drift": DriftSettings(),
    }
    return Policy(**usual | changes)


def run(
    project: Project,
    shifted: Callable[[dt.date], bool],
    last: dt.date,
    refused: tuple[dt.date, ...] = (),
    **changes: Any,
) -> Course:
    workshop = make_workshop(project, make_features(shifted), refused)
    return backtest(workshop, make_policy(**changes), FIRST, last)


def test_a_shift_raises_one_alarm_and_one_training_on_its_third_evening(project: Project) -> None:
    course = run(project, lambda date: date >= SHIFT, day(20))
    [alarm] = course.alarms
    assert (alarm.since, alarm.raised, alarm.until) == (day(0), day(2), day(2))
    assert alarm.trigger == PERFORMANCE
    assert "control_limits: since 2026-04-10 wmape is 404% higher than usual" in alarm.why
    assert alarm.false is False
    [first, training] = course.trainings
    assert (first.day, first.trained_from, first.trained_through) == (
        FIRST,
        dt.date(2026, 1, 1),
        dt.date(2026, 1, 31),
    )
    assert (training.day, training.why) == (day(3), PERFORMANCE)
    assert (training.trained_from, training.trained_through) == (dt.date(2026, 3, 13), day(2))
    assert training.days_in_service == 18
    # 10 April is 9 + 10, being the 99th day after 1 January: 11, then 9, ...
    values = course.days["value"]
    assert values[str(day(-1))] == pytest.approx(1 / 9)
    assert values[str(day(0))] == pytest.approx(11 / 21)
    assert values[str(day(3))] == pytest.approx(1 / 19)
    # nine days of 19 and nine of 21: off by 1 with the new version, by 9 or 11 with the one before
    assert training.gain == pytest.approx((9 * 9 + 9 * 11) / 360 - 18 / 360)
    summary = course.summary("wmape")
    assert summary == {
        "policy": "policy",
        # 68 days off by 1 of 10 on average, three of the shift, 18 off by 1 of 20
        "wmape": pytest.approx((68 + 11 + 9 + 11 + 18) / (680 + 21 + 19 + 21 + 360)),
        "retrainings": 1,
        "alarms": 1,
        "false": 0,
        "undecided": 0,
        "days degraded": 3,
        "fit seconds": SECONDS,
        "problem": "",
    }


def test_without_triggers_the_alarm_is_counted_and_nothing_follows(project: Project) -> None:
    course = run(project, lambda date: date >= SHIFT, day(6), triggers=())
    [alarm] = course.alarms
    assert (alarm.since, alarm.raised, alarm.until) == (day(0), day(2), day(6))
    assert (alarm.degraded_days, alarm.false) == (7, None)
    assert len(course.trainings) == 1


def test_the_scheduled_training_ends_an_alarm_that_nothing_answered(project: Project) -> None:
    first_of_may = dt.date(2026, 5, 1)
    shift = dt.date(2026, 4, 26)
    policy = {"triggers": (), "cadence": "monthly"}
    course = run(project, lambda date: date >= shift, dt.date(2026, 5, 10), **policy)
    [alarm] = course.alarms
    assert (alarm.until, alarm.degraded_days, alarm.false) == (dt.date(2026, 4, 30), 5, False)
    assert [(t.day, t.why) for t in course.retrainings] == [
        (dt.date(2026, month, 1), SCHEDULED) for month in (3, 4, 5)
    ]
    assert course.retrainings[-1].day == first_of_may


def test_a_training_that_brings_nothing_makes_its_alarm_false_and_doubles_the_cool_down(
    project: Project,
) -> None:
    """Three days up, then as before: what was learned is wrong from the first day in service."""
    course = run(project, lambda date: day(0) <= date <= day(2), day(20))
    assert [t.day for t in course.retrainings] == [day(3), day(3 + 2 * 7)]
    first, second = course.alarms
    assert (first.since, first.until, first.false) == (day(0), day(2), True)
    assert (second.since, second.raised, second.until) == (day(3), day(5), day(16))
    assert second.false is False
    assert course.retrainings[0].gain == pytest.approx(-(10 - 1) / 10, abs=0.05)
    summary = course.summary("wmape")
    assert (summary["false"], summary["days degraded"]) == (1, 3 + 14)


def test_a_refused_training_leaves_the_alarm_open_and_doubles_the_cool_down(
    project: Project,
) -> None:
    course = run(project, lambda date: date >= SHIFT, day(20), refused=(day(3),))
    assert [(t.day, t.state) for t in course.retrainings] == [
        (day(3), REFUSED),
        (day(17), "serves"),
    ]
    [alarm] = course.alarms
    assert (alarm.since, alarm.until, alarm.false) == (day(0), day(16), False)
    assert course.summary("wmape")["retrainings"] == 2


def test_an_alarm_passes_when_too_few_of_the_days_fail(project: Project) -> None:
    course = run(project, lambda date: day(0) <= date <= day(2), day(9), triggers=())
    [alarm] = course.alarms
    # two days more, as long as the newest three bear out half of it
    assert (alarm.until, alarm.degraded_days) == (day(4), 5)


def test_drift_is_watched_where_it_is_a_trigger(project: Project) -> None:
    features = make_features(lambda _: False)
    features.loc[features["date"] >= pd.Timestamp(SHIFT), "unit_price"] += 50
    for triggers, expected in (((DRIFT,), [DRIFT]), ((PERFORMANCE,), [])):
        course = backtest(
            make_workshop(project, features), make_policy(triggers=triggers), FIRST, day(6)
        )
        assert [training.why for training in course.retrainings] == expected
    [alarm] = backtest(
        make_workshop(project, features), make_policy(triggers=(DRIFT,)), FIRST, day(6)
    ).alarms
    assert alarm.since == day(0)
    assert "unit_price" in alarm.why


A_YEAR = dt.timedelta(days=364)
LASTING = 4  # days of a holiday


@pytest.mark.long
@pytest.mark.parametrize(
    ("known", "lasting", "reacts"),
    [(False, LASTING, True), (True, LASTING, False), (True, 50, True)],
    ids=["a holiday seen for the first time", "one seen the year before", "one that stays"],
)
def test_a_holiday_seen_the_year_before_is_no_reason_and_a_change_that_stays_is(
    project: Project, known: bool, lasting: int, reacts: bool
) -> None:
    def shifted(date: dt.date) -> bool:
        year_before = known and day(0) <= date + A_YEAR < day(LASTING)
        return year_before or day(0) <= date < day(lasting)

    features = make_features(shifted, START - A_YEAR)
    course = backtest(make_workshop(project, features), make_policy(), FIRST - A_YEAR, day(39))
    early = [training.day for training in course.retrainings if training.day < day(-300)]
    late = [training.day for training in course.retrainings if training.day >= day(0)]
    # trained for the holiday, and again for the days after it, which are as before
    assert early == ([day(3) - A_YEAR, day(17) - A_YEAR] if known else [])
    assert bool(late) is reacts
    if known and reacts:  # once the last days lie behind those of the year before
        assert late[0] > day(LASTING)


def test_a_fit_is_made_once_whichever_policies_ask_for_it(project: Project) -> None:
    workshop = make_workshop(project, make_features(lambda _: False))
    monthly, never = make_policy(cadence="monthly"), make_policy()
    courses = [backtest(workshop, policy, FIRST, END) for policy in (monthly, never, monthly)]
    assert workshop.fits == 4, "1 February to 1 May"
    assert [len(course.retrainings) for course in courses] == [3, 0, 3]
    assert courses[2].summary("wmape")["fit seconds"] == 3 * SECONDS, "as if alone"


@pytest.mark.long
@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 1000),
    cut=st.integers(20, 60),
    cadence=st.sampled_from(["never", "monthly", "25 days"]),
    triggers=st.sampled_from([(), (PERFORMANCE,), (DRIFT, PERFORMANCE)]),
)
def test_no_number_of_a_day_depends_on_later_rows(
    project: Project, seed: int, cut: int, cadence: str, triggers: tuple[str, ...]
) -> None:
    """And each is made by a version that learned from the month before a day before it."""
    features = make_features(lambda _: False)
    random = np.random.default_rng(seed)
    features["units"] *= random.choice([1.0, 3.0], size=len(features), p=[0.9, 0.1])
    last = FIRST + dt.timedelta(days=cut)
    later = features.copy()
    later.loc[later["date"] > pd.Timestamp(last), ["units", "unit_price"]] = 1000.0
    policy = make_policy(cadence=cadence, triggers=triggers)
    end = FIRST + dt.timedelta(days=70)
    one, other = (
        backtest(make_workshop(project, f), policy, FIRST, end) for f in (features, later)
    )
    until = str(last)
    pd.testing.assert_frame_equal(one.days.loc[:until], other.days.loc[:until])
    for date, number in one.days["training"].items():
        training = one.trainings[number]
        assert training.trained_through is not None
        assert training.trained_through < pd.Timestamp(str(date)).date()
        assert training.trained_through == training.day - dt.timedelta(days=1)
        assert training.trained_from == months_before(training.day, 1)


@pytest.mark.parametrize(
    ("cadence", "due"),
    [
        ("never", []),
        ("weekly", ["2026-03-30", "2026-04-06"]),
        ("monthly", ["2026-04-01"]),
        ("quarterly", ["2026-04-01"]),
        ("4 days", ["2026-03-29", "2026-04-02", "2026-04-06"]),
    ],
)
def test_a_cadence_is_due_on_its_days(cadence: str, due: list[str]) -> None:
    first = dt.date(2026, 3, 25)
    days = [first + dt.timedelta(days=n) for n in range(1, 14)]
    policy = make_policy(cadence=cadence)
    assert [str(date) for date in days if policy.due(date, first)] == due


@pytest.mark.parametrize(
    ("cadence", "grain", "due", "learned"),
    [
        # the first Mondays of April and May 2026 are the 6th and the 4th
        ("monthly", Grain.WEEK, ["2026-04-06", "2026-05-04"], ["2026-04-01", "2026-05-01"]),
        ("quarterly", Grain.WEEK, ["2026-04-06"], ["2026-04-01"]),
        ("4 weeks", Grain.WEEK, ["2026-04-20", "2026-05-18"], ["2026-04-20", "2026-05-18"]),
        ("quarterly", Grain.MONTH, ["2026-04-01", "2026-07-01"], ["2026-04-01", "2026-07-01"]),
        ("monthly", Grain.QUARTER, ["2026-04-01", "2026-07-01"], ["2026-04-01", "2026-07-01"]),
    ],
)
def test_a_cadence_is_due_before_the_first_period_of_a_month(
    cadence: str, grain: Grain, due: list[str], learned: list[str]
) -> None:
    periods = DueDays(grain=grain)
    first = periods.start(dt.date(2026, 3, 25))
    count = 8 if grain is Grain.WEEK else 4 if grain is Grain.MONTH else 2
    policy = make_policy(cadence=cadence)
    days = [periods.back(first, -n) for n in range(1, count + 1)]
    found = [day for day in days if policy.due(day, first, periods)]
    assert [*map(str, found)] == due
    assert [str(policy.learned_before(day, periods)) for day in found] == learned


def test_a_quarter_begins_in_four_months_of_the_year() -> None:
    policy = make_policy(cadence="quarterly")
    months = [m for m in range(1, 13) if policy.due(dt.date(2026, m, 1), START)]
    assert months == [1, 4, 7, 10]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cadence": "yearly"}, "'yearly' is no cadence; write never, weekly, monthly, quarterly"),
        ({"cadence": "0 days"}, "'0 days' is no cadence"),
        ({"triggers": ("noise",)}, "'noise' is no trigger; the triggers are: performance, drift"),
    ],
)
def test_what_is_no_policy_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_policy(**change)


@pytest.mark.parametrize(
    ("fruitless", "days"),
    [([], 7), ([False, True], 7), ([True, False, True], 14), ([True, True, True], 56)],
)
def test_a_cool_down_doubles_with_each_of_the_newest_that_brought_nothing(
    fruitless: list[bool], days: int
) -> None:
    assert RetrainingRule(ReactionSettings(cool_down_days=7)).cool_down_days(fruitless) == days


def test_a_reaction_waits_until_the_targets_are_known(project: Project) -> None:
    """The third bad day is known two evenings later; what is learned then ends with it."""
    values = make_settings()
    values["features"] |= {"lags": [3, 7]}
    values["evaluation"] |= {"label_delay_days": 2}
    delayed = Project.model_validate(values)
    features = make_features(lambda date: date >= SHIFT).rename(
        columns={"units_lag_1": "units_lag_3"}
    )

    def learned(end: dt.date, months: int, gap: bool) -> Window:
        return delayed.training_window.of(end, START, gap=gap)

    workshop = make_workshop(delayed, features)
    workshop.learned = learned
    course = backtest(workshop, make_policy(), dt.date(2026, 2, 3), day(20))
    [alarm] = course.alarms
    assert (alarm.since, alarm.raised, alarm.until) == (day(0), day(4), day(4))
    first, training = course.trainings
    assert first.trained_through == dt.date(2026, 1, 31)
    assert (training.day, training.trained_through) == (day(5), day(2))
    assert training.days_in_service == 16


def test_nothing_is_scored_on_rows_that_it_learned_from_a_loop_of_the_recording_before(
    project: Project,
) -> None:
    def workshop(loop_days: int) -> Workshop:
        return make_workshop(
            project,
            make_features(lambda _: False),
            serves_before=lambda start: start + dt.timedelta(days=loop_days),
        )

    last = FIRST + dt.timedelta(days=30)
    again = months_before(FIRST, 1) + dt.timedelta(days=45)
    with pytest.raises(ValueError, match=f"cannot be scored on {again}: it may not"):
        backtest(workshop(45), make_policy(), FIRST, last)
    # trained again in time, it may; the one before it is compared as long as it may
    course = backtest(workshop(45), make_policy(cadence="7 days"), FIRST, last)
    assert len(course.days) == 31
