"""A table of hours: rentals at two stations in Berlin, one in each hour."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

ZONE = "Europe/Berlin"


def hours_settings() -> dict[str, Any]:
    """A series per station, its days made out of hours."""
    return {
        "name": "rentals",
        "owner": "team:rentals",
        "time_zone": ZONE,
        "source": {"kind": "file", "path": "hours.csv"},
        "first_day": dt.date(2026, 1, 1),
        "columns": {
            "date": "hour",
            "target": "rentals",
            "series": ["station"],
            "numeric": ["temperature"],
            "categorical": ["weather"],
        },
        "aggregate": {
            "target": "sum",
            "inputs": {"temperature": "mean", "weather": "most_common"},
        },
        "features": {"lags": [7]},
        "training": {"window_months": 1, "holdout_days": 7},
        "evaluation": {"metrics": ["mae"], "primary": "mae", "baseline": "naive"},
        "models": [{"name": "naive", "family": "seasonal_naive"}],
    }


def write_hours(
    folder: Path,
    first: dt.date,
    last: dt.date,
    *,
    zoned: bool,
    aggregate: dict[str, Any] | None = None,
) -> Path:
    """Write the settings and a CSV of every hour of the local days; the path of the settings."""
    start, end = (
        pd.Timestamp(day, tz=ZONE).tz_convert("UTC") for day in (first, last + dt.timedelta(days=1))
    )
    hours = pd.date_range(start, end, freq="h", inclusive="left")
    told = hours if zoned else hours.tz_convert(ZONE).tz_localize(None)
    tables = [
        pd.DataFrame(
            {"hour": told, "station": name, "rentals": 1, "temperature": 4.5, "weather": "sun"}
        )
        for name in ("a", "b")
    ]
    pd.concat(tables).to_csv(folder / "hours.csv", index=False)
    settings = hours_settings()
    settings["aggregate"] |= {"min_rows": 23, "max_rows": 25} | (aggregate or {})
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file
