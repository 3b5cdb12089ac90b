"""What schedules and sensors request, and when they hold back."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from mlops_assets.partitions import (
    Partitions,
    add_months,
    days_between,
    make_partitions,
    range_tags,
    ranges,
)
from mlops_assets.project import Cadence, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.schedules import make_schedules
from mlops_assets.sensors import due_months, make_sensors, missing_days, missing_months, stale_days

PROJECT = load_project().model_copy(update={"first_day": dt.date(2025, 6, 1)})
NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
MODELS = [model.name for model in PROJECT.models]


@pytest.fixture
def partitions(tmp_path: Path) -> Partitions:
    return make_partitions(PROJECT, LocalStorage(str(tmp_path)))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def materialize(instance: dg.DagsterInstance, key: str, partitions: list[str]) -> None:
    for partition in partitions:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(dg.AssetKey(key.split("/")), partition=partition)
        )


def days(first: int, last: int) -> list[str]:
    """Keys of days of March 2026, both ends included."""
    return days_between(dt.date(2026, 3, first), dt.date(2026, 3, last) + dt.timedelta(days=1))


def wanted(requests: list[dg.RunRequest]) -> list[tuple[str, str, str]]:
    """Assets, first and last day of each request."""
    return [
        ("+".join(key.to_user_string() for key in request.asset_selection or []), *pair)
        for request in requests
        for pair in [tuple(request.tags[tag][-2:] for tag in range_tags("", ""))]
    ]


def test_the_first_partitions_by_hand(partitions: Partitions) -> None:
    # 1 June + 28 days of lags = 29 June; whole months from July; four of them to learn from
    assert partitions.first_month == dt.date(2025, 11, 1)


def test_ranges_without_gaps() -> None:
    definition = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-10")
    a, b = dg.AssetKey("a"), dg.AssetKey("b")
    found = ranges({a: days(1, 3) + days(5, 5), b: days(5, 5)}, definition)
    assert found == {
        ("2026-03-01", "2026-03-03"): [a],
        ("2026-03-05", "2026-03-05"): [a, b],
    }


def test_the_first_day_of_a_replay_is_chosen_once(tmp_path: Path) -> None:
    project = load_project()
    storage = LocalStorage(str(tmp_path))
    chosen = make_partitions(project, storage)
    assert chosen.first_month == add_months(project.today(), -5)
    storage.write("first_day.txt", b"2024-01-04\n")
    kept = make_partitions(project, storage)
    assert kept.first_day == dt.date(2024, 1, 4)


def test_missing_days_are_requested_once_per_layer_and_gap(
    instance: dg.DagsterInstance, partitions: Partitions
) -> None:
    recent = days(6, 19)
    materialize(instance, "observations", [d for d in recent if d[-2:] not in ("10", "15", "16")])
    materialize(instance, "features", [d for d in recent if d[-2:] not in ("10", "15", "16")])
    requests = missing_days(instance, PROJECT, partitions, NOON)
    assert wanted(requests)[:1] == [("+".join(f"validation/{n}" for n in MODELS), "17", "19")]
    observed = [request for request in wanted(requests) if request[0] == "observations"]
    assert observed == [("observations", "15", "16"), ("observations", "10", "10")]
    assert not [request for request in wanted(requests) if request[0] == "features"]
    again = missing_days(instance, PROJECT, partitions, NOON + dt.timedelta(hours=1))
    assert [r.run_key for r in again] == [r.run_key for r in requests], "asked for only once"
    later = missing_days(instance, PROJECT, partitions, NOON + dt.timedelta(hours=6))
    assert not {r.run_key for r in later} & {r.run_key for r in requests}, "then tried again"


def test_yesterday_is_left_to_its_schedule_at_first(
    instance: dg.DagsterInstance, partitions: Partitions
) -> None:
    for key in ("observations", "features", "leaderboard", *(f"validation/{n}" for n in MODELS)):
        materialize(instance, key, days(4, 18))
    early = NOON.replace(hour=PROJECT.schedule.evaluate_hour)
    assert missing_days(instance, PROJECT, partitions, early) == []
    due = early + dt.timedelta(hours=1)
    assert wanted(missing_days(instance, PROJECT, partitions, due)) == [
        ("observations", "19", "19")
    ]


def test_missing_months(instance: dg.DagsterInstance, partitions: Partitions) -> None:
    for name in MODELS[1:]:
        materialize(instance, f"models/{name}", ["2026-03-01"])
    [request] = missing_months(instance, PROJECT, partitions, NOON)
    assert request.job_name == f"retrain_{MODELS[0]}_job"
    assert request.partition_key == "2026-03-01"


def test_a_paused_schedule_is_left_alone(
    instance: dg.DagsterInstance, partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = SimpleNamespace(value="STOPPED")
    paused = ["evaluation_schedule", *(f"retrain_{name}_schedule" for name in MODELS[1:])]
    states = [SimpleNamespace(name=name, status=stopped) for name in paused]
    monkeypatch.setattr(instance, "all_instigator_state", lambda: states)
    assert missing_days(instance, PROJECT, partitions, NOON) == []
    [request] = missing_months(instance, PROJECT, partitions, NOON)
    assert request.job_name == f"retrain_{MODELS[0]}_job"


@pytest.mark.parametrize(
    ("cadence", "expected"),
    [
        (Cadence.MONTHLY, ["2026-03-01", "2026-02-01"]),
        (Cadence.QUARTERLY, ["2026-01-01"]),
        (Cadence.MANUAL, []),
    ],
)
def test_months_that_a_cadence_asks_for(cadence: Cadence, expected: list[str]) -> None:
    assert due_months(cadence, dt.date(2026, 2, 27), dt.date(2026, 3, 13)) == expected


def test_newer_observations_make_stale_what_was_made_from_them(
    instance: dg.DagsterInstance, partitions: Partitions
) -> None:
    scores = [f"validation/{name}" for name in MODELS]
    for key in ("observations", "features", *scores, "leaderboard"):
        materialize(instance, key, days(1, 31))
    assert stale_days(instance, PROJECT, partitions) == []
    materialize(instance, "observations", days(25, 25))
    requests = stale_days(instance, PROJECT, partitions)
    assert wanted(requests) == [("features", "25", "31")], "lags reach 28 days; the rest waits"
    materialize(instance, "features", days(25, 31))
    assert wanted(stale_days(instance, PROJECT, partitions)) == [("+".join(scores), "25", "31")]


def test_a_training_makes_its_month_stale_and_asks_again_after_another(
    instance: dg.DagsterInstance, partitions: Partitions
) -> None:
    materialize(instance, "models/linear", ["2026-03-01"])
    for key in ("observations", "features", *(f"validation/{n}" for n in MODELS), "leaderboard"):
        materialize(instance, key, [*days_between(dt.date(2026, 2, 20), dt.date(2026, 3, 6))])
    assert stale_days(instance, PROJECT, partitions) == []
    materialize(instance, "models/linear", ["2026-03-01"])
    [first] = stale_days(instance, PROJECT, partitions)
    assert wanted([first]) == [("validation/linear", "01", "05")]
    materialize(instance, "models/linear", ["2026-03-01"])
    [second] = stale_days(instance, PROJECT, partitions)
    assert first.run_key != second.run_key
    materialize(instance, "validation/linear", days(1, 5))
    assert wanted(stale_days(instance, PROJECT, partitions)) == [("leaderboard", "01", "05")]


def test_a_training_of_the_yardstick_makes_every_difference_to_it_stale(
    instance: dg.DagsterInstance, partitions: Partitions
) -> None:
    for name in MODELS:
        materialize(instance, f"validation/{name}", days(1, 2))
    materialize(instance, f"models/{PROJECT.evaluation.yardstick}", ["2026-03-01"])
    scores = "+".join(f"validation/{name}" for name in MODELS)
    assert wanted(stale_days(instance, PROJECT, partitions)) == [(scores, "01", "02")]


def test_sensors_wait_for_unfinished_runs(
    instance: dg.DagsterInstance, partitions: Partitions
) -> None:
    from mlops_assets.jobs import make_jobs

    instance.add_run(
        dg.DagsterRun(job_name="any", run_id="1" * 32, status=dg.DagsterRunStatus.STARTED)
    )
    for sensor in make_sensors(PROJECT, partitions, make_jobs(PROJECT)):
        result = sensor(dg.build_sensor_context(instance=instance))
        [skip] = list(result)
        assert "Waiting for a run" in skip.skip_message


def test_schedules_ask_for_yesterday_and_for_the_month_that_begins() -> None:
    moment = dt.datetime(2026, 12, 1, 1, tzinfo=dt.UTC)
    context = dg.build_schedule_context(scheduled_execution_time=moment)
    evaluation, *retrainings = make_schedules(PROJECT)
    assert evaluation.cron_schedule == "0 1 * * *"
    assert evaluation(context).partition_key == "2026-11-30"
    for retraining in retrainings:
        assert retraining.cron_schedule == "0 2 1 * *"
        assert retraining(context).partition_key == "2026-12-01"
    quarterly = PROJECT.models[0].model_copy(update={"cadence": Cadence.QUARTERLY})
    manual = PROJECT.models[1].model_copy(update={"cadence": Cadence.MANUAL})
    project = PROJECT.model_copy(update={"models": [quarterly, manual]})
    assert [s.cron_schedule for s in make_schedules(project)] == ["0 1 * * *", "0 2 1 1,4,7,10 *"]
