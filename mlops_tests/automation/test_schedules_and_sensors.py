"""What schedules and sensors request, and when they hold back."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from mlops_assets.assets.leaderboard import PAUSED
from mlops_assets.assets.model_registry import STATE, registry_state
from mlops_assets.automation.registry import make_registry_sensor, stale_registry
from mlops_assets.automation.requests import local_time
from mlops_assets.automation.schedules import make_schedules
from mlops_assets.automation.upkeep import (
    Cursor,
    Upkeep,
    cadence_months,
    make_upkeep_sensor,
    missing_months,
)
from mlops_assets.graph.partitions import (
    Partitions,
    add_months,
    days_between,
    make_partitions,
    range_tags,
    ranges,
)
from mlops_assets.jobs.evaluate import REGISTRY_JOB, make_jobs
from mlops_assets.project import Cadence, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_tests.automation.asking import missing_days, stale_days
from mlops_tests.automation.test_catching_up import make_card

PROJECT = load_project().model_copy(update={"first_day": dt.date(2025, 6, 1)})
NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
MODELS = [model.name for model in PROJECT.models]
SCORES = [f"validation/{name}" for name in MODELS]
DAILY = [
    *("observations", "features", "issued", *SCORES),
    *("leaderboard", "champion", "forecast", "drift"),
]


@pytest.fixture
def partitions(tmp_path: Path) -> Partitions:
    return make_partitions(PROJECT, LocalStorage(str(tmp_path)))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def switching(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance whose schedules can be switched off, as those of none in memory can."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


class Versions(ModelStore):
    """A model store whose versions fit to serve are given, oldest data first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalStorage(str(folder)))
        self.fit: dict[str, list[ModelCard]] = {}

    def cards(self, model: str, damaged: object = None) -> list[ModelCard]:
        return self.fit.get(model, [])

    fit_to_serve = cards


@pytest.fixture
def models(tmp_path: Path) -> Versions:
    """Every model has a version for February and one for March."""
    store = Versions(tmp_path / "versions")
    for name in MODELS:
        store.fit[name] = [make_card(name, month) for month in ("2026-02-01", "2026-03-01")]
    return store


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
    scores = "+".join(f"validation/{n}" for n in MODELS)
    assert wanted(requests)[:2] == [("issued", "17", "19"), (scores, "17", "19")]
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
    for key in DAILY:
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
    switching: dg.DagsterInstance, partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = SimpleNamespace(value="STOPPED")
    paused = ["evaluation_schedule", *(f"retrain_{name}_schedule" for name in MODELS[1:])]
    here = SimpleNamespace(location_name="mlops_assets")
    states = [SimpleNamespace(name=name, status=stopped, origin=here) for name in paused]
    monkeypatch.setattr(switching, "all_instigator_state", lambda: states)
    assert missing_days(switching, PROJECT, partitions, NOON) == []
    [request] = missing_months(switching, PROJECT, partitions, NOON)
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
    assert cadence_months(cadence, dt.date(2026, 2, 27), dt.date(2026, 3, 13)) == expected


def test_newer_observations_make_stale_what_was_made_from_them(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    for key in DAILY:
        materialize(instance, key, days(24, 31))
    assert stale_days(instance, PROJECT, partitions, models) == []
    materialize(instance, "observations", days(25, 25))
    requests = stale_days(instance, PROJECT, partitions, models)
    # lags reach 28 days, also those of a forecast, which reads no features and is issued again
    # for the newest day only; the rest waits
    assert wanted(requests) == [("features", "25", "31"), ("issued", "31", "31")]
    materialize(instance, "issued", days(31, 31))
    materialize(instance, "features", days(25, 31))
    materialize(instance, "forecast", days(31, 31))
    assert wanted(stale_days(instance, PROJECT, partitions, models)) == [
        ("+".join(SCORES), "25", "31"),
        ("drift", "31", "31"),
    ]


def test_a_training_makes_its_month_stale_and_asks_again_after_another(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    materialize(instance, "models/linear", ["2026-03-01"])
    for key in DAILY:
        materialize(instance, key, [*days_between(dt.date(2026, 2, 20), dt.date(2026, 3, 6))])
    assert stale_days(instance, PROJECT, partitions, models) == []
    materialize(instance, "models/linear", ["2026-03-01"])
    issued, first = stale_days(instance, PROJECT, partitions, models)
    assert wanted([issued, first]) == [("issued", "05", "05"), ("validation/linear", "01", "05")]
    materialize(instance, "issued", days(5, 5))
    materialize(instance, "models/linear", ["2026-03-01"])
    issued, second = stale_days(instance, PROJECT, partitions, models)
    assert wanted([issued]) == [("issued", "05", "05")]
    materialize(instance, "issued", days(5, 5))
    assert first.run_key != second.run_key
    materialize(instance, "validation/linear", days(1, 5))
    assert wanted(stale_days(instance, PROJECT, partitions, models)) == [
        ("leaderboard", "01", "05"),
        ("forecast", "05", "05"),
    ]


def test_a_training_of_the_baseline_makes_every_difference_to_it_stale(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    for name in MODELS:
        materialize(instance, f"validation/{name}", days(1, 2))
    materialize(instance, f"models/{PROJECT.evaluation.baseline}", ["2026-03-01"])
    assert wanted(stale_days(instance, PROJECT, partitions, models)) == [
        ("+".join(SCORES), "01", "02")
    ]


def test_a_training_through_a_later_day_makes_stale_the_days_that_it_serves(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    """It was trained under February, but learned through 10 March."""
    for key in DAILY:
        materialize(instance, key, days(8, 14))
    models.fit["linear"].append(make_card("linear", "2026-02-01", "2026-03-10"))
    materialize(instance, "models/linear", ["2026-02-01"])
    assert wanted(stale_days(instance, PROJECT, partitions, models)) == [
        ("issued", "14", "14"),
        ("validation/linear", "11", "14"),
    ]


def test_a_training_that_was_rejected_makes_nothing_stale_where_another_month_serves(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    for key in DAILY:
        materialize(instance, key, days(8, 14))
    models.fit["linear"] = models.fit["linear"][:1]  # that of March is not fit to serve
    materialize(instance, "models/linear", ["2026-03-01"])
    assert stale_days(instance, PROJECT, partitions, models) == []


def test_who_was_champion_never_becomes_stale_but_the_newest_forecast_does(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    for key in DAILY:
        materialize(instance, key, days(1, 5))
    materialize(instance, "leaderboard", days(2, 4))
    assert stale_days(instance, PROJECT, partitions, models) == []
    materialize(instance, "champion", days(3, 4))
    assert stale_days(instance, PROJECT, partitions, models) == []
    materialize(instance, "champion", days(5, 5))
    assert wanted(stale_days(instance, PROJECT, partitions, models)) == [
        ("forecast", "05", "05"),
        ("drift", "05", "05"),
    ]
    for key in ("forecast", "drift"):
        materialize(instance, key, days(5, 5))
    assert stale_days(instance, PROJECT, partitions, models) == []


def test_the_registry_is_made_anew_after_a_training_a_decision_or_a_pause(
    switching: dg.DagsterInstance,
    partitions: Partitions,
    models: Versions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked() -> list[dg.RunRequest]:
        return stale_registry(switching, PROJECT, partitions, models)

    def make_anew() -> None:
        state = registry_state(switching, PROJECT, models)
        made = dg.AssetMaterialization("model_registry", metadata={STATE: state})
        switching.report_runless_asset_event(made)
        assert asked() == []

    keys = set()
    materialize(switching, "leaderboard", days(4, 5))
    [first] = asked()
    assert first.job_name == REGISTRY_JOB
    keys.add(first.run_key)
    make_anew()
    materialize(switching, "models/linear", ["2026-03-01"])
    [trained] = asked()
    keys.add(trained.run_key)
    make_anew()
    models.decisions.record(Action.RETIRE, "linear", version="x")
    [decided] = asked()
    keys.add(decided.run_key)
    make_anew()
    stopped = SimpleNamespace(
        name="retrain_linear_schedule",
        status=SimpleNamespace(value="STOPPED"),
        origin=SimpleNamespace(location_name="mlops_assets"),
    )
    monkeypatch.setattr(switching, "all_instigator_state", lambda: [stopped])
    paused, ranked = asked()
    keys |= {paused.run_key, ranked.run_key}
    assert paused.job_name == REGISTRY_JOB
    assert wanted([ranked]) == [("leaderboard", "05", "05")], "which says who is paused"
    state = registry_state(switching, PROJECT, models)
    made = dg.AssetMaterialization("model_registry", metadata={STATE: state})
    switching.report_runless_asset_event(made)
    assert wanted(asked()) == [("leaderboard", "05", "05")], "though the registry knows already"
    ranked_again = dg.AssetMaterialization(
        "leaderboard", partition=days(5, 5)[0], metadata={PAUSED: "linear"}
    )
    switching.report_runless_asset_event(ranked_again)
    make_anew()
    monkeypatch.setattr(switching, "all_instigator_state", list)
    switched_on, again = asked()
    assert not keys & {switched_on.run_key, again.run_key}
    assert wanted([again]) == [("leaderboard", "05", "05")]
    assert len(keys) == 5


def test_sensors_wait_for_unfinished_runs(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    instance.add_run(
        dg.DagsterRun(job_name="any", run_id="1" * 32, status=dg.DagsterRunStatus.STARTED)
    )
    for make_sensor in (make_upkeep_sensor, make_registry_sensor):
        sensor = make_sensor(PROJECT, partitions, make_jobs(PROJECT), models)
        result = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        assert not result.run_requests
        assert "Waiting for a run" in (result.skip_message or "")


def test_upkeep_does_not_wait_for_the_run_that_shows_a_training(
    instance: dg.DagsterInstance, partitions: Partitions, models: Versions
) -> None:
    instance.add_run(
        dg.DagsterRun(job_name=REGISTRY_JOB, run_id="1" * 32, status=dg.DagsterRunStatus.STARTED)
    )
    upkeep = Upkeep(instance, PROJECT, partitions, models, local_time(PROJECT))
    assert upkeep.tick(Cursor()).run_requests


def test_schedules_ask_for_yesterday_and_for_the_month_that_begins(
    partitions: Partitions,
) -> None:
    moment = dt.datetime(2026, 12, 1, 1, tzinfo=dt.UTC)
    context = dg.build_schedule_context(scheduled_execution_time=moment)
    evaluation, *retrainings = make_schedules(PROJECT, partitions)
    assert evaluation.cron_schedule == "0 1 * * *"
    assert evaluation(context).partition_key == "2026-11-30"
    for retraining in retrainings:
        assert retraining.cron_schedule == "0 2 1 * *"
        assert retraining(context).partition_key == "2026-12-01"
    quarterly = PROJECT.models[0].model_copy(update={"cadence": Cadence.QUARTERLY})
    manual = PROJECT.models[1].model_copy(update={"cadence": Cadence.MANUAL})
    project = PROJECT.model_copy(update={"models": [quarterly, manual]})
    assert [s.cron_schedule for s in make_schedules(project, partitions)] == [
        "0 1 * * *",
        "0 2 1 1,4,7,10 *",
    ]
