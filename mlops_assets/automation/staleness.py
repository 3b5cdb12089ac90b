"""Which days are missing, or older than what they were made from, by what is new in the event log.

The event log numbers its entries. A day is stale when something that it reads has a higher number
than itself. Where nothing was stale up to an entry, only what came after it can have made something
stale.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlops_assets.automation.changes import Change, Log, day_number
from mlops_assets.graph.reads import Again
from mlops_assets.ml.due_days import EVERY_DAY, DueDays


def always() -> bool:
    """What counts whoever is champion."""
    return True


@dataclass(frozen=True)
class ReadsDays:
    """Reading the days of an asset that lie so many days before its own."""

    asset: str
    back: range | frozenset[int]
    counts: Callable[[], bool] = always
    """Whether it is read at all, asked only once it matters."""
    due: DueDays = EVERY_DAY

    def readers(self, change: Change) -> Iterable[int]:
        """The days that read a changed day."""
        return self.readers_of(day_number(change.partition, self.due))

    def readers_of(self, day: int) -> Iterable[int]:
        """The days that read a day."""
        return (day + back for back in self.back)


@dataclass(frozen=True)
class ReadsService:
    """Reading, of the versions of a model, the one in service on each day."""

    asset: str
    served: Callable[[Change], Iterable[int]]
    """The days that read the version made by a training, if any."""
    counts: Callable[[], bool] = always

    def readers(self, change: Change) -> Iterable[int]:
        """The days that read what a training made."""
        return self.served(change)

    def readers_of(self, _: int) -> Iterable[int]:
        """None: trainings are asked for by schedules, so nothing waits for one."""
        return ()


@dataclass(frozen=True)
class Daily:
    """A daily asset, what it reads, and when it is made again."""

    asset: str
    layer: str
    """What it is called with the assets that there is one of per model."""
    reads: Sequence[ReadsDays | ReadsService] = ()
    again: Again = Again.EVERY
    first_day: int = 0
    """Days before it are never asked for."""
    own_past: int = 0
    """So many of its own days before it a day reads: their facts, by which it is judged."""
    failed: Callable[[Collection[int]], set[int]] = set
    """Those of some days whose checks failed."""
    due: DueDays = EVERY_DAY
    """By which days are numbered."""

    @property
    def reads_of_days(self) -> list[ReadsDays]:
        """What it reads besides versions."""
        return [read for read in self.reads if isinstance(read, ReadsDays)]


@dataclass(frozen=True)
class Plan:
    """Days to make again, each with the reason, and those that wait until these are made."""

    stale: dict[str, dict[int, Change]] = field(default_factory=dict)
    waiting: dict[str, set[int]] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether nothing is stale, nor will be once what is stale is made."""
        return not any(self.stale.values()) and not any(self.waiting.values())

    def pending(self, asset: str) -> set[int]:
        """The days of an asset that are to be made again."""
        return self.waiting.get(asset, set()) | self.stale.get(asset, {}).keys()

    def digest(self) -> str:
        """A short text that is the same as long as nothing of the plan is done."""
        told = [(asset, sorted(self.pending(asset))) for asset in sorted(self.stale)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def find_stale(
    assets: Sequence[Daily], changes: Mapping[str, Sequence[Change]], log: Log, newest: int
) -> Plan:
    """The days of assets, in the order in which they are made, that changes have made stale.

    A day that reads a stale one waits for that to be made first. `newest` is the newest day.
    """
    plan = Plan()
    for node in assets:
        if node.again is Again.NEVER:
            continue
        causes = _causes(node, changes)
        waits = {
            reader
            for read in node.reads
            if (pending := plan.pending(read.asset)) and read.counts()
            for day in pending
            for reader in read.readers_of(day)
        }
        asked = {*causes, *waits}
        asked |= _later(asked, node.own_past, newest)
        if asked and node.again is not Again.EVERY:
            of_rows = _causes(replace(node, reads=node.reads_of_days), changes)
            failed = node.failed({*of_rows, *waits}) if node.again is Again.FAILED else set()
            made_last = log.last_made(node.asset)
            causes = {made_last: causes[made_last]} if made_last in causes else {}
            causes |= {day: cause for day, cause in of_rows.items() if day in failed - {made_last}}
            asked &= {made_last} | failed
        asked = {day for day in asked if day >= node.first_day}
        made = changes.get(node.asset, ())
        own = {day_number(change.partition, node.due): change for change in made}
        there = (asked & own.keys()) | log.made(node.asset, asked - own.keys())
        waits &= there
        _judge_later_days(node, there, causes, own)
        waits |= _later(waits, node.own_past, newest) & there
        plan.waiting[node.asset] = waits
        plan.stale[node.asset] = {
            day: causes[day]
            for day in sorted(there - waits)
            if day in causes and (day not in own or own[day].number < causes[day].number)
        }
    return plan


def _causes(node: Daily, changes: Mapping[str, Sequence[Change]]) -> dict[int, Change]:
    """The newest change among what each day reads, of the days that read a changed partition."""
    newest: dict[tuple[object, object], tuple[ReadsDays | ReadsService, Change]] = {}
    for read in node.reads:
        made = changes.get(read.asset, ())
        for change in made if made and read.counts() else ():
            # a day of several assets that are read alike counts once, each training by itself
            alike: tuple[object, object] = (read.asset, change.number)
            if isinstance(read, ReadsDays):
                alike = (read.back, change.partition)
            if (known := newest.get(alike)) is None or known[1].number < change.number:
                newest[alike] = (read, change)
    causes: dict[int, Change] = {}
    for read, change in newest.values():
        for day in read.readers(change):
            if day not in causes or causes[day].number < change.number:
                causes[day] = change
    return causes


def _later(days: Iterable[int], reach: int, last: int) -> set[int]:
    """The days up to a last one that come at most so many days after some days."""
    found: set[int] = set()
    end = 0
    for day in sorted(days):
        found.update(range(max(day + 1, end), min(day + reach, last) + 1))
        end = max(end, min(day + reach, last) + 1)
    return found


def _judge_later_days(
    node: Daily, there: set[int], causes: dict[int, Change], own: Mapping[int, Change]
) -> None:
    """Add what is to be judged anew to the causes: days that read a day that was made again.

    Only what a day itself was made from counts, else each day judged anew would lead to others.
    """
    newest_first = sorted(
        (
            (made if (made := own.get(day)) and made.number > cause.number else cause, day)
            for day, cause in causes.items()
            if day in there
        ),
        key=lambda found: found[0].number,
        reverse=True,
    )
    found: dict[int, Change] = {}
    for change, day in newest_first:
        for later in range(day + 1, day + node.own_past + 1):
            if later in there and later not in found:
                found[later] = change
    for day, change in found.items():
        if day not in causes or causes[day].number < change.number:
            causes[day] = change


def find_missing(
    assets: Sequence[Daily], window: Collection[int], log: Log, waits_for: Plan
) -> tuple[dict[str, set[int]], bool]:
    """The days of a window that are not there, and whether others wait for days of a plan.

    Asked for are those of which every layer that they read of the same day is there, be it of one
    model only; those that read a day which is to be made again wait for that.
    """
    made: dict[str, set[int]] = {}
    found: dict[str, set[int]] = {}
    late = {node.asset: set(waits_for.pending(node.asset)) for node in assets}
    layers = {node.asset: node.layer for node in assets}
    held_back = False
    for node in assets:
        made[node.asset] = log.made(node.asset, window)
        there: dict[str, set[int]] = defaultdict(set)
        for read in node.reads:
            if isinstance(read, ReadsDays) and 0 in read.back:
                there[layers[read.asset]] |= made[read.asset]
        lacking = {day for day in window if day >= node.first_day} - made[node.asset]
        ready = lacking.intersection(*there.values())
        waits = {
            day
            for read in node.reads
            if isinstance(read, ReadsDays)
            for day in ready
            if any(day - far in read.back for far in late[read.asset])
        }
        late[node.asset] |= waits
        held_back |= bool(waits)
        found[node.asset] = ready - waits
    return found, held_back
