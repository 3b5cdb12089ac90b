"""What is seen of a table whose columns nobody has named."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.project import FileSettings
from mlops_assets.resources.sources.samples import Sample, read_sample, without_stray_days

DAYS = pd.date_range("2026-01-01", periods=100)
LATEST = dt.date(2027, 6, 1)


def sample(folder: Path, **columns: Any) -> Sample:
    """Of a CSV of a hundred days, one row each."""
    frame = pd.DataFrame({"date": DAYS.strftime("%Y-%m-%d"), "units": range(100)} | columns)
    frame.to_csv(folder / "rows.csv", index=False)
    return read_sample(FileSettings(kind="file", path=str(folder / "rows.csv")), "UTC")


@pytest.mark.parametrize(
    "dates",
    [
        DAYS.strftime("%-d-%b-%y"),
        DAYS.strftime("%B %-d, %Y"),
        DAYS.strftime("%Y%m%d"),
        DAYS.strftime("%Y%m%d").astype(int),
        DAYS.astype("datetime64[ms]").astype("int64"),
        DAYS.astype("datetime64[s]").astype("int64"),
    ],
    ids=["month names", "months first", "digits", "whole numbers", "milliseconds", "seconds"],
)
def test_dates_as_tables_have_them(tmp_path: Path, dates: Any) -> None:
    found = sample(tmp_path, date=dates).dates["date"]
    assert found.days.tolist() == DAYS.tolist()
    assert not found.timed


def test_numbers_that_are_no_dates_stay_numbers(tmp_path: Path) -> None:
    found = sample(
        tmp_path,
        ean=[
            4006381333931 + n for n in range(100)
        ],  # as long as milliseconds, and called otherwise
        amount=[20261301 + n for n in range(100)],
    )
    assert list(found.dates) == ["date"]
    assert [str(found.frame[name].dtype) for name in ("ean", "amount")] == ["float64"] * 2


def test_wide_ids_are_names(tmp_path: Path) -> None:
    ids = [2**53 + n % 3 for n in range(100)]
    of_csv = sample(tmp_path, shop=ids).frame["shop"]
    assert of_csv.unique().tolist() == [str(2**53 + n) for n in range(3)]
    table = {"date": pa.array(DAYS), "shop": pa.array(ids)}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    settings = FileSettings(kind="file", path=str(tmp_path / "rows.parquet"))
    assert read_sample(settings, "UTC").frame["shop"].tolist() == of_csv.tolist()


def test_columns_that_files_store_in_different_types_are_one(tmp_path: Path) -> None:
    for name, shops in {"a": [1, 2], "b": [1.0, 2.0], "c": ["1", "x"]}.items():
        table = pa.table({"date": pa.array(DAYS[:2]), "shop": shops})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    found = read_sample(FileSettings(kind="file", path=str(tmp_path)), "UTC")
    assert found.frame["shop"].tolist() == ["1", "2", "1", "2", "1", "x"]
    (tmp_path / "c.parquet").unlink()
    found = read_sample(FileSettings(kind="file", path=str(tmp_path)), "UTC")
    assert found.frame["shop"].tolist() == [1.0, 2.0, 1.0, 2.0]
    assert found.fractional == []  # they may name series


def test_points_that_group_thousands(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "Datum;Umsatz;Version\n31.01.2026;8.271,15;1.5\n01.02.2026;971,20;1.500\n"
    )
    found = read_sample(FileSettings(kind="file", path=str(tmp_path / "rows.csv")), "UTC")
    assert found.frame["Umsatz"].tolist() == [8271.15, 971.2]
    assert found.frame["Version"].tolist() == [1.5, 1.5]
    assert found.dates["Datum"].days.tolist() == [
        pd.Timestamp("2026-01-31"),
        pd.Timestamp("2026-02-01"),
    ]


@pytest.mark.parametrize("stray", ["2062-01-01", "1900-01-01"])
def test_a_day_far_from_the_others_is_named_and_left_out(tmp_path: Path, stray: str) -> None:
    dates = [stray if n == 99 else f"{day:%Y-%m-%d}" for n, day in enumerate(DAYS)]
    found = without_stray_days(sample(tmp_path, date=dates), "date", LATEST)
    assert found.dates["date"].days.tolist() == DAYS[:99].tolist()
    assert found.frame["units"].tolist() == list(range(99))
    assert found.notes == [f"1 row(s) of {stray} are far from all others: left out"]


def test_days_with_gaps_belong_together(tmp_path: Path) -> None:
    dates = [day + pd.Timedelta(days=90 if n >= 50 else 0) for n, day in enumerate(DAYS)]
    found = without_stray_days(sample(tmp_path, date=dates), "date", LATEST)
    assert len(found.frame) == 100
    assert found.notes == []


def test_rows_without_a_day_are_named_and_left_out(tmp_path: Path) -> None:
    dates = ["Total" if n == 99 else f"{day:%Y-%m-%d}" for n, day in enumerate(DAYS)]
    found = without_stray_days(sample(tmp_path, date=dates), "date", LATEST)
    assert len(found.frame) == 99
    [note] = found.notes
    assert "is no date: 'Total' in row 100" in note


def test_texts_among_numbers_mean_that_there_is_none(tmp_path: Path) -> None:
    texts = ["1.5"] * 90 + ["N/A"] * 5 + ["-"] * 3 + ["3", "closed"]
    found = sample(tmp_path, level=texts)
    assert found.frame["level"].dtype == "float64"
    assert found.frame["level"].isna().sum() == 9
    assert found.markers == {"level": ["N/A", "-", "closed"]}
    [note] = found.notes
    assert "'N/A' in 5 row(s), the first of them row 91" in note
    assert "'closed' in 1 row(s), the first of them row 100" in note


def test_many_texts_among_numbers_are_told(tmp_path: Path) -> None:
    found = sample(tmp_path, grade=["1", "2", "3", "4", "none so far"] * 20)
    assert found.frame["grade"].dtype == object
    assert found.markers == {}
    assert "all of it is taken for names" in found.notes[0]


def test_numbers_beside_a_name_are_names_where_the_column_is_called_so(tmp_path: Path) -> None:
    found = sample(tmp_path, store=["1", "2"] * 49 + ["HQ", "1"])
    assert found.frame["store"].nunique() == 3
    assert found.markers == {}
