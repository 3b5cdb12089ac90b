"""What all assets with a partition per day, or per month, have in common."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from mlops_assets.assets.freshness import daily_freshness, training_freshness
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.pieces import Body, in_pieces
from mlops_assets.assets.reporting import RETRY_POLICY
from mlops_assets.project import Cadence

FIRST_DAYS = 16  # of a run, until it is known how long a day takes
Decorator = Callable[[Body], dg.AssetsDefinition]


def daily(graph: Graph, asset: str, **given: Any) -> Decorator:
    """The decorator of a daily asset; what is given is as `_partitioned` takes it."""
    days, freshness = graph.partitions.daily, daily_freshness(graph.project)
    return _partitioned(graph, asset, days, freshness, FIRST_DAYS, blocking=False, **given)


def monthly(graph: Graph, asset: str, *, cadences: Iterable[Cadence], **given: Any) -> Decorator:
    """The decorator of a monthly asset, which the trainings of some cadences need.

    A version that fails one of its checks may stop what comes after it.
    """
    months, freshness = graph.partitions.monthly, training_freshness(graph.project, cadences)
    return _partitioned(graph, asset, months, freshness, 1, blocking=True, **given)


def _partitioned(
    graph: Graph,
    asset: str,
    partitions: dg.PartitionsDefinition[str],
    freshness: dg.FreshnessPolicy | None,
    first: int,
    *,
    blocking: bool,
    group: str,
    checks: Mapping[str, str] | None = None,
    **given: Any,
) -> Decorator:
    """A range is one run, and each partition is stored by the asset; `first` are made at once.

    `checks` are named, each with what it asks; what else is given is as `dg.asset` takes it.
    """
    key = graph.key(asset)
    decorator: Any = dg.asset(
        key=key,
        group_name=group,
        owners=[graph.project.owner],
        partitions_def=partitions,
        freshness_policy=freshness,
        deps=[*graph.deps(asset)],
        check_specs=[
            dg.AssetCheckSpec(
                name, asset=key, description=asks, blocking=blocking, partitions_def=partitions
            )
            for name, asks in (checks or {}).items()
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        dagster_type=dg.Nothing,
        retry_policy=RETRY_POLICY,
        **given,
    )
    return lambda body: decorator(in_pieces(body, first))
