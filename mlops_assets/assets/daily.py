"""What all assets with a partition per day have in common."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from mlops_assets.assets.checks import check_specs
from mlops_assets.assets.freshness import daily_freshness
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.pieces import Body, in_pieces
from mlops_assets.assets.reporting import COMMON

FIRST_DAYS = 16  # of a run, until it is known how long a day takes


def daily(
    graph: Graph,
    asset: str,
    *,
    group: str,
    kinds: set[str],
    metadata: Mapping[str, Any],
    checks: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Callable[[Body], dg.AssetsDefinition]:
    """The decorator of a daily asset; `checks` are named, each with what it asks of a day."""
    key, days = graph.key(asset), graph.partitions.daily
    decorator: Callable[[Body], dg.AssetsDefinition] = dg.asset(
        key=key,
        description=description,
        group_name=group,
        owners=[graph.project.owner],
        kinds=kinds,
        partitions_def=days,
        freshness_policy=daily_freshness(graph.project),
        deps=[*graph.deps(asset)],
        check_specs=check_specs(key, checks or {}, days, blocking=False),
        metadata=metadata,
        **COMMON,
    )
    return lambda body: decorator(in_pieces(body, FIRST_DAYS))
