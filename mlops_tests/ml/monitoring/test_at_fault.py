"""Which rows a failed check of a day is about, by hand."""

from typing import Any

import pandas as pd
import pytest

from mlops_assets.ml.monitoring.at_fault import SHOWN, rows_at_fault
from mlops_assets.ml.monitoring.day_facts import DayFacts, day_facts

COLUMNS: dict[str, Any] = {"target": "units", "series": ["shop"], "categorical": ["kind"]}
INPUTS = ["price", "kind"]


def shops(
    prices: list[float | None], kinds: str = "aab", units: tuple[float, ...] = (1, 3, 2)
) -> pd.DataFrame:
    names = ["east", "north", "south"][: len(prices)]
    columns = {"shop": names, "units": units, "price": prices, "kind": [*kinds], "date": 1}
    return pd.DataFrame(columns)


def known(rows: pd.DataFrame) -> DayFacts:
    return day_facts(rows, **COLUMNS, inputs=INPUTS)


BEFORE = known(shops([1.0, 2.0, 4.0]))


def at_fault(check: str, rows: pd.DataFrame, before: DayFacts = BEFORE) -> pd.DataFrame:
    return rows_at_fault(check, rows, [before], **COLUMNS, date="date", numeric=["price"])


def test_rows_of_new_categories_and_rows_that_lack_inputs() -> None:
    assert list(at_fault("new_categories", shops([1, 2, 4], "axb"))["shop"]) == ["north"]
    found = at_fault("missing_values", shops([1, None, 4]))
    assert list(found["shop"]) == ["north"]
    assert "date" not in found


@pytest.mark.parametrize(
    ("units", "shown"),
    [((10, 30, 20), ["north", "south", "east"]), ((0, 0.3, 0.1), ["east", "south", "north"])],
    ids=["too much", "too little"],
)
def test_the_rows_of_a_target_that_is_off(units: Any, shown: list[str]) -> None:
    assert list(at_fault("target_range", shops([1, 2, 4], units=units))["shop"]) == shown


def test_an_input_is_shown_beside_the_day_before_what_moved_first() -> None:
    found = at_fault("inputs_range", shops([1.0, 2.5, 40.0]))
    assert found.to_dict("records") == [
        {"shop": "south", "price": 40.0, "price the day before": 4.0},
        {"shop": "north", "price": 2.5, "price the day before": 2.0},
        {"shop": "east", "price": 1.0, "price the day before": 1.0},
    ]
    frozen = at_fault("inputs_range", shops([1.0, 2.0, 4.0]))
    assert (frozen["price"] == frozen["price the day before"]).all()


def test_series_that_were_there_the_day_before() -> None:
    rows = shops([1.0], "a", (1,))
    for check in ("row_count", "series_count"):
        assert list(at_fault(check, rows)["shop"]) == ["north", "south"]


def test_rows_that_are_there_twice_and_no_more_than_are_read() -> None:
    twice = pd.concat([shops([1, 2, 4]), shops([1, 2, 9])], ignore_index=True)
    assert list(at_fault("duplicates", twice)["shop"]) == ["east", "east", "north", "north"]
    many = pd.concat([twice] * 9, ignore_index=True)
    assert len(at_fault("duplicates", many)) == SHOWN
    assert at_fault("schema", many).empty
