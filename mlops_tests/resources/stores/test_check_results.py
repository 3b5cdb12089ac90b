"""The newest outcomes of checks, partition by partition."""

from pathlib import Path

import pytest

from mlops_assets.ml.check_result import CheckResult
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.check_results import COLUMNS, CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore

DAY = "2026-03-01"


@pytest.fixture
def store(tmp_path: Path) -> CheckStore:
    return CheckStore(DatasetStore(LocalStorage(str(tmp_path))))


def test_outcomes_come_back_with_their_asset_and_day(store: CheckStore) -> None:
    store.write(
        "a/b", DAY, {"size": CheckResult(False, "too small", severe=True, value=1.0, low=2.0)}
    )
    [line] = store.read(["a/b", "other"], [DAY, "2026-03-02"]).to_dict("records")
    assert (line["asset"], str(line["date"].date()), line["check"]) == ("a/b", DAY, "size")
    assert (line["passed"], line["severe"], line["why"]) == (False, True, "too small")
    assert (line["value"], line["low"]) == (1.0, 2.0)
    assert line["high"] != line["high"], "there is no upper end"


def test_outcomes_of_a_partition_are_replaced_as_a_whole(store: CheckStore) -> None:
    store.write(
        "a", DAY, {"size": CheckResult(False, "too small"), "shape": CheckResult(True, "round")}
    )
    store.write("a", DAY, {"size": CheckResult(True, "large enough")})
    assert store.read(["a"], [DAY])["why"].tolist() == ["large enough"]
    store.delete("a", DAY)
    assert store.read(["a"], [DAY]).empty


def test_nothing_stored_reads_as_a_frame_with_the_columns(store: CheckStore) -> None:
    assert list(store.read(["a"], [DAY]).columns) == ["asset", *COLUMNS]
