"""Tests of the switch of the champion: by hand, against a slow bootstrap, and what must hold."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.metrics.metric import METRICS, make_metrics
from mlops_assets.ml.selection.gate import (
    RESAMPLES,
    Rule,
    compare,
    paired_losses,
    resampling_weights,
)

RULE = Rule(window_days=28, min_days=21, min_gain=0.02, confidence=0.99, block_days=4)
WMAPE = make_metrics(["wmape"])["wmape"]
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


def daily(champion: Sequence[float], challenger: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"champion": champion, "challenger": challenger, "rows": 3})


def noisy(days: int = 28, gain: float = 0.05, seed: int = 3) -> pd.DataFrame:
    normal = np.random.default_rng(seed).normal
    ours = 1 + normal(0, 0.05, days)
    theirs = ours * (1 - gain) + normal(0, 0.09, days)
    return daily(ours.tolist(), theirs.tolist())


def test_losses_of_common_rows_by_hand() -> None:
    before = FORECASTS.copy()
    losses = paired_losses(WMAPE, FORECASTS, "ours", "theirs")
    # Monday: ours is off by 2 and 2 on 16 units, theirs by 1 and 0; Wednesday: 2 and 3 on 8
    assert losses.columns.to_list() == ["champion", "challenger", "rows"]
    assert losses.index.to_list() == [MONDAY, WEDNESDAY]
    assert losses["champion"].to_list() == pytest.approx([4 / 16, 2 / 8])
    assert losses["challenger"].to_list() == pytest.approx([1 / 16, 3 / 8])
    assert losses["rows"].to_list() == [2, 1]
    pd.testing.assert_frame_equal(FORECASTS, before)


def test_a_row_that_one_of_two_saw_corrected_is_not_the_same_row() -> None:
    forecasts = FORECASTS.copy()
    first = forecasts.index[forecasts["model"] == "theirs"][0]
    forecasts.loc[first, "actual"] += 1
    rows = paired_losses(WMAPE, forecasts, "ours", "theirs")["rows"]
    assert rows.sum() == paired_losses(WMAPE, FORECASTS, "ours", "theirs")["rows"].sum() - 1


def test_losses_of_a_metric_around_zero_are_distances_from_it() -> None:
    losses = paired_losses(make_metrics(["bias"])["bias"], FORECASTS, "ours", "theirs")
    # Monday: ours is off by +2 and -2, theirs by -1 and 0; Wednesday: -2 and +3
    assert losses["champion"].to_list() == pytest.approx([0, 2])
    assert losses["challenger"].to_list() == pytest.approx([0.5, 3])


@pytest.mark.parametrize("name", METRICS)
def test_exchanging_the_models_exchanges_their_losses(name: str) -> None:
    metric = make_metrics([name])[name]
    one = paired_losses(metric, FORECASTS, "ours", "theirs")
    other = paired_losses(metric, FORECASTS, "theirs", "ours")
    renamed = other.rename(columns={"champion": "challenger", "challenger": "champion"})
    pd.testing.assert_frame_equal(one, renamed[one.columns])


def test_order_of_the_forecasts_does_not_matter() -> None:
    shuffled = FORECASTS.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        paired_losses(WMAPE, shuffled, "ours", "theirs"),
        paired_losses(WMAPE, FORECASTS, "ours", "theirs"),
    )


def test_models_without_common_rows_have_no_days() -> None:
    losses = paired_losses(WMAPE, FORECASTS, "ours", "unheard of")
    assert losses.empty
    evidence = compare(RULE, "unheard of", losses)
    assert (evidence.days, evidence.rows, evidence.wins) == (0, 0, False)


def whole_blocks(counts: Any, block: int) -> Any:
    """Which rows of counts, of shape (resamples, days), are made of whole blocks.

    From the left, a day that no earlier block explains must start blocks of its own, so there is
    one way at most to take a row apart.
    """
    left = np.array(counts)
    fits = np.ones(len(left), dtype=bool)
    for day in range(left.shape[1] - block + 1):
        started = left[:, [day]].copy()
        fits &= started[:, 0] >= 0
        left[:, day : day + block] -= started
    return fits & (left == 0).all(axis=1)


def test_whole_blocks_are_told_from_others() -> None:
    counts = [[1, 1, 1, 1], [0, 2, 2, 0], [1, 2, 1, 0], [1, 0, 0, 1], [2, 2, 0, 1], [0, 1, 1, 2]]
    assert whole_blocks(counts, 2).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize(("days", "block"), [(28, 4), (21, 7), (5, 1), (6, 6)])
def test_resamples_are_made_of_whole_blocks(days: int, block: int) -> None:
    weights = resampling_weights(days, block)
    counts = np.rint(weights * days).astype(int)
    assert weights.shape == (RESAMPLES, days)
    assert weights * days == pytest.approx(counts)
    assert weights.sum(axis=1) == pytest.approx(np.ones(RESAMPLES))
    assert whole_blocks(counts, block).all()


@pytest.mark.parametrize(("days", "block"), [(21, 4), (27, 4), (10, 7)])
def test_the_last_block_of_a_resample_is_cut_to_the_window(days: int, block: int) -> None:
    counts = np.rint(resampling_weights(days, block) * days).astype(int)
    assert (counts.sum(axis=1) == days).all()
    found = np.zeros(RESAMPLES, dtype=bool)
    for start in range(days - block + 1):
        without = counts.copy()
        without[:, start : start + days % block] -= 1
        found |= whole_blocks(without, block)
    assert found.all()


def test_single_days_are_drawn_alike() -> None:
    # The mean of 5000 resamples of 28 days with replacement: a count is 1 on average and its
    # standard deviation is just below 1, so that of the mean is below 1 / sqrt(5000) = 0.014.
    counts = resampling_weights(28, 1) * 28
    assert counts.mean(axis=0) == pytest.approx(np.ones(28), abs=5 * 0.014)
    assert counts.var() == pytest.approx(27 / 28, rel=0.02)


@pytest.mark.parametrize(("days", "block", "challengers"), [(28, 4, 1), (25, 7, 1), (28, 4, 3)])
def test_agrees_with_a_slow_bootstrap(days: int, block: int, challengers: int) -> None:
    rule = replace(RULE, confidence=0.8, block_days=block)
    losses = noisy(days)
    evidence = compare(rule, "theirs", losses, challengers)

    ours, theirs = losses["champion"].to_list(), losses["challenger"].to_list()
    level = sum(ours) / days
    gains = [(a - b) / level for a, b in zip(ours, theirs, strict=True)]
    dice, means = random.Random(1), []
    for _ in range(20_000):
        resample: list[float] = []
        while len(resample) < days:
            start = dice.randrange(days - block + 1)
            resample += gains[start : start + block]
        means.append(sum(resample[:days]) / days)
    means.sort()
    tail = round(len(means) * 0.2 / challengers / 2)
    # the ends are quantiles of draws, with a standard error of up to 0.04 of their spread
    spread = float(np.std(means))
    assert evidence.gain == pytest.approx(sum(gains) / days)
    assert evidence.low == pytest.approx(means[tail], abs=0.16 * spread)
    assert evidence.high == pytest.approx(means[-tail], abs=0.16 * spread)
    assert (evidence.days, evidence.rows) == (days, 3 * days)


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
    assert (evidence.days, evidence.rows) == (days, 3 * days)
    assert np.isnan([evidence.gain, evidence.low, evidence.high]).all()
    assert compare(RULE, "theirs", noisy(21, gain=0.5)).wins


def test_a_champion_without_errors_stays() -> None:
    for challenger in ([0.0] * 28, [1.0] * 28):
        evidence = compare(RULE, "theirs", daily([0.0] * 28, challenger))
        assert not evidence.wins
        assert evidence.why == "the champion makes no errors"


def test_a_window_shorter_than_a_block_is_one_block() -> None:
    rule = replace(RULE, min_days=1, block_days=7)
    evidence = compare(rule, "theirs", daily([1.0, 1.0, 1.0], [0.9, 0.5, 0.7]))
    assert [evidence.low, evidence.gain, evidence.high] == pytest.approx([0.3] * 3)


@given(st.lists(positive, min_size=1, max_size=40), rules, st.integers(1, 5))
@settings(deadline=None)
def test_equal_losses_never_win(losses: list[float], rule: Rule, challengers: int) -> None:
    assert not compare(rule, "theirs", daily(losses, losses), challengers).wins


@given(pairs | clear_wins, rules, st.integers(1, 5))
@settings(deadline=None)
def test_what_wins_is_surely_better(
    losses: list[tuple[float, float]], rule: Rule, challengers: int
) -> None:
    frame = daily(*zip(*losses, strict=True))
    before = frame.copy()
    evidence = compare(rule, "theirs", frame, challengers)
    enough = len(losses) >= rule.min_days
    sure = evidence.low > 0 and evidence.low >= rule.min_gain
    assert evidence.wins == (enough and sure)
    assert evidence.why.startswith("surely better by at least") == evidence.wins
    assert not enough or evidence.low <= evidence.high
    pd.testing.assert_frame_equal(frame, before)


@given(pairs, rules)
@settings(deadline=None)
def test_more_challengers_never_narrow_the_interval(
    losses: list[tuple[float, float]], rule: Rule
) -> None:
    rule = replace(rule, min_days=1)
    frame = daily(*zip(*losses, strict=True))
    found = [compare(rule, "theirs", frame, challengers) for challengers in (1, 2, 5, 50)]
    for fewer, more in pairwise(found):
        assert more.low <= fewer.low <= fewer.high <= more.high
        assert more.gain == fewer.gain


@given(pairs, st.sampled_from([1e-3, 0.3, 7.0, 1e4]))
@settings(deadline=None)
def test_the_unit_of_the_losses_does_not_matter(
    losses: list[tuple[float, float]], factor: float
) -> None:
    rule = replace(RULE, min_days=1)
    frame = daily(*zip(*losses, strict=True))
    one = compare(rule, "theirs", frame)
    other = compare(rule, "theirs", frame.assign(**frame[["champion", "challenger"]] * factor))
    ends = [one.gain, one.low, one.high]
    assert [other.gain, other.low, other.high] == pytest.approx(ends, rel=1e-9, abs=1e-9)


def test_the_same_losses_give_the_same_interval() -> None:
    first = compare(RULE, "theirs", noisy())
    assert compare(RULE, "theirs", noisy()) == first
    resampling_weights.cache_clear()
    assert compare(RULE, "theirs", noisy()) == first
