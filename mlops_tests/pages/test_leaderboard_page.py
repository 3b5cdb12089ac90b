"""The leaderboard's page says what the frames say, in any browser, whatever the names are."""

import json
import math
import re
from typing import Any

import pandas as pd
import pytest

from mlops_assets.pages.leaderboard_page import leaderboard_page
from mlops_assets.pages.page import PALETTE

METRICS = {"mae": "Mean absolute error.", "wmape": "Sum of errors < sum of actual values."}
EMPTY = pd.DataFrame()


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


def totals_frame() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("2026-03-01", "poor", 30.0, 10.0),
            ("2026-03-02", "poor", 40.0, math.nan),
            ("2026-03-01", "good", 30.0, 29.0),
        ],
        columns=["date", "model", "actual", "forecast"],
    )


def page(
    daily: pd.DataFrame = EMPTY,
    slices: pd.DataFrame = EMPTY,
    totals: pd.DataFrame = EMPTY,
    gains: pd.DataFrame = EMPTY,
    **kw: Any,
) -> str:
    options: dict[str, Any] = {
        "title": "Shop & co",
        "primary": "wmape",
        "metrics": METRICS,
        "best_first": ["good", "poor", "untrained"],
        "target": "units",
        "slice_name": "department",
    }
    return leaderboard_page(daily, slices, totals, gains, **{**options, **kw})


def figures(text: str) -> dict[str, Any]:
    found = re.search(r"^const figures = (.*);$", text, flags=re.MULTILINE)
    assert found
    return dict(json.loads(found.group(1)))


def test_the_page_loads_one_file_and_nothing_from_elsewhere() -> None:
    text = page(daily_frame(), slices_frame(), totals_frame())
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == [
        *("data:,", "leaderboard.html", "monitoring.html", "policies.html", "plotly.min.js")
    ]
    assert "http" not in text.replace("startsWith('http')", "")
    assert "<h1>Shop &amp; co</h1><p>through 2026-03-09</p>" in text


def test_plotly_accepts_every_figure() -> None:
    import plotly.graph_objects as go

    built = figures(page(daily_frame(), slices_frame(), totals_frame()))
    assert list(built) == ["daily", "slices", "totals"]
    for figure in built.values():
        go.Figure(figure)
        for menu in figure["layout"].get("updatemenus", []):
            for button in menu["buttons"]:
                by_trace, in_layout = button["args"]
                go.Figure(figure).update_layout(
                    {k.replace(".", "_"): v for k, v in in_layout.items()}
                )
                assert all(len(values) == len(figure["data"]) for values in by_trace.values())


def test_daily_lines_and_those_of_the_week_up_to_each() -> None:
    single, week, *_ = figures(page(daily_frame()))["daily"]["data"]
    assert single["name"] == week["name"] == "good"
    assert single["legendgroup"] == week["legendgroup"]
    assert single["showlegend"] is False
    assert single["y"] == [0, 1, 2, None, 4, 5, 6, 7, 8]
    # as the leaderboard has them, which pools rows: no mean of days
    assert week["y"] == [0, 0.25, 0.5, None, 1, 1.25, 1.5, 1.75, 2]
    assert single["x"][3] == "2026-03-04"
    assert (single["text"][4], week["text"][4]) == ("1", "4")
    assert week["customdata"] == single["customdata"]
    assert single["customdata"][4] == ["v1", "2026-02-28"]
    assert single["customdata"][5] == ["v2", "2026-02-28"]


def test_a_dotted_line_marks_a_new_version() -> None:
    shapes = figures(page(daily_frame()))["daily"]["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes] == ["2026-03-06"]


def test_the_menu_starts_with_the_primary_metric() -> None:
    layout = figures(page(daily_frame()))["daily"]["layout"]
    primary, other = layout["updatemenus"][0]["buttons"]
    assert (primary["label"], other["label"]) == ("wmape", "mae")
    assert other["args"][0]["y"][0][:3] == [0, 10, 20]
    assert other["args"][1]["yaxis.title.text"] == "mae"
    assert layout["yaxis"]["title"]["text"] == "wmape"


def test_one_metric_needs_no_menu() -> None:
    built = figures(page(daily_frame(), metrics={"wmape": ""}))
    assert built["daily"]["layout"]["updatemenus"] == []


def test_slices_start_where_the_best_model_has_its_largest_value() -> None:
    figure = figures(page(slices=slices_frame()))["slices"]
    escaped = "Salad &lt;/script&gt;"
    assert [trace["name"] for trace in figure["data"]] == ["good", "poor"]
    assert figure["data"][0]["x"] == [0.2, 0.4, None]
    assert figure["layout"]["yaxis"]["categoryarray"] == [escaped, "Deli", "Wine"]
    other = figure["layout"]["updatemenus"][0]["buttons"][1]["args"][1]
    assert other["yaxis.categoryarray"] == ["Deli", escaped, "Wine"]


def test_many_slices_are_cut_and_the_page_says_so() -> None:
    slices = pd.DataFrame({"slice": range(50), "model": "good", "rows": 1, "mae": 1.0})
    text = page(slices=slices.assign(wmape=slices["slice"] / 100))
    order = figures(text)["slices"]["layout"]["yaxis"]["categoryarray"]
    assert (order[0], order[-1], len(order)) == ("49", "10", 40)
    assert "The first 40 of 50" in text


def test_totals_show_the_best_model_first() -> None:
    actual, good, poor = figures(page(totals=totals_frame()))["totals"]["data"]
    assert (actual["name"], actual["y"]) == ("actual", [30, 40])
    assert (good["name"], good["visible"], good["y"]) == ("good", True, [29])
    assert (poor["name"], poor["visible"], poor["y"]) == ("poor", "legendonly", [10, None])


def test_a_model_has_one_colour_whatever_its_rank() -> None:
    frames = (daily_frame(), slices_frame(), totals_frame())
    for best_first in (["good", "poor"], ["poor", "good"], []):
        built = figures(page(*frames, best_first=best_first))
        colours = {
            (trace["name"], trace["line"]["color"] if "line" in trace else trace["marker"]["color"])
            for figure in built.values()
            for trace in figure["data"]
            if trace["name"] != "actual"
        }
        assert colours == {("good", PALETTE[0]), ("poor", PALETTE[1])}


def test_names_cannot_become_markup() -> None:
    bad = "<b onclick=x>&</script>"
    frames = [
        frame.replace("good", bad) for frame in (daily_frame(), slices_frame(), totals_frame())
    ]
    text = page(*frames, best_first=[bad], title=bad, target=bad, slice_name=bad)
    assert "<b onclick" not in text
    assert text.count("</script>") == 2
    assert figures(text)["daily"]["data"][0]["name"] == "&lt;b onclick=x&gt;&amp;&lt;/script&gt;"


def test_empty_frames_say_so() -> None:
    text = page()
    assert text.count("nothing to show yet") == 4
    assert "no day evaluated yet" in text
    assert figures(text) == {}


def test_without_slices_there_is_no_figure_by_slice() -> None:
    text = page(daily_frame(), EMPTY, totals_frame(), slice_name=None)
    assert list(figures(text)) == ["daily", "totals"]
    assert text.count("nothing to show yet") == 1  # no version has one before it


def test_the_gain_of_retraining_is_drawn_with_its_versions() -> None:
    gains = daily_frame().query("model == 'good'")
    gains = gains.assign(gain=gains["mae"] / 10 - 2, gain_7d=gains["mae_7d"] / 10 - 2)
    figure = figures(page(daily_frame(), gains=gains))["gains"]
    single, week = figure["data"]
    assert single["name"] == week["name"] == "good"
    assert week["y"] == [-2.0, -1.5, -1.0, None, 0.0, 0.5, 1.0, 1.5, 2.0]
    assert single["y"] == [-2.0, -1.0, 0.0, None, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert single["customdata"][5][0] == "v2"
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == ["2026-03-06"]
    assert figure["layout"]["updatemenus"] == []


def test_missing_values_everywhere_still_make_a_page() -> None:
    daily = daily_frame().assign(wmape=None, wmape_7d=None, version=None, trained_through=None)
    slices = slices_frame().assign(wmape=math.nan)
    built = figures(page(daily, slices, totals_frame().assign(forecast=None)))
    assert set(built["daily"]["data"][1]["y"]) == {None}
    assert built["daily"]["data"][0]["customdata"][0] == ["unknown", "unknown"]
    assert built["daily"]["layout"]["shapes"] == []


def test_inputs_are_left_alone() -> None:
    frames = (daily_frame(), slices_frame(), totals_frame())
    page(*frames)
    for frame, fresh in zip(frames, (daily_frame(), slices_frame(), totals_frame()), strict=True):
        pd.testing.assert_frame_equal(frame, fresh)


def test_a_wrong_metric_or_frame_is_named() -> None:
    with pytest.raises(ValueError, match="primary 'r2' is no metric; choose one of: mae, wmape"):
        page(primary="r2")
    with pytest.raises(ValueError, match="daily lacks the columns version"):
        page(daily_frame().drop(columns="version"))
