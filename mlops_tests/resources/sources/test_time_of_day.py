"""The hour of a row, its quarter, and the hour that comes again."""

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.ml.features.feature_settings import TimePart
from mlops_assets.project import ColumnSettings, FileSettings
from mlops_assets.resources.sources.dates import local_times
from mlops_assets.resources.sources.rows import finished
from mlops_assets.resources.sources.samples import reading

BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"


def parts(texts: list[object], zone: str, *, series: list[str] | None = None) -> pd.DataFrame:
    """The parts of times; rows are told apart by `shop`."""
    every = [*TimePart]
    columns = ColumnSettings(
        date="at", target="n", series=["shop", *every], time_of_day=every, numeric=["hour"]
    )
    project = reading(FileSettings(kind="file", path="x.csv"), zone, columns)
    shops = series or ["a"] * len(texts)
    table = pa.table({"at": pa.array(texts), "n": [1.0] * len(texts), "shop": shops})
    return finished(project, table, "x.csv", None)


@pytest.mark.parametrize(
    ("text", "zone", "hour", "quarter", "fold"),
    [
        ("2026-01-31 23:59:59", "UTC", 23, 3, 0),
        ("2026-01-31", "UTC", 0, 0, 0),
        ("1/31/2026 3:15 PM", "UTC", 15, 1, 0),
        ("1/31/2026 12:05 AM", "UTC", 0, 0, 0),
        ("1/31/2026 12:30 pm", "UTC", 12, 2, 0),
        ("2026-01-31T23:30:00Z", BERLIN, 0, 2, 0),
        # clocks go back from 3 to 2 on 25 October 2026: 02:30 comes twice
        ("2026-10-25T01:30:00+02:00", BERLIN, 1, 2, 0),
        ("2026-10-25T02:30:00+02:00", BERLIN, 2, 2, 0),
        ("2026-10-25T02:30:00+01:00", BERLIN, 2, 2, 1),
        ("2026-10-25T03:30:00+01:00", BERLIN, 3, 2, 0),
        # and forward from 2 to 3 on 29 March
        ("2026-03-29T01:59:00+01:00", BERLIN, 1, 3, 0),
        ("2026-03-29T03:00:00+02:00", BERLIN, 3, 0, 0),
        # by half an hour, from 2:00 to 1:30, on 5 April 2026
        ("2026-04-05T01:45:00+11:00", LORD_HOWE, 1, 3, 0),
        ("2026-04-05T01:45:00+10:30", LORD_HOWE, 1, 3, 1),
        ("2026-04-05T01:15:00+11:00", LORD_HOWE, 1, 1, 0),
        # an instant: 01:30 UTC on 25 October 2026 is 02:30 in Berlin for the second time
        (1792891800, BERLIN, 2, 2, 1),
    ],
)
def test_parts_of_a_time(text: object, zone: str, hour: int, quarter: int, fold: int) -> None:
    found = parts([text], zone)[["hour", "quarter_hour", "fold"]]
    assert found.dtypes.eq("float64").all()
    assert found.iloc[0].tolist() == [hour, quarter, fold]


def test_without_a_zone_the_second_of_an_hour_that_comes_twice_comes_again() -> None:
    times = ["2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 02:00"]
    found = parts(times, BERLIN, series=["a", "b", "a", "b"])
    assert found["fold"].tolist() == [0, 0, 1, 1]
    # a row that is there twice at another time is no hour of its own
    assert parts(["2026-10-25 04:00", "2026-10-25 04:00"], BERLIN)["fold"].tolist() == [0, 0]
    assert parts(["2026-10-24 02:00", "2026-10-24 02:00"], BERLIN)["fold"].tolist() == [0, 0]


def test_stamps_of_a_type_tell_the_same_as_text() -> None:
    instants = pd.date_range("2026-10-25", periods=25, freq="h", tz=BERLIN)
    texts = [instant.isoformat() for instant in instants]
    by_type = parts(list(instants), BERLIN)
    pd.testing.assert_frame_equal(by_type, parts(list(texts), BERLIN))
    assert by_type["hour"].tolist() == [0, 1, 2, 2, *range(3, 24)]
    assert by_type["fold"].tolist() == [0, 0, 0, 1, *[0] * 21]


def test_a_source_that_has_such_a_column_does_not_give_it() -> None:
    columns = ColumnSettings(date="at", target="n", numeric=["hour"], time_of_day=[TimePart.HOUR])
    project = reading(FileSettings(kind="file", path="x.csv"), "UTC", columns)
    table = pa.table({"at": ["2026-01-31 07:00"], "n": [1.0], "hour": [99.0]})
    assert finished(project, table, "x.csv", None)["hour"].tolist() == [7.0]
    assert local_times(pa.array(["2026-01-31 07:00"]), "x", "UTC").local[0] == pd.Timestamp(
        "2026-01-31 07:00"
    )
