"""Tells what was made for other settings than those of today, and which command makes it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from mlops_assets.cli.stored import again_command, span, stretches
from mlops_assets.graph.reads import Every
from mlops_assets.ml.values import READING
from mlops_assets.project import Project
from mlops_assets.project.made_for import MadeFor, made_for
from mlops_assets.resources.layout import materialize_command
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore

DATASETS = ("observations", "features")  # in the order of making them again


def check_settings(settings: Project) -> None:
    """Print what is stored of a project that was made for other settings; nothing where none is."""
    storage = project_storage(settings)
    project, _ = Registry(storage).apply(settings)
    for line in [*_days(project, storage), *_versions(project, storage)]:
        click.echo(f"  {line}")


def _days(project: Project, storage: Storage) -> Iterator[str]:
    """What of the stored days is read with gaps, or was made by other settings."""
    datasets, wanted = DatasetStore(storage), made_for(project)
    for dataset in DATASETS:
        why: dict[str, set[str]] = {}
        for key in datasets.keys(dataset):
            try:
                columns, told = datasets.made(dataset, key)
            except (StorageError, FileNotFoundError):
                continue  # that is told with --stored
            if reason := _difference(wanted[dataset], columns, told):
                why.setdefault(reason, set()).add(key)
        for reason, keys in why.items():
            for first, last in stretches(keys, Every.DAY):
                again = again_command(project.prefix, dataset, first, last)
                yield f"{dataset} of {span(first, last)} {reason}; made again by: {again}"


def _difference(made: MadeFor, columns: list[str], told: str | None) -> str:
    """How a stored frame differs from one of today, in words; empty where it does not.

    Files of older versions say nothing of what they were made for: their columns do.
    """
    lacking = [name for name in made.columns if name not in columns]
    if lacking:
        return f"lack {', '.join(lacking)}, which is read as missing"
    if told is None or told == made.text:
        return ""
    before: Mapping[str, Any] = json.loads(told)
    if before["reading"] != READING:
        return "were read by an older version, and may hold names written otherwise"
    if kinds := [name for name, kind in made.columns.items() if before["columns"][name] != kind]:
        return f"hold {', '.join(kinds)} as another kind of column"
    return "were made by other settings"


def _versions(project: Project, storage: Storage) -> Iterator[str]:
    """Models whose newest version reads other inputs than there are."""
    models, wanted = ModelStore(storage), set(project.inputs.numeric + project.inputs.categorical)
    for model in project.models:
        cards = models.cards(model.name, {})  # those that cannot be read are told with --stored
        if not cards:
            continue
        newest = max(cards, key=lambda card: card.created)
        again = (
            f"{materialize_command(project.prefix, 'training_set', newest.month)}, then "
            f"{materialize_command(project.prefix, f'models/{model.name}', newest.month)}"
        )
        if gone := sorted(set(newest.inputs) - wanted):
            yield (
                f"{newest.version} reads {', '.join(gone)}, which features lack by now, and cannot "
                f"forecast; trained again by: {again}"
            )
        elif new := sorted(wanted - set(newest.inputs)):
            yield (
                f"{newest.version} was trained without {', '.join(new)}; the next training takes "
                f"it in, or: {again}"
            )
