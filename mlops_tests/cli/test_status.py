"""`mlops-assets status` tells from the stores how a project is doing, before and after it began."""

import datetime as dt
import os
import zoneinfo
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.cli.instance import prepare_instance
from mlops_assets.cli.status import next_tick, under_way
from mlops_assets.graph.partitions import PARTITION
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.alert_records import Alert, Alerts, Kind
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.commands import command
from mlops_tests.small import write_small_project

UTC = dt.UTC
TODAY = dt.datetime.now(UTC).date()
YESTERDAY, DAY_BEFORE = TODAY - dt.timedelta(days=1), TODAY - dt.timedelta(days=2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, which is the working folder."""
    file = write_small_project(tmp_path)
    settings = yaml.safe_load(file.read_text()) | {"time_zone": "UTC"}
    settings["models"][1]["cadence"] = "manual"
    file.write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "to be restored")
    del os.environ["DAGSTER_HOME"]
    monkeypatch.delenv("MLOPS_ROOT")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """What is told under each title."""
    assert command("status") == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "retail_demand"
    found: dict[str, list[str]] = {}
    title = ""
    for line in lines:
        title = line[2:11].strip() or title
        found.setdefault(title, []).append(line[12:])
    return found


def test_before_there_is_anything_it_says_what_to_do_and_makes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    found = told(capsys)
    assert found["newest"] == ["no day is evaluated yet; `mlops-assets history` builds it"]
    assert found["problems"] == ["none open"]
    assert found["runs"] == ["none under way"]
    evaluation, trained, manual = found["next"]
    assert evaluation == f"evaluation: {TODAY + dt.timedelta(days=1)} 01:00 UTC"
    first = (TODAY.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    assert trained == f"monthly training: {first} 02:00 UTC, of seasonal_naive, hist_boosting"
    assert manual == "not trained by schedule: linear"
    assert sorted(folder.iterdir()) == before


def test_it_tells_the_champion_problems_and_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = LocalStorage(str(folder / "storage"))
    datasets, alerts = DatasetStore(storage), Alerts(storage)
    scores = {"model": ["linear", "seasonal_naive"], "wmape_28d": [0.25, 0.5]}
    datasets.write("leaderboard", str(DAY_BEFORE), pd.DataFrame(scores))
    record = {"next_champion": ["linear"], "next_since": ["2026-11-03"]}
    datasets.write("champion", str(DAY_BEFORE), pd.DataFrame(record))
    at = dt.datetime(2026, 11, 17, 2, 3, tzinfo=UTC)
    for number in range(5):
        alerts.record(
            Alert(
                at=at + dt.timedelta(minutes=number),
                kind=Kind.RUN_FAILED,
                key=str(number),
                subject=f"failed {number}",
                text="",
                url="",
            )
        )
    alerts.record(
        Alert(
            at=at + dt.timedelta(hours=1),
            kind=Kind.RECOVERED,
            key="recovered",
            subject="",
            text="",
            url="",
            recovers="0",
        )
    )
    prepare_instance()
    with dg.DagsterInstance.get() as instance:
        started, done = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS
        tags = {PARTITION: str(YESTERDAY)}
        for run_id, status in (("1" * 32, started), ("2" * 32, done)):
            run = dg.DagsterRun(job_name="evaluate_job", run_id=run_id, status=status, tags=tags)
            instance.add_run(run)
    found = told(capsys)
    [newest] = found["newest"]
    assert newest == (f"{DAY_BEFORE} is evaluated, 1 day behind; `mlops-assets history` builds it")
    assert found["champion"] == ["linear, since 2026-11-03"]
    assert found["28 days"] == ["wmape 0.25 of linear, 0.5 of seasonal_naive (the baseline)"]
    assert found["problems"] == [
        "4 open",
        "2026-11-17 02:05 failed 2",
        "2026-11-17 02:06 failed 3",
        "2026-11-17 02:07 failed 4",
    ]
    assert found["runs"] == ["1 under way", f"11111111 started: evaluate_job {YESTERDAY}"]
    page = under_way("")
    assert [text for title, text in page if title == "runs"] == found["runs"]
    assert [title for title, _ in page if title in ("champion", "problems")] == []


def test_yesterday_is_not_behind_before_the_hour_of_its_evaluation(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "project.yaml"
    settings = yaml.safe_load(file.read_text()) | {"schedule": {"evaluate_hour": 23}}
    file.write_text(yaml.safe_dump(settings))
    datasets = DatasetStore(LocalStorage(str(folder / "storage")))
    scores = pd.DataFrame({"model": ["linear"], "wmape_28d": [0.25]})
    datasets.write("leaderboard", str(DAY_BEFORE - dt.timedelta(days=1)), scores)
    [newest] = told(capsys)["newest"]
    assert newest.endswith(" is evaluated, 1 day behind; `mlops-assets history` builds it")
    datasets.write("leaderboard", str(DAY_BEFORE), scores)
    assert told(capsys)["newest"] == [f"{DAY_BEFORE} is evaluated"]


def test_it_tells_that_a_forecast_is_held_why_and_since_when(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = DatasetStore(LocalStorage(str(folder / "storage")))
    before = DAY_BEFORE - dt.timedelta(days=1)
    checks, good = CheckStore(datasets), CheckResult(True, "as usual")
    for day, row_count in [
        (before, good),
        (DAY_BEFORE, CheckResult(False, "too few", severe=True)),
        (YESTERDAY, CheckResult(False, "unusual")),
    ]:
        checks.write("observations", str(day), {"row_count": row_count})
    datasets.write("forecast", str(before), pd.DataFrame({"failed_checks": [""]}))
    severe = [f"held since {DAY_BEFORE}; the one for {DAY_BEFORE} stays", f"{DAY_BEFORE}: "]
    severe[1] += "row_count: too few"
    assert told(capsys)["forecast"] == severe
    file = folder / "project.yaml"
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(settings | {"serving": {"hold": "warn"}}))
    assert told(capsys)["forecast"] == [*severe, f"{YESTERDAY}: row_count: unusual"]
    datasets.write("forecast", str(YESTERDAY), pd.DataFrame({"failed_checks": ["row_count"]}))
    assert "forecast" not in told(capsys), "it was released"


def test_a_damaged_file_is_named_with_the_command_that_rebuilds_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("leaderboard", "champion"):
        file = folder / "storage" / "datasets" / name / f"{YESTERDAY}.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"no Parquet")
    assert command("status") == 1
    error = capsys.readouterr().err
    assert f"champion/{YESTERDAY}.parquet cannot be read" in error
    assert f"--select champion --partition {YESTERDAY}" in error


def test_a_project_that_cannot_be_told_leaves_the_others_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "load_from:\n"
    for name in ("broken", "sound"):
        file = write_small_project(tmp_path / name)
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"name": name}))
        module = f"module_name: mlops_assets.definitions, attribute: {name}, location_name: {name}"
        text += f"  - python_module: {{{module}}}\n"
    (tmp_path / "broken" / "project.yaml").write_text("nothing: 1\n")
    (tmp_path / "workspace.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert command("status") == 1
    told = capsys.readouterr()
    assert "sound\n  newest    no day is evaluated yet" in told.out
    assert told.err.startswith(f"Error: {tmp_path}/broken/project.yaml has ")


def test_a_leaderboard_that_ranks_by_another_metric_has_no_score_to_tell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = DatasetStore(LocalStorage(str(folder / "storage")))
    scores = {"model": ["linear"], "mae_28d": [0.25]}
    datasets.write("leaderboard", str(YESTERDAY), pd.DataFrame(scores))
    record = {"next_champion": ["linear"], "next_since": ["2026-11-03"]}
    datasets.write("champion", str(YESTERDAY), pd.DataFrame(record))
    assert told(capsys)["28 days"] == ["wmape of neither linear nor seasonal_naive"]


@pytest.mark.parametrize(
    ("now", "months", "expected"),
    [
        ("2026-11-18 00:59", None, "2026-11-18 01:00"),
        ("2026-11-18 01:00", None, "2026-11-19 01:00"),
        ("2026-12-31 23:00", None, "2027-01-01 01:00"),
        ("2026-11-01 00:30", "*", "2026-11-01 01:00"),
        ("2026-11-01 01:00", "*", "2026-12-01 01:00"),
        ("2026-11-18 12:00", "1,4,7,10", "2027-01-01 01:00"),
        ("2026-07-01 00:00", "1,4,7,10", "2026-07-01 01:00"),
    ],
)
def test_the_next_tick(now: str, months: str | None, expected: str) -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=zone)
    assert f"{next_tick(moment, 1, months):%Y-%m-%d %H:%M}" == expected
    assert next_tick(moment, 1, months).tzinfo == zone
