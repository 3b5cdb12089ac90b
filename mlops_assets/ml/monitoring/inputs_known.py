"""Whether the inputs of a day were known when its forecast was issued, as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.check_result import CheckResult

INPUTS_KNOWN = "inputs_known"
CHECKS = {INPUTS_KNOWN: "The inputs that a day was forecast from are those of its rows."}
TOLERATED = 0.1  # of the rows, since a source may correct some
NAMED = 3  # inputs in a sentence
REMEDY = (
    "what is known later only belongs in features.lagged_aggregates, with lags, instead of in "
    "columns.numeric or columns.categorical; what is known when it is issued "
    "must be in rows of the day to come that the source has by then"
)


def judge_inputs(
    used: pd.DataFrame, later: pd.DataFrame, series: Sequence[str], inputs: Sequence[str]
) -> CheckResult:
    """Compare what a day was forecast from with its rows once it is over.

    Both have a row per row of the day with the columns of `series` and `inputs`. By its series a
    row is compared with itself; without any, values are counted, whichever rows they are of. Rows
    that only one of the two has are left out.
    """
    if series:
        both = used.merge(later, on=[*series], suffixes=("", "_later"))
        pairs = {name: (both[name], both[f"{name}_later"]) for name in inputs}
    else:
        pairs = {name: (used[name], later[name]) for name in inputs}
    count = _differing if series else _uncounted
    compared = len(both) if series else min(len(used), len(later))
    if not compared or not inputs:
        return CheckResult(True, "not judged: there is no input to compare")
    shares = {name: count(*pair) / compared for name, pair in pairs.items()}
    off = sorted((name for name in inputs if shares[name] > TOLERATED), key=lambda n: -shares[n])
    worst = max(shares.values())
    if not off:
        why = f"the inputs were known for all but {worst:.0%} of the rows" if worst else "they are"
        return CheckResult(True, why, value=worst, high=TOLERATED)
    named = ", ".join(f"{name} in {shares[name]:.0%} of the rows" for name in off[:NAMED])
    more = f" and {len(off) - NAMED} others" if len(off) > NAMED else ""
    example = _example(off[0], *pairs[off[0]])
    why = f"not as forecast from: {named}{more} ({example}); {REMEDY}"
    return CheckResult(False, why, value=worst, high=TOLERATED)


def _same(used: pd.Series[Any], later: pd.Series[Any]) -> pd.Series[bool]:
    """Whether pairs of values are the same but for rounding, missing ones included."""
    if pd.api.types.is_numeric_dtype(used) and pd.api.types.is_numeric_dtype(later):
        pair = used.astype(float).to_numpy(), later.astype(float).to_numpy()
        return pd.Series(np.isclose(*pair, rtol=1e-6, atol=0, equal_nan=True), used.index)
    missing = used.isna() & later.isna()
    return missing | (used.astype(str) == later.astype(str)) & (used.isna() == later.isna())


def _differing(used: pd.Series[Any], later: pd.Series[Any]) -> int:
    return int((~_same(used, later)).sum())


def _uncounted(used: pd.Series[Any], later: pd.Series[Any]) -> int:
    """How many values of the shorter one the other does not have, each as often as it has it."""
    counts = [_rounded(values).value_counts(dropna=False) for values in (used, later)]
    common = pd.concat(counts, axis=1).fillna(0).min(axis=1).sum()
    return min(len(used), len(later)) - int(common)


def _rounded(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.astype("float32" if pd.api.types.is_numeric_dtype(values) else str)


def _example(name: str, used: pd.Series[Any], later: pd.Series[Any]) -> str:
    """An input that differs, with both of its values; of values that are counted, the means."""
    if len(used) == len(later) and used.index.equals(later.index):
        first = (~_same(used, later)).idxmax()
        return f"such as {used[first]} for {later[first]}"
    if pd.api.types.is_numeric_dtype(used) and pd.api.types.is_numeric_dtype(later):
        return f"on average {used.mean():.6g} for {later.mean():.6g}"
    return f"mostly {used.mode().iat[0]} for {later.mode().iat[0]}"
