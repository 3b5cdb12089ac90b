"""What Dagster is told of the graph: the dependencies of an asset, as `graph.reads` declares them.

What an asset reads of its own past is no dependency there: Dagster's backfills would wait for ever
behind a day that failed, and would not make such an asset in one run with others.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from mlops_assets.graph.keys import node_key
from mlops_assets.graph.partitions import Partitions
from mlops_assets.graph.reads import Every, Node, Reads
from mlops_assets.ml.models.splits import LONGEST_MONTH
from mlops_assets.project import Project

A_YEAR = 366  # Dagster walks an offset day by day, so what reaches back further ends there


@dataclass(frozen=True)
class Graph:
    """The assets of a project as they are declared."""

    project: Project
    partitions: Partitions
    nodes: Mapping[str, Node]

    def key(self, asset: str) -> dg.AssetKey:
        return node_key(self.project, asset)

    def deps(self, asset: str) -> Iterator[dg.AssetDep]:
        """The dependencies of an asset, with the partitions that each of its own depends on."""
        node = self.nodes[asset]
        for upstream in node.upstream:
            mapping = _mapping(node, self.nodes[upstream])
            yield dg.AssetDep(self.key(upstream), partition_mapping=mapping)


def _mapping(node: Node, upstream: Node) -> dg.TimeWindowPartitionMapping | None:
    """None where Dagster's own mapping says it: the same partition, or all of them."""
    if node.every is Every.PROJECT:
        return None
    reads = [read for read in node.reads if read.asset == upstream.asset]
    back = [
        end for read in reads if isinstance(read, Reads) for end in (read.back[0], read.back[-1])
    ]
    newest, oldest = min(back, default=0), max(back, default=0)
    if node.every is Every.MONTH and upstream.every is Every.DAY:
        newest, oldest = (math.ceil(max(days, 0) / LONGEST_MONTH) for days in (newest, oldest))
    elif newest == oldest == 0 and node.every is upstream.every:
        return None
    return dg.TimeWindowPartitionMapping(
        start_offset=-min(oldest, A_YEAR) if node.every is Every.DAY else -oldest,
        end_offset=-newest,
        allow_nonexistent_upstream_partitions=True,
    )
