"""Tells what is wrong with what is stored: each file by itself, and against the event log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import click
import dagster as dg

from mlops_assets.assets.reporting import said
from mlops_assets.cli.status import open_instance
from mlops_assets.graph.keys import node_key
from mlops_assets.graph.partitions import day_of, make_partitions
from mlops_assets.graph.reads import Every, Node, declared
from mlops_assets.project import Project, ProjectError
from mlops_assets.project.workspace import load_named, project_names
from mlops_assets.resources.layout import CARD, materialize_command
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stored_files import Finding, State, StoredFiles, is_key
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import VERSION

RECORDS = 1000  # of the event log at once
PATH = "path"  # what each stored day says of itself


def check_stored(names: Sequence[str], repair: bool) -> int:
    """Print what is wrong with what is stored of projects; 1 where something stays wrong.

    With `repair`, what is safe is done: leftovers and what is made again by itself are removed.
    """
    wrong = 0
    with open_instance() as instance:
        for name in names:
            try:
                wrong += _check(load_named(name), instance, repair)
            except (ProjectError, StorageError) as error:
                click.echo(f"  {error}")
                wrong += 1
    return bool(wrong)


def _check(settings: Project, instance: dg.DagsterInstance | None, repair: bool) -> int:
    storage = project_storage(settings)
    others = () if settings.prefix else project_names()
    stored = StoredFiles(storage, settings, others)
    click.echo(f"{settings.name}: {len(stored.files)} files under {storage.root}")
    found = list(stored.findings())
    if instance is None:
        click.echo("  there is no event log to compare them with yet")
    else:
        found += against_events(stored.project, stored.datasets, instance)
    found = list({finding.text: finding for finding in found}.values())
    wrong = 0
    for finding in found:
        done = repair and finding.repair is not None
        if done and finding.repair:
            finding.repair()
        wrong += not done
        click.echo(f"  {finding.state:<9} {finding.text}{' (done)' * done}")
    safe = sum(finding.repair is not None for finding in found)
    if not found:
        click.echo("  everything is as it was written")
    elif safe and not repair:
        click.echo(f"  {safe} of {len(found)}: `mlops-assets check --stored --repair` does it")
    return wrong


def against_events(
    project: Project, datasets: DatasetStore, instance: dg.DagsterInstance
) -> Iterator[Finding]:
    """Days and months of which there is only the file, or only what the event log says.

    Of those before the first no file is expected: `mlops-assets prune` removes these.
    """
    partitions = make_partitions(project, datasets.storage)
    for node in declared(project).values():
        if node.every is Every.PROJECT:
            continue
        key = node_key(project, node.asset)
        begin = str(partitions.first_day if node.every is Every.DAY else partitions.first_month)
        told = instance.get_materialized_partitions(key)
        where, there = stored_partitions(node, datasets)
        lacking = {one for one in told - there if one >= begin}
        for first, last in stretches(_with_a_file(instance, key, lacking), node.every):
            again = again_command(project.prefix, node.asset, first, last)
            text = f"{where} lacks {span(first, last)}, which the event log knows; {again}"
            yield Finding(State.MISSING, text)
        for first, last in stretches(there - told, node.every):
            text = (
                f"{where} has {span(first, last)}, which the event log does not know: of a run "
                "that was killed, or of another instance; `mlops-assets rebuild-instance` tells it "
                "of them, `mlops-assets history` makes them again"
            )
            yield Finding(State.FOREIGN, text)


def stored_partitions(node: Node, datasets: DatasetStore) -> tuple[str, set[str]]:
    """Where the files of an asset lie, and the partitions that there are."""
    storage = datasets.storage
    if node.kind == "models":
        versions = filter(VERSION.fullmatch, storage.names(node.asset))
        whole = [name for name in versions if storage.exists(f"{node.asset}/{name}/{CARD}")]
        return storage.url(node.asset), {version.partition("_")[0] for version in whole}
    return storage.url(f"datasets/{node.asset}"), set(filter(is_key, datasets.keys(node.asset)))


def _with_a_file(instance: dg.DagsterInstance, key: dg.AssetKey, days: set[str]) -> set[str]:
    """Those of which a file was stored; of some days there is nothing to store."""
    newest: dict[str, bool] = {}
    cursor, more = None, bool(days)
    while more:
        asked = dg.AssetRecordsFilter(key, asset_partitions=sorted(days))
        found = instance.fetch_materializations(asked, limit=RECORDS, cursor=cursor)
        for record in found.records:
            if (made := record.asset_materialization) and made.partition:
                newest.setdefault(made.partition, PATH in said(made.metadata))
        cursor, more = found.cursor, found.has_more
    return {day for day, stored in newest.items() if stored}


def stretches(keys: set[str], every: Every) -> Iterator[tuple[str, str]]:
    """The first and last of days, or of months, in a row."""

    def position(key: str) -> int:
        day = day_of(key)
        return day.toordinal() if every is Every.DAY else day.year * 12 + day.month

    numbered = enumerate(sorted(keys))
    for _, group in groupby(numbered, lambda pair: position(pair[1]) - pair[0]):
        row = [key for _, key in group]
        yield row[0], row[-1]


def again_command(project: str, asset: str, first: str, last: str) -> str:
    """The command that makes partitions in a row again."""
    again = materialize_command(project, asset, first)
    if first == last:
        return again
    return f"{again.replace('--partition ', '--partition-range ')}...{last}"


def span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
