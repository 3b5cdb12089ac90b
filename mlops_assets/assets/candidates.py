"""What was tried in a window: among how many candidates the best one was found.

The best of many equal models looks better than they all are, so that the champion's gate has to
know how many there were. A candidate is a recipe of a model: its family, hyperparameters, inputs,
window and weights. To train a recipe again is no other candidate, but a retired version is one of
its own: somebody has looked and taken another one. A dropped model counts as well, and so does a
recipe that was only tried in a backtest of days of the window.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.ml.selection.versions import Chosen
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.decisions import Action, shown
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

CANDIDATES = "candidates"  # of a dropped model, in the decision


@dataclass(frozen=True)
class Tried:
    """How many candidates there were of each challenger and of each dropped model."""

    challengers: Mapping[str, int]
    dropped: Mapping[str, int]
    searched: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        kinds = (self.challengers, self.dropped, self.searched)
        return sum(count for kind in kinds for count in kind.values())

    def __str__(self) -> str:
        named = [_several(name, count) for name, count in self.challengers.items()]
        named += [f"{_several(name, count)}, dropped since" for name, count in self.dropped.items()]
        named += [f"{_several(name, n)}, only backtested" for name, n in self.searched.items()]
        return f"the best of {self.count} tried: {'; '.join(named)}"


def _several(name: str, count: int) -> str:
    return name if count == 1 else f"{count} of {name}"


class Candidates:
    """What the stores say of what was tried, read once for the days of a run."""

    def __init__(
        self,
        project: Project,
        models: ModelStore,
        cards: Mapping[str, list[ModelCard]],
        chosen: Mapping[str, Chosen[ModelCard]],
    ) -> None:
        self.day_of = project.day_of
        self.cards, self.chosen = cards, chosen
        self.decisions = models.decisions.all()

    def tried(self, ready: Mapping[str, ModelCard], first: dt.date, last: dt.date) -> Tried:
        """What was tried from a first day to a last, the day to come; `ready` may serve on it."""
        return Tried(
            {name: self._recipes(name, card, first, last) for name, card in ready.items()},
            self._dropped(first, last),
            self._searched(ready, first, last),
        )

    def _recipes(self, model: str, serving: ModelCard, first: dt.date, last: dt.date) -> int:
        chosen, within = self.chosen[model], self._within(model, first, last)
        retired = [card for card in within if chosen.is_retired(card.version, last)]
        kept = [serving, *(card for card in within if card not in retired)]
        lost = [one for one in chosen.unreadable if first <= max(one.first, one.made) <= last]
        return len({card.recipe for card in kept}) + len(retired) + len(lost)

    def _within(self, model: str, first: dt.date, last: dt.date) -> list[ModelCard]:
        chosen = self.chosen[model]
        return [
            card for card in self.cards[model] if first <= self._since(card, chosen, last) <= last
        ]

    def _since(self, card: ModelCard, chosen: Chosen[ModelCard], last: dt.date) -> dt.date:
        """Since when a version was there to be compared; the first of a month as if in time."""
        made = self.day_of(card.created)
        made_up_for = made > last and card.version not in chosen.since
        return card.serves_from if made_up_for else max(made, card.serves_from)

    def _dropped(self, first: dt.date, last: dt.date) -> dict[str, int]:
        """Models that were there in the window and no more, with how many candidates of each."""
        created: dict[str, dt.date] = {}
        dropped: dict[str, int] = {}
        for decision in self.decisions:
            day, name = self.day_of(decision.at), decision.model
            if decision.action == Action.CREATE:
                created[name] = day
            elif decision.action == Action.DROP and day >= first and created.get(name, day) <= last:
                known: Any = decision.after
                dropped[name] = dropped.get(name, 0) + known.get(CANDIDATES, 1)
        return dropped

    def _searched(
        self, ready: Mapping[str, ModelCard], first: dt.date, last: dt.date
    ) -> dict[str, int]:
        """What backtests of days of the window tried of each model, and no version is made of."""
        tried: dict[str, set[str]] = {}
        for decision in self.decisions:
            if decision.action == Action.SEARCH and self.day_of(decision.at) <= last:
                known: Any = decision.after
                if known["first_day"] <= str(last) and known["last_day"] >= str(first):
                    tried.setdefault(decision.model, set()).update(known["tried"])
        for name in tried.keys() & ready:
            made = [ready[name], *self._within(name, first, last)]
            tried[name] -= {shown(card.hyperparameters) for card in made}
        return {name: len(recipes) for name, recipes in tried.items() if recipes}


def recipes_of(models: ModelStore, name: str) -> int:
    """How many candidates there ever were of a model; 1 where that cannot be read."""
    try:
        lost: dict[str, StorageError] = {}
        return len({card.recipe for card in models.cards(name, lost)}) + len(lost) or 1
    except StorageError:
        return 1
