"""The asset `drift`: what a day comes to, its checks, and a range as its days."""

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.ml.monitoring.distribution import CHECKS, FORECAST
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_tests.assets.lab import Lab, keys, make_rows, reason
from mlops_tests.assets.test_soundness import evaluations

DAY = "2026-02-20"
SERVED = "validation/seasonal_naive validation/linear leaderboard champion"


@pytest.fixture
def live(lab: Lab) -> Lab:
    """A lab with champions of some days of February."""
    assert lab.run(SERVED, "2026-02-16", DAY).success
    return lab


def test_a_day_is_compared_with_what_the_champion_learned_from(live: Lab) -> None:
    result = live.run("drift", DAY)
    assert result.success
    found = evaluations(result)
    assert set(found[DAY]) == set(CHECKS)
    assert found[DAY]["forecasts"].severity == dg.AssetCheckSeverity.WARN
    metadata = live.metadata("drift", DAY)
    assert metadata["model"] == "seasonal_naive"
    assert {"drifted_columns", "largest_ratio", "forecasts_distance", "auc"} <= set(metadata)
    frame = live.datasets.read("drift", [DAY])
    assert FORECAST in set(frame["column"])
    assert "day_of_week" not in set(frame["column"]), "the calendar always drifts"
    assert frame["rank"].tolist() == list(range(1, len(frame) + 1))
    kept = CheckStore(live.datasets).read(["drift"], [DAY])
    assert set(kept["check"]) == set(CHECKS)


def test_a_range_is_computed_as_its_days_and_a_bad_day_costs_itself(live: Lab) -> None:
    live.datasets.delete("champion", "2026-02-18")
    together = live.run("drift", "2026-02-16", DAY)
    assert reason(together).splitlines()[1].startswith("2026-02-18: champion of 2026-02-18")
    good = ["2026-02-16", "2026-02-17", "2026-02-19", DAY]
    assert live.datasets.keys("drift") == good
    before = {key: live.datasets.read("drift", [key]) for key in good}
    for key in good:
        assert live.run("drift", key).success
        pd.testing.assert_frame_equal(live.datasets.read("drift", [key]), before[key])


def test_a_rescaled_source_is_an_alarm_that_names_the_column(live: Lab) -> None:
    rows = make_rows()
    recent = rows["date"].between("2026-02-01", DAY)
    rows.loc[recent, "units"] *= 3
    live.write(rows)
    assert live.run("observations features", "2026-02-01", DAY).success
    result = live.run("drift", DAY)
    assert result.success, "a drift warns and refuses nothing"
    found = evaluations(result)[DAY]
    assert not found["inputs"].passed
    assert "units_lag_7 (numbers" in found["inputs"].description
    assert not found["forecasts"].passed


def test_warm_up_and_too_few_days_are_not_judged(live: Lab) -> None:
    result = live.run("drift", "2026-01-31")
    assert result.success
    assert evaluations(result)["2026-01-31"]["inputs"].description == "not judged: warm-up"
    for key in keys("2026-02-14", "2026-02-17"):
        live.datasets.delete("features", key)
    assert live.run("drift", DAY).success
    assert live.metadata("drift", DAY)["status"].startswith("not judged: 3 of the last days")
    assert live.datasets.keys("drift") == []
