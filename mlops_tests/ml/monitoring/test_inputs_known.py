"""Inputs at issue against those of the day's rows, counted by hand."""

import pandas as pd
import pytest

from mlops_assets.ml.monitoring.inputs_known import judge_inputs

INPUTS = ["price", "weather"]


def rows(prices: list[float | None], weather: list[str | None]) -> pd.DataFrame:
    shops = [f"s{n}" for n in range(len(prices))]
    return pd.DataFrame({"shop": shops, "price": prices, "weather": weather})


USED = rows([1.0, 2.0, 3.0, None, 5.0], ["sun"] * 4 + [None])


@pytest.mark.parametrize("series", [["shop"], []])
def test_the_same_inputs_pass_in_whichever_order(series: list[str]) -> None:
    later = USED.iloc[::-1].assign(price=lambda rows: rows["price"] * (1 + 1e-8))
    found = judge_inputs(USED, later.reset_index(drop=True), series, INPUTS)
    assert (found.passed, found.value) == (True, 0.0)


@pytest.mark.parametrize("series", [["shop"], []])
def test_inputs_that_came_out_otherwise_are_named_the_worst_first(series: list[str]) -> None:
    later = rows([1.0, 2.5, 3.0, None, 5.0], ["rain", "sun", "rain", "rain", None])
    found = judge_inputs(USED, later, series, INPUTS)
    assert not found.passed
    assert not found.severe
    assert found.value == pytest.approx(3 / 5)
    assert found.why.startswith(
        "not as forecast from: weather in 60% of the rows, price in 20% of the rows "
        "(such as sun for rain); what is known later only belongs in features.lagged_aggregates"
    )
    assert found.why.endswith("must be in rows of the day to come that the source has by then")


def test_a_swap_is_seen_by_series_only() -> None:
    later = USED.assign(price=[2.0, 1.0, 3.0, None, 5.0])
    assert judge_inputs(USED, later, ["shop"], INPUTS).value == pytest.approx(2 / 5)
    assert judge_inputs(USED, later, [], INPUTS).value == 0


def test_missing_is_not_the_same_as_a_value() -> None:
    later = USED.assign(price=[1.0, 2.0, 3.0, 4.0, None], weather=["sun"] * 5)
    found = judge_inputs(USED, later, ["shop"], INPUTS)
    assert found.value == pytest.approx(2 / 5)
    assert "weather in 20%" in found.why


def test_a_few_corrections_pass() -> None:
    used = rows([float(n) for n in range(20)], ["sun"] * 20)
    later = used.assign(price=used["price"] + [0.5, 0.5, *[0.0] * 18])
    found = judge_inputs(used, later, ["shop"], INPUTS)
    assert (found.passed, found.value) == (True, pytest.approx(0.1))
    assert found.why == "the inputs were known for all but 10% of the rows"
    worse = used.assign(price=used["price"] + [0.5, 0.5, 0.5, *[0.0] * 17])
    assert not judge_inputs(used, worse, ["shop"], INPUTS).passed


@pytest.mark.parametrize("series", [["shop"], []])
def test_rows_that_only_one_side_has_are_left_out(series: list[str]) -> None:
    later = pd.concat([USED, rows([9.0], ["snow"]).assign(shop="new")], ignore_index=True)
    assert judge_inputs(USED, later, series, INPUTS).value == 0
    assert judge_inputs(later, USED, series, INPUTS).value == 0


def test_of_rows_that_are_counted_means_are_told() -> None:
    later = pd.concat([USED.assign(price=10.0), USED.tail(1)], ignore_index=True)
    found = judge_inputs(USED, later, [], ["price"])
    assert "price in 80% of the rows (on average 2.75 for 9.16667)" in found.why


@pytest.mark.parametrize("series", [["shop"], []])
def test_without_inputs_or_rows_nothing_is_judged(series: list[str]) -> None:
    for used, inputs in ((USED, []), (USED.head(0), INPUTS)):
        found = judge_inputs(used, USED, series, inputs)
        assert found.passed
        assert found.why.startswith("not judged")
