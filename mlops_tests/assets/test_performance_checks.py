"""The checks of a model's days: in the event log and the store, a range as its days."""

import dagster as dg
from pandas.testing import assert_frame_equal

from mlops_assets.ml.monitoring.performance import BASELINE, BIAS, CHECKS, LIMITS
from mlops_assets.resources.stores.check_results import CheckStore, facts_dataset
from mlops_tests.assets.lab import Lab, keys, make_rows

BOTH = "validation/seasonal_naive validation/linear"
DAYS = keys("2026-03-25", "2026-03-31")


def evaluations(lab: Lab, result: dg.ExecuteInProcessResult) -> dict[str, dict[str, bool]]:
    """Whether each check of linear passed, by day, as the web UI shows it."""
    found: dict[str, dict[str, bool]] = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            data = event.asset_check_evaluation_data
            if data.asset_key.path[-1] == "linear" and data.partition is not None:
                found.setdefault(data.partition, {})[data.check_name] = data.passed
    return found


def test_every_day_tells_of_every_check_and_a_shift_fails_two(lab: Lab) -> None:
    rows = make_rows()
    rows.loc[rows["date"] >= "2026-03-28", "units"] *= 3
    lab.write(rows)
    accept = {"ops": {"observations": {"config": {"accept": True}}}}
    assert lab.run("observations features", "2026-03-28", "2026-03-31", accept).success
    result = lab.run(BOTH, "2026-02-01", "2026-03-31")
    assert result.success
    found = evaluations(lab, result)
    assert sorted(found) == keys("2026-02-01", "2026-03-31")
    assert all(set(checks) == set(CHECKS) for checks in found.values())
    assert not all(found["2026-03-31"][name] for name in (LIMITS, BIAS))
    assert all(found["2026-03-27"].values())
    stored = CheckStore(lab.datasets).read(["validation/linear"], DAYS)
    told = stored.assign(day=stored["date"].dt.strftime("%Y-%m-%d"))
    for day, checks in told.groupby("day"):
        assert dict(zip(checks["check"], checks["passed"], strict=True)) == found[str(day)]


def test_the_baseline_is_not_compared_with_itself(lab: Lab) -> None:
    assert lab.run(BOTH, "2026-02-01", "2026-02-02").success
    checks = CheckStore(lab.datasets)
    assert BASELINE not in set(checks.read(["validation/seasonal_naive"], ["2026-02-01"])["check"])
    assert BASELINE in set(checks.read(["validation/linear"], ["2026-02-01"])["check"])


def test_a_range_is_judged_as_its_days_one_by_one(lab: Lab) -> None:
    assert lab.run(BOTH, "2026-02-01", "2026-03-31").success
    checks = CheckStore(lab.datasets)
    together = checks.read(["validation/linear"], DAYS)
    facts = lab.datasets.read(facts_dataset("linear"), DAYS)
    for day in DAYS[-2:]:
        assert lab.run("validation/linear", day).success
    # a linear model of many rows at once differs from one of few in the last bits
    assert_frame_equal(checks.read(["validation/linear"], DAYS), together, rtol=1e-9)
    assert_frame_equal(lab.datasets.read(facts_dataset("linear"), DAYS), facts, rtol=1e-9)


def test_a_day_without_a_version_is_not_judged_and_leaves_nothing(lab: Lab) -> None:
    result = lab.run("validation/linear", "2026-01-30", "2026-01-31")
    assert result.success
    assert evaluations(lab, result) == dict.fromkeys(
        keys("2026-01-30", "2026-01-31"), dict.fromkeys(CHECKS, True)
    )
    assert lab.datasets.keys("checks/validation/linear") == []
    assert lab.datasets.keys(facts_dataset("linear")) == []
