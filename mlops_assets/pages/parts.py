"""What pages are made of: parts, each a table or a figure of one frame, and the CSV of it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from mlops_assets.lazy import pd
from mlops_assets.pages.drawing import Json
from mlops_assets.pages.shelf import Look
from mlops_assets.resources.stores.model_store import short

Form = Callable[[Any], "str | Markup"]
NOTHING = "nothing to show yet"
LONG_WORDS = 30  # letters of what may be broken into lines
MOST_ROWS = 300  # of a table; its CSV has all


@dataclass(frozen=True)
class Part:
    """A heading, what is said of it, and a frame, as a figure where `draw` is given, or a table.

    A frame is made when it is needed; with `later` the page comes first, and the part after it.
    """

    name: str
    heading: str
    said: str | Markup
    frame: Callable[[], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Json | None] | None = None
    forms: Mapping[str, Form] = field(default_factory=dict)
    """How the cells of some columns are written; others by their name and type."""
    later: bool = False
    empty: str = NOTHING
    choice: str = ""
    """A form of the templates that stands above it."""


@dataclass(frozen=True)
class Page:
    """A title, sentences, and parts; `facts` are for the template."""

    title: str
    lead: Sequence[str | Markup]
    parts: Sequence[Part]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and by what it sorts."""

    shown: str | Markup
    value: float | str
    number: bool

    @property
    def kind(self) -> str:
        """Of numbers, of words that may be broken into lines, or of what is kept on one."""
        long = len(Markup(self.shown).striptags()) > LONG_WORDS
        return "number" if self.number else "words" if long else ""


@dataclass(frozen=True)
class Table:
    """A part as a table: what its columns are called, and the cells of each row."""

    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    left_out: int = 0


def make_table(look: Look, part: Part) -> Table:
    """The table of a part. An empty one without columns where it has no rows."""
    frame = part.frame()
    if frame.empty:
        return Table([], [])
    forms = _forms(look) | dict(part.forms)
    shown = frame.head(MOST_ROWS)
    columns = [[*_cells(shown[name], forms.get(str(name)))] for name in shown]
    heads = [
        (str(name).replace("_", " "), all(cell.number for cell in cells))
        for name, cells in zip(shown, columns, strict=True)
    ]
    return Table(heads, [*zip(*columns, strict=True)], len(frame) - len(shown))


def _cells(values: pd.Series, form: Form | None) -> Iterator[Cell]:
    form = form or (decimals(values) if values.dtype.kind == "f" else plain)
    for value in values.tolist():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT:
            yield Cell("", "", number)
            continue
        yield Cell(form(value), value if number else str(value), number)


def decimals(values: pd.Series) -> Form:
    """Numbers of a column with as many decimals as give its largest one four digits.

    Whole ones have none.
    """
    if (values.dropna() % 1 == 0).all():
        return "{:,.0f}".format
    largest = float(values.abs().replace(math.inf, math.nan).max())
    many = 3 - math.floor(math.log10(largest)) if largest > 0 else 0
    return f"{{:,.{min(max(many, 0), 9)}f}}".format


def _forms(look: Look) -> dict[str, Form]:
    """How cells are written by the names of their columns, on every page."""

    def to_day(day: Any) -> Markup:
        return day_link(look, day)

    return {
        **dict.fromkeys(("date", "created", "serves from", "since"), to_day),
        "model": lambda name: swatch(look, str(name)),
        "version": lambda name: Markup('<span title="{}">{}</span>').format(name, short(name)),
    }


def plain(value: Any) -> str:
    """A number with four digits, a time to the minute, yes or no, or text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M}" if value.hour or value.minute else f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        return f"{float(f'{value:.4g}'):,.12g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{float(f'{value:.3g}'):+,.12g}"


def percent(value: float) -> str:
    return f"{value:+.1%}"


def day_link(look: Look, day: Any) -> Markup:
    """A day as a link to what happened on it."""
    on = str(day)[:10]
    return Markup('<a href="{}">{}</a>').format(look.view.link("day", on=on), plain(day))


def swatch(look: Look, model: str) -> Markup:
    """The name of a model behind its colour."""
    line = look.lines.get(model, {"color": "var(--muted)", "dash": "solid"})
    return Markup('<span class="model"><i class="{}" style="--line:{}"></i>{}</span>').format(
        line["dash"], line["color"], model
    )


def external(url: str, text: str) -> Markup:
    """A link to the web UI, or to nowhere where its address is none of the web."""
    if not url.startswith(("http://", "https://")):
        return Markup("{}").format(text)
    return Markup('<a href="{}">{}</a>').format(url, text)
