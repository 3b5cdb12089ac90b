"""The registry: the state of every model and version, and what was decided about them."""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.assets.model_registry import registry_table
from mlops_assets.assets.reporting import said
from mlops_assets.automation.registry import stale_registry
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, short
from mlops_tests.assets.lab import Lab, make_settings

MARCH = "2026-03-01"
NAIVE, LINEAR = "seasonal_naive", "linear"


@pytest.fixture
def served(lab: Lab) -> Lab:
    """Evaluated for three days of February and five of March; `idle` was never trained."""
    settings = make_settings()
    settings["models"].append({"name": "idle", "family": "decision_tree"})
    settings["training"]["holdout_days"] = 10  # a week of three series is little to be sure by
    lab.write(settings=settings)
    days = ("2026-02-26", "2026-03-05")
    assert lab.run(f"validation/{NAIVE} validation/{LINEAR} leaderboard champion", *days).success
    return lab


def cards(lab: Lab, model: str) -> tuple[ModelCard, ...]:
    return tuple(sorted(lab.models.cards(model), key=lambda card: card.created))


def table(lab: Lab, *paused: str) -> pd.DataFrame:
    return registry_table(lab.project, set(paused), lab.datasets, lab.models)


def states(lab: Lab, *paused: str) -> dict[str, str]:
    rows = table(lab, *paused).dropna(subset=["version"])
    return dict(zip(rows["version"], rows["state"], strict=True))


def registry(lab: Lab) -> dict[str, Any]:
    """The metadata of a registry that is made now."""
    assert lab.run("model_registry").success
    event = lab.instance.get_latest_materialization_event(dg.AssetKey("model_registry"))
    assert event is not None
    assert event.asset_materialization is not None
    return said(event.asset_materialization.metadata)


def lines(records: Any) -> list[dict[str, Any]]:
    return [record.data for record in records]


def test_every_version_has_its_state(served: Lab) -> None:
    naive_february, naive_march = cards(served, NAIVE)
    february, march = cards(served, LINEAR)
    asked = {"hyperparameters": {"alpha": 1e6}, "strict": True}
    config = {"ops": {"models__linear": {"config": asked}}}
    assert not served.run("models/linear", MARCH, config=config).success
    *_, rejected = cards(served, LINEAR)
    served.models.decisions.record(Action.RETIRE, LINEAR, version=february.version)
    assert states(served) == {
        naive_february.version: "accepted",
        naive_march.version: "champion",
        february.version: "retired",
        march.version: "challenger",
        rejected.version: "rejected",
    }
    idle = table(served).set_index("model").loc["idle"]
    assert (idle["state"], idle["family"]) == ("never trained", "decision_tree")
    # those of a model together, the newest training first
    assert table(served)["model"].tolist() == [NAIVE, NAIVE, LINEAR, LINEAR, LINEAR, "idle"]
    assert table(served).iloc[2]["version"] == rejected.version


def test_a_paused_model_says_so(served: Lab) -> None:
    _, naive = cards(served, NAIVE)
    _, linear = cards(served, LINEAR)
    found = states(served, NAIVE, LINEAR, "idle")
    assert found[naive.version] == "champion, paused"
    assert found[linear.version] == "challenger, paused"


def test_the_version_before_a_retired_one_is_in_service(served: Lab) -> None:
    february, march = cards(served, LINEAR)
    served.models.decisions.record(Action.RETIRE, LINEAR, version=march.version)
    found = states(served)
    assert (found[february.version], found[march.version]) == ("challenger", "retired")


def test_the_numbers_of_a_version_by_hand(served: Lab) -> None:
    rows = table(served).set_index("version")
    february, march = cards(served, LINEAR)
    assert rows.loc[february.version, "days_in_service"] == 3
    assert rows.loc[march.version, "days_in_service"] == 5
    today = served.project.today()
    assert rows.loc[march.version, "age_days"] == (today - dt.date(2026, 2, 28)).days
    assert rows.loc[march.version, "trained_through"] == "2026-02-28"
    assert rows.loc[march.version, "holdout_wmape"] == march.holdout["wmape"]
    assert rows.loc[march.version, "hyperparameters"] == "the family's defaults"
    # over the eight days that there are, by the textbook
    keys = [f"{day:%Y-%m-%d}" for day in pd.date_range("2026-02-26", "2026-03-05")]
    stored = served.datasets.read("validation/linear", keys)
    error = (stored["forecast"] - stored["actual"]).abs().sum()
    wmape = error / stored["actual"].sum()
    assert rows.loc[march.version, "trailing_wmape"] == pytest.approx(wmape)
    assert pd.isna(rows.loc[february.version, "trailing_wmape"])


def test_the_registry_shows_the_models_the_versions_and_what_was_decided(served: Lab) -> None:
    february, march = cards(served, LINEAR)
    record = served.models.decisions.record
    record(Action.RETIRE, LINEAR, version=february.version, by="ada", reason="odd on Sundays")
    record(Action.PIN, NAIVE, by="bob", reason="holiday", after={"first": "2026-03-06"})
    metadata = registry(served)
    assert metadata["champion"] == NAIVE
    overview = {line["model"]: line for line in lines(metadata["models"].records)}
    assert list(overview) == [NAIVE, LINEAR, "idle"]
    assert overview[NAIVE]["state"] == "champion"
    assert overview[LINEAR]["state"] == "challenger"
    assert overview[LINEAR]["version in service"] == short(march.version)
    assert overview[LINEAR]["newest version"] == short(march.version)
    assert overview["idle"]["state"] == "never trained"
    versions = {line["version"]: line for line in lines(metadata["versions"].records)}
    assert versions[short(february.version)]["state"] == "retired"
    assert versions[short(february.version)]["days in service"] == "3"
    _, _, newest, oldest = metadata["decisions"].splitlines()
    pin = ["bob", "pin", NAIVE, "", "", "first 2026-03-06", "holiday"]
    assert newest.strip("|").split("|")[1:] == pin
    retired = ["ada", "retire", LINEAR, short(february.version), "", "", "odd on Sundays"]
    assert oldest.strip("|").split("|")[1:] == retired
    assert "left_out" not in metadata
    assert metadata["versions_stored"] == 4
    stored = pd.read_parquet(metadata["path"])
    assert set(stored["version"].dropna().map(short)) == set(versions)


def test_settings_that_could_not_be_used_are_shown(served: Lab) -> None:
    folder = served.folder / "storage" / "registry" / "models"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("name: broken\nfamily: nonsense\n")
    left_out = registry(served)["left_out"]
    assert list(left_out) == ["broken"]
    assert str(folder / "broken.yaml") in left_out["broken"]
    assert "'nonsense' is no known family" in left_out["broken"]


def test_a_damaged_card_costs_its_version_alone(served: Lab) -> None:
    february, _ = cards(served, LINEAR)
    Path(served.models.url(february)).with_name("card.json").write_text("{")
    metadata = registry(served)
    rows = {line["model"]: line for line in lines(metadata["models"].records)}
    assert rows[LINEAR]["state"] == "challenger"
    versions = {line["version"]: line["state"] for line in lines(metadata["versions"].records)}
    state = versions[short(february.version)]
    assert state.startswith("cannot be read: ")
    assert "card.json is not as it was written" in state
    assert rows[NAIVE]["state"] == "champion"


def test_before_anything_was_trained_there_is_a_registry_too(empty_lab: Lab) -> None:
    metadata = registry(empty_lab)
    rows = {line["model"]: line["state"] for line in lines(metadata["models"].records)}
    assert rows == {NAIVE: "never trained", LINEAR: "never trained"}
    assert metadata["champion"] == "none yet"
    assert metadata["versions_stored"] == 0


def test_a_registry_is_out_of_date_once_something_has_changed(served: Lab) -> None:
    partitions = make_partitions(served.project, served.storage)

    def stale() -> bool:
        return bool(stale_registry(served.instance, served.project, partitions, served.models))

    assert stale()
    registry(served)
    assert not stale()
    assert served.run("models/linear", MARCH).success
    assert stale()
    registry(served)
    assert not stale()
    served.models.decisions.record(Action.RETIRE, LINEAR, version="any")
    assert stale()
