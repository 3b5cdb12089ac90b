"""The columns of the datasets, as the web UI lists them."""

from collections.abc import Mapping

import dagster as dg

from mlops_assets.ml.metrics import make_metrics
from mlops_assets.partitions import TRAILING_DAYS
from mlops_assets.project import Constraint, LaggedAggregate, Project


def observations_schema(project: Project) -> dg.TableSchema:
    """The columns read from the source, with their constraints."""
    return dg.TableSchema(columns=[_column(project, name) for name in project.column_names])


def features_schema(project: Project) -> dg.TableSchema:
    """The columns of observations, then those computed from them."""
    target = project.columns.target
    computed = {
        name: f"{target} of the same series {days} day(s) before"
        for name, days in project.lag_columns.items()
    }
    computed |= {
        name: f"mean {target} of the same series over the {days} days before"
        for name, days in project.rolling_columns.items()
    }
    computed |= {
        name: _aggregate_text(lagged.columns(target)[name], lagged, target)
        for name, lagged in project.aggregate_columns.items()
    }
    computed |= {
        feature.value: f"{feature.value.replace('_', ' ')} of the date"
        for feature in project.features.calendar
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
                for feature in project.own_features
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
    described = {
        **dict.fromkeys(kept, ("string", "of the row")),
        "date": ("datetime", "the day"),
        "row": ("int", "position of the row among the day's features"),
        "actual": ("float", f"{project.columns.target} of the row"),
        "forecast": ("float", f"{project.columns.target} forecast for the row"),
        "version": ("string", "version that made the forecast"),
        "trained_through": ("string", "last day that the version learned from"),
        "previous_version": ("string", "version before it, which goes on in shadow"),
        "previous_forecast": ("float", f"{project.columns.target} that it forecasts for the row"),
    }
    return _schema(described)


def leaderboard_schema(project: Project) -> dg.TableSchema:
    """The columns of a stored leaderboard."""
    described = {
        "rank": ("int", "place by the primary metric over the longest trailing window"),
        "model": ("string", "name of the model"),
        "date": ("datetime", "the day"),
        "rows": ("float", "rows of the day that every model forecast"),
        "version": ("string", "version in service on the day"),
        "trained_through": ("string", "last day that the version learned from"),
        "actual_total": ("float", f"{project.columns.target} of the day, all rows"),
        "forecast_total": ("float", f"{project.columns.target} forecast for the day, all rows"),
        GAIN: ("float", "the primary metric of the version before, less that in service"),
        "sparkline": ("string", "the primary metric of the last days, two days a character"),
    }
    for name, metric in make_metrics(project.evaluation.metrics).items():
        described[name] = ("float", metric.description)
        for days in TRAILING_DAYS:
            described[f"{name}_{days}d"] = ("float", f"the same over {days} days")
    return _schema(described)


def forecast_schema(project: Project) -> dg.TableSchema:
    """The columns of the stored forecasts of the champion."""
    target, coverage = project.columns.target, project.champion.coverage
    numbers = project.number_columns
    return _schema(
        {
            **{
                name: ("float" if name in numbers else "string", "of the row")
                for name in project.row_columns
            },
            "date": ("datetime", "the day forecast, the one after the partition"),
            "forecast": ("float", f"{target} forecast for the row"),
            "lower": ("float", f"lower end of the interval that is to hold {coverage:.0%}"),
            "upper": ("float", "its upper end"),
            "model": ("string", "the champion"),
            "version": ("string", "version that made the forecast"),
            "trained_through": ("string", "last day that the version learned from"),
            "inputs_from": ("string", "source: known in advance; or the day before"),
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


GAIN = "gain_over_previous"
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
    constraint = project.constraints.get(name, Constraint())
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
