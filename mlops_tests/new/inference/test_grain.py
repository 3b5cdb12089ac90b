"""Tables whose rows stand for weeks, months or quarters."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.due_days import Grain, Weekday
from mlops_assets.new.answers import Answers
from mlops_assets.new.inference.facts import UndecidableError
from mlops_assets.new.inference.grain import find_grain
from mlops_assets.project import Project
from mlops_assets.resources.sources import make_source
from mlops_tests.new.tables import main, make, settings, write

SHOPS = ("harbour", "market", "museum")
LAST = pd.Timestamp("2026-11-17")  # a Tuesday


def sold(days: pd.DatetimeIndex, shops: tuple[str, ...] = SHOPS) -> pd.DataFrame:
    random = np.random.default_rng(6)
    parts = [
        pd.DataFrame({"date": days, "shop": shop, "sold": random.poisson(20 + 5 * n, len(days))})
        for n, shop in enumerate(shops)
    ]
    return pd.concat(parts, ignore_index=True)


def dates(*parts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(part) for part in parts]


def days_of(freq: str, count: int = 160) -> list[dt.date]:
    return [day.date() for day in pd.date_range(end=LAST, periods=count, freq=freq)]


@pytest.mark.parametrize(
    ("freq", "grain", "begins"),
    [
        ("W-MON", Grain.WEEK, Weekday.MON),
        ("W-SUN", Grain.WEEK, Weekday.MON),  # with which it ends
        ("W-SAT", Grain.WEEK, Weekday.SUN),
        ("W-FRI", Grain.WEEK, Weekday.SAT),
        ("MS", Grain.MONTH, Weekday.MON),
        ("ME", Grain.MONTH, Weekday.MON),
        ("BME", Grain.MONTH, Weekday.MON),  # on the last business day
        ("QE", Grain.QUARTER, Weekday.MON),
        ("QS", Grain.QUARTER, Weekday.MON),
    ],
)
def test_the_steps_between_rows_tell_the_grain(freq: str, grain: Grain, begins: Weekday) -> None:
    found = find_grain(days_of(freq))
    assert found is not None
    assert (found.value.grain, found.value.week_begins) == (grain, begins)


def test_weeks_on_different_weekdays_are_those_from_monday() -> None:
    mondays = pd.date_range(end="2026-11-16", periods=100, freq="7D")
    moved = [(day + pd.Timedelta(days=n // 8 % 7)).date() for n, day in enumerate(mondays)]
    found = find_grain(moved)
    assert found is not None
    assert (found.value.grain, found.value.week_begins) == (Grain.WEEK, Weekday.MON)


def test_a_week_that_is_missing_and_a_holiday_change_nothing() -> None:
    fridays = days_of("W-FRI")
    fridays[40] -= dt.timedelta(days=1)  # dated on a Thursday, as the Friday was a holiday
    del fridays[90]
    found = find_grain(fridays)
    assert found is not None
    assert found.value.week_begins is Weekday.SAT


def test_days_are_no_longer_periods() -> None:
    assert find_grain(days_of("D")) is None
    assert find_grain(days_of("B")) is None
    assert find_grain(days_of("3D")) is None
    assert find_grain(dates("2026-01-01", "2026-02-01")) is None  # one step tells nothing


@pytest.mark.parametrize(
    ("freq", "what"),
    [("14D", "two weeks"), ("YE", "year"), ("QE-JAN", "quarter"), ("61D", "quarter")],
)
def test_other_periods_are_refused(freq: str, what: str) -> None:
    with pytest.raises(UndecidableError, match=f"stands for a {what}; a project is evaluated by"):
        find_grain(days_of(freq, 60))


def dated(project: Project) -> list[str]:
    """The dates of the rows of a source, as the project has them."""
    span = make_source(project).span()
    assert span is not None
    rows = make_source(project).read(span[0], span[1] + dt.timedelta(days=1))
    return sorted(rows[project.columns.date].dt.strftime("%Y-%m-%d").unique())


def test_a_table_of_weeks(tmp_path: Path) -> None:
    table = write(sold(pd.date_range("2023-11-19", "2026-11-15", freq="W-SUN")), tmp_path)
    project = make(table, tmp_path / "p", "--target", "sold")
    assert (project.grain, project.week_begins) == ("week", "mon")
    assert project.due.daily is False
    assert project.columns.series == ["shop"]
    assert project.features.lags == [1, 2, 3, 4, 52]
    assert project.features.calendar == ["week_of_year", "month"]
    assert project.first_day is not None
    assert project.first_day.weekday() == 0
    assert dated(project)[-2:] == ["2026-11-02", "2026-11-09"]
    assert "grain" in settings(tmp_path / "p")
    text = (tmp_path / "p/project.yaml").read_text()
    assert "grain: week  # the days with rows are 7 days apart: weeks, dated on Sunday" in text
    assert "description: sold, forecast one week ahead." in text
    profile = (tmp_path / "p/profile.md").read_text()
    assert "- Weeks: 2023-11-13 to 2026-11-09, 157 in all, 100.0% of them with rows" in profile
    other = make(table, tmp_path / "sunday", "--target", "sold", "--week-begins", "sun")
    assert other.week_begins == "sun"
    assert dated(other)[-1] == "2026-11-15"


def test_with_which_day_a_week_begins_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write(sold(pd.date_range("2023-11-19", "2026-11-15", freq="W-SUN")), tmp_path)
    nobody = Answers(yes=False, interactive=False)
    assert main([str(table), "--out", str(tmp_path / "p"), "--target", "sold"], nobody) == 2
    assert "--week-begins mon" in capsys.readouterr().err


def test_a_table_of_months_of_one_series(tmp_path: Path) -> None:
    days = pd.date_range("2011-11-30", "2026-10-31", freq="ME")
    rows = pd.DataFrame({"month": days, "sold": np.arange(len(days)) % 12 + 5.0})
    project = make(write(rows, tmp_path), tmp_path / "p")
    assert project.grain == "month"
    # the feature `month` has the name of the column
    assert project.columns.date == "date"
    assert project.columns.source_names == {"date": "month"}
    assert project.features.calendar == ["month"]
    assert dated(project)[-1] == "2026-10-01"
    assert project.champion.window_days == 24
    assert project.training.window_months == 60


@pytest.mark.parametrize(
    ("texts", "grain", "last"),
    [
        (["%G-W%V", "W-MON"], "week", "2026-11-16"),
        (["%Y-%b", "MS"], "month", "2026-11-01"),
        (["%m/%Y", "MS"], "month", "2026-11-01"),
    ],
)
def test_periods_that_are_written_as_such(
    tmp_path: Path, texts: list[str], grain: str, last: str
) -> None:
    form, freq = texts
    days = pd.date_range(end=LAST, periods=160, freq=freq)
    rows = sold(days).assign(date=lambda rows: rows["date"].dt.strftime(form))
    rows.to_csv(tmp_path / "rows.csv", index=False)
    project = make(tmp_path / "rows.csv", tmp_path / "p", "--target", "sold")
    assert project.grain == grain
    assert dated(project)[-1] == last


def test_months_of_two_digits_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = pd.date_range(end=LAST, periods=160, freq="MS")
    rows = sold(days).assign(date=lambda rows: rows["date"].dt.strftime("%b-%y"))
    rows.to_csv(tmp_path / "rows.csv", index=False)
    arguments = [str(tmp_path / "rows.csv"), "--out", str(tmp_path / "p"), "--target", "sold"]
    assert main([*arguments, "--yes"]) == 1
    assert "write months such as 2026-01, weeks such as 2026-W05" in capsys.readouterr().err


def test_too_few_weeks_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write(sold(pd.date_range(end=LAST, periods=20, freq="W-MON")), tmp_path)
    assert main([str(table), "--out", str(tmp_path / "p"), "--target", "sold", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "20 weeks; 6 calendar months to learn from, after 2 weeks for the lags" in said


def test_a_recording_of_months_is_not_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write(sold(pd.date_range("2005-01-31", "2019-12-31", freq="ME")), tmp_path)
    asked = [str(table), "--out", str(tmp_path / "p"), "--target", "sold", "--yes"]
    assert main([*asked, "--replay"]) == 1
    assert "a recording of months cannot be played again" in capsys.readouterr().err
    project = make(table, tmp_path / "p", "--target", "sold")
    assert project.source.kind == "file"
    assert "schedules will find nothing to do" in (tmp_path / "p/profile.md").read_text()


@pytest.mark.long
def test_the_backtest_counts_periods(tmp_path: Path) -> None:
    months = pd.date_range("2011-11-01", "2026-10-01", freq="MS")
    season = 100 + 40 * np.sin(2 * np.pi * months.month.to_numpy() / 12)
    noise = np.random.default_rng(4).normal(0, 2, len(months))
    rows = pd.DataFrame({"date": months, "sold": (season + noise).round(1)})
    table, folder = write(rows, tmp_path), tmp_path / "p"
    assert main([str(table), "--out", str(folder), "--yes", "--seconds", "4"]) == 0
    text = (folder / "project.yaml").read_text()
    tried = re.search(r"# Tried on (\d+) months", text)
    assert tried
    assert int(tried[1]) in (12, 24, 36, 48)  # as many as the seconds allow
    assert "months of service" not in text or "of 180 months" in text
