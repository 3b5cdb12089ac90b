"""Trained versions of a model, stored or only tried, and which of them scores a day."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from mlops_assets.lazy import pd


class TrainedVersion(Protocol):
    """What is asked of a version; a ModelCard says it of a stored one."""

    @property
    def version(self) -> str: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def non_negative(self) -> bool: ...
    @property
    def classes(self) -> list[str]: ...
    @property
    def trained_through(self) -> dt.date: ...
    @property
    def serves_from(self) -> dt.date:
        """The first day that it may score: later than each day that it learned from."""

    @property
    def serves_before(self) -> dt.date | None:
        """The first day that is again one that it learned from, by a replay; None without one."""


V = TypeVar("V", bound=TrainedVersion)


def serving(versions: Sequence[V], day: dt.date) -> V | None:
    """The one in service on a day, of the versions that are fit to serve, oldest data first.

    Every day that it learned from lies before that day, and so early that its target was known
    when the forecast of that day was issued.
    """
    return next(_in_turn(versions, day), None)


def _in_turn(versions: Sequence[V], day: dt.date) -> Iterator[V]:
    """The versions that may serve a day, newest data first."""
    older = bisect_left(versions, day, key=_data)
    # by other delays of the target, a version of older data may serve later than a newer one
    newest_first = (versions[position] for position in reversed(range(older)))
    return (version for version in newest_first if _serves(version, day))


@dataclass(frozen=True)
class Unreadable:
    """A version of which only is known for which month it was made, and when: its name says so."""

    version: str
    first: dt.date
    """The first day that it may have been made for."""
    made: dt.date
    error: Exception

    def hides(self, version: TrainedVersion | None) -> bool:
        """Whether it may serve a day in the place of another version, as the newer one."""
        return version is None or self.version > version.version


@dataclass(frozen=True)
class Chosen(Generic[V]):
    """The versions by which a day that is over is judged: those that were chosen before it ended.

    Else a version could be trained, retired or restored because its days are known to be better so.
    """

    versions: Sequence[V]
    """Those that were accepted, oldest data first, with those that are retired by now."""
    since: Mapping[str, dt.date]
    """By version the day on which it was made, but of the first one of a month that was trained as
    the settings say: the schedule would have made that by then, however late it was made up for."""
    retired: Mapping[str, Sequence[tuple[dt.date, bool]]]
    """By version the days on which it was retired (True) or restored, oldest first."""
    refused: Sequence[V] = ()
    """Those that may be scored in shadow, oldest data first, with those that are retired by now."""
    unreadable: Sequence[Unreadable] = ()

    @property
    def readable(self) -> Chosen[V]:
        """The same without those that cannot be read, in whose place older ones serve."""
        return replace(self, unreadable=())

    def on(self, day: dt.date) -> V | None:
        """The one that serves a day. The error of one that cannot be read and may serve it."""
        return self.in_turn(day)[0]

    def lost(self, day: dt.date) -> Exception | None:
        """The error of one that cannot be read and may serve a day, where no other one may."""
        if self.readable.on(day) is not None:
            return None
        return next((one.error for one in self.unreadable if one.first <= day), None)

    def in_turn(self, day: dt.date) -> tuple[V | None, V | None]:
        """The one that serves a day, and the one that would without it.

        The error of one that cannot be read and may be the first; where it may be the second, there
        is none.
        """
        versions = self._by_then(self.versions, day)
        first, second = next(versions, None), next(versions, None)
        there = [lost for lost in self.unreadable if self._counts(lost.version, day, lost.first)]
        for lost in there:
            if lost.hides(first):
                raise lost.error
        return first, None if any(lost.hides(second) for lost in there) else second

    def in_shadow(self, day: dt.date) -> V | None:
        """The one that is scored in shadow where none serves a day."""
        return next(self._by_then(self.refused, day), None)

    def _by_then(self, versions: Sequence[V], day: dt.date) -> Iterator[V]:
        return (v for v in _in_turn(versions, day) if self._counts(v.version, day, day))

    def _counts(self, version: str, day: dt.date, first: dt.date) -> bool:
        """Whether a version, made for days from a first one on, was chosen before a day ended."""
        since = max(self.since.get(version, day), first)
        return since <= day and not self.is_retired(version, day)

    def is_retired(self, version: str, day: dt.date) -> bool:
        """Whether a version was retired at the end of a day."""
        decided = self.retired.get(version, ())
        return next((retired for at, retired in reversed(decided) if at <= day), False)


def _serves(version: TrainedVersion, day: dt.date) -> bool:
    """Whether a version may score a day."""
    before = version.serves_before
    return version.serves_from <= day and (before is None or day < before)


def may_serve(version: TrainedVersion, dates: pd.Series[Any]) -> pd.Series[bool]:
    """Whether a version may score each of these dates."""
    served = {date: _serves(version, date.date()) for date in dates.drop_duplicates()}
    return dates.map(served).astype(bool)


def previous_version(versions: Sequence[V], version: V) -> V | None:
    """The one before a version among those that are fit to serve, oldest data first."""
    position = bisect_left(versions, version.trained_through, key=_data)
    while versions[position].version != version.version:
        position += 1
    return versions[position - 1] if position else None


def days_in_service(versions: Sequence[V], version: V) -> tuple[dt.date, dt.date | None]:
    """The first day that a version fit to serve serves, and the first one after that it does not.

    The second is None where it goes on serving; where it is no later than the first, no day is
    left to it.
    """
    later = versions[versions.index(version) + 1 :]
    ends = [version.serves_before, *(other.serves_from for other in later)]
    return version.serves_from, min((end for end in ends if end), default=None)


def _data(version: TrainedVersion) -> dt.date:
    return version.trained_through


def as_settings_said_then(made: Iterable[tuple[str, dt.date, Hashable]]) -> set[str]:
    """The versions of the recipe that the settings named when their month began.

    `made` are those that were trained as the settings said, oldest first: name, day, recipe. What
    the settings said then is told by the newest one of before, or of a past that was made at once
    by its first one.
    """
    known = list(made)
    days = [str(day) for _, day, _ in known]
    then = [
        known[max(bisect_right(days, version.partition("_")[0]) - 1, 0)] for version, *_ in known
    ]
    return {one[0] for one, of in zip(known, then, strict=True) if one[2] == of[2]}
