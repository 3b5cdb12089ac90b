"""Which rows are meant: all, those of a slice, or those of a series; and how they are called."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_assets.lazy import pd
from mlops_assets.pages.shelf import Look
from mlops_assets.pages.view import ViewError, shortened
from mlops_assets.project import Project

MISSING = "(missing)"  # the slice of the rows without a value
BETWEEN = " / "  # the values of a series
SERIES = "series"
LOOKED_BACK = 28  # days in which a series is looked for
OFFERED = 20


def named(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A frame whose missing names in some columns say so."""
    return frame.assign(**{c: frame[c].astype(object).fillna(MISSING) for c in columns})


def series_names(project: Project, frame: pd.DataFrame) -> pd.Series[str]:
    """What the series of each row is called; of a project without series, nothing."""
    names = pd.Series("", index=frame.index, dtype=object)
    for number, column in enumerate(project.columns.series):
        value = frame[column].astype(object).fillna(MISSING).astype(str)
        names = value if number == 0 else names + BETWEEN + value
    return names


def rows_of(project: Project, frame: pd.DataFrame, of: str) -> pd.DataFrame:
    """The rows that a choice means: `COLUMN: VALUE` of a slice, a series, or all without one."""
    if not of:
        return frame
    column, _, value = of.partition(": ")
    if column in project.evaluation.slices:
        return frame[named(frame, [column])[column].astype(str) == value]
    return frame[series_names(project, frame) == of]


def known_names(look: Look) -> list[str]:
    """Every slice and series of the last four weeks, as a choice calls them."""

    series, slices = look.project.columns.series, look.project.evaluation.slices

    def reduce(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.drop_duplicates([*dict.fromkeys([*series, *slices])], keep="last")
        names = [series_names(look.project, frame)] if series else []
        names += [f"{column}: " + named(frame, [column])[column].astype(str) for column in slices]
        every = pd.concat([frame[["date"]].assign(name=name) for name in names])
        return every.drop_duplicates("name", keep="last")  # until that day is left behind

    if not series and not slices:
        return []
    model = look.project.evaluation.baseline
    found = look.reduced("names", [f"validation/{model}"], reduce, look.back(LOOKED_BACK))
    return sorted(found["name"].unique()) if len(found) else []


def matching(look: Look, typed: str) -> list[str]:
    """The names that hold what is typed, those that begin with it first."""
    wanted = typed.casefold().strip()
    found = [name for name in known_names(look) if wanted in name.casefold()]
    return sorted(found, key=lambda name: not name.casefold().startswith(wanted))[:OFFERED]


def check_rows(look: Look) -> None:
    """ViewError where rows are asked for that there are not."""
    if look.view.of and look.view.of not in known_names(look):
        near = matching(look, look.view.of) or known_names(look)[:OFFERED]
        there = f"; there are: {', '.join(near)}" if near else ""
        raise ViewError(
            f"{shortened(look.view.of)} is no slice or series of the {look.over(LOOKED_BACK)} "
            f"through {look.view.last}{there}"
        )
