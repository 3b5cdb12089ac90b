"""The event log with connections kept open keeps what Dagster's own would."""

import queue
import threading
from pathlib import Path

import dagster as dg
import yaml

from mlops_assets.cli.instance import SHIPPED
from mlops_assets.resources.event_log import KEPT_SHARDS, PooledSqliteEventLogStorage


def open_instance(folder: Path) -> dg.DagsterInstance:
    settings = yaml.safe_load(SHIPPED.read_text())
    settings["event_log_storage"]["config"]["base_dir"] = str(folder)
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
    return dg.DagsterInstance.from_config(str(folder))


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def thing() -> None:
    """An asset."""


def test_the_shipped_instance_uses_it_and_another_process_reads_it(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
        runs = [
            dg.materialize([thing], instance=instance, partition_key="ab"[n % 2]).run_id
            for n in range(KEPT_SHARDS + 3)
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
