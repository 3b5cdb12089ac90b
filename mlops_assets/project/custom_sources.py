"""Sources as entries of a registry: rows from wherever a plugin finds them."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Sequence

from mlops_assets.lazy import pd
from mlops_assets.ml.registries import Configurable, Registry


class CustomSource(Configurable, ABC):
    """Rows by day; the fields of a subclass are the options of its users."""

    @abstractmethod
    def read(self, start: dt.date, end: dt.date, columns: Sequence[str]) -> pd.DataFrame:
        """The rows of the days [start, end), with at least these columns, in any order.

        An empty window gives the columns without rows. Dates may have hours and a zone: a day is
        the project's local day, and rows of other days are left out.
        """

    def span(self) -> tuple[dt.date, dt.date] | None:
        """The first and the last day that have rows, where that is known; a replay needs it."""
        return None


CUSTOM_SOURCES: Registry[type[CustomSource]] = Registry("source")
register = CUSTOM_SOURCES.register
