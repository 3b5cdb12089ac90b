"""Names, labels and numbers by value."""

import decimal
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.ml.values import array, beyond_floats, is_flags, label_of, names, numbers, text_of


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((True, "true"), (np.False_, "false"), ("TRUE", "true"), (1, "1"), (1.0, "1")),
        *((0.5, "0.5"), (np.float64(12), "12"), (1e16, "10000000000000000"), (2**70, str(2**70))),
        *((decimal.Decimal("12.000"), "12"), (decimal.Decimal("1.50"), "1.5")),
        *(("12.0", "12"), ("12.50", "12.50"), ("012", "012"), ("0.0", "0"), ("1.0.0", "1.0.0")),
        *((b"a", "a"), (" a ", " a "), ("Yes", "Yes"), (math.inf, "inf"), ("-7.00", "-7")),
    ],
)
def test_names_are_alike_whatever_holds_them(value: object, name: str) -> None:
    assert text_of(value) == name


def test_a_label_is_the_declared_one_of_its_value() -> None:
    assert [label_of(text, ("-1", "1")) for text in ("+1", "1.00", "-1", "true")] == [
        "1",
        "1",
        "-1",
        "1",
    ]
    assert [label_of(text, ("true", "false")) for text in ("1", "0")] == ["true", "false"]
    assert label_of("1", ("true", "1")) == "1"
    assert label_of("+1", ("true", "1")) == "+1"  # either could be meant
    assert label_of("b", ("a", "c")) == "b"


def test_missing_values_stay_missing() -> None:
    assert names(pa.array([1.0, None, math.nan])).tolist() == ["1", None, None]
    assert names(pa.nulls(2)).tolist() == [None, None]
    assert names(pa.chunked_array([], pa.string())).tolist() == []
    found = numbers(pa.array(["1", "NA", None, " 2 "]))
    np.testing.assert_array_equal(found, [1, math.nan, math.nan, 2])


def test_flags_are_numbers_where_there_is_nothing_else() -> None:
    np.testing.assert_array_equal(numbers(pa.array(["True", "false", None])), [1, 0, math.nan])
    assert numbers(pa.array(["1", "true"])).tolist() == [1.0, "true"]
    assert is_flags(pa.array([True]))
    assert not is_flags(pa.array(["true", "1"]))
    assert not is_flags(pa.array([None], pa.string()))


def test_values_of_several_kinds_become_texts() -> None:
    assert array([1, "a", None, 2.0]).to_pylist() == ["1", "a", None, "2"]
    assert array(pd.Series([12, "7.0"], dtype=object)).to_pylist() == ["12", "7"]
    zoned = pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime()
    assert array([zoned, zoned.replace(tzinfo=None)]).type == pa.string()


def test_whole_numbers_beyond_floats() -> None:
    for column in ([2**53 + 1], [str(2**53 + 1)], [decimal.Decimal(2**53 + 1)]):
        assert beyond_floats(pa.array(column))
    for column in ([2**53], ["9" * 15], [2.0**60], ["a"], [None]):
        assert not beyond_floats(pa.array(column))
