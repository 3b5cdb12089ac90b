"""Issued: every model's forecast of the day to come, kept as it was given.

It may be issued again until that day is over: by another version, or once rows were corrected. What
stands then is a fact, and is what the model is scored by.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_assets.assets.datasets import ROW_COUNT, by_day, lacking, needed, stored
from mlops_assets.assets.forecasting import ISSUED, forecast_days, version_columns
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import DATA_ERRORS, Metadata, Outcomes, report
from mlops_assets.assets.schemas import COLUMNS, issued_schema
from mlops_assets.assets.validation import without_warm_up
from mlops_assets.graph.partitions import Partitions, day_of, days_between
from mlops_assets.graph.reads import days_to_come, rows_to_come
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults, not_judged
from mlops_assets.ml.features import model_inputs
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.monitoring.inputs_known import CHECKS, INPUTS_KNOWN, judge_inputs
from mlops_assets.ml.monitoring.sequential import WEEK
from mlops_assets.ml.selection.versions import previous_version, serving
from mlops_assets.project import Project
from mlops_assets.resources.sources import Source
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore

GROUP = "serving"


def make_issued(graph: Graph) -> dg.AssetsDefinition:
    project, partitions = graph.project, graph.partitions

    @daily(
        graph,
        ISSUED,
        group=GROUP,
        kinds={"pandas", "parquet"},
        checks=CHECKS,
        metadata={COLUMNS: issued_schema(project)},
    )
    def issued(
        context: dg.AssetExecutionContext,
        source: dg.ResourceParam[Source],
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        """Every model's forecast of the day to come, as it was given: what it is scored by."""
        outcomes, served = without_warm_up(partitions, context.partition_keys)
        found: dict[str, CheckResults] = dict.fromkeys(outcomes, not_judged(CHECKS, "warm-up"))
        again: dict[str, CheckResults] = {}
        if served:
            datasets, models = readers.datasets(ISSUED, served), readers.models(ISSUED)
            outcomes |= issue_all(project, partitions, served, source, datasets, models)
            judged = judge_all(project, served, datasets)
            found |= {key: checks for key, checks in judged.items() if key in served}
            again = {key: checks for key, checks in judged.items() if key not in served}
        yield from report(context, outcomes, found, again=again)

    return issued


def judge_all(project: Project, keys: list[str], datasets: DatasetStore) -> dict[str, CheckResults]:
    """Compare what days were forecast from, so long before, with their rows; kept and by key.

    So are the days of the week before, that failed and may have been mended since.
    """
    first = day_of(keys[0])
    checks = CheckStore(datasets)
    week = project.due.back(first, WEEK - 1)
    of_late = checks.results(ISSUED, days_between(project.known_before(week), first)).items()
    failed = [
        key
        for key, results in of_late
        if day_of(key) >= week and not all(one.passed for one in results.values())
    ]
    keys = [*failed, *keys]
    before = {str(project.known_before(day_of(key))): key for key in keys}
    told = datasets.read(ISSUED, list(before), {})
    used = by_day(told, "date")
    rows = datasets.read("observations", list(used), {}) if used else told
    later = by_day(rows, project.columns.date)
    series, inputs = project.columns.series, project.inputs_in_advance
    found: dict[str, CheckResults] = {}
    for key in keys:
        if key in failed and key not in later:
            continue  # what it failed on cannot be read now, and that it failed stands
        found[key] = not_judged(CHECKS, "nothing was issued for the day, or its rows are not there")
        if key in later and {*series, *inputs} <= set(used[key]):  # files of before lack some
            first = used[key][used[key]["model"] == used[key]["model"].iloc[0]]
            found[key] = {INPUTS_KNOWN: judge_inputs(first, later[key], series, inputs)}
        checks.write(ISSUED, key, found[key])
    return found


def is_over(project: Project, day: dt.date) -> bool:
    """Whether a day, or its week or month, has ended, so that nothing can be forecast of it."""
    return project.today() >= project.due.end(day)


def issue_all(
    project: Project,
    partitions: Partitions,
    keys: list[str],
    source: Source,
    datasets: DatasetStore,
    models: ModelStore,
) -> Outcomes:
    """Forecast the day to come of each key by every model, unless that is over; what came of it."""
    there = set(datasets.keys(ISSUED))
    coming = {key: project.day_to_come(day_of(key)) for key in keys}
    stays, none = "what was issued stays", "nothing was issued, its forecasts are made later"
    outcomes: Outcomes = {
        key: {"status": f"{day} was over: {stays if key in there else none}"}
        for key, day in coming.items()
        if is_over(project, day)
    }
    for key in outcomes.keys() - there:
        datasets.delete(ISSUED, key)  # where it was lost, that is known from here on
    still = [key for key in keys if key not in outcomes]
    back = rows_to_come(project)
    seen = observed(project, partitions, still, back, datasets, outcomes)
    still = [key for key in still if key in seen.by_day]
    rows = inputs_to_come(project, seen, source, still, outcomes)
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    for key in still:
        if key not in outcomes:
            outcomes[key] = _issue(project, key, rows.get(key), at, datasets, models)
    return outcomes


def _issue(
    project: Project,
    key: str,
    rows: "pd.DataFrame | None",
    at: str,
    datasets: DatasetStore,
    models: ModelStore,
) -> Metadata | Exception:
    """Forecast and store the day to come of a key; a model that cannot is named."""
    day = project.day_to_come(day_of(key))
    if rows is None:
        return no_rows(day)
    parts: list[pd.DataFrame] = []
    versions: dict[str, str] = {}
    unserved: dict[str, str] = {}
    failed: dict[str, Exception] = {}
    lost: dict[str, StorageError] = {}
    for model in project.models:
        try:
            models.cards(model.name, lost)
            fit = models.fit_to_serve(model.name)
        except DATA_ERRORS as unreadable:
            failed[model.name] = unreadable
            continue
        card = serving(fit, day) or models.in_shadow(model.name, day)
        if card is None:
            unserved[model.name] = f"no version may serve {day}"
            continue
        versions[model.name] = card.version
        before = previous_version(fit, card) if card in fit else None
        errors: Outcomes = {}
        for made in forecast_days(project, {key: card}, {key: rows}, models, errors):
            versioned = version_columns(project, made, before, models)
            parts.append(_rows_issued(project, made.rows, model.name, versioned, at))
        if isinstance(error := errors.get(key), Exception):
            failed[model.name] = error
    earlier = datasets.read(ISSUED, [key], {})
    kept = earlier[earlier["model"].isin(failed)] if len(earlier) else earlier
    if len(kept):  # what was issued stays, where it cannot be made again
        versions |= dict(zip(kept["model"], kept["version"], strict=True))
        parts.append(kept)
    if not parts:
        if failed:
            return next(iter(failed.values()))
        datasets.delete(ISSUED, key)  # what was issued before is by no version that may serve
        return {
            "status": f"no model has a version that may serve {day}",
            ROW_COUNT: 0,
        }
    frame = pd.concat(parts, ignore_index=True)
    datasets.write(ISSUED, key, frame)
    said = unserved | {name: str(error) for name, error in {**failed, **lost}.items()}
    return {
        "forecast_for": str(day),
        "issued_at": at,
        "versions": dg.MetadataValue.json(versions),
        "inputs_from": str(frame["inputs_from"].iloc[0]),
        **({"not_issued": dg.MetadataValue.json(said)} if said else {}),
        **stored(datasets, ISSUED, key, frame),
    }


def _rows_issued(
    project: Project, rows: "pd.DataFrame", model: str, versioned: Mapping[str, Any], at: str
) -> "pd.DataFrame":
    """Rows of the day to come as they are kept, with what a version forecast of them."""
    told = list(dict.fromkeys([*project.row_columns, *project.inputs_in_advance]))
    named = {"date": rows[project.columns.date], "model": model, **versioned}
    return rows[told].assign(**named, issued_at=at, inputs_from=rows["inputs_from"])


def no_rows(day: dt.date) -> Metadata:
    """What is said of a day to come of which no rows are known."""
    return {
        "status": (
            f"no rows of {day} are known in advance; once the source has them, with or without "
            "their target, run the day again"
        ),
        ROW_COUNT: 0,
    }


@dataclass(frozen=True)
class Observed:
    """Observations as one frame and by day, and the errors of damaged days."""

    rows: "pd.DataFrame"
    by_day: dict[str, "pd.DataFrame"]
    damaged: dict[str, StorageError]


def observed(
    project: Project,
    partitions: Partitions,
    keys: list[str],
    back: Iterable[int],
    datasets: DatasetStore,
    outcomes: Outcomes,
) -> Observed:
    """The rows of the days so many days before keys.

    Why those of a key itself are missing goes to `outcomes`.
    """
    damaged: dict[str, StorageError] = {}
    read = {project.due.back(day_of(key), days) for key in keys for days in back}
    days = [str(day) for day in sorted(read) if day >= partitions.first_day]
    observations = datasets.read("observations", days, damaged)
    known = by_day(observations, project.columns.date)
    for key in keys:
        if key not in known:
            outcomes[key] = lacking("observations", key, damaged)
    return Observed(observations, known, damaged)


def inputs_to_come(
    project: Project, seen: Observed, source: Source, keys: list[str], outcomes: Outcomes
) -> dict[str, "pd.DataFrame"]:
    """The features of the day to come of each key, by key, with the column `inputs_from`.

    Where they cannot be made, the error goes to `outcomes`.
    """
    back = days_to_come(project)
    outcomes |= {key: bad for key in keys if (bad := needed(seen.damaged, key, back, project.due))}
    keys = [key for key in keys if key not in outcomes]
    if not keys:
        return {}
    try:
        return _inputs_to_come(project, seen.rows, source, keys)
    except DATA_ERRORS as error:
        outcomes |= dict.fromkeys(keys, error)
        return {}


def _inputs_to_come(
    project: Project, observations: "pd.DataFrame", source: Source, keys: list[str]
) -> dict[str, "pd.DataFrame"]:
    from mlops_assets.assets.observations_type import prepared

    date, target = project.columns.date, project.columns.target
    days = [project.day_to_come(day_of(key)) for key in keys]
    end = days[-1] + dt.timedelta(days=1)
    planned = source.read(days[0], end)
    # the target of a day to come is unknown, even where the source has it already
    planned = prepared(project, planned.assign(**{target: float("nan")}), to_come=True)
    rows = model_inputs.rows_to_come(project.feature_plan, observations, planned, days)
    inputs_from = rows.groupby(date)["inputs_from"].first()
    features = make_features(project.feature_plan, observations, days[0], end, rows)
    found = by_day(features, date)
    return {
        key: found[str(day)].assign(inputs_from=inputs_from.get(pd.Timestamp(day), "source"))
        for key, day in zip(keys, days, strict=True)
        if str(day) in found
    }
