"""Each problem, change and recovery is told once, over ticks of the sensor."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation import alerts as alerting
from mlops_assets.automation.alerts import find_problems, make_alert_sensor
from mlops_assets.graph.partitions import PARTITION, make_partitions, range_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB, HISTORY_TAG
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.alert_records import Alerts
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore

PROJECT = load_project().model_copy(update={"first_day": dt.date(2025, 6, 1), "time_zone": "UTC"})
TODAY = dt.datetime.now(dt.UTC).date()
YESTERDAY = str(TODAY - dt.timedelta(days=1))
NOON = dt.datetime.combine(TODAY, dt.time(12), dt.UTC)


class Watch:
    """A project that is watched, with its stores and an instance in memory."""

    def __init__(self, folder: Path) -> None:
        self.storage = LocalStorage(str(folder))
        self.instance = dg.DagsterInstance.ephemeral()
        self.partitions = make_partitions(PROJECT, self.storage)
        self.datasets, self.alerts = DatasetStore(self.storage), Alerts(self.storage)
        self.sensor = make_alert_sensor(PROJECT, self.partitions, self.storage)

    def tick(self) -> dict[str, object]:
        """What a tick of the sensor says; nothing where it has nothing to say."""
        context = dg.build_sensor_context(instance=self.instance)
        result = self.sensor.evaluate_tick(context)
        assert not result.run_requests
        if not result.asset_events:
            return {}
        [event] = result.asset_events
        return {name: value.value for name, value in event.metadata.items()}

    def problems(self, now: dt.datetime = NOON) -> list[str]:
        datasets = DatasetStore(self.storage)
        return sorted(find_problems(self.instance, PROJECT, self.partitions, datasets, now))

    def subjects(self) -> list[str]:
        return [alert.subject for alert in self.alerts.all().values()]

    def materialize(self, key: str, day: str = YESTERDAY) -> None:
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(key.split("/"), partition=day)
        )

    def fail(
        self, run_id: str, tags: dict[str, str], *assets: str, job: str = EVALUATE_JOB
    ) -> None:
        self.end(run_id, dg.DagsterRunStatus.FAILURE, tags, *assets, job=job)

    def end(
        self,
        run_id: str,
        status: dg.DagsterRunStatus,
        tags: dict[str, str],
        *assets: str,
        job: str = EVALUATE_JOB,
    ) -> None:
        selection = frozenset(dg.AssetKey(asset.split("/")) for asset in assets) or None
        self.instance.add_run(
            dg.DagsterRun(
                job_name=job, run_id=run_id, status=status, tags=tags, asset_selection=selection
            )
        )


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    watch = Watch(tmp_path)
    watch.materialize("leaderboard")
    return watch


def refuse(watch: Watch, *, passed: bool) -> None:
    verdict = CheckResult(passed=passed, why="no rows", severe=not passed)
    CheckStore(watch.datasets).write("observations", YESTERDAY, {"schema": verdict})


def test_a_refused_day_is_told_once_and_its_recovery_once(watch: Watch) -> None:
    assert watch.tick() == {}
    refuse(watch, passed=False)
    shown = watch.tick()
    assert shown["open"] == 1
    assert "are refused|open|" in str(shown["newest"])
    assert watch.tick() == {}
    refuse(watch, passed=True)
    assert watch.tick()["open"] == 0
    assert watch.tick() == {}
    told = f"observations of {YESTERDAY} are refused"
    assert watch.subjects() == [told, f"recovered: {told}"]


def test_a_failed_run_is_a_problem_until_its_work_is_done(watch: Watch) -> None:
    watch.materialize("features")  # before the run: it was to be made anew
    watch.fail("1", {PARTITION: YESTERDAY}, "features")
    watch.fail("2", {PARTITION: YESTERDAY}, "features")  # the same, tried again
    assert watch.problems() == [f"run_failed:{EVALUATE_JOB}:{YESTERDAY}-{YESTERDAY}"]
    assert watch.tick()["open"] == 1
    watch.materialize("features")  # by whichever run
    assert watch.problems() == []
    assert watch.tick()["open"] == 0
    assert watch.subjects()[1].startswith("recovered: evaluate_job of")


def test_a_run_of_no_assets_is_done_by_a_later_one_of_its_job(watch: Watch) -> None:
    watch.fail("1", {}, job="drop_model_job")
    assert len(watch.problems()) == 1
    watch.end("2", dg.DagsterRunStatus.SUCCESS, {}, job="drop_model_job")
    assert watch.problems() == []


def test_a_refused_day_is_not_told_again_as_a_failed_run(watch: Watch) -> None:
    refuse(watch, passed=False)
    watch.fail("1", {PARTITION: YESTERDAY}, "observations")
    assert watch.problems() == [f"check_failed:observations:{YESTERDAY}"]


def test_failures_of_a_backfill_are_summed_up(watch: Watch) -> None:
    first = str(TODAY - dt.timedelta(days=3))
    watch.fail("1", range_tags(first, YESTERDAY) | {HISTORY_TAG: "true"}, "features")
    watch.tick()
    [alert] = watch.alerts.all().values()
    assert alert.digest


def test_a_missed_evaluation_is_one_two_hours_after_it_was_due(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    assert watch.problems(NOON.replace(hour=2)) == []
    assert watch.problems(NOON.replace(hour=3)) == [f"evaluation_missed:{YESTERDAY}"]
    watch.materialize("leaderboard")
    assert watch.problems() == []


def test_a_change_of_the_champion_is_told_once(watch: Watch) -> None:
    row = {
        "date": pd.Timestamp(YESTERDAY),
        "champion": "linear",
        "next_champion": "boosting",
        "next_since": str(TODAY),
        "next_why": "gains 4 %",
    }
    watch.datasets.write("champion", YESTERDAY, pd.DataFrame([row]))
    assert watch.tick()["open"] == 0
    assert watch.tick() == {}
    assert watch.subjects() == [f"boosting is champion from {TODAY}, after linear"]


def test_a_damaged_alert_does_not_stop_the_sensor(watch: Watch) -> None:
    watch.storage.write("alerts/broken.json", b"{")
    refuse(watch, passed=False)
    assert watch.tick()["open"] == 1


def test_a_problem_that_leaves_the_watched_days_has_not_recovered(watch: Watch) -> None:
    refuse(watch, passed=False)
    watch.tick()
    later = NOON + dt.timedelta(days=PROJECT.schedule.catch_up_days + 2)
    alerting.tell(watch.alerts, {}, {}, later, PROJECT.schedule.catch_up_days)
    assert watch.subjects()[-1].startswith("no longer watched: ")


def test_a_change_that_lasts_is_told_once_and_is_over_after_a_week(watch: Watch) -> None:
    days = [str(TODAY - dt.timedelta(days=back)) for back in range(10, 0, -1)]
    decided = {"date": pd.Timestamp(days[0]), "champion": "linear", "next_champion": "linear"}
    watch.datasets.write(
        "champion", days[0], pd.DataFrame([{**decided, "next_since": days[1], "next_why": ""}])
    )
    subjects = []
    # it comes and goes by the day, fails the last time on the third, and is over on the tenth
    for n, day in enumerate(days):
        slices = CheckResult(n not in (0, 2), "target of bakery (department) by +40%")
        coverage = CheckResult(False, "which only shows")
        checks = {"slices": slices, "coverage": coverage}
        CheckStore(watch.datasets).write("validation/linear", day, checks)
        watch.tick()
        subjects.append(watch.subjects())
        watch.materialize("leaderboard", day)
    told = f"slices of validation/linear warns on {days[0]}"
    assert subjects[:9] == [[told]] * 9
    assert subjects[9] == [told, f"recovered: {told}"]
    [alert, _] = watch.alerts.all().values()
    assert alert.text == "slices: target of bakery (department) by +40%"


def test_odd_data_are_told_as_long_as_the_newest_day_has_them(watch: Watch) -> None:
    def store(day: str, *, passed: bool) -> None:
        verdict = CheckResult(passed, "unit_price is 9")
        CheckStore(watch.datasets).write("observations", day, {"inputs_range": verdict})

    store(str(TODAY - dt.timedelta(days=2)), passed=True)
    store(YESTERDAY, passed=False)
    assert watch.problems() == ["warns:observations:inputs_range"]
    store(YESTERDAY, passed=True)
    assert watch.problems() == []
