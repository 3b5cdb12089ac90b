"""A series that has begun has a row on every day on which any has one."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.project import Project
from mlops_assets.resources.sources import Source, make_source
from mlops_tests.resources.sources.problems import SHOPS, problem

START, END = dt.date(2026, 1, 1), dt.date(2026, 1, 8)
COLUMNS = SHOPS | {"absent": "zero", "numeric": ["size", "warm"], "categorical": ["shop", "town"]}
ROWS = """date,shop,units,size,warm,town
2026-01-01,a,3,10,1.5,X
2026-01-02,a,2,10,2.5,X
2026-01-02,b,5,20,2.5,Y
2026-01-03,a,1,11,3.5,X
2026-01-05,b,4,21,5.5,Y
2026-01-05,c,1,,5.5,
2026-01-06,c,2,31,6.5,
"""


def source(folder: Path, rows: str = ROWS) -> Source:
    (folder / "rows.csv").write_text(rows)
    return make_source(problem(folder, {"kind": "file", "path": "rows.csv"}, columns=COLUMNS))


def test_absent_rows_by_hand(tmp_path: Path) -> None:
    found = source(tmp_path).read(START, END)
    told = [
        (day.day, shop, units, size, warm, town)
        for day, shop, units, size, warm, town in found[
            ["date", "shop", "units", "size", "warm", "town"]
        ].itertuples(index=False, name=None)
    ]
    assert told[:5] == [
        (1, "a", 3, 10, 1.5, "X"),  # the others have not begun
        (2, "a", 2, 10, 2.5, "X"),
        (2, "b", 5, 20, 2.5, "Y"),
        (3, "a", 1, 11, 3.5, "X"),
        (3, "b", 0, 20, 2.5, "Y"),  # of one row nothing is common: the last that it had
    ]
    # nobody has a row on the 4th; on the 5th all rows are as warm
    assert told[5] == (5, "b", 4, 21, 5.5, "Y")
    assert told[6][:3] == (5, "c", 1)
    assert told[7] == (5, "a", 0, 11, 5.5, "X")
    assert [row[:3] for row in told[8:]] == [(6, "c", 2), (6, "a", 0), (6, "b", 0)]
    assert {row[5] for row in told if row[1] == "c"} == {None}


def test_a_day_read_alone_is_that_of_a_range(tmp_path: Path) -> None:
    read = source(tmp_path).read
    whole = read(START, END)
    for day in range(1, 8):
        start = dt.date(2026, 1, day)
        alone = read(start, start + dt.timedelta(days=1))
        of_range = whole[whole["date"] == pd.Timestamp(start)].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, of_range, check_dtype=len(alone) > 0)


def test_any_rows_by_another_way(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    days, shops = pd.date_range("2026-01-01", periods=20), [f"s{n}" for n in range(12)]
    grid = pd.MultiIndex.from_product([days, shops], names=["date", "shop"])
    there = random.random(len(grid)) < 0.15
    sold = pd.Series(random.integers(1, 9, len(grid)), grid, name="units")[there]
    rows = sold.reset_index().assign(size=1.0, warm=2.0, town="T")
    found = source(tmp_path, rows.to_csv(index=False)).read(START, dt.date(2026, 1, 21))
    # days x shops, each from its first row on, on days on which anybody sold something
    wide = sold.unstack().loc[sold.unstack().notna().any(axis=1)]
    begun = wide.ffill().notna()
    expected = wide.fillna(0).where(begun).stack()
    told = found.set_index(["date", "shop"])["units"].sort_index()
    assert told.to_dict() == expected.to_dict()


def test_fingerprints_and_days_are_those_of_the_source(tmp_path: Path) -> None:
    made = source(tmp_path)
    found = made.fingerprints(START, END)
    assert list(found) == [f"2026-01-0{day}" for day in (1, 2, 3, 5, 6)]
    assert made.span() == (dt.date(2026, 1, 1), dt.date(2026, 1, 6))
    assert made.read(dt.date(2026, 1, 4), dt.date(2026, 1, 5)).empty


def test_a_replayed_series_is_there_always(tmp_path: Path) -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(364)]
    rows = "".join(f"{day},a,1,1,1,X\n" for day in days) + f"{days[200]},b,7,1,1,Y\n"
    (tmp_path / "rows.csv").write_text("date,shop,units,size,warm,town\n" + rows)
    replayed = {"kind": "replay", "path": "rows.csv"}
    found = make_source(problem(tmp_path, replayed, columns=COLUMNS)).read(START, END)
    assert (found["shop"] == "b").sum() == 7
    assert found.loc[found["shop"] == "b", "units"].sum() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": COLUMNS | {"series": []}}, "columns.absent: zero needs columns.series"),
        ({"constraints": {"units": {"min": 1}}}, "needs constraints.units that hold 0"),
        (
            {"aggregate": {"target": "sum", "min_rows": 2, "inputs": {}}},
            "leave out aggregate.by and min_rows",
        ),
    ],
)
def test_what_has_no_absent_rows_is_named(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    made = problem(tmp_path, {"kind": "file", "path": "rows.csv"}, columns=COLUMNS)
    settings = made.model_dump() | {"folder": tmp_path}
    with pytest.raises(ValueError, match=message):
        Project.model_validate(settings | change)
