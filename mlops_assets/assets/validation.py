"""Validation: every model's metrics by day, and all models side by side."""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.checks import check_results, check_specs
from mlops_assets.assets.datasets import by_day, stored, window
from mlops_assets.assets.first_sight import FirstSights
from mlops_assets.assets.forecasting import forecast_rows
from mlops_assets.assets.freshness import daily_freshness
from mlops_assets.assets.performance_checks import checks_of, forget, judge_performance, not_judged
from mlops_assets.assets.reporting import (
    COMMON,
    DATA_ERRORS,
    Metadata,
    PartitionError,
    markdown_table,
    number,
    report,
)
from mlops_assets.assets.schemas import (
    GAIN,
    counted,
    forecasts_schema,
    has_totals,
    leaderboard_schema,
)
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import (
    LONG,
    TRAILING_DAYS,
    Partitions,
    day_of,
    days_between,
    month_of,
)
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.ml.metrics.labels import target_numbers
from mlops_assets.ml.metrics.metric import Metric, as_column, finish_sums, make_metrics, term_sums
from mlops_assets.ml.metrics.scores import (
    common_rows,
    compare_with_previous,
    score_days,
    trailing_scores,
)
from mlops_assets.ml.selection.versions import previous_version, serving
from mlops_assets.pages.charts import leaderboard_page, sparkline
from mlops_assets.pages.curves import curves_of
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import (
    ModelCard,
    ModelStore,
)
from mlops_assets.resources.stores.page_store import (
    LEADERBOARD_PAGE,
    MONITORING_PAGE,
    PageStore,
    page_url,
)
from mlops_assets.resources.switches import paused_models

GROUP = "validation"
PAGE_DAYS = 180
PAUSED, NOBODY = "paused", "none"
NO_VALUE = "(missing)"  # the slice of the rows without a value


def make_validation_assets(project: Project, partitions: Partitions) -> list[dg.AssetsDefinition]:
    """One asset per model, and the leaderboard."""
    return [
        *(make_validation_asset(project, partitions, model) for model in project.models),
        make_leaderboard(project, partitions),
    ]


def make_validation_asset(
    project: Project, partitions: Partitions, model: ModelSettings
) -> dg.AssetsDefinition:
    """The asset `validation/NAME`."""
    metrics = make_metrics(project.evaluation.metrics)
    baseline = project.evaluation.baseline
    month_of_day = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    versions = dict.fromkeys([model.name, baseline])
    key = asset_key(project, "validation", model.name)

    @dg.asset(
        key=key,
        description=(
            f"Metrics of the version of `{model.name}` in service on the day, which learned only "
            f"from earlier days, their difference to `{baseline}`, and the gain over the version "
            "before, which goes on in shadow."
        ),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"pandas", "parquet"},
        partitions_def=partitions.daily,
        freshness_policy=daily_freshness(project),
        check_specs=check_specs(
            key,
            checks_of(project, model.name),
            partitions.daily,
            blocking=False,
        ),
        deps=[
            asset_key(project, "features"),
            *(
                dg.AssetDep(asset_key(project, "models", name), partition_mapping=month_of_day)
                for name in versions
            ),
        ],
        **COMMON,
        metadata={
            "dagster/column_schema": forecasts_schema(project),
            "monitoring": dg.MetadataValue.url(page_url(project, MONITORING_PAGE)),
            "metrics": dg.MetadataValue.json(
                {name: metric.description for name, metric in metrics.items()}
            ),
        },
    )
    def evaluated(
        context: dg.AssetExecutionContext,
        datasets: dg.ResourceParam[DatasetStore],
        models: dg.ResourceParam[ModelStore],
    ) -> Iterator[Any]:
        outcomes, served = without_warm_up(partitions, context.partition_keys)
        evaluated, verdicts = evaluate(project, model.name, served, datasets, models)
        outcomes |= evaluated
        for gain in gains_in_service(project, model.name, served, datasets, models):
            context.log_event(gain)
        # every day says something: the web UI calls a check skipped as long as one does not
        unjudged = not_judged(project, model.name)
        found = {key: verdicts.get(key, unjudged) for key in context.partition_keys}
        yield from report(context, outcomes, check_results(context, found, blocking=False))

    return evaluated  # type: ignore[no-any-return]


def waiting(partitions: Partitions) -> Metadata:
    """What a day says for which no version can be in service yet."""
    return {
        "status": f"warm-up: no version is in service before {partitions.first_month}",
        "dagster/row_count": 0,
    }


def without_warm_up(
    partitions: Partitions, keys: Sequence[str]
) -> tuple[dict[str, Metadata | Exception], list[str]]:
    """What the days of the warm-up say, and the days after them."""
    warm_up = [key for key in keys if day_of(key) < partitions.first_month]
    return dict.fromkeys(warm_up, waiting(partitions)), list(keys[len(warm_up) :])


def evaluate(
    project: Project, name: str, keys: list[str], datasets: DatasetStore, models: ModelStore
) -> tuple[Mapping[str, Metadata | Exception], Mapping[str, CheckResults]]:
    """Forecast, score, judge and store days of a model; what each came to, and its checks."""
    outcomes: dict[str, Metadata | Exception] = {}
    if not keys:
        return outcomes, {}
    metrics = make_metrics(project.evaluation.metrics)
    damaged: dict[str, StorageError] = {}
    features = datasets.read("features", keys, damaged)
    found = by_day(features, project.columns.date) if len(features) else {}
    for key in keys:
        if key not in found:
            outcomes[key] = damaged.get(key) or PartitionError(
                f"features of {key} are missing; materialize features for it first"
            )
    forecasts = _forecasts(project, name, found, models, outcomes, shadow=True)
    for key, outcome in outcomes.items():
        if not isinstance(outcome, Exception):  # not in service: no older forecasts either
            forget(name, datasets, key)
    if forecasts is None:
        return outcomes, {}
    scores = score_days(metrics, forecasts, project.evaluation.slices)
    theirs: pd.DataFrame | None = None
    if name != project.evaluation.baseline:
        # What is wrong with the baseline is that model's to report: here it only goes missing.
        theirs = _forecasts(project, project.evaluation.baseline, found, models, {})
    baseline = None if theirs is None else score_days(metrics, theirs, []).days
    slices = by_day(scores.slices, "date") if len(scores.slices) else {}
    primary = project.evaluation.primary
    sights = FirstSights(project, name, scores.days, datasets)
    compared = compare_with_previous(metrics[primary], forecasts, ["date"])
    for key, frame in by_day(forecasts, "date").items():
        datasets.write(f"validation/{name}", key, frame)
        day = scores.days.loc[key]
        metadata = {
            **defined({metric: day[metric] for metric in metrics}),
            "rows": int(day["rows"]),
            "version": str(frame["version"].iloc[0]),
            "trained_through": str(frame["trained_through"].iloc[0]),
            **metric_notes(metrics),
            **sights.metadata(key, str(frame["version"].iloc[0])),
            **stored(datasets, f"validation/{name}", key, frame),
        }
        if key in compared.index:
            metadata |= {
                **defined(
                    {
                        f"{primary}_of_previous": compared.loc[key, "previous"],
                        GAIN: compared.loc[key, "gain"],
                    }
                ),
                "previous_version": str(frame["previous_version"].iloc[0]),
            }
        if baseline is not None and key in baseline.index:
            base = baseline.loc[key]
            metadata |= defined({f"{m}_vs_baseline": day[m] - base[m] for m in metrics})
        if key in slices:
            metadata["slices"] = _slice_table(slices[key], primary)
        outcomes[key] = metadata
    return outcomes, judge_performance(
        project, name, forecasts, theirs, sights.completeness, datasets
    )


def _forecasts(
    project: Project,
    name: str,
    days: Mapping[str, "pd.DataFrame"],
    models: ModelStore,
    outcomes: dict[str, Metadata | Exception],
    *,
    shadow: bool = False,
) -> "pd.DataFrame | None":
    """Forecasts of the versions in service, one call per version; errors go to `outcomes`.

    With `shadow`, those of the version before each of them as well.
    """
    try:
        known, fit_to_serve = models.cards(name), models.fit_to_serve(name)
    except DATA_ERRORS as error:
        outcomes |= dict.fromkeys(days, error)
        return None
    keys_of: dict[str, list[str]] = defaultdict(list)
    cards: dict[str, ModelCard] = {}
    for key in days:
        card = serving(fit_to_serve, day_of(key))
        if card is None:
            outcomes[key] = not_served(name, key, known)
            continue
        cards[card.version] = card
        keys_of[card.version].append(key)
    kept = dict.fromkeys([*project.columns.series, *project.evaluation.slices])
    parts = []
    for version, keys in keys_of.items():
        card = cards[version]
        rows = pd.concat([days[key] for key in keys])
        try:
            values, broken = forecast_rows(card, rows, project.columns.date, models)
            actual = target_numbers(rows[project.columns.target], project.labels)
        except DATA_ERRORS as error:
            outcomes |= dict.fromkeys(keys, error)
            continue
        if broken:
            outcomes |= broken
            kept_rows = ~rows[project.columns.date].isin([*map(pd.Timestamp, broken)])
            rows, values, actual = rows[kept_rows], values[kept_rows], actual[kept_rows]
        previous = previous_version(fit_to_serve, card) if shadow else None
        parts.append(
            rows[list(kept)].assign(
                date=rows[project.columns.date].to_numpy(),
                row=rows.index.to_numpy(),
                actual=actual,
                forecast=pd.Series(as_column(values), index=rows.index),
                version=version,
                trained_through=str(card.trained_through),
                previous_version=None if previous is None else previous.version,
                previous_forecast=_shadow(project, previous, rows, models),
            )
        )
    forecasts = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return None if forecasts.empty else forecasts


def _shadow(
    project: Project, previous: ModelCard | None, rows: "pd.DataFrame", models: ModelStore
) -> "pd.Series[Any]":
    """What the version before forecasts, missing where there is none or it cannot."""
    date = project.columns.date
    # files hold one type: an array is missing as None, which is no number
    kind = object if len(project.labels) > 2 else float
    nothing = pd.Series(None, index=rows.index, dtype=kind)
    if previous is None:
        return nothing
    try:
        forecasts, broken = forecast_rows(previous, rows, date, models)
    except DATA_ERRORS:
        return nothing  # a comparison less; the days of the version in service do not suffer
    found = pd.Series(as_column(forecasts), index=rows.index)
    return found.mask(rows[date].dt.strftime("%Y-%m-%d").isin([*broken]))


def gains_in_service(
    project: Project, name: str, keys: list[str], datasets: DatasetStore, models: ModelStore
) -> Iterator[dg.AssetObservation]:
    """What each version that served some of the days has gained over the one before it so far.

    Over all days that it served up to the last of them, on the same rows.
    """
    try:
        cards = models.fit_to_serve(name)
    except StorageError:
        return  # the evaluation of the days has said so
    loss_name = project.primary_metric.loss_name
    last_day = {card.version: day_of(key) for key in keys if (card := serving(cards, day_of(key)))}
    for card in cards:
        if card.version not in last_day:
            continue
        rows, compared = compared_in_service(project, card, last_day[card.version], datasets)
        if compared.empty:
            continue
        yield dg.AssetObservation(
            asset_key(project, "models", name),
            partition=card.month,
            description=f"{loss_name} of the version before, less its own, on the days it served",
            metadata={
                **defined({"gain_since_in_service": compared["gain"].iloc[0]}),
                "days_in_service": int(rows["date"].nunique()),
                "through": str(last_day[card.version]),
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


def not_served(name: str, key: str, known: list[ModelCard]) -> Metadata | PartitionError:
    """Why no version of a model serves a day: an error only where nothing was ever trained."""
    day = day_of(key)
    if not known:
        return PartitionError(
            f"no version of {name} is stored yet; materialize models/{name} for {month_of(day)}"
        )
    older = [card for card in known if card.serves_from <= day]
    if older:
        refused = [card.version for card in older if not card.accepted]
        reason = f"all {len(older)} versions that learned from days before it only are retired"
        if refused:
            reason += f" or, like {refused[-1]}, were not accepted"
    else:
        first = min(known, key=lambda card: card.serves_from)
        reason = f"the oldest version learned through {first.trained_through}"
        if first.label_delay_days:
            reason += f" and may serve from {first.serves_from} on"
    return {"status": f"not in service on {key}: {reason}", "dagster/row_count": 0}


def defined(values: Mapping[str, Any]) -> Metadata:
    """Of metrics those that have a value, as a ROC AUC has none where all rows are of one class."""
    return {name: number(value) for name, value in values.items() if math.isfinite(value)}


def metric_notes(metrics: Mapping[str, Metric]) -> Metadata:
    """Options that a reader of a metric must know, such as the floor, as text: not plotted."""
    return {
        f"{name}_options": ", ".join(f"{key} {value:g}" for key, value in vars(metric).items())
        for name, metric in metrics.items()
        if vars(metric)
    }


def _slice_table(slices: "pd.DataFrame", primary: str) -> dg.MarkdownMetadataValue:
    ranked = slices.sort_values("rows", ascending=False)
    ranked["value"] = ranked["value"].astype(object).fillna(NO_VALUE)
    return markdown_table(
        [" or ".join(slices["slice"].unique()), "rows", primary],
        [
            [str(value), str(rows), f"{score:.3f}"]
            for value, rows, score in zip(
                ranked["value"], ranked["rows"].astype(int), ranked[primary], strict=True
            )
        ],
    )


def make_leaderboard(project: Project, partitions: Partitions) -> dg.AssetsDefinition:
    """The asset `leaderboard`."""
    names = [model.name for model in project.models]
    trailing = dg.TimeWindowPartitionMapping(
        start_offset=1 - LONG, allow_nonexistent_upstream_partitions=True
    )

    @dg.asset(
        key=asset_key(project, "leaderboard"),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"pandas", "plotly"},
        partitions_def=partitions.daily,
        freshness_policy=daily_freshness(project),
        deps=[
            dg.AssetDep(asset_key(project, "validation", name), partition_mapping=trailing)
            for name in names
        ],
        **COMMON,
        metadata={
            "page": dg.MetadataValue.url(page_url(project, LEADERBOARD_PAGE)),
            "dagster/column_schema": leaderboard_schema(project),
        },
    )
    def leaderboard(
        context: dg.AssetExecutionContext,
        datasets: dg.ResourceParam[DatasetStore],
        pages: dg.ResourceParam[PageStore],
    ) -> Iterator[Any]:
        """All models side by side on the same rows: the day, and the 7 and 28 days up to it."""
        keys = list(context.partition_keys)
        start, end = window(keys)
        reach = max(start - dt.timedelta(days=LONG - 1), partitions.first_month)
        damaged: dict[str, StorageError] = {}
        forecasts = read_forecasts(datasets, names, days_between(reach, end), damaged)
        if len(forecasts):
            forecasts = common_rows(forecasts)
        outcomes: dict[str, Metadata | Exception] = {}
        boards = rank(project, forecasts)
        newest = max([*datasets.keys("leaderboard"), *boards], default="")
        for key in keys:
            if day_of(key) < partitions.first_month:
                outcomes[key] = waiting(partitions)
            elif key in damaged:
                outcomes[key] = damaged[key]
            elif key not in boards:
                outcomes[key] = PartitionError(
                    f"no model has been evaluated on {key}; materialize validation for it first"
                )
            else:
                board = boards[key]
                datasets.write("leaderboard", key, board)
                outcomes[key] = {
                    **board_metadata(
                        project,
                        board,
                        paused_models(context.instance, project) if key == newest else set(),
                    ),
                    **stored(datasets, "leaderboard", key, board),
                }
        if newest in boards:
            pages.write(LEADERBOARD_PAGE, leaderboard_html(project, datasets, forecasts))
        yield from report(context, outcomes)

    return leaderboard  # type: ignore[no-any-return]


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


def rank(project: Project, forecasts: "pd.DataFrame") -> dict[str, "pd.DataFrame"]:
    """The leaderboard of each day: one row per model, best first.

    Ranked by the primary metric over 28 days; a model that lacks days of that window ranks after
    those that have them, since it was not judged on the same rows.
    """
    if forecasts.empty:
        return {}
    metrics = make_metrics(project.evaluation.metrics)
    primary = metrics[project.evaluation.primary]
    day = trailing_scores(metrics, forecasts, 1)
    groups = forecasts.groupby(["model", "date"])
    facts = groups.agg(version=("version", "first"), trained_through=("trained_through", "first"))
    if has_totals(project):
        sums = groups[["actual", "forecast"]].sum()
        facts = facts.join(sums.add_suffix("_total"))
    compared = compare_with_previous(primary, forecasts, ["model", "date"])
    table = day.drop(columns="days").join(facts)
    table[GAIN] = compared["gain"].reindex(table.index)
    for days in TRAILING_DAYS:
        table = table.join(trailing_scores(metrics, forecasts, days).add_suffix(f"_{days}d"))
    recent = (
        day[primary.name]
        .unstack("model")
        .reindex(pd.date_range(forecasts["date"].min(), forecasts["date"].max()))
    )
    order = primary.loss(table[f"{primary.name}_{LONG}d"].to_numpy())
    table = table.assign(order=order).reset_index()
    table = table.sort_values(["date", f"days_{LONG}d", "order"], ascending=[True, False, True])
    boards = {}
    for key, board in by_day(table, "date").items():
        last = recent.loc[:key].tail(LONG)
        boards[key] = board.drop(columns="order").assign(
            rank=range(1, len(board) + 1),
            sparkline=[_sparkline(last[name], primary) for name in board["model"]],
        )
    return boards


def _sparkline(values: "pd.Series[float]", metric: Metric) -> str:
    """The days as block characters, two to one, so that the newest are in sight in a table.

    One day far off, such as a holiday, does not flatten the others.
    """
    if metric.direction == "higher":
        clipped = values.clip(lower=values.quantile(0.1))
    else:
        clipped = values.clip(upper=values.quantile(0.9))
    odd = len(clipped) % 2  # pairs end at the newest day
    pairs = [(position + odd) // 2 for position in range(len(clipped))]
    return sparkline(clipped.groupby(pairs).mean().tolist())


def board_metadata(project: Project, board: "pd.DataFrame", paused: Collection[str]) -> Metadata:
    """A day's leaderboard as a table, and each model's trailing primary metric as a number.

    A model that is paused by now says so, with the days since the last one that it learned from.
    """
    primary = project.evaluation.primary
    # what ranks comes first: a narrow window cuts the last columns off
    windows = sorted(TRAILING_DAYS, reverse=True)
    columns = [*(f"{primary}_{days}d" for days in windows), primary]
    today = project.today()

    def named(line: Mapping[Hashable, Any]) -> str:
        if line["model"] not in paused:
            return str(line["model"])
        age = (today - day_of(str(line["trained_through"]))).days
        return f"{line['model']}, paused, newest version {age} days old"

    rows = [
        [
            str(line["rank"]),
            named(line),
            str(line["sparkline"]),
            *(f"{line[column]:.3f}" for column in columns),
        ]
        for line in board.to_dict("records")
    ]
    header = ["", "model", f"last {LONG} days", *(f"{days} days" for days in windows), "day"]
    return {
        "table": markdown_table(header, rows),
        "best": str(board["model"].iloc[0]),
        PAUSED: paused_names(paused),
        **defined(
            {
                f"{line['model']}_{primary}_{LONG}d": line[f"{primary}_{LONG}d"]
                for line in sorted(board.to_dict("records"), key=lambda line: str(line["model"]))
            }
        ),
        "rows": int(board["rows"].iloc[0]),
    }


def paused_names(paused: Collection[str]) -> str:
    """The paused models as a leaderboard names them."""
    return ", ".join(sorted(paused)) or NOBODY


def leaderboard_html(project: Project, datasets: DatasetStore, forecasts: "pd.DataFrame") -> str:
    """The interactive page: the last days of every model, its slices and its forecasts."""
    metrics = make_metrics(project.evaluation.metrics)
    # a damaged day is a gap in the page; it never keeps the days of a run from being stored
    boards = datasets.read("leaderboard", datasets.keys("leaderboard")[-PAGE_DAYS:], {})
    boards = boards[boards["model"].isin([model.name for model in project.models])]
    last = boards["date"].max()
    recent = forecasts[forecasts["date"] > last - pd.Timedelta(days=LONG)]
    slice_name = next(iter(project.evaluation.slices), None)
    slices = pd.DataFrame()
    if slice_name is not None:
        sums = term_sums(metrics, recent, ["model", slice_name])
        slices = finish_sums(metrics, sums).rename_axis(["model", "slice"]).reset_index()
        slices["slice"] = slices["slice"].astype(object).fillna(NO_VALUE)
    totals = None
    if has_totals(project):
        totals = boards.rename(columns={"actual_total": "actual", "forecast_total": "forecast"})
        totals = totals[["date", "model", "actual", "forecast"]]
    return leaderboard_page(
        boards[["date", "model", *metrics, "rows", "version", "trained_through"]],
        slices,
        totals,
        boards.reindex(columns=["date", "model", GAIN, "rows", "version", "trained_through"])
        .rename(columns={GAIN: "gain"})
        .dropna(subset="gain"),
        title=f"{project.name}: leaderboard",
        primary=project.evaluation.primary,
        metrics={name: metric.description for name, metric in metrics.items()},
        best_first=boards.loc[boards["date"] == last].sort_values("rank")["model"].tolist(),
        target=counted(project),
        slice_name=slice_name,
        loss=project.primary_metric.loss_name,
        curves=curves_of(recent, project.labels) if project.labels else None,
    )
