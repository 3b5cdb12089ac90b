"""Wrong promotions by the number of candidates that were tried, and what counting them costs.

A champion and so many challengers that are truly equal are looked at on one day: how often is any
of them promoted, where the rule knows of one candidate, and where it counts them all? Beside it, on
the days after the first on which the rule can decide, when a challenger that is truly better takes
over. Prints Markdown tables. The noise is that of `switching.py`.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.switching import AUTOCORRELATIONS, RULE, Floats, judge, shown, simulate
from mlops_assets.ml.selection.gate import Evidence, Rule, quantile

CANDIDATES = (1, 5, 20, 50)
GAINS = (0.05, 0.1)


def wins(rule: Rule, found: Evidence, candidates: int) -> bool:
    """Whether a challenger that was judged as the only one wins as one of several."""
    parts = found.days / rule.block_days
    alone = (1 - rule.confidence) / 2
    wider = quantile(alone / candidates, parts, found.days) / quantile(alone, parts, found.days)
    # the interval is one of the logarithm of the ratio of the losses
    ratio = math.log1p(-found.gain)
    low = -math.expm1(ratio + (math.log1p(-found.low) - ratio) * wider)
    return bool(low > 0 and low >= rule.min_gain)


def promoted(rules: Sequence[Rule], windows: int, autocorrelation: float) -> list[dict[int, float]]:
    """How often any of so many equal candidates is promoted on one day.

    By each rule, which differ in the least gain alone, where it knows of one candidate and where it
    counts them all.
    """
    random, most = np.random.default_rng(0), max(CANDIDATES)
    ways = [(rule, counted) for rule in rules for counted in (False, True)]
    found = np.zeros((windows, most, len(ways), len(CANDIDATES)), dtype=bool)
    for window in range(windows):
        champion, others = simulate(
            random, rules[0].window_days, 0, autocorrelation, challengers=most
        )
        for position, other in enumerate(others):
            evidence = judge(rules[0], champion, other)
            found[window, position] = [
                [wins(rule, evidence, count if counted else 1) for count in CANDIDATES]
                for rule, counted in ways
            ]
    sets = {count: found[:, : most // count * count, :, n] for n, count in enumerate(CANDIDATES)}
    any_of = {
        count: one.reshape(windows, -1, count, len(ways)).any(axis=2).mean(axis=(0, 1))
        for count, one in sets.items()
    }
    return [{count: float(shares[n]) for count, shares in any_of.items()} for n in range(len(ways))]


def firsts(
    rule: Rule, pairs: int, days: int, gain: float, autocorrelation: float
) -> dict[int, Floats]:
    """Days until a better challenger is promoted, of each pair, infinite where it never is."""
    random = np.random.default_rng(1)
    found = {count: np.full(pairs, np.inf) for count in CANDIDATES}
    for pair in range(pairs):
        champion, [other] = simulate(random, days, gain, autocorrelation)
        for end in range(rule.min_days, days + 1):
            window = slice(max(0, end - rule.window_days), end)
            evidence = judge(rule, champion[window], other[window])
            waiting = [count for count in CANDIDATES if np.isinf(found[count][pair])]
            if not waiting:
                break
            for count in waiting:
                if wins(rule, evidence, count):
                    found[count][pair] = end
    return found


def table(rule: Rule, windows: int, pairs: int, days: int, autocorrelation: float) -> Sequence[str]:
    harsh = replace(rule, min_gain=0.0)
    shares = promoted([rule, harsh], windows, autocorrelation)
    better = [firsts(rule, pairs, days, gain, autocorrelation) for gain in GAINS]
    lines = [
        "| equal candidates | promoted, not counted | counted | by any gain, not counted | counted "
        + "".join(f"| days until one better by {gain:.0%}, median (90th) " for gain in GAINS)
        + "|",
        "|---:|---:|---:|---:|---:|" + "---:|" * len(GAINS),
    ]
    for count in CANDIDATES:
        cells = [str(count), *(f"{share[count]:.2%}" for share in shares)]
        for found in better:
            middle, late = np.quantile(found[count], [0.5, 0.9], method="higher")
            cells.append(f"{shown(float(middle), days)} ({shown(float(late), days)})")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--windows", type=int, default=1000, help="windows (default 1000)")
    parser.add_argument("--pairs", type=int, default=200, help="better ones (default 200)")
    parser.add_argument("--days", type=int, default=180, help="days of each (default 180)")
    parser.add_argument(
        "--window-days", type=int, default=RULE.window_days, help="of the rule (default 28)"
    )
    args = parser.parse_args()
    rule = replace(RULE, window_days=args.window_days)
    for autocorrelation in AUTOCORRELATIONS:
        print(f"Autocorrelation {autocorrelation:g}:\n")
        print("\n".join(table(rule, args.windows, args.pairs, args.days, autocorrelation)))
        print(flush=True)


if __name__ == "__main__":
    main()
