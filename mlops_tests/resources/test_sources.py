"""Sources: each row on its own day, a replayed one on the same weekday for ever."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from mlops_assets.project import PROJECT_FILE, Project, ProjectError, load_project
from mlops_assets.resources.sources import Source, SourceError, check_columns, make_source
from mlops_assets.resources.storage import LocalStorage

COLUMNS = ["date", "units"]


def problem(folder: Path, source: dict[str, Any], time_zone: str = "UTC") -> Project:
    """A project of plain rows with a date and a target, whose source is this one."""
    settings = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8")) | {
        "source": source,
        "first_day": dt.date(2026, 1, 1),
        "time_zone": time_zone,
        "columns": {"date": "date", "target": "units"},
        "constraints": {"units": {"min": 0}},
        "features": {"calendar": ["day_of_week"]},
        "models": [{"name": "linear", "family": "ridge"}],
    }
    settings["evaluation"] |= {"yardstick": "linear", "slices": []}
    return Project.model_validate({**settings, "folder": folder})


def write(folder: Path, name: str, dates: list[str], ending: str = "csv") -> Path:
    frame = pd.DataFrame({"date": dates, "units": range(len(dates)), "unused": 1})
    file = folder / f"{name}.{ending}"
    if ending == "parquet":
        frame.to_parquet(file, index=False)
    else:
        frame.to_csv(file, index=False)
    return file


def source(pattern: Path, time_zone: str = "UTC", kind: str = "file") -> Source:
    settings = {"kind": kind, "path": str(pattern)}
    return make_source(problem(pattern.parent, settings, time_zone))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_window_is_half_open_and_files_of_a_glob_are_one_source(
    tmp_path: Path, ending: str
) -> None:
    write(tmp_path, "b", ["2026-01-03 00:00", "2026-01-01 13:30"], ending)
    write(tmp_path, "a", ["2026-01-02"], ending)
    rows = source(tmp_path / f"*.{ending}").read(dt.date(2026, 1, 1), dt.date(2026, 1, 3))
    assert rows.columns.tolist() == COLUMNS
    assert rows["date"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-01", "2026-01-02"]


def test_times_with_a_zone_fall_on_the_local_day(tmp_path: Path) -> None:
    file = write(tmp_path, "a", ["2026-01-02T03:00:00Z", "2026-01-02T09:00:00Z"])
    rows = source(file, "America/New_York").read(dt.date(2026, 1, 1), dt.date(2026, 1, 3))
    assert rows["date"].dt.day.tolist() == [1, 2]


def test_offsets_that_change_with_the_clocks(tmp_path: Path) -> None:
    # Paris changed from +01:00 to +02:00 on 29 March 2026; 23:30Z on the 29th is the 30th there
    times = ["2026-03-28T00:30:00+01:00", "2026-03-30T00:30:00+02:00", "2026-03-29T23:30:00Z"]
    file = write(tmp_path, "a", times)
    rows = source(file, "Europe/Paris").read(dt.date(2026, 3, 1), dt.date(2026, 4, 1))
    assert rows["date"].dt.day.tolist() == [28, 30, 30]
    assert str(rows["date"].dtype) == "datetime64[ns]"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("day,units\n2026-01-01,1\n", r"lacks the column\(s\) date; it has day, units"),
        ("date,units\nyesterday,1\n", "column 'date' is no date"),
        ("", "cannot read"),
        (
            "date,units\n20260101,1\n",
            "'date' is no date: 20260101 is a number; write dates such as 2026-01-31",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(content)
    with pytest.raises(SourceError, match=message) as caught:
        source(file).read(dt.date(2026, 1, 1), dt.date(2026, 1, 2))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00 no table"])
def test_a_source_without_a_header_stops_loading(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    project = problem(tmp_path, {"kind": "replay", "path": name})
    with pytest.raises(ProjectError, match=rf"(source|columns): .*{name}"):
        check_columns(project, LocalStorage(str(tmp_path / "storage")))


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no file matches .*correct source\.path"):
        source(tmp_path / "*.csv").read(dt.date(2026, 1, 1), dt.date(2026, 1, 2))


def test_a_replay_keeps_the_weekday_and_returns_after_52_weeks(tmp_path: Path) -> None:
    # 365 recorded days from Sunday, 1 January 2017; the last one is never played
    days = [str(day.date()) for day in pd.date_range("2017-01-01", periods=365)]
    replay = source(write(tmp_path, "a", days), kind="replay")
    played = replay.read(dt.date(2016, 12, 25), dt.date(2019, 1, 10))
    assert len(played) == (dt.date(2019, 1, 10) - dt.date(2016, 12, 25)).days
    by_day = played.set_index("date")["units"]
    assert by_day["2017-01-01"] == 0
    assert by_day["2017-12-30"] == 363  # the 364th recorded day
    assert by_day["2017-12-31"] == 0  # then from the beginning: a Sunday again
    assert by_day["2018-12-30"] == 0
    assert by_day["2016-12-31"] == 363  # and so before the recording
    recorded = pd.Series(pd.date_range("2017-01-01", periods=365)).dt.dayofweek
    assert (recorded[by_day].to_numpy() == by_day.index.dayofweek).all()


def test_a_recording_shorter_than_the_loop_is_refused(tmp_path: Path) -> None:
    replay = source(write(tmp_path, "a", ["2017-01-01", "2017-05-01"]), kind="replay")
    with pytest.raises(SourceError, match="a replay needs 364 days"):
        replay.read(dt.date(2026, 1, 1), dt.date(2026, 1, 2))


def test_the_sample_as_it_is_shipped() -> None:
    project = load_project()
    rows = make_source(project).read(dt.date(2026, 11, 1), dt.date(2026, 11, 8))
    assert len(rows) == 7 * 226
    assert not rows.duplicated(["date", "department", "category"]).any()
    assert rows["units"].ge(0).all()
    assert rows["promotion"].between(0, 1).all()
