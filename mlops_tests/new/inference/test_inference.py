"""Decisions of each kind on frames whose answer is known."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from mlops_assets.new.inference.facts import (
    UndecidableError,
    choose_date,
    choose_target,
    facts_of,
    target_candidates,
)
from mlops_assets.new.inference.inputs import choose_inputs, useful_key
from mlops_assets.new.inference.leaks import find_leaks
from mlops_assets.new.inference.row_kinds import Repeated, Rows, find_rows
from mlops_assets.new.inference.span import LAGS, fit_span, service_days

RANDOM = np.random.default_rng(0)


def frame(**columns: object) -> pd.DataFrame:
    """Numbers as float64, all else as text."""
    rows = pd.DataFrame(columns)
    kinds = {name: "float64" if rows[name].dtype.kind in "if" else object for name in rows}
    return rows.astype(kinds)


def days_of(rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    return pd.Series(pd.date_range("2026-01-01", periods=len(rows)))


def rows_of(rows: pd.DataFrame, moments: pd.DatetimeIndex, series: list[str] | None = None) -> Rows:
    stamps = moments.to_series(index=rows.index)
    days = stamps.dt.normalize()
    timed = bool((stamps != days).any())
    return find_rows(rows, facts_of(rows), days, stamps, "y", timed=timed, series=series)


def test_the_facts_of_a_column() -> None:
    facts = facts_of(frame(n=[1.0, np.nan, -3.0], t=["b", "a", "b"]))
    assert (facts["n"].low, facts["n"].high, facts["n"].missing) == (-3, 1, 1)
    assert facts["n"].whole
    assert facts["n"].negative
    assert facts["t"].common == ("b", "a")
    assert facts["t"].low is None


def test_a_date_by_its_name_else_by_its_days() -> None:
    assert choose_date({"booked": 9, "Date": 3}).value == "Date"
    assert choose_date({"booked": 9, "flown": 12}).value == "flown"


def test_a_target_by_its_name_or_alone() -> None:
    facts = facts_of(frame(store_id=[1, 2, 3], price=[1.5, 2, 3], sales=[4, 5, 6], flag=[0, 1, 0]))
    assert target_candidates(facts) == ["sales", "price"]
    found = choose_target(["sales", "price"])
    assert found is not None
    assert found.value == "sales"
    assert choose_target(["price", "weight"]) is None
    in_euros = choose_target(["Umsatz €", "Außentemperatur"])
    assert in_euros is not None
    assert in_euros.value == "Umsatz €"
    alone = choose_target(["weight"])
    assert alone is not None
    assert alone.value == "weight"


def test_series_are_the_fewest_columns_that_tell_rows_apart() -> None:
    days = pd.date_range("2026-01-01", periods=30)
    index = pd.MultiIndex.from_product([days, ["a", "b"], ["x", "y"]], names=["d", "shop", "item"])
    rows = index.to_frame(index=False)
    moments = pd.DatetimeIndex(rows.pop("d"))
    rows = rows.assign(both=rows["shop"] + rows["item"], y=RANDOM.normal(size=len(rows)))
    assert rows_of(rows[["shop", "item", "y"]], moments).series.value == ["shop", "item"]
    assert rows_of(rows, moments).series.value == ["both"]
    assert rows_of(rows, moments, series=["shop", "item"]).series.reason == "as named"


def test_a_few_repeated_rows_leave_a_panel_one() -> None:
    days = pd.date_range("2026-01-01", periods=100)
    rows = frame(shop=np.tile(["a", "b", "c"], 100), y=np.arange(300))
    moments = pd.DatetimeIndex(np.repeat(days, 3))
    again = [7, 100, 250]  # of the shops b, b and b
    copied = rows_of(
        pd.concat([rows, rows.loc[again]], ignore_index=True), moments.append(moments[again])
    )
    assert copied.series.value == ["shop"]
    assert copied.repeated == Repeated(3, True, (300, 7))
    changed = pd.concat([rows, rows.loc[again].assign(y=0.5)], ignore_index=True)
    assert rows_of(changed, moments.append(moments[again])).repeated == Repeated(3, False, (300, 7))
    assert rows_of(rows, moments).repeated is None


def test_many_repeated_rows_are_events_unless_they_are_copies() -> None:
    days = pd.date_range("2026-01-01", periods=100)
    rows = frame(shop=np.tile(["a", "b", "c"], 100), y=np.arange(300))
    moments = pd.DatetimeIndex(np.repeat(days, 3))
    again = np.arange(0, 300, 6)  # one row in seven
    more = moments.append(moments[again])
    copied = pd.concat([rows, rows.loc[again]], ignore_index=True)
    assert rows_of(copied, more).series.value == ["shop"]
    changed = pd.concat([rows, rows.loc[again].assign(y=0.5)], ignore_index=True)
    assert rows_of(changed, more).events


def test_numbers_that_happen_to_differ_name_no_series() -> None:
    moments = pd.DatetimeIndex(np.repeat(pd.date_range("2026-01-01", periods=40), 5))
    n = len(moments)
    found = rows_of(frame(weight=RANDOM.permutation(n), y=RANDOM.normal(size=n)), moments)
    assert found.series.value == []
    assert found.events


def test_whole_numbers_may_name_series_where_nothing_else_does() -> None:
    moments = pd.DatetimeIndex(np.repeat(pd.date_range("2026-01-01", periods=40), 3))
    rows = frame(place=np.tile([4, 5, 6], 40), y=RANDOM.normal(size=120))
    assert rows_of(rows, moments).series.value == ["place"]


def test_a_series_twice_on_many_days_is_none() -> None:
    moments = pd.DatetimeIndex(np.repeat(pd.date_range("2026-01-01", periods=40), 3))
    rows = frame(shop=np.tile(["a", "b", "b"], 40), y=RANDOM.normal(size=120))
    assert rows_of(rows, moments).events


def test_quarters_of_an_hour_are_a_grid_and_random_times_are_not() -> None:
    quarters = pd.date_range("2026-01-01", periods=96 * 20, freq="15min")
    found = rows_of(frame(y=RANDOM.normal(size=len(quarters))), quarters)
    assert (found.grid, found.single, found.events) == (96, True, False)
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(
        np.sort(RANDOM.choice(20 * 86_400, 400, replace=False)), unit="s"
    )
    assert rows_of(frame(y=RANDOM.normal(size=400)), pd.DatetimeIndex(times)).events


def test_the_hours_of_a_zone_with_summer_time_are_a_grid() -> None:
    hours = pd.date_range("2026-03-01", "2026-04-15", freq="h", tz="Europe/Berlin")
    found = rows_of(frame(y=RANDOM.normal(size=len(hours))), hours.tz_localize(None))
    assert found.grid == 24


def test_columns_that_say_nothing_are_left_out() -> None:
    n = 100
    rows = frame(
        y=RANDOM.normal(size=n),
        good=RANDOM.normal(size=n),
        kind=RANDOM.choice(["a", "b"], n),
        number=np.arange(n),
        name=[f"n{k}" for k in range(n)],
        words=[f"w{k % 60}" for k in range(n)],
        none=[None] * n,
        one=["x"] * n,
    )
    found = choose_inputs(rows, facts_of(rows), rows["y"], [], {}, days_of(rows))
    assert (found.numeric, found.categorical) == (["good"], ["kind"])
    assert set(found.left_out) == {"number", "name", "words", "none", "one"}


def test_leaks_are_found_one_by_one_and_together() -> None:
    n = 200
    one, two, other = (RANDOM.poisson(5, n).astype(float) for _ in range(3))
    rows = frame(one=one, two=two, other=other, y=one + two, scaled=3 * (one + two) - 1)
    found = find_leaks(rows, rows["y"], ["one", "two", "other", "scaled"])
    assert set(found) == {"one", "two", "scaled"}
    assert "other words" in found["scaled"]
    assert find_leaks(rows, rows["y"] + RANDOM.normal(0, 1, n), ["one", "two", "other"]) == {}


def test_a_column_missing_with_the_target_leaks() -> None:
    rows = frame(y=[1, np.nan, 3, 4], a=[5, np.nan, 1, 9], b=[1, 2, 8, 4])
    assert set(find_leaks(rows, rows["y"], ["a", "b"])) == {"a"}


def test_a_name_for_each_class_leaks() -> None:
    late = RANDOM.random(200) < 0.5
    rows = frame(y=late.astype(float), said=np.where(late, "so", "not"), kind=["a", "b"] * 100)
    assert set(find_leaks(rows, rows["y"], ["said", "kind"])) == {"said"}


def test_the_useful_key_tells_the_most_of_the_target() -> None:
    kind = RANDOM.choice(["a", "b"], 400)
    noise = RANDOM.choice([f"k{n}" for n in range(15)], 400)
    rows = frame(y=RANDOM.normal(size=400) + 5 * (kind == "a"), noise=noise, kind=kind)
    found = useful_key(rows, facts_of(rows), rows["y"], ["noise", "kind"])
    assert found is not None
    assert found.value == "kind"


@pytest.mark.parametrize(
    ("last", "lags", "months"),
    [
        # begins on 1 January 2026; lags of 28 days let features begin on 29 January
        (dt.date(2026, 4, 29), [1, 7, 14, 28], 1),  # served from 1 March, 60 days
        (dt.date(2026, 4, 28), [1, 7], 1),  # 59 days, and no fewer lags are better: the least
        (dt.date(2026, 5, 30), [1, 7, 14, 28], 2),  # served from 1 April, 60 days
        (dt.date(2026, 7, 30), [1, 7, 14, 28], 4),  # served from 1 June
    ],
)
def test_lags_and_window_are_the_longest_that_leave_two_months(
    last: dt.date, lags: list[int], months: int
) -> None:
    found = fit_span(dt.date(2026, 1, 1), last)
    assert (found.lags, found.window_months) == (lags, months)
    assert found.first_day == dt.date(2026, 1, 1)
    assert found.holdout_days == (7 if months == 1 else 14)


def test_a_long_history_begins_half_a_year_before_its_end() -> None:
    found = fit_span(dt.date(2010, 1, 1), dt.date(2026, 6, 30))
    # six months of service from 1 January on, four to learn from, 28 days of lags
    assert found.first_day == dt.date(2025, 9, 1) - dt.timedelta(days=28)
    served = service_days(found.first_day, dt.date(2026, 6, 30), 28, 4)
    assert served == (dt.date(2026, 6, 30) - dt.date(2026, 1, 1)).days + 1


def test_a_history_without_a_day_of_service_is_refused() -> None:
    # lags of 7 days: from 8 January on; learned from in February; nothing is served before March
    assert fit_span(dt.date(2026, 1, 1), dt.date(2026, 3, 1)).lags == LAGS[-1]
    with pytest.raises(UndecidableError, match="59 days"):
        fit_span(dt.date(2026, 1, 1), dt.date(2026, 2, 28))


def test_numbers_called_like_codes_are_names() -> None:
    n = 200
    rows = frame(y=RANDOM.normal(size=n), customer_id=np.arange(n) % 9, items=np.arange(n) % 7)
    found = choose_inputs(rows, facts_of(rows), rows["y"], [], {}, days_of(rows))
    assert (found.numeric, found.categorical) == (["items"], ["customer_id"])
    # 4.0 would be another name than 4
    found = choose_inputs(rows, facts_of(rows, ["customer_id"]), rows["y"], [], {}, days_of(rows))
    assert found.numeric == ["customer_id", "items"]
