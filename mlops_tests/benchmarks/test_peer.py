"""The other side of the benchmark of tables is given what was known, and no more."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.tables.measure import days_of, held_out_from, line, months, scores
from benchmarks.tables.peer import past, peers
from mlops_assets.ml.backtest.contest import Stretch
from mlops_tests.new.tables import make, shops, write

DAYS = pd.date_range("2026-01-01", periods=10)


def test_the_past_of_a_key_is_that_of_the_days_before() -> None:
    rows = pd.DataFrame(
        {
            "date": [*DAYS, DAYS[9]],
            "shop": [*["a"] * 10, "b"],
            "value": [*range(10), 50.0],
        }
    )
    made = past(rows, "date", ["shop"], [1, 7], "")
    assert made["lag_1"].tolist()[8:10] == [7, 8]
    assert made["lag_7"].tolist()[9] == 2
    assert made["mean_7"].tolist()[9] == 5  # of 2 to 8
    assert pd.isna(made["lag_1"][10]), "b has no day before"
    # of no key, the mean of all rows of the day before
    assert past(rows, "date", [], [1], "all_")["all_lag_1"].tolist()[9:] == [8, 8]


@pytest.mark.parametrize(
    ("first", "last", "cut"),
    [
        ("2024-01-01", "2026-03-31", "2026-01-01"),
        ("2024-01-01", "2026-03-15", "2025-12-16"),
        ("2026-01-01", "2026-04-11", "2026-03-17"),  # a quarter of 100 days
    ],
)
def test_the_last_three_months_are_held_out_or_a_quarter(first: str, last: str, cut: str) -> None:
    days = pd.Series(pd.to_datetime([first, last]))
    assert str(held_out_from(days)) == cut


def test_months_are_served_one_by_one() -> None:
    assert list(months(dt.date(2026, 1, 20), dt.date(2026, 3, 2))) == [
        Stretch(dt.date(2026, 1, 20), dt.date(2026, 1, 31)),
        Stretch(dt.date(2026, 2, 1), dt.date(2026, 2, 28)),
        Stretch(dt.date(2026, 3, 1), dt.date(2026, 3, 2)),
    ]


def test_the_day_is_found_however_it_is_written() -> None:
    texts = ["2026/01/02", "2026-01-02 13:00:00"]
    for text in texts:
        found = days_of(pd.DataFrame({"x": ["1"], "time": [text]}))
        assert found.dt.normalize().tolist() == [pd.Timestamp("2026-01-02")]
    with pytest.raises(ValueError, match="no day in"):
        days_of(pd.DataFrame({"x": ["2026-01-02"]}))


@pytest.mark.long
def test_both_sides_are_scored_on_the_same_rows_by_what_was_known(tmp_path: Path) -> None:
    rows = shops(count=150)
    project = make(write(rows, tmp_path), tmp_path / "made", "--target", "sold")
    last = rows["day"].max().date()
    stretch = Stretch(last - dt.timedelta(days=9), last)
    known = rows.rename(columns={"day": project.columns.date})
    known[["shop", "product"]] = known[["shop", "product"]].astype(object)

    def by_model(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
        ours = scores(project, table, [stretch])
        sums = pd.concat([ours, *peers(project, table, [stretch])])
        return {str(name): of.set_index("date") for name, of in sums.groupby("model")}

    before = by_model(known)
    assert {of["rows"].sum() for of in before.values()} == {40}
    others = {"lightgbm", "lightgbm, its loss", "last week", "of the weekday"}
    assert others | {"hist_boosting"} <= {*before}
    # what is sold on the last day is known to nobody: nothing else changes
    other = known.assign(sold=known["sold"].where(known["day"] < pd.Timestamp(last), 10_000))
    for name, of in by_model(other).items():
        pd.testing.assert_frame_equal(of.iloc[:-1], before[name].iloc[:-1])
        assert of["wmape__num"].iloc[-1] > 30_000
        assert of["wmape__den"].iloc[-1] == 40_000


def test_a_line_tells_ours_beside_the_better_of_both() -> None:
    loss = {"plain": 0.4, "ours": 0.19, "lightgbm": 0.2, "lightgbm, its loss": 0.25}
    result = {
        **{"name": "x", "kind": "k", "rows": 10, "metric": "mae", "models": ["plain", "ours"]},
        **{"loss": loss | {"last week": 0.5, "of the weekday": 0.6}, "se": {"ours": 0.01}},
        **{"cpu": 60.4, "mib": 300.0},
    }
    assert line(result) == (
        "| x | k | 10 | mae | 0.19 | 0.01 | 0.2 | 0.25 | -5.0% | 0.4 | 0.5 | 0.6 | 60 | 300 |"
    )
    assert line({"name": "x", "kind": "k", "failed": "why"}) == "| x | k | why |"
