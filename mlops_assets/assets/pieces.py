"""How a run of many partitions goes on: piece by piece, each recorded as soon as it is stored.

A run that is killed loses no more than the piece that it was making.
"""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from mlops_assets.assets.checks import results, say, say_of_newest
from mlops_assets.assets.datasets import ROW_COUNT
from mlops_assets.assets.recording import RECORDED, record_now
from mlops_assets.assets.reporting import Told, failure, said
from mlops_assets.assets.run_config import RunConfig, refuse_flags_as_sent
from mlops_assets.resources.storage import DiskError

Body = Callable[..., Iterator[Any]]

PIECE_SECONDS = 10.0
PIECE_ROWS = 2_000_000  # which bound the memory of a run, whatever its range
MOST_GROWTH = 32
RETRY = "dagster/retry_number"  # of a run that Dagster has tried again by itself


class Piece(dg.AssetExecutionContext):
    """The context of a run, of some of its partitions."""

    def __init__(self, context: dg.AssetExecutionContext, keys: Sequence[str]) -> None:
        super().__init__(context.op_execution_context)
        self._keys = keys

    @property
    def partition_keys(self) -> Sequence[str]:
        return self._keys


class Pace:
    """How many partitions a piece has, by how long those before took and how many rows they had."""

    def __init__(self, first: int) -> None:
        self.size, self.most_rows = first, 1

    @contextmanager
    def measured(self, count: int) -> Iterator[None]:
        """The next pieces are as large as the time that one of so many partitions takes allows."""
        started = time.monotonic()
        yield
        each = max(time.monotonic() - started, 0.001) / count
        of_rows = PIECE_ROWS // self.most_rows
        self.size = max(1, min(int(PIECE_SECONDS / each), count * MOST_GROWTH, of_rows))

    def see(self, told: Told) -> None:
        """Take in how many rows partitions have."""
        rows = (said(metadata).get(ROW_COUNT, 0) for metadata in told.good.values())
        self.most_rows = max([self.most_rows, *rows])


def in_pieces(body: Body, first: int) -> Body:
    """The body of an asset that is given a part of the partitions of its run at a time.

    At first so many, unless its run config asks for what is done in one go. Without a bad partition
    the run goes on to the assets downstream. With one, the good ones are recorded all the same and
    the step fails with the reasons, so that only the bad ones remain to be run again.
    """

    @functools.wraps(body)
    def work(context: dg.AssetExecutionContext, **given: Any) -> Iterator[Any]:
        keys = list(context.partition_keys)
        made = made_before(context)
        left = [key for key in keys if key not in made] or keys[-1:]
        if config := given.get("config"):
            refuse_flags_as_sent(config, context)
        in_one_go = isinstance(config, RunConfig) and config.in_one_go
        pace, whole = Pace(len(left) if in_one_go else first), Told()
        while left:
            some, left = left[: pace.size], left[pace.size :]
            with pace.measured(len(some)):
                for event in body(Piece(context, some), **given):
                    if not isinstance(event, Told):
                        yield event
                        continue
                    yield from _record(context, event)
                    whole.add(event)
                    pace.see(event)
            if full := [e for e in whole.outcomes.values() if isinstance(e, DiskError)]:
                whole.outcomes |= dict.fromkeys(left, full[0])  # nothing else can be stored either
                left = []
        if failed := failure(context.asset_key.to_user_string(), whole.outcomes):
            say_of_newest(context, whole)
            raise failed
        yield dg.MaterializeResult(metadata=RECORDED, check_results=results(context, whole))
        say_of_newest(context, whole)

    return work


def _record(context: dg.AssetExecutionContext, told: Told) -> Iterator[Any]:
    said = yield from say(context, told)
    for key, metadata in told.good.items():
        context.add_asset_metadata(metadata, partition_key=key)
    yield from record_now(context, list(told.good), said)


def made_before(context: dg.AssetExecutionContext) -> set[str]:
    """The partitions that a step has recorded before it was tried again, in this run or another.

    Of another only where Dagster itself tries again what was lost or has failed: whoever starts a
    run by hand asks for all of it.
    """
    runs = [context.run.run_id] if context.retry_number else []
    run: dg.DagsterRun | None = context.run
    while run is not None and run.parent_run_id and RETRY in run.tags:
        runs.append(run.parent_run_id)
        run = context.instance.get_run_by_id(run.parent_run_id)
    found = set()
    for run_id in runs:
        for entry in context.instance.all_logs(run_id, dg.DagsterEventType.ASSET_MATERIALIZATION):
            event = entry.get_dagster_event()
            if event.asset_key == context.asset_key and event.partition is not None:
                found.add(event.partition)
    return found
