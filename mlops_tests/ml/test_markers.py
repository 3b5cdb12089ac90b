"""What stands where there is no value is none, whatever type stores it."""

import math

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.ml.markers import is_word, unmarked_names, unmarked_numbers

MARKERS = ["N/A", "-", "-999", "> 1000", "< -50"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["1", " N/A ", "-", "-999.0", "1000", "1000.5", "-50", "-51", None]),
        pa.array([1.0, None, None, -999, 1000, 1000.5, -50, -51, None]),
    ],
    ids=["text", "floats"],
)
def test_words_numbers_and_bounds_mean_that_there_is_none(column: pa.Array) -> None:
    found = unmarked_numbers(column, MARKERS)
    nan = math.nan
    assert found.dtype == "float64"
    expected = [1.0, nan, nan, nan, 1000.0, nan, -50.0, nan, nan]
    pd.testing.assert_series_equal(found, pd.Series(expected))


def test_a_text_that_is_no_marker_is_left_for_the_check_of_its_day() -> None:
    found = unmarked_numbers(pa.array(["1", "closed", "-999"]), ["-999"])
    assert found.dropna().tolist() == [1.0, "closed"]
    assert math.isnan(found[2])


def test_infinite_numbers_can_be_markers() -> None:
    found = unmarked_numbers(pa.array([1.0, math.inf, -math.inf]), ["inf", "-inf"])
    assert found.isna().tolist() == [False, True, True]


def test_names_and_labels_have_markers_too() -> None:
    column = pa.array(["a", "-", "1.0", "-1"])
    assert unmarked_names(column, ["-", "-1"]).tolist() == ["a", None, "1", None]
    assert unmarked_names(column, []).tolist() == ["a", "-", "1", "-1"]


def test_words_in_any_case() -> None:
    assert all(map(is_word, ["N/A", " nil", "NULL", "-", "#DIV/0!"]))
    assert not any(map(is_word, ["", "north", "0"]))
