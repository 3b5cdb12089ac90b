"""A recording played again: the same weekday for ever."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.project import load_project
from mlops_assets.resources.sources import Source, SourceError, make_source
from mlops_tests.resources.sources.problems import counted, problem, write


def replay(file: Path) -> Source:
    return make_source(problem(file.parent, {"kind": "replay", "path": file.name}))


def recorded(folder: Path, days: int = 365, ending: str = "csv") -> Path:
    dates = pd.date_range("2017-01-01", periods=days)
    return write(folder, "a", [str(day.date()) for day in dates], ending)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_replay_keeps_the_weekday_and_returns_after_52_weeks(tmp_path: Path, ending: str) -> None:
    # 365 recorded days from Sunday, 1 January 2017; the last one is never played
    source = replay(recorded(tmp_path, ending=ending))
    played = source.read(dt.date(2016, 12, 25), dt.date(2019, 1, 10))
    assert len(played) == (dt.date(2019, 1, 10) - dt.date(2016, 12, 25)).days
    by_day = played.set_index("date")["units"]
    assert by_day["2017-01-01"] == 0
    assert by_day["2017-12-30"] == 363  # the 364th recorded day
    assert by_day["2017-12-31"] == 0  # then from the beginning: a Sunday again
    assert by_day["2018-12-30"] == 0
    assert by_day["2016-12-31"] == 363  # and so before the recording
    weekdays = pd.Series(pd.date_range("2017-01-01", periods=365)).dt.dayofweek
    assert (weekdays[by_day.astype(int)].to_numpy() == by_day.index.dayofweek).all()


def test_a_fingerprint_is_that_of_the_recorded_day(tmp_path: Path) -> None:
    file = recorded(tmp_path)
    window = dt.date(2026, 1, 1), dt.date(2027, 1, 1)
    before = replay(file).fingerprints(*window)
    assert len(before) == 365
    frame = pd.read_csv(file)
    frame.loc[frame["date"] == "2017-01-02", "units"] = 1000  # the first Monday
    frame.to_csv(file, index=False)
    after = replay(file).fingerprints(*window)
    # 3276 days, nine rounds of 364, after 2 January 2017 is Monday, 22 December 2025; then 2026
    assert [day for day in after if after[day] != before[day]] == ["2026-12-21"]


def test_other_sources_are_replayed_with_their_options(tmp_path: Path) -> None:
    dates = pd.date_range("2017-01-01", periods=364)
    for month, days in dates.groupby(dates.month).items():
        frame = pd.DataFrame({"date": days.strftime("%m/%d/%Y"), "units": days.dayofyear})
        (tmp_path / f"year=2017/month={month}").mkdir(parents=True)
        frame.to_csv(tmp_path / f"year=2017/month={month}/a.csv", index=False)
    options = {"kind": "file", "path": ".", "csv": {"dates": "month_first"}}
    source = make_source(problem(tmp_path, {"kind": "replay", "source": options}))
    # 2017-12-30 + 3 days, past the end of the loop
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
