"""A project of plain rows around any source, for tests of sources."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import yaml

from mlops_assets.project import Project
from mlops_assets.resources.sources import Source, make_source
from mlops_assets.resources.sources.places import File, Place
from mlops_assets.resources.storage import Storage
from mlops_tests.small import PROJECT_FILE

JANUARY = dt.date(2026, 1, 1), dt.date(2026, 2, 1)
PLAIN = {"date": "date", "target": "units"}
SHOPS = PLAIN | {"series": ["shop"], "categorical": ["shop"]}


def problem(
    folder: Path,
    source: dict[str, Any],
    time_zone: str = "UTC",
    columns: dict[str, Any] = PLAIN,
) -> Project:
    """A project with a date and a target, whose source is this one."""
    settings = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8")) | {
        "source": source,
        "first_day": dt.date(2026, 1, 1),
        "time_zone": time_zone,
        "columns": columns,
        "constraints": {"units": {"min": 0}},
        "features": {"calendar": ["day_of_week"]},
        "models": [{"name": "linear", "family": "ridge"}],
    }
    settings["evaluation"] |= {"baseline": "linear", "slices": []}
    return Project.model_validate({**settings, "folder": folder})


def files(
    path: Path | str,
    time_zone: str = "UTC",
    columns: dict[str, Any] = PLAIN,
    storage: Storage | None = None,
    **settings: Any,
) -> Source:
    """A source of kind file."""
    source = {"kind": "file", "path": str(path), **settings}
    return make_source(problem(Path(), source, time_zone, columns), storage)


def write(folder: Path, name: str, dates: list[str], ending: str = "csv") -> Path:
    """A table with these dates and the units 0, 1, 2, ..."""
    frame = pd.DataFrame({"date": dates, "units": range(len(dates)), "unused": 1})
    file = folder / f"{name}.{ending}"
    file.parent.mkdir(parents=True, exist_ok=True)
    if ending == "parquet":
        frame.to_parquet(file, index=False)
    else:
        frame.to_csv(file, index=False)
    return file


def day_keys(rows: pd.DataFrame) -> list[str]:
    return rows["date"].dt.strftime("%Y-%m-%d").tolist()


class Opened(dict[str, int]):
    """How many bytes were read of each file that was opened, by its name."""


@contextmanager
def counted() -> Iterator[Opened]:
    """Counts what is opened and read inside."""
    opened = Opened()
    really = Place.open

    def count(place: Place, file: File) -> Any:
        name = "/".join(file.path.split("/")[-2:])
        handle = really(place, file)
        read = handle.read
        opened.setdefault(name, 0)

        class Counting:
            def read(self, size: int = -1) -> bytes:
                data = read(size)
                opened[name] += len(data)
                return data

            def __getattr__(self, attribute: str) -> Any:
                return getattr(handle, attribute)

            def __enter__(self) -> "Counting":
                return self

            def __exit__(self, *_: object) -> None:
                handle.close()

        return Counting()

    with mock.patch.object(Place, "open", count):
        yield opened
