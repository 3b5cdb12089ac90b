"""The `dagster-pandas` type of a day's observations, made from the settings."""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type
from dagster_pandas.constraints import (
    CategoricalColumnConstraint,
    ColumnConstraint,
    ColumnConstraintViolationException,
    ColumnDTypeInSetConstraint,
    DataFrameConstraint,
    DataFrameConstraintViolationException,
    InRangeColumnConstraint,
    NonNullableColumnConstraint,
)

from mlops_assets.lazy import pd
from mlops_assets.ml.features.aggregation import aggregated
from mlops_assets.project import Project

SHOWN = 3


class TargetsError(ValueError):
    """Too few rows of a day have a target."""


class OneDay(DataFrameConstraint):
    """All rows are of one day."""

    def __init__(self, date: str) -> None:
        self.date = date
        super().__init__(  # type: ignore[no-untyped-call]
            error_description="rows of more than one day", markdown_description="rows of one day"
        )

    def validate(self, dataframe: pd.DataFrame) -> None:
        if dataframe[self.date].nunique() != 1:
            days = ", ".join(sorted({str(day) for day in dataframe[self.date]})[:3])
            raise DataFrameConstraintViolationException(
                self.name, f"{self.error_description}: {days}"
            )


class WithRows(ColumnConstraint):
    """A constraint of a column that shows rows which break it, of which dagster-pandas shows none.

    Their series and values are told, else their values alone.
    """

    def __init__(self, constraint: ColumnConstraint, series: list[str]) -> None:
        self.constraint, self.series = constraint, series
        super().__init__(  # type: ignore[no-untyped-call]
            constraint.error_description, constraint.markdown_description
        )

    def validate(self, dataframe: pd.DataFrame, column_name: str) -> None:
        try:
            self.constraint.validate(dataframe, column_name)
        except ColumnConstraintViolationException as broken:
            rows = _by_row(broken.offending_rows, column_name)
            if not rows:
                raise
            shown = [
                " ".join([*map(str, dataframe.loc[row, self.series]), f"({value})"])
                for row, value in list(rows.items())[:SHOWN]
            ]
            said = f"{self.constraint.error_description.rstrip('. ')}: {len(rows)} row(s)"
            raise ColumnConstraintViolationException(
                broken.constraint_name, f"{said}, such as {'; '.join(shown)}", column_name
            ) from broken


def _by_row(offending: Any, column: str) -> dict[Any, Any]:
    """The offending values by row; some constraints give rows, some pairs, some nothing."""
    if isinstance(offending, pd.DataFrame):
        return dict(offending[column])
    return {} if offending is None else dict(offending)


class OneRowPerSeries(DataFrameConstraint):
    """No series has two rows on one day."""

    def __init__(self, series: list[str]) -> None:
        self.series = series
        super().__init__(  # type: ignore[no-untyped-call]
            error_description="a series has more than one row",
            markdown_description=f"one row per {', '.join(series)}",
        )

    def validate(self, dataframe: pd.DataFrame) -> None:
        repeated = dataframe[dataframe.duplicated(self.series)]
        if len(repeated):
            names = ", ".join(str(value) for value in repeated.iloc[0][self.series])
            raise DataFrameConstraintViolationException(
                self.name,
                f"{self.error_description}: {names} ({len(repeated)} repeated row(s)); "
                "remove the repeated rows from the source, or say under aggregate what they come "
                "to: last, sum or mean",
            )


def make_observations_type(project: Project) -> dg.DagsterType:
    """The type of a day's observations: columns, types, ranges, one day, one row per series.

    Plain rows may be alike: two events of a day can have the same inputs and target.
    """
    columns, series = project.columns, project.columns.series
    observations_type: dg.DagsterType = create_dagster_pandas_dataframe_type(
        "Observations",
        columns=[_column(project, name) for name in project.column_names],
        dataframe_constraints=[
            OneDay(columns.date),
            *([OneRowPerSeries(series)] if series else []),
        ],
    )
    return observations_type


def _column(project: Project, name: str) -> PandasColumn:
    constraint = project.constraint(name)
    checks: list[Any] = [] if constraint.nullable else [NonNullableColumnConstraint()]
    if name == project.columns.date:
        checks.append(ColumnDTypeInSetConstraint({"datetime64[ns]"}))
    elif name in project.number_columns:
        checks.append(ColumnDTypeInSetConstraint({"float64"}))
        if constraint.min is not None or constraint.max is not None:
            low = float("-inf") if constraint.min is None else constraint.min
            high = float("inf") if constraint.max is None else constraint.max
            checks.append(InRangeColumnConstraint(low, high, constraint.nullable))
    else:
        checks.append(ColumnDTypeInSetConstraint({"object"}))
    if constraint.allowed is not None:
        checks.append(CategoricalColumnConstraint(set(constraint.allowed), constraint.nullable))
    series = project.columns.series
    return PandasColumn(name, constraints=[WithRows(one, series) for one in checks])


def validated(
    project: Project, observations_type: dg.DagsterType, rows: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a day with the types of the settings, and those that have no target.

    ValueError when they break the settings, TargetsError when too few have a target. Numbers become
    float64, the other columns strings; the rows keep their order, unless the settings aggregate
    them.
    """
    frame, without = with_targets(project, prepared(project, rows))
    least = project.quality.min_completeness
    if frame.empty or len(frame) < least * (len(frame) + len(without)):
        raise TargetsError(
            f"{len(without)} of {len(frame) + len(without)} rows lack the target "
            f"{project.columns.target!r}, such as {example(project, without)}; at least "
            f"quality.min_completeness of {least:.0%} "
            "must have one: run the day again once the source has them"
        )
    check = observations_type.type_check(None, frame)  # type: ignore[arg-type]
    if not check.success:
        raise ValueError(
            f"{check.description}; correct the source, or the constraint in the settings, "
            "and run the day again"
        )
    return frame, without


def with_targets(project: Project, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that have a target, and those that have none. An infinite one is none."""
    target = project.columns.target
    known = frame[target].notna() & ~frame[target].isin([float("inf"), float("-inf")])
    if known.all():
        return frame, frame.iloc[:0]
    return frame[known].reset_index(drop=True), frame[~known]


def example(project: Project, rows: pd.DataFrame) -> str:
    """The first of some rows in words: its series and target."""
    first = rows.iloc[0]
    return " ".join(
        [*map(str, first[project.columns.series]), f"({first[project.columns.target]})"]
    )


def prepared(project: Project, rows: pd.DataFrame, *, to_come: bool = False) -> pd.DataFrame:
    """Rows of the source as observations have them: typed, and one per day and key if so set.

    Days `to_come` need not be whole: a key that is not yet is left out. ValueError otherwise.
    """
    return aggregated(project.columns, project.aggregate, typed(project, rows), to_come=to_come)


def typed(project: Project, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the source with the types of the settings. ValueError for what is no number."""
    frame = rows[project.column_names].copy()
    for name in project.column_names:
        if name in project.number_columns:
            may_be_infinite = name == project.columns.target  # and is missing then
            frame[name] = _as_numbers(frame[name], finite=not may_be_infinite)
    return frame


def _as_numbers(column: pd.Series[Any], *, finite: bool) -> pd.Series[float]:
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    broken = column[numbers.isna() & column.notna()]
    if len(broken):
        raise ValueError(
            f"column {column.name!r} holds {broken.iloc[0]!r}, which is no number "
            f"({len(broken)} such row(s)); correct the source, or name it in columns.missing where "
            "it means that there is none, and run the day again"
        )
    if finite and numbers.isin([float("inf"), float("-inf")]).any():
        raise ValueError(
            f"column {column.name!r} holds infinity; correct the source, or name inf and -inf in "
            "columns.missing where there is no value"
        )
    return numbers
