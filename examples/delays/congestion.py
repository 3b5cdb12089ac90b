"""An input of one's own: how busy an airport is when a flight is to leave."""

from typing import TYPE_CHECKING, Any

from mlops_assets.plugin import Feature, feature

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.project import ColumnSettings


@feature
class Congestion(Feature):
    name = "congestion"
    description = "Flights of the day that are to leave the same airport in the same hour."

    def compute(
        self, rows: "pd.DataFrame", earlier: "pd.DataFrame", columns: "ColumnSettings"
    ) -> Any:
        return rows.groupby(["origin", "hour"])[columns.date].transform("size")
