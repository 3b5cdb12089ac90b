"""What the folders of a file tell of its rows: `date=2026-01-31/`, `year=2026/month=1/`."""

import calendar
import datetime as dt

from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.places import File
from mlops_assets.resources.sources.rows import Window


def folder_days(file: File, date: str) -> Window | None:
    """The first and the last day that the folder of a file names."""
    keys = file.keys
    try:
        if "year" in keys and date not in ("year", "month"):
            year = int(keys["year"])
            first = dt.date(year, int(keys.get("month", 1)), int(keys.get("day", 1)))
            if "day" in keys:
                return first, first
            last_month = first.month if "month" in keys else 12
            length = calendar.monthrange(year, last_month)[1]
            return first, dt.date(year, last_month, length)
        if date in keys:
            day = dt.date.fromisoformat(keys[date][:10])
            return day, day
    except ValueError:
        raise SourceError(
            f"the folder of {file} names no day; write {date}=2026-01-31 or "
            "year=2026/month=1/day=31"
        ) from None
    return None


def folder_columns(file: File, date: str, own: list[str]) -> list[str]:
    """The columns of a file, those of its folder included."""
    days = folder_days(file, date)
    dated = [date] if days and days[0] == days[1] else []
    added = dict.fromkeys([*file.keys, *dated])
    return [*own, *(name for name in added if name not in own)]
