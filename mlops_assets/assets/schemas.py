"""The columns of the datasets, as the web UI lists them."""

from collections.abc import Mapping

import dagster as dg

from mlops_assets.ml.features.feature_settings import EVES, HOLIDAYS
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.metrics.scores import LONG, SHORT, TRAILING_DAYS
from mlops_assets.project import LaggedAggregate, Project

# Not `dagster/column_schema`: the web UI puts that above all numbers, 25 lines of it.
COLUMNS = "column_schema"


def observations_schema(project: Project) -> dg.TableSchema:
    """The columns read from the source, with their constraints."""
    return dg.TableSchema(columns=[_column(project, name) for name in project.column_names])


def features_schema(project: Project) -> dg.TableSchema:
    """The columns of observations, then those computed from them."""
    target = project.columns.target
    computed = {
        name: f"{target} of the same series {days} day(s) before"
        for name, days in project.feature_plan.lag_columns.items()
    }
    computed |= {
        name: f"mean {target} of the same series over the {days} days before"
        for name, days in project.feature_plan.rolling_columns.items()
    }
    computed |= {
        name: _aggregate_text(lagged.columns(target)[name], lagged, target)
        for name, lagged in project.feature_plan.aggregate_columns.items()
    }
    computed |= {
        feature.value: f"{feature.value.replace('_', ' ')} of the date"
        for feature in project.features.calendar
    }
    if place := project.features.holidays:
        computed |= {
            HOLIDAYS: f"1 on the public holidays of {place}",
            EVES: f"1 on the day before one of {place}",
        }
    return dg.TableSchema(
        columns=[
            *observations_schema(project).columns,
            *(
                dg.TableColumn(name, "float", description=text, constraints=NULLABLE)
                for name, text in computed.items()
            ),
            *(
                dg.TableColumn(
                    name,
                    "float" if feature.kind == "numeric" else "string",
                    description=feature.description,
                    constraints=NULLABLE,
                )
                for feature in project.feature_plan.custom
                for name in feature.columns
            ),
        ]
    )


def _aggregate_text(days: tuple[str, int], lagged: LaggedAggregate, target: str) -> str:
    kind, count = days
    when = f"{count} day(s) before" if kind == "lag" else f"over the {count} days before"
    by = f" of the same {', '.join(lagged.by)}" if lagged.by else " of all rows"
    return f"{lagged.statistic.value} of {lagged.of or target}{by}, {when}"


def forecasts_schema(project: Project) -> dg.TableSchema:
    """The columns of the stored forecasts."""
    kept = dict.fromkeys([*project.columns.series, *project.evaluation.slices])
    actual, _, _ = _wording(project)
    described = {
        **dict.fromkeys(kept, ("string", "of the row")),
        "date": ("datetime", "the day"),
        "row": ("int", "position of the row among the day's features"),
        "actual": ("float", f"{actual} of the row"),
        **_by_version(project),
        "issued_at": ("string", "when, in UTC; missing where it was made later"),
    }
    return _schema(described)


def issued_schema(project: Project) -> dg.TableSchema:
    """The columns of the forecasts of all models as they were issued."""
    numbers = project.number_columns
    return _schema(
        {
            **_of_row(project),
            **{
                name: ("float" if name in numbers else "string", "input that it was made from")
                for name in project.inputs_in_advance
            },
            "date": ("datetime", "the day forecast"),
            "model": ("string", "name of the model"),
            **_by_version(project),
            "issued_at": ("string", "when, in UTC"),
            "inputs_from": ("string", "source: known in advance; or the day before"),
        }
    )


def _of_row(project: Project) -> dict[str, tuple[str, str]]:
    """The columns that say which row a forecast is of."""
    numbers = project.number_columns
    return {
        name: ("float" if name in numbers else "string", "of the row")
        for name in project.row_columns
    }


def _by_version(project: Project) -> dict[str, tuple[str, str]]:
    """What is stored of a forecast and of the one in its shadow."""
    _, kind, forecast = _wording(project)
    return {
        "forecast": (kind, f"{forecast} forecast for the row"),
        "version": ("string", "version that made the forecast"),
        "trained_through": ("string", "last day that the version learned from"),
        "previous_version": ("string", "version before it, which goes on in shadow"),
        "previous_forecast": (kind, f"{forecast} that it forecasts for the row"),
    }


def leaderboard_schema(project: Project) -> dg.TableSchema:
    """The columns of a stored leaderboard."""
    unit = project.grain
    described = {
        "rank": ("int", "place by the primary metric over the longest trailing window"),
        "model": ("string", "name of the model"),
        "date": ("datetime", "the day"),
        "rows": ("float", "rows of the day that every model forecast"),
        "version": ("string", "version in service on the day"),
        "trained_through": ("string", "last day that the version learned from"),
        "live": ("bool", "whether the day is scored by what was issued for it"),
        LIVE_DAYS: ("int", f"how many of the last {LONG} {unit}s are"),
        GAIN: ("float", "the primary metric of the version before, less that in service"),
        GAIN_SHORT: ("float", f"the same over {SHORT} {unit}s"),
        "sparkline": ("string", "the primary metric of the last days, two days a character"),
    }
    if project.has_totals:
        what = project.counted
        described["actual_total"] = ("float", f"{what} of the day, all rows")
        described["forecast_total"] = ("float", f"{what} forecast for the day, all rows")
    for name, metric in make_metrics(project.evaluation.metrics).items():
        described[name] = ("float", metric.description)
        for days in TRAILING_DAYS:
            described[f"{name}_{days}d"] = ("float", f"the same over {days} {unit}s")
    return _schema(described)


def forecast_schema(project: Project) -> dg.TableSchema:
    """The columns of the stored forecasts of the champion."""
    return _schema(
        {
            **_of_row(project),
            "date": ("datetime", "the day forecast, the one after the partition"),
            **_issued(project),
            "model": ("string", "the champion"),
            "version": ("string", "version that made the forecast"),
            "trained_through": ("string", "last day that the version learned from"),
            "inputs_from": ("string", "source: known in advance; or the day before"),
            FAILED_CHECKS: ("string", "checks of the partition's data that failed; mostly none"),
        }
    )


def drift_schema() -> dg.TableSchema:
    """The columns of the stored drift of a day, a row per column of the features."""
    return _schema(
        {
            "date": ("datetime", "the last of the recent days"),
            "model": ("string", "the champion"),
            "version": ("string", "its version in service, which the rows are compared with"),
            "column": ("string", "an input, or the forecast"),
            "kind": ("string", "what moved most: numbers, categories, missing or repeated values"),
            "distance": ("float", "from the rows that the version learned from"),
            "threshold": ("float", "above which it has drifted, by windows of the same length"),
            "importance": ("float", "share of the loss that hangs on the column"),
            "drifted": ("bool", "whether the distance is above the threshold"),
            "rank": ("int", "place by importance times distance over threshold"),
        }
    )


def _schema(described: Mapping[str, tuple[str, str]]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, kind, description=text) for name, (kind, text) in described.items()
        ]
    )


def probability_column(label: str) -> str:
    """The column of the probability of one of several classes."""
    return f"probability_{label}"


def _wording(project: Project) -> tuple[str, str, str]:
    """What is stored of an actual, the type of a forecast, and what that is."""
    target, labels = project.columns.target, project.labels
    if not labels:
        return target, "float", target
    if len(labels) == 2:
        return f"1 if {target} is {labels[1]}, else 0,", "float", f"probability of {labels[1]}"
    listed = ", ".join(labels)
    return f"position, from 0, among {listed}", "array", f"probability of each of {listed}"


def _issued(project: Project) -> dict[str, tuple[str, str]]:
    """The columns of a forecast that others read."""
    target, labels = project.columns.target, project.labels
    if not labels:
        coverage = project.champion.coverage
        return {
            "forecast": ("float", f"{target} forecast for the row"),
            "lower": ("float", f"lower end of the interval that is to hold {coverage:.0%}"),
            "upper": ("float", "its upper end"),
        }
    if len(labels) == 2:
        probability = f"probability that {target} is {labels[1]}"
        least = project.evaluation.threshold
        rule = f"{labels[1]} where that is at least {least:g}, else {labels[0]}"
        return {"forecast": ("float", probability), CLASS: ("string", rule)}
    return {
        "forecast": ("float", "probability of the most probable class"),
        CLASS: ("string", "the most probable class"),
        **{
            probability_column(label): ("float", f"probability that {target} is {label}")
            for label in labels
        },
    }


GAIN = "gain_over_previous"
GAIN_SHORT = f"{GAIN}_{SHORT}d"
LIVE_DAYS = f"live_days_{LONG}d"
CLASS = "forecast_class"
FAILED_CHECKS = "failed_checks"
NULLABLE = dg.TableColumnConstraints(nullable=True)


def _column(project: Project, name: str) -> dg.TableColumn:
    columns = project.columns
    roles = {
        "date": name == columns.date,
        "target": name == columns.target,
        "part of the series' name": name in columns.series,
        "numeric input": name in columns.numeric,
        "categorical input": name in columns.categorical,
    }
    constraint = project.constraint(name)
    limits = []
    if constraint.min is not None:
        limits.append(f"at least {constraint.min:g}")
    if constraint.max is not None:
        limits.append(f"at most {constraint.max:g}")
    if constraint.allowed is not None:
        limits.append(f"one of {', '.join(constraint.allowed)}")
    return dg.TableColumn(
        name,
        "datetime"
        if name == columns.date
        else "float"
        if name in project.number_columns
        else "string",
        description=", ".join(role for role, holds in roles.items() if holds),
        constraints=dg.TableColumnConstraints(nullable=constraint.nullable, other=limits),
    )
