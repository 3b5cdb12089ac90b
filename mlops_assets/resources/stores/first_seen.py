"""How a day of a model looked when it was evaluated for the first time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mlops_assets.lazy import pd
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore


@dataclass(frozen=True)
class FirstSight:
    """The first evaluation of a day of a model."""

    metric: str
    """The name of the primary metric then."""
    value: float
    version: str
    rows: int
    completeness: float | None
    """The share of the usual rows that was known then, where that can be told."""


class FirstSeenStore:
    """Written once for each model and day, and never replaced."""

    def __init__(self, datasets: DatasetStore) -> None:
        self.datasets = datasets

    @staticmethod
    def dataset(model: str) -> str:
        return f"first_seen/{model}"

    def keep(self, model: str, key: str, seen: FirstSight) -> None:
        """Keep the first evaluation of a day of which none is kept yet."""
        completeness = math.nan if seen.completeness is None else float(seen.completeness)
        columns = {"date": pd.Timestamp(key), **vars(seen), "completeness": completeness}
        frame = pd.DataFrame({name: [value] for name, value in columns.items()})
        self.datasets.write(self.dataset(model), key, frame)

    def read(
        self, model: str, keys: Iterable[str], damaged: dict[str, StorageError]
    ) -> dict[str, FirstSight]:
        """What is kept, by key; `damaged` is as in `DatasetStore.read`."""
        frame = self.datasets.read(self.dataset(model), list(keys), damaged)
        return {
            f"{line['date']:%Y-%m-%d}": FirstSight(
                line["metric"],
                float(line["value"]),
                line["version"],
                int(line["rows"]),
                None if math.isnan(line["completeness"]) else float(line["completeness"]),
            )
            for line in frame.to_dict("records")
        }

    def delete(self, model: str) -> None:
        """Forget all days of a model that is dropped."""
        self.datasets.delete(self.dataset(model))
