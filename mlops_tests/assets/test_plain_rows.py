"""Plain rows with a target around zero, through every asset."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.automation.retraining import degraded_models, drifted_models
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import days_between
from mlops_assets.ml.monitoring.distribution import CHECKS as DRIFT_CHECKS
from mlops_assets.ml.monitoring.performance import CHECKS as CONTROL_CHECKS
from mlops_assets.ml.monitoring.quality import CHECKS as QUALITY_CHECKS
from mlops_assets.pages.models_page import slice_scores
from mlops_assets.pages.monitoring_page import monitoring_page
from mlops_assets.pages.shelf import Shelf
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, reason
from mlops_tests.assets.rows_lab import make_flight_settings, make_flights

FIRST, LAST = "2026-02-01", "2026-03-02"
VALIDATION = "validation/usual validation/linear"


@pytest.fixture(scope="module")
def flown_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained for February and evaluated through 2 March; the source reaches a day further."""
    lab = Lab(tmp_path_factory.mktemp("flights") / "lab")
    lab.folder.mkdir()
    rows = make_flights()
    lab.write(rows[rows["flown"] <= "2026-03-03"], make_flight_settings())
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), LAST).success
        assert lab.run("training_set models/usual models/linear", FIRST).success
        assert lab.run(VALIDATION, FIRST, LAST).success
        assert lab.run("leaderboard", LAST).success
        assert lab.run("champion forecast", "2026-02-26", LAST).success
        assert lab.run("drift", "2026-03-01", LAST).success
    return lab.folder


@pytest.fixture
def flown(flown_folder: Path, tmp_path: Path) -> Iterator[Lab]:
    """A copy of it; its instance is empty."""
    shutil.copytree(flown_folder, tmp_path / "flown")
    lab = Lab(tmp_path / "flown")
    with lab.instance:
        yield lab


def read(lab: Lab, dataset: str, *days: str) -> pd.DataFrame:
    """What is stored by now: a store keeps what it read last."""
    return DatasetStore(lab.storage).read(dataset, days)


def test_every_check_has_a_sensible_verdict(flown: Lab) -> None:
    assets = ["observations", "drift", "validation/linear", "validation/usual"]
    found = CheckStore(flown.datasets).read(assets, [LAST], {})
    names = {asset: set(rows["check"]) for asset, rows in found.groupby("asset")}
    assert names == {
        "observations": set(QUALITY_CHECKS) - {"series_count"},
        "drift": set(DRIFT_CHECKS),
        "validation/linear": set(CONTROL_CHECKS),
        "validation/usual": set(CONTROL_CHECKS) - {"baseline"},
    }
    failed = found[~found["passed"].astype(bool)]
    assert failed.empty, failed[["asset", "check", "why"]].to_string()
    assert not found["why"].str.contains("series").any()
    judged = ~found["why"].str.startswith("not judged")
    assert set(found.loc[~judged, "check"]) <= {"bias", "slices"}, "a week of weeks is needed"
    middle = found.set_index("check").loc["target_range"]
    assert middle["low"] < 0 < middle["high"]


def test_the_better_model_wins_and_its_forecasts_may_be_negative(flown: Lab) -> None:
    [champion] = read(flown, "champion", LAST).to_dict("records")
    assert champion["next_champion"] == "linear"
    issued = read(flown, "forecast", LAST)
    assert issued["lower"].lt(issued["forecast"]).all()
    assert issued["forecast"].lt(0).any()
    assert issued["forecast"].gt(0).any()
    board = read(flown, "leaderboard", LAST).set_index("model")
    assert board.loc["linear", "mae_28d"] < board.loc["usual", "mae_28d"]
    card = flown.models.cards("linear")[0]
    assert card.accepted
    assert not card.non_negative


def test_a_forecast_says_of_which_event_it_is_and_is_paired_with_it(flown: Lab) -> None:
    rows = make_flights()
    planned = rows[rows["flown"] == "2026-03-03"].reset_index(drop=True)
    issued = read(flown, "forecast", LAST)
    inputs = ["hour", "distance", "carrier", "origin"]
    pd.testing.assert_frame_equal(issued[inputs], planned[inputs])
    # the day comes as it was planned, in another order
    lab_rows = rows[rows["flown"] <= "2026-03-04"].iloc[::-1]
    flown.write(lab_rows)
    assert flown.run("observations features", "2026-03-03").success
    assert flown.run(f"{VALIDATION} champion forecast", "2026-03-03").success
    found = flown.metadata("forecast", "2026-03-03")
    actual = planned["delay"]
    inside = actual.between(issued["lower"], issued["upper"])
    assert found["interval_coverage"] == pytest.approx(inside.mean(), rel=1e-5)
    assert 0.75 <= found["interval_coverage_14d"] <= 1
    evaluated = read(flown, "validation/linear", "2026-03-03")
    both = np.sort(evaluated["forecast"]), np.sort(issued["forecast"])
    np.testing.assert_allclose(*both)


def test_without_rows_of_the_day_to_come_the_day_says_so(flown: Lab) -> None:
    rows = make_flights()
    flown.write(rows[rows["flown"] <= "2026-03-02"])
    assert flown.run("forecast", LAST).success
    status = flown.metadata("forecast", LAST)["status"]
    assert status.startswith("no rows of 2026-03-03 are known in advance")


def test_events_of_a_day_to_come_need_no_target(flown: Lab) -> None:
    before = read(flown, "forecast", LAST)
    rows = make_flights()
    rows.loc[rows["flown"] == "2026-03-03", "delay"] = np.nan
    flown.write(rows[rows["flown"] <= "2026-03-03"])
    assert flown.run("forecast", LAST).success
    pd.testing.assert_frame_equal(read(flown, "forecast", LAST), before)
    assert "delay" in reason(flown.run("observations", "2026-03-03")), "it cannot be scored on"


def test_a_day_that_is_there_twice_warns_and_a_day_with_half_its_rows_too(flown: Lab) -> None:
    rows = make_flights()
    day = rows["flown"] == "2026-03-03"
    flown.write(pd.concat([rows[rows["flown"] <= "2026-03-03"], rows[day]]))
    assert flown.run("observations", "2026-03-03").success
    checks = CheckStore(DatasetStore(flown.storage)).read(["observations"], ["2026-03-03"], {})
    [why] = checks.loc[checks["check"] == "duplicates", "why"]
    assert why.startswith("50.0% of the rows repeat another in every column, above")
    flown.write(rows[~day | (rows.index % 16 == 0)])
    why = reason(flown.run("observations", "2026-03-03"))
    assert "less than half of the fewest of late" in why


def test_the_pages_show_the_rows_without_a_value_as_such(flown: Lab) -> None:
    assert flown.run("leaderboard", LAST).success
    assert flown.run(VALIDATION, LAST).success
    table = flown.metadata("validation/linear", LAST)["slices"]
    values = {line.split("|")[1] for line in table.splitlines()[2:]}
    assert values <= {"AA", "B6", "UA", "EWR", "JFK", "LGA", "(missing)"}
    look = Shelf(flown.storage, lambda: flown.project).look([])
    assert {"AA", "B6", "UA"} <= {*slice_scores(look, "carrier")["slice"]}
    parts = {part.name: part.frame() for part in monitoring_page(look).parts}
    assert "UA (carrier)" in {*parts["slices"]["slice"]}
    assert "series_count" not in {*parts["checks"]["check"]}


def test_no_model_is_trained_again_without_need_and_one_that_fails_is(flown: Lab) -> None:
    today = dt.date(2026, 3, 3)
    days = days_between(today - dt.timedelta(days=flown.project.reactions.days), today)
    datasets = DatasetStore(flown.storage)
    assert degraded_models(flown.project, datasets, flown.models, days) == []
    assert drifted_models(flown.project, datasets, flown.models, days) == []
    rows = make_flights()
    rows.loc[rows["flown"] >= "2026-02-22", "delay"] -= 60
    flown.write(rows)
    assert flown.run("observations features", "2026-02-22", LAST).success
    assert flown.run(VALIDATION, "2026-02-22", LAST).success
    degraded = degraded_models(flown.project, DatasetStore(flown.storage), flown.models, days)
    assert {found.model for found in degraded} == {"usual", "linear"}


def test_a_recording_of_plain_rows_can_be_replayed(tmp_path: Path) -> None:
    """Every row of the recorded day comes again 52 weeks later, in its order."""
    settings = make_flight_settings()
    settings["source"]["kind"] = "replay"
    lab = Lab(tmp_path)
    days = pd.date_range("2025-01-01", periods=364)
    day = days.repeat(np.arange(364) % 3 + 1)
    rows = make_flights().iloc[: len(day)].assign(flown=day)
    lab.write(rows, settings)
    source = make_definitions(lab.project, lab.storage).resources["source"]  # type: ignore[index]
    played = source.read(dt.date(2026, 1, 1), dt.date(2026, 1, 4))
    recorded = rows[rows["flown"].between("2025-01-02", "2025-01-04")]
    assert played["flown"].dt.day.tolist() == [1, 1, 2, 2, 2, 3]
    columns = [name for name in played if name != "flown"]
    pd.testing.assert_frame_equal(played[columns], recorded[columns].reset_index(drop=True))


def test_the_days_before_the_first_version_say_that_they_wait(flown: Lab) -> None:
    assert flown.run("validation/linear leaderboard champion forecast drift", "2026-01-31").success
    assert "warm-up" in flown.metadata("forecast", "2026-01-31")["status"]
    assert set(keys("2026-01-31", "2026-01-31")) == flown.done("drift")
