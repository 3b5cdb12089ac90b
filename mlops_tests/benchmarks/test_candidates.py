"""How often the best of several equal candidates is promoted, on fewer windows than published."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.candidates import CANDIDATES, promoted, wins
from benchmarks.switching import MAE, RULE, judge, simulate
from mlops_assets.ml.selection.gate import compare, paired
from mlops_tests.ml.selection.test_gate import rows_of

ANY_GAIN = replace(RULE, min_gain=0.0)


@pytest.mark.parametrize("candidates", CANDIDATES)
def test_one_of_several_wins_as_the_gate_says(candidates: int) -> None:
    random = np.random.default_rng(2)
    found = []
    for gain in (0.0, 0.05, 0.1, 0.12, 0.15, 0.2):
        champion, [other] = simulate(random, 28, gain, 0.15)
        window = paired(MAE, rows_of(champion, other, [0.0] * 28), "ours", "theirs")
        found.append(compare(RULE, "other", window, candidates).wins)
        assert wins(RULE, judge(RULE, champion, other), candidates) == found[-1]
    assert not found[0]
    assert found[-1]


def test_the_rate_of_wrong_promotions_is_the_promised_one_for_any_number_of_candidates() -> None:
    promised, windows = 1 - ANY_GAIN.confidence, 40
    not_counted, counted = promoted([ANY_GAIN], windows, 0.15)
    for count, share in counted.items():
        sets = windows * (max(CANDIDATES) // count)
        assert share <= promised + 2 * np.sqrt(promised / sets), count
    assert not_counted[50] > 5 * promised
