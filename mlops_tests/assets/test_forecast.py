"""The champion's forecasts: what the day to come is forecast from, and how sure they are."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_tests.assets.lab import Lab, keys, made_on, make_rows, make_settings, reason

FIRST, LAST = "2026-02-01", "2026-03-30"


def settings() -> dict[str, object]:
    """`linear` is champion from the first day, and stays unless much better is found."""
    champion = {"initial": "linear", "window_days": 14, "min_days": 10, "min_gain": 0.5}
    return make_settings() | {"champion": champion}


def read_again(lab: Lab, key: str) -> pd.DataFrame:
    """The forecast as it is now: a store keeps what it read last."""
    return DatasetStore(lab.storage).read("forecast", [key])


@pytest.fixture(scope="module")
def served_folder(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything evaluated through 30 March; the source reaches through the 31st."""
    folder = tmp_path_factory.mktemp("served") / "lab"
    shutil.copytree(trained_folder, folder)
    lab = Lab(folder)
    lab.write(settings=settings())
    with lab.instance:
        assert lab.run("validation/linear", FIRST, LAST).success
        assert lab.run("champion forecast", FIRST, LAST).success
    return folder


@pytest.fixture
def served(served_folder: Path, tmp_path: Path) -> Iterator[Lab]:
    """A copy of it; its instance is empty."""
    shutil.copytree(served_folder, tmp_path / "served")
    lab = Lab(tmp_path / "served")
    with lab.instance:
        yield lab


def test_the_forecast_of_a_day_is_what_its_evaluation_finds_later(served: Lab) -> None:
    """Two ways to one number: the day before, without its target, and the day after, with it."""
    days = keys("2026-02-01", "2026-03-29")
    issued = served.datasets.read("forecast", days)
    evaluated = served.datasets.read("validation/linear", keys("2026-02-02", "2026-03-30"))
    on = ["date", "department", "category"]
    both = issued.merge(evaluated, on=on, suffixes=("", "_later"), validate="1:1")
    assert len(both) == len(issued) == 3 * len(days)
    assert (both["forecast"] == both["forecast_later"]).all()
    assert (both["version"] == both["version_later"]).all()
    assert set(issued["inputs_from"]) == {"source"}
    assert set(issued["model"]) == {"linear"}


def test_the_target_of_the_day_to_come_and_later_changes_nothing(served: Lab) -> None:
    before = served.datasets.read("forecast", ["2026-03-20"])
    rows = make_rows()
    rows.loc[rows["date"] > "2026-03-20", "units"] = 9_999.0
    served.write(rows)
    assert served.run("forecast", "2026-03-20").success
    pd.testing.assert_frame_equal(read_again(served, "2026-03-20"), before)


def test_without_rows_of_the_day_to_come_the_series_go_on_as_they_were(lab: Lab) -> None:
    rows = make_rows()
    last = rows["date"] == "2026-03-10"
    rows.loc[last, "promotion"] = [0.1, 0.2, 0.3]
    lab.write(rows[rows["date"] <= "2026-03-10"], settings())
    assert lab.run("observations features", "2026-02-20", "2026-03-10").success
    assert lab.run("validation/linear", "2026-03-10").success
    assert lab.run("champion forecast", "2026-03-10").success
    frame = lab.datasets.read("forecast", ["2026-03-10"])
    assert set(frame["inputs_from"]) == {"the day before"}
    assert set(frame["date"]) == {pd.Timestamp("2026-03-11")}
    # by hand: the rows of the 10th, moved on by a day, in a source that has them
    moved = rows[last].assign(date=pd.Timestamp("2026-03-11"), units=0.0)
    lab.write(pd.concat([rows[rows["date"] <= "2026-03-10"], moved]))
    assert lab.run("forecast", "2026-03-10").success
    known = read_again(lab, "2026-03-10")
    assert set(known["inputs_from"]) == {"source"}
    assert (known["forecast"] == frame["forecast"]).all()


def test_csv_and_parquet_say_the_same(served: Lab) -> None:
    frame = served.datasets.read("forecast", [LAST])
    csv = pd.read_csv(
        Path(served.file("forecast", LAST)).with_suffix(".csv"),
        parse_dates=["date"],
    )
    csv["failed_checks"] = csv["failed_checks"].fillna("")  # an empty cell
    pd.testing.assert_frame_equal(csv, frame)
    assert list(frame["lower"] <= frame["forecast"]) == [True] * 3
    assert list(frame["forecast"] <= frame["upper"]) == [True] * 3
    assert (frame["lower"] >= 0).all()


def test_the_interval_is_the_largest_but_one_error_of_its_series(served: Lab) -> None:
    """With 14 errors and a coverage of 0.9, the ceil(15 * 0.9) = 14th smallest: the largest."""
    frame = served.datasets.read("forecast", [LAST]).set_index("category")
    window = served.datasets.read("validation/linear", keys("2026-03-17", LAST))
    errors = (window["actual"] - window["forecast"]).abs().groupby(window["category"]).max()
    assert (frame["upper"] - frame["forecast"]).to_dict() == pytest.approx(errors.to_dict())


def test_the_first_days_have_no_interval(served: Lab) -> None:
    frame = served.datasets.read("forecast", [FIRST])
    assert frame["lower"].isna().all()
    assert frame["upper"].isna().all()


def test_coverage_is_counted_on_the_day_forecast(served: Lab) -> None:
    shares = {}
    for yesterday, day in zip(
        keys("2026-03-16", "2026-03-29"), keys("2026-03-17", LAST), strict=True
    ):
        issued = served.datasets.read("forecast", [yesterday])
        actual = served.datasets.read("observations", [day])
        both = issued.merge(actual, on=["department", "category"])
        shares[day] = np.mean(both["units"].between(both["lower"], both["upper"]))
    assert served.run("forecast", LAST).success
    metadata = served.metadata("forecast", LAST)
    assert metadata["interval_coverage"] == pytest.approx(shares[LAST], rel=1e-5)
    assert metadata["interval_coverage_14d"] == pytest.approx(np.mean([*shares.values()]), rel=1e-5)
    assert metadata["interval_coverage_goal"] == 0.9


def test_what_is_missing_is_named_and_the_other_days_are_issued(lab: Lab) -> None:
    lab.write(settings=settings())
    days = ("2026-03-01", "2026-03-03")
    assert lab.run("validation/linear", *days).success
    assert lab.run("champion", *days).success
    served = lab.datasets
    served.delete("observations", "2026-03-02")
    why = reason(lab.run("forecast", "2026-03-01", "2026-03-04"))
    assert "2026-03-02: observations of 2026-03-02 are missing" in why
    assert "2026-03-04: the champion of 2026-03-04 is missing; materialize champion" in why
    assert served.keys("forecast") == ["2026-03-01", "2026-03-03"]


def test_warm_up_days_are_done_without_forecasts(lab: Lab) -> None:
    assert lab.run("champion forecast", "2026-01-30", "2026-01-31").success
    assert lab.done("forecast") == {"2026-01-30", "2026-01-31"}
    assert lab.datasets.keys("forecast") == []


def test_forecasts_that_are_not_finite_cost_their_day_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody downstream reads a forecast that is no number."""
    from mlops_assets.assets import forecasting

    lab.write(settings=settings())
    days = ("2026-03-01", "2026-03-03")
    assert lab.run("validation/linear", *days).success
    assert lab.run("champion", *days).success
    honest = forecasting.forecast

    def broken(pipeline: object, inputs: pd.DataFrame, **how: Any) -> object:
        values = honest(pipeline, inputs, **how)  # type: ignore[arg-type]
        values[4] = np.inf  # a row of the second day
        return values

    monkeypatch.setattr(forecasting, "forecast", broken)
    why = reason(lab.run("forecast", *days))
    assert "2026-03-02: " in why
    assert "not finite" in why
    assert lab.done("forecast") == {"2026-03-01", "2026-03-03"}


def test_days_issued_in_one_run_or_one_by_one_are_the_same(served: Lab) -> None:
    days = keys("2026-02-14", "2026-02-18")
    together = DatasetStore(served.storage).read("forecast", days)
    for key in days:
        assert served.run("forecast", key).success
    pd.testing.assert_frame_equal(DatasetStore(served.storage).read("forecast", days), together)


def test_a_plan_that_changed_since_changes_the_days_of_one_run_as_those_one_by_one(
    served: Lab,
) -> None:
    days = keys("2026-02-14", "2026-02-16")
    rows = make_rows()
    rows["promotion"] = 1 - rows["promotion"]
    served.write(rows)
    assert served.run("forecast", days[0], days[-1]).success
    together = DatasetStore(served.storage).read("forecast", days)
    for key in days:
        assert served.run("forecast", key).success
    pd.testing.assert_frame_equal(DatasetStore(served.storage).read("forecast", days), together)


def test_a_champion_whose_versions_may_not_serve_is_named(lab: Lab) -> None:
    lab.write(settings=settings())
    assert lab.run("validation/linear", "2026-03-01").success
    assert lab.run("champion", "2026-03-01").success
    with made_on("2026-03-02"):
        for card in lab.models.cards("linear"):
            lab.models.decisions.record(Action.RETIRE, "linear", version=card.version)
    why = reason(lab.run("forecast", "2026-03-01"))
    assert (
        "linear, the champion, has no version that may serve the day after 2026-03-01; "
        "materialize models/linear, then champion"
    ) in why
    assert lab.datasets.keys("forecast") == []


NEWEST = "2026-03-30"
RELEASE = {"ops": {"forecast": {"config": {"release": True}}}}


def ingest_ten_times_too_much(lab: Lab, hold: str) -> None:
    """The target of the newest day is off, which warns."""
    lab.write(settings=settings() | {"serving": {"hold": hold}})
    rows = make_rows()
    rows.loc[rows["date"] == NEWEST, "units"] *= 10
    lab.write(rows)
    assert lab.run("observations", NEWEST).success
    checks = CheckStore(DatasetStore(lab.storage)).read(["observations"], [NEWEST])
    assert "target_range" in set(checks.loc[~checks["passed"].astype(bool), "check"])


def test_a_forecast_from_a_day_that_failed_checks_says_so(served: Lab) -> None:
    before = read_again(served, NEWEST)
    assert set(before["failed_checks"]) == {""}
    ingest_ten_times_too_much(served, "severe")
    assert served.run("forecast", NEWEST).success
    after = read_again(served, NEWEST)
    [said] = set(after["failed_checks"])
    assert "target_range" in said
    assert served.metadata("forecast", NEWEST)["failed_checks"] == f"of {NEWEST}: {said}"
    assert (after["forecast"] != before["forecast"]).any()
    csv = pd.read_csv(served.file("forecast", NEWEST).with_suffix(".csv"))
    assert set(csv["failed_checks"]) == {said}


@pytest.mark.parametrize("there", [True, False], ids=["issued before", "not issued yet"])
def test_a_warning_holds_the_forecast_where_the_settings_say_so(served: Lab, there: bool) -> None:
    if not there:
        served.datasets.delete("forecast", NEWEST)
    stands = read_again(served, NEWEST)
    ingest_ten_times_too_much(served, "warn")
    assert served.run("forecast", "2026-03-29", NEWEST).success
    pd.testing.assert_frame_equal(read_again(served, NEWEST), stands)
    told = served.metadata("forecast", NEWEST)
    assert "target_range: " in told["failed_checks"]
    assert f"held, the one for {'2026-03-31' if there else NEWEST} stays" in told["status"]
    assert "version" in served.metadata("forecast", "2026-03-29")  # the day before is issued
    # the rows are right as they are
    assert served.run("forecast", NEWEST, config=RELEASE).success
    assert "target_range" in read_again(served, NEWEST)["failed_checks"].iloc[0]


def test_a_forecast_that_is_held_is_issued_once_the_day_is_right(served: Lab) -> None:
    stands = read_again(served, NEWEST)
    ingest_ten_times_too_much(served, "warn")
    assert served.run("forecast", NEWEST).success
    served.write(make_rows())
    assert served.run("observations forecast", NEWEST).success
    assert "status" not in served.metadata("forecast", NEWEST)
    pd.testing.assert_frame_equal(read_again(served, NEWEST), stands)


def test_a_refused_day_holds_what_was_issued_from_it_before(served: Lab) -> None:
    stands = read_again(served, NEWEST)
    rows = make_rows()
    served.write(rows[(rows["date"] != NEWEST) | (rows["category"] == "milk")])
    assert not served.run("observations", NEWEST).success
    assert served.run("forecast", NEWEST).success
    assert served.metadata("forecast", NEWEST)["status"].startswith("held, the one for 2026-03-31")
    pd.testing.assert_frame_equal(read_again(served, NEWEST), stands)
