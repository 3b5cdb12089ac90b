"""Validation: every model's metrics by day."""

import datetime as dt
import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.datasets import ROW_COUNT, by_day, lacking, stored
from mlops_assets.assets.first_sight import FirstSights
from mlops_assets.assets.forecasting import (
    ISSUED,
    as_issued,
    forecast_days,
    forecast_rows,
    version_columns,
)
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.overviews import (
    HINDSIGHT,
    LATER,
    RECONSTRUCTED,
    metric_notes,
    seen_first,
    slice_table,
)
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.performance_checks import checks_of, forget, judge_performance
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import (
    DATA_ERRORS,
    Metadata,
    Outcomes,
    PartitionError,
    defined,
    report,
)
from mlops_assets.assets.schemas import COLUMNS, GAIN, forecasts_schema
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, day_of, days_between, month_of
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults, not_judged
from mlops_assets.ml.metrics.day_sums import SUMS, DaySums, sums_of_days
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import Metric, as_column, make_metrics
from mlops_assets.ml.metrics.scores import IN_SHADOW, compare_with_previous, score_days
from mlops_assets.ml.selection.versions import serving
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import (
    ModelCard,
    ModelStore,
)
from mlops_assets.resources.web import page_url

GROUP = "validation"


def make_validation_asset(graph: Graph, model: ModelSettings) -> dg.AssetsDefinition:
    project, name = graph.project, model.name
    primary = project.primary_metric
    asset = f"validation/{name}"

    @daily(
        graph,
        asset,
        description=(
            f"Metrics of what `{name}` forecast for the day, by a version that learned only from "
            f"earlier days, or would have forecast (`_{LATER}`), what a version chosen since makes "
            f"of the day (`_{HINDSIGHT}`), their difference to "
            f"`{project.evaluation.baseline}`, and the gain over the version before, which goes on "
            f"in shadow. `{primary.name}`: {primary.description} "
            f"[Every check by day]({page_url(project, 'checks')})."
        ),
        group=GROUP,
        kinds={"pandas", "parquet"},
        checks=checks_of(project, name),
        metadata={
            COLUMNS: forecasts_schema(project),
        },
    )
    def evaluated(
        context: dg.AssetExecutionContext, readers: dg.ResourceParam[Readers]
    ) -> Iterator[Any]:
        outcomes, served = without_warm_up(graph.partitions, context.partition_keys)
        datasets, models = readers.datasets(asset, served), readers.models(asset)
        evaluated, verdicts = evaluate(project, name, served, datasets, models)
        outcomes |= evaluated
        for gain in gains_in_service(project, name, served, datasets, models):
            context.log_event(gain)
        # every day says something: the web UI calls a check skipped as long as one does not
        unjudged = not_judged(checks_of(project, name), "no version is in service")
        found = {key: verdicts.get(key, unjudged) for key in context.partition_keys}
        yield from report(context, outcomes, found)

    return evaluated


def waiting(partitions: Partitions) -> Metadata:
    """What a day says for which no version can be in service yet."""
    return {
        "status": f"warm-up: no version is in service before {partitions.first_month}",
        ROW_COUNT: 0,
    }


def without_warm_up(partitions: Partitions, keys: Sequence[str]) -> tuple[Outcomes, list[str]]:
    """What the days of the warm-up say, and the days after them."""
    warm_up = [key for key in keys if day_of(key) < partitions.first_month]
    return dict.fromkeys(warm_up, waiting(partitions)), list(keys[len(warm_up) :])


def evaluate(
    project: Project, name: str, keys: list[str], datasets: DatasetStore, models: ModelStore
) -> tuple[Outcomes, Mapping[str, CheckResults]]:
    """Forecast, score, judge and store days of a model; what each came to, and its checks."""
    outcomes: Outcomes = {}
    if not keys:
        return outcomes, {}
    metrics = make_metrics(project.evaluation.metrics)
    found = _features(project, keys, datasets, outcomes)
    issued = Issued(project, keys, datasets, models.decisions.deletions())
    forecasts = _forecasts(project, name, found, models, outcomes, issued, beside=True)
    for key, outcome in outcomes.items():
        if not isinstance(outcome, Exception):  # not in service: no older forecasts either
            forget(name, datasets, key)
    if forecasts is None:
        return outcomes, {}
    scores = score_days(metrics, forecasts, project.evaluation.slices)
    theirs: pd.DataFrame | None = None
    if name != project.evaluation.baseline:
        # What is wrong with the baseline is that model's to report: here it only goes missing.
        theirs = _forecasts(project, project.evaluation.baseline, found, models, {}, issued)
    baseline = None if theirs is None else score_days(metrics, theirs, []).days
    slices = by_day(scores.slices, "date")
    primary = project.evaluation.primary
    sights = FirstSights(project, name, scores.days, datasets)
    compared = compare_with_previous(metrics[primary], forecasts, ["date"])
    gains = {f"{day:%Y-%m-%d}": gain for day, gain in compared.to_dict("index").items()}
    days = {key: _without_other_days(frame) for key, frame in by_day(forecasts, "date").items()}
    sums = {} if project.labels else sums_of_days(metrics, primary, forecasts)
    for key, frame in days.items():
        kept = {SUMS: json.dumps(sums[key])} if key in sums else None
        datasets.write(f"validation/{name}", key, frame, kept)
    verdicts = judge_performance(project, name, forecasts, theirs, sights.completeness, datasets)
    for key, frame in days.items():
        day, version = scores.days.loc[key], str(frame["version"].iloc[0])
        is_live = bool(frame["issued_at"].notna().all())
        named = "{}" if is_live else f"{{}}_{LATER}"
        told = defined({named.format(metric): day[metric] for metric in metrics})
        if baseline is not None and key in baseline.index:
            base = baseline.loc[key]
            told |= defined({named.format(f"{m}_vs_baseline"): day[m] - base[m] for m in metrics})
        told |= {
            "rows": int(day["rows"]),
            "issued": str(frame["issued_at"].iloc[0]) if is_live else RECONSTRUCTED,
            **({IN_SHADOW: f"not accepted, see models/{name}"} if IN_SHADOW in frame else {}),
            **_shown_beside(metrics, found[key], frame, LATER if is_live else HINDSIGHT),
            "version": version,
            "trained_through": str(frame["trained_through"].iloc[0]),
            **(_gain(primary, gains[key], frame) if key in gains else {}),
            **metric_notes(metrics),
            **sights.metadata(key, version),
            **stored(datasets, f"validation/{name}", key, frame),
        }
        part = slice_table(slices[key], primary) if key in slices else None
        outcomes[key] = seen_first(project, key, told, part, verdicts.get(key, {}))
    return outcomes, verdicts


def _features(
    project: Project, keys: list[str], datasets: DatasetStore, outcomes: Outcomes
) -> dict[str, "pd.DataFrame"]:
    """The features of days by key; why those of a day are missing goes to `outcomes`."""
    damaged: dict[str, StorageError] = {}
    found = by_day(datasets.read("features", keys, damaged), project.columns.date)
    for key in keys:
        if key not in found:
            outcomes[key] = lacking("features", key, damaged)
    return found


def _without_other_days(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of a day without the columns that only other days of the run have."""
    some = [name for name in frame if name == IN_SHADOW or str(name).startswith(f"{LATER}_")]
    return frame.drop(columns=[name for name in some if frame[name].isna().all()])


def _shown_beside(
    metrics: Mapping[str, Metric], rows: "pd.DataFrame", frame: "pd.DataFrame", named: str
) -> Metadata:
    """Rows that were not forecast in advance, and what the version in service by now makes."""
    shown: Metadata = {}
    if len(frame) < len(rows):
        shown["rows_not_issued"] = len(rows) - len(frame)
    if f"{LATER}_version" in frame:
        again = frame.assign(forecast=frame[f"{LATER}_forecast"])
        scores = score_days(metrics, again, []).days.iloc[0]
        shown |= defined({f"{metric}_{named}": scores[metric] for metric in metrics})
        shown[f"{named}_version"] = str(frame[f"{LATER}_version"].iloc[0])
    return shown


def _gain(primary: str, compared: Mapping[Hashable, Any], frame: "pd.DataFrame") -> Metadata:
    return {
        **defined({f"{primary}_of_previous": compared["previous"], GAIN: compared["gain"]}),
        "previous_version": str(frame["previous_version"].iloc[0]),
    }


class Issued:
    """The forecasts that were issued for days, of all models.

    Not those of a model that was deleted since, whose name another one has by now.
    """

    def __init__(
        self,
        project: Project,
        keys: list[str],
        datasets: DatasetStore,
        deleted: Mapping[str, dt.datetime],
    ) -> None:
        self.project, self.deleted = project, deleted
        damaged: dict[str, StorageError] = {}
        asked = [str(project.known_before(day_of(key))) for key in keys]
        frame = datasets.read(ISSUED, asked, damaged)
        self.damaged = {
            str(project.day_to_come(day_of(key))): error for key, error in damaged.items()
        }
        days = by_day(frame, "date")
        self.days = {key: dict(list(rows.groupby("model"))) for key, rows in days.items()}

    def of(self, name: str, key: str, rows: "pd.DataFrame") -> "pd.DataFrame | None":
        """What was issued of a model for rows of a day, as from `as_issued`; None if nothing."""
        issued = self.days.get(key, {}).get(name)
        if issued is not None and name in self.deleted:
            issued = issued[pd.to_datetime(issued["issued_at"]) > self.deleted[name]]
        found = None if issued is None else as_issued(self.project, issued, rows)
        return None if found is None or found.empty else found


def _forecasts(
    project: Project,
    name: str,
    days: Mapping[str, "pd.DataFrame"],
    models: ModelStore,
    outcomes: Outcomes,
    issued: Issued,
    *,
    beside: bool = False,
) -> "pd.DataFrame | None":
    """Forecasts and the actuals: as they were issued, else of the versions chosen before each day.

    With `beside`, those of other versions as well: of the one before each, in shadow, and of the
    one that would serve by now where that is another. Errors go to `outcomes`.
    """
    outcomes |= {key: issued.damaged[key] for key in days if key in issued.damaged}
    days = {key: rows for key, rows in days.items() if key not in issued.damaged}
    try:
        chosen, fit_to_serve = models.chosen(name, project.period_of), models.fit_to_serve(name)
        known = models.cards(name, {})
    except DATA_ERRORS as error:
        outcomes |= dict.fromkeys(days, error)
        return None
    live = {k: told for k, rows in days.items() if (told := issued.of(name, k, rows)) is not None}
    by_now = {key: serving(fit_to_serve, day_of(key)) if beside else None for key in days}
    served: dict[tuple[ModelCard, ModelCard | None, ModelCard | None], dict[str, ModelCard]] = {}
    for key in [key for key in days if key not in live]:
        day = day_of(key)
        try:
            card, before = chosen.in_turn(day)
        except StorageError as error:
            outcomes[key] = error
            continue
        card = card or chosen.in_shadow(day)
        if card is None:
            outcomes[key] = not_served(name, key, known, by_now[key])
        else:
            served.setdefault((card, before if beside else None, by_now[key]), {})[key] = card
    parts: list[pd.DataFrame] = []

    def add(rows: "pd.DataFrame", told: Mapping[str, Any]) -> None:
        try:
            parts.append(_beside(project, rows, told))
        except DATA_ERRORS as error:
            dates = rows[project.columns.date].dt.strftime("%Y-%m-%d")
            outcomes.update(dict.fromkeys(dates, error))

    for key, told in live.items():
        rows = days[key].loc[told.index]
        again = _made_by_now(project, rows, by_now[key], str(told["version"].iloc[0]), models)
        add(rows, {**{str(name): told[name] for name in told}, **again})
    for (_, before, now), cards in served.items():
        theirs = {key: days[key] for key in cards}
        for made in forecast_days(project, cards, theirs, models, outcomes):
            again = _made_by_now(project, made.rows, now, made.card.version, models)
            made_later = version_columns(project, made, before, models) | {"issued_at": None}
            add(made.rows, {**made_later, **again})
    return pd.concat(parts, ignore_index=True) if parts else None


def _beside(project: Project, rows: "pd.DataFrame", told: Mapping[str, Any]) -> "pd.DataFrame":
    """Forecasts by column beside the actuals of rows of features."""
    kept = dict.fromkeys([*project.columns.series, *project.evaluation.slices])
    return rows[[*kept]].assign(
        date=rows[project.columns.date].to_numpy(),
        row=rows.index.to_numpy(),
        actual=target_numbers(rows[project.columns.target], project.labels),
        **project.columns.weights_of(rows),
        **told,
    )


def _made_by_now(
    project: Project,
    rows: "pd.DataFrame",
    card: ModelCard | None,
    scored: str,
    models: ModelStore,
) -> Mapping[str, Any]:
    """What the version that would serve rows by now forecasts, where another one is scored."""
    if card is None or card.version == scored:
        return {}
    try:
        made = forecast_rows(project, card, rows, models)
    except DATA_ERRORS:
        return {}  # the other one is scored all the same
    return {
        f"{LATER}_version": card.version,
        f"{LATER}_forecast": pd.Series(as_column(made.values), index=rows.index),
    }


def is_live(forecasts: "pd.DataFrame") -> "pd.Series[bool]":
    """Of each stored forecast whether it was issued in advance; of older files none was."""
    if "issued_at" not in forecasts:
        return pd.Series(False, index=forecasts.index)
    return forecasts["issued_at"].notna()


def read_forecasts(
    datasets: DatasetStore, names: list[str], keys: list[str], damaged: dict[str, StorageError]
) -> "pd.DataFrame":
    """The stored forecasts of several models, with the column `model`.

    The errors of damaged days go to `damaged`.
    """
    parts = [
        frame.assign(model=name)
        for name in names
        if len(frame := datasets.read(f"validation/{name}", keys, damaged))
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def read_sums(
    project: Project, datasets: DatasetStore, names: list[str], keys: list[str]
) -> DaySums | None:
    """What the stored forecasts of models come to by day; None where rows have to be compared."""
    damaged: dict[str, StorageError] = {}
    told = {
        name: datasets.told(f"validation/{name}", keys, SUMS, damaged).items() for name in names
    }
    found = {
        name: {day: json.loads(one.text) if one.text else {} for day, one in days}
        for name, days in told.items()
    }
    metrics, primary = make_metrics(project.evaluation.metrics), project.evaluation.primary
    return None if damaged else DaySums.of(metrics, primary, found, project.due)


def gains_in_service(
    project: Project, name: str, keys: list[str], datasets: DatasetStore, models: ModelStore
) -> Iterator[dg.AssetObservation]:
    """What each version that served some of the days has gained over the one before it so far.

    Over all days that it served up to the last of them, on the same rows.
    """
    try:
        chosen = models.chosen(name, project.period_of)
    except StorageError:
        return  # the evaluation of the days has said so
    loss_name = project.primary_metric.loss_name
    readable = chosen.readable  # the evaluation of the days has said so
    last_day = {card: day_of(key) for key in keys if (card := readable.on(day_of(key)))}
    for card, last in last_day.items():
        rows, compared = compared_in_service(project, card, last, datasets)
        if compared.empty:
            continue
        yield dg.AssetObservation(
            asset_key(project, "models", name),
            partition=card.month,
            description=f"{loss_name} of the version before, less its own, on the days it served",
            metadata={
                **defined({"gain_since_in_service": compared["gain"].iloc[0]}),
                "days_in_service": int(rows["date"].nunique()),
                "through": str(last),
                "version": card.version,
                "previous_version": str(rows["previous_version"].iloc[0]),
            },
        )


def compared_in_service(
    project: Project, card: ModelCard, last: dt.date, datasets: DatasetStore
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """The stored forecasts of a version through a day, and its gain over the version before it.

    The gain is as from `compare_with_previous`, empty where there is nothing to compare.
    """
    one_day = dt.timedelta(days=1)
    days = days_between(card.serves_from, last + one_day)
    rows = datasets.read(f"validation/{card.model}", days, {})
    rows = rows[rows["version"] == card.version] if len(rows) else rows
    return rows, compare_with_previous(project.primary_metric, rows, ["version"])


def not_served(
    name: str, key: str, known: list[ModelCard], by_now: ModelCard | None
) -> Metadata | PartitionError:
    """Why no version of a model serves a day: an error only where nothing was ever trained.

    `by_now` is the one that would serve it, had it been chosen before the day was over.
    """
    day = day_of(key)
    if not known:
        return PartitionError(
            f"no version of {name} is stored yet; materialize models/{name} for {month_of(day)}"
        )
    older = [card for card in known if card.serves_from <= day]
    again = [card for card in older if card.serves_before and card.serves_before <= day]
    if again:
        reason = f"{again[-1].version} learned from the same rows, a loop of the recording before"
    elif by_now:
        reason = f"{by_now.version} was made, or restored, after it was over"
    elif older:
        refused = [card.version for card in older if not card.accepted]
        reason = f"all {len(older)} versions that learned from days before it only are retired"
        if refused:
            reason += f" or, like {refused[-1]}, were not accepted"
    else:
        first = min(known, key=lambda card: card.serves_from)
        reason = f"the oldest version learned through {first.trained_through}"
        if first.label_delay_days:
            reason += f" and may serve from {first.serves_from} on"
    return {"status": f"not in service on {key}: {reason}", ROW_COUNT: 0}
