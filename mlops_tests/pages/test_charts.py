"""Small pictures say what their numbers say."""

import base64
import math
from xml.etree import ElementTree

import pytest

from mlops_assets.pages.charts import interval_chart, sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([-1.0, math.nan, 1.0], "▁·█"),
        ([math.inf, 0, 4, 8], "·▁▅█"),
        ([3.0, 3.0, math.nan], "▄▄·"),
        ([math.nan], "·"),
    ],
)
def test_sparkline(values: list[float], line: str) -> None:
    assert sparkline(values) == line


def test_intervals_are_drawn_small_enough_to_show_in_place() -> None:
    names = [f"hist_boosting_poisson_lr{n}" for n in range(9)]
    picture = interval_chart(dict.fromkeys(names, (-2.0, 0.01, 0.05)), 0.02)
    assert len(picture) < 1000
    svg = ElementTree.fromstring(base64.b64decode(picture.split("base64,")[1].rstrip(")")))
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [name[:17] for name in names[:6]]
    zero, threshold, bars = (path.get("d") for path in svg.iter("{http://www.w3.org/2000/svg}path"))
    # the axis runs from LEAST_GAIN at 105 to the largest end, 0.05, at 245: 400 a unit
    assert zero
    assert zero.startswith("M225 ")
    assert threshold
    assert threshold.startswith("M233 ")
    assert bars
    assert bars.startswith("M105 9H245M229 5v8M105 24")
