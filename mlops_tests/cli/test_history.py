"""Building the history: all of it, once, on from where it stopped, past a day that is bad."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.cli import history
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import Partitions, add_months, days_between, make_partitions
from mlops_assets.project import Project, load_project
from mlops_assets.resources.storage import LocalStorage, Storage
from mlops_tests.assets.lab import make_settings

pytestmark = pytest.mark.history
# one month to learn from, and this month's days in service: the least that has every layer
FIRST_DAY = add_months(dt.datetime.now(dt.UTC).date(), -1) - dt.timedelta(days=7)
YESTERDAY = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def make_rows() -> pd.DataFrame:
    """One series with a weekly rhythm, through yesterday."""
    days = pd.date_range(FIRST_DAY, YESTERDAY)
    return pd.DataFrame(
        {
            "date": days,
            "department": "bakery",
            "category": "bread",
            "units": 5.0 + days.dayofweek,
            "unit_price": 1.0,
            "promotion": 0.0,
        }
    )


class Builder:
    """A small project on an instance in memory."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        settings = make_settings() | {"first_day": FIRST_DAY}
        settings["models"] = settings["models"][:1]
        (folder / "project.yaml").write_text(yaml.safe_dump(settings))
        self.project: Project = load_project(folder / "project.yaml")
        self.storage: Storage = LocalStorage(str(folder / "storage"))
        self.write(make_rows())

    def write(self, rows: pd.DataFrame) -> None:
        rows.to_parquet(self.folder / "rows.parquet", index=False)

    @property
    def partitions(self) -> Partitions:
        return make_partitions(self.project, self.storage)

    def build(self) -> list[str]:
        definitions = make_definitions(self.project, self.storage)
        return history.build_history(self.project, definitions, self.partitions, self.instance)

    def done(self, key: str) -> set[str]:
        return self.instance.get_materialized_partitions(dg.AssetKey(key.split("/")))


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Builder(tmp_path, instance)


def test_a_bad_day_is_told_and_the_rest_is_built(builder: Builder) -> None:
    rows = make_rows()
    bad = FIRST_DAY + dt.timedelta(days=9)
    broken = rows.copy()
    broken.loc[broken["date"] == pd.Timestamp(bad), "units"] = -1.0
    builder.write(broken)
    failures = builder.build()
    assert [reason.split(":")[0] for reason in failures] == ["observations", "features"]
    assert all(f"{bad}: " in reason for reason in failures)
    every = set(days_between(FIRST_DAY, YESTERDAY + dt.timedelta(days=1)))
    assert builder.done("observations") == builder.done("features") == every - {str(bad)}
    for key in ("leaderboard", "champion", "forecast"):
        assert builder.done(key) == every, key
    # corrected, the one day is all that is run
    builder.write(rows)
    before = builder.instance.get_runs_count()
    assert builder.build() == []
    assert builder.instance.get_runs_count() == before + 2
    assert builder.done("features") == every
    # and then nothing
    assert builder.build() == []
    assert builder.instance.get_runs_count() == before + 2


def test_it_goes_on_where_it_stopped(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    original = history._run
    titles: list[str] = []

    def stop(*arguments: object) -> object:
        progress = arguments[-1]
        assert isinstance(progress, history.Progress)
        titles.append(progress.title)
        if progress.title == "training sets":
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(history, "_run", stop)
    with pytest.raises(KeyboardInterrupt):
        builder.build()
    assert titles == ["observations", "features", "training sets"]
    monkeypatch.setattr(history, "_run", original)
    runs = builder.instance.get_runs_count()
    assert builder.build() == []
    assert builder.instance.get_runs_count() == runs + 7
    every = set(builder.partitions.daily.get_partition_keys())
    for key in ("leaderboard", "champion", "forecast"):
        assert builder.done(key) == every, key


def test_runs_that_were_left_behind_are_ended_and_no_others(builder: Builder) -> None:
    def add(run_id: str, tags: dict[str, str]) -> None:
        started = dg.DagsterRunStatus.STARTED
        run = dg.DagsterRun(job_name="any", run_id=run_id * 32, status=started, tags=tags)
        builder.instance.add_run(run)

    add("1", {history.HISTORY_TAG: "true"})
    add("2", {})
    history.end_unfinished_runs(builder.instance, builder.project)
    statuses = {run.run_id[0]: run.status for run in builder.instance.get_runs()}
    assert statuses == {"1": dg.DagsterRunStatus.CANCELED, "2": dg.DagsterRunStatus.STARTED}


def test_without_a_place_for_the_instance_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert history.main() == 2
    assert "DAGSTER_HOME is not set" in capsys.readouterr().err
    assert not os.listdir(tmp_path)
