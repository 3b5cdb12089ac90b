"""Settings change while the project lives: its next days are made, or refused with the remedy."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.cli.outdated import check_settings
from mlops_assets.project.made_for import MadeFor, made_for
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.assets.lab import Lab, make_rows, make_settings, reason
from mlops_tests.shared import shared_folder

BEFORE, DAY = ("2026-03-08", "2026-03-09"), "2026-03-10"
DAILY = (
    "observations features issued validation/seasonal_naive validation/linear leaderboard champion "
    "forecast drift"
)
Change = Callable[[dict[str, Any], pd.DataFrame], pd.DataFrame]


def numeric_added(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["numeric"].append("weather")
    return rows.assign(weather=np.arange(len(rows)) / 10)


def categorical_added(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["categorical"].append("region")
    settings["evaluation"]["slices"] = [*settings["evaluation"]["slices"], "region"]
    return rows.assign(region="north")


def numeric_removed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["numeric"].remove("unit_price")
    settings["constraints"].pop("unit_price", None)
    return rows.drop(columns="unit_price")


def numeric_renamed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    numeric = settings["columns"]["numeric"]
    numeric[numeric.index("unit_price")] = "price"
    settings["constraints"].pop("unit_price", None)
    return rows.rename(columns={"unit_price": "price"})


def kind_changed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["numeric"].remove("unit_price")
    settings["columns"]["categorical"].append("unit_price")
    settings["constraints"].pop("unit_price", None)
    return rows


def target_renamed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["target"] = "sold"
    settings["constraints"]["sold"] = settings["constraints"].pop("units")
    return rows.rename(columns={"units": "sold"})


def date_renamed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["date"] = "day"
    return rows.rename(columns={"date": "day"})


def series_renamed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    columns = settings["columns"]
    for role in ("series", "categorical"):
        columns[role] = ["kind" if name == "category" else name for name in columns[role]]
    return rows.rename(columns={"category": "kind"})


def lag_added(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["features"]["lags"] = [1, 2, 7]
    return rows


def lag_removed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["features"]["lags"] = [7]
    return rows


def weight_added(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["columns"]["weight"] = "shops"
    return rows.assign(shops=np.arange(len(rows)) % 5 + 1.0)


def metric_changed(settings: dict[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    settings["evaluation"] |= {"metrics": ["rmse", "mae"], "primary": "rmse"}
    return rows


CHANGES: list[Change] = [
    numeric_added,
    categorical_added,
    numeric_removed,
    numeric_renamed,
    kind_changed,
    target_renamed,
    date_renamed,
    series_renamed,
    lag_added,
    lag_removed,
    weight_added,
    metric_changed,
]


def evaluate(trained_folder: Path, folder: Path) -> None:
    """The days before the settings change, in a copy of a trained lab."""
    shutil.copytree(trained_folder, folder, dirs_exist_ok=True)
    lab = Lab(folder)
    with lab.instance:
        assert lab.run(DAILY, *BEFORE).success
        lab.keep()


@pytest.fixture
def evaluated(trained_folder: Path, tmp_path: Path) -> Iterator[Lab]:
    """A lab of which the days before the change are evaluated."""
    made = shared_folder("before-a-change", partial(evaluate, trained_folder))
    lab = Lab(Path(shutil.copytree(made, tmp_path / "evaluated")))
    with lab.instance:
        yield lab


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_ends_in_days_that_are_stored_or_in_a_remedy(
    evaluated: Lab, change: Change
) -> None:
    lab = evaluated
    settings = make_settings()
    lab.write(change(settings, make_rows()), settings)
    result = lab.run("observations features", DAY)
    assert result.success, [
        e.step_failure_data.error for e in result.all_events if e.is_step_failure
    ]
    assert len(lab.datasets.read("features", [DAY])) == 3
    for asset in DAILY.split()[2:]:
        result = lab.run(asset, DAY)
        if result.success:
            continue
        [failure] = [event for event in result.all_events if event.is_step_failure]
        told = failure.step_failure_data
        assert told.user_failure_data is not None, f"{asset}: {told.error}"
        assert "materialize" in (told.user_failure_data.description or ""), asset


def test_days_before_an_input_was_added_do_not_judge_it(lab: Lab) -> None:
    for change in (numeric_added, categorical_added):
        settings = make_settings()
        lab.write(change(settings, make_rows()), settings)
        result = lab.run("observations", DAY)
        assert result.success
        failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
        assert failed == []
        assert len(lab.datasets.read("observations", [DAY])) == 3


def test_check_tells_what_is_made_again_and_how(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ROOT", str(lab.folder / "storage"))

    def told() -> list[str]:
        check_settings(lab.project)
        return capsys.readouterr().out.splitlines()

    assert told() == []
    settings = make_settings()
    rows = numeric_removed(settings, numeric_added(settings, make_rows()))
    lab.write(rows, settings)
    [observations, features, naive, linear] = told()
    assert observations == (
        "  observations of 2025-12-25 to 2026-03-31 lack weather, which is read as missing; made "
        "again by: dagster asset materialize -m mlops_assets.definitions --select observations "
        "--partition-range 2025-12-25...2026-03-31"
    )
    assert features.startswith("  features of 2025-12-25 to 2026-03-31 lack weather")
    assert "reads unit_price, which features lack by now, and cannot forecast" in linear
    assert "--select training_set --partition 2026-03-01, then dagster" in linear
    assert "seasonal_naive" in naive
    assert lab.run("observations features", "2025-12-25", "2026-03-31").success
    assert [line.partition(" reads ")[0] for line in told()] == [
        naive.partition(" reads ")[0],
        linear.partition(" reads ")[0],
    ]
    lag_added(settings, rows)
    lab.write(settings=settings)
    assert told()[0].startswith("  features of 2025-12-25 to 2026-03-31 lack units_lag_2")
    settings["features"]["lags"] = [1, 7]
    settings["evaluation"]["label_delay_days"] = 0
    settings["features"]["rolling_means"] = []
    lab.write(settings=settings)
    assert told()[0].startswith(
        "  features of 2025-12-25 to 2026-03-31 were made by other settings"
    )


def test_days_of_an_older_version_are_read_as_today(lab: Lab) -> None:
    plain = DatasetStore(lab.storage)  # which says nothing of what it was made for
    for day in BEFORE:
        rows = plain.read("observations", [day])
        plain.write("observations", day, rows.assign(category=["1.0", "2.0", "03"]))
    datasets = DatasetStore(lab.storage, made_for(lab.project))
    assert datasets.read("observations", BEFORE)["category"].tolist() == ["1", "2", "03"] * 2


def test_labels_that_are_declared_no_more_are_missing(lab: Lab) -> None:
    before = MadeFor({"kind": "name"}, "", ("kind", ("0", "1", "late")))
    today = MadeFor({"kind": "name"}, "", ("kind", ("true", "false", "lost")))
    frame = pd.DataFrame({"kind": ["1", "late", "0", None]})
    DatasetStore(lab.storage, {"observations": before}).write("observations", DAY, frame)
    for made, found in ((before, ["1", "late", "0", None]), (today, ["true", None, "false", None])):
        rows = DatasetStore(lab.storage, {"observations": made}).read("observations", [DAY])
        assert rows["kind"].tolist() == found


def test_days_of_another_target_are_not_learned_from(lab: Lab) -> None:
    settings = make_settings()
    lab.write(target_renamed(settings, make_rows()), settings)
    why = reason(lab.run("training_set", "2026-03-01"))
    assert "features hold 0 of the 28 days from 2026-02-01 to 2026-02-28" in why
    assert "materialize features for the missing days" in why
    assert lab.run("observations features", "2026-01-25", "2026-02-28").success
    assert lab.run("training_set models/linear", "2026-03-01").success
