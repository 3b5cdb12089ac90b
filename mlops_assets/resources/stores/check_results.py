"""What the checks of the assets found, partition by partition, in the dataset store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.check_result import CheckResult, CheckResults
from mlops_assets.resources.layout import CHECKS
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore

NUMBERS = ("value", "low", "high")
COLUMNS = ("date", "check", "passed", "severe", "why", *NUMBERS)

OLD_NAMES = {"yardstick": "baseline"}  # of checks in files of versions before 0.2


class CheckStore:
    """The newest results of each asset and partition; the event log keeps the older ones."""

    def __init__(self, datasets: DatasetStore) -> None:
        self.datasets = datasets

    def write(self, asset: str, key: str, results: CheckResults) -> None:
        """Replace the results of the checks of a partition; `asset` is a key joined by slashes."""
        columns: dict[str, Any] = {
            "date": np.full(len(results), np.datetime64(key, "ns")),
            "check": list(results),
        }
        for column in COLUMNS[2:]:
            values = [getattr(result, column) for result in results.values()]
            columns[column] = np.array(values, dtype=float) if column in NUMBERS else values
        self.datasets.write(f"{CHECKS}/{asset}", key, pd.DataFrame(columns))

    def delete(self, asset: str, key: str | None = None) -> None:
        """Forget the results of a partition, or of all of them."""
        self.datasets.delete(f"{CHECKS}/{asset}", key)

    def read(
        self,
        assets: Iterable[str],
        keys: Iterable[str],
        damaged: dict[str, StorageError] | None = None,
    ) -> pd.DataFrame:
        """The results of the checks of several assets: a column `asset`, then COLUMNS.

        Empty, but with these columns, where there are none. `damaged` is as in
        `DatasetStore.read`.
        """
        keys = list(keys)
        found = {name: self.datasets.read(f"{CHECKS}/{name}", keys, damaged) for name in assets}
        parts = [frame.assign(asset=name) for name, frame in found.items() if len(frame)]
        columns = ["asset", *COLUMNS]
        if not parts:
            return pd.DataFrame(columns=columns)
        read = pd.concat(parts, ignore_index=True)[columns]
        return read.replace({"check": OLD_NAMES})

    def results(self, asset: str, keys: Iterable[str]) -> dict[str, dict[str, CheckResult]]:
        """The results of the checks of an asset by key and name, of the keys that can be read."""
        found: dict[str, dict[str, CheckResult]] = {}
        for row in self.read([asset], keys, {}).to_dict("records"):
            numbers = [None if pd.isna(row[name]) else float(row[name]) for name in NUMBERS]
            value, low, high = numbers
            passed, severe = bool(row["passed"]), bool(row["severe"])
            result = CheckResult(passed, str(row["why"]), severe, value, low, high)
            found.setdefault(f"{row['date']:%Y-%m-%d}", {})[row["check"]] = result
        return found


def facts_dataset(name: str) -> str:
    """Where the daily facts of a model are, by slice."""
    return f"validation_facts/{name}"
