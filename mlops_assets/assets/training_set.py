"""Training sets: the window of features that the models of a month learn from."""

from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg

from mlops_assets.assets.datasets import GROUP, KINDS, frame_hash, stored
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.partitioned import monthly
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import DATA_ERRORS, Outcomes, PartitionError, report
from mlops_assets.assets.schemas import COLUMNS, features_schema
from mlops_assets.graph.partitions import day_of, days_between, due_keys
from mlops_assets.lazy import pd
from mlops_assets.ml.models.splits import Window
from mlops_assets.project import Project
from mlops_assets.resources.stores.dataset_store import DatasetStore

DATASET = "training_set"


def make_training_set(graph: Graph) -> dg.AssetsDefinition:
    project, date = graph.project, graph.project.columns.date

    @monthly(
        graph,
        DATASET,
        group=GROUP,
        kinds=KINDS,
        cadences=[model.cadence for model in project.models],
        metadata={COLUMNS: features_schema(project)},
    )
    def training_set(
        context: dg.AssetExecutionContext, readers: dg.ResourceParam[Readers]
    ) -> Iterator[Any]:
        """The window of features that the month's models learn from."""
        datasets = readers.datasets(DATASET, context.partition_keys)
        outcomes: Outcomes = {}
        for key in context.partition_keys:
            try:
                learned = project.training_window.of(day_of(key), graph.partitions.earliest)
                frame, missing = read_window(project, datasets, learned)
            except DATA_ERRORS as error:
                outcomes[key] = error
                continue
            datasets.write(DATASET, key, frame)
            outcomes[key] = {
                **stored(datasets, DATASET, key, frame),
                "window": f"{project.training_window}: {learned}",
                "days": int(frame[date].nunique()),
                "missing_days": missing,
                "trained_from": f"{frame[date].min():%Y-%m-%d}",
                "trained_through": f"{frame[date].max():%Y-%m-%d}",
                "sha256": frame_hash(frame),
            }
        yield from report(context, outcomes)

    return training_set


def read_window(
    project: Project, datasets: DatasetStore, window: Window
) -> tuple["pd.DataFrame", int]:
    """The features of the days of a window to learn from, and how many of these days lack.

    PartitionError when more lack than training.min_coverage allows.
    """
    frame = datasets.read("features", days_between(window.start, window.end))
    if frame.empty:
        return frame, missing_days(project, (), window)
    known = frame[project.columns.target].notna()  # those made for another target have none
    if not known.all():
        frame = frame[known].reset_index(drop=True)
    days = {f"{day:%Y-%m-%d}" for day in frame[project.columns.date].unique()}
    return frame, missing_days(project, days, window)


def missing_days(project: Project, known: Collection[str], window: Window) -> int:
    """How many of the days of a window to learn from are not among the known keys.

    PartitionError when more lack than training.min_coverage allows.
    """
    unit = project.grain
    for part in project.training_window.judged(window):
        days = due_keys(project.due, part.start, part.end)
        missing = [day for day in days if day not in known]
        if len(days) - len(missing) < project.training.min_coverage * len(days):
            raise PartitionError(
                f"features hold {len(days) - len(missing)} of the {len(days)} {unit}s from "
                f"{part.start} to {days[-1]}, fewer than training.min_coverage of "
                f"{project.training.min_coverage:.0%}; the first missing {unit} is {missing[0]}: "
                f"materialize features for the missing {unit}s"
            )
    return sum(day not in known for day in due_keys(project.due, window.start, window.end))
