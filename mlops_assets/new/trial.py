"""A backtest of recipes on the table itself, within so many seconds: what becomes the models.

It goes from the most promising question to the least: how long a past, which loss, which lags,
how fast the past fades, which trees. Each is answered on the same stretches of days, the last ones
of the table, and the next one begins with what is best so far.
"""

from __future__ import annotations

import datetime as dt
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from mlops_assets.lazy import pd
from mlops_assets.ml.backtest.contest import (
    Blocks,
    Entry,
    Stretch,
    difference,
    errors,
    pooled,
    sampling_error,
    stretches,
)
from mlops_assets.ml.due_days import DueDays
from mlops_assets.ml.metrics.metric import Metric
from mlops_assets.ml.models.families import SHORT_NAMES, parse_hyperparameters
from mlops_assets.ml.models.splits import Window
from mlops_assets.new.choice import Backtest, Choice, Model, Result
from mlops_assets.new.draft import project_of
from mlops_assets.new.inference.span import SCALES, recent_start
from mlops_assets.new.past import Past
from mlops_assets.new.proposal import Proposal
from mlops_assets.new.recipes import (
    MOST_MONTHS,
    Recipe,
    baselines,
    beginning,
    other_families,
    questions,
)
from mlops_assets.new.usual import usual_choice
from mlops_assets.project import Project
from mlops_assets.resources.sources import SourceError

ORDER = (0, 2, 1, 3)  # of the stretches, how many lie after each, the most telling first
PAST_SHARE = 0.4  # of the days, how far back stretches may lie
FOR_OTHERS = 0.3  # of the time, kept for baselines and other families
BETTER = 0.002  # by less than this share, the plainer recipe is kept
MODELS = 3
MOST_PASSED = 2.0  # seconds for one of the processor
PLAIN = ("seasonal_naive", "historical_mean", "prior")
NAMES = SHORT_NAMES | {"ridge": "linear"}

Tell = Callable[[str], None]


def tried(made: Proposal, seconds: float, tell: Tell) -> Proposal:
    """The proposal with the models that a backtest of about so many seconds chooses."""
    clock = Clock(seconds)
    try:
        if seconds <= 0:
            raise ValueError("no backtest was asked for")
        past, due = Past.read(made, project_of(made)), made.due.value
        *longer, shortest = SCALES[due.grain].stretches
        first = due.back(past.first, -(max(made.span.lags, default=0) + shortest))
        reach = int(PAST_SHARE * due.count(first, past.last))
        length = next((days for days in longer if reach >= 2 * days), shortest)
        offsets = [length * after for after in ORDER if length * (after + 1) <= reach] or [0]
        days = stretches(first, past.last, offsets, length, due)
        if not days:
            few = due.in_words(made.days.count)
            raise ValueError(f"{few} are too few to learn from and to score")
        trial = Trial(made, past, clock, tell, days)
        best = trial.search(beginning(made, past))
    except (ValueError, SourceError) as error:
        return replace(made, choice=replace(usual_choice(made), untried=str(error)))
    tell("")
    return trial.told(best)


class Clock:
    """How much of the time is over: of the processor, so that other work changes little of what is
    tried; at most twice as much passes.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._busy, self._began = time.process_time(), time.monotonic()

    def taken(self) -> float:
        return max(time.process_time() - self._busy, (time.monotonic() - self._began) / MOST_PASSED)


@dataclass
class Trial:
    """The recipes tried so far, and what they came to."""

    made: Proposal
    past: Past
    clock: Clock
    tell: Tell
    days: list[Stretch]
    parts: dict[tuple[Recipe, Stretch], pd.DataFrame] = field(default_factory=dict)
    """The sums of the metric by day, of each stretch."""
    sums: dict[Recipe, pd.DataFrame] = field(default_factory=dict)
    """Those of all stretches of this round."""
    failed: dict[Recipe, str] = field(default_factory=dict)
    projects: dict[Recipe, Project] = field(default_factory=dict)
    stopped: bool = False

    def search(self, start: Recipe) -> Recipe:
        """The best recipe. ValueError where none could be tried.

        All are tried on one stretch, then on two and on all, while the time is enough: each round
        takes about as long as those before it.
        """
        every, best = self.days, start
        for count in sorted({1, min(2, len(every)), len(every)}):
            if count > 1 and 2 * self.clock.taken() > self.clock.seconds:
                break
            before = best, self.days, self.sums, self.failed
            self.days, self.sums, self.failed = every[:count], {}, {}
            best = self._round(start)
            if count > 1 and self.stopped:
                best, self.days, self.sums, self.failed = before
                self.stopped = False
                break
        if not self.sums:
            raise ValueError(f"no recipe could be tried: {next(iter(self.failed.values()))}")
        return best if best in self.sums else min(self.sums, key=self.loss)

    def _round(self, start: Recipe) -> Recipe:
        """The best recipe by the stretches of this round."""
        best = start
        for asked in questions(self.made, self.past):
            variants = asked.variants(best)
            best = self._best_of(best, variants, 1.0 - FOR_OTHERS, asked.patience)
        plain = [best.with_model(model) for model in baselines(self.project(best), self.made)]
        self._best_of(best, plain)
        return self._best_of(best, other_families(best, self.made, self.past))

    def _best_of(
        self,
        start: Recipe,
        others: Iterable[Recipe],
        share: float = 1.0,
        patience: int = 1000,
    ) -> Recipe:
        """The best of some recipes that a share of the time is enough for."""
        best, left = start, patience
        for recipe in others:
            if recipe in self.sums or recipe in self.failed:
                continue
            if self.clock.taken() > share * self.clock.seconds:
                self.stopped = True
                break
            left -= 1
            if self._better(recipe, best):
                best, left = recipe, patience
            if not left:
                break
            name = self.metric.name
            self.tell(f"{len(self.sums)} recipes tried, the best has {name} {self.loss(best):.4g}")
        return best

    def _better(self, recipe: Recipe, best: Recipe) -> bool:
        """Whether a recipe is better than another by its standard error at least."""
        if not self.loss(recipe) < self.loss(best):
            return False
        if best in self.failed:
            return True
        share, error = difference(self.metric, self.sums[recipe], self.sums[best], self.blocks)
        return -share > max(BETTER, error if error == error else 0.0)

    def project(self, recipe: Recipe) -> Project:
        if recipe not in self.projects:
            self.projects[recipe] = project_of(self._proposal(recipe))
        return self.projects[recipe]

    @property
    def metric(self) -> Metric:
        return next(iter(self.projects.values())).primary_metric

    @property
    def due(self) -> DueDays:
        return self.made.due.value

    @property
    def blocks(self) -> Blocks:
        return Blocks(self.due, SCALES[self.due.grain].block)

    def loss(self, recipe: Recipe) -> float:
        """What a recipe comes to on all stretches; infinite where it cannot be tried."""
        if recipe not in self.sums and recipe not in self.failed:
            try:
                self.sums[recipe] = self._tried(recipe)
            except ValueError as error:
                self.failed[recipe] = str(error)
        if recipe in self.failed:
            return float("inf")
        return pooled(self.metric, self.sums[recipe])

    def _tried(self, recipe: Recipe) -> pd.DataFrame:
        project = self.project(recipe)
        earliest = self.due.back(self.past.first, -project.longest_lag)
        least = SCALES[self.due.grain].stretches[-1]

        def learned(end: dt.date) -> Window:
            window = project.training_window.of(end, earliest)
            if window.start < earliest or self.due.count(window.start, window.end) < least:
                raise ValueError(f"{window} is more than there is before {end}")
            return window

        entry = Entry(
            project.fit_plan,
            recipe.family,
            parse_hyperparameters(recipe.family, recipe.hyperparameters),
            self.past.features(project.feature_plan),
            learned,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for days in self.days:
                if (recipe, days) not in self.parts:
                    self.parts[recipe, days] = errors(entry, project.primary_metric, days)
        return pd.concat([self.parts[recipe, days] for days in self.days]).sort_index()

    def _proposal(self, recipe: Recipe) -> Proposal:
        """What has such a recipe as its only model."""
        span, days = self.made.span, self.made.days
        reach = max([*recipe.lags, *recipe.means], default=0)
        first = span.first_day
        if recipe.expanding:
            first = recent_start(days.first, days.last, reach, MOST_MONTHS, self.due)
        elif (recipe.months, recipe.lags) != (span.window_months, tuple(span.lags)):
            first = recent_start(days.first, days.last, reach, recipe.months, self.due)
        choice = Choice(
            Model("tried", recipe.family, recipe.hyperparameters),
            (),
            recipe.means,
            "expanding" if recipe.expanding else "trailing",
            recipe.half_life,
        )
        of = self.due.in_words(days.count)
        reason = f"of {of}; the backtest says so" if self.sums else span.reason
        span = replace(
            span,
            first_day=first,
            lags=list(recipe.lags),
            window_months=recipe.months,
            holdout_days=(
                7 if recipe.months == 1 and not recipe.expanding else SCALES[self.due.grain].holdout
            ),
            reason=reason,
        )
        return replace(self.made, span=span, choice=choice)

    def told(self, best: Recipe) -> Proposal:
        """The proposal with the best recipe and two alternatives, beside the best plain rule."""
        ranked = sorted(self.sums, key=self.loss)
        others = [recipe for recipe in ranked if recipe.same_rows(best) and recipe != best]
        plain = [recipe for recipe in others if recipe.family in PLAIN]
        fitting = [best, *others]  # best by more than chance, whichever has the least error
        named = {
            recipe: _name(recipe, taken)
            for taken, recipe in _distinct(r for r in fitting if r.family not in PLAIN)
        }
        usual = usual_choice(self.made)
        baseline = usual.baseline
        if plain and (plain[0].family, plain[0].hyperparameters) != _of(baseline):
            name = "repeated" if plain[0].family == "seasonal_naive" else "usual"
            baseline = Model(name, plain[0].family, plain[0].hyperparameters)
        if plain:
            named[plain[0]] = baseline.name
        models = [
            Model(name, recipe.family, recipe.hyperparameters)
            for recipe, name in named.items()
            if recipe.family not in PLAIN
        ]
        made = self._proposal(best)
        assert made.choice is not None
        found = replace(
            made.choice,
            baseline=baseline,
            models=tuple(models) or usual.models,
            backtest=self._backtest(named),
        )
        return replace(made, choice=found)

    def _backtest(self, named: dict[Recipe, str]) -> Backtest:
        ranked = sorted(self.sums, key=self.loss)
        metric, first = self.metric, self.sums[ranked[0]]
        results = [
            Result(
                str(recipe),
                self.loss(recipe),
                sampling_error(metric, self.sums[recipe], self.blocks),
                *difference(metric, self.sums[recipe], first, self.blocks),
                named.get(recipe, ""),
            )
            for recipe in ranked
        ]
        among = f" in {len(self.days)} stretches" if len(self.days) > 1 else ""
        day = min(days.first for days in self.days)
        last = max(days.last for days in self.days)
        text = f"{self.due.in_words(len(first))}{among} from {day} through {last}"
        return Backtest(metric.loss_name, text, tuple(results), self.stopped)


def _of(model: Model) -> tuple[str, dict[str, object]]:
    return model.family, model.hyperparameters


def _distinct(recipes: Iterable[Recipe]) -> Iterable[tuple[list[str], Recipe]]:
    """The first few recipes of different families or losses, with the families of those before."""
    seen: list[str] = []
    kinds: set[tuple[str, str]] = set()
    for recipe in recipes:
        if (recipe.family, recipe.loss) not in kinds and len(kinds) < MODELS:
            kinds.add((recipe.family, recipe.loss))
            yield list(seen), recipe
            seen.append(recipe.family)


def _name(recipe: Recipe, taken: list[str]) -> str:
    """A name for a model; of a family that has one already, with its loss."""
    name = NAMES.get(recipe.family, recipe.family)
    return f"{name}_{recipe.loss}" if recipe.family in taken else name
