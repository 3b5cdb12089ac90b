"""Writes what is stored as CSV or Parquet, for other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import click

from mlops_assets import read
from mlops_assets.lazy import pd
from mlops_assets.resources.roots import make_storage, named_storage
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.dataset_store import as_parquet

BY_DAYS: dict[str, Callable[..., pd.DataFrame]] = {
    "metrics": read.metrics,
    "forecasts": read.forecasts,
    "observations": read.observations,
}
WHOLE: dict[str, Callable[..., pd.DataFrame]] = {
    "versions": read.versions,
    "decisions": read.decisions,
    "alerts": read.alerts,
}


def export(names: Sequence[str], to: str, form: str, first: str | None, last: str | None) -> None:
    """Write the tables of projects of the workspace to a folder or URL, and tell which.

    Those of days are a file for each month, so that however many there are, one is held at a time.
    """
    for name in names:
        source = named_storage(name)
        target = make_storage("/".join(filter(None, [to.rstrip("/"), name])))
        for table, frame in tables(source, first, last):
            if frame.empty:
                continue
            path = f"{table}.{form}"
            data = frame.to_csv(index=False).encode() if form == "csv" else as_parquet(_flat(frame))
            target.write(path, data)
            click.echo(f"{target.url(path)}: {len(frame)} rows")


def tables(
    source: Storage, first: str | None, last: str | None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of a storage by the path that they are written to, without ending."""
    root = source.root
    for name, whole in WHOLE.items():
        yield name, whole(root)
    for name, of_days in BY_DAYS.items():
        for month, start, end in months(source, first, last):
            yield f"{name}/{month}", of_days(root, start, end)


def months(source: Storage, first: str | None, last: str | None) -> Iterator[tuple[str, str, str]]:
    """The months of days that are stored, with their first and last day that are asked for."""
    names = source.names("datasets/observations") + source.names("datasets/issued")
    days = sorted(name.removesuffix(".parquet") for name in names if name.endswith(".parquet"))
    if not days:
        return
    start = pd.Timestamp(max(first or days[0], days[0]))
    # what was issued last is of a day after the last one
    end = pd.Timestamp(last) if last else pd.Timestamp(days[-1]) + pd.Timedelta(days=7)
    for month in pd.period_range(start, end, freq="M"):
        begins, ends = max(month.start_time, start), min(month.end_time, end)
        yield str(month), f"{begins:%Y-%m-%d}", f"{ends:%Y-%m-%d}"


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose cells Parquet holds: mixed ones and mappings as text."""
    odd = [
        name
        for name in frame
        if frame[name].dtype == object
        and not frame[name].dropna().map(lambda cell: isinstance(cell, str)).all()
    ]
    return frame.assign(**{str(name): frame[name].map(str, na_action="ignore") for name in odd})
