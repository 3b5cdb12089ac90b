"""A project whose rows are due on business days only, run through every asset.

Its rows are those of the lab on Monday to Friday but for the holidays of Germany: 1 January 2026, a
Thursday, among them.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.assets import forecast, issued
from mlops_assets.assets.observations_type import make_observations_type
from mlops_assets.assets.soundness import Inspector
from mlops_assets.automation.problems import planned
from mlops_assets.graph.partitions import make_partitions, run_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_tests.assets.lab import Lab, make_rows, make_settings

WEEK = ["mon", "tue", "wed", "thu", "fri"]
HOLIDAYS = ["2025-12-25", "2025-12-26", "2026-01-01"]
LAST = "2026-03-24"
THURSDAY, FRIDAY, MONDAY, TUESDAY = "2026-03-05", "2026-03-06", "2026-03-09", "2026-03-10"
SERVED = "validation/seasonal_naive validation/linear leaderboard champion forecast drift"


def due_rows() -> pd.DataFrame:
    rows = make_rows()
    return rows[(rows["date"].dt.dayofweek < 5) & ~rows["date"].isin(pd.to_datetime(HOLIDAYS))]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("expected"))
    settings = make_settings() | {"expected": {"weekdays": WEEK, "holidays": "DE"}}
    settings["champion"] |= {"initial": "linear"}
    made.write(due_rows(), settings)
    with made.instance:
        assert made.run("observations features", "2025-12-29", LAST).success
        trained = "training_set models/seasonal_naive models/linear"
        assert made.run(trained, "2026-02-01", "2026-03-01").success
        assert made.run(f"issued {SERVED}", "2026-03-02", FRIDAY).success
        yield made


def of(rows: pd.DataFrame, day: str) -> pd.Series:
    return rows[rows["date"] == day].set_index("category")["units"].sort_index()


def test_there_are_partitions_of_the_days_that_are_due_alone(lab: Lab) -> None:
    partitions = make_partitions(lab.project, lab.storage)
    due = due_rows()["date"].dt.strftime("%Y-%m-%d").unique()
    expected = sorted(day for day in due if day <= LAST)
    found = [key for key in partitions.daily.get_partition_keys() if key <= LAST]
    assert found == expected
    assert sorted(lab.datasets.keys("observations")) == expected
    assert sorted(lab.datasets.keys("features")) == expected
    saturday = dt.datetime(2026, 3, 7, 1, tzinfo=dt.UTC)
    for later in range(3):  # nothing is due until Monday has ended
        now = saturday + dt.timedelta(days=later)
        assert partitions.newest_day(now) == dt.date(2026, 3, 6)
        assert partitions.last_days(7, now)[-2:] == [THURSDAY, FRIDAY]
    assert partitions.newest_day(saturday + dt.timedelta(days=3)) == dt.date(2026, 3, 9)


def test_a_lag_is_of_the_last_due_day_by_then(lab: Lab) -> None:
    rows = due_rows()
    for day, yesterday, week_ago in [
        (MONDAY, FRIDAY, "2026-03-02"),
        (FRIDAY, THURSDAY, "2026-02-27"),
        ("2026-01-02", "2025-12-31", None),  # after the holiday; the week before lies before it all
        ("2026-01-08", "2026-01-07", "2025-12-31"),  # a week after the holiday
    ]:
        made = lab.datasets.read("features", [day]).set_index("category").sort_index()
        assert made["units_lag_1"].tolist() == of(rows, yesterday).tolist()
        if week_ago is not None:
            assert made["units_lag_7"].tolist() == of(rows, week_ago).tolist()
    # seven days up to the day before Monday hold five with rows
    monday = lab.datasets.read("features", [MONDAY]).set_index("category")
    week = rows[rows["date"].between("2026-03-02", "2026-03-08")]
    means = week.groupby("category")["units"].mean()
    assert monday["units_mean_7"].to_dict() == pytest.approx(means.to_dict())


def test_no_day_is_missing_where_none_is_due(lab: Lab) -> None:
    assert lab.metadata("features", MONDAY)["missing_days_before"] == 0
    assert lab.metadata("training_set", "2026-03-01")["missing_days"] == 0
    found = CheckStore(lab.datasets).read(["observations"], [MONDAY], {})
    fresh = found[found["check"] == "source_freshness"].iloc[0]
    assert fresh["passed"]
    assert fresh["why"] == "it and the day before it have rows"


def test_a_due_day_without_rows_is_missing(lab: Lab) -> None:
    inspector = Inspector(
        lab.project, make_observations_type(lab.project), lab.datasets, dt.date(2026, 3, 10)
    )
    del inspector.before[dt.date(2026, 3, 9)]
    rows = due_rows()
    _, verdicts = inspector.inspect(TUESDAY, rows[rows["date"] == TUESDAY], accept=False)
    assert not verdicts["source_freshness"].passed
    assert verdicts["source_freshness"].why.startswith("the 1 day(s) before it have no rows")


def test_a_run_of_a_range_was_to_make_the_due_days_alone(lab: Lab) -> None:
    run = dg.DagsterRun(job_name=EVALUATE_JOB, tags=run_tags(FRIDAY, MONDAY))
    assert {day for _, day in planned(run, lab.project)} == {FRIDAY, MONDAY}


def test_friday_forecasts_monday_and_monday_is_scored_by_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (issued, forecast):
        monkeypatch.setattr(module, "is_over", lambda _, day: dt.date(2026, 3, 7) > day)
    assert lab.run("issued forecast", FRIDAY).success
    assert lab.metadata("forecast", FRIDAY)["forecast_for"] == MONDAY
    told = lab.datasets.read("issued", [FRIDAY])
    assert set(told["date"]) == {pd.Timestamp(MONDAY)}
    assert set(told["inputs_from"]) == {"source"}
    for module in (issued, forecast):
        monkeypatch.setattr(module, "is_over", lambda _, day: dt.date(2026, 3, 10) > day)
    assert lab.run(f"issued {SERVED}", MONDAY).success
    scored = lab.datasets.read("validation/linear", [MONDAY])
    mine = told[told["model"] == "linear"]
    assert scored["issued_at"].notna().all()
    assert sorted(scored["forecast"]) == sorted(mine["forecast"])
    assert lab.metadata("forecast", MONDAY)["forecast_for"] == TUESDAY
