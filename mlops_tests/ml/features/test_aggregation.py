"""Many rows of a day become one per key; days of 23 and 25 hours are days like others."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.assets.observations_type import prepared
from mlops_assets.ml.features.aggregation import aggregated
from mlops_assets.project import Project, ProjectError, load_project
from mlops_assets.resources.sources import make_source
from mlops_tests.ml.hours import hours_settings, write_hours

# Berlin put its clocks forward on 29 March 2026 and back on 25 October 2026
SPRING, AUTUMN = dt.date(2026, 3, 29), dt.date(2026, 10, 25)


def make_project(**aggregate: Any) -> Project:
    values = hours_settings()
    return Project.model_validate(values | {"aggregate": values["aggregate"] | aggregate})


def aggregate(project: Project, rows: pd.DataFrame, *, to_come: bool = False) -> pd.DataFrame:
    return aggregated(project.columns, project.aggregate, rows, to_come=to_come)


def hours(*rows: tuple[str, str, float | None, float | None, str | None]) -> pd.DataFrame:
    """Rows of (day, station, rentals, temperature, weather)."""
    names = ["hour", "station", "rentals", "temperature", "weather"]
    frame = pd.DataFrame(list(rows), columns=names)
    types = {"hour": "datetime64[ns]", "rentals": float, "temperature": float}
    return frame.astype(types)[make_project().column_names]


def test_a_day_by_hand() -> None:
    rows = hours(
        ("2026-03-02", "b", 1, 3.0, "rain"),
        ("2026-03-01", "a", 2, 1.0, "sun"),
        ("2026-03-01", "a", 3, None, "rain"),
        ("2026-03-01", "a", 5, 5.0, "rain"),
        ("2026-03-01", "b", 4, 2.0, None),
    )
    copy = rows.copy(deep=True)
    found = aggregate(make_project(), rows)
    assert list(found.columns) == make_project().column_names
    assert found["hour"].dt.day.tolist() == [1, 1, 2]
    assert found["station"].tolist() == ["a", "b", "b"]
    assert found["rentals"].tolist() == [10, 4, 1]
    assert found["temperature"].tolist() == [3, 2, 3]
    assert found["weather"].fillna("none").tolist() == ["rain", "none", "rain"]
    pd.testing.assert_frame_equal(rows, copy)


def test_a_sum_with_a_gap_is_a_gap_and_the_first_in_order_wins_a_tie() -> None:
    rows = hours(
        ("2026-03-01", "a", 2, None, "sun"),
        ("2026-03-01", "a", None, None, "rain"),
    )
    [found] = aggregate(make_project(), rows).to_dict("records")
    assert pd.isna(found["rentals"])
    assert pd.isna(found["temperature"])
    assert found["weather"] == "rain"


def test_the_last_of_repeated_rows_is_the_last_that_is_there() -> None:
    project = make_project(
        target="last", inputs={"temperature": "last", "weather": "last"}, min_rows=1, max_rows=None
    )
    rows = hours(
        ("2026-03-01", "a", 2, 1.0, "sun"),
        ("2026-03-01", "b", 7, 4.0, "fog"),
        ("2026-03-01", "a", 5, None, "rain"),
    )
    found = aggregate(project, rows)
    assert found["rentals"].tolist() == [5, 7]
    assert found["temperature"].tolist() == [1, 4]
    assert found["weather"].tolist() == ["rain", "fog"]


def test_without_keys_a_day_is_one_row() -> None:
    values = hours_settings()
    values["columns"] |= {"series": [], "categorical": ["weather"]}
    values["features"] = {}
    values["models"] = [{"name": "usual", "family": "historical_mean"}]
    values["evaluation"] |= {"baseline": "usual", "slices": []}
    project = Project.model_validate(values)
    rows = hours(("2026-03-01", "a", 2, 1.0, "sun"), ("2026-03-01", "b", 3, 2.0, "sun"))
    found = aggregate(project, rows.drop(columns="station"))
    assert found["rentals"].tolist() == [5]


def test_too_few_and_too_many_rows_are_refused() -> None:
    one = ("2026-03-01", "a", 1.0, 1.0, "sun")
    with pytest.raises(ValueError, match=r"2026-03-01 has 1 row\(s\) of a, fewer than .* of 2"):
        aggregate(make_project(min_rows=2), hours(one))
    with pytest.raises(ValueError, match=r"has 3 row\(s\) of a, more than .* of 2 .*removed"):
        aggregate(make_project(max_rows=2), hours(one, one, one))
    assert len(aggregate(make_project(min_rows=2, max_rows=2), hours(one, one))) == 1


def test_a_key_to_come_that_is_not_whole_is_not_known_yet() -> None:
    rows = hours(
        ("2026-03-01", "a", None, 1.0, "sun"),
        ("2026-03-01", "b", None, 1.0, "sun"),
        ("2026-03-01", "b", None, 3.0, "sun"),
    )
    found = aggregate(make_project(min_rows=2), rows, to_come=True)
    assert found[["station", "temperature"]].to_numpy().tolist() == [["b", 2.0]]
    assert aggregate(make_project(min_rows=3), rows, to_come=True).empty


def test_no_rows_stay_no_rows() -> None:
    assert aggregate(make_project(min_rows=23), hours()).empty


@pytest.mark.parametrize("zoned", [True, False])
@pytest.mark.parametrize(("day", "count"), [(SPRING, 23), (AUTUMN, 25)])
def test_days_of_the_change_of_clocks(
    tmp_path: Path, day: dt.date, count: int, zoned: bool
) -> None:
    """Hours told in UTC or in local time: one rental in each makes the day's sum."""
    one_day = dt.timedelta(days=1)
    file = write_hours(tmp_path, day - one_day, day + one_day, zoned=zoned)
    project = load_project(file)
    assert project.aggregate is not None
    assert (project.aggregate.min_rows, project.aggregate.max_rows) == (23, 25)
    source = make_source(project)
    found = prepared(project, source.read(day - one_day, day + 2 * one_day))
    alone = prepared(project, source.read(day, day + one_day))
    for rows in (found[found["station"] == "a"], found[found["station"] == "b"]):
        assert rows["hour"].dt.date.tolist() == [day - one_day, day, day + one_day]
        assert rows["rentals"].tolist() == [24, count, 24]
    assert alone["rentals"].tolist() == [count, count]


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        ({"by": ["rentals"]}, "aggregate.by: 'rentals' not among: station, weather"),
        ({"by": ["weather"]}, "aggregate.by: 'station' is part of the series and must be in it"),
        ({"inputs": {"weather": "most_common"}}, "aggregate.inputs: 'temperature' missing"),
        (
            {"inputs": {"temperature": "most_common", "weather": "most_common"}},
            "aggregate.inputs.temperature: most_common does not suit it",
        ),
        (
            {"inputs": {"temperature": "mean", "weather": "mean"}},
            "aggregate.inputs.weather: mean does not suit it",
        ),
        ({"inputs": {"wind": "mean"}}, "aggregate.inputs: 'wind' not among: temperature, weather"),
        ({"min_rows": 5, "max_rows": 2}, "no day has at least 5 and at most 2 rows"),
        ({"target": "most_common"}, "aggregate.target"),
    ],
)
def test_what_cannot_be_aggregated_is_named(
    tmp_path: Path, aggregate: dict[str, Any], message: str
) -> None:
    file = write_hours(tmp_path, SPRING, SPRING, zoned=True, aggregate=aggregate)
    with pytest.raises(ProjectError) as caught:
        load_project(file)
    assert message in str(caught.value)
