"""Tables of every kind become projects that load; what cannot is refused, and nothing written."""

import datetime as dt
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from mlops_assets.project import FileSettings, ReplaySettings, SqlSettings
from mlops_tests.new.tables import (
    YESTERDAY,
    Person,
    days_up_to,
    flights,
    hours,
    main,
    make,
    settings,
    shops,
    write,
)

OLD = dt.date(2020, 6, 30)


def test_a_row_per_shop_product_and_day_is_a_project_of_series(tmp_path: Path) -> None:
    project = make(write(shops(), tmp_path), tmp_path / "demand", "--target", "sold")
    assert project.name == "demand"
    assert isinstance(project.source, FileSettings)
    assert project.source.path == "../table.csv"
    assert project.columns.date == "day"
    assert project.columns.series == ["shop", "product"]
    assert project.columns.numeric == ["price", "promotion"]
    assert project.columns.categorical == ["shop", "product"]
    assert project.constraints["price"].nullable
    assert project.constraints["sold"].min == 0
    assert not project.constraints["promotion"].nullable
    assert project.evaluation.primary == "wmape"
    assert project.evaluation.baseline == "seasonal_naive"
    assert "tweedie_deviance" in str(project.evaluation.metrics)
    text = (tmp_path / "demand" / "project.yaml").read_text(encoding="utf-8")
    assert "# left out: receipt: different in every row" in text


def test_the_history_of_a_table_leaves_two_months_of_service(tmp_path: Path) -> None:
    project = make(write(shops(dt.date(2026, 6, 30), 181), tmp_path), tmp_path / "p",
                   "--target", "sold", "--no-replay")  # fmt: skip
    # 1 January to 30 June: with lags of 28 days features begin on 29 January, so that a window of
    # three months is whole on 1 May, 61 days before the end; one of four months on 1 June
    assert project.first_day == dt.date(2026, 1, 1)
    assert project.features.lags == [1, 7, 14, 28]
    assert project.training.window_months == 3


def test_flights_are_events_with_the_past_of_their_carrier(tmp_path: Path) -> None:
    project = make(write(flights(), tmp_path), tmp_path / "p", "--target", "delay")
    assert project.columns.series == []
    assert project.columns.numeric == ["distance"]
    assert project.columns.categorical == ["carrier"]
    assert not project.non_negative
    assert project.evaluation.metrics == ["mae", "rmse", "bias"]
    assert project.evaluation.primary == "mae"
    assert [one.by for one in project.features.lagged_aggregates] == [[], ["carrier"]]
    assert project.model("usual").hyperparameters == {"by": ["carrier", "day_of_week"]}
    profile = (tmp_path / "p" / "profile.md").read_text(encoding="utf-8")
    assert "minutes_late: moves as the target does" in profile


def test_hours_become_days_on_demand(tmp_path: Path) -> None:
    flags = ("--target", "rentals", "--aggregate", "sum")
    project = make(write(hours(), tmp_path), tmp_path / "p", *flags)
    assert project.aggregate is not None
    assert project.aggregate.target == "sum"
    assert (project.aggregate.min_rows, project.aggregate.max_rows) == (23, 25)
    assert project.aggregate.inputs == {"temperature": "mean", "weather": "most_common"}
    assert project.columns.numeric == [
        "temperature"
    ]  # the hours are the same, the parts of the sum tell the target


@pytest.mark.long
def test_hours_stay_hours(tmp_path: Path) -> None:
    flags = ("--target", "temperature")
    project = make(write(hours(), tmp_path), tmp_path / "p", *flags)
    assert project.aggregate is None
    assert "hour" in project.columns.numeric
    assert project.columns.series == ["hour"]
    again = make(write(hours(), tmp_path), tmp_path / "again", *flags, "--aggregate", "none")
    assert again.columns == project.columns


def test_a_number_a_day_follows_its_own_past(tmp_path: Path) -> None:
    load = np.random.default_rng(4).normal(100, 5, 200)
    rows = pd.DataFrame({"date": days_up_to(YESTERDAY, 200), "load": load})
    project = make(write(rows, tmp_path), tmp_path / "p")
    assert project.columns.target == "load"
    [lagged] = project.features.lagged_aggregates
    assert lagged.by == []
    assert lagged.lags[:2] == [1, 7]


@pytest.mark.long
def test_a_finished_recording_of_a_year_is_replayed(tmp_path: Path) -> None:
    file = write(shops(OLD, 400), tmp_path)
    project = make(file, tmp_path / "p", "--target", "sold")
    assert isinstance(project.source, ReplaySettings)
    assert project.first_day is None
    kept = make(file, tmp_path / "kept", "--target", "sold", "--no-replay")
    assert isinstance(kept.source, FileSettings)
    # no more than half a year of service is built
    assert kept.first_day is not None
    assert kept.first_day > dt.date(2019, 6, 1)
    short = make(write(shops(OLD, 100), tmp_path, "s.csv"), tmp_path / "s", "--target", "sold")
    assert isinstance(short.source, FileSettings)
    assert "schedules will find nothing" in (tmp_path / "s" / "profile.md").read_text()


def test_a_dialect_is_read_as_it_is_later(tmp_path: Path) -> None:
    rows = shops().assign(day=lambda rows: rows["day"].dt.strftime("%d.%m.%Y"))
    file = write(rows, tmp_path, "t.csv.gz", sep=";", decimal=",", encoding="latin-1")
    project = make(file, tmp_path / "p", "--target", "sold")
    assert project.columns.numeric == ["price", "promotion"]


def test_parquet_in_folders_of_days(tmp_path: Path) -> None:
    for day, rows in shops(count=100).groupby("day"):
        folder = tmp_path / "rows" / f"day={day:%Y-%m-%d}"
        folder.mkdir(parents=True)
        rows.drop(columns="day").to_parquet(folder / "part.parquet", index=False)
    project = make(tmp_path / "rows", tmp_path / "p", "--target", "sold")
    assert project.columns.date == "day"
    assert project.columns.series == ["shop", "product"]
    # of 100 folders not all are read
    assert "Only a part of the rows was read" in (tmp_path / "p" / "profile.md").read_text()


def test_a_table_of_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    rows = shops().assign(day=lambda rows: rows["day"].dt.strftime("%Y-%m-%d"))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    rows.to_sql("sales", engine, index=False)
    engine.dispose()
    monkeypatch.setenv("SHOP_URL", url)
    project = make("sales", tmp_path / "p", "--target", "sold", "--sql-url-env", "SHOP_URL")
    assert isinstance(project.source, SqlSettings)
    assert (project.source.url_env, project.source.table) == ("SHOP_URL", "sales")
    assert project.columns.series == ["shop", "product"]
    assert url not in (tmp_path / "p" / "project.yaml").read_text()


def test_two_labels_are_classes(tmp_path: Path) -> None:
    late = np.where(flights()["delay"] > 25, "yes", "no")
    rows = flights().assign(late=late).drop(columns=["delay", "minutes_late"])
    project = make(write(rows, tmp_path), tmp_path / "p", "--target", "late")
    assert project.task == "classification"
    assert project.labels == ("no", "yes")
    assert project.evaluation.baseline == "prior"
    assert project.columns.numeric == ["distance"]
    assert settings(tmp_path / "p")["classes"] == {"labels": ["no", "yes"], "positive": "yes"}


def test_several_labels_have_no_lags(tmp_path: Path) -> None:
    delay = flights()["delay"]
    kind = np.where(delay > 40, "bad", np.where(delay > 10, "late", "good"))
    rows = flights().assign(kind=kind).drop(columns=["delay", "minutes_late"])
    project = make(write(rows, tmp_path), tmp_path / "p", "--target", "kind")
    assert project.labels == ("bad", "good", "late")
    assert project.longest_lag == 0


def test_flags_of_a_parquet_file_are_classes(tmp_path: Path) -> None:
    rows = flights().assign(late=lambda rows: rows["delay"] > 25)
    file = tmp_path / "t.parquet"
    rows.drop(columns=["delay", "minutes_late"]).to_parquet(file)
    project = make(file, tmp_path / "p", "--target", "late")
    assert project.labels == ("false", "true")


@pytest.mark.parametrize(
    ("change", "flags", "reason"),
    [
        ({"day": "soon"}, [], "no column holds dates"),
        ({"sold": "many"}, ["--target", "sold"], "no two values"),
        ({"sold": None}, ["--target", "sold"], "no two values"),
        ({}, ["--target", "receipt"], "not numeric"),
        ({}, ["--target", "day"], "holds dates"),
        ({}, ["--target", "sales"], "is no column; the columns are: shop"),
        ({}, [], "Nothing tells; name it with --target: price, sold"),
        ({}, ["--target", "sold", "--date", "shop"], "holds no dates"),
        ({}, ["--target", "sold", "--series", "shop,town"], "'town' cannot name series"),
        ({}, ["--target", "sold", "--leave-out", "town"], "'town' is no input"),
        ({}, ["--target", "sold", "--replay"], "a replay needs 364"),
        ({}, ["--target", "sold", "--decimal", "x"], "--decimal"),
        ({}, ["--target", "sold", "--sql-url-env", "A B"], "environment variable"),
        ({}, ["--target", "sold", "--sql-url-env", "NOT_SET_AT_ALL"], "is not set"),
    ],
)
def test_what_makes_no_project_is_refused(
    change: dict[str, object],
    flags: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write(shops().assign(**change), tmp_path)
    assert main([str(file), "--out", str(tmp_path / "p"), "--yes", *flags]) == 1
    assert_nothing(tmp_path, reason, capsys)


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        (["2026-01-31", "01/02/2026"], "dates in two formats"),
        (["31/01/2026", "01/31/2026"], "dates in two formats"),
        (["2026-01-31T10:00", "2026-02-01T10:00Z"], "with and without a time zone"),
        (["2026-01-31", ""], "is empty in 200 row"),
        (["2026-01-31", "2026-02-31"], "is no date: '2026-02-31'"),
        (["20261331", "20261332"], "no column holds dates"),
        (["03/01/2026", "04/01/2026"], "--dates"),
    ],
)
def test_dates_that_cannot_be_told_are_refused(
    dates: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(pd.DataFrame({"date": dates * 200, "units": range(400)}), tmp_path)
    assert main([str(file), "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert_nothing(tmp_path, reason, capsys)


def test_too_few_days_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(shops(dt.date(2026, 2, 25), 55), tmp_path)
    assert main([str(file), "--target", "sold", "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert_nothing(tmp_path, "2026-01-02 to 2026-02-25, 55 days", capsys)


def test_a_target_that_often_lacks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shops()
    file = write(rows.assign(sold=rows["sold"].where(rows["day"].dt.day > 16)), tmp_path)
    assert main([str(file), "--target", "sold", "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert_nothing(tmp_path, "'sold' is missing in", capsys)


def test_a_missing_file_and_an_empty_one_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "a.csv"), "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert_nothing(tmp_path, "no file matches", capsys)
    (tmp_path / "b.csv").write_text("date,units\n")
    assert main([str(tmp_path / "b.csv"), "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert_nothing(tmp_path, "holds no rows", capsys)


def assert_nothing(folder: Path, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = capsys.readouterr().err
    assert reason in told
    assert "Nothing was written." in told
    assert not (folder / "p").exists()


def test_settings_that_are_there_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = write(shops(), tmp_path), tmp_path / "p"
    out.mkdir()
    (out / "project.yaml").write_text("mine")
    assert main([str(file), "--target", "sold", "--out", str(out), "--yes"]) == 1
    assert "--force" in capsys.readouterr().err
    assert (out / "project.yaml").read_text() == "mine"
    assert make(file, out, "--target", "sold", "--force").columns.target == "sold"


@pytest.mark.long
def test_nobody_there_is_told_the_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    file = write(hours(OLD, 400), tmp_path)
    flags = [str(file), "--target", "rentals", "--out", str(tmp_path / "p")]
    assert main(flags) == 2
    told = capsys.readouterr().err
    asked = re.findall(r"^  (--[\w-]+)", told, re.MULTILINE)
    assert asked == ["--leave-out", "--replay"]
    assert not (tmp_path / "p").exists()
    del flags[1:3]
    assert main(flags) == 2
    assert "--target temperature or casual or registered" not in capsys.readouterr().err
    assert main([str(write(shops(), tmp_path, "s.csv")), "--out", str(tmp_path / "p")]) == 2
    assert "--target price or sold" in capsys.readouterr().err
    answered = [
        "--target",
        "rentals",
        "--aggregate",
        "sum",
        "--leave-out",
        "temperature",
        "--no-replay",
    ]
    assert main([*flags, *answered]) == 0
    assert settings(tmp_path / "p")["columns"]["numeric"] == []


def test_a_person_is_asked_only_what_nothing_tells(tmp_path: Path) -> None:
    rows = shops().assign(booked=lambda rows: rows["day"] + pd.Timedelta(days=3))
    file = write(rows, tmp_path)
    person = Person(["", "units", "sold", "price"])
    assert main([str(file), "--out", str(tmp_path / "p")], person) == 0
    assert person.prompts == [
        "--date [day]: ",
        "--target: ",  # asked again: units is no column
        "--target: ",
        "--leave-out [none]: ",
    ]
    columns = settings(tmp_path / "p")["columns"]
    assert (columns["date"], columns["target"]) == ("day", "sold")
    assert columns["numeric"] == ["promotion"]


def test_the_order_of_dates_is_asked(tmp_path: Path) -> None:
    days = [f"0{month}/0{day}/2026" for month in range(1, 10) for day in range(1, 10)] * 3
    file = write(pd.DataFrame({"date": days, "units": range(len(days))}), tmp_path)
    person = Person(["month_first", ""])
    out = tmp_path / "p"
    assert main([str(file), "--target", "units", "--out", str(out)], person) == 0
    assert settings(out)["source"]["csv"] == {"dates": "month_first"}


def test_names_that_yaml_would_misread_come_through(tmp_path: Path) -> None:
    names = {"price": "price: [€] #1", "promotion": "on", "shop": "'null'", "sold": "1"}
    project = make(
        write(shops().rename(columns=names), tmp_path), tmp_path / "2 Shops!", "--target", "1"
    )
    assert project.name == "p_2_shops"
    assert project.columns.numeric == ["price: [€] #1", "on"]
    assert project.columns.series == ["'null'", "product"]
    assert project.columns.target == "1"


def test_a_zone_a_replay_and_a_class_are_asked(tmp_path: Path) -> None:
    times = flights(OLD, 400)["date"].dt.strftime("%Y-%m-%dT12:00+02:00")
    late = np.where(flights(OLD, 400)["delay"] > 25, "much", "little")
    rows = flights(OLD, 400).assign(date=times, late=late)
    file = write(rows.drop(columns=["delay", "minutes_late"]), tmp_path)
    replies = ["Mars/Base", "Europe/Athens", "", "", "perhaps", "n"]
    person, out = Person(replies), tmp_path / "p"
    assert main([str(file), "--target", "late", "--out", str(out)], person) == 0
    written = settings(out)
    assert written["time_zone"] == "Europe/Athens"
    assert written["classes"]["positive"] == "much"  # the rarer one
    assert written["source"]["kind"] == "file"
    assert person.replies == []


def test_files_of_a_glob_are_one_table(tmp_path: Path) -> None:
    for shop, rows in shops().groupby("shop"):
        write(rows, tmp_path, f"{shop}.csv")
    project = make(tmp_path / "*th.csv", tmp_path / "p", "--target", "sold")
    assert isinstance(project.source, FileSettings)
    assert project.source.path == "../*th.csv"
    assert project.columns.series == ["shop", "product"]


def test_the_folder_is_called_like_the_table_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(shops(), tmp_path, "sales.2026.csv")
    assert main(["sales.2026.csv", "--target", "sold", "--yes"]) == 0
    assert settings(tmp_path / "sales")["name"] == "sales"


def test_what_to_do_next_is_told_free_of_the_project_of_this_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MLOPS_PROJECT", "MLOPS_ROOT", "MLOPS_WORKSPACE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    file, command = write(shops(), tmp_path), Path(sys.executable).with_name("mlops-assets")
    monkeypatch.setenv("PATH", str(tmp_path))
    make(file, tmp_path / "my shop", "--target", "sold")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  cd '{tmp_path}/my shop' && {command} run"
    monkeypatch.setenv("PATH", str(command.parent))
    monkeypatch.setenv("MLOPS_ROOT", "elsewhere")
    monkeypatch.setenv("DAGSTER_HOME", "elsewhere")
    make(file, tmp_path / "shop", "--target", "sold")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"  cd {tmp_path}/shop && env -u MLOPS_ROOT -u DAGSTER_HOME mlops-assets run"
