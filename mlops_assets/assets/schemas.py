"""The columns of the datasets, as the web UI lists them."""

import dagster as dg

from mlops_assets.project import Constraint, Project


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
        ]
    )


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
    numeric = name == columns.target or name in columns.numeric
    return dg.TableColumn(
        name,
        "datetime" if name == columns.date else "float" if numeric else "string",
        description=", ".join(role for role, holds in roles.items() if holds),
        constraints=dg.TableColumnConstraints(nullable=constraint.nullable, other=limits),
    )
