"""What is tried on a table: how recipes are told, and what a table allows."""

from dataclasses import replace

import pandas as pd
import pytest

from mlops_assets.new.choice import Model
from mlops_assets.new.past import Past
from mlops_assets.new.recipes import Recipe, in_words
from mlops_tests.new.tables import YESTERDAY, days_up_to

RECIPE = Recipe("ridge", '{"alpha": 10.0}', (1, 2, 3, 7), (7, 28), 12)


@pytest.mark.parametrize(
    ("days", "words"),
    [([1, 7], "1, 7"), ([1, 2], "1, 2"), ([1, 2, 3, 7, 14], "1 to 3, 7, 14"), ([], "")],
)
def test_days_in_a_row_are_told_by_the_first_and_the_last(days: list[int], words: str) -> None:
    assert in_words(days) == words


def test_a_recipe_in_words() -> None:
    told = "ridge (alpha 10.0); 12 month(s); lags 1 to 3, 7; means of 7, 28 days"
    assert str(RECIPE) == told
    fading = replace(RECIPE, expanding=True, half_life=365, lags=())
    assert str(fading) == (
        "ridge (alpha 10.0); all of the past; means of 7, 28 days; half-life 365 days"
    )
    plain = RECIPE.with_model(Model("", "historical_mean", {"by": ["a", "b"]}))
    assert str(plain).startswith("historical_mean (by a and b); 12 month(s)")


def test_recipes_on_the_same_rows_can_be_models_of_one_project() -> None:
    other = RECIPE.with_model(Model("", "decision_tree", {}))
    assert other.same_rows(RECIPE)
    assert not replace(other, months=4).same_rows(RECIPE)
    assert not replace(other, lags=(1,)).same_rows(RECIPE)
    # the default of the family, told
    assert RECIPE.with_model(Model("", "hist_gradient_boosting")).loss == "squared_error"


def past(units: list[float]) -> Past:
    days = days_up_to(YESTERDAY, len(units))
    rows = pd.DataFrame({"date": days, "units": units})
    return Past(rows, "date", days[0].date(), YESTERDAY)


def test_the_season_is_that_after_which_the_days_differ_least() -> None:
    five = [float(day % 5) for day in range(100)]
    assert past(five).season("units") == 5
    gaps = [float("nan") if day % 11 == 0 else value for day, value in enumerate(five)]
    assert past(gaps).season("units") == 5
    assert past([1.0, 2.0]).season("units") is None
