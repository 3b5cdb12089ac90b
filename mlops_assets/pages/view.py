"""What of a project a page shows: days, models, a metric and rows, as its address says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

KINDS = {
    "from": "the first day",
    "to": "the last day",
    "model": "a model; more than one time for several",
    "metric": "a metric",
    "of": "a slice as COLUMN: VALUE, or a series",
    "one": "a model to compare",
    "other": "the model that it is compared with",
    "on": "a day",
}
LONGEST = 300


class ViewError(ValueError):
    """An address asks for what there is not; the message says what there is."""


@dataclass(frozen=True)
class View:
    """A choice; without one of models, all are meant."""

    first: dt.date
    last: dt.date
    metric: str
    models: tuple[str, ...] = ()
    of: str = ""
    one: str = ""
    other: str = ""
    on: dt.date | None = None
    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The parameters as the address has them."""

    def query(self, **changes: str | Sequence[str] | None) -> str:
        """The parameters of a page that shows the same but for changes; None leaves one out."""
        kept = {**self.asked, **{name.rstrip("_"): value for name, value in changes.items()}}
        return urlencode({name: value for name, value in kept.items() if value}, doseq=True)

    def link(self, page: str, **changes: str | Sequence[str] | None) -> str:
        """The relative address of a page with these parameters."""
        query = self.query(**changes)
        return f"{page or './'}?{query}" if query else page or "./"


def view_of(
    asked: Sequence[tuple[str, str]],
    *,
    newest: dt.date,
    since: Callable[[dt.date], dt.date],
    models: Sequence[str],
    metrics: Sequence[str],
) -> View:
    """The choice of the parameters of an address; the first metric where none is named.

    Without a last day `newest` is meant, without a first one what `since` says of the last.
    ViewError.
    """
    given: dict[str, list[str]] = {}
    for name, value in asked:
        if name not in KINDS:
            known = ", ".join(f"{name} ({meaning})" for name, meaning in KINDS.items())
            raise ViewError(f"{shortened(name)} is no parameter; there are: {known}")
        if value:
            given.setdefault(name, []).append(value)
    for name, values in given.items():
        if len(values) > 1 and name != "model":
            raise ViewError(f"{name} is given {len(values)} times; give it once")

    def one_of(name: str, known: Sequence[str], what: str = "model") -> list[str]:
        for value in given.get(name, []):
            if value not in known:
                raise ViewError(f"{shortened(value)} is no {what}; there are: {', '.join(known)}")
        return given.get(name, [])

    of = "".join(given.get("of", []))
    if len(of) > LONGEST:
        raise ViewError(
            f"of is {len(of)} letters long, longer than any name; the most is {LONGEST}"
        )
    last = _day("to", given) or newest
    first = _day("from", given) or since(last)
    if first > last:
        raise ViewError(f"from {first} is after to {last}; exchange them")
    return View(
        first,
        last,
        "".join(one_of("metric", metrics, "metric")) or metrics[0],
        tuple(dict.fromkeys(one_of("model", models))),
        of,
        "".join(one_of("one", models)),
        "".join(one_of("other", models)),
        _day("on", given),
        given,
    )


def _day(name: str, given: Mapping[str, Sequence[str]]) -> dt.date | None:
    for value in given.get(name, []):
        try:
            day = dt.date.fromisoformat(value)
        except ValueError as error:
            raise ViewError(
                f"{name} is {shortened(value)}, which is no day; write 2026-01-31"
            ) from error
        if not 1900 <= day.year < 2200:
            raise ViewError(f"{name} is {day}; name a day from 1900 to 2199")
        return day
    return None


def shortened(value: str) -> str:
    return repr(value if len(value) < 60 else f"{value[:56]}...")
