"""What the figures of the pages share: how they are laid out, and how values are written.

Colours are names of the style sheet, `var(--name)`, for which the browser puts in those of its
theme, light or dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from mlops_assets.lazy import pd

UNKNOWN = "unknown"
SIGNIFICANT_DIGITS = 7
HOVER_WIDTH = 60  # letters in a line of hover text

PALETTE = tuple(f"var(--c{n})" for n in range(6))
DASHES = ("solid", "dash", "dot", "dashdot")
INK, MUTED, EDGE, GRID = "var(--ink)", "var(--muted)", "var(--edge)", "var(--grid)"
GOOD, WARNED, BAD = "var(--good)", "var(--warned)", "var(--bad)"
BEHIND = {"xref": "x", "yref": "paper", "layer": "below"}  # over the height of the figure

Json = dict[str, Any]


def short_numbers(values: pd.Series | Sequence[float]) -> list[float | None]:
    """Numbers as short as the eye needs, and None where JSON has no number."""
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").astype(float)
    return [
        float(f"{number:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(number) else None
        for number in numbers
    ]


def plain_label(value: object) -> str:
    """Plotly reads labels as a kind of HTML."""
    return html.escape(str(value), quote=False)


def wrapped(text: str) -> str:
    """Hover text in short lines."""
    lines = [""]
    for word in plain_label(text).split():
        if len(lines[-1]) + len(word) > HOVER_WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


def day_labels(values: Iterable[Any]) -> list[str]:
    days = pd.DatetimeIndex(pd.to_datetime(pd.Series(list(values), dtype=object)))
    return [UNKNOWN if pd.isna(day) else day.strftime("%Y-%m-%d") for day in days]


def base_layout(*, height: int, hovermode: str) -> Json:
    axis = {
        "gridcolor": GRID,
        "zerolinecolor": EDGE,
        "automargin": True,
        "ticklabelstandoff": 6,
    }
    return {
        "height": height,
        "hovermode": hovermode,
        "paper_bgcolor": "var(--paper)",
        "plot_bgcolor": "var(--paper)",
        "font": {"size": 13, "color": INK},
        "margin": {"l": 56, "r": 16, "t": 32, "b": 40},
        "hoverlabel": {
            "bgcolor": "var(--paper)",
            "bordercolor": EDGE,
            "font": {"size": 12, "color": INK},
        },
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        "xaxis": {**axis, "title": {"text": ""}},
        "yaxis": {**axis, "title": {"text": ""}},
    }


def trace(name: object, mode: str, line: Json, hover: str, **more: Any) -> Json:
    """A line, or marks, of a name; `hover` is what is told of a point of it."""
    shown = {"type": "scatter", "mode": mode, "name": plain_label(name), "line": line}
    return {**shown, "hovertemplate": hover, **more}


def band(x: Sequence[str], low: pd.Series, high: pd.Series, colour: str, **more: Any) -> list[Json]:
    """The ground between two lines; a gap in either is a gap."""
    hidden = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    ends = [{"type": "scatter", "x": list(x), "y": short_numbers(y), **hidden} for y in (low, high)]
    return [ends[0], {**ends[1], "fill": "tonexty", "fillcolor": colour, **more}]


def line_style(number: int, colours: Sequence[str] = PALETTE) -> Json:
    """The colour and the dash of the line of a number, which repeat after a long while only."""
    dash = DASHES[number // len(colours) % len(DASHES)]
    return {"color": colours[number % len(colours)], "dash": dash}


def straight_line(x: tuple[Any, Any], y: tuple[Any, Any], colour: str, **more: Any) -> Json:
    """A dotted line from one point to another."""
    ends = {"x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1]}
    return {"type": "line", **ends, "line": {"color": colour, "width": 1.5, "dash": "dot"}, **more}


def day_line(day: str, colour: str = EDGE) -> Json:
    """A dotted line on a day."""
    return straight_line((day, day), (0, 1), colour, **BEHIND)
