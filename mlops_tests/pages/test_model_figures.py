"""The figures of models say what the frames say, whatever the names are."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from mlops_assets.pages.drawing import PALETTE, line_style
from mlops_assets.pages.model_figures import (
    daily_figure,
    difference_figure,
    holiday_marks,
    slice_differences_figure,
    slices_figure,
)

EMPTY = pd.DataFrame()
LINES = {name: line_style(n) for n, name in enumerate(["good", "poor"])}


def daily_frame() -> pd.DataFrame:
    """Two models on nine days; `good` is retrained on the sixth and misses the fourth."""
    rows = [
        {
            "date": pd.Timestamp("2026-03-01") + pd.Timedelta(days=day),
            "model": model,
            "mae": 10.0 * day,
            "wmape": day + shift,
            "mae_7d": 5.0 * day,
            "wmape_7d": (day + shift) / 4,
            "rows": 5,
            "version": "v1" if model == "poor" or day < 5 else "v2",
            "trained_through": pd.Timestamp("2026-02-28").date(),
        }
        for model, shift in [("poor", 100.0), ("good", 0.0)]
        for day in range(9)
        if (model, day) != ("good", 3)
    ]
    return pd.DataFrame(rows)


def slices_frame() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("good", "Deli", 20, 5.0, 0.2),
            ("good", "Salad </script>", 20, 1.0, 0.4),
            ("good", "Wine", 20, math.nan, math.nan),
            ("poor", "Deli", 20, 6.0, 0.9),
            ("poor", "Salad </script>", 20, 7.0, 0.5),
        ],
        columns=["model", "slice", "rows", "mae", "wmape"],
    )


def daily(frame: pd.DataFrame, metric: str = "wmape") -> dict[str, Any]:
    figure = daily_figure(frame, metric, ["good", "poor"], LINES)
    assert figure
    return figure


def differences_frame() -> pd.DataFrame:
    """One model less another on three days, of which the second one is missing."""
    return pd.DataFrame(
        {
            "date": pd.to_datetime(["2026-03-01", "2026-03-03", "2026-03-04"]),
            "difference": [-0.1, 0.2, 0.2],
            "low": [-0.2, math.nan, 0.1],
            "high": [0.0, math.nan, 0.3],
            "rows": [5, 6, 7],
        }
    )


def test_plotly_accepts_every_figure() -> None:
    marks = holiday_marks({pd.Timestamp("2026-03-02").date(): "<A feast>"})
    assert "&lt;A feast&gt;" in str(marks)
    differences = differences_frame().assign(department=["a", "b", "c"])
    for figure in (
        daily_figure(daily_frame(), "wmape", ["good", "poor"], LINES, marks),
        slices_figure(slices_frame(), "wmape", ["good", "poor"], LINES),
        difference_figure(differences, "good", "poor", "wmape", marks),
        slice_differences_figure(differences, "department", "good", "poor", "wmape"),
    ):
        go.Figure(figure)


def test_daily_lines_and_those_of_the_week_up_to_each() -> None:
    single, week, *_ = daily(daily_frame())["data"]
    assert single["name"] == week["name"] == "good"
    assert single["legendgroup"] == week["legendgroup"]
    assert single["showlegend"] is False
    assert single["y"] == [0, 1, 2, None, 4, 5, 6, 7, 8]
    # as the leaderboard has them, which pools rows: no mean of days
    assert week["y"] == [0, 0.25, 0.5, None, 1, 1.25, 1.5, 1.75, 2]
    assert single["x"][3] == "2026-03-04"
    assert week["text"][4] == "4"
    assert week["customdata"][4] == ["v1", "2026-02-28"]
    assert week["customdata"][5] == ["v2", "2026-02-28"]
    other = daily(daily_frame(), "mae")
    assert other["data"][0]["y"][:3] == [0, 10, 20]
    assert other["layout"]["yaxis"]["title"]["text"] == "mae"


def test_a_dotted_line_marks_a_new_version() -> None:
    shapes = daily(daily_frame())["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes] == ["2026-03-06"]


def test_days_that_nobody_lived_through_stand_on_grey_ground() -> None:
    frame = daily_frame()
    shapes = daily(frame.assign(live=frame["date"] >= "2026-03-04"))["layout"]["shapes"]
    [grey] = [shape for shape in shapes if shape["type"] == "rect"]
    assert (grey["x0"], grey["x1"]) == ("2026-02-28 12:00:00", "2026-03-03 12:00:00")


def test_slices_start_where_the_best_model_has_its_largest_value() -> None:
    figure = slices_figure(slices_frame(), "wmape", ["good", "poor"], LINES)
    assert figure
    escaped = "Salad &lt;/script&gt;"
    assert [trace["name"] for trace in figure["data"]] == ["good", "poor"]
    assert figure["data"][0]["x"] == [0.2, 0.4, None]
    assert figure["layout"]["yaxis"]["categoryarray"] == [escaped, "Deli", "Wine"]
    other = slices_figure(slices_frame(), "mae", ["good", "poor"], LINES)
    assert other
    assert other["layout"]["yaxis"]["categoryarray"] == ["Deli", escaped, "Wine"]


def test_many_slices_are_cut() -> None:
    slices = pd.DataFrame({"slice": range(50), "model": "good", "rows": 1, "mae": range(50)})
    figure = slices_figure(slices, "mae", ["good"], LINES)
    assert figure
    order = figure["layout"]["yaxis"]["categoryarray"]
    assert (order[0], order[-1], len(order)) == ("49", "10", 40)


def test_a_model_has_one_colour_whatever_its_rank() -> None:
    for models in (["good", "poor"], ["poor", "good"]):
        figures = [
            daily_figure(daily_frame(), "wmape", models, LINES),
            slices_figure(slices_frame(), "wmape", models, LINES),
        ]
        colours = {
            (trace["name"], trace.get("line", trace.get("marker"))["color"])
            for figure in figures
            for trace in (figure or {})["data"]
        }
        assert colours == {("good", PALETTE[0]), ("poor", PALETTE[1])}


def test_names_cannot_become_markup() -> None:
    bad = "<b onclick=x>&</script>"
    figure = daily_figure(daily_frame().replace("good", bad), bad, [bad], {bad: line_style(0)})
    assert figure is None, "no such metric"
    figure = daily_figure(daily_frame().replace("good", bad), "mae", [bad], {bad: line_style(0)})
    assert figure
    assert figure["data"][0]["name"] == "&lt;b onclick=x&gt;&amp;&lt;/script&gt;"


def test_without_rows_there_is_no_figure() -> None:
    assert daily_figure(EMPTY, "mae", [], {}) is None
    assert slices_figure(EMPTY, "mae", [], {}) is None
    assert difference_figure(EMPTY, "a", "b", "mae") is None
    assert slice_differences_figure(EMPTY, "c", "a", "b", "mae") is None


def test_differences_have_their_interval_and_their_gaps() -> None:
    figure = difference_figure(differences_frame(), "good", "poor", "wmape")
    assert figure
    low, high, line = figure["data"]
    assert line["x"] == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
    assert line["y"] == [-0.1, None, 0.2, 0.2]
    assert (low["y"], high["y"]) == ([-0.2, None, None, 0.1], [0.0, None, None, 0.3])
    assert high["fill"] == "tonexty"
    assert figure["layout"]["yaxis"]["title"]["text"] == "difference of wmape"


def test_missing_values_everywhere_still_make_a_figure() -> None:
    frame = daily_frame().assign(wmape=None, wmape_7d=None, version=None, trained_through=None)
    built = daily(frame)
    assert set(built["data"][1]["y"]) == {None}
    assert built["data"][1]["customdata"][0] == ["unknown", "unknown"]
    assert built["layout"]["shapes"] == []


@pytest.mark.parametrize("frame", [daily_frame, slices_frame])
def test_inputs_are_left_alone(frame: Any) -> None:
    given = frame()
    if "slice" in given:
        slices_figure(given, "mae", ["good"], LINES)
    else:
        daily_figure(given, "mae", ["good"], LINES)
    pd.testing.assert_frame_equal(given, frame())


def test_weeks_have_no_gaps_between_them() -> None:
    frame = daily_frame()
    weeks = frame.assign(
        date=pd.Timestamp("2026-01-05") + 7 * (frame["date"] - frame["date"].min())
    )
    figure = daily_figure(weeks.assign(live=weeks["date"] > "2026-01-12"), "wmape", ["poor"], LINES)
    assert figure
    assert figure["data"][0]["x"][:2] == ["2026-01-05", "2026-01-12"]
    assert None not in figure["data"][0]["y"]
    [grey] = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert (grey["x0"], grey["x1"]) == ("2026-01-01 12:00:00", "2026-01-15 12:00:00")
