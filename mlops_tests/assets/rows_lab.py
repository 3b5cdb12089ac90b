"""A project of plain rows: flights, many a day, with a delay that may be below zero.

Rows from 25 December 2025 to 31 March 2026, between 10 and 20 a day. Nothing here depends on the
day on which the tests run.
"""

from typing import Any

import numpy as np
import pandas as pd

from mlops_tests.assets.lab import END, FIRST_DAY

CARRIERS = ["AA", "B6", "UA"]


def make_flights() -> pd.DataFrame:
    """Events with two texts and two numbers, some of them missing, around a target of zero."""
    random = np.random.default_rng(5)
    days = pd.date_range(FIRST_DAY, END, inclusive="left")
    counts = random.integers(10, 21, len(days))
    date = days.repeat(counts)
    rows = len(date)
    carrier = random.choice(CARRIERS, rows).astype(object)
    hour = random.integers(6, 23, rows).astype(float)
    late = np.select([carrier == "AA", carrier == "B6"], [-6.0, 4.0], 0.0)
    frame = pd.DataFrame(
        {
            "flown": date,
            "delay": (late + hour - 14 + random.normal(0, 5, rows)).round(),
            "carrier": carrier,
            "origin": random.choice(["EWR", "JFK", "LGA"], rows).astype(object),
            "hour": hour,
            "distance": random.integers(2, 30, rows) * 100.0,
        }
    )
    frame.loc[::13, "distance"] = np.nan
    frame.loc[::17, "origin"] = None
    return frame


def make_flight_settings() -> dict[str, Any]:
    """No series, no lags of series: aggregates of the days before by origin."""
    return {
        "name": "flights",
        "owner": "team:flights",
        "source": {"kind": "file", "path": "rows.parquet"},
        "first_day": FIRST_DAY,
        "columns": {
            "date": "flown",
            "target": "delay",
            "numeric": ["hour", "distance"],
            "categorical": ["carrier", "origin"],
        },
        "constraints": {
            "distance": {"min": 0, "nullable": True},
            "origin": {"nullable": True},
            "carrier": {"allowed": CARRIERS},
        },
        "features": {
            "calendar": ["day_of_week"],
            "lagged_aggregates": [
                {"by": ["origin"], "statistic": "mean", "lags": [1], "windows": [7]},
                {"statistic": "count", "lags": [7]},
            ],
        },
        "training": {"window_months": 1, "holdout_days": 7, "min_coverage": 0.9},
        "evaluation": {
            "metrics": ["mae", "wmape", "rmse", "bias"],
            "primary": "mae",
            "baseline": "usual",
            "slices": ["carrier", "origin"],
        },
        "champion": {"window_days": 14, "min_days": 10},
        "models": [
            {
                "name": "usual",
                "family": "historical_mean",
                "hyperparameters": {"by": ["carrier", "day_of_week"]},
            },
            {"name": "linear", "family": "ridge"},
        ],
    }
