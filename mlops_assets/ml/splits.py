"""Which rows a version learns from and which ones judge it: by time, never at random."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HoldoutSplit:
    """The last days of a window judge what the days before them taught."""

    days: int

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"a holdout needs at least one day, not {self.days}")

    def first_day(self, window_end: dt.date) -> dt.date:
        """The first day of the holdout of a window that ends before `window_end`."""
        return window_end - dt.timedelta(days=self.days)

    def split(
        self, rows: "pd.DataFrame", date: str, window_end: dt.date
    ) -> tuple["pd.DataFrame", "pd.DataFrame"]:
        """The rows before the holdout and those in it. ValueError when either is empty."""
        import pandas as pd

        held_out = rows[date] >= pd.Timestamp(self.first_day(window_end))
        if held_out.all() or not held_out.any():
            raise ValueError(
                f"a holdout of {self.days} days before {window_end} takes {held_out.sum()} of "
                f"{len(rows)} rows; both sides need rows"
            )
        return rows[~held_out], rows[held_out]
