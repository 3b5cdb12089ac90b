"""Each problem, change and recovery is told once, over ticks of the sensor."""

import datetime as dt
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import time_machine

from mlops_assets.automation import alerts as alerting
from mlops_assets.automation.alerts import find_problems, make_alert_sensor
from mlops_assets.automation.failed_checks import CHECKS_FAILED, failed_day
from mlops_assets.automation.problems import long_runs
from mlops_assets.graph.partitions import PARTITION, make_partitions, range_tags
from mlops_assets.graph.runs import PROCESS_TAG, process_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB, HISTORY_TAG
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.alert_records import Alert, Alerts, Kind
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_tests.resources.stores.test_stores import add

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

    def tick(self, before: float | None = None) -> dict[str, object]:
        """What a tick of the sensor says; nothing where it has nothing to say.

        The one before was so many seconds ago, or there was none.
        """
        context = dg.SensorEvaluationContext(
            instance_ref=None,
            last_tick_completion_time=None if before is None else time.time() - before,
            cursor=None,
            repository_name=None,
            instance=self.instance,
        )
        result = self.sensor.evaluate_tick(context)
        assert not result.run_requests
        if not result.asset_events:
            return {}
        [event] = result.asset_events
        self.instance.report_runless_asset_event(event)
        return {name: value.value for name, value in event.metadata.items()}

    def problems(self, now: dt.datetime = NOON) -> list[str]:
        datasets = DatasetStore(self.storage)
        return sorted(find_problems(self.instance, PROJECT, self.partitions, datasets, now))

    def problems_of(self, recent: list[str], day: str) -> None:
        """Tell what the checks say of the last of some days, at noon of the day after."""
        now = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(12), dt.UTC)
        still = self.alerts.open()
        about = still[CHECKS_FAILED].about if still else ()
        found = failed_day(PROJECT, self.datasets, recent, about)
        alerting.tell(PROJECT, self.alerts, {one.key: one for one in found}, still, now)

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
    assert str(watch.tick()["state"]).startswith("nothing open since ")
    assert watch.tick() == {}
    refuse(watch, passed=False)
    shown = watch.tick()
    assert shown["open"] == 1
    assert shown["state"] == "1 open"
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


def test_a_run_is_long_by_what_runs_of_its_job_took(watch: Watch) -> None:
    """Two of its job took five and ten minutes: it is long after three times as long as ten."""

    def began(run_id: str, job: str, minutes: float, ended: bool = True) -> None:
        run = dg.DagsterRun(job, run_id, status=dg.DagsterRunStatus.NOT_STARTED)
        watch.instance.add_run(run)
        # Dagster takes both times from the clock
        with time_machine.travel(NOON - dt.timedelta(minutes=minutes)):
            watch.instance.report_dagster_event(
                dg.DagsterEvent("PIPELINE_START", job), run_id=run_id
            )
        if ended:
            with time_machine.travel(NOON):
                watch.instance.report_dagster_event(
                    dg.DagsterEvent("PIPELINE_SUCCESS", job), run_id=run_id
                )

    def long(minutes: float) -> list[str]:
        then = NOON + dt.timedelta(minutes=minutes)
        return [found.key for found in long_runs(watch.instance, PROJECT, then.timestamp())]

    began("1", EVALUATE_JOB, 5)
    began("2", EVALUATE_JOB, 10)
    began("3", EVALUATE_JOB, 0, ended=False)
    began("4", "another_job", 0, ended=False)
    assert long(29) == []
    assert long(31) == ["run_long:3"]
    assert set(long(61)) == {"run_long:3", "run_long:4"}, "an hour where none has succeeded"


def test_a_long_run_is_told_once_and_so_is_its_end(watch: Watch) -> None:
    watch.tick()
    with time_machine.travel(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=70)):
        watch.end("1", dg.DagsterRunStatus.STARTED, {})
    assert watch.tick()["state"] == "1 open"
    assert watch.tick() == {}
    run = watch.instance.get_run_by_id("1")
    assert run is not None
    watch.instance.report_run_canceled(run)
    watch.tick()
    told = f"{EVALUATE_JOB} waits over 60 minutes"
    assert watch.subjects() == [told, f"recovered: {told}"]


def test_a_run_whose_process_is_gone_is_ended_and_told(watch: Watch) -> None:
    watch.tick()
    host = process_tags("1")[PROCESS_TAG].split(" ")[1]
    watch.end("1", dg.DagsterRunStatus.STARTED, {PROCESS_TAG: f"1 {host} 4194300 long_ago"})
    assert watch.tick()["state"] == "1 open"
    assert watch.subjects() == [f"{EVALUATE_JOB} failed"]


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


def judge(watch: Watch, asset: str, day: str, check: str, *, passed: bool) -> None:
    found = CheckResult(passed, "0.7 is outside 0.1 to 0.4", value=0.7, low=0.1, high=0.4)
    CheckStore(watch.datasets).write(asset, day, {check: found})


def decide(watch: Watch, day: str, champion: str, after: str) -> None:
    row = {
        "date": pd.Timestamp(day),
        "champion": champion,
        "next_champion": after,
        "next_since": str(dt.date.fromisoformat(day) + dt.timedelta(days=1)),
        "next_why": "gains 4 %",
    }
    watch.datasets.write("champion", day, pd.DataFrame([row]))


def ago(days: int) -> str:
    return str(TODAY - dt.timedelta(days=days))


def test_failed_checks_of_a_day_are_one_message_with_what_when_and_what_came_of_it(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGES_URL", "https://models.example.org/pages")
    decide(watch, YESTERDAY, "linear", "linear")
    judge(watch, "validation/linear", ago(4), "control_limits", passed=True)
    judge(watch, "validation/linear", ago(3), "control_limits", passed=False)
    judge(watch, "validation/linear", ago(2), "control_limits", passed=False)
    judge(watch, "validation/linear", YESTERDAY, "control_limits", passed=False)
    judge(watch, "observations", YESTERDAY, "target_range", passed=False)
    judge(watch, "validation/hist_boosting", YESTERDAY, "bias", passed=False)
    judge(watch, "drift", YESTERDAY, "inputs", passed=False)
    shown = watch.tick()
    assert shown["open"] == 1
    [alert] = watch.alerts.all().values()
    assert alert.page == f"https://models.example.org/pages/day?on={YESTERDAY}"
    assert f"[{YESTERDAY}]({alert.page}) [web UI](" in str(shown["newest"])
    assert alert.subject == f"the data, linear and drift failed checks on {YESTERDAY}"
    assert alert.severity == "warn"
    assert alert.text.splitlines() == [
        "observations, target_range: 0.7 is outside 0.1 to 0.4",
        f"validation/linear, control_limits: 0.7 is outside 0.1 to 0.4 (failed since {ago(3)})",
        "drift, inputs: 0.7 is outside 0.1 to 0.4",
        "Failed checks of other models: hist_boosting 1.",
        f"{YESTERDAY} is stored and learned from all the same; correct the source where it is "
        "wrong.",
    ]
    checks = f"?view=checks&partition={YESTERDAY}&checkDetail=target_range"
    assert alert.url.endswith(f"assets/observations{checks}")
    assert watch.tick() == {}


def test_checks_of_other_models_alone_and_of_older_days_are_not_told(watch: Watch) -> None:
    decide(watch, YESTERDAY, "linear", "linear")
    judge(watch, "validation/hist_boosting", YESTERDAY, "bias", passed=False)
    judge(watch, "validation/linear", ago(2), "bias", passed=False)
    assert watch.problems() == []


def test_what_lasts_is_told_once_what_is_more_again_and_the_end_after_a_quiet_week(
    watch: Watch,
) -> None:
    days = [ago(back) for back in range(12, 0, -1)]
    for position, day in enumerate(days):
        judge(watch, "drift", day, "inputs", passed=position >= 3)
    judge(watch, "observations", days[2], "inputs_range", passed=False)
    told: dict[str, Alert] = {}
    for position, day in enumerate(days):
        watch.problems_of(days[: position + 1], day)
        told = watch.alerts.open()
        assert bool(told) == (position < 9), day
    assert [alert.split(" on ")[0] for alert in watch.subjects()] == [
        "drift failed checks",
        "the data and drift failed checks",
        "drift failed checks lately, no longer observations:inputs_range",
        "recovered: drift failed checks lately, no longer observations:inputs_range",
    ]
    assert watch.subjects()[1].endswith(days[2])


def test_what_was_mended_and_is_off_again_is_told_again_while_the_rest_lasts(
    watch: Watch,
) -> None:
    for day, tripled in [(ago(3), True), (ago(2), True), (YESTERDAY, False)]:
        judge(watch, "drift", day, "inputs", passed=False)
        judge(watch, "observations", day, "target_range", passed=not tripled)
    days = [ago(3), ago(2), YESTERDAY]
    watch.problems_of(days[:1], days[0])
    judge(watch, "observations", days[0], "target_range", passed=True)
    watch.problems_of(days[:1], days[0])
    watch.problems_of(days[:1], days[0])
    watch.problems_of(days[:2], days[1])
    watch.problems_of(days, days[2])
    assert watch.subjects() == [
        f"the data and drift failed checks on {days[0]}",
        "drift failed checks lately, no longer observations:target_range",
        f"the data and drift failed checks on {days[1]}",
        "drift failed checks lately, no longer observations:target_range",
    ]
    [alert] = watch.alerts.open().values()
    assert alert.about == ("drift",)


@pytest.mark.parametrize("refused", [False, True])
def test_a_day_that_is_not_judged_or_refused_ends_nothing_of_the_day_before(
    watch: Watch, refused: bool
) -> None:
    judge(watch, "observations", ago(2), "target_range", passed=False)
    watch.problems_of([ago(2)], ago(2))
    if refused:
        refuse(watch, passed=False)
    watch.problems_of([ago(2), YESTERDAY], YESTERDAY)
    told = f"the data failed checks on {ago(2)}"
    assert watch.subjects() == [told]
    refuse(watch, passed=True)
    watch.problems_of([ago(2), YESTERDAY], YESTERDAY)
    assert watch.subjects() == [told, f"recovered: {told}"]


def test_failed_checks_wait_until_the_day_is_all_there(watch: Watch) -> None:
    judge(watch, "observations", YESTERDAY, "target_range", passed=False)
    watch.end("1", dg.DagsterRunStatus.STARTED, {PARTITION: YESTERDAY}, "drift")
    assert watch.tick()["open"] == 0
    watch.instance.delete_run("1")
    assert watch.tick()["open"] == 1


def test_a_change_that_was_decided_again_is_taken_back(watch: Watch) -> None:
    decide(watch, YESTERDAY, "linear", "boosting")
    watch.tick()
    decide(watch, YESTERDAY, "linear", "linear")
    watch.materialize("champion")
    watch.tick()
    told = f"boosting is champion from {TODAY}, after linear"
    assert watch.subjects() == [told, f"taken back: {told}"]
    decide(watch, YESTERDAY, "linear", "boosting")
    watch.materialize("champion")
    watch.tick()
    assert watch.subjects()[2] == told
    watch.storage.write(f"datasets/champion/{YESTERDAY}.parquet", b"damaged")
    watch.materialize("champion")
    watch.tick()
    assert len(watch.subjects()) == 3, "what cannot be read is not taken back"


def test_a_missed_evaluation_stays_open_until_it_is_caught_up(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    key = f"evaluation_missed:{ago(2)}"
    alert = Alert(
        at=NOON, kind=Kind.EVALUATION_MISSED, key=key, subject="", text="", url="http://x/"
    )
    told = {key: alert}
    now = lambda: find_problems(  # noqa: E731
        watch.instance, PROJECT, watch.partitions, watch.datasets, NOON.replace(hour=1), told
    )
    assert list(now()) == [key], "another day has become the newest, and it is still missing"
    watch.materialize("leaderboard", ago(2))
    assert not now()


def test_a_missed_evaluation_is_one_two_hours_after_it_was_due(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    assert watch.problems(NOON.replace(hour=2)) == []
    assert watch.problems(NOON.replace(hour=3)) == [f"evaluation_missed:{YESTERDAY}"]
    watch.materialize("leaderboard")
    assert watch.problems() == []


@pytest.mark.long
def test_nothing_is_missed_while_it_is_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the service has just begun, and not between two runs of which one waits for one."""
    monkeypatch.setattr(alerting, "local_time", lambda _: NOON)
    watch = Watch(tmp_path)
    for before in (None, 3600.0):  # the first tick, and after the machine was off
        watch.tick(before)
    watch.end("1", dg.DagsterRunStatus.SUCCESS, {PARTITION: YESTERDAY}, "observations")
    watch.tick(60.0)
    assert watch.subjects() == []
    monkeypatch.setattr(alerting, "CATCHING_UP_SECONDS", 2.0)
    time.sleep(3.5)  # the database tells whole seconds
    watch.tick(1.0)
    assert watch.subjects() == [f"{YESTERDAY} is not evaluated"]
    watch.end("2", dg.DagsterRunStatus.SUCCESS, {PARTITION: YESTERDAY}, "observations")
    watch.tick(1.0)
    assert len(watch.subjects()) == 1, "what was told stands meanwhile"


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


def test_what_still_fails_stays_open_however_old_it_is(watch: Watch) -> None:
    refuse(watch, passed=False)
    day = ago(2)
    watch.fail("1", {PARTITION: day}, "features")
    watch.fail("2", {}, job="create_model_job")
    assert watch.tick()["open"] == 3
    days = PROJECT.schedule.catch_up_days + 2
    failed = watch.subjects()
    with time_machine.travel(NOON + dt.timedelta(days=days), tick=False):
        watch.tick()
        [again] = watch.subjects()[3:]
        assert again.startswith("no longer watched: "), "nothing says if it is made up for"
        still = watch.alerts.open()
        assert f"check_failed:observations:{YESTERDAY}" in still
        assert len(still) == 2
        watch.materialize("features", day)
        refuse(watch, passed=True)
        watch.tick()
        lasting = [subject for subject in failed if not again.endswith(subject)]
        told = set(watch.subjects()) - {*failed, again}
        assert told == {f"recovered: {subject}" for subject in lasting}
        assert not watch.alerts.open()


def test_a_version_whose_card_is_gone_is_told_until_another_stands_in(watch: Watch) -> None:
    models = ModelStore(watch.storage)
    card = add(models, "2026-05-01")
    assert watch.problems() == []
    watch.storage.write(f"models/linear/{card.version}/card.json", b"{")
    assert watch.problems() == [f"unreadable:{card.version}"]
    assert watch.tick()["open"] == 1
    [alert] = watch.alerts.all().values()
    assert alert.severity == "act"
    assert "is no model card" in alert.text
    assert "--select models/linear --partition 2026-05-01" in alert.text
    add(models, "2026-05-01")
    assert watch.problems() == []


def test_checks_that_only_show_are_told_beside_one_that_counts(watch: Watch) -> None:
    decide(watch, YESTERDAY, "linear", "linear")
    shown = CheckResult(passed=False, why="wider than usual")
    counts = CheckResult(passed=False, why="7 % too high since Monday")
    store = CheckStore(watch.datasets)
    store.write("validation/linear", YESTERDAY, {"coverage": shown})
    store.write("drift", YESTERDAY, {"multivariate": shown})
    assert watch.problems() == []
    store.write("validation/linear", YESTERDAY, {"coverage": shown, "bias": counts})
    assert watch.tick()["open"] == 1
    [alert] = watch.alerts.all().values()
    assert alert.subject == f"linear failed checks on {YESTERDAY}"
    assert alert.text.splitlines()[:2] == [
        "validation/linear, coverage: wider than usual",
        "validation/linear, bias: 7 % too high since Monday",
    ]
