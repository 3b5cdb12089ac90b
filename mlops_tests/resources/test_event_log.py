"""The event log with connections kept open keeps what Dagster's own would."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

from mlops_assets.cli.instance import SHIPPED
from mlops_assets.resources import event_log
from mlops_assets.resources.event_log import PooledSqliteEventLogStorage


def open_instance(folder: Path) -> dg.DagsterInstance:
    settings = yaml.safe_load(SHIPPED.read_text())
    settings["event_log_storage"]["config"]["base_dir"] = str(folder)
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    return dg.DagsterInstance.from_config(str(folder))


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def thing() -> None:
    """An asset."""


def test_the_shipped_instance_uses_it_and_another_process_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "KEPT_SHARDS", 2)
    with open_instance(tmp_path) as instance:
        assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
        runs = [
            dg.materialize([thing], instance=instance, partition_key="ab"[n % 2]).run_id
            for n in range(event_log.KEPT_SHARDS + 3)
        ]
    assert (tmp_path / "events" / "index.db").exists()
    with open_instance(tmp_path) as again:
        assert again.get_materialized_partitions(dg.AssetKey("thing")) == {"a", "b"}
        for run_id in (runs[0], runs[-1]):
            assert any(entry.dagster_event for entry in again.all_logs(run_id))


def test_threads_write_side_by_side(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:

        def write(thread: int) -> None:
            for n in range(10):
                instance.report_runless_asset_event(
                    dg.AssetMaterialization("thing", partition=f"{thread}-{n}")
                )

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(instance.get_materialized_partitions(dg.AssetKey("thing"))) == 40


def test_who_watches_a_run_is_told_of_every_event_while_it_goes_on(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        run = instance.create_run_for_job(
            dg.define_asset_job("job", [thing]).resolve(
                asset_graph=dg.Definitions(assets=[thing]).resolve_asset_graph()
            )
        )
        instance.report_engine_event("begun", run)
        with open_instance(tmp_path) as other:
            seen: queue.Queue[str] = queue.Queue()
            log = other.event_log_storage
            log.watch(run.run_id, None, lambda entry, _: seen.put(entry.message))
            for message in ("one", "two"):
                instance.report_engine_event(message, run)
                while message not in seen.get(timeout=20):
                    pass


def test_commits_wait_for_no_disk_where_a_write_ahead_log_keeps_them_whole(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        log = instance.event_log_storage
        assert isinstance(log, PooledSqliteEventLogStorage)
        with log.index_connection() as connection:
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous")
            ]
        assert pragmas == ["wal", 1]


TABLES = ("event_logs", "asset_keys", "asset_event_tags", "asset_check_executions")


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(list("abcd")),
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("right", asset="letters")],
    code_version="1",
)
def letters(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """An asset with a check, made for a range."""
    for key in context.partition_keys:
        context.add_asset_metadata({"of": key}, partition_key=key)
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(list("abcd")),
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[
        dg.AssetCheckSpec(
            name, asset="judged", partitions_def=dg.StaticPartitionsDefinition(list("abcd"))
        )
        for name in ("right", "neat")
    ],
    config_schema={"order": str},
)
def judged(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """An asset of which checks say something by partition, in some order."""
    for key in context.op_execution_context.op_config["order"]:
        for name in ("right", "neat"):
            context.log_event(
                dg.AssetCheckEvaluation(
                    asset_key=context.asset_key,
                    check_name=name,
                    passed=(key, name) != ("b", "neat"),
                    description=f"it is {key}",
                    metadata={"of": key},
                    partition=key,
                )
            )
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(passed=True, check_name=n) for n in ("right", "neat")]
    )


# all that was planned, one twice, and one that was not planned
ORDERS = ("abcd", "dacb", "abad", "abcx")


def rows(log: SqliteEventLogStorage, run_id: str) -> dict[str, list[tuple[object, ...]]]:
    """All that is stored of events in both files, without the moment at which a row was made."""
    found = {}
    for shard in (run_id, INDEX_SHARD_NAME):
        with log._connect(shard) as connection:
            for table in TABLES:
                names = [
                    row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")
                ]
                kept = ", ".join(name for name in names if name != "create_timestamp")
                stored = connection.exec_driver_sql(f"SELECT {kept} FROM {table} ORDER BY id")
                found[f"{shard} {table}"] = [tuple(row) for row in stored]
    return found


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize("order", ["", *ORDERS])
@pytest.mark.long
def test_it_keeps_what_dagsters_own_keeps_of_the_same_events(
    tmp_path: Path, at_once: int, order: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [judged if order else letters],
            instance=instance,
            run_config={"ops": {"judged": {"config": {"order": order}}}} if order else None,
            tags={
                "dagster/asset_partition_range_start": "a",
                "dagster/asset_partition_range_end": "d",
            },
        )
        events = [
            record.event_log_entry for record in instance.get_records_for_run(run.run_id).records
        ]
    own = SqliteEventLogStorage(str(tmp_path / "own"))
    pooled = PooledSqliteEventLogStorage(str(tmp_path / "pooled"))
    for event in events:
        own.store_event(event)
    for first in range(0, len(events), at_once):
        pooled.store_event_batch(events[first : first + at_once])
    expected, found = rows(own, run.run_id), rows(pooled, run.run_id)
    pooled.dispose()
    assert len(expected[f"{INDEX_SHARD_NAME} asset_event_tags"]) >= 4
    executions = expected[f"{INDEX_SHARD_NAME} asset_check_executions"]
    assert len(executions) == (len({*"abcd", *order}) * 2 + 2 if order else 1)
    assert found == expected


def test_of_events_that_cannot_be_stored_together_nothing_is_left(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        log = instance.event_log_storage
        made = dg.materialize([thing], instance=instance, partition_key="a")
        records = instance.get_records_for_run(made.run_id).records
        before = rows(log, made.run_id)
        good = next(r.event_log_entry for r in records if r.event_log_entry.dagster_event)
        with pytest.raises(AttributeError):
            log.store_event_batch([good, None])
        assert rows(log, made.run_id) == before
