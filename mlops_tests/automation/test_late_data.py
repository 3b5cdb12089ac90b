"""Rows that change at the source after their day was ingested."""

import datetime as dt
from collections import defaultdict
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation import late_data as late
from mlops_assets.automation.late_data import late_days, make_late_data_sensor
from mlops_assets.graph.partitions import RANGE_END, RANGE_START, make_partitions
from mlops_assets.jobs.evaluate import make_jobs
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.ingested import IngestedStore
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, make_rows
from mlops_tests.automation.asking import stale_days
from mlops_tests.automation.test_catching_up import PROJECT, Log, asked, stale

NOON = dt.datetime(2026, 4, 1, 12, tzinfo=dt.UTC)
DAY = "2026-03-20"
EVALUATED = "validation/seasonal_naive validation/linear leaderboard champion forecast drift"


def requested(lab: Lab) -> list[dg.RunRequest]:
    """What the sensor asks for at noon of the first of April."""
    project = lab.project
    return late_days(
        lab.instance,
        project,
        make_partitions(project, lab.storage),
        make_source(project, lab.storage),
        DatasetStore(lab.storage),
        NOON,
    )


def made(lab: Lab, key: str, days: list[str]) -> None:
    """Say of stored days that they were materialized in the instance of the test."""
    for day in days:
        lab.instance.report_runless_asset_event(
            dg.AssetMaterialization(dg.AssetKey(key.split("/")), partition=day)
        )


def observed(lab: Lab) -> None:
    made(lab, "observations", keys(FIRST_DAY, "2026-03-31"))


def spans(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    for request in requests:
        assert request.asset_selection == [dg.AssetKey("observations")]
    return [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests]


def corrected(*days: str) -> pd.DataFrame:
    """The rows of the source, one of each of these days with another target."""
    rows = make_rows()
    for day in days:
        rows.loc[rows["date"].eq(day).idxmax(), "units"] += 40
    return rows


def run(lab: Lab, requests: list[dg.RunRequest]) -> dict[str, set[str]]:
    """Do what is requested; the days by asset."""
    done = defaultdict(set)
    for request in requests:
        selected = " ".join(key.to_user_string() for key in request.asset_selection or [])
        first, last = request.tags[RANGE_START], request.tags[RANGE_END]
        assert lab.run(selected, first, last).success
        for asset, day in asked(request):
            done[asset].add(day)
    return done


def test_ranges_of_changed_days_are_requested_once(lab: Lab) -> None:
    observed(lab)
    assert requested(lab) == []
    lab.write(corrected("2026-03-17", "2026-03-20", "2026-03-21", "2026-03-22"))
    first = requested(lab)  # 14 days before 1 April is 18 March
    assert spans(first) == [("2026-03-20", "2026-03-22")]
    assert [r.run_key for r in requested(lab)] == [r.run_key for r in first]
    run(lab, first)
    assert requested(lab) == []
    assert DatasetStore(lab.storage).read("observations", [DAY])["units"].max() > 40
    lab.write(corrected())
    again = requested(lab)
    assert spans(again) == spans(first)
    assert again[0].run_key != first[0].run_key
    run(lab, again)
    lab.write(corrected("2026-03-17", "2026-03-20", "2026-03-21", "2026-03-22"))
    back = requested(lab)
    assert spans(back) == spans(first)
    assert back[0].run_key not in (first[0].run_key, again[0].run_key), "else it is never run"


def test_rows_in_another_order_and_days_never_ingested_are_no_news(lab: Lab) -> None:
    made(lab, "observations", keys(FIRST_DAY, "2026-03-30"))
    lab.datasets.delete("ingested", "2026-03-31")
    lab.write(make_rows().iloc[::-1])
    assert requested(lab) == []


def test_a_day_stored_before_fingerprints_were_kept_is_compared_by_its_rows(lab: Lab) -> None:
    observed(lab)
    lab.datasets.delete("ingested", "2026-03-19")
    lab.datasets.delete("ingested", DAY)
    lab.write(corrected(DAY))
    assert spans(requested(lab)) == [(DAY, DAY)]
    kept = IngestedStore(DatasetStore(lab.storage)).read(["2026-03-19", DAY])
    assert {key: facts.rows for key, facts in kept.items()} == {"2026-03-19": 3}
    assert kept["2026-03-19"].fingerprint


def test_a_day_that_vanished_stays_and_a_refused_one_is_read_again_when_it_changes(
    lab: Lab,
) -> None:
    observed(lab)
    whole = make_rows()
    lab.write(whole[whole["date"] != DAY])
    assert requested(lab) == []
    lab.write(whole[(whole["date"] != DAY) | (whole["category"] == "milk")])
    [request] = requested(lab)
    assert not lab.run("observations", DAY).success, "one row of three is too few"
    assert requested(lab) == [], "it has been tried with these rows"
    facts = IngestedStore(DatasetStore(lab.storage)).read([DAY])[DAY]
    assert (facts.rows, facts.completeness) == (3, 1), "the stored rows stay"
    lab.write(corrected(DAY))
    assert spans(requested(lab)) == [(DAY, DAY)]
    assert request.run_key != requested(lab)[0].run_key


def test_exactly_what_depended_on_a_corrected_day_is_computed_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the sensors' own functions, with lags of 1 and 7 days and means of 7."""
    observed(lab)
    made(lab, "features", keys(FIRST_DAY, "2026-03-31"))
    for name in ("seasonal_naive", "linear"):
        made(lab, f"models/{name}", ["2026-02-01", "2026-03-01"])
    assert lab.run(EVALUATED, "2026-03-18", "2026-03-31").success
    project = lab.project
    partitions = make_partitions(project, lab.storage)
    assert stale_days(lab.instance, project, partitions, lab.models) == []
    champions = lab.file("champion", DAY).read_bytes()
    lab.write(corrected(DAY))

    monkeypatch.setattr(late, "local_time", lambda _: NOON)
    sensor = make_late_data_sensor(project, partitions, make_jobs(project), lab.storage)
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=lab.instance)).run_requests or []
    monkeypatch.undo()
    assert spans(tick) == [(DAY, DAY)]
    done = run(lab, tick)
    for _ in range(6):
        requests = stale_days(lab.instance, project, partitions, lab.models)
        if not requests:
            break
        for asset, days in run(lab, requests).items():
            done[asset] |= days
    assert not requests
    week = set(keys(DAY, "2026-03-27"))
    assert done == {
        "observations": {DAY},
        "features": week,
        # whose verdicts rest on the facts of the days before, as do later intervals
        "validation/seasonal_naive": set(keys(DAY, "2026-03-31")),
        "validation/linear": set(keys(DAY, "2026-03-31")),
        "leaderboard": set(keys(DAY, "2026-03-31")),  # which looks 28 days back
        "forecast": {"2026-03-31"},  # for the day to come, whose interval is by the residuals
        "drift": {"2026-03-31"},  # of the newest day alone
    }
    assert lab.file("champion", DAY).read_bytes() == champions
    said = lab.metadata("validation/linear", DAY)
    assert said["wmape_reconstructed"] != said["wmape_first_seen"]


def test_what_drifted_on_rows_that_were_mended_is_judged_anew(lab: Lab) -> None:
    """Of days that are over, those alone whose checks failed, and by rows alone."""
    observed(lab)
    days = keys("2026-03-18", "2026-03-31")
    made(lab, "features", days)
    made(lab, "drift", days)
    for day in days:
        found = {"inputs": CheckResult(day not in ("2026-03-19", "2026-03-22"), "")}
        CheckStore(lab.datasets).write("drift", day, found)

    def asked_for() -> list[tuple[str, str]]:
        partitions = make_partitions(lab.project, lab.storage)
        requests = stale_days(lab.instance, lab.project, partitions, lab.models)
        return [one for request in requests for one in asked(request)]

    assert asked_for() == []
    made(lab, "models/linear", ["2026-03-01"])
    assert asked_for() == []
    made(lab, "features", [DAY])
    assert asked_for() == [("drift", "2026-03-22")]
    made(lab, "drift", ["2026-03-22"])
    assert asked_for() == []


def test_days_between_two_lags_do_not_depend_on_a_day(tmp_path: Path) -> None:
    features = PROJECT.features.model_copy(update={"lags": [1, 7], "rolling_means": []})
    project = PROJECT.model_copy(update={"features": features})
    log, days = Log(), keys("2026-03-01", "2026-03-15")
    for key in ("observations", "features"):
        for day in days:
            log.materialize(key, day)
    log.materialize("observations", "2026-03-03")
    partitions = make_partitions(project, LocalStorage(str(tmp_path)))
    found = [pair for request in stale(log, project, partitions) for pair in asked(request)]
    assert found == [("features", f"2026-03-{day}") for day in ("03", "04", "10")]


def test_a_paused_schedule_leaves_late_data_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = lab.project
    partitions = make_partitions(project, lab.storage)
    monkeypatch.setattr(late, "paused_schedules", lambda *_: {late.EVALUATION_SCHEDULE})
    sensor = make_late_data_sensor(project, partitions, make_jobs(project), lab.storage)
    result = sensor.evaluate_tick(dg.build_sensor_context(instance=lab.instance))
    assert result.skip_message == "No day that was ingested has changed at the source."
