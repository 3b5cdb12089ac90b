"""When what a schedule keeps counts as out of date."""

import datetime as dt

import dagster as dg
import pytest

from mlops_assets.assets.freshness import daily_freshness, training_freshness
from mlops_assets.definitions import defs
from mlops_assets.project import Cadence, load_project

PROJECT = load_project()


def test_every_asset_that_a_schedule_keeps_has_a_deadline() -> None:
    without = {spec.key.path[0] for spec in defs.resolve_all_asset_specs() if not _deadline(spec)}
    assert without == {"model_registry", "alerts"}  # which sensors keep
    deadlines = {spec.key.path[0]: _deadline(spec) for spec in defs.resolve_all_asset_specs()}
    assert deadlines["observations"] == deadlines["forecast"] == "0 3 * * *"
    assert deadlines["training_set"] == deadlines["models"] == "0 8 1 * *"


def _deadline(spec: dg.AssetSpec) -> str | None:
    return getattr(spec.freshness_policy, "deadline_cron", None)


@pytest.mark.parametrize(
    ("hour", "cron", "minutes"), [(1, "0 3 * * *", 120), (22, "59 23 * * *", 119)]
)
def test_a_day_is_due_two_hours_after_its_schedule(hour: int, cron: str, minutes: int) -> None:
    schedule = PROJECT.schedule.model_copy(update={"evaluate_hour": hour})
    changed = {"schedule": schedule, "time_zone": "Europe/Paris"}
    policy = daily_freshness(PROJECT.model_copy(update=changed))
    assert policy == dg.FreshnessPolicy.cron(
        deadline_cron=cron,
        lower_bound_delta=dt.timedelta(minutes=minutes),
        timezone="Europe/Paris",
    )


@pytest.mark.parametrize(
    ("cadences", "cron"),
    [
        ([Cadence.MANUAL], None),
        ([Cadence.QUARTERLY, Cadence.MANUAL], "0 8 1 1,4,7,10 *"),
        ([Cadence.QUARTERLY, Cadence.MONTHLY], "0 8 1 * *"),
    ],
)
def test_a_training_is_due_as_often_as_a_schedule_asks_for_it(
    cadences: list[Cadence], cron: str | None
) -> None:
    policy = training_freshness(PROJECT, cadences)
    assert getattr(policy, "deadline_cron", None) == cron
