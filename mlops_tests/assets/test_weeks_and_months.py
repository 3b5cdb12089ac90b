"""Projects of weeks, months and quarters, dated on their last days, run through every asset.

What is expected is said by pandas' own periods, which have no part in making it.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets import forecast, issued
from mlops_assets.automation.changes import day_key
from mlops_assets.automation.late_data import late_days
from mlops_assets.automation.problems import planned
from mlops_assets.automation.schedules import make_evaluation_schedule
from mlops_assets.automation.upkeep import Upkeep
from mlops_assets.cli.status import status
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, make_partitions, run_tags
from mlops_assets.jobs.backtest import BACKTEST_JOB
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.resources.serving import load_champion
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_tests.assets.lab import SERIES, Lab, made_on, make_settings

CRON = {"week": "0 1 * * 1", "month": "0 1 1 * *", "quarter": "0 1 1 1,4,7,10 *"}
SERVED = "issued validation/naive validation/linear leaderboard champion forecast drift"


@dataclass(frozen=True)
class Case:
    """Periods as pandas calls them, and what is built of them."""

    grain: str
    freq: str
    first: str
    count: int
    trained: tuple[str, ...]
    """The months of the trainings."""
    through: tuple[str, ...]
    """The last period that each of them learns from: that has ended when its month begins."""
    settings: dict[str, Any]

    @property
    def periods(self) -> pd.PeriodIndex:
        return pd.period_range(self.first, periods=self.count, freq=self.freq)

    @property
    def keys(self) -> list[str]:
        return [f"{period.start_time:%Y-%m-%d}" for period in self.periods]

    def ends(self, key: str) -> dt.datetime:
        """The moment at which a period has ended."""
        at = self.keys.index(key)
        after = (self.periods[at] + 1).start_time
        return after.to_pydatetime().replace(tzinfo=dt.UTC)


CASES = {
    "week": Case(
        "week", "W-SUN", "2024-01-01", 50,
        # 1 August 2024 is a Thursday, 1 December a Sunday
        ("2024-08-01", "2024-12-01"), ("2024-07-22", "2024-11-18"),
        {"training": {"window_months": 6, "holdout_days": 6},
         "features": {"lags": [1, 4], "rolling_means": [4], "calendar": ["week_of_year"]}},
    ),
    "month": Case(
        "month", "M", "2019-01", 36,
        ("2020-05-01", "2021-06-01"), ("2020-04-01", "2021-05-01"),
        {"training": {"window_months": 12, "holdout_days": 3},
         "features": {"lags": [1, 4], "rolling_means": [4], "calendar": ["month"]}},
    ),
    "quarter": Case(
        "quarter", "Q", "2010Q1", 34,
        ("2014-01-01", "2016-07-01"), ("2013-10-01", "2016-04-01"),
        {"training": {"window_months": 36, "holdout_days": 3},
         "features": {"lags": [1, 4], "rolling_means": [4], "calendar": ["month"]}},
    ),
}  # fmt: skip


def make_rows(case: Case) -> pd.DataFrame:
    """A row of each series and period, dated on its last day."""
    random = np.random.default_rng(3)
    dates = case.periods.end_time.normalize()
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": dates,
                    "department": department,
                    "category": category,
                    "units": random.poisson(20 + 10 * level, len(dates)).astype(float),
                    "unit_price": 1.5 + level,
                    "promotion": random.random(len(dates)).round(2),
                }
            )
            for level, (department, category) in enumerate(SERIES)
        ],
        ignore_index=True,
    )


def of_case(case: Case) -> dict[str, Any]:
    naive = {"repeats": "units_lag_1"}
    return make_settings() | {
        "grain": case.grain,
        "first_day": case.keys[0],
        **case.settings,
        "evaluation": {
            "metrics": ["mae", "wmape"],
            "primary": "wmape",
            "baseline": "naive",
            "slices": ["department"],
        },
        "champion": {"window_days": 14, "min_days": 10, "initial": "linear"},
        "models": [
            {"name": "naive", "family": "seasonal_naive", "hyperparameters": naive},
            {"name": "linear", "family": "ridge"},
        ],
    }


@dataclass
class Built:
    lab: Lab
    case: Case
    partitions: Partitions

    @property
    def served(self) -> list[str]:
        return [key for key in self.case.keys if key >= str(self.partitions.first_month)]


@pytest.fixture(scope="module", params=list(CASES))
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    case = CASES[request.param]
    lab = Lab(tmp_path_factory.mktemp(case.grain))
    lab.write(make_rows(case), of_case(case))
    partitions = make_partitions(lab.project, lab.storage)
    made = Built(lab, case, partitions)
    with lab.instance:
        assert lab.run("observations features", case.keys[0], case.keys[-1]).success
        for month in case.trained:
            with made_on(month):
                assert lab.run("training_set models/naive models/linear", month).success
        assert lab.run(SERVED, made.served[0], made.served[-1]).success
        yield made


def of(built: Built, key: str, column: str = "units") -> list[float]:
    rows = make_rows(built.case)
    period = pd.Period(key, built.case.freq)
    mine = rows[rows["date"].dt.to_period(built.case.freq) == period]
    return mine.sort_values("category")[column].tolist()


def test_there_is_a_partition_once_its_period_has_ended(built: Built) -> None:
    keys = [k for k in built.partitions.daily.get_partition_keys() if k <= built.case.keys[-1]]
    assert keys == built.case.keys
    before, last = built.case.keys[-2:]
    end = built.case.ends(last)
    newest = built.partitions.newest_day
    assert str(newest(end - dt.timedelta(seconds=1))) == before
    assert str(newest(end)) == last
    assert built.partitions.last_days(3, end) == built.case.keys[-3:]


def test_rows_are_of_the_period_in_which_they_are_dated(built: Built) -> None:
    key = built.case.keys[7]
    stored = built.lab.datasets.read("observations", [key]).sort_values("category")
    assert stored["units"].tolist() == of(built, key)
    assert set(stored["date"]) == {pd.Timestamp(key)}
    checks = CheckStore(built.lab.datasets).read(["observations"], [built.case.keys[-1]], {})
    assert checks["passed"].all(), checks["why"].tolist()
    fresh = checks.set_index("check").loc["source_freshness", "why"]
    assert fresh == f"it and the {built.case.grain} before it have rows"


def test_lags_and_means_count_periods(built: Built) -> None:
    keys = built.case.keys
    made = built.lab.datasets.read("features", [keys[9]]).sort_values("category")
    assert made["units_lag_1"].tolist() == of(built, keys[8])
    assert made["units_lag_4"].tolist() == of(built, keys[5])
    means = np.mean([of(built, key) for key in keys[5:9]], axis=0)
    assert made["units_mean_4"].tolist() == pytest.approx(means.tolist())
    assert built.lab.metadata("features", keys[9])["missing_days_before"] == 0


def test_a_month_learns_from_what_has_ended_before_it(built: Built) -> None:
    cards = built.lab.models.cards("linear", {})
    assert [card.month for card in cards] == list(built.case.trained)
    assert [str(card.trained_through) for card in cards] == list(built.case.through)
    months = built.case.settings["training"]["window_months"]
    for card in cards:
        last = pd.Period(str(card.trained_through), built.case.freq)
        assert last.end_time < pd.Timestamp(card.month)
        assert (last + 1).end_time >= pd.Timestamp(card.month)
        assert pd.Timestamp(card.serves_from) == (last + 1).start_time
        begins = (last + 1).start_time - pd.DateOffset(months=months)
        inside = [key for key in built.case.keys if begins <= pd.Timestamp(key) <= last.start_time]
        assert (card.days, str(card.trained_from)) == (len(inside), inside[0])


def test_what_is_scored_was_learned_before(built: Built) -> None:
    rows = built.lab.datasets.read("validation/linear", built.served)
    assert sorted(rows["date"].dt.strftime("%Y-%m-%d").unique()) == built.served
    assert (pd.to_datetime(rows["trained_through"]) < rows["date"]).all()
    cards = [card for card in built.lab.models.cards("linear", {}) if card.accepted]
    versions = rows.groupby("date")["version"].first()
    for key in built.served:
        able = [card for card in cards if card.serves_from <= dt.date.fromisoformat(key)]
        assert versions[key] == able[-1].version


def test_metrics_are_those_of_the_rows(built: Built) -> None:
    served, total = built.served, {}
    for n, key in enumerate(served):
        scored = built.lab.datasets.read("validation/naive", [key]).sort_values("category")
        before = built.case.keys[built.case.keys.index(key) - 1]
        actual, repeated = of(built, key), of(built, before)
        assert scored["actual"].tolist() == actual
        assert scored["forecast"].tolist() == repeated
        total[n] = np.abs(np.subtract(actual, repeated)).sum(), np.sum(actual)
    for n in (0, 9, len(served) - 1):
        board = built.lab.datasets.read("leaderboard", [served[n]]).set_index("model").loc["naive"]
        for column, periods in (("wmape", 1), ("wmape_7d", 7), ("wmape_28d", 28)):
            off, size = zip(*(total[k] for k in range(max(0, n + 1 - periods), n + 1)), strict=True)
            assert board[column] == pytest.approx(sum(off) / sum(size), rel=1e-12)
        assert board["days_28d"] == min(n + 1, 28)


def test_the_champion_is_decided_by_the_window_of_periods(built: Built) -> None:
    last = built.served[-1]
    evidence = built.lab.datasets.read("champion_evidence", [last])
    assert evidence["days"].tolist() == [14]
    record = built.lab.datasets.read("champion", [last]).iloc[0]
    assert record["coming"] == f"{built.case.ends(last):%Y-%m-%d}"


def test_the_coming_period_is_forecast_until_it_has_ended(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, last, (before, _) = built.lab, built.served[-1], built.served[-2:]
    coming = f"{built.case.ends(last):%Y-%m-%d}"
    assert lab.metadata("forecast", before)["issued"].startswith("reconstructed")
    today = dt.date.fromisoformat(coming)
    for module in (issued, forecast):
        monkeypatch.setattr(module, "is_over", lambda project, of: today >= project.due.end(of))
    assert lab.run("issued forecast", last).success
    told = lab.metadata("forecast", last)
    assert told["forecast_for"] == coming
    made = lab.datasets.read("forecast", [last])
    assert set(made["date"]) == {pd.Timestamp(coming)}
    assert set(made["inputs_from"]) == {f"the {built.case.grain} before"}
    assert made["forecast"].notna().all()
    assert load_champion(str(lab.storage.root), today)[1].version == told["version"]


def test_the_schedule_asks_for_what_has_ended(built: Built) -> None:
    schedule = make_evaluation_schedule(built.lab.project, built.partitions)
    last = built.case.keys[-1]
    tick = built.case.ends(last) + dt.timedelta(hours=1)
    context = dg.build_schedule_context(scheduled_execution_time=tick)
    asked: Any = schedule(context)
    assert asked.partition_key == last
    assert schedule.cron_schedule == CRON[built.case.grain]


def test_a_correction_makes_stale_what_reads_it(built: Built) -> None:
    lab, project = built.lab, built.lab.project
    last = built.case.keys[-1]
    now = built.case.ends(last) + dt.timedelta(hours=5)
    upkeep = Upkeep(lab.instance, project, built.partitions, lab.models, now)
    newest = upkeep.log.newest().number
    corrected = built.case.keys[-4]
    assert lab.run("observations", corrected).success
    stale = upkeep.plan(newest).stale[asset_key(project, "features").to_user_string()]
    # lags of 1 and 4, and the mean of the 4 before: up to the newest
    assert [day_key(day, project.due) for day in stale] == built.case.keys[-4:]
    assert lab.run("features", corrected, last).success


def test_late_rows_of_a_period_are_found(built: Built) -> None:
    lab, case = built.lab, built.case
    late, rows = case.keys[-3], make_rows(built.case)
    changed = rows["date"].dt.to_period(case.freq) == pd.Period(late, case.freq)
    now = case.ends(case.keys[-1])
    try:
        lab.write(rows.assign(units=rows["units"] + changed))
        found = late_days(
            lab.instance, lab.project, built.partitions, make_source(lab.project), lab.datasets, now
        )
    finally:
        lab.write(rows)
    assert [request.tags["dagster/asset_partition_range_start"] for request in found] == [late]


def test_a_run_of_a_range_was_to_make_its_periods(built: Built) -> None:
    first, last = built.case.keys[-3], built.case.keys[-1]
    run = dg.DagsterRun(job_name=EVALUATE_JOB, tags=run_tags(first, last))
    assert {key for _, key in planned(run, built.lab.project)} == set(built.case.keys[-3:])


def test_status_speaks_of_periods(built: Built) -> None:
    lines = dict(status(built.lab.project, built.lab.storage, None))
    grain = built.case.grain
    assert lines["newest"].startswith(f"the {grain} of {built.case.keys[-1]} is evaluated, ")
    assert f" {grain}s behind" in lines["newest"]
    assert f"28 {grain}s" in lines


def test_a_policy_is_tried_by_periods_as_it_would_have_been_live(built: Built) -> None:
    lab, grain = built.lab, built.case.grain
    job = make_definitions(lab.project, lab.storage).resolve_job_def(BACKTEST_JOB)
    last = built.served[9]
    config = {"model": "linear", "policies": [{"name": "monthly"}], "last_day": last}
    result = job.execute_in_process(
        instance=lab.instance, run_config={"ops": {"backtest_policy": {"config": config}}}
    )
    folder = Path(lab.storage.root, "policies", result.run_id)
    days = pd.read_parquet(folder / "days.parquet").set_index("date")["value"]
    # the first week with a whole window before it begins a few days before the first month
    first = ["2024-07-29"] if grain == "week" else []
    assert [f"{day:%Y-%m-%d}" for day in days.index] == [*first, *built.served[:10]]
    # until the next month, in which nobody trained live
    for key in built.served[: 4 if grain == "week" else 1]:
        board = lab.datasets.read("leaderboard", [key]).set_index("model")
        assert days[key] == pytest.approx(board.loc["linear", "wmape"], rel=1e-9)
    [course] = json.loads((folder / "policies.json").read_text())["policies"]
    told = [(one["day"], one["trained_through"]) for one in course["trainings"][:3]]
    assert (
        told
        == {
            "week": [
                ("2024-07-29", "2024-07-22"),
                ("2024-08-05", "2024-07-22"),
                ("2024-09-02", "2024-08-19"),
            ],
            "month": [
                ("2020-05-01", "2020-04-01"),
                ("2020-06-01", "2020-05-01"),
                ("2020-07-01", "2020-06-01"),
            ],
            "quarter": [
                ("2014-01-01", "2013-10-01"),
                ("2014-04-01", "2014-01-01"),
                ("2014-07-01", "2014-04-01"),
            ],
        }[grain]
    )
