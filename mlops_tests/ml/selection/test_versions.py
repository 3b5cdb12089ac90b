"""Looking versions up is as reading all of them, whatever the delays of their targets."""

import datetime as dt
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.selection.versions import previous_version, serving

START = dt.date(2026, 1, 1)


def day(n: int) -> dt.date:
    return START + dt.timedelta(days=n)


@dataclass(frozen=True)
class Stored:
    version: str
    trained_through: dt.date
    serves_from: dt.date
    serves_before: dt.date | None = None
    inputs: list[str] = field(default_factory=list)
    non_negative: bool = True
    classes: list[str] = field(default_factory=list)
    holdout_from: dt.date = START
    holdout_rows: int = 1
    holdout: dict[str, float] = field(default_factory=dict)


LONG = 1000  # more days than any of these is asked for
lengths = st.sampled_from([3, 9, LONG])


@given(
    trained=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6), lengths), max_size=12),
    asked=st.integers(-1, 30),
)
def test_the_newest_data_that_may_serve_does(
    trained: list[tuple[int, int, int]], asked: int
) -> None:
    """Of a recording that is replayed not after the rows come again that it learned from."""
    ordered = sorted(trained, key=lambda version: version[0])
    versions = [
        Stored(
            str(n),
            day(end),
            day(end + 1 + delay),
            None if length == LONG else day(end + 1 + delay + length),
        )
        for n, (end, delay, length) in enumerate(ordered)
    ]
    fit = [
        version
        for version, (end, delay, length) in zip(versions, ordered, strict=True)
        if 0 <= asked - (end + 1 + delay) < length
    ]
    assert serving(versions, day(asked)) == (fit[-1] if fit else None)
    before = [previous_version(versions, version) for version in versions]
    assert before == [None, *versions][: len(versions)]
