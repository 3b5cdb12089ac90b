"""What all assets with a partition per month have in common."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from mlops_assets.assets.checks import check_specs
from mlops_assets.assets.freshness import training_freshness
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.pieces import Body, in_pieces
from mlops_assets.assets.reporting import COMMON
from mlops_assets.project import Cadence


def monthly(
    graph: Graph,
    asset: str,
    *,
    group: str,
    kinds: set[str],
    cadences: Iterable[Cadence],
    metadata: Mapping[str, Any] | None = None,
    checks: Mapping[str, str] | None = None,
    description: str | None = None,
    code_version: str | None = None,
) -> Callable[[Body], dg.AssetsDefinition]:
    """The decorator of a monthly asset, which the trainings of some cadences need.

    A version that fails one of `checks` may stop what comes after it.
    """
    key, months = graph.key(asset), graph.partitions.monthly
    decorator: Callable[[Body], dg.AssetsDefinition] = dg.asset(
        key=key,
        description=description,
        group_name=group,
        owners=[graph.project.owner],
        kinds=kinds,
        code_version=code_version,
        partitions_def=months,
        freshness_policy=training_freshness(graph.project, cadences),
        deps=[*graph.deps(asset)],
        check_specs=check_specs(key, checks or {}, months, blocking=True),
        metadata=metadata,
        **COMMON,
    )
    return lambda body: decorator(in_pieces(body, 1))
