"""A row or file that cannot be read costs itself: every other day is read, and it is named."""

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from mlops_assets.resources.sources import Source, SourceError, UnreachableError, make_source
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.resources.sources.problems import JANUARY, PLAIN, day_keys, files, problem, write

OLD = "2026-01-01,1\n2026-01-01,2\n"
NEW = "date,units\n2026-01-02,3\n2026-01-02,4\n"
LAST = dt.date(2026, 1, 2), dt.date(2026, 1, 3)


def assert_only_the_new_day(source: Source, said: str) -> None:
    for _ in range(2):  # the second time by what is kept of the first
        assert source.read(*LAST)["units"].tolist() == [3, 4]
        assert list(source.fingerprints(*JANUARY))[-1] == "2026-01-02"
        [message] = source.left_out()
        assert said in message


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("n/a,9", "rows.csv: column 'date' is no date: 'n/a' in row 1"),
        ("Total,9", "is no date: 'Total' in row 1"),
        ("9999-12-31,9", "is no date: '9999-12-31' in row 1"),
        (",9", "is empty in 1 row(s): row 1"),
        ("Total", "1 row(s) with another number of fields than its header, such as 'Total'"),
    ],
)
def test_an_old_row_without_a_day_costs_itself(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "rows.csv").write_text(f"date,units\n{row}\n{OLD}2026-01-02,3\n2026-01-02,4\n")
    storage = LocalStorage(str(tmp_path / "storage"))
    source = files(tmp_path / "rows.csv", storage=storage)
    assert_only_the_new_day(source, said)
    assert source.read(*JANUARY)["units"].tolist() == [1, 2, 3, 4]
    # another process knows it by the index
    assert_only_the_new_day(files(tmp_path / "rows.csv", storage=storage), said)
    assert source.span() == (dt.date(2026, 1, 1), dt.date(2026, 1, 2))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "old.csv: it is empty"),
        (b"day,pieces\n2026-01-01,1\n", "old.csv lacks the column(s) date, units; it has day"),
        (b"\0\1\2", "old.csv: it holds zero bytes"),
        (b"date,units\n01/02/2026,1\n03/02/2026,1\n", "old.csv: column 'date' holds '01/02/2026'"),
        (b"date,units\nn/a,1\n", "old.csv: column 'date' is no date: 'n/a'"),
    ],
)
def test_an_old_file_that_cannot_be_read_costs_itself(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "new.csv").write_text(NEW)
    (tmp_path / "old.csv").write_bytes(content)
    storage = LocalStorage(str(tmp_path / "storage"))
    source = files(tmp_path / "*.csv", storage=storage)
    assert_only_the_new_day(source, said)
    assert_only_the_new_day(files(tmp_path / "*.csv", storage=storage), said)
    (tmp_path / "old.csv").write_text(f"date,units\n{OLD}")  # mended, it is read
    assert source.read(*JANUARY)["units"].tolist() == [1, 2, 3, 4]
    assert source.left_out() == []


def test_torn_and_foreign_files_of_other_kinds(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"date": [dt.date(2026, 1, 2)] * 2, "units": [3, 4]}), tmp_path / "a.pq"
    )
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.pq").read_bytes()[:-40])
    assert_only_the_new_day(files(tmp_path), "b.parquet")
    (tmp_path / "b.parquet").unlink()
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(NEW.encode() * 3000)[:-20])
    assert_only_the_new_day(files(tmp_path), "c.csv.gz")


def test_a_folder_that_names_no_day_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "date=2026-01-02").mkdir()
    (tmp_path / "date=2026-01-02" / "a.csv").write_text("units\n3\n4\n")
    (tmp_path / "date=__HIVE_DEFAULT_PARTITION__").mkdir()
    (tmp_path / "date=__HIVE_DEFAULT_PARTITION__" / "a.csv").write_text("units\n9\n")
    assert_only_the_new_day(files(tmp_path), "names no day")


def test_days_of_parquet_beyond_what_can_be_are_no_days(tmp_path: Path) -> None:
    for kind in (pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        days = [dt.datetime(9999, 12, 31), *[dt.datetime(2026, 1, 2)] * 2]
        dates = pa.array(days, pa.timestamp("us")).cast(kind)
        pq.write_table(pa.table({"date": dates, "units": [9, 3, 4]}), tmp_path / "rows.parquet")
        source = files(tmp_path / "rows.parquet")
        assert_only_the_new_day(source, "is no date: 9999-12-31")
        assert source.span() == LAST[:1] * 2


def test_where_nothing_can_be_read_the_source_is_refused(tmp_path: Path) -> None:
    for content in ("", "day,pieces\n2026-01-01,1\n", "date,units\nn/a,1\nn/a,2\n"):
        (tmp_path / "rows.csv").write_text(content)
        source = files(tmp_path / "rows.csv")
        for _ in range(2):
            with pytest.raises(SourceError, match=r"rows\.csv"):
                source.read(*JANUARY)


def test_a_file_that_may_not_be_read_now_is_no_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.csv").write_text(NEW)
    source = files(tmp_path / "*.csv")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mlops_assets.resources.sources.places.Place.open", refuse)
    with pytest.raises(UnreachableError, match="Permission denied"):
        source.read(*JANUARY)
    monkeypatch.undo()
    assert source.read(*JANUARY)["units"].tolist() == [3, 4]


def test_a_column_that_older_files_lack_is_missing_where_it_may_be(tmp_path: Path) -> None:
    columns = PLAIN | {"numeric": ["promo"]}
    (tmp_path / "a.csv").write_text(f"date,units\n{OLD}")
    (tmp_path / "b.csv").write_text("date,units,promo\n2026-01-02,3,1\n2026-01-02,4,\n")
    pq.write_table(
        pa.table({"date": [dt.date(2026, 1, 1)], "units": [2.5]}), tmp_path / "c.parquet"
    )
    settings = problem(tmp_path, {"kind": "file", "path": "."}, columns=columns)
    nullable = settings.constraint("promo").model_copy(update={"nullable": True})
    may = settings.model_copy(update={"constraints": {"promo": nullable}})
    rows = make_source(may).read(*JANUARY)
    assert rows["units"].tolist() == [1, 2, 2.5, 3, 4]
    assert rows["promo"].isna().tolist() == [True] * 3 + [False, True]
    assert str(rows["promo"].dtype) == "float64"
    assert make_source(may).columns() == ["date", "units"]  # of the oldest and the newest
    must = make_source(settings)
    assert day_keys(must.read(*JANUARY)) == ["2026-01-02"] * 2
    assert [message.rpartition(" lacks ")[2] for message in must.left_out()] == [
        "the column(s) promo; it has date, units"
    ] * 2


def test_a_database_gives_its_sound_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/rows.db"
    monkeypatch.setenv("ROWS_URL", url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE rows (date TEXT, units REAL)")
        for row in [("2026-01-02", 3), ("2026-01-02 x", 9), ("2026-01-02", 4), ("n/a", 9)]:
            connection.exec_driver_sql("INSERT INTO rows VALUES (?, ?)", row)
    engine.dispose()
    source = make_source(problem(tmp_path, {"kind": "sql", "url_env": "ROWS_URL", "table": "rows"}))
    assert source.read(*LAST)["units"].tolist() == [3, 4]
    [message] = source.left_out()
    assert (
        "table rows of the database in ROWS_URL: column 'date' is no date: '2026-01-02 x'"
        in message
    )


def test_rows_of_each_file_are_counted_from_its_own_first(tmp_path: Path) -> None:
    write(tmp_path, "a", ["2026-01-01", "n/a", "2026-01-02"])
    write(tmp_path, "b", ["2026-01-02", "2026-01-02", "?"])
    source = files(tmp_path / "*.csv")
    assert day_keys(source.read(*JANUARY)) == ["2026-01-01"] + ["2026-01-02"] * 3
    assert [" ".join(message.split()[-9:-6]) for message in source.left_out()] == [
        "'n/a' in row",
        "'?' in row",
    ]
    assert isinstance(source.read(*JANUARY), pd.DataFrame)
