"""Series with rows only where something was sold, through every asset."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_tests.assets.lab import (
    FIRST_DAY,
    Lab,
    make_rows,
    make_settings,
    reason,
)

FIRST, LAST = "2026-02-01", "2026-03-10"
KEYS = ["department", "category"]


def sold() -> pd.DataFrame:
    """The rows of the lab: cake and milk on some days only, cake from January on."""
    rows = make_rows().assign(promotion=0.5)
    seldom = np.random.default_rng(1).random(len(rows)) < 0.6
    absent = seldom & (rows["category"] != "bread")
    absent |= (rows["category"] == "cake") & (rows["date"] < "2026-01-10")
    return rows[~absent & (rows["units"] > 0)].reset_index(drop=True)


def dense(rows: pd.DataFrame) -> "pd.Series[float]":
    """The units of each day and series from its first row on, made another way."""
    wide = rows.pivot(index="date", columns=KEYS, values="units")
    return wide.fillna(0).where(wide.ffill().notna()).stack(level=KEYS, future_stack=True).dropna()


@pytest.fixture(scope="module")
def sold_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lab = Lab(tmp_path_factory.mktemp("sold") / "lab")
    lab.folder.mkdir()
    settings = make_settings()
    settings["columns"] = settings["columns"] | {"absent": "zero"}
    rows = sold()
    lab.write(rows[rows["date"] <= LAST], settings)
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), LAST).success
        assert lab.run("training_set models/seasonal_naive models/linear", FIRST).success
        assert lab.run("validation/seasonal_naive validation/linear", FIRST, "2026-02-28").success
        assert lab.run("leaderboard", "2026-02-28").success
        assert lab.run("champion forecast", "2026-02-27", "2026-02-28").success
    return lab.folder


@pytest.fixture
def lab(sold_folder: Path, tmp_path: Path) -> Iterator[Lab]:
    """A copy of it; its instance is empty."""
    shutil.copytree(sold_folder, tmp_path / "sold")
    lab = Lab(tmp_path / "sold")
    with lab.instance:
        yield lab


def days(last: str) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(FIRST_DAY, last)]


def test_absent_rows_are_observed_and_lagged(lab: Lab) -> None:
    expected = dense(sold())
    found = lab.datasets.read("observations", days(LAST)).set_index(["date", *KEYS])["units"]
    assert (
        found.sort_index().to_dict()
        == expected[expected.index.get_level_values(0) <= LAST].to_dict()
    )
    features = lab.datasets.read("features", [LAST]).set_index(KEYS)
    week_before = pd.Timestamp(LAST) - pd.Timedelta(days=7)
    assert len(features) == 3
    assert features["units_lag_7"].to_dict() == expected[week_before].to_dict()


def test_absent_rows_are_scored_and_forecast(lab: Lab) -> None:
    stored = lab.datasets.read("validation/linear", ["2026-02-28"])
    assert len(stored) == 3
    forecast = lab.datasets.read("forecast", ["2026-02-28"])
    assert sorted(forecast["category"]) == ["bread", "cake", "milk"]


def test_a_day_that_came_by_half_is_seen(lab: Lab) -> None:
    rows = sold()
    day = "2026-03-05"
    assert lab.run("observations", day).success
    assert lab.metadata("observations", day)["rows_not_zero"] == (rows["date"] == day).sum()
    assert len(lab.datasets.read("observations", [day])) == 3
    usual = dict.fromkeys(("bread", "cake", "milk"), 1.0)
    many = pd.DataFrame(
        [
            {"department": "d", "category": name, "date": then, "units": value, "unit_price": 1.0,
             "promotion": 0.5}
            for then in pd.date_range("2026-01-01", "2026-03-05")
            for name, value in {**usual, **{f"more{n}": 1.0 for n in range(9)}}.items()
        ]
    )  # fmt: skip
    lab.write(many[(many["date"] < day) | (many["category"] == "bread")])
    assert lab.run("observations", "2026-01-01", "2026-03-04").success
    result = lab.run("observations", day)
    assert "1 rows, less than half of the fewest of late, 12" in reason(result)
