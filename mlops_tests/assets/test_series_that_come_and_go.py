"""Series that begin, end or pause: what is forecast of them, and what a day counts as missing."""

import datetime as dt

import pandas as pd
import pytest

from mlops_assets.resources.stores.ingested import IngestedStore
from mlops_tests.assets.lab import Lab, make_rows

SATURDAY, SUNDAY = "2026-03-14", "2026-03-15"


def seen(rows: pd.DataFrame) -> pd.DataFrame:
    """Bread is not baked on Sundays, cake was until 1 March, rolls are from 13 March on."""
    rolls = rows[rows["category"] == "bread"].assign(category="rolls")
    rows = pd.concat([rows, rolls], ignore_index=True)
    name, day = rows["category"], rows["date"]
    none = (name == "bread") & (day.dt.dayofweek == 6) | (name == "cake") & (day > "2026-03-01")
    return rows[~none & ~((name == "rolls") & (day < "2026-03-13"))]


def categories(rows: pd.DataFrame) -> set[str]:
    return set(rows["category"])


@pytest.fixture
def living(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose series come and go, of which the days through Monday 16 March are there."""
    lab.write(seen(make_rows()))
    days = ("2026-02-10", "2026-03-16")
    assert lab.run("observations features", *days).success
    # no day to come is over in this test
    monkeypatch.setattr("mlops_assets.assets.issued.is_over", lambda project, day: False)
    # the source has no row of the day to come yet
    whole = seen(make_rows())
    lab.write(whole[whole["date"] <= SATURDAY])
    return lab


def test_what_is_due_is_forecast(living: Lab) -> None:
    lab = living
    assert lab.run("issued", SATURDAY).success
    of_sunday = lab.datasets.read("issued", [SATURDAY])
    # rolls from the day after their first on, cake no more, bread not on a Sunday
    assert categories(of_sunday) == {"milk", "rolls"}
    assert set(of_sunday["date"]) == {pd.Timestamp(SUNDAY)}
    assert lab.run("issued", SUNDAY).success
    of_monday = lab.datasets.read("issued", [SUNDAY])
    assert categories(of_monday) == {"milk", "bread", "rolls"}  # bread was not there on Sunday
    features = lab.datasets.read("features", ["2026-03-14"]).set_index("category")
    assert pd.isna(features.loc["rolls", "units_lag_7"])  # missing, not zero, before it began
    assert features.loc["rolls", "units_lag_1"] > 0


def test_a_day_lacks_only_rows_that_are_due(living: Lab) -> None:
    lab = living
    facts = IngestedStore(lab.datasets).read([SATURDAY, SUNDAY, "2026-03-16"])
    told = {day: (one.rows, one.expected, one.completeness) for day, one in facts.items()}
    assert told[SATURDAY] == (3, 3.0, 1.0)  # cake is no more, rolls have begun the day before
    assert told[SUNDAY] == (2, 2.0, 1.0)  # bread is not due
    whole = seen(make_rows())
    monday = pd.Timestamp(dt.date(2026, 3, 16))
    lab.write(whole[(whole["date"] != monday) | (whole["category"] != "bread")])
    assert lab.run("observations", "2026-03-16").success
    facts = IngestedStore(lab.datasets).read(["2026-03-16"])
    assert facts["2026-03-16"].expected == 3.0
    assert facts["2026-03-16"].completeness == pytest.approx(2 / 3)
