"""From any state, doing what the sensors ask for leads to one in which they ask for nothing."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.automation.upkeep import missing_months
from mlops_assets.graph.partitions import (
    RANGE_END,
    RANGE_START,
    Partitions,
    day_of,
    days_between,
    make_partitions,
)
from mlops_assets.project import Cadence, Project, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_tests.automation.asking import missing_days, stale_days

WHOLE = load_project()
PROJECT = WHOLE.model_copy(
    update={"first_day": dt.date(2025, 6, 1), "models": [WHOLE.models[0], WHOLE.models[1]]}
)
NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
RECENT = days_between(dt.date(2026, 3, 6), dt.date(2026, 3, 20))
DAILY = [
    "observations",
    "features",
    "issued",
    "validation/seasonal_naive",
    "validation/linear",
    "leaderboard",
    "champion",
    "forecast",
    "drift",
]
MODELS = ["models/seasonal_naive", "models/linear"]


class Log:
    """An event log that numbers what is materialized, in the place of an instance."""

    schedule_storage = object()

    def __init__(self) -> None:
        self.count = 0
        self.newest: dict[str, dict[str, int]] = {}

    def materialize(self, key: str, partition: str) -> None:
        self.count += 1
        self.newest.setdefault(key, {})[partition] = self.count

    def get_materialized_partitions(self, key: dg.AssetKey) -> set[str]:
        return set(self.newest.get(key.to_user_string(), {}))

    def get_latest_storage_id_by_partition(
        self, key: dg.AssetKey, _: dg.DagsterEventType, partitions: set[str]
    ) -> dict[str, int]:
        made = self.newest.get(key.to_user_string(), {})
        return {partition: made[partition] for partition in partitions & set(made)}

    def get_asset_event_summary_records(
        self, kind: dg.DagsterEventType, *, after_storage_id: int, ascending: bool
    ) -> list[SimpleNamespace]:
        if kind != dg.DagsterEventType.ASSET_MATERIALIZATION:
            return []
        entries = [
            SimpleNamespace(
                storage_id=number,
                timestamp=float(number),
                asset_key=dg.AssetKey.from_user_string(key),
                partition=partition,
            )
            for key, made in self.newest.items()
            for partition, number in made.items()
            if number > after_storage_id
        ]
        return sorted(entries, key=lambda entry: entry.storage_id, reverse=not ascending)

    def fetch_materializations(self, _: dg.AssetRecordsFilter, limit: int) -> SimpleNamespace:
        record = SimpleNamespace(storage_id=self.count, asset_materialization=None)
        return SimpleNamespace(records=[record] * limit)

    def all_instigator_state(self) -> list[object]:
        return []


class Versions:
    """A store with a version for each training in a log, in the place of the model store."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.storage = LocalStorage("nowhere")

    def cards(self, model: str, damaged: object = None) -> list[ModelCard]:
        months = sorted(self.log.newest.get(f"models/{model}", {}))
        return [make_card(model, month) for month in months]

    fit_to_serve = cards


def make_card(model: str, month: str, through: str = "") -> ModelCard:
    """A card of a version that learned through a day, or through the one before its month."""
    learned = dt.date.fromisoformat(through) if through else day_of(month) - dt.timedelta(days=1)
    created = dt.datetime.fromtimestamp(0, dt.UTC)
    return ModelCard.model_construct(
        model=model,
        version=f"{month}_{learned}",
        month=month,
        trained_through=learned,
        created=created,
    )


def stale(log: Log, project: Project, partitions: Partitions) -> list[dg.RunRequest]:
    """What `stale_days` requests when each training is a version that may serve."""
    instance: dg.DagsterInstance = log  # type: ignore[assignment]
    models: ModelStore = Versions(log)  # type: ignore[assignment]
    return stale_days(instance, project, partitions, models)


def make(project: Project, folder: Path) -> Partitions:
    return make_partitions(project, LocalStorage(str(folder)))


def asked(request: dg.RunRequest) -> list[tuple[str, str]]:
    """Assets and days of a request of a range."""
    end = day_of(request.tags[RANGE_END]) + dt.timedelta(days=1)
    days = days_between(day_of(request.tags[RANGE_START]), end)
    assets = [key.to_user_string() for key in request.asset_selection or []]
    return [(asset, day) for day in days for asset in assets]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(DAILY), st.sampled_from(RECENT)),
            st.tuples(st.sampled_from(MODELS), st.sampled_from(["2026-02-01", "2026-03-01"])),
        ),
        max_size=60,
    )
)
@pytest.mark.long
def test_it_settles(tmp_path: Path, happened: list[tuple[str, str]]) -> None:
    log, partitions = Log(), make(PROJECT, tmp_path)
    for key, partition in happened:
        log.materialize(key, partition)
    seen: set[str] = set()
    instance: dg.DagsterInstance = log  # type: ignore[assignment]
    for _ in range(40):
        months = missing_months(instance, PROJECT, partitions, NOON)
        requests = [
            *missing_days(instance, PROJECT, partitions, NOON),
            *stale(log, PROJECT, partitions),
        ]
        keys = {str(request.run_key) for request in (*months, *requests)}
        assert not keys & seen, "a request that was carried out is made again under its old key"
        seen |= keys
        for request in months:
            assert request.job_name is not None
            model = request.job_name.removeprefix("retrain_").removesuffix("_job")
            log.materialize(f"models/{model}", str(request.partition_key))
        # observations first, as one run after another would
        for asset, day in sorted(
            (pair for request in requests for pair in asked(request)),
            key=lambda pair: (DAILY.index(pair[0]), pair[1]),
        ):
            assert day in RECENT
            log.materialize(asset, day)
        if not months and not requests:
            break
    else:
        pytest.fail("it never settles")
    for key in DAILY:
        assert set(log.newest[key]) == set(RECENT), key
    for day in RECENT:
        observed, made, issued, *scores, ranked, decided, served, _ = (
            log.newest[key][day] for key in DAILY
        )
        assert observed < made < min(scores), day
        assert max(scores) < ranked, day
        # a forecast for a day that is over stays as it was issued
        assert observed < issued or day != max(RECENT), day
        assert max(decided, observed, issued) < served or day != max(RECENT), day


def test_a_quarterly_training_makes_the_whole_quarter_stale(tmp_path: Path) -> None:
    models = [m.model_copy(update={"cadence": Cadence.QUARTERLY}) for m in PROJECT.models]
    project = PROJECT.model_copy(update={"models": models})
    log, partitions = Log(), make(project, tmp_path)
    for day in days_between(dt.date(2026, 1, 30), dt.date(2026, 2, 3)):
        for key in DAILY:
            log.materialize(key, day)
    log.materialize("models/linear", "2026-01-01")
    issued, request = stale(log, project, partitions)
    assert {asset for asset, _ in asked(issued)} == {"issued"}
    days = days_between(dt.date(2026, 1, 30), dt.date(2026, 2, 3))
    assert asked(request) == [("validation/linear", day) for day in days]


def test_a_training_that_is_not_in_service_makes_nothing_stale(tmp_path: Path) -> None:
    log, partitions = Log(), make(PROJECT, tmp_path)
    log.materialize("models/linear", "2026-02-01")
    for key in DAILY:
        log.materialize(key, "2026-02-03")
    log.materialize("models/linear", "2026-03-01")
    log.materialize("models/linear", "2026-01-01")
    assert stale(log, PROJECT, partitions) == []


def test_days_before_a_first_day_that_was_moved_are_left_alone(tmp_path: Path) -> None:
    log = Log()
    for key in reversed(DAILY[:2]):  # features older than their observations
        for day in ("2025-12-30", "2025-12-31", "2026-01-01"):
            log.materialize(key, day)
    project = PROJECT.model_copy(update={"first_day": dt.date(2026, 1, 1)})
    [request] = stale(log, project, make(project, tmp_path))
    assert asked(request) == [("features", "2026-01-01")]
