"""The first evaluation of a day stays known when its rows come late."""

from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.ml.monitoring.performance import LIMITS
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.first_seen import FirstSeenStore, FirstSight
from mlops_assets.resources.stores.ingested import Ingested, IngestedStore
from mlops_tests.assets.lab import Lab, made_on, make_rows

DAY = "2026-03-31"
EVALUATION = "validation/seasonal_naive validation/linear"
CHAIN = f"observations features {EVALUATION}"


def late_rows() -> pd.DataFrame:
    """The day without one of its three series."""
    rows = make_rows()
    return rows[(rows["date"] != DAY) | (rows["category"] != "milk")]


def wmape(lab: Lab) -> float:
    """Of linear on the day, from its stored forecasts."""
    rows = DatasetStore(lab.storage).read("validation/linear", [DAY])
    return float((rows["actual"] - rows["forecast"]).abs().sum() / rows["actual"].sum())


def test_the_first_metric_is_kept_beside_the_revised_one(lab: Lab) -> None:
    lab.write(late_rows())
    assert lab.run(CHAIN, DAY).success
    first = wmape(lab)
    said = lab.metadata("validation/linear", DAY)
    assert said["label_completeness"] == said["label_completeness_first_seen"]
    assert said["label_completeness"] == pytest.approx(2 / 3, rel=1e-5)
    assert said["wmape_reconstructed"] == said["wmape_first_seen"] == pytest.approx(first, rel=1e-5)
    assert lab.metadata("observations", DAY)["label_completeness"] == pytest.approx(2 / 3, rel=1e-5)

    lab.write(make_rows())
    assert lab.run(CHAIN, DAY).success
    said = lab.metadata("validation/linear", DAY)
    assert wmape(lab) != first
    assert said["wmape_reconstructed"] == pytest.approx(wmape(lab), rel=1e-5)
    assert said["wmape_first_seen"] == pytest.approx(first, rel=1e-5)
    assert said["label_completeness"] == 1
    assert said["label_completeness_first_seen"] == pytest.approx(2 / 3, rel=1e-5)
    assert "version_first_seen" not in said

    lab.datasets.storage.write("datasets/first_seen/linear/2026-03-31.parquet", b"damaged")
    assert lab.run("validation/linear", DAY).success
    said = lab.metadata("validation/linear", DAY)
    assert said["first_seen"].startswith("not known: ")
    assert "wmape_first_seen" not in said
    damaged = lab.datasets.storage.read("datasets/first_seen/linear/2026-03-31.parquet")
    assert damaged == b"damaged", "what was seen first is not replaced by what is seen now"


def test_another_version_is_told_apart_from_other_rows(lab: Lab) -> None:
    assert lab.run(CHAIN, DAY).success
    before = lab.metadata("validation/linear", DAY)["version"]
    with made_on("2026-03-02"):
        assert lab.run("models/linear", "2026-03-01").success
    assert lab.run("validation/linear", DAY).success
    said = lab.metadata("validation/linear", DAY)
    assert said["version"] != said["version_first_seen"] == before


def test_an_incomplete_day_is_no_fault_of_the_model(lab: Lab) -> None:
    assert lab.run(EVALUATION, "2026-02-01", "2026-03-30").success
    rows = late_rows()
    rows.loc[rows["date"] >= "2026-03-28", "units"] = 0.1
    lab.write(rows)
    assert lab.run(CHAIN, "2026-03-28", DAY).success
    checks = (
        CheckStore(DatasetStore(lab.storage)).read(["validation/linear"], [DAY]).set_index("check")
    )
    assert checks.loc[LIMITS, "passed"]
    assert checks.loc[LIMITS, "why"].startswith(
        "not judged: the day is incomplete, 67% of its usual rows are known, less than 80%; since"
    )
    rows = make_rows()
    rows.loc[rows["date"] >= "2026-03-28", "units"] = 0.1
    lab.write(rows)
    assert lab.run(CHAIN, DAY).success
    checks = (
        CheckStore(DatasetStore(lab.storage)).read(["validation/linear"], [DAY]).set_index("check")
    )
    assert not checks.loc[LIMITS, "passed"], "complete, it is"


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    facts = {"2026-03-01": Ingested("a", 3, 4.0, 0.75), "2026-03-02": Ingested("", 0)}
    for key, fact in facts.items():
        IngestedStore(lab.datasets).write(key, fact)
    assert IngestedStore(lab.datasets).read([*facts, "2026-03-03"]) == facts
    sight = FirstSight("wmape", 0.5, "v", 3, None)
    FirstSeenStore(lab.datasets).keep("linear", "2026-03-01", sight)
    assert FirstSeenStore(lab.datasets).read("linear", facts, {}) == {"2026-03-01": sight}
