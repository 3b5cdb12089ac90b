"""Small pictures: a line of block characters, and intervals that are drawn in Markdown."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence

BLUE = "#0072B2"
BLOCKS = "▁▂▃▄▅▆▇█"
CONSTANT, MISSING = "▄", "·"
LEAST_GAIN = -0.3  # where the axis of the intervals ends


def sparkline(values: Sequence[float]) -> str:
    """One character per value: eight heights between the least and the largest finite value.

    A value that is not finite is `·`; where all finite values are equal, each is `▄`.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)

    def block(value: float) -> str:
        if not math.isfinite(value):
            return MISSING
        if low == high:
            return CONSTANT
        share = (value - low) / (high - low)
        return BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)]

    return "".join(block(value) for value in values)


def interval_chart(intervals: Mapping[str, tuple[float, float, float]], threshold: float) -> str:
    """Markdown of a small picture: low, middle and high end of each interval on one axis.

    A dotted line is at zero, a dashed one at the threshold; the axis ends at LEAST_GAIN. Kept
    below the thousand characters that the web UI shows in place: at most six intervals.
    """
    shown = list(intervals.items())[:6]
    ends = [end for _, (low, _, high) in shown for end in (low, high)]
    least, most = max(min([0.0, *ends]), LEAST_GAIN), max([threshold, *ends])
    scale = 140 / (most - least or 1.0)

    def x(value: float) -> int:
        return round(105 + (max(value, least) - least) * scale)

    height = 15 * len(shown) + 4
    bars = "".join(
        f"M{x(low)} {15 * n + 9}H{x(high)}M{x(middle)} {15 * n + 5}v8"
        for n, (_, (low, middle, high)) in enumerate(shown)
    )
    names = "".join(
        f'<text y="{15 * n + 12}">{html.escape(name[:17])}</text>'
        for n, (name, _) in enumerate(shown)
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 250 {height}" width="375" '
        f'font-family="Arial" font-size="11" stroke-width="2"><path d="M{x(0)} 0V{height}" '
        f'stroke="#999" stroke-dasharray="1 2"/><path d="M{x(threshold)} 0V{height}" stroke="#999" '
        f'stroke-dasharray="4 2"/><path d="{bars}" stroke="{BLUE}"/>{names}</svg>'
    )
    encoded = base64.b64encode(svg.encode()).decode()
    return f"![gain and interval of each challenger](data:image/svg+xml;base64,{encoded})"


def weeks_chart(
    actual: Sequence[float],
    forecast: Sequence[float],
    to_come: float,
    interval: tuple[float, float] | None = None,
) -> str:
    """Markdown of a small picture: actuals as a line, forecasts as a thin one, then what comes.

    That is a dot, its interval a bar. Below the thousand characters that the web UI shows in
    place for 28 days.
    """
    every: list[float] = [*actual, *forecast, to_come, *(interval or ())]
    least, most = min(every), max(every)
    scale = 46 / (most - least or 1.0)

    def line(values: Sequence[float]) -> str:
        return " ".join(f"{8 * n},{y(value)}" for n, value in enumerate(values))

    def y(value: float) -> int:
        return round(50 - (value - least) * scale)

    x = 8 * len(actual)
    size = f'viewBox="-4 0 {x + 12} 54" width="{3 * x // 2 + 18}"'
    bar = f'<path d="M{x} {y(interval[0])}V{y(interval[1])}"/>' if interval else ""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="none" stroke="{BLUE}">'
        f'<polyline stroke="#999" points="{line(actual)}"/>'
        f'<polyline points="{line(forecast)}"/>{bar}<circle cx="{x}" cy="{y(to_come)}" r="2"/>'
        "</svg>"
    )
    encoded = base64.b64encode(svg.encode()).decode()
    return f"![actual (grey) and forecast (blue)](data:image/svg+xml;base64,{encoded})"
