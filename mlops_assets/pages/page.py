"""What the HTML pages share: their look, how figures are laid out, and how values are written."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from string import Template
from typing import Any

from mlops_assets.lazy import pd

UNKNOWN = "unknown"
SIGNIFICANT_DIGITS = 7
HOVER_WIDTH = 60  # letters in a line of hover text

# Okabe and Ito's palette for all kinds of colour vision, without its yellow, which white swallows.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot")
INK, MUTED, EDGE, GRID = "#231f1b", "#6b655e", "#d5d1cc", "#eeecea"
FONT = "Geist, Inter, system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif"

Json = dict[str, Any]


def make_page(
    sections: Iterable[str],
    figures: Mapping[str, Json | None],
    *,
    title: str,
    through: str,
    header: str = "",
    descriptions: Mapping[str, str] | None = None,
) -> str:
    """A page of figures by the ids of their sections; needs `plotly.min.js` beside it alone."""
    shown = {name: figure for name, figure in figures.items() if figure is not None}
    return PAGE.substitute(
        title=html.escape(title),
        through=html.escape(through),
        header=header,
        sections="\n".join(sections),
        figures=script_json(shown),
        descriptions=script_json(dict(descriptions or {})),
        font=FONT,
        ink=INK,
        muted=MUTED,
    )


def short_numbers(values: pd.Series) -> list[float | None]:
    """Numbers as short as the eye needs, and None where JSON has no number."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
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
        "zerolinecolor": "#b5afa8",
        "automargin": True,
        "ticklabelstandoff": 6,
    }
    return {
        "height": height,
        "hovermode": hovermode,
        "paper_bgcolor": "#fff",
        "plot_bgcolor": "#fff",
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 56, "r": 16, "t": 48, "b": 48},
        "hoverlabel": {
            "bgcolor": "#fff",
            "bordercolor": EDGE,
            "font": {"family": FONT, "size": 12, "color": INK},
        },
        "showlegend": True,
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        "xaxis": {**axis, "title": {"text": ""}},
        "yaxis": {**axis, "title": {"text": ""}},
    }


def trace(name: object, mode: str, line: Json, hover: str, **more: Any) -> Json:
    """A line, or marks, of a name; `hover` is what is told of a point of it."""
    shown = {"type": "scatter", "mode": mode, "name": plain_label(name), "line": line}
    return {**shown, "hovertemplate": hover, **more}


def line_style(number: int, colours: Sequence[str] = PALETTE) -> Json:
    """The colour and the dash of the line of a number, which repeat after a long while only."""
    dash = DASHES[number // len(colours) % len(DASHES)]
    return {"color": colours[number % len(colours)], "dash": dash}


def straight_line(x: tuple[Any, Any], y: tuple[Any, Any], colour: str, **more: Any) -> Json:
    """A dotted line from one point to another."""
    ends = {"x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1]}
    return {"type": "line", **ends, "line": {"color": colour, "width": 1.5, "dash": "dot"}, **more}


def page_section(
    name: str, heading: str, sentence: str, figure: Json | None, description: str | None = None
) -> str:
    """A heading, a sentence and the place of a figure, or that there is none."""
    if figure is None:
        body = '<p class="none">nothing to show yet</p>'
    else:
        note = "" if description is None else f'<p class="note">{html.escape(description)}</p>'
        body = f'{note}<div class="figure" id="{name}"></div>'
    return f"<section><h2>{html.escape(heading)}</h2><p>{html.escape(sentence)}</p>{body}</section>"


def script_json(value: object) -> str:
    """JSON that cannot end the script element it is written into."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title, $through</title>
<link rel="icon" href="data:,">
<style>
html { overflow-y: scroll; }
body { margin: 0; background: #faf9f7; color: $ink; font: 15px/1.5 $font; }
main { max-width: 1200px; margin: 0 auto; padding: 28px 24px 40px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; letter-spacing: -0.01em; }
h2 { margin: 0; font-size: 18px; }
p { margin: 2px 0 0; color: $muted; }
section { background: #fff; border: 1px solid #e6e3df; border-radius: 12px;
  padding: 20px 24px 12px; margin-top: 20px; }
.figure { margin-top: 12px; overflow: hidden; }
.note { margin-top: 10px; color: $ink; font-size: 14px; }
.none { padding: 32px 0; text-align: center; }
.ranking { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; margin-top: 14px;
  color: $muted; }
.ranking ol { display: flex; flex-wrap: wrap; gap: 6px; margin: 0; padding: 0; list-style: none;
  counter-reset: rank; }
.ranking li { display: flex; align-items: center; gap: 7px; padding: 1px 11px; background: #fff;
  border: 1px solid #e6e3df; border-radius: 99px; color: $ink; font-size: 14px; }
.ranking li::before { counter-increment: rank; content: counter(rank); color: $muted; }
.ranking i { width: 10px; height: 10px; border-radius: 50%; }
.wide { overflow-x: auto; margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid #eeecea;
  font-variant-numeric: tabular-nums; }
th { color: $muted; font-weight: 500; white-space: nowrap; }
th:first-child, td:first-child, td.words { text-align: left; }
td:first-child { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 18px; margin: 12px 0 8px; }
dt { font-weight: 500; }
dd { margin: 0; color: $muted; }
footer { margin-top: 16px; color: $muted; font-size: 13px; }
@media (max-width: 700px) {
  main { padding: 16px 10px 24px; }
  section { padding: 16px 12px 8px; }
}
</style>
</head>
<body>
<main>
<header><h1>$title</h1><p>$through</p><div class="ranking">$header</div></header>
$sections
<footer>Drag over a figure to zoom and double-click to return; click a name to hide or show a
line, double-click it to see it alone. Pages: <a href="leaderboard.html">leaderboard</a>,
<a href="monitoring.html">monitoring</a>, <a href="policies.html">policies</a>.</footer>
</main>
<script src="plotly.min.js"></script>
<script>
const figures = $figures;
const descriptions = $descriptions;
const config = {responsive: true, displayModeBar: false};
const above = {'legend.x': 1, 'legend.xanchor': 'right', 'legend.y': 1,
  'legend.yref': 'paper', 'legend.yanchor': 'bottom'};
const below = {'legend.x': 0, 'legend.xanchor': 'left', 'legend.y': 0,
  'legend.yref': 'container', 'legend.yanchor': 'bottom'};
function placeLegend(div) {
  const narrow = div.clientWidth < 900;
  if (div.dataset.narrow === String(narrow)) return;
  div.dataset.narrow = narrow;
  Plotly.relayout(div, narrow ? below : above);
}
for (const [name, figure] of Object.entries(figures)) {
  const div = document.getElementById(name);
  if (!window.Plotly) {
    div.textContent = 'This figure needs the file plotly.min.js beside the page.';
    continue;
  }
  Plotly.newPlot(div, figure.data, figure.layout, config).then(() => {
    placeLegend(div);
    window.addEventListener('resize', () => placeLegend(div));
    div.on('plotly_click', event => {
      const page = event.points[0].customdata;
      if (typeof page === 'string' && page.startsWith('http')) window.open(page);
    });
    div.on('plotly_buttonclicked', event => {
      div.previousElementSibling.textContent = descriptions[event.button.name];
    });
  });
}
</script>
</body>
</html>
""")
