"""Drift: how far inputs and forecasts have moved from what the version in service learned from."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from mlops_assets.assets.datasets import ROW_COUNT, by_day, stored, window
from mlops_assets.assets.forecasting import forecast_rows
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import (
    DATA_ERRORS,
    Metadata,
    PartitionError,
    markdown_table,
    number,
    overview,
    report,
)
from mlops_assets.assets.schemas import COLUMNS, drift_schema
from mlops_assets.assets.validation import without_warm_up
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.lazy import np, pd
from mlops_assets.ml.check_result import CheckResults, not_judged
from mlops_assets.ml.monitoring.distribution import (
    CHECKS,
    Drift,
    Reference,
    forecast_columns,
    is_forecast,
    judge_drift,
    reference_of,
)
from mlops_assets.ml.selection.versions import Chosen
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.champions import CHAMPION, names_of
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.web import page_url

GROUP = "monitoring"
DATASET = "drift"
SHOWN_COLUMNS = 10
SOME_ROWS = 500_000  # that are forecast at once


def make_drift(graph: Graph) -> dg.AssetsDefinition:
    project = graph.project

    @daily(
        graph,
        DATASET,
        group=GROUP,
        kinds={"pandas", "scikitlearn"},
        checks=CHECKS,
        description=(
            "How far inputs and forecasts moved from what the champion's version learned from. "
            f"[Every check by day]({page_url(project, 'checks')})."
        ),
        metadata={COLUMNS: drift_schema()},
    )
    def drift(
        context: dg.AssetExecutionContext,
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        keys = list(context.partition_keys)
        datasets, models = readers.datasets(DATASET, keys), readers.models(DATASET)
        outcomes, served = without_warm_up(graph.partitions, keys)
        found: dict[str, CheckResults] = {key: not_judged(CHECKS, "warm-up") for key in outcomes}
        watch = Watch(project, served, datasets, models) if served else None
        checks = CheckStore(datasets)
        for key in served:
            assert watch is not None
            try:
                outcomes[key], found[key] = watch.day(key)
            except DATA_ERRORS as error:
                outcomes[key] = error
                continue
            checks.write(DATASET, key, found[key])
        yield from report(context, outcomes, found)

    return drift


class Watch:
    """Compares days with what the version in service on each learned from.

    What is usual for a version is learnt once; it does not depend on the days.
    """

    def __init__(
        self, project: Project, keys: list[str], datasets: DatasetStore, models: ModelStore
    ) -> None:
        self.project, self.datasets, self.models = project, datasets, models
        self.settings = project.drift
        self.damaged: dict[str, StorageError] = {}
        start, end = window(keys)
        rows = datasets.read("features", days_between(self._first(start), end), self.damaged)
        self.features = by_day(rows, project.columns.date)
        self.champions = names_of(datasets, keys, "champion", self.damaged)
        self.chosen: dict[str, Chosen[ModelCard]] = {}
        self.references: dict[str, Reference] = {}
        self.recent: dict[str, dict[str, pd.DataFrame]] = {}

    def _first(self, day: dt.date) -> dt.date:
        return self.project.due.back(day, self.settings.window_days - 1)

    def _days(self, key: str) -> list[str]:
        """The days that are recent on a day, itself the last."""
        return days_between(self._first(day_of(key)), day_of(key) + dt.timedelta(days=1))

    def day(self, key: str) -> tuple[Metadata, CheckResults]:
        """What a day comes to, stored, and what its checks find.

        PartitionError or StorageError when it cannot be compared.
        """
        if key not in self.features:
            raise self._missing("features", key)
        if key not in self.champions:
            raise self._missing(CHAMPION, key)
        card = self._card(key)
        if card is None:
            return self._unjudged(key, f"no version of {self.champions[key]} is in service")
        days = [day for day in self._days(key) if day in self.features]
        if len(days) < self.settings.min_days:
            unit, least = self.project.grain, self.settings.min_days
            why = f"{len(days)} of the last {unit}s have rows, fewer than {least}"
            return self._unjudged(key, why)
        reference = self._reference(card)
        if not reference.measured:
            return self._unjudged(key, f"{card.version} learned from too few days that are stored")
        recent = self._recent(card, days)
        drifts, auc = reference.compare(recent), reference.auc(recent)
        frame = _frame(key, card, drifts)
        self.datasets.write(DATASET, key, frame)
        rest = {
            "auc_limit": number(reference.auc_limit),
            "model": card.model,
            "version": card.version,
            **stored(self.datasets, DATASET, key, frame),
        }
        metadata = overview(drift_metadata(drifts, auc), rest)
        return metadata, judge_drift(self.settings, drifts, auc, reference.auc_limit)

    def _missing(self, dataset: str, key: str) -> Exception:
        return self.damaged.get(key) or PartitionError(
            f"{dataset} of {key} is missing; materialize {dataset} for it first"
        )

    def _unjudged(self, key: str, why: str) -> tuple[Metadata, CheckResults]:
        self.datasets.delete(DATASET, key)
        return {"status": f"not judged: {why}", ROW_COUNT: 0}, not_judged(CHECKS, why)

    def _card(self, key: str) -> ModelCard | None:
        model = self.champions[key]
        if model not in self.chosen:
            self.chosen[model] = self.models.chosen(model, self.project.period_of)
        return self.chosen[model].on(day_of(key))

    def _reference(self, card: ModelCard) -> Reference:
        """What a version learned from, as it was when it was first asked for: kept with it."""
        if card.version not in self.references:
            found = self._reference_of(card, None)
            told = self.models.reference(card)
            if told is None or not found.remember(told):
                found = self._learn(card)
            self.references[card.version] = found
        return self.references[card.version]

    def _reference_of(self, card: ModelCard, rows: "pd.DataFrame | None") -> Reference:
        plan, inputs, weights = self.project.feature_plan, card.inputs, card.importance
        return reference_of(plan, self.settings, rows, inputs, weights)

    def _learn(self, card: ModelCard) -> Reference:
        end = card.trained_through + dt.timedelta(days=1)
        # a damaged day is one day less of four months; its own asset reports it
        damaged: dict[str, StorageError] = {}
        days = days_between(card.trained_from, end)
        rows = self.datasets.read("features", days, damaged)
        if rows.empty:
            raise PartitionError(
                f"features of {card.trained_from} to {card.trained_through}, from which "
                f"{card.version} learned, are missing; materialize features for them"
            )
        found = self._reference_of(card, self._forecast(card, rows))
        known = rows[self.project.columns.date].nunique()
        if found.measured and not damaged and known >= card.days:
            self.models.keep_reference(card, found.told())
        return found

    def _recent(self, card: ModelCard, days: list[str]) -> "pd.DataFrame":
        """Days with the forecasts of a version, those of all its days being made at once."""
        if card.version not in self.recent:
            asked: dict[str, None] = {}
            for key, model in self.champions.items():
                if model == card.model and self._card(key) == card:
                    asked |= dict.fromkeys(day for day in self._days(key) if day in self.features)
            rows = pd.concat([self.features[day] for day in asked], ignore_index=True)
            made = self._forecast(card, rows)
            self.recent[card.version] = by_day(made, self.project.columns.date)
        recent = self.recent[card.version]
        return pd.concat([recent[day] for day in days], ignore_index=True)

    def _forecast(self, card: ModelCard, rows: "pd.DataFrame") -> "pd.DataFrame":
        """Rows with the forecasts of a version; one that is not finite counts as missing."""
        parts = (rows.iloc[at : at + SOME_ROWS] for at in range(0, len(rows), SOME_ROWS))
        values = np.concatenate(
            [forecast_rows(self.project, card, part, self.models).values for part in parts]
        )
        known = np.where(np.isfinite(values), values, np.nan).reshape(len(rows), -1)
        with_forecasts = rows.copy(deep=False)
        for name, column in zip(forecast_columns(card.classes), known.T, strict=True):
            with_forecasts[name] = column
        return with_forecasts


def drift_metadata(drifts: list[Drift], auc: float) -> Metadata:
    """The figures of a day that plot, and its columns that moved most."""
    forecasts = [drift.distance for drift in drifts if is_forecast(drift.column)]
    return {
        "drifted_columns": sum(drift.drifted for drift in drifts),
        "largest_ratio": number(max(drift.ratio for drift in drifts)),
        "forecasts_distance": number(max(forecasts)),
        "auc": number(auc),
        "columns": markdown_table(
            ["column", "what moved", "distance", "usual up to", "importance", ""],
            [
                [
                    drift.column,
                    drift.kind,
                    f"{drift.distance:.3f}",
                    f"{drift.threshold:.3f}",
                    f"{drift.importance:.1%}",
                    "drifted" if drift.drifted else "",
                ]
                for drift in drifts[:SHOWN_COLUMNS]
            ],
        ),
    }


def _frame(key: str, card: ModelCard, drifts: list[Drift]) -> "pd.DataFrame":
    return pd.DataFrame(
        [
            {
                "date": pd.Timestamp(key),
                "model": card.model,
                "version": card.version,
                **asdict(drift),
                "drifted": drift.drifted,
                "rank": rank,
            }
            for rank, drift in enumerate(drifts, 1)
        ]
    )
