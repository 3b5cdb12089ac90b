"""The figures of the checks say what the frames say."""

import pandas as pd
import pytest

from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.monitoring.daily_facts import daily_facts
from mlops_assets.ml.monitoring.performance import weekly_slices
from mlops_assets.pages.drawing import Json
from mlops_assets.pages.monitoring_page import (
    COLOURS,
    PASSED,
    SEVERE,
    WARNS,
    checks_figure,
    drift_figure,
    slices_figure,
)
from mlops_tests.ml.monitoring.test_performance import make_forecasts

EMPTY = pd.DataFrame()


def checks_frame() -> pd.DataFrame:
    """Two checks on 1 and 3 March; the second of them ran on the 3rd alone."""
    return pd.DataFrame(
        [
            ("observations", "row_count", "2026-03-01", False, True, "5 rows </script>"),
            ("observations", "row_count", "2026-03-03", True, False, "as usual"),
            ("drift", "inputs", "2026-03-03", False, False, "price " + "very " * 30 + "far"),
        ],
        columns=["asset", "check", "date", "passed", "severe", "why"],
    )


def drift_frame() -> pd.DataFrame:
    return pd.DataFrame(
        [("price", "numbers", 0.3, 0.2, 0.6, True), ("<lag>", "missing", 0.1, 0.4, 0.4, False)],
        columns=["column", "kind", "distance", "threshold", "importance", "drifted"],
    )


def shown(figure: Json | None) -> Json:
    assert figure
    return figure


def test_each_day_of_each_check_has_its_state_and_reason() -> None:
    [heat] = shown(checks_figure(checks_frame()))["data"]
    assert heat["x"] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert heat["y"] == ["observations: row_count", "drift: inputs"]
    assert heat["z"] == [[SEVERE, None, PASSED], [None, None, WARNS]]
    assert heat["text"][0] == ["5 rows &lt;/script&gt;", "not run", "passed"]
    assert heat["text"][1][2].count("<br>") >= 2, "a long reason is broken into lines"
    ends = [end for end, _ in heat["colorscale"]]
    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == (0, 1)


def test_drifted_columns_stand_out_beyond_the_line() -> None:
    figure = shown(drift_figure(drift_frame()))
    [bars] = figure["data"]
    assert bars["y"] == ["price (60%)", "&lt;lag&gt; (40%)"]
    assert bars["x"] == [pytest.approx(1.5), pytest.approx(0.25)]
    assert bars["marker"]["color"] == [COLOURS[WARNS], COLOURS[PASSED]]
    assert figure["layout"]["shapes"][0]["x0"] == 1


def test_slices_are_pooled_over_a_week() -> None:
    forecasts = make_forecasts()
    metric = make_metrics(["wmape"])["wmape"]
    weekly = weekly_slices(metric, daily_facts(metric, forecasts, ["department"]))
    last = forecasts["date"].max()
    week = forecasts[forecasts["date"] > last - pd.Timedelta(days=7)]
    small = week[week["department"] == "small"]
    expected = (small["forecast"] - small["actual"]).abs().sum() / small["actual"].sum()
    found = weekly[(weekly["slice"] == "small (department)") & (weekly["date"] == last)]
    assert found["value"].tolist() == [pytest.approx(expected)]
    traces = shown(slices_figure(weekly, "wmape"))["data"]
    assert [trace["name"] for trace in traces] == ["large (department)", "small (department)"]
    assert traces[1]["y"][-1] == pytest.approx(expected, rel=1e-6)


def test_with_nothing_stored_yet_there_is_no_figure() -> None:
    for figure in (checks_figure(EMPTY), drift_figure(EMPTY), slices_figure(EMPTY, "wmape")):
        assert figure is None
