"""Whatever a cell of the source holds, it is stored as it reads or its day is refused in words."""

import csv
import datetime as dt
import decimal
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.assets.observations_type import make_observations_type, validated
from mlops_assets.resources.sources import SourceError, make_source
from mlops_assets.resources.storage import StorageError
from mlops_tests.assets.lab import Lab, make_rows, make_settings

DAY = dt.date(2026, 3, 30)
NUMBERS = {  # as a person reads them
    "7": 7,
    "  7 ": 7,
    "7\t": 7,
    "+7": 7,
    "-0": 0,
    "1e2": 100,
    "1e-400": 0,
    "0.5": 0.5,
}
MISSING = ["", "NaN", "nan", "NULL", "None", "N/A"]
INFINITE = ["inf", "-inf", "Infinity", "1e400", "9" * 400]
ODD = [
    *("1_000", "1,5", "1.000,5", "$5", "5 kg", "0x10", "½"),
    "-",
    *("--7", "true", "TRUE", "0.1.2", '"quoted"', "new\nline", "=1+1", "é", "\ufeff7"),
    *("30/03/2026", "2026-02-30", "9999-12-31", "0001-01-01", "1677-01-01", "2262-04-12"),
    *("2026-W13-1", "N", "\x00", "a\x00b"),
]


def ingest(lab: Lab) -> pd.DataFrame | str:
    """The rows of the day as they would be stored, or why they are refused."""
    project = lab.project
    source = make_source(project, lab.storage)
    try:
        source.fingerprints(DAY, DAY + dt.timedelta(days=1))
        rows = source.read(DAY, DAY + dt.timedelta(days=1))
        return validated(project, make_observations_type(project), rows)[0]
    except (SourceError, StorageError, ValueError) as error:
        refused = str(error)
    assert "object at 0x" not in refused
    return refused


def with_cell(lab: Lab, column: str, cell: str) -> pd.DataFrame | str:
    """What becomes of the day when a CSV has such a cell in it."""
    rows = make_rows().astype({"date": str, "units": object, "unit_price": object})
    rows.loc[rows.index[rows["date"] == str(DAY)][1], column] = cell
    with (lab.folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(rows.columns)
        writer.writerows(rows.itertuples(index=False))
    return ingest(lab)


@pytest.fixture
def csv_lab(empty_lab: Lab) -> Lab:
    settings = make_settings()
    settings["source"] = {"kind": "file", "path": "rows.csv"}
    empty_lab.write(settings=settings)
    return empty_lab


@pytest.mark.parametrize("column", ["units", "unit_price"])
def test_numbers_are_read_as_people_do(csv_lab: Lab, column: str) -> None:
    for cell, value in NUMBERS.items():
        found = with_cell(csv_lab, column, cell)
        assert not isinstance(found, str), (cell, found)
        assert found[column].iloc[1] == value, cell
    for cell in [*ODD, *(INFINITE if column == "unit_price" else ())]:
        refused = with_cell(csv_lab, column, cell)
        assert isinstance(refused, str), cell
        assert "units" in refused or "unit_price" in refused or "zero bytes" in refused, refused


def test_what_is_missing_is_missing_where_it_may_be_and_told_with_its_row_else(
    csv_lab: Lab,
) -> None:
    for cell in MISSING:
        found = with_cell(csv_lab, "unit_price", cell)
        assert not isinstance(found, str), (cell, found)
        assert math.isnan(found["unit_price"].iloc[1])
    for cell in [
        *MISSING,
        "inf",
        "-inf",
        "Infinity",
        "1e400",
    ]:  # without a target, a row is left out
        found = with_cell(csv_lab, "units", cell)
        assert not isinstance(found, str), (cell, found)
        assert found["category"].tolist() == ["bread", "milk"]


def test_names_are_kept_to_the_letter(csv_lab: Lab) -> None:
    for cell in [*NUMBERS, *MISSING[1:], *INFINITE, *ODD]:
        found = with_cell(csv_lab, "department", cell)
        if "\x00" in cell:
            assert isinstance(found, str)
            continue
        assert not isinstance(found, str), (cell, found)
        assert found["department"].iloc[1] == (cell if cell != "TRUE" else "true")
    assert "such as None cake (None)" in str(with_cell(csv_lab, "department", ""))


def test_a_cell_that_is_no_date_is_named(csv_lab: Lab) -> None:
    for cell in [*NUMBERS, *MISSING, *INFINITE, *ODD]:
        found = with_cell(csv_lab, "date", cell)
        if isinstance(found, str):
            assert "zero bytes" in found, found
            continue
        # the row is left out and told, the rest of its day is there
        assert found["category"].tolist() == ["bread", "milk"], cell
        [said] = make_source(csv_lab.project, csv_lab.storage).left_out()
        assert "column 'date'" in said


def decimals(column: "pd.Series[Any]") -> pa.Array:
    return pa.array([decimal.Decimal(f"{n:.3f}") for n in column], pa.decimal128(18, 3))


def text(column: "pd.Series[Any]", kind: pa.DataType) -> pa.Array:
    return pa.array(column.astype(str), pa.string()).cast(kind)


def stamps(column: "pd.Series[Any]", kind: pa.DataType) -> pa.Array:
    return pa.array(list(column), pa.timestamp("us")).cast(kind)


TYPES: dict[str, tuple[str, Callable[[Any], pa.Array]]] = {
    "decimal": ("units", decimals),
    "small integers": ("units", lambda c: pa.array(c.astype("int64")).cast(pa.int16())),
    "unsigned integers": ("units", lambda c: pa.array(c.astype("uint64"))),
    "half as wide": ("promotion", lambda c: pa.array(c.astype("float32"))),
    "numbers in text": ("units", lambda c: text(c, pa.string())),
    "large text": ("category", lambda c: text(c, pa.large_string())),
    "views of text": ("category", lambda c: text(c, pa.string_view())),
    "a dictionary": ("category", lambda c: pa.array(c.astype("category"))),
    "a dictionary of numbers": ("units", lambda c: pa.array(c).dictionary_encode()),
    "bytes": ("category", lambda c: text(c, pa.binary())),
    "bytes in a dictionary": ("category", lambda c: text(c, pa.binary()).dictionary_encode()),
    "dates in bytes": ("date", lambda c: text(c, pa.binary())),
    "numbers in bytes": ("units", lambda c: text(c, pa.binary())),
    "bytes that are no text": ("category", lambda c: pa.array([b"\xff"] * len(c))),
    "days": ("date", lambda c: stamps(c, pa.timestamp("us")).cast(pa.date32())),
    "milliseconds of days": ("date", lambda c: stamps(c, pa.timestamp("us")).cast(pa.date64())),
    "seconds": ("date", lambda c: stamps(c, pa.timestamp("s"))),
    "nanoseconds": ("date", lambda c: stamps(c, pa.timestamp("ns"))),
    "a zone": ("date", lambda c: stamps(c, pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))),
    "dates in text": ("date", lambda c: text(c, pa.string())),
}
REFUSED = {"bytes that are no text"}


@pytest.mark.parametrize("name", TYPES)
def test_a_parquet_column_of_another_type_gives_the_same_day(empty_lab: Lab, name: str) -> None:
    plain = ingest(empty_lab)
    assert not isinstance(plain, str), plain
    column, made = TYPES[name]
    rows = make_rows()
    table = pa.Table.from_pandas(rows, preserve_index=False)
    at = table.schema.get_field_index(column)
    changed = made(rows[column])
    table = table.set_column(at, column, changed)
    pq.write_table(table, empty_lab.folder / "rows.parquet")
    found = ingest(empty_lab)
    if name in REFUSED:
        assert isinstance(found, str)
        assert column in found
        return
    assert not isinstance(found, str), found
    tolerance = 1e-7 if name == "half as wide" else 0
    pd.testing.assert_frame_equal(found, plain, rtol=tolerance, atol=0, check_exact=not tolerance)
