"""What was tried in a window, from cards and decisions by hand, and what the gate makes of it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from mlops_assets.assets.candidates import Candidates, Tried
from mlops_assets.ml.selection.versions import Chosen
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.stores.model_store import ModelCard
from mlops_tests.assets.lab import Lab, keys
from mlops_tests.assets.test_champion import LINEAR, NAIVE, configure, write_losses

FIRST, LAST = dt.date(2026, 3, 5), dt.date(2026, 4, 1)  # of the window, and the day to come
BEFORE, JUNE = dt.date(2026, 2, 1), dt.date(2026, 6, 1)


class Stored:
    """A model store in which only decisions are."""

    def __init__(self, decisions: Sequence[Decision] = ()) -> None:
        self.found = list(decisions)
        self.decisions = self

    def all(self) -> list[Decision]:
        return self.found


def card(
    version: str, serves: dt.date, made: dt.date | None = None, **hyperparameters: Any
) -> ModelCard:
    through = serves - dt.timedelta(days=1)
    created = dt.datetime.combine(made or serves, dt.time(2), tzinfo=dt.UTC)
    return ModelCard.model_construct(
        model="tree",
        version=version,
        family="hist_boosting",
        hyperparameters=hyperparameters,
        trained_through=through,
        created=created,
        inputs=["price"],
    )


def decision(action: Action, at: dt.date, after: Any = None) -> Decision:
    moment = dt.datetime.combine(at, dt.time(9), tzinfo=dt.UTC)
    return Decision(at=moment, by="ada", action=action, model="gone", after=after)


SERVING = card("a", dt.date(2026, 3, 1), depth=3)


@pytest.mark.parametrize(
    ("others", "retired", "count"),
    [
        ([], {}, 1),
        ([card("b", LAST, depth=3)], {}, 1),  # trained again, the same recipe
        ([card("b", LAST, depth=3)], {"b": [(LAST, True)]}, 2),  # somebody took it out of service
        ([card("b", LAST, depth=3)], {"b": [(JUNE, True)]}, 1),  # but later
        ([card("b", LAST, depth=3)], {"b": [(FIRST, True), (LAST, False)]}, 1),
        ([card(str(n), dt.date(2026, 3, 20), depth=n) for n in range(16)], {}, 16),
        # of old data, made in the window
        ([card("b", BEFORE, dt.date(2026, 3, 9), depth=4)], {}, 2),
        ([card("b", BEFORE, depth=4)], {}, 1),  # looked at long before
        # the first of a month, made up for later, by data of before the window and of its days
        ([card("b", BEFORE, JUNE, depth=4)], {}, 1),
        ([card("b", FIRST, JUNE, depth=4)], {}, 2),
        ([card("again", FIRST, JUNE, depth=4)], {}, 1),  # it judges no day of the window
        ([card("b", dt.date(2026, 4, 2), depth=4)], {}, 1),  # to come
    ],
)
def test_recipes_of_a_window(
    lab: Lab, others: list[ModelCard], retired: dict[str, list[tuple[dt.date, bool]]], count: int
) -> None:
    cards = [SERVING, *others]
    chosen = Chosen(cards, {"again": JUNE}, retired)
    found = Candidates(lab.project, Stored(), {"tree": cards}, {"tree": chosen})  # type: ignore[arg-type]
    assert found.tried({"tree": SERVING}, FIRST, LAST).challengers == {"tree": count}


@pytest.mark.parametrize(
    ("created", "dropped", "after", "counts"),
    [
        (BEFORE, FIRST, {"stored versions": "deleted", "candidates": 3}, {"gone": 3}),
        (BEFORE, FIRST, {"stored versions": "kept"}, {"gone": 1}),  # as it was kept before
        (BEFORE, FIRST - dt.timedelta(days=1), {}, {}),
        (LAST, dt.date(2026, 5, 1), {}, {"gone": 1}),
        (LAST + dt.timedelta(days=1), dt.date(2026, 5, 1), {}, {}),
        (None, FIRST, {}, {"gone": 1}),
    ],
)
def test_models_dropped_since(
    lab: Lab, created: dt.date | None, dropped: dt.date, after: Any, counts: dict[str, int]
) -> None:
    decisions = [] if created is None else [decision(Action.CREATE, created)]
    decisions.append(decision(Action.DROP, dropped, after))
    chosen = {"tree": Chosen([SERVING], {}, {})}
    found = Candidates(lab.project, Stored(decisions), {"tree": [SERVING]}, chosen)  # type: ignore[arg-type]
    tried = found.tried({"tree": SERVING}, FIRST, LAST)
    assert tried.dropped == counts
    assert tried.count == 1 + sum(counts.values())


def test_what_was_tried_is_said() -> None:
    tried = Tried({"tree": 1, "linear": 4}, {"gone": 2})
    said = "the best of 7 tried: tree; 4 of linear; 2 of gone, dropped since"
    assert str(tried) == said
    more = Tried(tried.challengers, tried.dropped, {"linear": 3, "tree": 1})
    assert str(more) == (
        said.replace("7", "11") + "; 3 of linear, only backtested; tree, only backtested"
    )


@pytest.mark.parametrize(
    ("at", "first_day", "last_day", "tried", "counts"),
    [
        (FIRST, "2026-02-01", "2026-03-04", ["depth 4"], {}),  # of days before the window
        (FIRST, "2026-02-01", "2026-03-05", ["depth 4"], {"tree": 1}),
        (LAST, "2026-04-01", "2026-05-01", ["depth 4", "depth 5"], {"tree": 2}),
        (LAST, "2026-04-02", "2026-05-01", ["depth 4"], {}),  # of days after it
        (JUNE, "2026-02-01", "2026-05-01", ["depth 4"], {}),  # nobody had looked yet
        (LAST, "2026-02-01", "2026-03-31", ["depth 3"], {}),  # a version of it is counted
        (LAST, "2026-02-01", "2026-03-31", ["depth 3, window_months 2"], {"tree": 1}),
    ],
)
def test_what_was_only_backtested(
    lab: Lab, at: dt.date, first_day: str, last_day: str, tried: list[str], counts: dict[str, int]
) -> None:
    after = {"tried": tried, "first_day": first_day, "last_day": last_day}
    moment = dt.datetime.combine(at, dt.time(9), tzinfo=dt.UTC)
    search = Decision(at=moment, by="ada", action=Action.SEARCH, model="tree", after=after)
    chosen = {"tree": Chosen([SERVING], {}, {})}
    stored = Stored([search, search])  # the same twice is one try
    found = Candidates(lab.project, stored, {"tree": [SERVING]}, chosen)  # type: ignore[arg-type]
    result = found.tried({"tree": SERVING}, FIRST, LAST)
    assert (result.searched, result.count) == (counts, 1 + sum(counts.values()))


def test_a_day_is_decided_by_all_that_was_tried(lab: Lab) -> None:
    """One of many tries is better by chance: what was dropped since widens the interval."""
    configure(lab)
    days = keys("2026-02-01", "2026-02-14")
    swings = {day: 0.40 + 0.02 * ((n * 7) % 5 - 2) for n, day in enumerate(days)}
    write_losses(lab, days, {NAIVE: 0.5, LINEAR: lambda day: swings[str(day)]})

    def decided() -> dict[str, Any]:
        lab.datasets.delete("champion")
        assert lab.run("champion", days[-1]).success
        lab.datasets = type(lab.datasets)(lab.storage)
        [found] = lab.datasets.read("champion_evidence", days[-1:]).to_dict("records")
        return {str(name): value for name, value in found.items()}

    alone = decided()
    dropped = decision(Action.DROP, dt.date(2026, 2, 10), {"candidates": 40})
    lab.models.decisions.log.add("20260210T090000000000_00000000.json", dropped)
    among = decided()
    assert alone["tried"] == "the best of 1 tried: linear"
    said = "the best of 41 tried: linear; 40 of gone, dropped since"
    assert among["tried"] == said
    assert lab.metadata("champion", days[-1])["tried"] == said
    assert among["gain"] == alone["gain"]
    assert among["low"] < alone["low"] < alone["high"] < among["high"]


def test_evidence_of_before_is_read(lab: Lab) -> None:
    """It did not say what was tried."""
    configure(lab)
    days = keys("2026-02-01", "2026-02-03")
    write_losses(lab, days, {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", days[0], days[-1]).success
    stored = lab.datasets.read("champion_evidence", days[:1]).drop(columns="tried")
    lab.datasets.write("champion_evidence", days[0], stored)
    assert lab.run("champion", days[0]).success
    metadata = lab.metadata("champion", days[0])
    assert "1 common days, fewer than 7" in metadata["evidence"]
    assert "tried" not in metadata
