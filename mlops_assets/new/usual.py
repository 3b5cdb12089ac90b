"""The models of a project by rule of thumb, which a backtest begins with."""

from __future__ import annotations

from typing import Any

from mlops_assets.new.choice import Choice, Model
from mlops_assets.new.inference.span import SCALES
from mlops_assets.new.proposal import Proposal
from mlops_assets.project import CalendarFeature

FEWEST_IN_LEAF, USUAL_LEAF, MOST_IN_LEAF = 5, 20, 50


def chosen(made: Proposal) -> Choice:
    """What was chosen for a proposal, else what is usual."""
    return made.choice or usual_choice(made)


def usual_choice(made: Proposal) -> Choice:
    means = SCALES[made.due.value.grain].means[0]
    if made.due.value.daily:
        means = tuple(days for days in made.span.lags if days in means)
    else:
        reach = max(made.span.lags, default=0)
        means = tuple(periods for periods in means if periods <= reach)
    return Choice(_baseline(made), _models(made), means)


def columns_used(made: Proposal) -> set[str]:
    """The columns of the source that the settings name."""
    columns = made.columns
    named = [made.date.value, made.target.name, *made.rows.series.value]
    weight = [made.wishes.weight] if made.wishes.weight else []
    return {*named, *columns.numeric, *columns.categorical, *weight}


def weekday_of(made: Proposal) -> list[str]:
    """The feature of the day of the week, or else of the month, where no column is called so."""
    daily = made.due.value.daily
    feature = CalendarFeature.DAY_OF_WEEK if daily else CalendarFeature.MONTH
    return sorted({str(feature)} - columns_used(made))


def _baseline(made: Proposal) -> Model:
    """The model that the others are compared with."""
    if made.target.labels:
        return Model("prior", "prior")
    if not made.lagged:
        if made.due.value.season in made.span.lags:
            return Model("seasonal_naive", "seasonal_naive")
        return Model("last_value", "seasonal_naive", {"repeats": f"{made.target.name}_lag_1"})
    by = [] if made.key is None else [made.key.value]
    return Model("usual", "historical_mean", {"by": [*by, *weekday_of(made)]})


def small_leaves(made: Proposal) -> int:
    """The fewest rows in a leaf for a table of so many rows."""
    rows = made.rows_read if made.aggregate is None else made.rows_read // (made.rows.grid or 1)
    return min(MOST_IN_LEAF, max(FEWEST_IN_LEAF, rows // 1000))


def _models(made: Proposal) -> tuple[Model, ...]:
    fact = made.facts[made.target.name]
    counts = fact.whole and not fact.negative
    leaf = small_leaves(made)
    small: dict[str, Any] = {"min_samples_leaf": leaf} if leaf < USUAL_LEAF else {}
    tree = {"max_depth": 8, "min_samples_leaf": leaf}
    hist = {"loss": "poisson"} | small if counts else small
    if made.target.labels:
        return (
            Model("logistic", "logistic_regression"),
            Model("tree", "decision_tree_classifier", tree),
            Model("hist_boosting", "hist_gradient_boosting_classifier", small),
        )
    return (
        Model("linear", "ridge", {"alpha": 10.0}),
        Model("tree", "decision_tree", tree),
        Model("hist_boosting", "hist_gradient_boosting", hist),
    )
