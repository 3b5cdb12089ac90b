"""A recording played again: the same weekday for ever."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.project import load_project
from mlops_assets.resources.sources import Source, SourceError, make_source
from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_tests.resources.sources.problems import counted, problem, write


def replay(file: Path) -> Source:
    return make_source(problem(file.parent, {"kind": "replay", "path": file.name}))


def recorded(folder: Path, days: int = 365, ending: str = "csv") -> Path:
    dates = pd.date_range("2017-01-01", periods=days)
    return write(folder, "a", [str(day.date()) for day in dates], ending)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_replay_keeps_the_weekday_and_nearly_the_date(tmp_path: Path, ending: str) -> None:
    # 365 recorded days from Sunday, 1 January 2017, whose number is 0, to Sunday, 31 December
    source = replay(recorded(tmp_path, ending=ending))
    by_day = source.read(dt.date(2026, 1, 1), dt.date(2028, 1, 1)).set_index("date")["units"]
    assert by_day["2026-11-26"] == 326  # Thanksgiving, 23 November 2017
    assert by_day["2026-12-28"] == 358  # Monday, 25 December
    assert by_day["2027-01-03"] == 364  # Sunday, 31 December
    assert by_day["2027-01-04"] == 1  # then Monday, 2 January, 364 days after
    assert by_day["2026-01-05"] == 1
    # Sunday, 1 January, is nearest to the last one of a week of which nothing else is recorded
    assert by_day.index[0] == pd.Timestamp("2026-01-04")
    assert by_day.iloc[0] == 0
    assert len(by_day) == 365 - 3 + 365
    weekdays = pd.Series(pd.date_range("2017-01-01", periods=365)).dt.dayofweek
    assert (weekdays[by_day.astype(int)].to_numpy() == by_day.index.dayofweek).all()


def test_days_of_which_nothing_is_recorded_have_no_rows(tmp_path: Path) -> None:
    source = replay(recorded(tmp_path))
    window = dt.date(2025, 12, 29), dt.date(2026, 1, 4)
    assert source.read(*window).columns.tolist() == ["date", "units"]
    assert source.read(*window).empty
    assert source.fingerprints(*window) == {}


def test_of_a_long_recording_the_last_year_is_played(tmp_path: Path) -> None:
    source = replay(recorded(tmp_path, days=3 * 365))  # to Tuesday, 31 December 2019
    by_day = source.read(dt.date(2025, 12, 1), dt.date(2026, 2, 1)).set_index("date")["units"]
    assert by_day["2026-01-01"] == 732  # 3 January 2019, 732 days after 1 January 2017
    assert by_day["2025-12-25"] == 1089  # 26 December 2019, a Thursday
    # the week between is of the days before the last 364
    assert by_day["2025-12-31"] == 731
    assert by_day.index.is_unique
    assert len(by_day) == 62


def test_what_is_stored_says_through_which_day_is_played(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path / "root"))
    settings = problem(tmp_path, {"kind": "replay", "path": "a.csv"})
    window = dt.date(2026, 11, 26), dt.date(2026, 11, 27)

    def played() -> list[float]:
        return make_source(settings, storage).read(*window)["units"].tolist()

    recorded(tmp_path)
    assert played() == [326]
    recorded(tmp_path, days=720)  # a recording that grows changes nothing
    assert played() == [326]
    storage.write("replayed_through.txt", b"2018-12-01\n")
    assert played() == [697]  # 29 November 2018, a Thursday
    storage.write("replayed_through.txt", b"soon\n")
    with pytest.raises(StorageError, match=r"replayed_through\.txt .*; write into it the last day"):
        played()
    (tmp_path / "root" / "replayed_through.txt").write_bytes(b"\xa3 no seal\n2018-12-01\n")
    with pytest.raises(StorageError, match=r"replayed_through\.txt .*; write into it the last day"):
        played()


def test_a_history_of_version_0_1_goes_on_in_its_loop(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path / "root"))
    storage.write("datasets/observations/2026-11-01.parquet", b"")
    recorded(tmp_path)
    source = make_source(problem(tmp_path, {"kind": "replay", "path": "a.csv"}), storage)
    by_day = source.read(dt.date(2016, 12, 25), dt.date(2019, 1, 10)).set_index("date")["units"]
    assert by_day["2017-12-30"] == 363  # the 364th recorded day
    assert by_day["2017-12-31"] == 0  # then from the beginning: a Sunday again
    assert by_day["2018-12-30"] == 0
    assert by_day["2016-12-31"] == 363  # and so before the recording
    assert not storage.exists("replayed_through.txt")


def test_a_fingerprint_is_that_of_the_recorded_day(tmp_path: Path) -> None:
    file = recorded(tmp_path)
    window = dt.date(2027, 1, 1), dt.date(2028, 1, 1)
    before = replay(file).fingerprints(*window)
    assert len(before) == 365
    frame = pd.read_csv(file)
    frame.loc[frame["date"] == "2017-01-02", "units"] = 1000  # the first Monday
    frame.to_csv(file, index=False)
    after = replay(file).fingerprints(*window)
    assert [day for day in after if after[day] != before[day]] == ["2027-01-04"]


def test_other_sources_are_replayed_with_their_options(tmp_path: Path) -> None:
    dates = pd.date_range("2017-01-01", periods=364)
    for month, days in dates.groupby(dates.month).items():
        frame = pd.DataFrame({"date": days.strftime("%m/%d/%Y"), "units": days.dayofyear})
        (tmp_path / f"year=2017/month={month}").mkdir(parents=True)
        frame.to_csv(tmp_path / f"year=2017/month={month}/a.csv", index=False)
    options = {"kind": "file", "path": ".", "csv": {"dates": "month_first"}}
    source = make_source(problem(tmp_path, {"kind": "replay", "source": options}))
    # 2017-12-30 + 3 days, past the end of the recording
    window = dt.date(2017, 12, 29), dt.date(2018, 1, 2)
    assert source.read(*window)["units"].tolist() == [363, 364, 1, 2]
    with counted() as opened:
        source.read(*window)
    assert sorted(opened) == ["month=1/a.csv", "month=12/a.csv"]


@pytest.mark.parametrize("dates", [["2017-01-01", "2017-05-01"], []])
def test_a_recording_shorter_than_the_loop_is_refused(tmp_path: Path, dates: list[str]) -> None:
    source = replay(write(tmp_path, "a", dates))
    with pytest.raises(SourceError, match=r"a\.csv .*(needs 364 days|no rows to replay)"):
        source.read(dt.date(2026, 1, 1), dt.date(2026, 1, 2))


def test_the_sample_as_it_is_shipped() -> None:
    source = make_source(load_project())
    rows = source.read(dt.date(2026, 11, 1), dt.date(2026, 11, 8))
    assert len(rows) == 7 * 226
    assert not rows.duplicated(["date", "department", "category"]).any()
    assert rows["units"].ge(0).all()
    assert rows["promotion"].between(0, 1).all()
