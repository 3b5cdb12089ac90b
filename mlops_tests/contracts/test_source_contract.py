"""The contract of a source finds each way of breaking it, and says it in words."""

import datetime as dt
from dataclasses import dataclass, field

import pandas as pd
import pytest

from mlops_assets.contracts.source_contract import source_problems


@dataclass
class Shelf:
    """A source of two rows a day that breaks what it is told to break."""

    how: str = ""
    rows: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(
            {"date": pd.date_range("2026-01-01", "2026-01-20").repeat(2), "units": 1.0}
        )
    )

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        last = pd.Timestamp(end) + pd.Timedelta(days=int(self.how == "closed"))
        found = self.rows[(self.rows["date"] >= pd.Timestamp(start)) & (self.rows["date"] < last)]
        match self.how:
            case "hours":
                return found.assign(date=found["date"] + pd.Timedelta(hours=3))
            case "zone":
                return found.assign(date=found["date"].dt.tz_localize("UTC"))
            case "nothing":
                return found if len(found) else pd.DataFrame()
            case "lacking":
                return found[["date"]]
            case "forgetful":
                return found.iloc[1:] if len(found) > 8 else found
        return found


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("", ""),
        ("closed", "the end is not part of it"),
        ("hours", "set each to midnight"),
        ("zone", "without a zone"),
        ("nothing", "an empty window"),
        ("lacking", "lacks the column(s) units"),
        ("forgetful", "two windows that meet"),
    ],
)
def test_sources(how: str, words: str) -> None:
    found = " ".join(
        source_problems(
            Shelf(how), "date", ["date", "units"], dt.date(2026, 1, 5), dt.date(2026, 1, 9)
        )
    )
    assert (words in found) if words else not found
