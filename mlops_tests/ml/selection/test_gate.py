"""Tests of the switch of the champion: by hand, against a slow jackknife, and what must hold."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.metrics.metric import METRICS, make_metrics
from mlops_assets.ml.metrics.scores import trailing_scores
from mlops_assets.ml.selection.gate import (
    Evidence,
    Paired,
    Rule,
    Sums,
    compare,
    independent_parts,
    paired,
    quantile,
    standard_error,
)

RULE = Rule(window_days=28, min_days=21, min_gain=0.02, confidence=0.99, block_days=4)
WMAPE, MAE, BIAS = make_metrics(["wmape", "mae", "bias"]).values()
MONDAY, TUESDAY, WEDNESDAY = pd.to_datetime(["2026-03-02", "2026-03-03", "2026-03-04"])

# Two models, ours and theirs, and a third that nobody asks about.
FORECASTS = pd.DataFrame(
    [
        (MONDAY, 1, "ours", 10.0, 12.0),
        (MONDAY, 1, "theirs", 10.0, 9.0),
        (MONDAY, 2, "ours", 6.0, 4.0),
        (MONDAY, 2, "theirs", 6.0, 6.0),
        (MONDAY, 3, "ours", 5.0, 500.0),  # theirs is silent
        (TUESDAY, 1, "ours", 7.0, 700.0),  # theirs is silent all day
        (TUESDAY, 2, "third", 7.0, 7.0),
        (WEDNESDAY, 4, "theirs", 8.0, 11.0),
        (WEDNESDAY, 4, "ours", 8.0, 6.0),
        (WEDNESDAY, 4, "third", 8.0, 8.0),
        (WEDNESDAY, 1, "theirs", 8.0, 800.0),  # ours is silent
    ],
    columns=["date", "row", "model", "actual", "forecast"],
)

positive = st.floats(0.1, 10).map(lambda value: round(value, 3))
pairs = st.lists(st.tuples(positive, positive), min_size=1, max_size=40)
clear_wins = st.tuples(st.lists(positive, min_size=1, max_size=40), st.floats(0.5, 1.0)).map(
    lambda drawn: [(loss, loss * drawn[1]) for loss in drawn[0]]
)
rules = st.builds(
    Rule,
    window_days=st.just(40),
    min_days=st.integers(1, 40),
    min_gain=st.sampled_from([0.0, 0.02, 0.1]),
    confidence=st.sampled_from([0.6, 0.9, 0.99]),
    block_days=st.sampled_from([1, 4, 7]),
)


def rows_of(
    champion: Sequence[float], challenger: Sequence[float], actual: Sequence[float]
) -> pd.DataFrame:
    """A row a day of two models."""
    dates = pd.date_range(MONDAY, periods=len(actual))
    sides = {"ours": champion, "theirs": challenger}
    return pd.concat(
        pd.DataFrame({"date": dates, "row": 0, "model": m, "actual": actual, "forecast": values})
        for m, values in sides.items()
    )


def daily(champion: Sequence[float], challenger: Sequence[float]) -> Paired:
    """Losses by day: absolute errors of a row each."""
    return paired(MAE, rows_of(champion, challenger, [0.0] * len(champion)), "ours", "theirs")


def noisy(days: int = 28, gain: float = 0.05, seed: int = 3) -> Paired:
    normal = np.random.default_rng(seed).normal
    ours = 1 + normal(0, 0.05, days)
    theirs = ours * (1 - gain) + normal(0, 0.09, days)
    return daily(ours.tolist(), theirs.tolist())


def judged(forecasts: pd.DataFrame, rule: Rule = RULE, metric: str = "wmape") -> Evidence:
    window = paired(make_metrics([metric])[metric], forecasts, "champion", "challenger")
    return compare(rule, "challenger", window)


def test_losses_of_common_rows_by_hand() -> None:
    before = FORECASTS.copy()
    found = paired(WMAPE, FORECASTS, "ours", "theirs")
    # Monday: ours is off by 2 and 2 on 16 units, theirs by 1 and 0; Wednesday: 2 and 3 on 8
    assert found.dates.tolist() == [MONDAY.value, MONDAY.value, WEDNESDAY.value]
    assert found.losses() == pytest.approx([6 / 24, 4 / 24])
    for sums, errors in zip(found.day_sums(), ([4, 2], [1, 3]), strict=True):
        assert sums.numerator.tolist() == pytest.approx(errors)
        assert sums.denominator.tolist() == [16, 8]
        assert sums.rows.tolist() == [2, 1]
    assert found.between(TUESDAY, WEDNESDAY).losses() == pytest.approx([2 / 8, 3 / 8])
    pd.testing.assert_frame_equal(FORECASTS, before)


def test_a_row_that_one_of_two_saw_corrected_is_not_the_same_row() -> None:
    forecasts = FORECASTS.copy()
    first = forecasts.index[forecasts["model"] == "theirs"][0]
    forecasts.loc[first, "actual"] += 1
    rows = paired(WMAPE, forecasts, "ours", "theirs").actual
    assert len(rows) == len(paired(WMAPE, FORECASTS, "ours", "theirs").actual) - 1


def test_losses_of_a_metric_around_zero_are_distances_from_it() -> None:
    # ours is off by +2, -2 and -2, theirs by -1, 0 and +3
    losses = paired(BIAS, FORECASTS, "ours", "theirs").losses()
    assert losses == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize("name", METRICS)
def test_exchanging_the_models_exchanges_their_losses(name: str) -> None:
    metric = make_metrics([name])[name]
    one = paired(metric, FORECASTS, "ours", "theirs").losses()
    other = paired(metric, FORECASTS, "theirs", "ours").losses()
    assert one == pytest.approx(other[::-1], nan_ok=True)


def test_order_of_the_forecasts_does_not_matter() -> None:
    shuffled = FORECASTS.sample(frac=1, random_state=0)
    one, other = (paired(WMAPE, rows, "ours", "theirs") for rows in (FORECASTS, shuffled))
    for ours, theirs in zip(one.day_sums(), other.day_sums(), strict=True):
        assert [part.tolist() for part in ours] == [part.tolist() for part in theirs]


def test_models_without_common_rows_have_no_days() -> None:
    evidence = compare(RULE, "unheard of", paired(WMAPE, FORECASTS, "ours", "unheard of"))
    assert (evidence.days, evidence.rows, evidence.wins) == (0, 0, False)
    assert not evidence.judged


def busy_saturdays() -> pd.DataFrame:
    """28 days, 4 of 500 rows; the champion is 2 % off on these and 30 % on the others."""
    lines = []
    for n, day in enumerate(pd.date_range("2026-11-02", periods=28)):
        busy = day.dayofweek == 5
        actual = 20.0 if busy else 10.0 + n % 3
        for row in range(500 if busy else 1):
            for model, off in (("champion", (0.30, 0.02)), ("challenger", (0.02, 0.30))):
                lines.append((day, row, model, actual, actual * (1 + off[busy])))
    return pd.DataFrame(lines, columns=["date", "row", "model", "actual", "forecast"])


@pytest.mark.parametrize("metric", ["wmape", "mae", "rmse"])
def test_who_is_better_where_nearly_all_rows_are_stays(metric: str) -> None:
    evidence = judged(busy_saturdays(), metric=metric)
    assert not evidence.wins
    assert evidence.gain < -9
    if metric == "wmape":
        assert evidence.why == "worse"
        quiet = sum(10 + n % 3 for n in range(28) if n % 7 != 5)
        ours, theirs = 2 * 400 + 0.3 * quiet, 30 * 400 + 0.02 * quiet
        assert evidence.gain == pytest.approx(1 - theirs / ours)


def closed_on_weekends(unit: float) -> pd.DataFrame:
    """The champion is 5 % off, 0.2 kg on closed days; the challenger 30 %, and then not at all."""
    lines = []
    for n, day in enumerate(pd.date_range("2026-11-02", periods=28)):
        actual = 0.0 if day.dayofweek >= 5 else 50.0 + n % 5
        for row in range(3):
            for model, value in (
                ("champion", actual * 1.05 if actual else 0.2),
                ("challenger", actual * 1.30),
            ):
                lines.append((day, row, model, actual * unit, value * unit))
    return pd.DataFrame(lines, columns=["date", "row", "model", "actual", "forecast"])


def test_the_unit_of_closed_days_does_not_matter() -> None:
    kilograms, grams = (judged(closed_on_weekends(unit)) for unit in (1, 1000))
    assert (kilograms.wins, kilograms.why) == (False, "worse")
    assert (grams.wins, grams.why) == (False, "worse")
    sold = sum(50 + n % 5 for n in range(28) if n % 7 < 5)
    gain = 1 - 0.3 * sold / (0.05 * sold + 8 * 0.2)
    assert [kilograms.gain, grams.gain] == pytest.approx([gain, gain])
    assert grams.low == pytest.approx(kilograms.low)


@pytest.mark.parametrize(
    ("counts", "block", "parts"),
    [
        ([1] * 28, 4, 7),  # blocks
        ([1] * 28, 1, 28),
        ([1, 1, 1, 10_000_000] * 7, 1, 7),  # days of weight
        ([10_000_000] + [1] * 27, 4, 1),
    ],
)
def test_parts_that_say_something_by_themselves(
    counts: list[int], block: int, parts: float
) -> None:
    weights = np.array(counts, dtype=float)
    sums = Sums(np.zeros(len(counts)), weights, np.ones(len(counts)))
    assert independent_parts(sums, block) == pytest.approx(parts, rel=1e-5)


def test_quantiles_are_those_of_printed_tables() -> None:
    # Student's t: 9 degrees of freedom of 7 blocks and 27 of 28 days make 18, days alone have 27
    assert quantile(0.005, 7, 28) == pytest.approx(2.878, abs=5e-4)
    assert quantile(0.025, 28, 28) == pytest.approx(2.052, abs=5e-4)


@pytest.mark.parametrize(("days", "block"), [(28, 4), (25, 7), (28, 1)])
def test_agrees_with_a_slow_jackknife(days: int, block: int) -> None:
    """Of the means of blocks: the variance of the mean of all, from that of theirs."""
    window = noisy(days)
    ours, theirs = (losses.tolist() for losses in window.forecasts)
    ratio = sum(theirs) / sum(ours)
    left = [b - ratio * a for a, b in zip(ours, theirs, strict=True)]

    def error(block: int) -> float:
        means = [sum(left[n : n + block]) / block for n in range(days - block + 1)]
        middle = sum(means) / len(means)
        variance = sum((mean - middle) ** 2 for mean in means) / len(means) * block / days
        parts = days / block
        return float((variance * parts / (parts - 1)) ** 0.5)

    wanted, parts = max(error(1), error(block)), days / block
    sides = sum(ours) / days, sum(theirs) / days
    found = standard_error(MAE, window.day_sums(), block, *sides)
    assert found == pytest.approx(wanted / sides[1], rel=1e-9)

    evidence = compare(replace(RULE, block_days=block, confidence=0.9), "theirs", window, 5)
    margin = quantile(0.01, parts, days) * wanted / (sum(theirs) / days)
    assert evidence.gain == pytest.approx(1 - ratio)
    ends = [1 - ratio * math.exp(margin), 1 - ratio * math.exp(-margin)]
    assert [evidence.low, evidence.high] == pytest.approx(ends)
    assert (evidence.days, evidence.rows) == (days, days)


@pytest.mark.parametrize(
    ("gain", "wins", "why"),
    [
        (-0.1, False, "worse"),
        (0.0, False, "no sure difference"),
        (0.01, False, "surely better, but not surely by 2.0%"),
        (0.05, True, "surely better by at least 5.0%"),
    ],
)
def test_steady_differences_are_sure(gain: float, wins: bool, why: str) -> None:
    evidence = compare(RULE, "theirs", daily([2.0] * 28, [2.0 * (1 - gain)] * 28))
    assert (evidence.challenger, evidence.wins, evidence.why) == ("theirs", wins, why)
    assert [evidence.low, evidence.gain, evidence.high] == pytest.approx([gain] * 3, abs=1e-12)


def test_a_better_average_alone_does_not_win() -> None:
    # better by 10 % on average, but half of the weeks are worse by 30 %
    swings = ([0.5] * 7 + [1.3] * 7) * 2
    evidence = compare(RULE, "theirs", daily([1.0] * 28, swings))
    assert evidence.gain == pytest.approx(0.1)
    assert evidence.low < 0 < evidence.high
    assert not evidence.wins
    assert evidence.why == "no sure difference"


@pytest.mark.parametrize("days", [1, 20])
def test_too_few_days_says_how_many(days: int) -> None:
    evidence = compare(RULE, "theirs", noisy(days, gain=0.5))
    assert not evidence.wins
    assert evidence.why == f"{days} common days, fewer than 21"
    assert (evidence.days, evidence.rows) == (days, days)
    assert np.isnan([evidence.gain, evidence.low, evidence.high]).all()
    assert compare(RULE, "theirs", noisy(21, gain=0.5)).wins


def test_a_champion_without_errors_stays() -> None:
    for challenger in ([0.0] * 28, [1.0] * 28):
        evidence = compare(RULE, "theirs", daily([0.0] * 28, challenger))
        assert not evidence.wins
        assert evidence.why == "the champion makes no errors"


def test_a_window_of_one_block_says_nothing_of_chance() -> None:
    evidence = compare(
        replace(RULE, min_days=1, block_days=7), "theirs", daily([1.0] * 10, [0.5] * 10)
    )
    assert not evidence.judged
    assert evidence.why == "10 days that say no more than 1.4 blocks of them would"


def test_a_metric_without_a_value_decides_nothing() -> None:
    rows = rows_of([1.0] * 28, [2.0] * 28, [0.0] * 28)
    evidence = compare(RULE, "theirs", paired(WMAPE, rows, "ours", "theirs"))
    assert evidence.why == "wmape is not defined on these days"
    assert not evidence.wins


@given(st.lists(positive, min_size=1, max_size=40), rules, st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_equal_losses_never_win(losses: list[float], rule: Rule, candidates: int) -> None:
    assert not compare(rule, "theirs", daily(losses, losses), candidates).wins


@given(pairs | clear_wins, rules, st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_what_wins_is_surely_better(
    losses: list[tuple[float, float]], rule: Rule, candidates: int
) -> None:
    window = daily(*zip(*losses, strict=True))
    before = [forecasts.copy() for forecasts in window.forecasts]
    evidence = compare(rule, "theirs", window, candidates)
    np.testing.assert_array_equal(window.forecasts, before)
    sure = evidence.low > 0 and evidence.low >= rule.min_gain
    assert evidence.wins == (evidence.judged and sure)
    assert evidence.judged <= (len(losses) >= rule.min_days)
    assert evidence.why.startswith("surely better by at least") == evidence.wins
    assert not evidence.judged or evidence.low <= evidence.gain <= evidence.high


@given(pairs, rules)
@settings(deadline=None, max_examples=50)
def test_who_is_surely_better_is_better_than_one_who_is_surely_worse(
    losses: list[tuple[float, float]], rule: Rule
) -> None:
    ours, theirs = zip(*losses, strict=True)
    one, other = compare(rule, "a", daily(ours, theirs)), compare(rule, "b", daily(theirs, ours))
    assert one.judged == other.judged
    if one.judged and abs(one.gain) > 1e-9:
        assert (one.low > 0) == (other.why == "worse")
        assert 1 - one.gain == pytest.approx(1 / (1 - other.gain))


@given(pairs, rules)
@settings(deadline=None, max_examples=50)
def test_more_candidates_never_narrow_the_interval(
    losses: list[tuple[float, float]], rule: Rule
) -> None:
    window = daily(*zip(*losses, strict=True))
    found = [compare(replace(rule, min_days=1), "theirs", window, n) for n in (1, 2, 5, 50)]
    for fewer, more in pairwise(found):
        if fewer.judged:
            assert more.low <= fewer.low <= fewer.high <= more.high
            assert more.gain == fewer.gain


counts = st.integers(0, 3).flatmap(lambda n: st.just(0.0) if n == 0 else st.floats(0.5, 50))
tables = st.lists(st.tuples(counts, counts, counts), min_size=8, max_size=28)


@given(tables, st.sampled_from([1e-3, 0.3, 7.0, 1e4]), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_shares_are_free_of_the_unit_of_row_order_and_of_zero_rows(
    lines: list[tuple[float, float, float]], factor: float, chance: random.Random
) -> None:
    rule = replace(RULE, min_days=4, block_days=2)
    actual, ours, theirs = zip(*lines, strict=True)
    table = rows_of(ours, theirs, actual)
    zeros = table.assign(row=1, actual=0.0, forecast=0.0)
    closed = zeros.assign(date=zeros["date"] + pd.Timedelta(days=100))
    order = chance.sample(range(len(table)), len(table))
    other_unit = table.assign(actual=table["actual"] * factor, forecast=table["forecast"] * factor)
    one, *others = (
        compare(rule, "theirs", paired(WMAPE, rows, "ours", "theirs"))
        for rows in (table, other_unit, table.iloc[order], pd.concat([table, zeros, closed]))
    )
    for other in others:
        assert [other.gain, other.low, other.high] == pytest.approx(
            [one.gain, one.low, one.high], rel=1e-6, abs=1e-9, nan_ok=True
        )
        assert other.days == one.days


@given(tables, st.sampled_from(["wmape", "mae", "rmse"]))
@settings(deadline=None, max_examples=60)
def test_what_is_sure_is_what_the_leaderboard_says(
    lines: list[tuple[float, float, float]], name: str
) -> None:
    rule = replace(RULE, min_days=4, block_days=2, min_gain=0, confidence=0.6)
    actual, ours, theirs = zip(*lines, strict=True)
    table, metric = rows_of(ours, theirs, actual), make_metrics([name])
    evidence = compare(rule, "theirs", paired(metric[name], table, "ours", "theirs"))
    board = trailing_scores(metric, table, len(actual)).xs(table["date"].max(), level="date")[name]
    if evidence.judged:
        assert evidence.gain == pytest.approx(1 - board["theirs"] / board["ours"])
        assert evidence.wins <= (board["theirs"] < board["ours"])
        assert (evidence.why == "worse") <= (board["theirs"] > board["ours"])
