"""The page of a backtest of policies says what the courses say, and what the figures mean."""

import datetime as dt
import json
import math
from dataclasses import asdict
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
from mlops_assets.pages.drawing import BAD
from mlops_assets.pages.parts import Part
from mlops_assets.pages.policies_page import page_of
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


def stored() -> tuple[dict[str, Any], pd.DataFrame]:
    """The courses as the job stores them, and as they are read again."""
    courses = make_courses()
    found = {
        "model": "linear",
        "metric": "wmape",
        "first_day": "2026-03-01",
        "last_day": "2026-03-04",
        "table": [course.summary("wmape") for course in courses],
        "policies": [
            {
                "trainings": [asdict(training) for training in course.trainings],
                "alarms": [asdict(alarm) for alarm in course.alarms],
            }
            for course in courses
        ],
    }
    days = courses[0].days.reset_index().assign(policy=courses[0].policy.name)
    return json.loads(json.dumps(found, default=str)), days


@pytest.fixture(scope="module")
def parts() -> dict[str, Part]:
    return {part.name: part for part in page_of(*stored()).parts}


@pytest.fixture(scope="module")
def figures(parts: dict[str, Part]) -> dict[str, Any]:
    return {name: part.draw(part.frame()) for name, part in parts.items() if part.draw}


def test_the_table_has_a_row_per_policy_and_its_problem_in_words(parts: dict[str, Part]) -> None:
    table, forms = parts["table"].frame(), parts["table"].forms
    assert table.columns.tolist() == ["policy", "wmape", *MEANINGS, "problem"]
    rows = [
        [forms[name](value) for name, value in row.items() if value == value]
        for row in table.to_dict("records")
    ]
    assert rows[0][:7] == ["monthly <x>", "0.3", "2", "2", "1", "1", "3"]
    assert rows[1] == ["long", "too few days </script>"]


def test_every_column_of_the_table_is_explained(parts: dict[str, Part]) -> None:
    explained = parts["meanings"].frame()["column"].tolist()
    columns = list(make_courses()[0].summary("wmape"))
    assert explained == columns[1:-1]


def test_trainings_and_degraded_days_stand_on_the_days_they_were(figures: dict[str, Any]) -> None:
    bars, marks = figures["timeline"]["data"]
    assert bars["y"] == marks["y"][:2] == ["monthly &lt;x&gt;"] * 2
    assert bars["base"] == ["2026-03-01", "2026-03-04"]
    assert [x / 86_400_000 for x in bars["x"]] == [2, 1]
    assert bars["marker"]["color"][0] == BAD != bars["marker"]["color"][1]
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
    page = page_of({}, pd.DataFrame())
    assert page.lead == ["nothing was tried yet: launch backtest_policy_job"]
    assert page.parts == []


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (3, "3"), (0.35674, "0.3567"), (114.6, "115"), ("a", "a")]
)
def test_figures_are_short(value: float | str | None, text: str) -> None:
    assert format_figure(value) == text
