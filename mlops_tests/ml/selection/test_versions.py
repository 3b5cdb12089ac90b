"""Looking versions up is as reading all of them, whatever the delays of their targets."""

import datetime as dt
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.selection.versions import Chosen, Unreadable, previous_version, serving

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
    return [version.version for version in found.in_turn(day(asked)) if version]


def test_a_version_that_was_made_later_judges_no_day_before() -> None:
    found = chosen()
    assert [names(found, n) for n in (0, 1, 7, 11, 19)] == [
        [],
        ["a"],
        ["a"],
        ["b", "a"],
        ["b", "a"],
    ]
    assert names(found, 20) == ["b", "c"]
    assert found.on(day(20)) == Stored("b", day(10), day(11))
    assert found.on(day(0)) is None


def test_a_version_that_cannot_be_read_costs_the_days_that_it_may_serve() -> None:
    error = ValueError("lost")
    lost = replace(chosen(), unreadable=[Unreadable("b2", day(11), day(15), error)], since={})
    assert [names(lost, n) for n in (1, 10)] == [["a"], ["c", "a"]]
    for n in (11, 19):
        with pytest.raises(ValueError, match="lost"):
            lost.on(day(n))
        assert lost.readable.on(day(n)) is not None
        assert lost.lost(day(n)) is None, "another one may serve"
    newer = Stored("b3", day(18), day(19))
    later = replace(lost, versions=[*lost.versions, newer])
    assert later.in_turn(day(19)) == (newer, None), "the one before it is not known"
    assert replace(later, versions=[]).lost(day(11)) is error
    assert replace(later, versions=[]).lost(day(10)) is None
    made_later = replace(lost, since={"b2": day(20)})
    assert names(made_later, 19) == ["b", "c"]
    retired = replace(lost, retired={"b2": [(day(15), True)]})
    assert names(retired, 15) == ["b", "c"]


def test_a_version_that_was_retired_later_judges_the_days_before() -> None:
    found = chosen({"b": [(day(15), True), (day(25), False)], "c": [(day(30), True)]})
    assert [names(found, n)[0] for n in (14, 15, 20, 24, 25, 30)] == ["b", "a", "c", "c", "b", "b"]
    assert names(found, 30) == ["b", "a"]
