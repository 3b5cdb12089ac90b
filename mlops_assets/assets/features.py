"""Features: the model inputs of a day."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlops_assets.assets.datasets import GROUP, KINDS, by_day, lacking, needed, stored, window
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import Outcomes, report
from mlops_assets.assets.schemas import COLUMNS, features_schema
from mlops_assets.graph.partitions import Partitions, day_of
from mlops_assets.ml.features.custom_features import FeatureError
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore

DATASET = "features"


def make_features_asset(graph: Graph) -> dg.AssetsDefinition:
    project = graph.project

    @daily(
        graph,
        DATASET,
        group=GROUP,
        kinds=KINDS,
        metadata={COLUMNS: features_schema(project)},
    )
    def features(
        context: dg.AssetExecutionContext, readers: dg.ResourceParam[Readers]
    ) -> Iterator[Any]:
        """Model inputs of the day: its columns, the calendar, and what earlier days came to."""
        keys = list(context.partition_keys)
        datasets = readers.datasets(DATASET, keys)
        yield from report(context, compute(project, graph.partitions, keys, datasets))

    return features


def compute(
    project: Project, partitions: Partitions, keys: list[str], datasets: DatasetStore
) -> Outcomes:
    """Make and store the features of days; what each came to."""
    date, days_read = project.columns.date, project.feature_plan.days_read
    start, end = window(keys)
    due = project.due
    read = {due.back(day_of(key), back) for key in keys for back in days_read}
    damaged: dict[str, StorageError] = {}
    asked = [str(day) for day in sorted(read) if day >= partitions.first_day]
    known = datasets.read("observations", asked, damaged)
    broken: dict[str, FeatureError] = {}
    made = (
        make_features(project.feature_plan, known, start, end, broken=broken)
        if len(known)
        else known
    )
    days = by_day(made, date)
    stored_days = set(datasets.keys("observations")) - set(damaged)
    outcomes: Outcomes = {}
    for key in keys:
        frame = days.get(key)
        bad = needed(damaged, key, days_read, due)
        if frame is None or bad:
            outcomes[key] = bad or broken.get(key) or lacking("observations", key, {})
            continue
        datasets.write(DATASET, key, frame)
        before = partitions.keys(
            max(due.back(day_of(key), project.longest_lag), partitions.first_day),
            day_of(key),
        )
        outcomes[key] = {
            **stored(datasets, DATASET, key, frame),
            "missing_days_before": sum(day not in stored_days for day in before),
            "missing_values": int(frame.isna().to_numpy().sum()),
        }
    return outcomes
