"""Files as a source: only those of the asked days are opened, and no day changes unnoticed."""

import datetime as dt
import os
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.resources.sources import SourceError
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.resources.sources.problems import (
    JANUARY,
    PLAIN,
    SHOPS,
    counted,
    day_keys,
    files,
    write,
)

SECOND = dt.date(2026, 1, 2), dt.date(2026, 1, 3)
ENDINGS = pytest.mark.parametrize("ending", ["csv", "parquet"])


@ENDINGS
def test_a_window_is_half_open_and_files_of_a_glob_are_one_source(
    tmp_path: Path, ending: str
) -> None:
    write(tmp_path, "b", ["2026-01-03 00:00", "2026-01-01 13:30"], ending)
    write(tmp_path, "a", ["2026-01-02"], ending)
    rows = files(tmp_path / f"*.{ending}").read(dt.date(2026, 1, 1), dt.date(2026, 1, 3))
    assert rows.columns.tolist() == ["date", "units"]
    assert day_keys(rows) == ["2026-01-01", "2026-01-02"]
    assert rows["units"].tolist() == [1.0, 0.0]


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no file matches .*correct source\.path"):
        files(tmp_path / "*.csv").read(*JANUARY)


def test_a_folder_holds_its_tables_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "a", ["2026-01-01"])
    write(tmp_path / "more", "b", ["2026-01-02"], "parquet")
    write(tmp_path / ".hidden", "c", ["2026-01-03"])
    write(tmp_path / "_temporary", "d", ["2026-01-03"])
    (tmp_path / "README.md").write_text("no table")
    assert day_keys(files(tmp_path).read(*JANUARY)) == ["2026-01-01", "2026-01-02"]


@ENDINGS
@pytest.mark.parametrize("form", ["date={0:%Y-%m-%d}", "year={0:%Y}/month={0.month}/day={0.day}"])
def test_only_the_folders_of_the_asked_days_are_opened(
    tmp_path: Path, ending: str, form: str
) -> None:
    for day in pd.date_range("2025-12-30", "2026-01-05"):
        folder = tmp_path / form.format(day)
        folder.mkdir(parents=True)
        frame = pd.DataFrame({"units": [day.day, 100.0]})
        if ending == "csv":
            frame.to_csv(folder / "rows.csv", index=False)
        else:
            frame.to_parquet(folder / "rows.parquet", index=False)
    source = files(tmp_path)
    with counted() as opened:
        rows = source.read(dt.date(2025, 12, 31), dt.date(2026, 1, 2))
    assert day_keys(rows) == ["2025-12-31"] * 2 + ["2026-01-01"] * 2
    assert rows["units"].tolist() == [31, 100, 1, 100]
    assert len(opened) == 2
    with counted() as opened:
        found = source.fingerprints(*SECOND)
    assert list(found) == ["2026-01-02"]
    assert len(opened) == 1
    assert source.span() == (dt.date(2025, 12, 30), dt.date(2026, 1, 5))
    assert source.columns() == ["units", "date"] if form.startswith("date") else True


def test_a_folder_of_another_zone_loses_no_rows(tmp_path: Path) -> None:
    # the folders are days of UTC; 23:30 there is the next day in Berlin
    for day in ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"):
        write(tmp_path / f"date={day}", "rows", [f"{day}T12:00Z", f"{day}T23:30Z"])
    source = files(tmp_path, "Europe/Berlin")
    with counted() as opened:
        rows = source.read(dt.date(2026, 1, 3), dt.date(2026, 1, 4))
    assert rows["units"].tolist() == [1, 0]
    assert "date=2026-01-01/rows.csv" not in opened


@ENDINGS
@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_on_which_the_clocks_change_in_berlin(
    tmp_path: Path, ending: str, day: str, hours: int
) -> None:
    first = pd.Timestamp(day, tz="Europe/Berlin")
    times = pd.date_range(first - pd.Timedelta(hours=30), periods=90, freq="h")
    frame = pd.DataFrame({"date": times, "units": range(90)})
    if ending == "csv":
        frame["date"] = frame["date"].map(pd.Timestamp.isoformat)  # with the offset of its hour
        frame.to_csv(tmp_path / "a.csv", index=False)
    else:
        frame.to_parquet(tmp_path / "a.parquet", index=False, row_group_size=1)
    window = dt.date.fromisoformat(day), dt.date.fromisoformat(day) + dt.timedelta(days=1)
    source = files(tmp_path / f"a.{ending}", "Europe/Berlin")
    assert source.read(*window)["units"].tolist() == list(range(30, 30 + hours))
    assert source.fingerprints(*window)[day].startswith(f"{hours} rows ")
    assert source.span() == (window[0] - dt.timedelta(days=2), window[1] + dt.timedelta(days=1))


@ENDINGS
def test_folders_of_another_meaning_lose_no_rows(tmp_path: Path, ending: str) -> None:
    # the folders say when files were loaded; a late row of the 2nd came on the 9th
    write(tmp_path / "year=2026/month=1/day=3", "rows", ["2026-01-02", "2026-01-03"], ending)
    write(tmp_path / "year=2026/month=1/day=9", "rows", ["2026-01-08", "2026-01-02"], ending)
    source = files(tmp_path)
    assert source.read(*SECOND)["units"].tolist() == [0, 1]
    assert source.span() == (dt.date(2026, 1, 2), dt.date(2026, 1, 8))


def test_a_key_of_a_folder_is_a_column(tmp_path: Path) -> None:
    write(tmp_path / "shop=007", "rows", ["2026-01-01"], "parquet")
    write(tmp_path / "shop=A%20B", "rows", ["2026-01-01"])
    rows = files(tmp_path, columns=SHOPS).read(*JANUARY)
    assert rows["shop"].tolist() == ["007", "A B"]


def test_a_folder_that_names_no_day_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "date=monday", "rows", ["2026-01-01"])
    with pytest.raises(SourceError, match=r"date=monday.* names no day; write date=2026-01-31"):
        files(tmp_path).read(*JANUARY)


def test_only_the_row_groups_of_the_asked_days_are_read(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=100, tz="UTC").repeat(2000)
    frame = pd.DataFrame({"date": days, "units": range(200_000), "wide": "x" * 40})
    frame["wide"] += frame["units"].astype(str)
    frame.to_parquet(tmp_path / "a.parquet", index=False, row_group_size=2000)
    source = files(tmp_path / "a.parquet")
    with counted() as opened:
        rows = source.read(*SECOND)
    assert rows["units"].tolist() == list(range(2000, 4000))
    size = (tmp_path / "a.parquet").stat().st_size
    assert opened[f"{tmp_path.name}/a.parquet"] < size / 20


def test_rows_without_a_date_are_told_wherever_they_are(tmp_path: Path) -> None:
    dates = [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(2026, 3, 1), None]
    table = pa.table({"date": dates, "units": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    with pytest.raises(SourceError, match=r"a\.parquet: column 'date' is empty in 1 .*row 4"):
        files(tmp_path / "a.parquet").read(*SECOND)


@ENDINGS
def test_a_mixture_of_zones_in_a_file_is_refused(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"date": ["2026-01-01 10:00", "2026-01-01T10:00Z"], "units": [1, 2]})
    file = tmp_path / f"a.{ending}"
    if ending == "csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file, index=False, row_group_size=1)
    with pytest.raises(SourceError, match="with and without a time zone: '2026-01-01 10:00' and"):
        files(file).read(*JANUARY)


def test_names_in_parquet_stay_as_they_are(tmp_path: Path) -> None:
    shops = {
        "whole": pa.array([7, None, 8]),
        "text": pa.array(["007", "NA", None]),
        "coded": pa.array(["007", "NA", None]).dictionary_encode(),
    }
    dates = pa.array([dt.date(2026, 1, 1)] * 3)
    found = {}
    for name, shop in shops.items():
        units = pa.array([1, None, 3], pa.decimal128(5, 2))
        pq.write_table(pa.table({"date": dates, "shop": shop, "units": units}), tmp_path / name)
        source = files(tmp_path / name, columns=SHOPS, format="parquet")
        rows = source.read(*JANUARY)
        assert rows["units"].tolist()[::2] == [1.0, 3.0]
        found[name] = rows["shop"].tolist()
    assert found["whole"] == ["7", None, "8"]
    assert found["text"] == found["coded"] == ["007", "NA", None]


def test_csv_files_are_opened_again_only_for_their_days(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    for number in range(1, 6):
        write(folder, f"{number}", [f"2026-01-0{number}"])
    storage = LocalStorage(str(tmp_path / "storage"))
    with counted() as opened:
        files(folder, storage=storage).read(*SECOND)
    assert len(opened) == 5
    with counted() as opened:  # another process, which finds what the first has kept
        assert len(files(folder, storage=storage).read(*SECOND)) == 1
    assert list(opened) == ["rows/2.csv"]
    write(folder, "4", ["2026-01-02", "2026-01-04"])
    (folder / "5.csv").unlink()
    with counted() as opened:
        assert len(files(folder, storage=storage).read(*SECOND)) == 2
    assert list(opened) == ["rows/2.csv", "rows/4.csv"]
    with counted() as opened:  # other columns were never read
        files(folder, storage=storage, columns=PLAIN | {"numeric": ["unused"]}).read(*SECOND)
    assert len(opened) == 4


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"key": 1}', b"\xff"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path, "a", ["2026-01-02"])
    storage = LocalStorage(str(tmp_path / "storage"))
    expected = files(tmp_path / "a.csv", storage=storage).fingerprints(*JANUARY)
    storage.write("source_index.json", damage)
    assert files(tmp_path / "a.csv", storage=storage).fingerprints(*JANUARY) == expected


@ENDINGS
def test_a_fingerprint_changes_with_the_rows_of_its_day_alone(tmp_path: Path, ending: str) -> None:
    dates = ["2026-01-01", "2026-01-02", "2026-01-02"]
    file = write(tmp_path, "a", dates, ending)
    storage = LocalStorage(str(tmp_path / "storage"))
    source = files(file, storage=storage)
    before = source.fingerprints(*JANUARY)
    assert list(before) == ["2026-01-01", "2026-01-02"]
    with counted() as opened:
        assert files(file, storage=storage).fingerprints(*JANUARY) == before
        assert source.fingerprints(*SECOND) == {"2026-01-02": before["2026-01-02"]}
    assert not opened

    write(tmp_path, "a", [*dates, "2026-01-03"], ending)
    appended = source.fingerprints(*JANUARY)
    assert {day: appended[day] for day in before} == before
    assert list(appended) == [*before, "2026-01-03"]

    frame = pd.DataFrame({"date": dates, "units": [0, 1, 3]})
    frame.to_csv(file, index=False) if ending == "csv" else frame.to_parquet(file, index=False)
    changed = source.fingerprints(*JANUARY)
    assert changed["2026-01-01"] == before["2026-01-01"]
    assert changed["2026-01-02"] != before["2026-01-02"]

    os.utime(file, (1, 1))
    assert source.fingerprints(*JANUARY) == changed


def test_equal_rows_in_other_files_have_equal_fingerprints(tmp_path: Path) -> None:
    dates = ["2026-01-01", "2026-01-02", "2026-01-02"]
    found = [
        files(write(tmp_path / "one", "a", dates)).fingerprints(*JANUARY),
        files(write(tmp_path / "two", "a", dates, "parquet")).fingerprints(*JANUARY),
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_files_behind_a_url(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://{tmp_path}/rows"
    with fsspec.open(f"{url}/date=2026-01-01/a.csv", "w", auto_mkdir=True) as file:
        file.write("units\n5\n")
    frame = pd.DataFrame({"units": [6, 7]})
    with fsspec.open(f"{url}/date=2026-01-02/a.parquet", "wb", auto_mkdir=True) as file:
        frame.to_parquet(file, index=False)
    for path in (url, f"{url}/*/a.*"):
        source = files(path)
        with counted() as opened:
            assert source.read(*SECOND)["units"].tolist() == [6, 7]
        assert list(opened) == ["date=2026-01-02/a.parquet"]
    before = source.fingerprints(*JANUARY)
    with fsspec.open(f"{url}/date=2026-01-01/a.csv", "w") as file:
        file.write("units\n6\n")
    after = source.fingerprints(*JANUARY)
    assert [day for day in after if after[day] != before[day]] == ["2026-01-01"]
    with pytest.raises(SourceError, match=f"no file matches {scheme}://.*/none"):
        files(f"{url}/none").read(*JANUARY)


def test_a_password_in_a_url_is_not_told() -> None:
    source = files("nowhere://me:s3cret@host/rows.csv")
    with pytest.raises(SourceError) as caught:
        source.read(*JANUARY)
    assert "s3cret" not in str(caught.value)
    assert "me:***@host" in str(caught.value)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 5),
)
def test_however_rows_are_divided_every_window_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    dates = [pd.Timestamp("2026-01-01") + pd.Timedelta(days=day) for day, _ in rows]
    frame = pd.DataFrame({"date": dates, "units": [float(units) for _, units in rows]})
    frame.to_csv(folder / "whole.csv", index=False)
    for at in range(0, len(frame), size):
        part = frame.iloc[at : at + size]
        part.to_parquet(folder / f"part-{at:03}.parquet", index=False, row_group_size=2)
    whole, parts = files(folder / "whole.csv"), files(folder / "part-*.parquet")
    assert whole.fingerprints(*JANUARY) == parts.fingerprints(*JANUARY)
    for start, end in [(0, 31), (3, 4), (5, 12)]:
        window = dt.date(2026, 1, 1 + start), dt.date(2026, 1, 1) + dt.timedelta(days=end)
        expected = frame[(frame["date"].dt.day > start) & (frame["date"].dt.day <= end)]
        expected = expected.sort_values("date", kind="stable", ignore_index=True)
        for source in (whole, parts):
            found = source.read(*window)
            assert found["units"].tolist() == expected["units"].tolist()
            assert found["date"].tolist() == expected["date"].tolist()


def test_fingerprints_of_some_days_are_those_of_all_and_read_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = pd.date_range("2026-01-01", periods=12)
    table = pa.table({"date": days.repeat(3), "units": range(36)})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=9)  # of three days each
    storage = LocalStorage(str(tmp_path / "storage"))
    whole = files(tmp_path / "rows.parquet").fingerprints(*JANUARY)
    assert len(whole) == 12
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group

    def seen(self: pq.ParquetFile, group: int, **given: object) -> pa.Table:
        read.append(group)
        return plain(self, group, **given)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", seen)
    asked = {(5, 7): [1], (6, 8): [2], (1, 3): [0, 1], (5, 8): [], (11, 13): [2, 3]}
    for (first, end), groups in asked.items():
        window = dt.date(2026, 1, first), dt.date(2026, 1, end)
        source = files(tmp_path / "rows.parquet", storage=storage)
        inside = {f"2026-01-{day:02}" for day in range(first, end)}
        assert source.fingerprints(*window) == {day: whole[day] for day in whole if day in inside}
        assert read == groups, "those between days that are known are looked at with them"
        read.clear()
