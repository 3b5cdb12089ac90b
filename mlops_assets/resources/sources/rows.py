"""Rows as every source gives them, and the fingerprints of their days."""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

HASH_MASK = (1 << 64) - 1


class DayHashes:
    """The hash of each day's rows, whatever order and portions they come in."""

    def __init__(self) -> None:
        self._days: dict[str, tuple[int, int]] = {}

    def add(self, rows: "pd.DataFrame", date: str) -> None:
        """Count rows in. They have the columns and types that every source gives."""
        import pandas as pd

        # A sum does not mind the order, and counts equal rows as often as they come.
        hashes = pd.util.hash_pandas_object(rows, index=False)
        for day, group in hashes.groupby(rows[date].to_numpy()):
            count, total = self._days.get(f"{day:%Y-%m-%d}", (0, 0))
            total = (total + int(group.sum())) & HASH_MASK
            self._days[f"{day:%Y-%m-%d}"] = (count + len(group), total)

    def texts(self) -> dict[str, str]:
        """The fingerprint of each day."""
        return {
            day: f"{count} rows {total:016x}" for day, (count, total) in sorted(self._days.items())
        }


def within(rows: "pd.DataFrame", date: str, start: dt.date, end: dt.date) -> "pd.DataFrame":
    """The rows of the days [start, end)."""
    import pandas as pd

    return rows[(rows[date] >= pd.Timestamp(start)) & (rows[date] < pd.Timestamp(end))]


def joined(portions: Iterable["pd.DataFrame"], date: str, columns: list[str]) -> "pd.DataFrame":
    """All portions sorted by day, the order of the source kept within one."""
    import pandas as pd

    filled = [rows for rows in portions if len(rows)]
    if not filled:
        empty = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
        return empty.astype({date: "datetime64[ns]"})
    rows = pd.concat(filled, ignore_index=True)
    return rows.sort_values(date, kind="stable", ignore_index=True)
