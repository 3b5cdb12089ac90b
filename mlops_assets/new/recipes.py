"""What is tried on a table: recipes, and the questions by which they are varied."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_assets.ml.due_days import LONGEST, YEAR_OF, DueDays, Grain
from mlops_assets.ml.models.splits import add_months, month_start_after
from mlops_assets.new.choice import Model
from mlops_assets.new.inference.span import SCALES, Scale, recent_start, service_days
from mlops_assets.new.past import Past
from mlops_assets.new.proposal import Proposal
from mlops_assets.new.usual import USUAL_LEAF, usual_choice, weekday_of
from mlops_assets.project import REPLAY_DAYS, Project

HIST = "hist_gradient_boosting"
HISTS = (HIST, f"{HIST}_classifier")
PATIENCE = 2  # shorter windows than so many that were no better are not tried
MOST_MONTHS = 120
LONGEST_MONTH = 31
LOSSES = ("poisson", "squared_error", "absolute_error")
MANY_ROWS = 400
LEAST_YEARS, MANY_YEARS = 3, 8
TREES: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.05, "max_iter": 300},
    {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15},
)


@dataclass(frozen=True)
class Recipe:
    """A family with its hyperparameters, and what it learns from."""

    family: str
    options: str
    """Its hyperparameters as JSON."""
    lags: tuple[int, ...]
    means: tuple[int, ...]
    months: int
    expanding: bool = False
    half_life: int | None = None
    unit: str = "day"

    @classmethod
    def usual(cls, made: Proposal) -> Recipe:
        """What is usual of the most promising family."""
        usual = usual_choice(made)
        [model] = [model for model in usual.models if model.family in HISTS]
        span = made.span
        recipe = cls(model.family, _text(model), tuple(span.lags), usual.means, span.window_months)
        return replace(recipe, unit=str(made.due.value.grain))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.options)
        return found

    @property
    def loss(self) -> str:
        return str(self.hyperparameters.get("loss", ""))

    def with_model(self, model: Model) -> Recipe:
        """Another model on the same rows and inputs."""
        return replace(self, family=model.family, options=_text(model))

    def having(self, **hyperparameters: Any) -> Recipe:
        """The same with other hyperparameters."""
        return self.with_model(Model("", self.family, self.hyperparameters | hyperparameters))

    def same_rows(self, other: Recipe) -> bool:
        """Whether both can be models of one project."""
        return self == replace(other, family=self.family, options=self.options)

    def __str__(self) -> str:
        told = ", ".join(
            f"{name} {' and '.join(value) if isinstance(value, list) else value}"
            for name, value in self.hyperparameters.items()
            if value != []
        )
        parts = [f"{self.family} ({told})" if told else self.family]
        parts.append("all of the past" if self.expanding else f"{self.months} month(s)")
        parts += [f"lags {in_words(self.lags)}"] if self.lags else []
        parts += [f"means of {in_words(self.means)} {self.unit}s"] if self.means else []
        parts += [f"half-life {self.half_life} {self.unit}s"] if self.half_life else []
        return "; ".join(parts)


def in_words(days: Sequence[int]) -> str:
    """Numbers of days, those that follow one another as 1 to 7."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else str(run)[1:-1] for run in runs)


def _text(model: Model) -> str:
    told = {"loss": "squared_error"} if model.family == HIST else {}
    return json.dumps(told | model.hyperparameters)


@dataclass(frozen=True)
class Question:
    """How a recipe is varied."""

    variants: Callable[[Recipe], Iterable[Recipe]]
    patience: int = 1000
    """After so many variants in turn that are no better it ends."""


def beginning(made: Proposal, past: Past) -> Recipe:
    """The recipe that others must be better than: all of the past, or as much as a replay allows,
    and the lags of the weeks before; of a year before only where many years are left to learn from.

    What has seen every season is the safer choice where the stretches tell no difference.
    """
    limits = _Limits(made, past)
    best = Recipe.usual(made)
    if made.rows_read >= MANY_ROWS:
        best = best.having(min_samples_leaf=USUAL_LEAF)
    if best.family == HIST:
        best = best.having(loss=_losses_of(made)[0])
    longest = [recipe for recipe in limits.windows(best) if recipe.expanding]
    whole = sorted(limits.windows(best), key=lambda recipe: -recipe.months)
    best = next(iter([*longest, *whole]), best)
    with_lags = [recipe for recipe in limits.inputs(best) if recipe != best]
    return with_lags[0] if with_lags and not made.rows.events else best


def questions(made: Proposal, past: Past) -> list[Question]:
    """How the best recipe so far is varied, the most promising question first."""
    limits = _Limits(made, past)
    return [
        Question(_losses(made)),
        Question(limits.inputs),
        Question(limits.windows, patience=PATIENCE),
        Question(limits.fading, patience=1),
        Question(_trees),
    ]


@dataclass(frozen=True)
class _Limits:
    """What the days of a table allow."""

    made: Proposal
    past: Past

    @property
    def due(self) -> DueDays:
        return self.made.due.value

    @property
    def scale(self) -> Scale:
        return SCALES[self.due.grain]

    def windows(self, best: Recipe) -> Iterator[Recipe]:
        """All of the past, and windows of so many months, that leave days to serve."""
        days, reach = self.made.days, max([*best.lags, *best.means], default=0)
        if not self.made.replay.value:
            yield replace(best, months=self._until_service(reach), expanding=True)
        for months in self.scale.tried:
            if self.made.replay.value:
                allowed = LONGEST_MONTH * months + reach < REPLAY_DAYS
            else:
                served = service_days(days.first, days.last, reach, months, self.due)
                allowed = served >= self.scale.service_days
            if allowed:
                yield replace(best, months=months, expanding=False)

    def _until_service(self, reach: int) -> int:
        """The months before the first one that is served, of a window that expands."""
        days = self.made.days
        begins = recent_start(days.first, days.last, reach, MOST_MONTHS, self.due)
        first = month_start_after(self.due.back(begins, -reach))
        served = add_months(days.last, 1 - self.scale.history_months)
        months = (served.year - first.year) * 12 + served.month - first.month
        return min(max(1, months), MOST_MONTHS)

    def inputs(self, best: Recipe) -> Iterator[Recipe]:
        """Other lags and means of the target's past."""
        made, scale, year = self.made, self.scale, self.due.year
        if made.span.lags not in scale.lags:
            return
        usual, longer, other = scale.means
        season = self.past.season(made.target.name)
        near = sorted({*scale.near, *([season] if season and season < year - 1 else [])})
        if made.rows.events:
            yield self._with(best, best.lags, longer)
            yield self._with(best, best.lags, (28, 182) if self.due.daily else other)
            return
        of_year = self._with(best, [*near, year], usual)
        weeks = self._with(best, near, usual)
        many = self.due.count(self.past.first, self.past.last) > MANY_YEARS * year
        yield from [of_year, weeks] if many or not self.due.daily else [weeks, of_year]
        yield self._with(best, [*near, year], longer)
        yield self._with(best, near, other)
        yield self._with(best, scale.lags[-1], usual)

    def _with(self, best: Recipe, lags: Any, means: tuple[int, ...]) -> Recipe:
        """These inputs, where the days are enough; else the recipe as it is."""
        reach = max([*lags, *means])
        span, year = (self.past.last - self.past.first).days, self.due.year
        months = best.months
        if best.expanding:
            months = self._until_service(reach)
        learned = LONGEST_MONTH * (1 if best.expanding else months)
        needed = reach * LONGEST[self.due.grain] + learned + 2 * self.scale.service_days
        if reach >= year:  # as the first year is not learned from, two others must be left
            needed = max(needed, LEAST_YEARS * YEAR_OF[Grain.DAY])
        if needed > span or (self.made.replay.value and needed >= REPLAY_DAYS):
            return best
        return replace(best, lags=tuple(lags), means=means, months=months)

    def fading(self, best: Recipe) -> Iterator[Recipe]:
        """Rows that count the less the older they are."""
        for periods in self.scale.half_lives:
            if best.expanding or best.months * 30 > periods * LONGEST[self.due.grain]:
                yield replace(best, half_life=periods)


def _losses(made: Proposal) -> Callable[[Recipe], Iterator[Recipe]]:
    def losses(best: Recipe) -> Iterator[Recipe]:
        if best.family != HIST:
            return
        yield from (best.having(loss=loss) for loss in _losses_of(made))

    return losses


def _losses_of(made: Proposal) -> tuple[str, ...]:
    """The losses that suit the target and a metric of absolute errors, the likeliest first."""
    return LOSSES if not made.facts[made.target.name].negative else LOSSES[1:]


def _trees(best: Recipe) -> Iterator[Recipe]:
    for trees in TREES:
        yield best.having(**trees)


def other_families(best: Recipe, made: Proposal, past: Past) -> Iterator[Recipe]:
    """Other models on the rows of the best one."""
    yield from (best.with_model(model) for model in usual_choice(made).models)
    if best.family == HIST:
        yield from _losses(made)(best)
        forest = {"n_estimators": 60, "min_samples_leaf": 5}
        yield best.with_model(Model("", "random_forest", forest))
        if past.is_often_zero(made.target.name):
            yield best.with_model(Model("", "tweedie_regression", {}))


def baselines(project: Project, made: Proposal) -> Iterator[Model]:
    """The plain rules: repeat a value or mean of the past, or the usual one of like rows."""
    usual = usual_choice(made)
    yield usual.baseline
    if project.labels:
        return
    plan = project.feature_plan
    past = [*plan.lag_columns, *plan.rolling_columns, *plan.aggregate_columns]
    for name in past:
        yield Model("", "seasonal_naive", {"repeats": name})
    weekday = weekday_of(made)
    key = [] if made.key is None else [made.key.value]
    named = [name for name in made.rows.series.value if name in made.columns.categorical]
    for by in ([], weekday, [*key, *named], [*key, *named, *weekday]):
        for statistic in ("median", "mean"):
            yield Model("", "historical_mean", {"by": by, "statistic": statistic})
