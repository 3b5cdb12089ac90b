"""The page of a backtest of policies says what the courses say, and what the figures mean."""

import datetime as dt
import json
import math
import re
from typing import Any

import pandas as pd
import pytest

from mlops_assets.ml.backtest.policies import (
    FIRST,
    MEANINGS,
    REFUSED,
    SCHEDULED,
    SERVES,
    Alarm,
    Course,
    Training,
    format_figure,
)
from mlops_assets.ml.backtest.policy import PERFORMANCE, Policy
from mlops_assets.ml.models.families import parse_hyperparameters
from mlops_assets.pages.policies_page import RED, policies_page
from mlops_assets.project import (
    DriftSettings,
    MonitoringSettings,
    PerformanceSettings,
    ReactionSettings,
)

MARCH = pd.DatetimeIndex(["2026-03-01", "2026-03-02", "2026-03-04"], name="date")


def make_policy(name: str) -> Policy:
    return Policy(
        name=name,
        cadence="monthly",
        window_months=1,
        triggers=(),
        hyperparameters=parse_hyperparameters("ridge", {}),
        reactions=ReactionSettings(),
        monitoring=MonitoringSettings(),
        performance=PerformanceSettings(),
        drift=DriftSettings(),
    )


def day(n: int) -> dt.date:
    return dt.date(2026, 3, n)


def make_courses() -> list[Course]:
    days = pd.DataFrame(
        {"value": [0.2, 0.4, 0.3], "weekly": [0.2, 0.3, 0.3], "rows": 3, "training": [0, 0, 2]},
        index=MARCH,
    )
    trainings = [
        Training(0, day(1), FIRST, SERVES, "", day(1), day(28), 5.0, 2),
        Training(1, day(2), SCHEDULED, REFUSED, "worse <b>", day(1), day(1), 20.0),
        Training(2, day(3), PERFORMANCE, SERVES, "", day(1), day(2), 1.5, 1, -0.1),
    ]
    alarms = [
        Alarm(day(1), day(2), PERFORMANCE, "control_limits: far", day(2), True),
        Alarm(day(4), day(4), PERFORMANCE, "bias: off", day(4)),
    ]
    course = Course(make_policy("monthly <x>"), days, 0.3, trainings, alarms)
    return [
        course,
        Course(make_policy("long"), pd.DataFrame(), math.nan, [], [], "too few days </script>"),
    ]


@pytest.fixture(scope="module")
def text() -> str:
    return policies_page(make_courses(), metric="wmape", title="Shop", through="of March")


@pytest.fixture(scope="module")
def figures(text: str) -> dict[str, Any]:
    found = re.search(r"^const figures = (.*);$", text, flags=re.MULTILINE)
    assert found
    return dict(json.loads(found.group(1)))


def test_the_table_has_a_row_per_policy_and_its_problem_in_words(text: str) -> None:
    assert text.count("</script>") == 2
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert cells == [
        ["policy", "wmape", *MEANINGS],
        ["monthly &lt;x&gt;", "0.3", "2", "2", "1", "1", "3", "22"],
        ["long", "not tried: too few days &lt;/script&gt;"],
    ]


def test_every_column_of_the_table_is_explained(text: str) -> None:
    explained = re.findall(r"<dt>(.*?)</dt>", text)
    columns = list(make_courses()[0].summary("wmape"))
    assert explained == columns[1:-1]


def test_trainings_and_degraded_days_stand_on_the_days_they_were(figures: dict[str, Any]) -> None:
    bars, marks = figures["timeline"]["data"]
    assert bars["y"] == marks["y"][:2] == ["monthly &lt;x&gt;"] * 2
    assert bars["base"] == ["2026-03-01", "2026-03-04"]
    assert [x / 86_400_000 for x in bars["x"]] == [2, 1]
    assert bars["marker"]["color"][0] == RED != bars["marker"]["color"][1]
    assert [words[0] for words in bars["customdata"]] == ["false", "undecided"]
    assert marks["x"] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert marks["marker"]["symbol"] == ["circle-open", "x-thin-open", "circle"]
    assert "refused: worse &lt;b&gt;" in marks["customdata"][1]
    assert "wmape worse by 0.1 than the version before" in marks["customdata"][2]


def test_cost_and_benefit_and_the_weeks_are_drawn(figures: dict[str, Any]) -> None:
    [point] = figures["worth"]["data"]
    assert (point["x"], point["y"]) == ([21.5], [pytest.approx(0.3)])
    [line] = figures["weekly"]["data"]
    assert line["x"] == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
    assert line["y"] == [0.2, 0.3, None, 0.3]


def test_with_nothing_replayed_there_is_a_page() -> None:
    page = policies_page(make_courses()[1:], metric="wmape", title="Shop", through="")
    assert page.count("nothing to show yet") == 3


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (3, "3"), (0.35674, "0.3567"), (114.6, "115"), ("a", "a")]
)
def test_figures_are_short(value: float | str | None, text: str) -> None:
    assert format_figure(value) == text
