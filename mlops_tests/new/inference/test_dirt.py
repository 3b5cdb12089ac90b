"""Numbers that are none are found, and such as only seem so are left alone."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.new.inference.dirt import without_dirt
from mlops_assets.resources.sources.samples import Sample

USUAL = np.random.default_rng(3).normal(60, 10, 400).round()


def sample(values: object, name: str = "units") -> Sample:
    return Sample(pd.DataFrame({name: values}, dtype="float64"), True, {})


def placed(*others: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The usual numbers, the last ones replaced."""
    return np.append(USUAL[: len(USUAL) - len(others)], others)


@pytest.mark.parametrize(
    ("others", "marker"),
    [
        ([-999] * 8, "-999"),  # 2 %, fourteen times as far as all others reach
        ([-99] * 3, "-99"),  # a usual code, if nearer
        ([424242] * 5, "424242"),
        ([np.inf], "inf"),
        ([-np.inf, -np.inf], "-inf"),
    ],
)
def test_codes_for_what_is_missing(others: list[float], marker: str) -> None:
    found = without_dirt(sample(placed(*others)))
    assert found.markers == {"units": [marker]}
    assert found.frame["units"].isna().sum() == len(others)
    [note] = found.notes
    assert f"{marker!r} in {len(others)} row(s), the first of them row {401 - len(others)}" in note


def test_a_thousand_times_the_rest_is_beyond_a_bound() -> None:
    largest = USUAL[:-1].max()
    found = without_dirt(sample(placed(60_000)))
    [bound] = found.markers["units"]
    assert bound == f"> {float(f'{10 * largest:.2g}'):g}"
    assert np.isnan(found.frame["units"].iloc[-1])
    assert "'60000' in 1 row(s), the first of them row 400" in found.notes[0]
    below = without_dirt(sample(placed(-60_000)))
    assert below.markers["units"] == [f"< {-float(f'{10 * largest:.2g}'):g}"]


@pytest.mark.parametrize(
    "values",
    [
        placed(*[0] * 20),  # days without any
        placed(-999),  # once: a slip or a value, and no thousand times the rest
        placed(150, 160, 400),  # a feast
        np.where(np.arange(400) % 50 == 0, 999.0, np.arange(400) % 3),  # steps of three values
        np.random.default_rng(0).lognormal(3, 1.5, 400),
    ],
    ids=["zeros", "one", "feast", "steps", "long tail"],
)
def test_what_only_seems_so_is_left(values: object) -> None:
    found = without_dirt(sample(values))
    assert found.markers == {}
    assert found.notes == []


def test_codes_of_names_are_names() -> None:
    assert without_dirt(sample(placed(*[9999] * 8), "store")).markers == {}


def test_words_are_no_class() -> None:
    rows = pd.DataFrame({"late": ["yes", "no", "N/A", "no"]}, dtype=object)
    found = without_dirt(Sample(rows, True, {}), "late")
    assert found.markers == {"late": ["N/A"]}
    assert found.frame["late"].dropna().tolist() == ["yes", "no", "no"]
    assert "'N/A' in 1 row(s), the first of them row 3" in found.notes[0]
    assert without_dirt(Sample(rows, True, {}), None).markers == {}
