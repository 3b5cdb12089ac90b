"""Datasets: observations and features of a day, and the training set of a month."""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.checks import check_results, check_specs, evaluations
from mlops_assets.assets.freshness import daily_freshness, training_freshness
from mlops_assets.assets.reporting import (
    COMMON,
    DATA_ERRORS,
    Metadata,
    PartitionError,
    number,
    report,
)
from mlops_assets.assets.schemas import features_schema, observations_schema
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, day_of, days_between
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.ml.features.custom_features import FeatureError
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.metrics.completeness import label_completeness
from mlops_assets.ml.models.splits import Window
from mlops_assets.ml.monitoring.quality import TARGET_RANGE, checks_of
from mlops_assets.project import Project
from mlops_assets.resources.sources import Source
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.ingested import Ingested, IngestedStore
from mlops_assets.resources.stores.page_store import MONITORING_PAGE, page_url

GROUP = "datasets"
MONTHS_OF_ANY_HISTORY = 1200


class ObservationsConfig(dg.Config):
    """What is to be done with days that are not sound."""

    accept: bool = Field(
        default=False,
        description=(
            "Store the days even when a severe check of their number of rows or series fails, "
            "because their rows are right as they are. What breaks the schema stays refused."
        ),
    )


def make_dataset_assets(project: Project, partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The three datasets of a project."""
    shared: dict[str, Any] = {
        "group_name": GROUP,
        "owners": [project.owner],
        "kinds": {"pandas", "parquet"},
        **COMMON,
    }
    date = project.columns.date
    observations_key, features_key = (
        asset_key(project, name) for name in ("observations", "features")
    )

    @dg.asset(
        key=observations_key,
        **shared,
        partitions_def=partitions.daily,
        freshness_policy=daily_freshness(project),
        check_specs=check_specs(
            observations_key, observation_checks(project), partitions.daily, blocking=False
        ),
        metadata={
            "dagster/column_schema": observations_schema(project),
            "monitoring": dg.MetadataValue.url(page_url(project, MONITORING_PAGE)),
        },
    )
    def observations(
        context: dg.AssetExecutionContext,
        config: ObservationsConfig,
        source: dg.ResourceParam[Source],
        datasets: dg.ResourceParam[DatasetStore],
    ) -> Iterator[Any]:
        """Rows of the day, validated, exactly as learned from and scored on."""
        from mlops_assets.assets.observations_type import make_observations_type
        from mlops_assets.assets.soundness import Inspector, UnsoundError

        outcomes: dict[str, Metadata | Exception] = not_due(project, context.partition_keys)
        keys = [key for key in context.partition_keys if key not in outcomes]
        if not keys:
            yield from report(context, outcomes)
            return
        start, end = window(keys)
        fingerprints = source.fingerprints(start, end)  # first: what changes meanwhile is seen
        days = by_day(source.read(start, end), date)
        inspector = Inspector(project, make_observations_type(project), datasets, start)
        found: dict[str, CheckResults] = {}
        checks, ingested = CheckStore(datasets), IngestedStore(datasets)
        before = ingested.read(keys)
        for key in keys:
            try:
                frame, verdicts = inspector.inspect(key, days.get(key), accept=config.accept)
                datasets.write("observations", key, frame)
                expected = inspector.expected_rows(key)
                known = label_completeness(len(frame), expected)
                text = fingerprints.get(key, "")
                ingested.write(key, Ingested(text, len(frame), expected, known))
            except UnsoundError as error:
                outcomes[key] = error
                facts = replace(before.get(key, Ingested()), fingerprint=fingerprints.get(key, ""))
                ingested.write(key, facts)
                checks.write("observations", key, error.verdicts)
                yield from evaluations(context.asset_key, key, error.verdicts, blocking=False)
            except DATA_ERRORS as error:
                outcomes[key] = error
            else:
                found[key] = verdicts
                checks.write("observations", key, verdicts)
                outcomes[key] = {
                    **stored(datasets, "observations", key, frame),
                    **_target_sums(project, frame[project.columns.target]),
                    **({"source_rows": len(days[key])} if project.aggregate else {}),
                    **({} if known is None else {"label_completeness": number(known)}),
                }
        results = check_results(context, found, blocking=False) if found else ()
        yield from report(context, outcomes, results)

    @dg.asset(
        key=features_key,
        **shared,
        partitions_def=partitions.daily,
        freshness_policy=daily_freshness(project),
        metadata={"dagster/column_schema": features_schema(project)},
        deps=[
            dg.AssetDep(
                observations_key,
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-project.longest_lag,
                    allow_nonexistent_upstream_partitions=True,
                ),
            )
        ],
    )
    def features(
        context: dg.AssetExecutionContext, datasets: dg.ResourceParam[DatasetStore]
    ) -> Iterator[Any]:
        """Model inputs of the day: its columns, the calendar, and what earlier days came to."""
        keys = list(context.partition_keys)
        start, end = window(keys)
        reach = max(start - dt.timedelta(days=project.longest_lag), partitions.first_day)
        damaged: dict[str, StorageError] = {}
        known = datasets.read("observations", days_between(reach, end), damaged)
        broken: dict[str, FeatureError] = {}
        made = make_features(project, known, start, end, broken=broken) if len(known) else known
        days = by_day(made, date) if len(made) else {}
        stored_days = set(by_day(known, date)) if len(known) else set()
        outcomes: dict[str, Metadata | Exception] = {}
        for key in keys:
            frame = days.get(key)
            if frame is None:
                outcomes[key] = (
                    damaged.get(key)
                    or broken.get(key)
                    or PartitionError(
                        f"observations of {key} are missing; materialize observations for it first"
                    )
                )
                continue
            datasets.write("features", key, frame)
            before = days_between(
                max(day_of(key) - dt.timedelta(days=project.longest_lag), partitions.first_day),
                day_of(key),
            )
            outcomes[key] = {
                **stored(datasets, "features", key, frame),
                "missing_days_before": sum(day not in stored_days for day in before),
                "missing_values": int(frame.isna().to_numpy().sum()),
            }
        yield from report(context, outcomes)

    @dg.asset(
        key=asset_key(project, "training_set"),
        **shared,
        partitions_def=partitions.monthly,
        freshness_policy=training_freshness(project, [model.cadence for model in project.models]),
        metadata={"dagster/column_schema": features_schema(project)},
        deps=[
            dg.AssetDep(
                features_key,
                partition_mapping=dg.TimeWindowPartitionMapping(
                    # what lies before the first day is left out by Dagster
                    start_offset=-(project.training_window.reach_months or MONTHS_OF_ANY_HISTORY),
                    end_offset=-1,
                ),
            )
        ],
    )
    def training_set(
        context: dg.AssetExecutionContext, datasets: dg.ResourceParam[DatasetStore]
    ) -> Iterator[Any]:
        """The window of features that the month's models learn from."""
        outcomes: dict[str, Metadata | Exception] = {}
        for key in context.partition_keys:
            try:
                learned = project.training_window.of(day_of(key), partitions.earliest)
                frame, missing = read_window(project, datasets, learned)
            except DATA_ERRORS as error:
                outcomes[key] = error
                continue
            datasets.write("training_set", key, frame)
            outcomes[key] = {
                **stored(datasets, "training_set", key, frame),
                "window": f"{project.training_window}: {learned}",
                "days": int(frame[date].nunique()),
                "missing_days": missing,
                "trained_from": f"{frame[date].min():%Y-%m-%d}",
                "trained_through": f"{frame[date].max():%Y-%m-%d}",
                "sha256": frame_hash(frame),
            }
        yield from report(context, outcomes)

    return [observations, features, training_set]


def read_window(
    project: Project, datasets: DatasetStore, window: Window
) -> tuple["pd.DataFrame", int]:
    """The features of the days of a window to learn from, and how many of these days lack.

    PartitionError when more lack than training.min_coverage allows.
    """
    frame = datasets.read("features", days_between(window.start, window.end))
    found = set(by_day(frame, project.columns.date)) if len(frame) else set()
    return frame, missing_days(project, found, window)


def missing_days(project: Project, known: Collection[str], window: Window) -> int:
    """How many of the days of a window to learn from are not among the known keys.

    PartitionError when more lack than training.min_coverage allows.
    """
    for part in project.training_window.judged(window):
        days = days_between(part.start, part.end)
        missing = [day for day in days if day not in known]
        if len(days) - len(missing) < project.training.min_coverage * len(days):
            raise PartitionError(
                f"features hold {len(days) - len(missing)} of the {len(days)} days from "
                f"{part.start} to {days[-1]}, fewer than training.min_coverage of "
                f"{project.training.min_coverage:.0%}; the first missing day is {missing[0]}: "
                "materialize features for the missing days"
            )
    return sum(day not in known for day in days_between(window.start, window.end))


def not_due(project: Project, keys: Iterable[str]) -> dict[str, Metadata | Exception]:
    """Why days cannot be ingested yet, of those whose target is not known today."""
    end = project.due_end()
    return {
        key: PartitionError(
            f"the target of {key} is known from {project.due_from(day_of(key))} on "
            f"(evaluation.label_delay_days of {project.evaluation.label_delay_days}); "
            "materialize the day then"
        )
        for key in keys
        if day_of(key) >= end
    }


def observation_checks(project: Project) -> dict[str, str]:
    """The checks of a day's observations; several classes have no mean that could be unusual."""
    left_out = TARGET_RANGE if len(project.labels) > 2 else ""
    checks = checks_of(series=bool(project.columns.series))
    return {check: asks for check, asks in checks.items() if check != left_out}


def _target_sums(project: Project, target: "pd.Series[Any]") -> Metadata:
    """The target of a day in sum, or the rows of each class."""
    if not project.labels:
        return {f"total_{project.columns.target}": float(target.sum())}
    return {f"rows_{label}": int((target == label).sum()) for label in project.labels}


def window(keys: list[str]) -> tuple[dt.date, dt.date]:
    """The half-open window of days from the first to the last key."""
    return day_of(min(keys)), day_of(max(keys)) + dt.timedelta(days=1)


def by_day(rows: "pd.DataFrame", date: str) -> dict[str, "pd.DataFrame"]:
    """The rows of each day by its key."""
    return {
        f"{day:%Y-%m-%d}": frame.reset_index(drop=True)
        for day, frame in rows.groupby(date, sort=True)
    }


def stored(datasets: DatasetStore, dataset: str, key: str, frame: "pd.DataFrame") -> Metadata:
    """What every stored frame says of itself."""
    return {
        "dagster/row_count": len(frame),
        "path": dg.MetadataValue.path(datasets.url(dataset, key)),
    }


def frame_hash(frame: "pd.DataFrame") -> str:
    """The SHA-256 of a frame's values, whatever file holds them."""
    return hashlib.sha256(
        pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
    ).hexdigest()
