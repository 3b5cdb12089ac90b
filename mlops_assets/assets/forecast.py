"""Serving: the champion's forecasts for the day to come, as another team reads them.

The day to come of a partition lies `project.days_ahead` after it: when the target of the
partition's day becomes known, that day is tomorrow.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.datasets import by_day, stored, window
from mlops_assets.assets.forecasting import (
    ISSUED,
    forecast_days,
    forecast_sums,
    issued_columns,
    with_nth,
)
from mlops_assets.assets.issued import inputs_to_come, is_over, no_rows, observed
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.observations import DATASET as OBSERVATIONS
from mlops_assets.assets.overviews import RECONSTRUCTED, forecast_overview
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
from mlops_assets.assets.schemas import COLUMNS, FAILED_CHECKS, forecast_schema
from mlops_assets.assets.validation import without_warm_up
from mlops_assets.graph.partitions import Partitions, day_of, days_between
from mlops_assets.graph.reads import days_before_next
from mlops_assets.lazy import np, pd
from mlops_assets.ml.models.intervals import conformal_radii
from mlops_assets.project import Hold, Project
from mlops_assets.resources.layout import CHECKS
from mlops_assets.resources.sources import Source
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.champions import names_of
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

GROUP = "serving"
DATASET = "forecast"


class ForecastConfig(RunConfig):
    """What is to be done with forecasts that are held."""

    release: bool = Field(
        default=False,
        description=(
            "Issue forecasts whatever the checks of the data found, because the rows of the days "
            "are right as they are."
        ),
    )


def make_forecast(graph: Graph) -> dg.AssetsDefinition:
    project, partitions = graph.project, graph.partitions

    @daily(
        graph,
        DATASET,
        group=GROUP,
        kinds={"pandas", "parquet", "csv"},
        metadata={COLUMNS: forecast_schema(project)},
    )
    def forecast(
        context: dg.AssetExecutionContext,
        config: ForecastConfig,
        source: dg.ResourceParam[Source],
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        """The champion's forecasts for the day to come, with intervals: what others consume."""
        outcomes, served = without_warm_up(partitions, context.partition_keys)
        if served:
            datasets, models = readers.datasets(DATASET, served), readers.models(DATASET)
            hold = "never" if config.release else project.serving.hold
            outcomes |= issue(project, partitions, served, source, datasets, models, hold)
        yield from report(context, outcomes)

    return forecast


def issue(
    project: Project,
    partitions: Partitions,
    keys: list[str],
    source: Source,
    datasets: DatasetStore,
    models: ModelStore,
    hold: Hold,
) -> Outcomes:
    """Forecast the day to come of each key with the champion of that day, and store it.

    Not where the checks of the key's data found what `hold` says: what was stored before stays.
    """
    outcomes: Outcomes = {}
    champions = _champions(project, datasets, keys, models, outcomes)
    back = days_before_next(project)
    seen = observed(project, partitions, list(champions), back, datasets, outcomes)
    failed = _failed_checks(datasets, [key for key in champions if key in seen.by_day], outcomes)
    for key, checks in failed.items():
        if why := _holding(checks, hold):
            outcomes[key] = _as_before(project, key, why, datasets)
    champions = {key: card for key, card in champions.items() if key not in outcomes}
    forecasts, issued_at = _as_issued(project, champions, datasets, outcomes)
    left = {key: champions[key] for key in champions if key not in {*forecasts, *outcomes}}
    rows = inputs_to_come(project, seen, source, list(left), outcomes)
    forecasts |= _forecasts(project, left, rows, models, outcomes)
    # a probability says itself how sure it is
    history = None
    if forecasts and not project.labels:
        history = _History(project, partitions, keys, seen.by_day, datasets)
    for key in sorted(forecasts):
        names = ", ".join(failed[key]["check"]) if key in failed else ""
        made = forecasts[key].assign(**{FAILED_CHECKS: names})
        issued = issued_at.get(key, RECONSTRUCTED)
        outcomes[key] = _store(project, key, made, issued, history, datasets)
    for key in champions:
        if key not in outcomes:
            outcomes[key] = no_rows(project.day_to_come(day_of(key)))
    return {key: outcomes[key] for key in keys}


def _failed_checks(
    datasets: DatasetStore, keys: list[str], outcomes: Outcomes
) -> dict[str, "pd.DataFrame"]:
    """What the checks of the data found wrong, by key; why it cannot be read to `outcomes`."""
    damaged: dict[str, StorageError] = {}
    found = CheckStore(datasets).read([OBSERVATIONS], keys, damaged)
    outcomes |= damaged
    return by_day(found[~found["passed"].astype(bool)], "date")


def why_held(project: Project, key: str, datasets: DatasetStore) -> str:
    """What the checks of a day find for which its forecast is held, if it is."""
    failed = _failed_checks(datasets, [key], {})
    return _holding(failed[key], project.serving.hold) if key in failed else ""


def held_days(project: Project, datasets: DatasetStore) -> dict[str, str]:
    """The days whose forecast is held, each with what their checks found; none before others.

    They come after the last that was issued, or are that one, had it been issued before. A refused
    day is held whatever the settings say, since nothing is made of it.
    """
    issued = datasets.keys(DATASET)[-1:]
    judged = datasets.keys(f"{CHECKS}/{OBSERVATIONS}")[-project.schedule.catch_up_days :]
    judged = [key for key in judged if [key] >= issued]
    hold: Hold = "warn" if project.serving.hold == "warn" else "severe"
    failed = _failed_checks(datasets, judged, {})
    held = {key: why for key, rows in failed.items() if (why := _holding(rows, hold))}
    if held.keys() & issued:
        last = datasets.read(DATASET, issued, {})
        if FAILED_CHECKS in last and last[FAILED_CHECKS].any():  # released by hand, or not held
            del held[issued[0]]
    return held


def _holding(failed: "pd.DataFrame", hold: Hold) -> str:
    """Which of the checks that failed hold a forecast, and what they say; none, nothing."""
    holding = {
        "never": failed.iloc[:0],
        "severe": failed[failed["severe"].astype(bool)],
        "warn": failed,
    }[hold]
    return "; ".join(f"{row['check']}: {row['why']}" for row in holding.to_dict("records"))


def what_stays(project: Project, key: str, datasets: DatasetStore) -> str:
    """Which forecast others read while that of a key is held."""
    there = [day for day in datasets.keys(DATASET) if day <= key]
    return f"the one for {_next(project, there[-1])} stays" if there else "there is none before it"


def _as_before(project: Project, key: str, why: str, datasets: DatasetStore) -> Metadata:
    """What is said of a key whose forecast is held."""
    stays = what_stays(project, key, datasets)
    return {
        "status": (
            f"held, {stays}: correct the source and run {key} again, or, where its rows are right "
            "as they are, run forecast with `release: true` in its run config"
        ),
        FAILED_CHECKS: f"of {key}: {why}",
    }


def _store(
    project: Project,
    key: str,
    frame: "pd.DataFrame",
    issued: str,
    history: "_History | None",
    datasets: DatasetStore,
) -> Metadata:
    """Store the forecasts for the day to come of a key, with their intervals."""
    first = frame.iloc[0]
    if history is not None:
        frame = history.with_intervals(key, first["model"], frame)
    frame = frame[[column.name for column in forecast_schema(project).columns]]
    datasets.write(DATASET, key, frame)
    csv = datasets.write_csv(DATASET, key, frame)
    coverage = {}
    if history is not None:
        history.issued[key] = frame
        coverage = history.coverage(key)
    told = {
        "issued": issued,
        "forecast_for": _next(project, key),
        "model": first["model"],
        "version": first["version"],
        "trained_through": first["trained_through"],
        "inputs_from": str(first["inputs_from"]),
        **({FAILED_CHECKS: f"of {key}: {names}"} if (names := first[FAILED_CHECKS]) else {}),
        **forecast_sums(project, frame),
        **coverage,
        "csv": csv,
        **stored(datasets, DATASET, key, frame),
    }
    scored = history.residuals(first["model"]) if history is not None else pd.DataFrame()
    return forecast_overview(project, key, frame, scored, told)


def _champions(
    project: Project,
    datasets: DatasetStore,
    keys: list[str],
    models: ModelStore,
    outcomes: Outcomes,
) -> dict[str, ModelCard]:
    """The version that forecasts the day to come of each key."""
    damaged: dict[str, StorageError] = {}
    names = names_of(datasets, keys, "next_champion", damaged)
    cards: dict[str, ModelCard] = {}
    chosen = cache(lambda name: models.chosen(name, project.period_of))
    for key in keys:
        if key not in names:
            outcomes[key] = damaged.get(key) or PartitionError(
                f"the champion of {key} is missing; materialize champion for it first"
            )
            continue
        try:
            day = project.day_to_come(day_of(key))
            versions = chosen(names[key])
            # of the day to come the one before stands in for one that cannot be read
            card = (versions if is_over(project, day) else versions.readable).on(day)
        except DATA_ERRORS as error:
            outcomes[key] = error
            continue
        if card is None:
            asked = f"the day after {key}" if project.days_ahead == 1 else str(day)
            outcomes[key] = PartitionError(
                f"{names[key]}, the champion, has no version that may serve {asked}; "
                f"materialize models/{names[key]}, then champion"
            )
            continue
        cards[key] = card
    return cards


def _as_issued(
    project: Project, champions: Mapping[str, ModelCard], datasets: DatasetStore, outcomes: Outcomes
) -> tuple[dict[str, "pd.DataFrame"], dict[str, str]]:
    """The champion's forecasts that were issued, by key, and when; not where it has changed since.

    Once the day is over they stand, whoever is in service by now. Errors go to `outcomes`.
    """
    found: dict[str, pd.DataFrame] = {}
    issued_at: dict[str, str] = {}
    for key, card in champions.items():
        day = project.day_to_come(day_of(key))
        try:
            issued = datasets.read(ISSUED, [key])
        except StorageError as error:
            outcomes[key] = error
            continue
        rows = issued[issued["model"] == card.model] if len(issued) else issued
        if rows.empty or not (rows["version"].eq(card.version).all() or is_over(project, day)):
            continue
        values = np.array(rows["forecast"].tolist())
        kept = [*project.row_columns, "date"]
        told = rows[["model", "version", "trained_through", "inputs_from"]]
        frame = rows[kept].assign(**issued_columns(project, values))
        found[key] = frame.join(told).reset_index(drop=True)
        issued_at[key] = str(rows["issued_at"].iloc[0])
    return found, issued_at


def _forecasts(
    project: Project,
    champions: Mapping[str, ModelCard],
    rows: Mapping[str, "pd.DataFrame"],
    models: ModelStore,
    outcomes: Outcomes,
) -> dict[str, "pd.DataFrame"]:
    """Forecasts by key."""
    date = project.columns.date
    made: dict[str, pd.DataFrame] = {}
    for found in forecast_days(project, champions, rows, models, outcomes):
        frame = found.rows[project.row_columns].assign(
            date=found.rows[date],
            **issued_columns(project, found.values),
            model=found.card.model,
            version=found.card.version,
            trained_through=str(found.card.trained_through),
            inputs_from=found.rows["inputs_from"],
        )
        days = by_day(frame, "date")
        made |= {key: days[day] for key in rows if (day := _next(project, key)) in days}
    return made


def _next(project: Project, key: str) -> str:
    """The day to come of a key."""
    return str(project.day_to_come(day_of(key)))


class _History:
    """The residuals that intervals are made from, and how well earlier intervals did."""

    def __init__(
        self,
        project: Project,
        partitions: Partitions,
        keys: list[str],
        observations: Mapping[str, "pd.DataFrame"],
        datasets: DatasetStore,
    ) -> None:
        start, end = window(keys)
        self.project, self.observations, self.datasets = project, observations, datasets
        first = project.due.back(start, project.champion.window_days - 1)
        self.days = days_between(max(first, partitions.first_month), end)
        # the interval of the first day of a window was issued so many days before it
        issued = project.known_before(first)
        earlier = datasets.read(
            DATASET, days_between(max(issued, partitions.first_month), start), {}
        )
        days = by_day(earlier, "date").items()
        self.issued = {self._issued_on(day): rows for day, rows in days}
        self._residuals: dict[str, pd.DataFrame] = {}
        self._hits: dict[str, tuple[int, int]] = {}

    def _first(self, key: str) -> dt.date:
        """The first of the days that are looked back on from a key."""
        return self.project.due.back(day_of(key), self.project.champion.window_days - 1)

    def _issued_on(self, day: str) -> str:
        """The key at which a day was forecast."""
        return str(self.project.known_before(day_of(day)))

    def with_intervals(self, key: str, model: str, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Forecasts with `lower` and `upper`, from the residuals of the window up to a day."""
        last = pd.Timestamp(key)
        known = self.residuals(model)
        first = pd.Timestamp(self._first(key))
        recent = known[known["date"].between(first, last)] if len(known) else known
        coverage = self.project.champion.coverage
        if len(recent):
            radii = conformal_radii(recent, frame, self.project.columns.series, coverage)
        else:
            radii = np.full(len(frame), np.inf)
        radii = np.where(np.isfinite(radii), radii, np.nan)  # too few residuals: no interval
        values = frame["forecast"].to_numpy(dtype=float)
        lower = values - radii
        if self.project.non_negative:
            lower = np.maximum(lower, 0.0)
        return frame.assign(lower=lower, upper=values + radii)

    def residuals(self, model: str) -> "pd.DataFrame":
        """How far off a model's forecasts were on the days of the window."""
        if model not in self._residuals:
            frame = self.datasets.read(f"validation/{model}", self.days, {})
            if len(frame):
                frame = frame.assign(residual=frame["actual"] - frame["forecast"])
            self._residuals[model] = frame
        return self._residuals[model]

    def coverage(self, key: str) -> Metadata:
        """The share of a day's actuals that the interval issued for it held, and trailing."""
        window_days = self.project.champion.window_days
        metadata: Metadata = {"interval_coverage_goal": self.project.champion.coverage}
        first = str(self._first(key))
        for day in self.days:
            if first <= day <= key and day not in self._hits:
                self._hits[day] = self._count(day)
        recent = [count for day, count in self._hits.items() if first <= day <= key]
        hits, rows = (sum(parts) for parts in zip(*recent, strict=True))
        if self._hits[key][1]:
            metadata["interval_coverage"] = number(self._hits[key][0] / self._hits[key][1])
        if rows:
            metadata[f"interval_coverage_{window_days}d"] = number(hits / rows)
        return metadata

    def _count(self, key: str) -> tuple[int, int]:
        """How many actuals of a day lay within the interval forecast for them, and of how many."""
        issued = self.issued.get(self._issued_on(key))
        actual = self.observations.get(key)
        if issued is None or actual is None:
            return 0, 0
        target, series = self.project.columns.target, self.project.columns.series
        on = [name for name in self.project.row_columns if name in issued]
        if not series:
            issued, actual = with_nth(issued, on), with_nth(actual, on)
            on = [*on, "nth"]
        actual = actual[[*on, target]].rename(columns={target: "actual"})
        both = issued[issued["upper"].notna()].merge(actual, on=on)
        inside = both["actual"].between(both["lower"], both["upper"])
        return int(inside.sum()), len(both)
