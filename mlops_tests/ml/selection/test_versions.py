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
    inputs: list[str] = field(default_factory=list)
    non_negative: bool = True
    classes: list[str] = field(default_factory=list)
    holdout_from: dt.date = START
    holdout_rows: int = 1
    holdout: dict[str, float] = field(default_factory=dict)


@given(
    trained=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), max_size=12),
    asked=st.integers(-1, 30),
)
def test_the_newest_data_that_may_serve_does(trained: list[tuple[int, int]], asked: int) -> None:
    ordered = sorted(trained, key=lambda version: version[0])
    versions = [
        Stored(str(n), day(end), day(end + 1 + delay)) for n, (end, delay) in enumerate(ordered)
    ]
    may_serve = [version for version in versions if version.serves_from <= day(asked)]
    assert serving(versions, day(asked)) == (may_serve[-1] if may_serve else None)
    before = [previous_version(versions, version) for version in versions]
    assert before == [None, *versions][: len(versions)]
