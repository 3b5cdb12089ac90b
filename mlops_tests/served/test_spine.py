"""The way of a row from source to leaderboard, through real runs on a real instance."""

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.assets.reporting import said
from mlops_assets.cli.history import build_history
from mlops_assets.cli.instance import SHIPPED
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import Partitions, add_months, make_partitions, range_tags
from mlops_assets.graph.runs import UNFINISHED
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.project import Project, load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_tests import clock
from mlops_tests.automation.asking import stale_days
from mlops_tests.commands import command
from mlops_tests.small import PROJECT_FILE

pytestmark = pytest.mark.history
SERIES = [("bakery", "bread"), ("bakery", "cake"), ("dairy", "milk")]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def rows_until(last: dt.date, first: dt.date) -> pd.DataFrame:
    """Three series with a weekly rhythm, seeded."""
    random = np.random.default_rng(7)
    days = pd.date_range(first, last)
    frames = [
        pd.DataFrame(
            {
                "date": days,
                "department": department,
                "category": category,
                "units": random.poisson(5 + 3 * (days.dayofweek >= 5) + level),
                "unit_price": 1.5 + level,
                "promotion": random.random(len(days)).round(2),
            }
        )
        for level, (department, category) in enumerate(SERIES)
    ]
    return pd.concat(frames, ignore_index=True)


TODAY = dt.datetime.now(dt.UTC).date()
YESTERDAY = TODAY - dt.timedelta(days=1)
# one month to learn from, then last month and this one in service
FIRST_DAY = add_months(TODAY, -2) - dt.timedelta(days=7)
A_MONTH_LATER = add_months(TODAY, -1) - dt.timedelta(days=7)


def write_project(folder: Path, first_day: dt.date = FIRST_DAY) -> None:
    """Settings, source and instance of a small project."""
    settings = yaml.safe_load(PROJECT_FILE.read_text())
    settings |= {
        "source": {"kind": "file", "path": "rows.csv"},
        "time_zone": clock.time_zone(),
        "first_day": first_day,
        "features": {"lags": [7], "calendar": ["day_of_week"]},
        "training": {"window_months": 1, "holdout_days": 7, "min_coverage": 0.5},
        # what is trained here serves, whatever the rows of the day
        "acceptance": {"tolerance": 1.0},
        "models": [
            {"name": "seasonal_naive", "family": "seasonal_naive"},
            {"name": "linear", "family": "ridge"},
        ],
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(settings))
    rows_until(YESTERDAY, first_day).to_csv(folder / "rows.csv", index=False)
    write_instance(folder)


def write_instance(folder: Path) -> None:
    """The shipped instance, in a folder of its own."""
    shipped = yaml.safe_load(SHIPPED.read_text())
    shipped["event_log_storage"]["config"]["base_dir"] = str(folder)
    (folder / "dagster.yaml").write_text(yaml.safe_dump(shipped))


class Spine:
    """A small project, its storage and its instance."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.file = folder / "rows.csv"
        self.project: Project = load_project(folder / "project.yaml")
        self.storage = LocalStorage(str(folder / "storage"))
        self.datasets, self.models = DatasetStore(self.storage), ModelStore(self.storage)

    def write(self, rows: pd.DataFrame) -> None:
        rows.to_csv(self.file, index=False)

    @property
    def partitions(self) -> Partitions:
        return make_partitions(self.project, self.storage)

    @property
    def definitions(self) -> dg.Definitions:
        return make_definitions(self.project, self.storage)

    def build(self) -> list[str]:
        return build_history(self.project, self.definitions, self.partitions, self.instance)

    def run(
        self, key: str, first: str, last: str | None = None, config: dict[str, object] | None = None
    ) -> dg.ExecuteInProcessResult:
        asset = dg.AssetKey(key.split("/"))
        monthly = asset.path[0] in ("models", "training_set")
        job = self.definitions.resolve_job_def("retrain_all_job" if monthly else EVALUATE_JOB)
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[asset],
            tags=range_tags(first, last or first),
            run_config=QUIET | (config or {}),
            raise_on_error=False,
        )

    def done(self, key: str) -> set[str]:
        return self.instance.get_materialized_partitions(dg.AssetKey(key.split("/")))

    def day(self, back: int) -> str:
        return str(YESTERDAY - dt.timedelta(days=back))


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """A project whose history is yet to be built."""
    write_project(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield Spine(tmp_path, instance)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project whose history is built, to be copied."""
    folder = tmp_path_factory.mktemp("history")
    write_project(folder)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert Spine(folder, instance).build() == []
    return folder


@pytest.fixture
def built(history: Path, tmp_path: Path) -> Iterator[Spine]:
    """A project whose history is built."""
    shutil.copytree(history, tmp_path / "built")
    write_instance(tmp_path / "built")
    with dg.DagsterInstance.from_config(str(tmp_path / "built")) as instance:
        yield Spine(tmp_path / "built", instance)


def reason(result: dg.ExecuteInProcessResult) -> str:
    data = next(e for e in result.all_events if e.is_step_failure).step_failure_data
    assert data.user_failure_data is not None
    return data.user_failure_data.description or ""


def test_history_is_complete_and_not_built_twice(built: Spine) -> None:
    days = set(built.partitions.daily.get_partition_keys())
    months = set(built.partitions.monthly.get_partition_keys())
    for key in ("observations", "features", "validation/linear", "leaderboard"):
        assert built.done(key) == days, key
    for key in ("training_set", "models/seasonal_naive", "models/linear"):
        assert built.done(key) == months, key
    runs = built.instance.get_runs_count()
    assert built.build() == []
    assert built.instance.get_runs_count() == runs
    assert stale_days(built.instance, built.project, built.partitions, built.models) == []


def test_an_interrupt_ends_the_build_at_once_and_it_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, A_MONTH_LATER)
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path / "project.yaml"))
    monkeypatch.setenv("MLOPS_ROOT", str(tmp_path / "storage"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "mlops_assets", "history"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell lets its background processes ignore Ctrl+C, and they their children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as build:
        assert build.stderr is not None
        for line in build.stderr:
            if line.startswith("observations: "):
                break
        os.killpg(build.pid, signal.SIGINT)  # as a terminal does: its helpers are told as well
        said = build.communicate(timeout=60)[1]
        assert build.returncode == 130
    assert "Interrupted; `mlops-assets history` goes on from here." in said
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    assert command("history") == 0
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        days = set(Spine(tmp_path, instance).partitions.daily.get_partition_keys())
        assert instance.get_materialized_partitions(dg.AssetKey("leaderboard")) == days


def test_a_bad_day_costs_itself_alone_and_runs_again_alone(spine: Spine) -> None:
    good = rows_until(YESTERDAY, FIRST_DAY)
    negative, absent = spine.day(2), spine.day(4)
    broken = good[good["date"] != absent].copy()
    broken.loc[broken["date"] == negative, "units"] = -1
    spine.write(broken)
    result = spine.run("observations", spine.day(6), spine.day(0))
    assert not result.success
    assert f"{absent}: the source has no rows" in reason(result)
    assert f"{negative}: " in reason(result)
    assert '"units"' in reason(result)
    expected = {spine.day(n) for n in (0, 1, 3, 5, 6)}
    assert spine.done("observations") == expected
    assert set(spine.datasets.keys("observations")) == expected
    spine.write(good)
    assert spine.run("observations", absent).success
    assert spine.run("observations", negative).success
    assert spine.done("observations") == expected | {absent, negative}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("unit_price", "cheap", "'cheap', which is no number"),
        ("promotion", 1.5, '"promotion"'),
        ("department", None, '"department"'),
        ("category", "cake", "more than one row: bakery, cake"),
    ],
)
def test_a_broken_column_is_named(spine: Spine, column: str, value: object, message: str) -> None:
    rows = rows_until(YESTERDAY, FIRST_DAY)
    rows[column] = rows[column].astype(object)
    rows.loc[(rows["date"] == spine.day(0)) & (rows["category"] == "bread"), column] = value
    spine.write(rows)
    result = spine.run("observations", spine.day(0))
    assert not result.success
    assert message in reason(result)
    assert spine.datasets.keys("observations") == []


def test_training_twice_adds_a_version_and_shows_what_it_makes_of_its_month(built: Spine) -> None:
    month = built.partitions.monthly.get_partition_keys()[0]
    before = built.models.cards("linear")
    alpha = {"ops": {"models__linear": {"config": {"hyperparameters": {"alpha": 500.0}}}}}
    assert built.run("models/linear", month, config=alpha).success
    after = built.models.cards("linear")
    assert len(after) == len(before) + 1
    new = next(card for card in after if card not in before)
    assert new.hyperparameters == {"alpha": 500.0}
    requests = stale_days(built.instance, built.project, built.partitions, built.models)
    evaluated = [day for day in sorted(built.done("validation/linear")) if day[:7] == month[:7]]
    [request] = requests
    assert request.asset_selection == [dg.AssetKey(["validation", "linear"])]
    # later days keep their version, but their verdicts rest on those of the month
    newest = max(built.done("validation/linear"))
    because = {"mlops_assets/because": f"models/linear {month} was made again"}
    assert request.tags == range_tags(evaluated[0], newest) | because
    assert built.run("validation/linear", evaluated[0], newest).success
    scored = built.datasets.read("validation/linear", evaluated)
    assert set(scored["version"]) <= {card.version for card in before}, "chosen before the days"
    assert set(scored["reconstructed_version"]) == {new.version}
    requests = stale_days(built.instance, built.project, built.partitions, built.models)
    asked = [request.asset_selection for request in requests]
    boards, forecast = ([dg.AssetKey(name)] for name in ("leaderboard", "forecast"))
    # where the model is champion, the intervals of its newest forecast rest on these days
    assert asked in ([boards], [boards, forecast])


def test_hyperparameters_out_of_bounds_train_nothing(built: Spine) -> None:
    month = built.partitions.monthly.get_partition_keys()[-1]
    before = built.models.cards("linear")
    alpha = {"ops": {"models__linear": {"config": {"hyperparameters": {"alpha": -1.0}}}}}
    result = built.run("models/linear", month, config=alpha)
    assert not result.success
    assert "alpha = -1.0" in reason(result)
    assert built.models.cards("linear") == before


def test_every_stored_score_is_out_of_sample(built: Spine) -> None:
    for month in reversed(built.partitions.monthly.get_partition_keys()):
        assert built.run("models/linear", month).success  # trained late, and out of order
    first = str(built.partitions.first_month)
    keys = [key for key in built.partitions.daily.get_partition_keys() if key >= first]
    assert built.run("validation/linear", keys[0], keys[-1]).success
    forecasts = built.datasets.read("validation/linear", keys)
    assert len(forecasts) == len(keys) * len(SERIES)
    assert (pd.to_datetime(forecasts["trained_through"]) < forecasts["date"]).all()
    months = forecasts["version"].str[:7]
    assert (months == forecasts["date"].dt.strftime("%Y-%m")).all()
    first = {card.month: card.version for card in reversed(built.models.cards("linear"))}
    scored = {version[:10]: version for version in forecasts["version"].unique()}
    assert scored == {month: first[month] for month in scored}, "chosen before the days"


def test_a_damaged_version_costs_its_month_alone(built: Spine) -> None:
    damaged = built.models.in_service("linear", YESTERDAY)
    assert damaged is not None
    Path(built.models.url(damaged)).write_bytes(b"not a model")
    result = built.run("validation/linear", str(built.partitions.first_month), built.day(0))
    assert not result.success
    assert "does not match the SHA-256" in reason(result)
    assert f"--select models/linear --partition {damaged.month}" in reason(result)
    # the remedy: another one stands in for it, in the past as well
    assert built.run("models/linear", damaged.month).success
    assert built.run("validation/linear", built.day(0)).success
    [scored] = set(built.datasets.read("validation/linear", [built.day(0)])["version"])
    assert scored != damaged.version
    assert scored.startswith(damaged.month)
    [decision] = built.models.decisions.all()
    assert (decision.action, decision.version) == ("retire", damaged.version)
    assert f"{scored} stands in for it" in decision.reason


def test_metadata_of_a_day_and_of_the_leaderboard(built: Spine) -> None:
    day = built.day(0)
    event = built.instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(["validation", "linear"]), asset_partitions=[day]), 1
    ).records[0]
    assert event.asset_materialization is not None
    metadata = said(event.asset_materialization.metadata)
    stored = built.datasets.read("validation/linear", [day])
    error = (stored["forecast"] - stored["actual"]).abs()
    assert metadata["mae_reconstructed"] == pytest.approx(error.mean(), rel=1e-5)
    assert metadata["wmape_reconstructed"] == pytest.approx(
        error.sum() / stored["actual"].sum(), rel=1e-5
    )
    naive = built.datasets.read("validation/seasonal_naive", [day])
    naive_mae = (naive["forecast"] - naive["actual"]).abs().mean()
    assert metadata["mae_vs_baseline_reconstructed"] == pytest.approx(
        error.mean() - naive_mae, rel=1e-5
    )
    assert metadata["tweedie_deviance_options"] == "power 1.5, floor 0.1"
    assert metadata["version"] == stored["version"].iloc[0]
    week_ago = built.datasets.read("observations", [built.day(7)])
    assert naive["forecast"].tolist() == week_ago["units"].tolist()
    board = built.datasets.read("leaderboard", [day])
    assert board["rank"].tolist() == [1, 2]
    assert board["wmape_28d"].is_monotonic_increasing
