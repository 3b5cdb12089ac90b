"""The champion of each day, as it was decided."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_assets.resources.datasets import DatasetStore
from mlops_assets.resources.storage import StorageError

if TYPE_CHECKING:
    import pandas as pd

CHAMPION = "champion"


@dataclass(frozen=True)
class Record:
    """Who is champion on a day, and who is from the next day on: the columns of `champion`."""

    date: "pd.Timestamp"
    champion: str
    since: str
    why: str
    next_champion: str
    next_version: str
    next_since: str
    next_why: str


def newest_record(
    datasets: DatasetStore,
    before: str | None = None,
    damaged: dict[str, StorageError] | None = None,
) -> Record | None:
    """The newest record, or the newest one of a day before `before`; None where there is none.

    A damaged one raises StorageError, unless `damaged` is given: then its error is put there, and
    there is none.
    """
    keys = [key for key in datasets.keys(CHAMPION) if before is None or key < before]
    lines = datasets.read(CHAMPION, keys[-1:], damaged).to_dict("records")
    return Record(**{str(name): value for name, value in lines[0].items()}) if lines else None
