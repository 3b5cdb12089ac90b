"""What is stored as DataFrames, files and lines for machines, of the history of version 0.1."""

import datetime as dt
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlops_assets import read
from mlops_assets.cli.export import export, months, tables
from mlops_assets.cli.machine_metrics import machine_metrics, of_project
from mlops_assets.project.folders import PROJECT_VARIABLE, ROOT_VARIABLE
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.storage import StorageError
from mlops_tests.assets.lab import Lab, keys
from mlops_tests.assets.test_issued import Living, living  # noqa: F401
from mlops_tests.small import REPOSITORY

FIXTURE = REPOSITORY / "mlops_tests" / "fixtures" / "history_0_1" / "history.tar.xz"
DAY = "2026-06-10"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def root(folder: Path) -> str:
    return str(folder / "storage")


def test_metrics_are_those_of_the_stored_forecasts(root: str) -> None:
    frame = read.metrics(root, last=DAY)
    assert (frame["date"].min(), frame["date"].max()) == tuple(pd.to_datetime(["2026-04-01", DAY]))
    day = frame[frame["date"] == DAY].set_index("model")
    for model, line in day.iterrows():
        rows = pd.read_parquet(f"{root}/datasets/validation/{model}/{DAY}.parquet")
        off = (rows["forecast"] - rows["actual"]).abs()
        assert line["mae"] == pytest.approx(off.mean())
    only = read.metrics(root, DAY, dt.date(2026, 6, 10), models=["linear"])
    assert only["model"].tolist() == ["linear"]
    assert "sparkline" not in frame


def test_forecasts_hold_every_model_and_the_day_to_come(living: Living) -> None:  # noqa: F811
    root = str(living.folder / "storage")
    frame = read.forecasts(root, "2026-03-13")
    known = frame[frame["actual"].notna()]
    assert sorted(set(known["date"].dt.day)) == [13, 14]
    assert len(known) == 2 * 2 * 3  # days, models, series
    coming = frame[frame["actual"].isna()]
    assert set(coming["date"]) == {pd.Timestamp("2026-03-15")}
    assert set(coming["model"]) == {"linear", "seasonal_naive"}
    stored = living.datasets.read("issued", ["2026-03-14"])
    assert coming["forecast"].tolist() == stored["forecast"].tolist()
    assert read.forecasts(root, last="2026-03-14")["actual"].notna().all()
    assert set(read.forecasts(root, models=["linear"])["model"]) == {"linear"}


def test_the_other_tables(root: str) -> None:
    days = read.observations(root, "2026-06-01", DAY)
    assert days["date"].nunique() == 10
    every = read.versions(root)
    cards = [json.loads(file.read_text()) for file in Path(root, "models").glob("*/*/card.json")]
    assert sorted(every["version"]) == sorted(card["version"] for card in cards)
    assert every["created"].is_monotonic_decreasing
    [card] = [card for card in cards if card["version"] == every["version"].iloc[0]]
    assert every["holdout_mae"].iloc[0] == card["holdout"]["mae"]
    refused = every[~every["accepted"]]
    assert set(refused["model"]) == {"hist_boosting"}
    assert refused["failed_checks"].str.len().gt(0).all()
    decided = read.decisions(root)
    assert decided["action"].tolist()[:1] == ["create"]
    assert len(decided) == len([*Path(root, "registry", "decisions").glob("*.json")])
    told = read.alerts(root)
    assert len(told) == len([*Path(root, "alerts").glob("*.json")])
    assert not told.loc[told["recovers"].notna(), "open"].all()


def test_what_is_not_there_is_empty_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    root = str(tmp_path)
    for table in (read.metrics, read.forecasts, read.observations, read.versions):
        assert table(root).empty
    assert list(read.decisions(root)) == ["at", "by", "action", "model", "version", "before",
                                          "after", "reason", "run_id"]  # fmt: skip
    (tmp_path / "datasets" / "leaderboard").mkdir(parents=True)
    (tmp_path / "datasets" / "leaderboard" / "2026-06-10.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"2026-06-10\.parquet"):
        read.metrics(root)
    with pytest.raises(ValueError, match="2026-02-31"):
        read.metrics(root, first="2026-02-31")


def test_reading_needs_no_dagster(root: str) -> None:
    code = (
        "import sys; from mlops_assets import read; "
        f"assert len(read.metrics({root!r})); assert 'dagster' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_holds_every_row(
    root: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, root)
    export([""], str(tmp_path / "out"), form, "2026-05-20", DAY)
    load = pd.read_csv if form == "csv" else pd.read_parquet
    for name in ("metrics", "forecasts", "observations"):
        files = sorted((tmp_path / "out" / name).iterdir())
        assert [file.stem for file in files] == ["2026-05", "2026-06"]
        rows = sum(len(load(file)) for file in files)
        assert rows == len(getattr(read, name)(root, "2026-05-20", DAY))
    assert len(load(tmp_path / "out" / f"versions.{form}")) == len(read.versions(root))
    assert len(load(tmp_path / "out" / f"decisions.{form}")) == len(read.decisions(root))


def test_an_export_of_nothing_writes_nothing(tmp_path: Path) -> None:
    storage = make_storage(str(tmp_path))
    assert [*months(storage, None, None)] == []
    assert [name for name, frame in tables(storage, None, None) if len(frame)] == []


def test_machines_read_the_newest_scores(living: Living) -> None:  # noqa: F811
    day = keys("2026-03-14", "2026-03-14")[0]
    found = [*of_project(living.project, living.storage, living.instance)]
    scores = {
        (labels["model"], labels["window"]): value
        for kind, labels, value in found
        if kind == "metric" and labels["metric"] == "wmape"
    }
    board = living.datasets.read("leaderboard", [day]).set_index("model")
    assert scores["linear", "1d"] == board.loc["linear", "wmape"]
    assert scores["linear", "28d"] == board.loc["linear", "wmape_28d"]
    began = [value for kind, _, value in found if kind == "newest_day_timestamp_seconds"]
    assert began == [dt.datetime(2026, 3, 14, tzinfo=dt.UTC).timestamp()]
    problems = [value for kind, _, value in found if kind == "open_alerts"]
    assert problems == [0, 0, 0]  # inform, warn, act
    [run] = [labels for kind, labels, _ in found if kind == "last_run_timestamp_seconds"]
    assert run["status"] == "SUCCESS"


def test_the_text_for_machines_keeps_its_form(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write(settings=yaml.safe_load((lab.folder / "project.yaml").read_text()) | {"name": "ours"})
    monkeypatch.setenv(PROJECT_VARIABLE, str(lab.folder / "project.yaml"))
    monkeypatch.setenv(ROOT_VARIABLE, str(lab.folder / "storage"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "none"))
    lines = machine_metrics([""]).splitlines()
    assert 'mlops_assets_readable{project="ours"} 1.0' in lines
    plain = re.compile(r'[a-z_]+\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\} \S+')
    assert all(line.startswith("# ") or plain.fullmatch(line) for line in lines)
    (lab.folder / "project.yaml").write_text("name: [")
    assert machine_metrics([""]).splitlines()[-1] == 'mlops_assets_readable{project=""} 0.0'


def test_the_notebook_answers_its_questions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = json.loads((REPOSITORY / "examples" / "questions.ipynb").read_text())["cells"]
    assert sum("## " in "".join(cell["source"]) for cell in cells) == 5
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            *statements, last = "".join(cell["source"]).rstrip().split("\n")
            exec("\n".join(statements), names)
            answer = eval(last, names) if "=" not in last.partition("(")[0] else exec(last, names)
            assert answer is None or len(answer), last  # type: ignore[arg-type]
