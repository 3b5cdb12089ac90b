"""Building the history: all of it, once, on from where it stopped, past a day that is bad."""

import datetime as dt
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.assets import pieces
from mlops_assets.cli import history
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import (
    Partitions,
    add_months,
    day_of,
    days_between,
    make_partitions,
)
from mlops_assets.project import Project, load_project
from mlops_assets.resources.sources import make_source
from mlops_assets.resources.storage import LocalStorage, Storage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.assets.lab import make_settings
from mlops_tests.commands import command
from mlops_tests.killing import in_child
from mlops_tests.servers import free_ports
from mlops_tests.small import prepare_instance

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

    def build(self, terminal: TextIO | None = None) -> list[str]:
        definitions = make_definitions(self.project, self.storage)
        source = make_source(self.project, self.storage)
        about = (self.project, definitions, self.partitions, self.instance)
        return history.build_history(*about, terminal, source=source)

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


def test_days_whose_rows_are_still_to_come_are_no_failure(builder: Builder) -> None:
    rows, late = make_rows(), str(YESTERDAY - dt.timedelta(days=1))
    builder.write(rows[rows["date"] < pd.Timestamp(late)])
    terminal = io.StringIO()
    assert builder.build(terminal) == []
    last = str(YESTERDAY - dt.timedelta(days=2))
    assert terminal.getvalue().startswith(
        f"the source has rows through {last}: {late} to {YESTERDAY} is evaluated once it has them\n"
    )
    made = {key: builder.done(key) for key in ("observations", "leaderboard", "forecast")}
    assert {key: max(days) for key, days in made.items()} == dict.fromkeys(made, last)
    builder.write(rows)
    assert builder.build(terminal) == []
    assert builder.done("forecast") == set(builder.partitions.daily.get_partition_keys())


def test_a_source_without_any_row_is_a_failure(builder: Builder) -> None:
    builder.write(make_rows().iloc[:0])
    assert any("no rows" in reason for reason in builder.build())


def made_since(builder: Builder, runs: int) -> set[str]:
    """What later runs than the first so many were to make."""
    later = builder.instance.get_runs()[: builder.instance.get_runs_count() - runs]
    return {key.to_user_string() for run in later for key in run.asset_selection or ()}


def test_it_goes_on_where_it_stopped(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    original = history.carry_out
    titles: list[str] = []

    def stop(*arguments: object) -> object:
        progress = getattr(arguments[-1], "__self__", None)  # whose method sees what is made
        assert isinstance(progress, history.Progress)
        titles.append(progress.title)
        if progress.title == "training sets":
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(history, "carry_out", stop)
    with pytest.raises(KeyboardInterrupt):
        builder.build()
    assert [*dict.fromkeys(titles)] == ["observations", "features", "training sets"]
    monkeypatch.setattr(history, "carry_out", original)
    runs = builder.instance.get_runs_count()
    assert builder.build() == []
    assert {"observations", "features"} & made_since(builder, runs) == set(), "they are complete"
    every = set(builder.partitions.daily.get_partition_keys())
    for key in ("leaderboard", "champion", "forecast"):
        assert builder.done(key) == every, key


def test_within_a_layer_it_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in a layer, which is one run: what that has recorded is not made again."""
    prepare_instance(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    killed_at = str(FIRST_DAY + dt.timedelta(days=20))
    original = DatasetStore.write

    def killed(self: DatasetStore, dataset: str, key: str, *given: Any) -> str:
        if dataset == "features" and key == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, dataset, key, *given)

    def work() -> None:
        monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)  # a day each, after the first sixteen
        monkeypatch.setattr(DatasetStore, "write", killed)
        with dg.DagsterInstance.get() as instance:
            Builder(tmp_path, instance).build()

    assert in_child(work) == -signal.SIGKILL
    with dg.DagsterInstance.get() as instance:
        builder = Builder(tmp_path, instance)
        assert builder.done("features") == set(days_between(FIRST_DAY, day_of(killed_at)))
        history.end_unfinished_runs(instance, builder.project)
        made: list[str] = []

        def counted(self: DatasetStore, dataset: str, key: str, *given: Any) -> str:
            made.append(f"{dataset} {key}")
            return original(self, dataset, key, *given)

        monkeypatch.setattr(DatasetStore, "write", counted)
        assert builder.build() == []
        every = builder.partitions.daily.get_partition_keys()
        features = [one.split()[1] for one in made if one.startswith("features ")]
        assert features == [key for key in every if key >= killed_at]
        assert not any(one.startswith("observations ") for one in made)
        assert builder.done("features") == set(every)


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


def test_nobody_is_trained_or_evaluated_without_being_asked(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Created for the days from the fifth on: what lies before is nothing that is missing."""
    project, instance = builder.project, builder.instance
    months = ["2026-01-01", "2026-02-01", "2026-03-01"]
    days = days_between(dt.date(2026, 3, 1), dt.date(2026, 3, 9))

    def missing(kind: str, known: list[str], *created: str) -> set[str]:
        key = dg.AssetKey([kind, "seasonal_naive"])
        return history.missing_of(project, key, known, instance, created)

    assert missing("models", months) == set(months)
    assert missing("models", months, "seasonal_naive") == set(), "its creation failed"
    made = [("models", "2026-02-01"), ("validation", "2026-03-05"), ("validation", "2026-03-07")]
    for kind, key in made:
        instance.report_runless_asset_event(
            dg.AssetMaterialization([kind, "seasonal_naive"], partition=key)
        )
    assert missing("models", months, "seasonal_naive") == {"2026-03-01"}
    assert missing("validation", days, "seasonal_naive") == {"2026-03-06", "2026-03-08"}
    assert missing("validation", days, "another") == set(days) - {"2026-03-05", "2026-03-07"}
    monkeypatch.setattr(history, "paused_models", lambda *_: {"seasonal_naive"})
    assert missing("models", months) == set()
    assert "2026-03-06" in missing("validation", days), "a paused model is still evaluated"


def test_days_of_another_project_are_not_taken_for_its_own(builder: Builder) -> None:
    datasets = DatasetStore(builder.storage)
    assert history.foreign_days(builder.project, builder.instance, datasets) is None
    builder.instance.report_runless_asset_event(
        dg.AssetMaterialization("observations", partition="2026-03-01")
    )
    problem = history.foreign_days(builder.project, builder.instance, datasets)
    assert problem is not None
    assert "through 2026-03-01" in problem
    assert builder.storage.root in problem
    assert "Set DAGSTER_HOME to a folder of retail_demand's own" in problem
    datasets.write("observations", "2026-03-01", make_rows().head(1))
    assert history.foreign_days(builder.project, builder.instance, datasets) is None


def test_without_settings_nothing_is_built_and_what_makes_some_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("history", "run", "serve"):
        assert command(name, *(["--port", free_ports()] if name != "history" else [])) == 1
        told = capsys.readouterr().err
        assert f"cannot read the settings {tmp_path}/project.yaml" in told
        assert "mlops-assets new TABLE" in told
        assert "MLOPS_PROJECT" in told
    assert not os.listdir(tmp_path)
