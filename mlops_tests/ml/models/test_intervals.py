"""Intervals: the width by hand, each series its own, and the coverage that is promised."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.models.intervals import conformal_radii, conformal_radius


def test_the_radius_by_hand() -> None:
    errors = np.array([-3.0, 1.0, 2.0, -4.0])
    # of 4 errors, the ceil(5 * 0.6) = third smallest; the fifth smallest does not exist
    assert conformal_radius(errors, 0.6) == 3.0
    assert conformal_radius(errors, 0.8) == 4.0
    assert conformal_radius(errors, 0.9) == math.inf


RESIDUALS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.floats(-50, 50)), max_size=60
)


@given(RESIDUALS, st.floats(0.55, 0.95))
def test_each_series_has_a_width_of_its_own_or_that_of_all(
    found: list[tuple[str, str, float]], coverage: float
) -> None:
    residuals = pd.DataFrame(found, columns=["shop", "item", "residual"])
    residuals["residual"] = residuals["residual"].astype(float)
    rows = pd.DataFrame({"shop": list("aabbc"), "item": list("xyxyx")})
    radii = conformal_radii(residuals, rows, ["shop", "item"], coverage)
    of_all = conformal_radius(residuals["residual"].to_numpy(), coverage)
    for (shop, item), radius in zip(rows.to_numpy(), radii, strict=True):
        own = [value for a, b, value in found if (a, b) == (shop, item)]
        expected = conformal_radius(np.array(own), coverage)
        assert radius == (expected if math.isfinite(expected) else of_all)


def test_rows_without_a_name_have_the_width_of_all() -> None:
    residuals = pd.DataFrame({"shop": ["a", "a", None, "a"], "residual": [1.0, -2.0, 9.0, 3.0]})
    rows = pd.DataFrame({"shop": [None, "a", "b"]})
    # of the 3 errors of a the ceil(4 * 0.5) = second smallest, of all 4 the third smallest
    assert conformal_radii(residuals, rows, ["shop"], 0.5).tolist() == [3.0, 2.0, 3.0]


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_the_next_actual_lies_inside_as_often_as_promised(coverage: float) -> None:
    random = np.random.default_rng(2)
    errors = random.standard_t(3, size=(4000, 29))
    inside = [abs(row[-1]) <= conformal_radius(row[:-1], coverage) for row in errors]
    # at least the coverage, at most 1 / (n + 1) more (Lei et al., 2018); three standard errors
    assert coverage - 0.02 < np.mean(inside) < coverage + 1 / 29 + 0.02
