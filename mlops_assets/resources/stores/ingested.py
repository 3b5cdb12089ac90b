"""What was found at the source when a day was ingested, in the dataset store."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from mlops_assets.lazy import pd
from mlops_assets.resources.layout import INGESTED
from mlops_assets.resources.stores.dataset_store import DatasetStore


@dataclass(frozen=True)
class Ingested:
    """A day as it was when it was ingested last."""

    fingerprint: str = ""
    """That of the source just before the rows were read; empty for a day without rows. Kept of a
    refused day as well, so that it is read again when the source has changed."""
    rows: int = 0
    """How many rows are stored, without those that are 0 for being absent."""
    expected: float | None = None
    """How many rows the weekday usually has, where enough weeks before it tell."""
    completeness: float | None = None
    """The share of these that is there, at most 1."""


class IngestedStore:
    """The newest facts of each day."""

    def __init__(self, datasets: DatasetStore) -> None:
        self.datasets = datasets

    def write(self, key: str, facts: Ingested) -> None:
        """Replace the facts of a day. To be called after its rows are stored."""
        numbers = {"expected": "float64", "completeness": "float64"}
        frame = pd.DataFrame([{"date": pd.Timestamp(key), **asdict(facts)}]).astype(numbers)
        self.datasets.write(INGESTED, key, frame)

    def read(self, keys: Iterable[str]) -> dict[str, Ingested]:
        """The facts of days by key; those not ingested, or damaged, are left out."""
        frame: pd.DataFrame = self.datasets.read(INGESTED, list(keys), {})
        return {
            f"{line['date']:%Y-%m-%d}": Ingested(
                line["fingerprint"],
                int(line["rows"]),
                _known(line["expected"]),
                _known(line["completeness"]),
            )
            for line in frame.to_dict("records")
        }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
