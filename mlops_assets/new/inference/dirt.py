"""Numbers that are none: infinite ones, codes for what is missing, and slips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.markers import is_word
from mlops_assets.resources.sources.samples import CODE_NAME, Sample, told

CODES = (-9, -99, -999, -9999, -99999, 999, 9999, 99999, 999999)  # people write for missing
FEWEST, FEWEST_DISTINCT = 30, 5  # numbers by which others are judged
FEWEST_CLASSES = 2
MOST_CODED = 0.2  # of the numbers
APART, CODES_APART = 5.0, 1.0  # how far a code is from the others, by how far these reach
MORE_COMMON = 2.0  # times as common as its neighbours a -1 is no number
MOST_FAR = 0.005  # of the numbers
FAR, FAR_FROM_USUAL = 20.0, 300.0  # times the largest other number, times the usual one
ROOM = 10  # times the largest number that is believed, another one still is


def without_dirt(sample: Sample, target: str | None = None) -> Sample:
    """The sample with such numbers missing, and what tells them from others.

    Words such as N/A are no class of the target, where that is named.
    """
    frame, notes = sample.frame.copy(deep=False), list(sample.notes)
    markers = {name: list(found) for name, found in sample.markers.items()}
    if target is not None and target in frame and frame[target].dtype == object:
        counts = frame[target].value_counts()
        words = {str(text): int(n) for text, n in counts.items() if is_word(str(text))}
        if words and len(counts) - len(words) >= FEWEST_CLASSES:
            rows = {word: (n, int((frame[target] == word).argmax())) for word, n in words.items()}
            notes.append(f"column {target!r} holds {told(rows)}: no class, so missing there")
            markers[target] = list(words)
            frame[target] = frame[target].mask(frame[target].isin(list(words)))
    for name in frame.select_dtypes("float64"):
        if name in sample.flags:
            continue
        for marker, marked, why in _dirt(str(name), frame[name]):
            found = {
                f"{value:g}": (int(count), int((frame[name] == value).to_numpy().argmax()))
                for value, count in frame[name][marked].value_counts().head(3).items()
            }
            notes.append(f"column {name!r} holds {told(found)}: {why}, so missing there")
            markers.setdefault(str(name), []).append(marker)
            frame[name] = frame[name].mask(marked)
    return replace(sample, frame=frame, notes=notes, markers=markers)


def _dirt(name: str, values: pd.Series[Any]) -> Iterator[tuple[str, pd.Series[bool], str]]:
    """Each marker of a column, the rows that it marks, and the reason."""
    for sign, infinity in (("", np.inf), ("-", -np.inf)):
        if (values == infinity).any():
            yield f"{sign}inf", values == infinity, "infinite"
    values = values.mask(np.isinf(values))
    if CODE_NAME.search(name) or values.count() < FEWEST:
        return
    while (code := _code(values)) is not None:
        share = (values == code).sum() / values.count()
        reason = f"{share:.1%} of its numbers, and far from all others"
        yield f"{code:g}" if float(f"{code:g}") == code else repr(code), values == code, reason
        values = values.mask(values == code)
    if often := _minus_ones(values):
        reason = (
            f"{often} of its numbers, none of which is below zero otherwise, nor as common near"
        )
        yield "-1", values == -1, reason
        values = values.mask(values == -1)
    bound = _bound(values)
    if bound is not None:
        reason = f"more than {FAR:g} times as large as all others"
        if (values > bound).any():
            yield f"> {bound:g}", values > bound, reason
        if (values < -bound).any():
            yield f"< {-bound:g}", values < -bound, reason


def _code(values: pd.Series[Any]) -> float | None:
    """A number that comes again and again, and far from all others; None without one."""
    known = values.dropna()
    for code in (known.min(), known.max()):
        rest = known[known != code]
        count = len(known) - len(rest)
        if (
            code == 0
            or rest.nunique() < FEWEST_DISTINCT
            or not 2 <= count <= MOST_CODED * len(known)
        ):
            continue
        low, high = rest.min(), rest.max()
        apart = max(low - code, code - high) / (high - low)
        if apart >= (CODES_APART if code in CODES else APART):
            return float(code)
    return None


def _minus_ones(values: pd.Series[Any]) -> str:
    """The share of numbers that are -1, where that is far more common than the numbers next to it.

    And no other is below zero; empty where it is a number like others.
    """
    known = values.dropna()
    rest = known[known != -1]
    count = len(known) - len(rest)
    if rest.nunique() < FEWEST_DISTINCT or not FEWEST_CLASSES <= count <= MOST_CODED * len(known):
        return ""
    near = rest.between(-1, 1).sum() / 2  # of 0 and of 1, or of as much room
    alone = rest.min() >= 0 and count >= MORE_COMMON * near
    return f"{count / len(known):.1%}" if alone else ""


def _bound(values: pd.Series[Any]) -> float | None:
    """What separates a few numbers, far larger than all others, from these; None without any."""
    sizes = np.sort(values[values != 0].abs().dropna().to_numpy())
    if len(sizes) < FEWEST:
        return None
    first = len(sizes) - max(1, int(MOST_FAR * len(sizes)))
    for at in range(first, len(sizes)):
        usual, largest = sizes[len(sizes) // 2], sizes[at - 1]
        if sizes[at] >= FAR * largest and sizes[at] >= FAR_FROM_USUAL * usual:
            return float(f"{ROOM * largest:.2g}")
    return None
