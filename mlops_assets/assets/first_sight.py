"""What a day of a model says of its first evaluation, and of how much was known then and is now."""

from __future__ import annotations

from mlops_assets.assets.reporting import Metadata, number
from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.completeness import label_completeness
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.first_seen import FirstSeenStore, FirstSight
from mlops_assets.resources.stores.ingested import IngestedStore

COMPLETENESS = "label_completeness"


class FirstSights:
    """The first evaluations of the days of a run, by their scores as from `score_days`."""

    def __init__(
        self, project: Project, name: str, scores: pd.DataFrame, datasets: DatasetStore
    ) -> None:
        self.name, self.metric = name, project.evaluation.primary
        self.store = FirstSeenStore(datasets)
        keys = [f"{day:%Y-%m-%d}" for day in scores.index]
        self.rows = dict(zip(keys, scores["rows"].astype(int), strict=True))
        self.values = dict(zip(keys, scores[self.metric].astype(float), strict=True))
        self.damaged: dict[str, StorageError] = {}
        self.seen = self.store.read(name, keys, self.damaged)
        ingested = IngestedStore(datasets).read(keys)
        self.completeness = {
            key: facts.completeness
            if project.columns.absent == "zero"  # rows that are always there say nothing of it
            else label_completeness(self.rows[key], facts.expected)
            for key, facts in ingested.items()
        }

    def metadata(self, key: str, version: str) -> Metadata:
        """The primary metric of a day as it was first seen, kept now where that is now."""
        completeness = self.completeness.get(key)
        found: Metadata = {}
        if completeness is not None:
            found[COMPLETENESS] = number(completeness)
        if key in self.damaged:
            return {**found, "first_seen": f"not known: {self.damaged[key]}"}
        if key not in self.seen:
            sight = FirstSight(self.metric, self.values[key], version, self.rows[key], completeness)
            self.store.keep(self.name, key, sight)
            self.seen[key] = sight
        first = self.seen[key]
        found[f"{first.metric}_first_seen"] = number(first.value)
        if first.completeness is not None:
            found[f"{COMPLETENESS}_first_seen"] = number(first.completeness)
        if first.version != version:
            found["version_first_seen"] = first.version
        return found
