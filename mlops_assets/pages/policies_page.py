"""Policies: the newest backtest of them, and what each policy did on which day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.policies import (
    FIRST,
    MEANINGS,
    SCHEDULED,
    SERVES,
    Alarm,
    Training,
    format_figure,
)
from mlops_assets.ml.due_days import DueDays
from mlops_assets.pages.drawing import (
    BAD,
    INK,
    MUTED,
    PALETTE,
    Json,
    base_layout,
    day_labels,
    line_style,
    plain_label,
    short_numbers,
    trace,
    wrapped,
)
from mlops_assets.pages.model_figures import with_gaps
from mlops_assets.pages.parts import Page, Part
from mlops_assets.pages.shelf import Look
from mlops_assets.resources.storage import Storage, damaged_file
from mlops_assets.resources.stores.dataset_store import read_parquet

FOLDER = "policies"
ROW_HEIGHT = 46
DUE = pydantic.TypeAdapter(DueDays)
DATES = ("day", "trained_from", "trained_through", "since", "raised", "until")
COLOURS = (*PALETTE, INK)
NONE = "nothing was tried yet: launch backtest_policy_job"


@dataclass(frozen=True)
class Tried:
    """What a policy did, as it was stored."""

    name: str
    row: Mapping[str, Any]
    """Of the table."""
    days: pd.DataFrame
    """By date: `weekly`, the metric pooled over 7 days."""
    trainings: Sequence[Training]
    alarms: Sequence[Alarm]


def newest_backtest(storage: Storage) -> tuple[dict[str, Any], pd.DataFrame]:
    """What the newest backtest stored: its summary, and the days of all policies; empty without.

    StorageError.
    """
    summaries = {}
    for run in storage.names(FOLDER):
        path = f"{FOLDER}/{run}/policies.json"
        try:
            summaries[run] = dict(json.loads(storage.read(path)))
        except FileNotFoundError:
            continue  # not whole yet
        except (ValueError, TypeError) as error:
            raise damaged_file(storage, path, f"cannot be read ({error})") from error
    if not summaries:
        return {}, pd.DataFrame()
    run = max(summaries, key=lambda run: (str(summaries[run].get("made", "")), run))
    path = f"{FOLDER}/{run}/days.parquet"
    try:
        return summaries[run], read_parquet(storage, path).to_pandas()
    except FileNotFoundError as error:
        raise damaged_file(storage, path, "is missing") from error


def policies_page(look: Look) -> Page:
    return page_of(*newest_backtest(look.shelf.storage))


def page_of(found: Mapping[str, Any], days: pd.DataFrame) -> Page:
    """The page of a backtest as it was stored."""
    if not found:
        return Page("Policies", [NONE], [])
    metric, table = str(found["metric"]), pd.DataFrame(found["table"])
    courses = _tried(found, days)
    colours = {
        course["policy"]: COLOURS[n % len(COLOURS)] for n, course in enumerate(found["table"])
    }
    meanings = {metric: f"{metric} of all days, pooled as on the leaderboard", **MEANINGS}
    events = [
        {"policy": one.name, "kind": kind, **vars(event)}
        for one in courses
        for kind, of_kind in (("training", one.trainings), ("alarm", one.alarms))
        for event in of_kind
    ]

    def part(name: str, heading: str, said: str, frame: pd.DataFrame, figure: Any = None) -> Part:
        draw = figure and (lambda _: figure(courses, metric, colours) if courses else None)
        forms = {str(column): format_figure for column in table} if name == "table" else {}
        return Part(name, heading, said, lambda: frame, draw, forms=forms)

    parts = [
        part("table", "The policies side by side", "", table),
        part(
            "worth",
            "What retraining cost and what it brought",
            f"The mean of the days' {metric} against the seconds of all retrainings: better is "
            "lower, cheaper is further left.",
            table,
            _worth_figure,
        ),
        part(
            "timeline",
            "What each policy did, and when",
            "A ring is a scheduled training, a disc one that an alarm caused, a cross one that was "
            "refused. Bars are days degraded: red where the alarm was false, grey where undecided. "
            "Hover for the reason.",
            pd.DataFrame(events),
            _timeline_figure,
        ),
        part(
            "weekly",
            f"{metric} under each policy",
            f"{metric} pooled over the 7 up to each.",
            days,
            _weekly_figure,
        ),
        part(
            "meanings",
            "What the columns mean",
            "",
            pd.DataFrame(meanings.items(), columns=["column", "meaning"]),
        ),
    ]
    replayed = f"{found['model']}, replayed from {found['first_day']} through {found['last_day']}."
    return Page("Policies", [replayed], parts)


def _tried(found: Mapping[str, Any], days: pd.DataFrame) -> list[Tried]:
    """The policies that could be tried."""
    courses = []
    for row, policy in zip(found["table"], found["policies"], strict=True):
        if row["problem"]:
            continue
        name = row["policy"]
        own = days[days["policy"] == name].set_index("date")
        trainings = [Training(**_with_dates(line)) for line in policy["trainings"]]
        alarms = [Alarm(**_with_dates(line)) for line in policy["alarms"]]
        courses.append(Tried(name, row, own, trainings, alarms))
    return courses


def _with_dates(line: Mapping[str, Any]) -> dict[str, Any]:
    dated = {name: dt.date.fromisoformat(line[name]) for name in DATES if line.get(name)}
    due = {"due": DUE.validate_python(line["due"])} if "due" in line else {}
    return {**line, **dated, **due}


def _worth_figure(courses: Sequence[Tried], metric: str, colours: Mapping[str, str]) -> Json:
    layout = base_layout(height=380, hovermode="closest")
    layout["xaxis"] |= {"title": {"text": "fit seconds"}, "rangemode": "tozero"}
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    traces = []
    for course in courses:
        row = course.row
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plain_label(course.name),
                "x": [row["fit seconds"]],
                "y": [row.get(metric, row.get(f"mean {metric}"))],  # that of before 0.2
                "marker": {"size": 14, "color": colours[course.name], "opacity": 0.85},
                "hovertemplate": f"<b>%{{fullData.name}}</b><br>{plain_label(metric)} %{{y:,.4~r}}"
                f"<br>{row['retrainings']} retrainings, %{{x:,.3~r}} s<extra></extra>",
            }
        )
    return {"data": traces, "layout": layout}


def _timeline_figure(courses: Sequence[Tried], metric: str, colours: Mapping[str, str]) -> Json:
    traces: list[Json] = []
    for course in courses:
        name = plain_label(course.name)
        traces += [_degraded(name, course), _trainings(name, course, metric, colours)]
    layout = base_layout(height=110 + ROW_HEIGHT * len(courses), hovermode="closest")
    layout["showlegend"] = False
    layout["yaxis"] |= {
        "type": "category",
        "autorange": "reversed",
        "categoryarray": [plain_label(course.name) for course in courses],
        "categoryorder": "array",
    }
    days = courses[0].days.index
    layout["xaxis"] |= {"type": "date", "range": day_labels([days.min(), days.max()])}
    layout["barmode"] = "overlay"
    return {"data": traces, "layout": layout}


def _degraded(name: str, course: Tried) -> Json:
    """Days degraded as bars from the first to the last."""
    alarms = course.alarms
    colours = {True: BAD, False: PALETTE[1], None: MUTED}
    words = {True: "false", False: "true", None: "undecided"}
    return {
        "type": "bar",
        "orientation": "h",
        "y": [name] * len(alarms),
        "base": [str(alarm.since) for alarm in alarms],
        "x": [
            (alarm.due.end(alarm.until) - alarm.since).days * 86_400_000 if alarm.until else 0
            for alarm in alarms
        ],
        "width": 0.5,
        "marker": {"color": [colours[alarm.false] for alarm in alarms], "opacity": 0.55},
        "customdata": [
            [
                words[alarm.false],
                str(alarm.raised),
                f"{alarm.due.in_words(alarm.degraded_days)} from {alarm.since}",
                f"{alarm.trigger}: {wrapped(alarm.why)}",
            ]
            for alarm in alarms
        ],
        "hovertemplate": "<b>%{y}</b>, alarm of %{customdata[1]}, %{customdata[0]}<br>"
        "%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
    }


def _trainings(name: str, course: Tried, metric: str, colours: Mapping[str, str]) -> Json:
    trainings = course.trainings
    symbols = [
        "x-thin-open"
        if training.state != SERVES
        else "circle-open"
        if training.why in (FIRST, SCHEDULED)
        else "circle"
        for training in trainings
    ]
    said = []
    for training in trainings:
        if training.state != SERVES:
            came_to = f"{training.state}: {wrapped(training.reason)}"
        elif training.gain is None:
            came_to = f"served {training.days_in_service} days"
        else:
            came_to = (
                f"served {training.days_in_service} days, {metric} better by {training.gain:.3g} "
                "than the version before"
                if training.gain > 0
                else f"served {training.days_in_service} days, {metric} worse by "
                f"{-training.gain:.3g} than the version before"
            )
        said.append(f"{training.why}, learned through {training.trained_through}<br>{came_to}")
    return {
        "type": "scatter",
        "mode": "markers",
        "y": [name] * len(trainings),
        "x": [str(training.day) for training in trainings],
        "marker": {
            "symbol": symbols,
            "size": 11,
            "color": colours[course.name],
            "line": {"width": 2, "color": colours[course.name]},
        },
        "cliponaxis": False,
        "customdata": said,
        "hovertemplate": "<b>%{y}</b>, %{x|%a %d %b %Y}<br>%{customdata}<extra></extra>",
    }


def _weekly_figure(courses: Sequence[Tried], metric: str, colours: Mapping[str, str]) -> Json:
    hover = "%{fullData.name}: %{y:,.4~r}<extra></extra>"
    traces = []
    for n, course in enumerate(courses):
        days, name = with_gaps(course.days), course.name
        line = {**line_style(n, COLOURS), "color": colours[name], "width": 1.5}
        points = {"x": day_labels(days.index), "y": short_numbers(days["weekly"])}
        traces.append(trace(name, "lines", line, hover, **points))
    layout = base_layout(height=460, hovermode="x unified")
    layout["xaxis"] |= {"type": "date", "showgrid": False}
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    return {"data": traces, "layout": layout}
