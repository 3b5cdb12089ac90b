"""A range is one run, that works piece by piece: what a kill loses is the piece being made."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets import pieces
from mlops_assets.assets.reporting import Told
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, make_rows, make_settings
from mlops_tests.killing import in_child
from mlops_tests.resources.test_event_log import open_instance

pytestmark = pytest.mark.lab
LAST = "2026-02-12"
DAYS = keys(FIRST_DAY, LAST)  # fifty


class KeptLab(Lab):
    """A lab whose event log is kept in files, which processes share."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "home").mkdir(exist_ok=True)
        self.instance = open_instance(folder / "home")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)  # after the first piece, a day each
    found = KeptLab(tmp_path)
    found.write(make_rows(), make_settings())
    with found.instance:
        yield found


def materializations(lab: Lab, key: str) -> list[str]:
    """The partitions of an asset as often as they were recorded, in that order."""
    filters = dg.AssetRecordsFilter(dg.AssetKey(key))
    records = lab.instance.fetch_materializations(filters, 1000, ascending=True).records
    return [str(record.partition_key) for record in records]


def test_what_a_killed_run_has_stored_is_recorded(lab: Lab) -> None:
    """Killed when it stores the fortieth day: all before it is there, with its numbers."""

    def work() -> None:
        original = DatasetStore.write

        def killed(self: DatasetStore, dataset: str, key: str, *given: Any) -> str:
            if dataset == "observations" and key == DAYS[39]:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, dataset, key, *given)

        DatasetStore.write = killed  # type: ignore[method-assign]
        there = KeptLab(lab.folder)
        there.run("observations", DAYS[0], LAST)

    assert in_child(work) == -signal.SIGKILL
    assert materializations(lab, "observations") == DAYS[:39]
    told = lab.metadata("observations", DAYS[38])
    assert told["dagster/row_count"] == 3
    assert told["path"] == str(lab.file("observations", DAYS[38]))
    checks = [dg.AssetCheckKey(dg.AssetKey("observations"), "duplicates")]
    known = lab.instance.event_log_storage.get_asset_check_partition_info(checks)
    judged = [info for info in known if info.latest_execution_status.value != "PLANNED"]
    assert {info.partition_key for info in judged} == set(DAYS[:39])


def test_a_piece_has_no_more_rows_than_bound_its_memory() -> None:
    pace = pieces.Pace(16)
    pace.see(
        Told({"2026-01-01": {"details": {"dagster/row_count": 30_000}}, "2026-01-02": ValueError()})
    )
    with pace.measured(16):
        pass
    assert pace.size == pieces.PIECE_ROWS // 30_000 == 66
    pace.see(Told({"2026-01-03": {"dagster/row_count": 5_000_000}}))
    with pace.measured(66):
        pass
    assert pace.size == 1, "a day is made whole"


def test_a_range_is_recorded_once_and_the_run_goes_on_downstream(lab: Lab) -> None:
    result = lab.run("observations features", DAYS[0], LAST)
    assert result.success
    assert lab.instance.get_runs_count() == 1
    for key in ("observations", "features"):
        assert materializations(lab, key) == DAYS
        [last] = lab.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(key), asset_partitions=[LAST]), 2
        ).records
        assert last.asset_materialization is not None
        assert last.asset_materialization.tags is not None
        assert "dagster/data_version" in last.asset_materialization.tags
    assert lab.metadata("features", LAST)["dagster/row_count"] == 3


def test_a_bad_day_costs_itself_in_whichever_piece(lab: Lab) -> None:
    rows = make_rows()
    bad = {DAYS[3], DAYS[30], DAYS[31]}
    rows.loc[rows["date"].dt.strftime("%Y-%m-%d").isin(bad), "units"] = -1.0
    lab.write(rows)
    result = lab.run("observations", DAYS[0], LAST)
    assert not result.success
    [failed] = [e.step_failure_data for e in result.all_events if e.is_step_failure]
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.description is not None
    assert failed.user_failure_data.description.startswith("observations: 3 of 50 partition(s)")
    assert materializations(lab, "observations") == [key for key in DAYS if key not in bad]


def test_a_step_that_is_tried_again_makes_only_the_rest(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an unexpected error, of which nobody knows whether it comes again."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    original, calls = DatasetStore.write, []

    def broken(self: DatasetStore, dataset: str, key: str, *given: Any) -> str:
        if dataset == "features":
            calls.append(key)
            if len(calls) == 40:
                raise RuntimeError("once")
        return original(self, dataset, key, *given)

    monkeypatch.setattr(DatasetStore, "write", broken)
    assert lab.run("observations features", DAYS[0], LAST).success
    assert calls == [*DAYS[:40], *DAYS[39:]]
    assert materializations(lab, "features") == DAYS


def test_a_run_that_dagster_tries_again_makes_only_the_rest(lab: Lab) -> None:
    assert lab.run("observations", DAYS[0], DAYS[19]).success
    [first] = lab.instance.get_runs()
    root = first.run_id

    def after(parent: str, **tags: str) -> dg.DagsterRun:
        told = {f"dagster/{name}": value for name, value in tags.items()}
        return dg.DagsterRun("any", tags=told, parent_run_id=parent, root_run_id=root)

    again, by_hand = after(root, retry_number="1"), after(root)
    lab.instance.add_run(again)
    third = after(again.run_id, retry_number="2")

    def made(run: dg.DagsterRun, asset: str = "observations") -> set[str]:
        context: Any = SimpleNamespace(
            run=run, retry_number=0, instance=lab.instance, asset_key=dg.AssetKey(asset)
        )
        return pieces.made_before(context)

    assert made(again) == made(third) == set(DAYS[:20])
    assert made(again, "features") == set()
    assert made(by_hand) == set(), "who asks for all gets all"


def test_pieces_are_as_large_as_their_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds each, by what a partition of the piece before took."""
    moments = iter([0.0, 4.0, 0.0, 40.0, 0.0, 0.1, 0.0, 100.0])
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 10.0)
    monkeypatch.setattr(pieces.time, "monotonic", lambda: next(moments))
    pace, sizes = pieces.Pace(16), []
    for _ in range(4):
        with pace.measured(pace.size):
            pass
        sizes.append(pace.size)
    # 0.25 s each, then 1 s, then more than 32 times as many, which is the most, then 20 s each
    assert sizes == [40, 10, 320, 32]
