"""A model that stays worse is trained again, once, and less often when that brings nothing."""

import datetime as dt
import zoneinfo
from functools import partial

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation.retraining import (
    REACTION_TAG,
    REASON_TAG,
    THROUGH_TAG,
    Degradation,
    cooled_down,
    degraded_models,
    drifted_models,
    trainings,
    unsettled,
)
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import day_of, days_between, run_tags
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.due_days import DueDays, Grain
from mlops_assets.ml.selection.retraining_rule import RetrainingRule
from mlops_assets.project import ReactionSettings
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.switches import retraining_schedule_name
from mlops_tests.assets.lab import QUIET, Lab, keys, make_rows
from mlops_tests.automation.test_late_data import made

TODAY = dt.date(2026, 4, 1)
NOW = dt.datetime(2026, 4, 1, 6, tzinfo=dt.UTC)
DEGRADED = [Degradation("linear", "it became worse")]


@pytest.mark.parametrize(
    ("days", "holds"),
    [("00111", True), ("10101", True), ("11110", False), ("00011", False), ("", False)],
)
def test_a_degradation_is_persistent_with_enough_days_and_the_newest(
    days: str, holds: bool
) -> None:
    rule = RetrainingRule(ReactionSettings(days=5, failures=3))
    first = TODAY - dt.timedelta(days=len(days))
    failed = {first + dt.timedelta(days=n) for n, day in enumerate(days) if day == "1"}
    assert bool(rule.persistent(failed, TODAY - dt.timedelta(days=1))) is holds


def test_periods_are_looked_back_on_as_days_are() -> None:
    rule = RetrainingRule(ReactionSettings(days=3, failures=2), DueDays(grain=Grain.MONTH))
    newest = dt.date(2026, 3, 1)
    assert [str(day) for day in rule.last_days(newest)] == [
        *("2026-01-01", "2026-02-01", "2026-03-01")
    ]
    assert [str(day) for day in rule.days_of_year_before(newest)] == [
        *("2024-12-01", "2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01")
    ]
    assert rule.rests_until(dt.date(2026, 3, 14), []) == dt.date(2027, 5, 1)  # 14 of them


def test_what_failed_the_year_before_as_well_is_a_season_and_no_degradation() -> None:
    rule = RetrainingRule(ReactionSettings(days=5, failures=3))
    newest = dt.date(2026, 3, 31)
    failed = set(rule.last_days(newest))
    days = rule.days_of_year_before(newest)
    assert (days[0], days[-1]) == (dt.date(2025, 3, 25), dt.date(2025, 4, 4))
    assert {day.weekday() for day in failed} <= {day.weekday() for day in days}
    assert rule.persistent(failed, newest, failed) == sorted(failed)
    assert rule.persistent(failed, newest, {*failed, days[0], days[5]}) == sorted(failed)
    assert rule.persistent(failed, newest, {*failed, days[0], days[5], days[10]}) == []


def last_days(lab: Lab, today: dt.date) -> list[str]:
    """The days that a reaction looks at."""
    return days_between(today - dt.timedelta(days=lab.project.reactions.days), today)


@pytest.fixture
def shifted(lab: Lab) -> Lab:
    """Demand is three times as high from 26 March on, and both models were evaluated."""
    rows = make_rows()
    rows.loc[rows["date"] >= "2026-03-26", "units"] *= 3
    lab.write(rows)
    config = {"ops": {"observations": {"config": {"accept": True}}}}
    assert lab.run("observations features", "2026-03-26", "2026-03-31", config).success
    both = "validation/seasonal_naive validation/linear"
    assert lab.run(both, "2026-02-01", "2026-03-31").success
    return lab


def test_a_shift_that_stays_is_a_degradation_and_one_day_of_it_is_not(shifted: Lab) -> None:
    def found(today: dt.date) -> dict[str, str]:
        days = last_days(shifted, today)
        degraded = degraded_models(shifted.project, shifted.datasets, shifted.models, days)
        return {degradation.model: degradation.why for degradation in degraded}

    assert not found(dt.date(2026, 3, 27)), "one bad day"
    assert not found(dt.date(2026, 4, 3)), "yesterday was not evaluated"
    why = found(TODAY)["linear"]
    assert why.startswith("failed on 5 of the last 5 days: ")
    assert "bias: since 2026-03-26 the forecasts are too low by 68.1% of the size of the" in why


def test_days_of_an_older_version_do_not_count(shifted: Lab) -> None:
    """One that was trained since is first given its chance."""
    for day in keys("2026-03-27", "2026-03-30"):
        rows = shifted.datasets.read("validation/linear", [day])
        shifted.datasets.write("validation/linear", day, rows.assign(version="older"))
    days = last_days(shifted, TODAY)
    found = degraded_models(shifted.project, shifted.datasets, shifted.models, days)
    assert "linear" not in {degradation.model for degradation in found}


def test_drift_that_stays_is_a_degradation_of_the_champion(lab: Lab) -> None:
    [*_, card] = lab.models.cards("linear")
    days = keys("2026-03-27", "2026-03-31")
    found = {
        "inputs": CheckResult(False, "unit_price has tripled"),
        "multivariate": CheckResult(False, ""),
    }
    for day in days:
        row = {"date": pd.Timestamp(day), "model": "linear", "version": card.version}
        lab.datasets.write("drift", day, pd.DataFrame([row]))
        CheckStore(lab.datasets).write("drift", day, found)

    def drifted() -> list[Degradation]:
        return drifted_models(lab.project, lab.datasets, lab.models, days)

    why = "failed on 5 of the last 5 days: inputs: unit_price has tripled"
    assert drifted() == [Degradation("linear", why)]
    year_before = [str(day_of(day) - dt.timedelta(days=364)) for day in days[:3]]
    for day in year_before:
        CheckStore(lab.datasets).write("drift", day, found)
    assert not drifted(), "the year before it drifted as well"
    CheckStore(lab.datasets).delete("drift", year_before[0])
    assert drifted()
    only = {"inputs": CheckResult(True, ""), "multivariate": CheckResult(False, "")}
    CheckStore(lab.datasets).write("drift", days[-1], only)
    assert not drifted(), "what the metric does not depend on warns alone"


def test_days_whose_rows_were_mended_since_count_only_once_judged_anew(lab: Lab) -> None:
    [*_, card] = lab.models.cards("linear")
    days = keys("2026-03-27", "2026-03-31")
    for day in days:
        row = {"date": pd.Timestamp(day), "model": "linear", "version": card.version}
        lab.datasets.write("drift", day, pd.DataFrame([row]))
        CheckStore(lab.datasets).write("drift", day, {"inputs": CheckResult(False, "")})
    made(lab, "observations", keys("2026-03-20", "2026-03-31"))
    made(lab, "drift", days)

    def drifted() -> list[Degradation]:
        left_out = partial(unsettled, lab.instance, lab.project, days)
        return drifted_models(lab.project, lab.datasets, lab.models, days, left_out)

    assert drifted()
    made(lab, "observations", ["2026-03-29"])
    assert unsettled(lab.instance, lab.project, days, "drift", 1) == {"2026-03-29", "2026-03-30"}
    assert not drifted(), "one of seven days, of which the last three are judged"
    made(lab, "drift", days)
    assert drifted()


def asked(lab: Lab) -> list[dg.RunRequest]:
    return trainings(
        lab.instance, lab.project, lab.datasets, lab.models, DEGRADED, "2026-03-31", NOW
    )


def test_a_degraded_model_is_trained_through_yesterday_and_the_run_says_why(lab: Lab) -> None:
    [request] = asked(lab)
    assert request.job_name == "retrain_linear_job"
    assert request.partition_key == "2026-04-01"
    assert request.asset_selection == [dg.AssetKey(["models", "linear"])]
    tags = {name: request.tags[name] for name in (REACTION_TAG, THROUGH_TAG, REASON_TAG)}
    assert tags == {
        REACTION_TAG: "linear",
        THROUGH_TAG: "2026-03-31",
        REASON_TAG: "it became worse",
    }
    perform(lab, request)
    [*_, newest] = lab.models.cards("linear")
    assert newest.trained_through == dt.date(2026, 3, 31)


def perform(lab: Lab, request: dg.RunRequest) -> None:
    job = make_definitions(lab.project, lab.storage).resolve_job_def(str(request.job_name))
    assert request.partition_key is not None
    result = job.execute_in_process(
        instance=lab.instance,
        asset_selection=request.asset_selection,
        tags={**request.tags, **run_tags(request.partition_key, request.partition_key)},
        run_config=QUIET | dict(request.run_config),
    )
    assert result.success


def test_the_cool_down_doubles_while_trainings_bring_nothing(lab: Lab) -> None:
    assert wait(lab) is None
    perform(lab, asked(lab)[0])
    assert not asked(lab), "just trained"
    assert wait(lab) == 14, "it has not served a day yet"
    [*_, before, newest] = lab.models.cards("linear")
    store_day(lab, newest.version, before.version, forecast=12.0, previous=10.0)
    assert wait(lab) == 28, "the version before was exact"
    store_day(lab, newest.version, before.version, forecast=10.0, previous=12.0)
    assert wait(lab) == 14, "now the new one is"


def store_day(lab: Lab, version: str, before: str, *, forecast: float, previous: float) -> None:
    """The day after the training, as its evaluation stores it."""
    day = pd.Timestamp(TODAY)
    row = {
        **{"date": day, "row": 0, "actual": 10.0, "forecast": forecast, "version": version},
        **{"previous_version": before, "previous_forecast": previous},
    }
    lab.datasets.write("validation/linear", str(TODAY), pd.DataFrame([row]))


def wait(lab: Lab) -> int | None:
    """The days of the cool-down from the newest training on; None where nothing cools down."""
    end = cooled_down(lab.instance, lab.project, lab.datasets, lab.models, "linear")
    if end < NOW.date():
        return None
    return (end - dt.datetime.now(zoneinfo.ZoneInfo(lab.project.time_zone)).date()).days


def test_a_paused_or_manual_model_is_left_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    name = retraining_schedule_name("linear")
    monkeypatch.setattr("mlops_assets.resources.switches.paused_schedules", lambda *_: {name})
    assert not asked(lab)
    monkeypatch.undo()
    assert asked(lab)
    project = lab.project
    manual = [model.model_copy(update={"cadence": "manual"}) for model in project.models]
    project = project.with_models(manual)
    assert not trainings(
        lab.instance, project, lab.datasets, lab.models, DEGRADED, "2026-03-31", NOW
    )
