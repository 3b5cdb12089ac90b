"""Tells an event log that does not know them of the days, months and versions that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import dagster as dg

from mlops_assets.assets.checks import evaluations
from mlops_assets.assets.reporting import Told
from mlops_assets.cli.stored import stored_partitions
from mlops_assets.graph.keys import node_key
from mlops_assets.graph.reads import Every, declared
from mlops_assets.graph.runs import keep_connections
from mlops_assets.project import Project
from mlops_assets.project.workspace import load_named
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore


def rebuild_instance(names: Sequence[str]) -> None:
    """Register what is stored of projects in the instance, where it does not know of it yet.

    Nothing is trained, evaluated or written but events: of each stored partition that it was made,
    and of the newest one what its checks said.
    """
    with dg.DagsterInstance.get() as instance:
        keep_connections(instance)
        for name in names:
            settings = load_named(name)
            storage = project_storage(settings)
            project, _ = Registry(storage).apply(settings)
            for asset, count in register(project, DatasetStore(storage), instance):
                click.echo(f"{project.name}: {asset}: {count} registered")


def register(
    project: Project, datasets: DatasetStore, instance: dg.DagsterInstance
) -> Iterator[tuple[str, int]]:
    """Register each asset's partitions; how many of it were new."""
    for node in declared(project).values():
        if node.every is Every.PROJECT:
            continue
        key = node_key(project, node.asset)
        where, there = stored_partitions(node, datasets)
        new = sorted(there - instance.get_materialized_partitions(key))
        verdicts = CheckStore(datasets).results(node.asset, new[-1:])
        for partition in new:
            made = dg.AssetMaterialization(key, partition=partition, metadata={"path": where})
            instance.report_runless_asset_event(made)
            for said in evaluations(key, partition, verdicts.get(partition, {}), Told()):
                instance.report_runless_asset_event(said)
        yield node.asset, len(new)
