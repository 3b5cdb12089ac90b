"""Whether a day is sound, by the days before it."""

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.monitoring.day_facts import DayFacts, day_facts
from mlops_assets.ml.monitoring.quality import (
    CHECKS,
    days_judged_by,
    judge_day,
    usual_range,
    without_rows,
)
from mlops_assets.project import QualitySettings

RULE = QualitySettings()
OF_READING = {"source_readable", "targets_known"}  # said by whoever reads the rows
MONDAY = dt.date(2026, 3, 2)


def facts(rows: int = 100, **changed: Any) -> DayFacts:
    """A usual day: bread and cake, one series each ten rows."""
    usual = DayFacts(
        rows=rows,
        series=frozenset((f"series {n}",) for n in range(10)),
        missing={"price": 0.02},
        duplicates=0,
        target=20.0,
        categories={"category": {"bread": 50, "cake": 50}},
        middles={"price": 3.0},
        repeated={"price": 0.5},
        moves={"price": 0.0},
    )
    return replace(usual, **changed)


def before(days: int = 28, usual: DayFacts | None = None) -> dict[dt.date, DayFacts]:
    return {MONDAY - dt.timedelta(days=n): usual or facts() for n in range(1, days + 1)}


def judge(
    day: dt.date, found: DayFacts, history: dict[dt.date, DayFacts], *, series: bool = True
) -> dict[str, CheckResult]:
    return judge_day(RULE, day, found, history, false_alarms_per_year=6, series=series)


def failed(day: DayFacts, history: dict[dt.date, DayFacts] | None = None) -> dict[str, bool]:
    """The failed checks of a Monday, and whether they are severe."""
    verdicts = judge(MONDAY, day, before() if history is None else history)
    assert list(verdicts) == [name for name in CHECKS if name not in OF_READING]
    return {name: verdict.severe for name, verdict in verdicts.items() if not verdict.passed}


def test_the_facts_of_a_day_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "shop": ["a", "a", "b", "b"],
            "units": [1.0, 1.0, 3.0, 5.0],
            "price": [2.0, 2.0, None, 4.0],
            "kind": ["x", "x", "y", None],
        }
    )
    found = day_facts(
        rows, target="units", series=["shop"], inputs=["price", "kind"], categorical=["kind"]
    )
    assert found == DayFacts(
        rows=4,
        series=frozenset({("a",), ("b",)}),
        missing={"price": 0.25, "kind": 0.25},
        duplicates=1,
        target=2.5,
        categories={"kind": {"x": 2, "y": 1}},
        middles={"price": pytest.approx(8 / 3)},
    )


def test_plain_rows_have_no_series_and_may_be_alike() -> None:
    usual = facts(series=frozenset(), duplicates=10)
    history = before(usual=usual)

    def judged(day: DayFacts) -> dict[str, bool]:
        verdicts = judge(MONDAY, day, history, series=False)
        assert set(verdicts) == set(CHECKS) - {"series_count", *OF_READING}
        return {name: verdict.passed for name, verdict in verdicts.items() if not verdict.passed}

    # a tenth of the rows repeat another; a twentieth more is still let pass
    assert judged(replace(usual, duplicates=15)) == {}
    assert judged(replace(usual, duplicates=16)) == {"duplicates": False}
    early = judge(MONDAY, replace(usual, duplicates=99), {}, series=False)
    assert early["duplicates"].why.startswith("not judged: 0 days before it have rows")
    rows = pd.DataFrame({"delay": [1.0, 1.0], "carrier": ["a", "a"]})
    found = day_facts(rows, target="delay", series=[], inputs=["carrier"], categorical=["carrier"])
    assert (found.rows, found.series, found.duplicates) == (2, frozenset(), 1)


def test_a_tenth_of_the_rows_is_never_usual_however_much_their_number_varies() -> None:
    history = {MONDAY - dt.timedelta(days=n): facts(rows=10 + 90 * (n % 2)) for n in range(1, 29)}
    assert failed(facts(rows=4), history) == {"row_count": True}


def test_repeated_values_are_those_of_the_series_a_day_before() -> None:
    def of_day(prices: dict[str, float | None], before: DayFacts | None = None) -> DayFacts:
        rows = pd.DataFrame(
            {"shop": list(prices), "units": 1.0, "price": list(prices.values())}
        ).astype({"price": float})
        return day_facts(
            rows, target="units", series=["shop"], inputs=["price"], categorical=[], before=before
        )

    monday = of_day({"a": 1.0, "b": 2.0, "c": None, "gone": 7.0})
    assert monday.repeated == {}
    # a stays, b changes, c is missing on both days, new has no day before
    tuesday = of_day({"new": 7.0, "c": None, "b": 3.0, "a": 1.0}, monday)
    assert tuesday.repeated == {"price": pytest.approx(1 / 3)}
    assert of_day({"d": 1.0}, monday).repeated == {}


def test_the_middle_of_an_input_leaves_out_its_highest_and_lowest_tenth() -> None:
    rows = pd.DataFrame({"units": 1.0, "price": [1.0, *[3.0] * 4, *[5.0] * 4, 900.0]})
    found = day_facts(rows, target="units", series=[], inputs=["price"], categorical=[])
    assert found.middles == {"price": 4.0}
    assert found.repeated == {}


def test_a_usual_day_passes() -> None:
    assert failed(facts()) == {}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (facts(rows=91), {}),  # a tenth less than usual is within the least width
        (facts(rows=89), {"row_count": False}),
        (facts(rows=111), {"row_count": False}),
        (facts(rows=49), {"row_count": True}),
        (facts(series=frozenset({("series 0",)})), {"series_count": True}),
        (facts(missing={"price": 0.06}), {}),
        (facts(missing={"price": 0.08}), {"missing_values": False}),
        (facts(duplicates=3), {"duplicates": False}),
        (facts(middles={"price": 3.29}), {}),  # a tenth more is within the least width
        (facts(middles={"price": 3.31}), {"inputs_range": False}),
        (facts(middles={"price": 2.69}), {"inputs_range": False}),
        (facts(middles={"price": float("nan")}), {}),  # for missing_values to say
        (facts(repeated={"price": 0.74}), {}),  # a quarter more than the most of late is allowed
        (facts(repeated={"price": 0.76}), {"inputs_range": False}),
        (facts(moves={"price": 0.5}), {}),  # its level is usual
        (facts(repeated={"price": 0.0}), {}),
        (
            facts(categories={"category": {"bread": 50, "pie": 50}}),
            {"new_categories": False, "vanished_categories": False},
        ),
    ],
)
def test_what_is_wrong_with_a_day_is_found_alone(day: DayFacts, expected: dict[str, bool]) -> None:
    assert failed(day) == expected


def test_a_verdict_names_what_it_is_about() -> None:
    day = facts(
        series=frozenset((f"series {n}",) for n in range(8)),
        categories={"category": {"bread": 50, "pie": 50}},
    )
    verdicts = judge(MONDAY, day, before())
    assert "lost: series 8, series 9" in verdicts["series_count"].why
    assert verdicts["new_categories"].why.startswith("new: pie (category); ")
    assert verdicts["vanished_categories"].why.startswith("vanished: cake (category); ")
    count = verdicts["series_count"]
    assert (count.value, count.low, count.high) == (8, 9, 11)


def test_a_category_that_came_now_and_then_has_not_vanished() -> None:
    history = before()
    rare = facts(categories={"category": {"bread": 40, "cake": 40, "pie": 20}})
    for day in list(history)[::2]:
        history[day] = rare
    assert failed(facts(), history) == {}


@pytest.mark.parametrize(
    ("counts", "vanished"),
    [
        ([1], True),  # one series, every day
        ([3, 4, 7, 30, 60], True),  # of very many rows or few, but always some
        ([1, 4, 2, 5, 3, 2, 6, 3], False),  # events that come by chance, about three a day
        ([12, 9, 15, 2, 11, 13, 10, 12], True),  # about twelve, once but two
        ([0, 1], False),
    ],
)
def test_a_category_without_rows_by_chance_has_not_vanished(
    counts: list[int], vanished: bool
) -> None:
    history = {
        day: facts(categories={"category": {"bread": 50, "cake": counts[n % len(counts)]}})
        for n, day in enumerate(before(56))
    }
    for then in history.values():  # a category without rows is not among those of the day
        if not then.categories["category"]["cake"]:
            del then.categories["category"]["cake"]  # type: ignore[attr-defined]
    day = facts(categories={"category": {"bread": 50}})
    assert failed(day, history) == ({"vanished_categories": False} if vanished else {})


def test_a_quiet_weekday_is_no_alarm() -> None:
    history = {day: facts(rows=100 if day.weekday() else 40) for day in before(56)}
    assert failed(facts(rows=40), history) == {}
    assert failed(facts(rows=100), history) == {"row_count": False}


def test_an_input_that_moves_for_all_series_at_once_may_go_half_as_far() -> None:
    # now and then at 4: one at 3 is usual of late, unless all series got there at once
    history = {
        day: facts(middles={"price": 4.0 if day.day == 1 else 2.0}, moves={"price": 0.1 * (n % 2)})
        for n, day in enumerate(before(56))
    }
    assert failed(facts(middles={"price": 3.0}, moves={"price": 0.15}), history) == {}
    for move in (0.16, -0.06 - np.log(1.1)):
        day = facts(middles={"price": 3.0}, moves={"price": move})
        assert failed(day, history) == {"inputs_range": False}


def test_an_odd_target_is_told_of_its_day_and_one_that_has_changed_for_days_as_such() -> None:
    random = np.random.default_rng(5)
    history = {
        day: facts(target=(30.0 if day.weekday() >= 5 else 20.0) * random.normal(1, 0.1))
        for day in before(77)
    }
    assert failed(facts(target=20.0), history) == {}
    for odd in (60.0, 10.0, 0.0):
        assert failed(facts(target=odd), history) == {"target_range": False}
    verdict = judge(MONDAY, facts(target=200.0), history)["target_range"]
    assert verdict.low is not None
    assert verdict.high is not None
    assert 10 < verdict.low < 20 < verdict.high < 40
    for day in before(5):
        history[day] = replace(history[day], target=history[day].target * 1.4)
    assert failed(facts(target=28.0), history) == {"target_level": False}
    why = judge(MONDAY, facts(target=28.0), history)["target_level"].why
    assert why.startswith("since 2026-02-25 the mean target of a row is higher by ")


@given(seed=st.integers(0, 1000), more=st.integers(1, 100))
@settings(max_examples=15, deadline=None)
def test_a_day_is_judged_by_a_fixed_number_of_days_whatever_else_is_known(
    seed: int, more: int
) -> None:
    """Bit for bit: what a run over many days knows besides does not matter."""
    random = np.random.default_rng(seed)
    reach = days_judged_by(RULE)
    every = {day: facts(target=random.gamma(9, 2)) for day in before(reach + more)}
    every |= {MONDAY + dt.timedelta(days=1): facts(target=99.0)}
    needed = {day: every[day] for day in before(reach)}
    today = facts(target=random.gamma(9, 3))
    assert judge(MONDAY, today, every) == judge(MONDAY, today, needed)


def test_a_target_of_any_sign_is_judged_as_it_is() -> None:
    random = np.random.default_rng(5)
    history = {day: facts(target=random.normal(0, 1)) for day in before(77)}
    assert failed(facts(target=0.5), history) == {}
    for day in before(6):
        history[day] = facts(target=-3.0)
    assert failed(facts(target=-3.0), history) == {"target_level": False}
    assert failed(facts(target=-30.0), history)["target_range"] is False


def test_how_the_series_move_since_yesterday_by_hand() -> None:
    def day(prices: list[float | None]) -> DayFacts:
        rows = pd.DataFrame({"shop": ["a", "b", "c"], "units": 1.0, "price": prices})
        columns = {"target": "units", "series": ["shop"], "inputs": ["price"], "categorical": []}
        return day_facts(rows, **columns, before=None if not known else known[0])

    known: list[DayFacts] = []
    known.append(day([2.0, 4.0, 5.0]))
    assert known[0].moves == {}
    found = day([3.0, 4.0, 6.0])
    assert found.repeated == {"price": pytest.approx(1 / 3)}
    assert found.moves == {"price": pytest.approx(np.log(1.2))}
    assert day([0.0, None, None]).moves == {}, "nothing is known of its logarithm"


def test_an_input_that_moves_in_steps_may_go_half_its_range_beyond() -> None:
    # steady at 2, but for a week at 4: half of the range of 2 beyond is 1 and 5
    history = {
        day: facts(middles={"price": 4.0 if 15 <= (MONDAY - day).days < 22 else 2.0})
        for day in before(56)
    }
    assert failed(facts(middles={"price": 4.9}), history) == {}
    assert failed(facts(middles={"price": 5.1}), history) == {"inputs_range": False}
    assert failed(facts(middles={"price": 0.9}), history) == {"inputs_range": False}
    why = judge(MONDAY, facts(middles={"price": 9.0}), history)["inputs_range"].why
    assert why.startswith("price is 9 at the middle, of late 1 to 5; see whether the source has")


def test_a_flag_of_whole_days_may_rise_after_weeks_without_and_nothing_else_may() -> None:
    history = {day: facts(middles={"holiday": 0.0}) for day in before(56)}
    assert failed(facts(middles={"holiday": 1.0}), history) == {}
    for odd in (0.5, 2.0, 100.0):
        assert failed(facts(middles={"holiday": odd}), history) == {"inputs_range": False}
    share = {day: facts(middles={"holiday": 0.02}) for day in before(56)}
    assert failed(facts(middles={"holiday": 1.0}), share) == {"inputs_range": False}


def test_a_usual_range_by_hand() -> None:
    # Mondays 8, 10, 12, their median 10; Tuesdays 20, 20, 26, their median 20:
    # deviations 2, 0, 2, 0, 0, 6, their median 1
    values: dict[dt.date, float] = {}
    for week, (monday, tuesday) in enumerate([(8, 20), (10, 20), (12, 26)], start=1):
        values[MONDAY - dt.timedelta(weeks=week)] = monday
        values[MONDAY - dt.timedelta(weeks=week, days=-1)] = tuesday
    low, high = usual_range(QualitySettings(width=3.0), MONDAY, values)
    assert (low, high) == pytest.approx((10 - 3 * 1.4826, 10 + 3 * 1.4826))
    # no Sunday is known: the median of all, 16
    low, high = usual_range(QualitySettings(width=3.0), MONDAY - dt.timedelta(days=1), values)
    assert (low + high) / 2 == pytest.approx(16)


def test_little_history_judges_nothing_by_it() -> None:
    verdicts = judge(MONDAY, facts(rows=1), before(13))
    assert verdicts["row_count"].passed
    assert verdicts["row_count"].why.startswith("not judged: 13 days before it have rows")
    assert failed(facts(rows=1, duplicates=1), before(13)) == {"duplicates": False}
    assert failed(facts(rows=1), before(14)) == {"row_count": True}


def test_days_outside_of_the_window_count_for_nothing() -> None:
    long_ago = {day - dt.timedelta(days=56): found for day, found in before().items()}
    assert failed(facts(rows=1), long_ago) == {"source_freshness": False}
    later = {MONDAY + dt.timedelta(days=n): facts(rows=1) for n in range(30)}
    assert failed(facts(), before() | later) == {}


def test_a_gap_before_a_day() -> None:
    history = before()
    for days in (1, 2):
        del history[MONDAY - dt.timedelta(days=days)]
    verdict = judge(MONDAY, facts(), history)["source_freshness"]
    assert (verdict.passed, verdict.severe, verdict.value) == (False, False, 2)
    missing = without_rows(MONDAY, history)
    assert (missing.passed, missing.severe, missing.value) == (False, True, 3)
    assert "the newest before it is 2026-02-27" in missing.why
    assert without_rows(MONDAY, {}).value is None


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(1, 500), min_size=14, max_size=56),
    today=st.integers(1, 500),
    factor=st.integers(2, 9),
    weeks=st.integers(-20, 20),
)
def test_neither_the_unit_nor_the_season_matters(
    counts: list[int], today: int, factor: int, weeks: int
) -> None:
    history = {MONDAY - dt.timedelta(days=n): facts(c) for n, c in enumerate(counts, start=1)}
    found = judge(MONDAY, facts(today), history)["row_count"]
    shift = dt.timedelta(weeks=weeks)
    moved = {day + shift: facts(then.rows * factor) for day, then in history.items()}
    again = judge(MONDAY + shift, facts(today * factor), moved)["row_count"]
    assert (found.passed, found.severe) == (again.passed, again.severe)
    assert again.high == pytest.approx((found.high or 0) * factor)
