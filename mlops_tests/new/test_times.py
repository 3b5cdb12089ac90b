"""Tables whose times say more than the day."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.due_days import holidays_of
from mlops_assets.project import DateParts
from mlops_assets.resources.sources import make_source
from mlops_tests.new.tables import YESTERDAY, days_up_to, main, make, settings, write

HOLIDAYS = {
    day for year in (YESTERDAY.year - 1, YESTERDAY.year) for day in holidays_of("XNYS", year)
}


def calls(count: int = 200) -> pd.DataFrame:
    """Calls at any second of the day, which wait longer in the evening."""
    random = np.random.default_rng(5)
    days = days_up_to(YESTERDAY, count).repeat(random.integers(5, 35, count))
    times = days + pd.to_timedelta(random.integers(0, 86_400, len(days)), unit="s")
    wait = 5 + 20 * (times.hour >= 18) + random.gamma(2, 2, len(days))
    topic = random.choice(["a", "b"], len(days))
    return pd.DataFrame({"called": times, "topic": topic, "wait": wait})


@pytest.mark.long
def test_the_hour_of_events_is_an_input(tmp_path: Path) -> None:
    project = make(write(calls(), tmp_path), tmp_path / "p", "--target", "wait")
    assert project.columns.time_of_day == ["hour"]
    assert project.columns.numeric == ["hour"]
    assert settings(tmp_path / "p")["columns"]["time_of_day"] == ["hour"]
    assert "| hour | whole number | numeric input |" in (tmp_path / "p/profile.md").read_text()
    rows = calls().assign(called=lambda rows: rows["called"].dt.normalize())
    plain = make(write(rows, tmp_path), tmp_path / "days", "--target", "wait")
    assert plain.columns.time_of_day == []


@pytest.mark.long
def test_of_two_columns_that_name_the_same_days_the_finer_is_taken(tmp_path: Path) -> None:
    rows = calls().assign(date=lambda rows: rows["called"].dt.strftime("%Y-%m-%d"))
    project = make(write(rows, tmp_path), tmp_path / "p", "--target", "wait")
    assert project.columns.date == "called"
    assert "the finer of date and called" in (tmp_path / "p/profile.md").read_text()
    # another day than that of the date is another thing
    rows["called"] -= pd.Timedelta(days=2)
    other = make(write(rows, tmp_path), tmp_path / "other", "--target", "wait")
    assert other.columns.date == "date"


def shop(days: pd.DatetimeIndex) -> pd.DataFrame:
    sold = np.random.default_rng(6).poisson(20, len(days))
    return pd.DataFrame({"date": days, "sold": sold})


def test_weekdays_without_rows_are_not_due(tmp_path: Path) -> None:
    days = days_up_to(YESTERDAY, 300)
    business = days[days.dayofweek < 5]
    project = make(write(shop(business), tmp_path), tmp_path / "p", "--target", "sold")
    assert project.expected.weekdays == ["mon", "tue", "wed", "thu", "fri"]
    assert project.expected.holidays is None
    assert project.training.min_coverage == 0.9
    # a stocktaking on a Saturday is told, and not used
    saturday = days[days.dayofweek == 5][-1]
    odd = business.append(pd.DatetimeIndex([saturday]))
    made = make(write(shop(odd), tmp_path), tmp_path / "odd", "--target", "sold")
    assert made.expected.weekdays == ["mon", "tue", "wed", "thu", "fri"]
    profile = (tmp_path / "odd/profile.md").read_text()
    assert f"but for 1 day(s) such as {saturday:%Y-%m-%d}, which are not used" in profile
    every = make(write(shop(days), tmp_path), tmp_path / "all", "--target", "sold")
    assert "expected" not in settings(tmp_path / "all")
    assert every.due.all


def test_days_without_rows_are_the_holidays_that_they_match(tmp_path: Path) -> None:
    days = days_up_to(YESTERDAY, 360)
    open_on = [day for day in days[days.dayofweek < 5] if day.date() not in HOLIDAYS]
    table = write(shop(pd.DatetimeIndex(open_on)), tmp_path)
    project = make(table, tmp_path / "p", "--target", "sold")
    assert project.expected.holidays in ("XNYS", "XNAS")  # both keep the same ones
    assert "are those of XN" in (tmp_path / "p/profile.md").read_text()
    # where rows come on holidays, these are an input
    table = write(shop(days), tmp_path)
    other = make(table, tmp_path / "other", "--target", "sold", "--holidays", "DE-BY")
    assert other.due.all
    assert other.features.holidays == "DE-BY"
    assert main([str(table), "--out", str(tmp_path / "no"), "--yes", "--holidays", "XX"]) == 2


@pytest.mark.parametrize(("every", "period"), [("14D", "two weeks"), ("YS", "year")])
def test_rows_of_other_periods_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], every: str, period: str
) -> None:
    days = pd.date_range("1980-01-07", periods=45, freq=every)
    table = write(shop(days), tmp_path)
    assert main([str(table), "--out", str(tmp_path / "p"), "--yes", "--target", "sold"]) == 1
    said = capsys.readouterr().err
    assert f"such as {days[-3]:%Y-%m-%d}" in said
    assert f"so that a row stands for a {period}" in said
    assert not (tmp_path / "p").exists()


def meters(zone: str | None, every: str = "h", count: int = 200) -> pd.DataFrame:
    """What two meters read through some days of a zone, or of clocks without one."""
    last = pd.Timestamp(YESTERDAY) + pd.Timedelta(days=1)
    days = last - pd.Timedelta(days=count), last
    times = pd.date_range(*days, freq=every, inclusive="left", tz=zone)
    told = [time.isoformat() for time in times]
    load = np.random.default_rng(8).normal(100, 5, len(times)).round(2)
    one = pd.DataFrame({"time": told, "meter": "a", "load": load})
    return pd.concat([one, one.assign(meter="b", load=load + 50)])


def test_hours_are_series_of_their_own_and_offsets_tell_the_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write(meters("Europe/Berlin", count=360), tmp_path)
    project = make(table, tmp_path / "p", "--target", "load")
    assert project.time_zone == "Europe/Berlin"
    assert "A day begins in Europe/Berlin, as the offsets of time say" in capsys.readouterr().out
    assert project.aggregate is None
    assert project.columns.series == ["meter", "hour", "fold"]
    assert project.columns.time_of_day == ["hour", "fold"]
    assert project.columns.numeric == ["hour"]
    assert project.columns.categorical == ["meter"]
    assert project.features.lags[:2] == [1, 7]
    [lagged] = project.features.lagged_aggregates
    assert lagged.by == ["meter"]
    assert project.evaluation.slices == ["meter"]
    other = make(table, tmp_path / "o", "--target", "load", "--time-zone", "America/New_York")
    assert other.time_zone == "America/New_York"


@pytest.mark.long
def test_quarters_of_hours_and_hours_without_a_zone(tmp_path: Path) -> None:
    table = write(meters(None, "30min"), tmp_path)
    project = make(table, tmp_path / "p", "--target", "load")
    assert project.time_zone == "UTC"
    assert project.columns.series == ["meter", "hour", "quarter_hour"]
    assert project.columns.numeric == ["hour", "quarter_hour"]
    three = make(write(meters(None, "3h"), tmp_path), tmp_path / "t", "--target", "load")
    assert three.columns.series == ["meter", "hour"]
    # minutes are none of the parts: they come to a day, as asked
    five = write(meters(None, "5min", count=120), tmp_path)
    minutes = make(five, tmp_path / "m", "--target", "load")
    assert minutes.columns.series == ["meter"]
    assert minutes.aggregate is not None


def test_a_date_in_several_columns_is_one(tmp_path: Path) -> None:
    days = days_up_to(YESTERDAY, 200)
    rows = shop(days).assign(Year=days.year, Month=days.month, Day=days.day).drop(columns="date")
    project = make(write(rows, tmp_path), tmp_path / "p", "--target", "sold")
    assert project.columns.date_parts == DateParts(year="Year", month="Month", day="Day")
    assert project.columns.numeric == []
    found = make_source(project).read(days[3].date(), days[5].date())
    assert found["sold"].tolist() == rows["sold"].iloc[3:5].tolist()
    assert found["date"].tolist() == [days[3], days[4]]
    parquet = tmp_path / "table.parquet"
    rows.to_parquet(parquet, index=False)
    again = make(parquet, tmp_path / "q", "--target", "sold")
    assert make_source(again).read(days[3].date(), days[5].date()).equals(found)
