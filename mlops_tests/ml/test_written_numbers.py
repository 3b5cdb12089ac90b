"""Numbers with units and groups of thousands read as people mean them."""

import pyarrow as pa
import pytest

from mlops_assets.ml.written_numbers import ungrouped, unit_of, without_unit


@pytest.mark.parametrize(
    ("written", "unit", "bare"),
    [
        (["1.234,50 €", "5,00€", "-3,10 €"], "€", ["1.234,50", "5,00", "-3,10"]),
        (["$1,234.50", "-$5.00", "$ 3"], "$", ["1,234.50", "-5.00", "3"]),
        (["CHF 1'200.00", "CHF 3"], "CHF", ["1'200.00", "3"]),
        (["12 kg", "3.5kg"], "kg", ["12", "3.5"]),
        (["45 %", "7%"], "%", ["45", "7"]),
    ],
)
def test_units_and_currencies(written: list[str], unit: str, bare: list[str]) -> None:
    column = pa.array([*written, None])
    assert unit_of(column) == unit
    assert without_unit(column, unit).to_pylist() == [*bare, None]


@pytest.mark.parametrize(
    "texts", [["S1", "S2"], ["1", "2"], ["5 €", "$5"], ["kg", "5 kg"], ["north", "south"]]
)
def test_what_has_no_unit(texts: list[str]) -> None:
    assert unit_of(pa.array(texts)) is None


def test_values_without_the_unit_stay() -> None:
    column = pa.array(["5 €", "7", "n/a", "5 $"])
    assert without_unit(column, "€").to_pylist() == ["5", "7", "n/a", "5 $"]
    numbers = pa.array([1.5])
    assert without_unit(numbers, "€") is numbers


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["8.271,15", "3,5", "1.000"], ["8271,15", "3,5", "1000"]),
        (["8,271.15", "3.5", "1,000"], ["8271.15", "3.5", "1000"]),
        (["8'271.15", "3.5"], ["8271.15", "3.5"]),
        (["8\u2019271,15", "3,5"], ["8271,15", "3,5"]),
        (["1,234", "12"], ["1,234", "12"]),  # a group or a fraction: nothing tells
        (["1.234", "12"], ["1.234", "12"]),
        (["1,5", "2.5"], ["1,5", "2.5"]),
        (["O'Hara", "3"], ["O'Hara", "3"]),
    ],
)
def test_groups_of_thousands(written: list[str], expected: list[str]) -> None:
    assert ungrouped(pa.array(written)).to_pylist() == expected


def test_what_begins_the_fraction_groups_nothing() -> None:
    assert ungrouped(pa.array(["8.271,15"]), ".").to_pylist() == ["8.271,15"]
