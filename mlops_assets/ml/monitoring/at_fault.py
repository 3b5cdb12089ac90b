"""The rows at fault where a check of a day's data failed: some of them, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_assets.lazy import np, pd
from mlops_assets.ml.monitoring.day_facts import BEFORE, DayFacts, names_of_series

SHOWN = 10


def rows_at_fault(
    check: str,
    rows: pd.DataFrame,
    before: Sequence[DayFacts],
    *,
    date: str,
    target: str,
    series: Sequence[str],
    categorical: Sequence[str],
    numeric: Sequence[str],
) -> pd.DataFrame:
    """At most SHOWN rows of a day that a failed check is about, the furthest off first.

    Without their date. `before` are the days before it, the newest last. Empty where the check is
    about no rows.
    """
    inputs = [*dict.fromkeys([*numeric, *categorical])]
    found = rows.iloc[:0]
    if check == "duplicates":
        found = rows[rows.duplicated(keep=False)].sort_values([*series, *inputs, target])
    elif check == "missing_values":
        lacking = rows[inputs].isna().sum(axis=1)
        found = rows.loc[lacking[lacking > 0].sort_values(ascending=False, kind="stable").index]
    elif check == "new_categories":
        new = np.zeros(len(rows), dtype=bool)
        for name in categorical:
            seen = set().union(*(day.categories[name] for day in before))
            new |= ~rows[name].astype("string").isin(seen).to_numpy()
        found = rows[new]
    elif check == "target_range":
        usual = before[-1].target if before else 0.0
        found = rows.sort_values(target, ascending=rows[target].mean() < usual, kind="stable")
    elif check == "inputs_range":
        found = _moved(rows, before[-1].values if before else None, series, numeric)
    elif check in ("row_count", "series_count") and series and before:
        lost = sorted(before[-1].series - names_of_series(rows, series))
        found = pd.DataFrame(lost, columns=list(series)).assign(lost="since the day before")
    return found.head(SHOWN).drop(columns=date, errors="ignore")


def _moved(
    rows: pd.DataFrame, before: pd.DataFrame | None, series: Sequence[str], numeric: Sequence[str]
) -> pd.DataFrame:
    """The series beside the day before, those whose numbers moved furthest first."""
    if before is None:
        return rows.iloc[:0]
    own = [name for name in numeric if name not in series]
    both = rows[[*series, *own]].merge(before.reset_index(), on=list(series), suffixes=("", BEFORE))
    now, then = both[own].astype(float), both[[f"{name}{BEFORE}" for name in own]].astype(float)
    moves = (now - then.set_axis(own, axis="columns")).abs()
    far = (moves / then.set_axis(own, axis="columns").abs().median().replace(0, np.nan)).max(axis=1)
    columns = [*series, *(column for name in own for column in (name, f"{name}{BEFORE}"))]
    return both.loc[far.sort_values(ascending=False, kind="stable").index, columns]
