"""What every feature must hold."""

from __future__ import annotations

from mlops_assets.contracts.examples import EXAMPLE_COLUMNS, example_observations
from mlops_assets.contracts.wording import Problems, description_problems
from mlops_assets.lazy import np, pd
from mlops_assets.ml.features.custom_features import Feature, add_custom_features
from mlops_assets.project import ColumnSettings


def feature_problems(
    feature: type[Feature] | Feature, columns: ColumnSettings | None = None
) -> Problems:
    """The problems of a feature, or of its class with the options at their defaults.

    It is tried on made rows of a project's columns, or of an example's.
    """
    if isinstance(feature, type):
        try:
            feature = feature()
        except ValueError as error:
            yield f"it cannot be made without options ({error}): give each one a default"
            return
    yield from description_problems(feature.description)
    for name, info in type(feature).model_fields.items():
        if not info.description:
            yield f"option {name} has no description"
    if feature.kind not in ("numeric", "categorical"):
        yield f"kind is {feature.kind!r}; say numeric or categorical"
        return
    if feature.reach < 0 or not feature.columns:
        yield "reach must be at least 0 and columns must name one column or more"
        return
    yield from _value_problems(feature, columns or EXAMPLE_COLUMNS)


def _value_problems(feature: Feature, columns: ColumnSettings) -> Problems:
    """What is wrong with the values that it makes."""
    date, target = columns.date, columns.target
    day = pd.Timestamp(2026, 3, 2) + pd.Timedelta(days=feature.reach)
    observed = example_observations(day, feature.reach, columns)
    given = observed.copy()

    def make(observations: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        made = add_custom_features([feature], columns, observations, rows)
        return made[list(feature.columns)]

    rows = observed[observed[date] == day].reset_index(drop=True)
    values = make(observed, rows)
    if not observed.equals(given):
        yield "it changes the rows that it is given; work on a copy"
    future = observed[date] >= day
    changed = observed.assign(**{target: observed[target].where(~future, 1e6)})
    later = changed[~future | (observed[date] == day)]
    for what, other in {"changes": changed, "and the days after it change": later}.items():
        if not make(other, other[other[date] == day].reset_index(drop=True)).equals(values):
            yield (
                f"its values of a day differ when the target of that day {what}: it may read "
                "only what `rows` and `earlier` hold"
            )
            break
    stranger = observed[observed[date] < day - pd.Timedelta(days=feature.reach)]
    if len(stranger):
        nearer = observed.drop(index=stranger.index)
        if not make(nearer, rows).equals(values):
            yield f"it reads more than the {feature.reach} days before that `reach` declares"
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = make(observed, rows.iloc[order].reset_index(drop=True))
    if not shuffled.equals(values.iloc[order].reset_index(drop=True)):
        yield "the value of a row depends on the order of the rows"
    if not make(observed, rows).equals(values):
        yield "the same rows give other values the second time"
    first = observed[observed[date] == day]
    try:
        make(first, rows)
    except ValueError as error:
        yield f"without any earlier day it fails ({error}); give a missing value instead"
