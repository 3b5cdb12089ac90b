"""A range says of its partitions what Dagster itself would record."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from mlops_tests.assets.lab import FIRST_DAY, Lab, keys
from mlops_tests.in_memory import TogetherInMemory

DAYS = keys(FIRST_DAY, "2025-12-28")
SAID = ("check_name", "partition", "passed", "severity", "description", "metadata", "blocking")


def recorded(lab: Lab) -> list[tuple[str, object]]:
    """What was said of four days and recorded of them, in order, by whichever run."""
    result = lab.run("observations", DAYS[0], DAYS[-1])
    assert result.success
    found: list[tuple[str, object]] = []
    for entry in lab.instance.all_logs(result.run_id):
        event = entry.dagster_event
        if event and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            said = event.asset_check_evaluation_data
            found.append((event.message or "", {name: getattr(said, name) for name in SAID}))
        elif event and event.is_step_materialization:
            found.append((event.message or "", event.partition))
    return found


def test_checks_say_the_same_where_they_are_stored_together_and_where_one_by_one(
    empty_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(empty_lab.instance.event_log_storage, TogetherInMemory)
    together = recorded(empty_lab)
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        monkeypatch.setattr(empty_lab, "instance", instance)
        alone = recorded(empty_lab)
    assert together == alone
    by_day = [what for _, what in together if isinstance(what, str)]
    assert by_day == DAYS
    said = {what["partition"] for _, what in together if isinstance(what, dict)}
    assert said == {*DAYS, None}, "of each day, and of the range"
