"""The leaderboard: all models side by side on the same rows."""

from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import Any

import dagster as dg

from mlops_assets.assets.datasets import by_day, stored, window
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.overviews import PLOTTED
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import (
    Metadata,
    Outcomes,
    PartitionError,
    defined,
    first_rows,
    overview,
    report,
)
from mlops_assets.assets.schemas import (
    COLUMNS,
    GAIN,
    GAIN_SHORT,
    LIVE_DAYS,
    leaderboard_schema,
)
from mlops_assets.assets.validation import GROUP, is_live, read_forecasts, read_sums, waiting
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import DueDays
from mlops_assets.ml.metrics.day_sums import DaySums
from mlops_assets.ml.metrics.metric import Metric, make_metrics
from mlops_assets.ml.metrics.scores import (
    IN_SHADOW,
    LONG,
    SHORT,
    TRAILING_DAYS,
    common_rows,
    compare_with_previous,
    trailing_gain,
    trailing_scores,
)
from mlops_assets.pages.charts import sparkline
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.switches import paused_models
from mlops_assets.resources.web import day_link, page_url

DATASET = "leaderboard"
PAUSED, NOBODY = "paused", "none"


def make_leaderboard(graph: Graph) -> dg.AssetsDefinition:
    project, unit = graph.project, graph.project.due.grain

    @daily(
        graph,
        DATASET,
        group=GROUP,
        kinds={"pandas", "plotly"},
        description=(
            f"All models side by side on the same rows: the {unit}, and the {SHORT} and {LONG} "
            f"{unit}s up to it. "
            f"[Open the page]({page_url(project, 'models')}): over time, by slice, "
            "forecast against actual."
        ),
        metadata={COLUMNS: leaderboard_schema(project)},
    )
    def leaderboard(
        context: dg.AssetExecutionContext,
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        keys = list(context.partition_keys)
        datasets = readers.datasets(DATASET, keys)
        paused = paused_models(context.instance, project)
        yield from report(context, compare_models(graph, keys, datasets, paused))

    return leaderboard


def compare_models(
    graph: Graph,
    keys: list[str],
    datasets: DatasetStore,
    paused: Collection[str],
) -> Outcomes:
    """Rank the models on days and store it; what came of it."""
    project, first_month = graph.project, graph.partitions.first_month
    start, end = window(keys)
    reach = max(project.due.back(start, LONG - 1), first_month)
    damaged: dict[str, StorageError] = {}
    names = [model.name for model in project.models]
    asked = days_between(reach, end)
    compared: DaySums | Forecasts | None = read_sums(project, datasets, names, asked)
    if compared is None:
        forecasts = read_forecasts(datasets, names, asked, damaged)
        compared = Forecasts(project, common_rows(forecasts)) if len(forecasts) else None
    outcomes: Outcomes = {}
    boards = rank(project, compared) if compared else {}
    newest = max([*datasets.keys(DATASET), *boards], default="")
    for key in keys:
        if day_of(key) < first_month:
            outcomes[key] = waiting(graph.partitions)
        elif key in damaged:
            outcomes[key] = damaged[key]
        elif key not in boards:
            outcomes[key] = PartitionError(
                f"no model has been evaluated on {key}; materialize validation for it first"
            )
        else:
            board = boards[key]
            datasets.write(DATASET, key, board)
            shown_paused = paused if key == newest else set()
            outcomes[key] = board_metadata(
                project, key, board, shown_paused, stored(datasets, DATASET, key, board)
            )
    return outcomes


class Forecasts:
    """The forecasts of models for days on their common rows, as `DaySums` tells them."""

    def __init__(self, project: Project, rows: "pd.DataFrame") -> None:
        self.metrics = make_metrics(project.evaluation.metrics)
        self.primary, self.rows = self.metrics[project.evaluation.primary], rows
        self.due = project.due
        self._groups = rows.assign(live=is_live(rows)).groupby(["model", "date"])

    @property
    def dates(self) -> "pd.DatetimeIndex":
        return pd.DatetimeIndex(self.rows["date"])

    def trailing(self, days: int) -> "pd.DataFrame":
        return trailing_scores(self.metrics, self.rows, days, self.due)

    def facts(self) -> "pd.DataFrame":
        facts = self._groups.agg(
            version=("version", "first"),
            trained_through=("trained_through", "first"),
            live=("live", "all"),
        )
        if IN_SHADOW in self.rows:
            facts[IN_SHADOW] = self._groups[IN_SHADOW].first().eq(True)
        return facts

    def totals(self) -> "pd.DataFrame":
        return self._groups[["actual", "forecast"]].sum()

    def gain(self, days: int) -> "pd.Series[float]":
        if days > 1:
            return trailing_gain(self.primary, self.rows, days, self.due)
        return compare_with_previous(self.primary, self.rows, ["model", "date"])["gain"]


def rank(project: Project, compared: "DaySums | Forecasts") -> dict[str, "pd.DataFrame"]:
    """The leaderboard of each day: one row per model, best first.

    Ranked by the primary metric over 28 days; a model that lacks days of that window ranks after
    those that have them, since it was not judged on the same rows.
    """
    primary, day = compared.primary, compared.trailing(1)
    facts = compared.facts()
    if project.has_totals:
        facts = facts.join(compared.totals().add_suffix("_total"))
    table = day.drop(columns="days").join(facts)
    table[GAIN] = compared.gain(1).reindex(table.index)
    table[GAIN_SHORT] = compared.gain(SHORT).reindex(table.index)
    for days in TRAILING_DAYS:
        table = table.join(compared.trailing(days).add_suffix(f"_{days}d"))
    table[LIVE_DAYS] = live_days(table["live"], project.due)
    dates = compared.dates
    calendar = project.due.calendar(dates.min().date(), dates.max().date())
    recent = day[primary.name].unstack("model").reindex(calendar)
    order = primary.loss(table[f"{primary.name}_{LONG}d"].to_numpy())
    table = table.assign(order=order).reset_index()
    table = table.sort_values(["date", f"days_{LONG}d", "order"], ascending=[True, False, True])
    boards = {}
    for key, board in by_day(table, "date").items():
        last = recent.loc[:key].tail(LONG)
        last = last.loc[last.notna().any(axis=1).idxmax() :]  # whatever lies before them
        boards[key] = board.drop(columns="order").assign(
            rank=range(1, len(board) + 1),
            sparkline=[_sparkline(last[name], primary) for name in board["model"]],
        )
    return boards


def live_days(live: "pd.Series[bool]", due: DueDays) -> "pd.Series[int]":
    """How many of the long window's days up to each a model was scored by what was issued."""
    by_date = live.unstack("model").astype(float).fillna(0.0)
    calendar = due.calendar(by_date.index.min().date(), by_date.index.max().date())
    by_date = by_date.reindex(calendar, fill_value=0)
    counts: Any = by_date.rolling(LONG, min_periods=1).sum().unstack().rename_axis(live.index.names)
    found: pd.Series[int] = counts.reindex(live.index).astype(int)
    return found


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


def board_metadata(
    project: Project, key: str, board: "pd.DataFrame", paused: Collection[str], kept: Metadata
) -> Metadata:
    """A day's leaderboard as a table, and the best models' trailing primary metric as numbers.

    A model that is paused by now says so, with the days since the last one that it learned from.
    """
    primary = project.evaluation.primary
    # what ranks comes first: a narrow window cuts the last columns off
    windows = sorted(TRAILING_DAYS, reverse=True)
    columns = [*(f"{primary}_{days}d" for days in windows), primary]
    today = project.today()

    def named(line: Mapping[Hashable, Any]) -> str:
        said = [str(line["model"])]
        if line.get(IN_SHADOW):
            said.append("in shadow: no version is accepted")
        if line["model"] in paused:
            age = (today - day_of(str(line["trained_through"]))).days
            said.append(f"paused, newest version {age} days old")
        return ", ".join(said)

    rows = [
        [
            str(line["rank"]),
            named(line),
            str(line["sparkline"]),
            *(f"{line[column]:.3f}" for column in columns),
        ]
        for line in board.to_dict("records")
    ]
    unit = project.due.grain
    header = ["", "model", f"last {LONG} {unit}s", *(f"{n} {unit}s" for n in windows), str(unit)]
    best = sorted(board.to_dict("records")[:PLOTTED], key=lambda line: str(line["model"]))
    live = (
        f"{board[LIVE_DAYS].iloc[0]} of the last {LONG} {unit}s of {board['model'].iloc[0]} were "
        "forecast in advance, the others are reconstructed"
    )
    return overview(
        {
            "table": first_rows(header, rows),
            "day": dg.MetadataValue.md(day_link(project, key)),
            **defined({f"{m['model']}_{primary}_{LONG}d": m[f"{primary}_{LONG}d"] for m in best}),
        },
        {
            "best": str(board["model"].iloc[0]),
            "live": live,
            PAUSED: paused_names(paused),
            "rows": int(board["rows"].iloc[0]),
            **kept,
        },
    )


def paused_names(paused: Collection[str]) -> str:
    """The paused models as a leaderboard names them."""
    return ", ".join(sorted(paused)) or NOBODY
