"""What the web UI shows of days, decisions and forecasts: what one comes for, then the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import dagster as dg

from mlops_assets.assets.datasets import ROW_COUNT
from mlops_assets.assets.reporting import (
    Metadata,
    first_rows,
    markdown_table,
    number,
    overview,
)
from mlops_assets.assets.schemas import FAILED_CHECKS, GAIN
from mlops_assets.graph.partitions import day_of
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.ml.metrics.metric import Metric
from mlops_assets.ml.metrics.scores import IN_SHADOW
from mlops_assets.ml.models.intervals import conformal_radius
from mlops_assets.ml.monitoring.performance import LIMITS
from mlops_assets.ml.selection.gate import Evidence
from mlops_assets.pages.charts import interval_chart, weeks_chart
from mlops_assets.project import Project
from mlops_assets.resources.stores.champions import Record
from mlops_assets.resources.web import day_link

LATER, HINDSIGHT = "reconstructed", "hindsight"
LARGEST = 8
SUMS = ("total_", "expected_")  # what the names of sums over a forecast begin with
FORECAST_COLUMNS = ("forecast", "lower", "upper", "forecast_class")
PLOTTED = 5  # models, of which the web UI draws a number
RECONSTRUCTED = "reconstructed: made later, from what is known by now"
NO_VALUE = "(missing)"  # the slice of the rows without a value


def seen_first(
    project: Project,
    key: str,
    told: Metadata,
    slices: dg.MarkdownMetadataValue | None,
    verdicts: CheckResults,
) -> Metadata:
    """What is told of a day, arranged for those who look: numbers, a sentence, slices, details.

    The web UI plots numbers in the order of their names, capitals before all others.
    """
    primary = project.evaluation.primary
    over = f"{primary}_vs_baseline"
    first = [primary, over, f"{primary}_{LATER}", f"{over}_{LATER}", f"{primary}_{HINDSIGHT}"]
    seen = f"{primary}_first_seen"
    if told.get(seen) not in (told.get(primary), told.get(f"{primary}_{LATER}")):
        first.append(seen)
    numbers = {
        **{f"{primary.upper()}{n.removeprefix(primary)}": told[n] for n in first if n in told},
        **{n: told[n] for n in (GAIN, "bias", f"bias_{LATER}") if n in told and n not in first},
    }
    day = dg.MetadataValue.md("\n\n".join([*_sentences(told, verdicts), day_link(project, key)]))
    return overview({**numbers, "day": day, **({"slices": slices} if slices else {})}, told)


def _sentences(told: Metadata, verdicts: CheckResults) -> Iterator[str]:
    if LIMITS in verdicts:
        yield f"{verdicts[LIMITS].why}."
    issued = told["issued"]
    when = "Reconstructed" if issued == RECONSTRUCTED else f"Issued {issued}"
    yield f"{when} by `{told['version']}`, which learned through {told['trained_through']}."
    if IN_SHADOW in told:
        yield f"**In shadow**: {told[IN_SHADOW]}."


def metric_notes(metrics: Mapping[str, Metric]) -> Metadata:
    """Options that a reader of a metric must know, such as the floor, as text: not plotted."""
    return {
        f"{name}_options": ", ".join(f"{key} {value:g}" for key, value in vars(metric).items())
        for name, metric in metrics.items()
        if vars(metric)
    }


def slice_table(slices: pd.DataFrame, primary: str) -> dg.MarkdownMetadataValue:
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


def decision_overview(
    project: Project, key: str, record: Record, evidence: list[Evidence], rest: Metadata
) -> Metadata:
    """A day's decision, and what it rests on; `rest` comes last."""
    changes = record.next_since == str(record.next_from)
    judged = [found for found in evidence if found.judged]
    intervals = {found.challenger: (found.low, found.gain, found.high) for found in judged}
    picture = {
        "intervals": dg.MetadataValue.md(interval_chart(intervals, project.champion.min_gain))
    }
    from_tomorrow = (
        f"{record.next_champion} takes over: {record.next_why}"
        if changes
        else f"{record.next_champion} stays"
    )
    who = f"**{record.champion}** since {record.since}: {record.why}.\n\nFrom {record.next_from} on"
    first = {
        "who": dg.MetadataValue.md(f"{who}: {from_tomorrow}.\n\n{day_link(project, key)}"),
        **(picture if judged else {}),
        "evidence": markdown_table(
            ["challenger", "gain", "interval", "", "days", "rows"],
            [
                [
                    found.challenger,
                    *(
                        [f"{found.gain:.1%}", f"{found.low:.1%} to {found.high:.1%}"]
                        if found.judged
                        else ["", ""]
                    ),
                    found.why,
                    str(found.days),
                    str(found.rows),
                ]
                for found in evidence
            ],
        ),
        **{f"{found.challenger}_gain": number(found.gain) for found in judged[:PLOTTED]},
    }
    return overview(
        first,
        {
            "champion": record.champion,
            "since": record.since,
            "why": record.why,
            "from_tomorrow": from_tomorrow,
            "version_from_tomorrow": record.next_version,
            **({"tomorrow": str(record.next_from)} if record.label_delay_days else {}),
            **({"tried": evidence[0].tried} if evidence and evidence[0].tried else {}),
            **rest,
        },
    )


def forecast_overview(
    project: Project, key: str, frame: pd.DataFrame, scored: pd.DataFrame, told: Metadata
) -> Metadata:
    """The forecasts for the day after a key: the weeks before it as a picture, the largest rows.

    `scored` are the rows that the champion was scored on, with `actual` and `forecast`.
    """
    sums = {n: told[n] for n in told if n.startswith(SUMS) or n.startswith("interval_coverage_")}
    sums.pop("interval_coverage_goal", None)
    alarms = {name: told[name] for name in (FAILED_CHECKS,) if name in told}
    shown: Metadata = {**alarms, "csv": dg.MetadataValue.path(told["csv"]), **sums}
    if not project.labels:
        shown = {"weeks": _weeks(project, key, frame, scored), **shown}
    # numbers first: a narrow window cuts the last columns off
    columns = [n for n in [*FORECAST_COLUMNS, *project.row_columns] if n in frame]
    largest = frame.nlargest(LARGEST, "forecast")[columns]
    rows = largest.map(lambda v: f"{v:.4g}" if isinstance(v, float) else str(v))
    listed = first_rows([str(name) for name in columns], rows.to_numpy().tolist())
    rest = {name: value for name, value in told.items() if name not in {*shown, ROW_COUNT}}
    day = dg.MetadataValue.md(day_link(project, key))
    return overview({**shown, "largest": listed, "day": day}, rest) | {ROW_COUNT: told[ROW_COUNT]}


def _weeks(
    project: Project, key: str, frame: pd.DataFrame, scored: pd.DataFrame
) -> dg.MarkdownMetadataValue:
    """The sum of each of the last days and of its forecasts, then that of the day to come."""
    # as far back as residuals are read, whichever days the run has beside
    last = pd.Timestamp(key)
    total = float(frame["forecast"].sum())
    if scored.empty:
        days = pd.DataFrame({"actual": [], "forecast": []})
    else:
        first = project.due.back(day_of(key), project.champion.window_days - 1)
        recent = scored[scored["date"].between(pd.Timestamp(first), last)]
        days = recent.groupby("date")[["actual", "forecast"]].sum()
    off = (days["actual"] - days["forecast"]).to_numpy(dtype=float)
    radius = conformal_radius(off, project.champion.coverage)
    ends = (total - radius, total + radius) if math.isfinite(radius) else None
    between = f", {ends[0]:,.4g} to {ends[1]:,.4g}" if ends else ""
    coming = project.due.named(project.day_to_come(day_of(key)))
    told = f"**{total:,.4g}** {project.columns.target} for {coming}"
    picture = weeks_chart(days["actual"].tolist(), days["forecast"].tolist(), total, ends)
    sure = f" ({project.champion.coverage:.0%})" if ends else ""
    return dg.MetadataValue.md(f"{told}{between}{sure}\n\n{picture}")
