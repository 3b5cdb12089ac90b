"""Observations: the rows of a day, validated, with the checks of their soundness."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.checks import observation_checks
from mlops_assets.assets.datasets import GROUP, KINDS, by_day, stored, window
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import (
    DATA_ERRORS,
    Metadata,
    Outcomes,
    PartitionError,
    number,
    report,
)
from mlops_assets.assets.run_config import RunConfig
from mlops_assets.assets.schemas import COLUMNS, observations_schema
from mlops_assets.graph.partitions import day_of
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.ml.metrics.completeness import label_completeness
from mlops_assets.project import Project
from mlops_assets.resources.sources import Source
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.ingested import Ingested, IngestedStore
from mlops_assets.resources.stores.left_out import LeftOutStore
from mlops_assets.resources.web import page_url

DATASET = "observations"


class ObservationsConfig(RunConfig):
    """What is to be done with days that are not sound."""

    accept: bool = Field(
        default=False,
        description=(
            "Store the days even when a severe check of their number of rows or series fails, "
            "because their rows are right as they are. What breaks the schema stays refused."
        ),
    )


def make_observations(graph: Graph) -> dg.AssetsDefinition:
    project = graph.project

    @daily(
        graph,
        DATASET,
        group=GROUP,
        kinds=KINDS,
        checks=observation_checks(project),
        metadata={
            COLUMNS: observations_schema(project),
            "monitoring": dg.MetadataValue.url(page_url(project, "checks")),
        },
    )
    def observations(
        context: dg.AssetExecutionContext,
        config: ObservationsConfig,
        source: dg.ResourceParam[Source],
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        """Rows of the day, validated, exactly as learned from and scored on."""
        outcomes = not_known_yet(graph, context.partition_keys)
        keys = [key for key in context.partition_keys if key not in outcomes]
        if not keys:
            yield from report(context, outcomes)
            return
        found: dict[str, CheckResults] = {}
        refused: dict[str, CheckResults] = {}
        datasets = readers.datasets(DATASET, keys)
        ingested, again = ingest(project, keys, source, datasets, accept=config.accept)
        for key, (outcome, verdicts) in ingested.items():
            outcomes[key] = outcome
            if not isinstance(outcome, Exception):
                found[key] = verdicts
            elif verdicts:
                refused[key] = verdicts
        yield from report(context, outcomes, found, refused, again=again)

    return observations


def ingest(
    project: Project, keys: list[str], source: Source, datasets: DatasetStore, *, accept: bool
) -> tuple[dict[str, tuple[Metadata | Exception, CheckResults]], dict[str, CheckResults]]:
    """Read, judge and store days; what each came to, and what its checks found.

    And what the checks of later days find by now, see `judged_again`.
    """
    from mlops_assets.assets.observations_type import make_observations_type
    from mlops_assets.assets.soundness import Inspector, UnsoundError, judged_again

    start, end = window(keys)
    fingerprints = source.fingerprints(start, end)  # first: what changes meanwhile is seen
    days = by_day(source.read(start, end), project.columns.date)
    inspector = Inspector(project, make_observations_type(project), datasets, start)
    told = LeftOutStore(datasets.storage).told(source.left_out(), max(keys))
    checks, ingested = CheckStore(datasets), IngestedStore(datasets)
    before = ingested.read(keys)
    found: dict[str, tuple[Metadata | Exception, CheckResults]] = {}
    again: dict[str, CheckResults] = {}
    for key in keys:
        try:
            frame, verdicts, lacking = inspector.inspect(
                key, days.get(key), told.get(key, []), accept=accept
            )
            inspector.store(key, frame)
            rows, expected = inspector.rows_judged(key), inspector.expected_rows(key)
            if lacking:  # rows without a target are there, and due
                expected = max(expected or 0.0, float(rows + lacking))
            known = label_completeness(rows, expected)
            text = fingerprints.get(key, "")
            ingested.write(key, Ingested(text, rows, expected, known))
        except UnsoundError as error:
            facts = replace(before.get(key, Ingested()), fingerprint=fingerprints.get(key, ""))
            ingested.write(key, facts)
            checks.write(DATASET, key, error.verdicts)
            found[key] = error, error.verdicts
        except DATA_ERRORS as error:
            found[key] = error, {}
        else:
            checks.write(DATASET, key, verdicts)
            metadata = {
                **stored(datasets, DATASET, key, frame),
                **_target_sums(project, frame[project.columns.target]),
                **({"source_rows": len(days[key])} if project.aggregate else {}),
                **({} if known is None else {"label_completeness": number(known)}),
                **({"rows_without_target": lacking} if lacking else {}),
                **({"rows_not_zero": rows} if project.columns.absent == "zero" else {}),
            }
            found[key] = metadata, verdicts
    if any(not isinstance(outcome, Exception) for outcome, _ in found.values()):
        again = judged_again(project, inspector, max(keys), datasets)
    return found, again


def not_known_yet(graph: Graph, keys: Iterable[str]) -> Outcomes:
    """Why days cannot be ingested, of those that a run names though there is no partition yet."""
    project, newest = graph.project, str(graph.partitions.newest_day())
    return {
        key: PartitionError(
            f"the target of {key} is known from {project.day_to_come(day_of(key))} on "
            f"(evaluation.label_delay_days of {project.evaluation.label_delay_days}); "
            "materialize the day then"
        )
        for key in keys
        if key > newest
    }


def _target_sums(project: Project, target: "pd.Series[Any]") -> Metadata:
    """The target of a day in sum, or the rows of each class."""
    if not project.labels:
        return {f"total_{project.columns.target}": float(target.sum())}
    return {f"rows_{label}": int((target == label).sum()) for label in project.labels}
