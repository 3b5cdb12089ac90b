"""Columns that tell more than can be known are found, and honest ones are left."""

import numpy as np
import pandas as pd

from mlops_assets.new.inference.too_good import find_products, find_too_good

DAYS = pd.date_range("2026-01-01", periods=200)


def panel() -> tuple[pd.DataFrame, "pd.Series[pd.Timestamp]"]:
    """Four shops, higher at weekends, with inputs of every kind and the day of each row."""
    random = np.random.default_rng(5)
    days = pd.Series(np.repeat(DAYS, 4))
    shop = np.tile(np.arange(4), len(DAYS))
    warm = random.normal(0, 1, len(days))
    level = 50 + 30 * shop + 10 * (days.dt.dayofweek >= 5)
    units = (level + 3 * warm + random.normal(0, 5, len(days))).round()
    rows = pd.DataFrame(
        {
            "shop": shop.astype(str),
            "size": 100.0 + 55 * shop,  # tells the level of its shop, as its past does
            "warm": warm,  # an honest input
            "price": random.uniform(9, 11, len(days)).round(2),
            "units": units,
            "yesterday": units.shift(4),
            "about": units + random.normal(0, 3, len(days)),
        }
    )
    return rows.assign(revenue=(rows["units"] * rows["price"]).round(2)), days


def test_a_product_with_the_target_is_found_and_the_price_is_left() -> None:
    rows, _ = panel()
    found = find_products(rows, rows["units"], ["size", "warm", "price", "revenue"])
    assert found == {"revenue": "revenue / price is the target, so it is known no earlier"}


def test_the_factor_that_goes_with_a_product_is_found() -> None:
    rows, _ = panel()
    found = find_products(rows, rows["revenue"], ["price", "units", "warm"])
    assert found == {"units": "price x units is the target, so it is known no earlier"}


def test_zeros_make_no_products() -> None:
    zeros = pd.Series([0.0] * 300, name="y")
    rows = pd.DataFrame({"a": [0.0] * 300, "b": np.arange(300.0)})
    assert find_products(rows, zeros, ["a", "b"]) == {}


def test_what_tells_the_target_beyond_its_past_is_found() -> None:
    rows, days = panel()
    names = ["size", "warm", "price", "yesterday", "about"]
    found = find_too_good(rows, rows["units"], names, ["shop"], days)
    assert list(found) == ["about"]
    # noise of 3 where the past leaves 5.8 open: more than half of it, and nearly all alone
    assert found["about"].startswith("alone it tells 99% of the target's variance, and ")


def test_names_that_are_the_target_in_steps_are_found() -> None:
    rows, days = panel()
    steps = pd.cut(rows["units"], 25, labels=False).astype(str)
    found = find_too_good(rows.assign(steps=steps), rows["units"], ["steps"], ["shop"], days)
    assert list(found) == ["steps"]


def test_a_single_series_and_events_have_a_past_too() -> None:
    rows, days = panel()
    assert list(find_too_good(rows, rows["units"], ["warm", "about"], [], days)) == ["about"]
    alone = rows[rows["shop"] == "1"].reset_index(drop=True)
    assert not find_too_good(
        alone, alone["units"], ["yesterday", "warm"], [], days[::4].reset_index(drop=True)
    )


def test_missing_values_are_no_hindrance() -> None:
    rows, days = panel()
    rows.loc[::7, ["about", "warm"]] = np.nan
    rows.loc[::11, "units"] = np.nan
    assert list(find_too_good(rows, rows["units"], ["about", "warm"], ["shop"], days)) == ["about"]
