"""What versions in service forecast for days, one call per version, and where they cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.assets.reporting import DATA_ERRORS, Metadata, Outcomes, PartitionError, number
from mlops_assets.assets.schemas import CLASS, probability_column
from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.class_metrics import predicted
from mlops_assets.ml.metrics.metric import FloatArray, as_column, finite_rows
from mlops_assets.ml.metrics.scores import IN_SHADOW
from mlops_assets.ml.models.training import forecast
from mlops_assets.ml.selection.versions import may_serve
from mlops_assets.project import Project
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

ISSUED = "issued"
"""The dataset of the forecasts of all models as they were given, by the day before."""


@dataclass(frozen=True)
class Forecasts:
    """What a version forecasts for rows of features: `values` as from `ml.training.forecast`."""

    card: ModelCard
    rows: pd.DataFrame
    values: FloatArray
    broken: Collection[str] = ()
    """The days with a forecast that is not finite, where these are kept."""


def forecast_days(
    project: Project,
    served: Mapping[str, ModelCard],
    days: Mapping[str, pd.DataFrame],
    models: ModelStore,
    outcomes: Outcomes,
) -> Iterator[Forecasts]:
    """The forecasts of the version that serves each day, one call per version.

    `days` are features by key, in which `served` has the version of each. A day that cannot be
    forecast, or with a forecast that is not finite, is left out, and the error put in `outcomes`.
    """
    date = project.columns.date
    keys_of: dict[str, list[str]] = defaultdict(list)
    for key in days:
        if key in served:
            keys_of[served[key].version].append(key)
    for keys in keys_of.values():
        card = served[keys[0]]
        try:
            made = forecast_rows(project, card, pd.concat([days[key] for key in keys]), models)
        except DATA_ERRORS as error:
            outcomes |= dict.fromkeys(keys, error)
            continue
        if made.broken:
            reason = f"{card.version} forecasts values that are not finite; retrain it"
            key_of = {f"{days[key][date].iloc[0]:%Y-%m-%d}": key for key in keys}
            outcomes |= {key_of[day]: PartitionError(reason) for day in made.broken}
            sound = ~made.rows[date].isin([*map(pd.Timestamp, made.broken)])
            made = Forecasts(card, made.rows[sound], made.values[sound])
        yield made


def forecast_rows(
    project: Project, card: ModelCard, rows: pd.DataFrame, models: ModelStore
) -> Forecasts:
    """What a version forecasts for rows, whatever they come to.

    StorageError when it cannot be loaded, PartitionError when the features lack one of its inputs.
    """
    if absent := [column for column in card.inputs if column not in rows.columns]:
        raise PartitionError(
            f"{card.version} reads {', '.join(absent)}, which features lack since the settings "
            f"changed; materialize training_set and models/{card.model} to train again"
        )
    values = forecast(
        models.load(card),
        rows[card.inputs],
        non_negative=card.non_negative,
        classes=card.classes,
    )
    infinite = rows.loc[~finite_rows(values), project.columns.date]
    return Forecasts(card, rows, values, infinite.dt.strftime("%Y-%m-%d").unique().tolist())


def version_columns(
    project: Project, made: Forecasts, previous: ModelCard | None, models: ModelStore
) -> dict[str, Any]:
    """Forecasts by column as they are stored, with those of the version before, in shadow.

    Those of a version that was not accepted say so; others do not have that column.
    """
    return {
        **({} if made.card.accepted else {IN_SHADOW: True}),
        "forecast": pd.Series(as_column(made.values), index=made.rows.index),
        "version": made.card.version,
        "trained_through": str(made.card.trained_through),
        "previous_version": None if previous is None else previous.version,
        "previous_forecast": _shadow(project, previous, made.rows, models),
    }


def _shadow(
    project: Project, previous: ModelCard | None, rows: pd.DataFrame, models: ModelStore
) -> pd.Series[Any]:
    """What the version before forecasts, missing where there is none or it cannot."""
    # files hold one type: an array is missing as None, which is no number
    kind = object if len(project.labels) > 2 else float
    nothing = pd.Series(None, index=rows.index, dtype=kind)
    if previous is None:
        return nothing
    try:
        made = forecast_rows(project, previous, rows, models)
    except DATA_ERRORS:
        return nothing  # a comparison less; the days of the version in service do not suffer
    found = pd.Series(as_column(made.values), index=rows.index)
    dates = rows[project.columns.date]
    unusable = dates.isin([*map(pd.Timestamp, made.broken)]) | ~may_serve(previous, dates)
    return found.mask(unusable)


def as_issued(project: Project, issued: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Forecasts as they were issued for rows, by the index of these.

    Rows are told apart by their series, else by what is known of them in advance, and of rows that
    are alike there the n-th is the n-th. Where that was corrected since, the rows that are left of
    as many are taken in their order. Rows that nobody forecast are left out.
    """
    on = [name for name in project.columns.series or project.row_columns if name in issued]
    told = ["forecast", "version", "trained_through", "previous_version", "previous_forecast"]
    told += [IN_SHADOW] if IN_SHADOW in issued and issued[IN_SHADOW].eq(True).any() else []
    theirs = with_nth(issued, on)[[*on, "nth", *told, "issued_at"]].assign(asked=range(len(issued)))
    ours = with_nth(rows[on], on).assign(position=rows.index)
    found = ours.merge(theirs, on=[*on, "nth"])
    if not project.columns.series and len(ours) == len(theirs):
        left = ours.loc[~ours["position"].isin(found["position"]), "position"]
        others = theirs[~theirs["asked"].isin(found["asked"])]
        parts = [found, others.assign(position=left.to_numpy())]
        found = pd.concat([part for part in parts if len(part)])
    return found.set_index("position").sort_index()[[*told, "issued_at"]]


def with_nth(rows: pd.DataFrame, alike: list[str]) -> pd.DataFrame:
    """Rows with the column `nth`: which of the rows that have the same values each one is."""
    if not alike:
        return rows.assign(nth=range(len(rows)))
    return rows.assign(nth=rows.groupby(alike, dropna=False).cumcount())


def issued_columns(project: Project, values: FloatArray) -> dict[str, Any]:
    """Forecasts as others read them, by column.

    Of classes the one that is forecast, and its probability, or that of the positive one of two;
    of several the probability of each as well.
    """
    labels = project.labels
    if not labels:
        return {"forecast": values}
    columns = {CLASS: np.array(labels)[predicted(values, project.evaluation.threshold).astype(int)]}
    if values.ndim == 1:
        return {"forecast": values, **columns}
    each = {probability_column(label): values[:, n] for n, label in enumerate(labels)}
    return {"forecast": values.max(axis=1), **columns, **each}


def forecast_sums(project: Project, frame: pd.DataFrame) -> Metadata:
    """The target forecast for a day in sum, or how many rows of the classes are to be expected."""
    labels = project.labels
    if not labels:
        return {f"total_{project.columns.target}_forecast": number(frame["forecast"].sum())}
    if len(labels) == 2:
        return {f"expected_{labels[1]}": number(frame["forecast"].sum())}
    return {f"expected_{label}": number(frame[probability_column(label)].sum()) for label in labels}
