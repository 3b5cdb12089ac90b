"""The page of a backtest of policies: the table, and what each policy did on which day."""

import html
from collections.abc import Mapping, Sequence

from mlops_assets.ml.backtest.policies import (
    FIRST,
    MEANINGS,
    SCHEDULED,
    SERVES,
    Course,
    Row,
    format_figure,
)
from mlops_assets.pages.page import (
    INK,
    PALETTE,
    Json,
    base_layout,
    day_labels,
    line_style,
    make_page,
    page_section,
    plain_label,
    short_numbers,
    trace,
    wrapped,
)

ROW_HEIGHT = 46
COLOURS = (*PALETTE, INK)
RED = "#B3261E"


def policies_page(courses: Sequence[Course], *, metric: str, title: str, through: str) -> str:
    """An HTML page of a table and three figures; needs `plotly.min.js` beside it alone.

    `metric` is the name of the primary metric; the courses are shown in their order.
    """
    shown = [course for course in courses if not course.problem]
    colours = {course.policy.name: COLOURS[n % len(COLOURS)] for n, course in enumerate(courses)}
    drawn = {"worth": _worth_figure, "timeline": _timeline_figure, "weekly": _weekly_figure}
    figures = {
        name: draw(shown, metric, colours) if shown else None for name, draw in drawn.items()
    }
    sections = [
        _table_section([course.summary(metric) for course in courses]),
        page_section(
            "worth",
            "What retraining cost and what it brought",
            f"The mean of the days' {metric} against the seconds of all retrainings: better is "
            "lower, cheaper is further left.",
            figures["worth"],
        ),
        page_section(
            "timeline",
            "What each policy did, and when",
            "A ring is a scheduled training, a disc one that an alarm caused, a cross one that was "
            "refused. Bars are days degraded: red where the alarm was false, grey where undecided. "
            "Hover for the reason.",
            figures["timeline"],
        ),
        page_section(
            "weekly",
            f"{metric} under each policy",
            f"{metric} pooled over the 7 days up to each day.",
            figures["weekly"],
        ),
        _meanings_section(metric),
    ]
    return make_page(sections, figures, title=title, through=through)


def _table_section(rows: Sequence[Row]) -> str:
    columns = [name for name in rows[0] if name not in ("policy", "problem")]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ["policy", *columns])
    lines = []
    for row in rows:
        cells = "".join(f"<td>{format_figure(row[column])}</td>" for column in columns)
        if row["problem"]:
            said = html.escape(str(row["problem"]))
            cells = f'<td class="words" colspan="{len(columns)}">not tried: {said}</td>'
        lines.append(f"<tr><td>{html.escape(str(row['policy']))}</td>{cells}</tr>")
    return (
        '<section><h2>The policies side by side</h2><div class="wide"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _meanings_section(metric: str) -> str:
    meanings = {metric: f"{metric} of all days, pooled as on the leaderboard", **MEANINGS}
    items = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}.</dd>"
        for name, text in meanings.items()
    )
    return f"<section><h2>What the columns mean</h2><dl>{items}</dl></section>"


def _worth_figure(courses: Sequence[Course], metric: str, colours: Mapping[str, str]) -> Json:
    layout = base_layout(height=380, hovermode="closest")
    layout["xaxis"] |= {"title": {"text": "fit seconds"}, "rangemode": "tozero"}
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    traces = []
    for course in courses:
        row = course.summary(metric)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plain_label(course.policy.name),
                "x": [row["fit seconds"]],
                "y": [row[metric]],
                "marker": {"size": 14, "color": colours[course.policy.name], "opacity": 0.85},
                "hovertemplate": f"<b>%{{fullData.name}}</b><br>{plain_label(metric)} %{{y:,.4~r}}"
                f"<br>{row['retrainings']} retrainings, %{{x:,.3~r}} s<extra></extra>",
            }
        )
    return {"data": traces, "layout": layout}


def _timeline_figure(courses: Sequence[Course], metric: str, colours: Mapping[str, str]) -> Json:
    traces: list[Json] = []
    for course in courses:
        name = plain_label(course.policy.name)
        traces += [_degraded(name, course), _trainings(name, course, metric, colours)]
    layout = base_layout(height=110 + ROW_HEIGHT * len(courses), hovermode="closest")
    layout["showlegend"] = False
    layout["yaxis"] |= {
        "type": "category",
        "autorange": "reversed",
        "categoryarray": [plain_label(course.policy.name) for course in courses],
        "categoryorder": "array",
    }
    days = courses[0].days.index
    layout["xaxis"] |= {"type": "date", "range": day_labels([days.min(), days.max()])}
    layout["barmode"] = "overlay"
    return {"data": traces, "layout": layout}


def _degraded(name: str, course: Course) -> Json:
    """Days degraded as bars from the first to the last."""
    alarms = course.alarms
    colours = {True: RED, False: PALETTE[1], None: "#b5afa8"}
    words = {True: "false", False: "true", None: "undecided"}
    return {
        "type": "bar",
        "orientation": "h",
        "y": [name] * len(alarms),
        "base": [str(alarm.since) for alarm in alarms],
        "x": [alarm.degraded_days * 86_400_000 for alarm in alarms],
        "width": 0.5,
        "marker": {"color": [colours[alarm.false] for alarm in alarms], "opacity": 0.55},
        "customdata": [
            [
                words[alarm.false],
                str(alarm.raised),
                f"{alarm.degraded_days} days from {alarm.since}",
                f"{alarm.trigger}: {wrapped(alarm.why)}",
            ]
            for alarm in alarms
        ],
        "hovertemplate": "<b>%{y}</b>, alarm of %{customdata[1]}, %{customdata[0]}<br>"
        "%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
    }


def _trainings(name: str, course: Course, metric: str, colours: Mapping[str, str]) -> Json:
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
            "color": colours[course.policy.name],
            "line": {"width": 2, "color": colours[course.policy.name]},
        },
        "cliponaxis": False,
        "customdata": said,
        "hovertemplate": "<b>%{y}</b>, %{x|%a %d %b %Y}<br>%{customdata}<extra></extra>",
    }


def _weekly_figure(courses: Sequence[Course], metric: str, colours: Mapping[str, str]) -> Json:
    hover = "%{fullData.name}: %{y:,.4~r}<extra></extra>"
    traces = []
    for n, course in enumerate(courses):
        days, name = course.days.asfreq("D"), course.policy.name
        line = {**line_style(n, COLOURS), "color": colours[name], "width": 1.5}
        points = {"x": day_labels(days.index), "y": short_numbers(days["weekly"])}
        traces.append(trace(name, "lines", line, hover, **points))
    layout = base_layout(height=460, hovermode="x unified")
    layout["xaxis"] |= {"type": "date", "showgrid": False}
    layout["yaxis"]["title"]["text"] = plain_label(metric)
    return {"data": traces, "layout": layout}
