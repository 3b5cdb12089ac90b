"""With evaluation.label_delay_days of 2, everything waits two days longer for a target."""

import datetime as dt
import zoneinfo
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.assets.freshness import daily_freshness
from mlops_assets.assets.models import parse_through
from mlops_assets.automation.failed_checks import refused_days
from mlops_assets.automation.late_data import late_days
from mlops_assets.automation.problems import champion_changes, missed_evaluations
from mlops_assets.automation.retraining import Degradation, trainings
from mlops_assets.automation.schedules import make_evaluation_schedule
from mlops_assets.cli.history import steps
from mlops_assets.graph.partitions import (
    RANGE_END,
    Partitions,
    days_between,
    make_partitions,
)
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.features.model_inputs import make_features, rows_to_come
from mlops_assets.project import Project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_tests.assets.lab import make_rows, make_settings
from mlops_tests.automation.asking import missing_days, stale_days
from mlops_tests.automation.test_schedules_and_sensors import DAILY, days, materialize, wanted
from mlops_tests.ml.features.test_lagged_aggregates import START as FLIGHTS_START
from mlops_tests.ml.features.test_lagged_aggregates import flights, make_project

NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
FEATURES = {"lags": [3, 7], "rolling_means": [7], "calendar": ["day_of_week"]}


def settings(delay: int = 2, **features: Any) -> dict[str, Any]:
    values = make_settings()
    values["features"] = FEATURES | features
    values["evaluation"] |= {"label_delay_days": delay}
    return values


PROJECT = Project.model_validate(settings() | {"time_zone": "UTC"})


@pytest.fixture
def partitions(tmp_path: Path) -> Partitions:
    return make_partitions(PROJECT, LocalStorage(str(tmp_path)))


def test_which_days_there_are_is_said_by_the_partitions(
    partitions: Partitions, tmp_path: Path
) -> None:
    today = dt.date(2026, 3, 20)
    assert partitions.newest_day(NOON) == dt.date(2026, 3, 17)
    assert partitions.last_days(2, NOON) == ["2026-03-16", "2026-03-17"]
    assert PROJECT.day_to_come(dt.date(2026, 3, 17)) == today
    assert PROJECT.newest_day_in_words == "the day 3 days ago"
    at_once = Project.model_validate(settings(0) | {"time_zone": "UTC"})
    undelayed = make_partitions(at_once, LocalStorage(str(tmp_path / "at once")))
    assert undelayed.newest_day(NOON) == dt.date(2026, 3, 19)
    assert at_once.day_to_come(dt.date(2026, 3, 19)) == today
    assert at_once.newest_day_in_words == "yesterday"


def test_a_day_is_there_from_the_midnight_on_which_its_target_is_known(tmp_path: Path) -> None:
    zone = zoneinfo.ZoneInfo("America/Chicago")
    project = Project.model_validate(settings() | {"time_zone": "America/Chicago"})
    partitions = make_partitions(project, LocalStorage(str(tmp_path)))
    # 8 March 2026 has 23 hours there
    for day in (dt.datetime(2026, 3, 8, tzinfo=zone), dt.datetime(2026, 3, 9, tzinfo=zone)):
        known = day.date() - dt.timedelta(days=3)
        assert partitions.newest_day(day) == known
        assert partitions.newest_day(day - dt.timedelta(seconds=1)) == known - dt.timedelta(days=1)


def test_while_no_target_is_known_there_is_no_day(tmp_path: Path) -> None:
    project = PROJECT.model_copy(update={"first_day": dt.date(2026, 3, 18)})
    partitions = make_partitions(project, LocalStorage(str(tmp_path)))
    assert partitions.newest_day(NOON) is None
    assert partitions.last_days(14, NOON) == []
    request = make_evaluation_schedule(project, partitions)(
        dg.build_schedule_context(scheduled_execution_time=NOON)
    )
    assert isinstance(request, dg.SkipReason)
    assert "2026-03-18, is known from 2026-03-21 on" in str(request.skip_message)
    with dg.DagsterInstance.ephemeral() as instance:
        assert missing_days(instance, project, partitions, NOON) == []
        assert not [*missed_evaluations(instance, project, partitions, NOON, set(), [])]


def test_days_that_a_longer_delay_has_taken_away_are_left_alone(tmp_path: Path) -> None:
    newest = PROJECT.today() - dt.timedelta(days=3)
    with dg.DagsterInstance.ephemeral() as instance:
        gone = days_between(newest - dt.timedelta(days=1), newest + dt.timedelta(days=3))
        for key in reversed(DAILY[:2]):  # features older than their observations
            materialize(instance, key, gone)
        partitions = make_partitions(PROJECT, LocalStorage(str(tmp_path)))
        models = ModelStore(LocalStorage(str(tmp_path)))
        [request] = stale_days(instance, PROJECT, partitions, models)
    assert request.tags[RANGE_END] == str(newest)


@pytest.mark.parametrize(
    ("delay", "features", "message"),
    [
        (2, {"lags": [1, 2, 7]}, "at features.lags: 1, 2 cannot be used: .*lags of 3 or more"),
        (
            2,
            {"lagged_aggregates": [{"by": ["department"], "lags": [2], "windows": [1]}]},
            r"at features.lagged_aggregates.0.lags: 2 cannot be used: with "
            r"evaluation.label_delay_days of 2, the newest target that is known when a day is "
            r"forecast is that of 3 days before; name lags of 3 or more",
        ),
        (7, {"lags": [8]}, "at models: 'seasonal_naive' repeats .* 7 days .*historical_mean"),
        (61, {}, "less than or equal to 60"),
        (-1, {}, "greater than or equal to 0"),
    ],
)
def test_what_is_not_known_in_time_is_refused(
    delay: int, features: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Project.model_validate(settings(delay, **features))


def test_a_week_ago_is_known_with_a_delay_of_six_days() -> None:
    assert Project.model_validate(settings(6, lags=[7])).inputs.seasonal == "units_lag_7"


def test_features_by_hand() -> None:
    project = Project.model_validate(settings(custom=[{"weekday_mean": {"weeks": 2}}]))
    rows = make_rows()
    rows["units"] = rows["date"].dt.dayofyear.astype(float)
    day = dt.date(2026, 2, 10)  # the 41st of the year
    made = make_features(project.feature_plan, rows, day, day + dt.timedelta(days=1)).iloc[0]
    assert (made["units_lag_3"], made["units_lag_7"]) == (38, 34)
    assert made["units_mean_7"] == (32 + 33 + 34 + 35 + 36 + 37 + 38) / 7
    assert made["weekday_mean_2"] == (34 + 27) / 2
    # two weeks up to three days before
    assert project.longest_lag == 16
    # lags of 3 and 7 days; 14 days from the third on
    assert project.feature_plan.days_read == [0, *range(3, 17)]


def test_aggregates_by_hand() -> None:
    project = make_project(
        {"by": ["carrier"], "statistic": "sum", "lags": [3], "windows": [2]},
        evaluation={
            **make_project({"lags": [1]}).evaluation.model_dump(),
            "label_delay_days": 2,
        },
    )
    rows = flights(
        [(n, "AA", "JFK", 10.0**n) for n in range(6)]  # 1 on the first day, 10 on the second, ...
    )
    day = FLIGHTS_START + dt.timedelta(days=5)
    made = make_features(project.feature_plan, rows, day, day + dt.timedelta(days=1)).iloc[0]
    assert made["delay_sum_by_carrier_lag_3"] == 100
    assert made["delay_sum_by_carrier_last_2"] == 110
    assert project.longest_lag == 4
    assert project.feature_plan.days_read == [0, 3, 4]


def test_without_rows_of_a_day_to_come_the_newest_known_ones_are_taken() -> None:
    rows = make_rows()
    rows = rows[rows["date"] <= "2026-03-10"]
    day = dt.date(2026, 3, 13)
    made = rows_to_come(PROJECT.feature_plan, rows, rows.iloc[:0], [day])
    assert made["inputs_from"].tolist() == ["3 days before"] * 3
    newest = rows[rows["date"] == "2026-03-10"]
    assert sorted(made["promotion"]) == sorted(newest["promotion"])


def test_the_schedule_asks_for_the_newest_day(partitions: Partitions) -> None:
    at = dt.datetime(2026, 3, 20, 1, tzinfo=dt.UTC)
    schedule = make_evaluation_schedule(PROJECT, partitions)
    request = schedule(dg.build_schedule_context(scheduled_execution_time=at))
    assert isinstance(request, dg.RunRequest)
    assert schedule.description is not None
    assert "Ingests the day 3 days ago" in schedule.description
    assert request.partition_key == "2026-03-17"


def test_a_tick_each_day_keeps_the_daily_assets_fresh() -> None:
    """Freshness counts when something was made, not of which day: a delay changes nothing."""
    assert daily_freshness(PROJECT) == daily_freshness(Project.model_validate(settings(0)))


def test_catch_up_waits_until_a_day_has_had_its_hour(partitions: Partitions) -> None:
    hour = PROJECT.schedule.evaluate_hour
    with dg.DagsterInstance.ephemeral() as instance:
        for key in DAILY:
            materialize(instance, key, days(2, 16))
        assert missing_days(instance, PROJECT, partitions, NOON.replace(hour=hour)) == []
        due = missing_days(instance, PROJECT, partitions, NOON.replace(hour=hour + 1))
        assert wanted(due) == [("observations", "17", "17")]


def test_alerts_watch_the_days_whose_targets_are_known(
    partitions: Partitions, tmp_path: Path
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        [missed] = missed_evaluations(instance, PROJECT, partitions, NOON, set(), [])
        assert missed.key == "evaluation_missed:2026-03-17"
        materialize(instance, "leaderboard", ["2026-03-17"])
        assert not [*missed_evaluations(instance, PROJECT, partitions, NOON, set(), [])]
    datasets = DatasetStore(LocalStorage(str(tmp_path)))
    oldest = dt.date(2026, 3, 18) - dt.timedelta(days=PROJECT.schedule.catch_up_days)
    for day in (oldest, oldest - dt.timedelta(days=1)):
        refused = CheckResult(False, "there are no rows")
        CheckStore(datasets).write("observations", str(day), {"rows": refused})
    recent = partitions.last_days(PROJECT.schedule.catch_up_days, NOON)
    assert set(refused_days(PROJECT, datasets, recent)) <= {str(oldest)}


def test_each_change_of_the_champion_is_told_once(partitions: Partitions, tmp_path: Path) -> None:
    """Decided on the 10th and back on the 11th, while A is live on both."""
    datasets = DatasetStore(LocalStorage(str(tmp_path)))
    for day, successor, since in [(9, "A", "2026-03-01"), (10, "B", "2026-03-13")] + [
        (n, "A", "2026-03-14") for n in (11, 12)
    ]:
        row = {
            "date": pd.Timestamp(2026, 3, day),
            "champion": "A",
            "next_champion": successor,
            "next_since": since,
            "next_why": "",
        }
        datasets.write("champion", f"2026-03-{day:02}", pd.DataFrame([row]))
    recent = partitions.last_days(PROJECT.schedule.catch_up_days, NOON)
    found, _ = champion_changes(PROJECT, datasets, recent)
    changes = found.values()
    assert [change.subject for change in changes] == [
        "B is champion from 2026-03-13, after A",
        "A is champion from 2026-03-14, after B",
    ]


def test_late_data_are_looked_for_on_the_days_whose_targets_are_known(
    partitions: Partitions, tmp_path: Path
) -> None:
    asked = []

    class Source:
        def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
            asked.append((start, end))
            return {}

    datasets = DatasetStore(LocalStorage(str(tmp_path)))
    with dg.DagsterInstance.ephemeral() as instance:
        late_days(instance, PROJECT, partitions, Source(), datasets, NOON)  # type: ignore[arg-type]
    assert asked == [(dt.date(2026, 3, 4), dt.date(2026, 3, 18))]


def test_the_history_ends_with_the_newest_day(partitions: Partitions) -> None:
    today = PROJECT.today()
    found = {title: keys.get_partition_keys() for title, _, _, keys in steps(PROJECT, partitions)}
    assert found["drift"][-1] == str(today - dt.timedelta(days=3))
    assert found["models"][-1] == str(today.replace(day=1)), "its window ended two days before"


def test_a_training_by_hand_ends_with_a_day_whose_target_is_known() -> None:
    newest = dt.date(2026, 3, 17)

    def through(text: str) -> dt.date | None:
        return parse_through(text, PROJECT, newest, ["2026-03-01"])

    assert through("yesterday") == through("2026-03-17") == dt.date(2026, 3, 17)
    with pytest.raises(ValueError, match=r"of through = 2026-03-18 is known from 2026-03-21"):
        through("2026-03-18")
    with pytest.raises(ValueError, match=r"has not ended; the last day that has is 2026-03-19"):
        through("2026-03-20")


def test_a_reaction_learns_through_the_newest_day(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    degraded = [Degradation("linear", "it became worse")]
    datasets, models = DatasetStore(storage), ModelStore(storage)
    with dg.DagsterInstance.ephemeral() as instance:
        newest = "2026-03-17"
        [request] = trainings(instance, PROJECT, datasets, models, degraded, newest, NOON)
    assert request.partition_key == "2026-03-01"
    assert request.run_config["ops"]["models__linear"]["config"] == {"through": "2026-03-17"}


def test_the_window_leaves_out_what_is_not_known_when_it_serves() -> None:
    first, earliest = dt.date(2026, 3, 1), dt.date(2026, 1, 1)

    def last(gap_days: int, *, gap: bool = True) -> dt.date:
        values = settings()
        values["training"] |= {"gap_days": gap_days}
        window = Project.model_validate(values).training_window.of(first, earliest, gap=gap)
        return window.end - dt.timedelta(days=1)

    assert last(0) == last(1) == last(2) == dt.date(2026, 2, 26)
    assert last(5) == dt.date(2026, 2, 23)
    assert last(5, gap=False) == dt.date(2026, 2, 26), "a day named by hand: known, no more"
    assert PROJECT.training_window.reach_months is None
