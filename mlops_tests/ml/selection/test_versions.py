"""Looking versions up is as reading all of them, whatever the delays of their targets."""

import datetime as dt
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.selection.versions import Chosen, previous_version, serving

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


def chosen(retired: dict[str, list[tuple[dt.date, bool]]] | None = None) -> Chosen[Stored]:
    """Versions a, b and c that learn through days 0, 10 and 5; c was made on day 20."""
    versions = [Stored(name, day(end), day(end + 1)) for name, end in (("a", 0), ("c", 5))]
    versions.append(Stored("b", day(10), day(11)))
    return Chosen(versions, {"c": day(20)}, retired or {})


def names(found: Chosen[Stored], asked: int) -> list[str]:
    return [version.version for version in found.in_turn(day(asked))]


def test_a_version_that_was_made_later_judges_no_day_before() -> None:
    found = chosen()
    assert [names(found, n) for n in (0, 1, 7, 11, 19)] == [
        [],
        ["a"],
        ["a"],
        ["b", "a"],
        ["b", "a"],
    ]
    assert names(found, 20) == ["b", "c", "a"]
    assert found.on(day(20)) == Stored("b", day(10), day(11))
    assert found.on(day(0)) is None


def test_a_version_that_was_retired_later_judges_the_days_before() -> None:
    found = chosen({"b": [(day(15), True), (day(25), False)], "c": [(day(30), True)]})
    assert [names(found, n)[0] for n in (14, 15, 20, 24, 25, 30)] == ["b", "a", "c", "c", "b", "b"]
    assert names(found, 30) == ["b", "a"]
