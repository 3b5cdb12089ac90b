"""A table of the shape of M5 and the settings of a project on it.

Of 30,490 series, the units of 3,049 items in 10 stores (Makridakis, Spiliotis and Assimakopoulos,
M5 accuracy competition, 2022), with department, category, state, price and two flags of days. Made
from a seed: the same series, days and seed are the same table.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

STORES = [*(f"CA_{n}" for n in range(1, 5)), *(f"{s}_{n}" for s in ("TX", "WI") for n in (1, 2, 3))]
DEPARTMENTS = ("FOODS_1", "FOODS_2", "FOODS_3", "HOBBIES_1", "HOBBIES_2", "HOUSEHOLD_1")
DEPARTMENTS = (*DEPARTMENTS, "HOUSEHOLD_2")
LONGEST_LAG, WINDOW_MONTHS, SERVED = 28, 4, 25
ROWS_OF_GROUP = 250_000
FAMILIES = {
    "seasonal_naive": {"family": "seasonal_naive"},
    "linear": {"family": "ridge", "hyperparameters": {"alpha": 10.0}},
    "hist_boosting": {"family": "hist_gradient_boosting", "hyperparameters": {"loss": "poisson"}},
}


@dataclass(frozen=True)
class Span:
    """The days of a table, of which the last 25 are served by the version of a month."""

    first: dt.date
    last: dt.date

    @property
    def month(self) -> dt.date:
        """The month whose version serves the last days."""
        return (self.last - dt.timedelta(days=SERVED - 1)).replace(day=1)

    @property
    def served(self) -> dt.date:
        """The first of the served days."""
        return self.last - dt.timedelta(days=SERVED - 1)

    def __len__(self) -> int:
        return (self.last - self.first).days + 1


def span_of(days: int | None = None) -> Span:
    """As many days up to yesterday; by default those that one training and what it serves need."""
    last = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    month = Span(last, last).month
    back = month.year * 12 + month.month - 1 - WINDOW_MONTHS
    first = dt.date(back // 12, back % 12 + 1, 1) - dt.timedelta(days=LONGEST_LAG)
    return Span(first if days is None else last - dt.timedelta(days=days - 1), last)


def write_panel(file: Path, series: int, span: Span, seed: int = 0) -> None:
    """The rows by day, in row groups of some 250,000."""
    random = np.random.default_rng(seed)
    item, store = np.divmod(np.arange(series), len(STORES))
    department = random.integers(len(DEPARTMENTS), size=item.max() + 1)
    level = np.exp(random.normal(0.0, 1.1, size=item.max() + 1))[item] * random.uniform(
        0.5, 1.5, size=series
    )
    price = np.round(np.exp(random.normal(1.2, 0.6, size=item.max() + 1)), 2)
    begins = np.where(random.random(series) < 0.05, random.integers(0, len(span), series), 0)
    names = {
        "item": [f"{DEPARTMENTS[of]}_{n:04d}" for n, of in enumerate(department)],
        "store": STORES,
        "department": list(DEPARTMENTS),
        "category": sorted({name[:-2] for name in DEPARTMENTS}),
        "state": sorted({name[:2] for name in STORES}),
    }
    codes = {"item": item, "store": store, "department": department[item]}
    of_category = [names["category"].index(name[:-2]) for name in DEPARTMENTS]
    codes["category"] = np.array(of_category)[codes["department"]]
    codes["state"] = np.array([names["state"].index(name[:2]) for name in STORES])[store]
    weekly = np.array([0.9, 0.85, 0.85, 0.9, 1.05, 1.3, 1.2])
    each = max(1, ROWS_OF_GROUP // series)
    writer = None
    for start in range(0, len(span), each):
        tables = []
        for n in range(start, min(start + each, len(span))):
            day = span.first + dt.timedelta(days=n)
            there = begins <= n
            if day.weekday() == 0 or not n:  # prices of a tenth of the items change by the week
                changed = random.random(len(price)) < 0.1
                price = np.where(changed, np.round(price * random.uniform(0.8, 1.25), 2), price)
            event = float(random.random() < 0.08)
            food_stamps = (day.day <= 10) & (codes["state"] == day.day % 3)
            mean = level * weekly[day.weekday()] * (1 + 0.2 * event + 0.1 * food_stamps)
            units = random.poisson(random.gamma(2.0, mean / 2.0))
            columns = {"date": np.full(series, np.datetime64(day, "ns"))}
            columns |= {name: values.astype("int32") for name, values in codes.items()}
            columns |= {"units": units.astype("int32"), "price": price[item]}
            columns |= {"event": np.full(series, event), "food_stamps": food_stamps.astype(float)}
            arrays = {name: pa.array(values[there]) for name, values in columns.items()}
            for name in names:
                arrays[name] = pa.DictionaryArray.from_arrays(arrays[name], names[name])
            tables.append(pa.table(arrays))
        group = pa.concat_tables(tables).combine_chunks()
        writer = writer or pq.ParquetWriter(file, group.schema)
        writer.write_table(group, row_group_size=len(group))
    assert writer is not None
    writer.close()


def write_project(file: Path, source: Path, span: Span, models: int = 3) -> None:
    """Settings of a project on the table, with so many models."""
    named = [{"name": name, **of} for name, of in FAMILIES.items()]
    named += [
        {"name": f"ridge_{n}", "family": "ridge", "hyperparameters": {"alpha": float(n)}}
        for n in range(len(named), models)
    ]
    settings = {
        "name": "wide",
        "description": "Units sold of each item and store.",
        "owner": "team:forecasting",
        "time_zone": "UTC",
        "first_day": span.first,
        "source": {"kind": "file", "path": str(source)},
        "columns": {
            "date": "date",
            "target": "units",
            "series": ["item", "store"],
            "numeric": ["price", "event", "food_stamps"],
            "categorical": ["department", "category", "store", "state"],
        },
        "constraints": {"units": {"min": 0}, "price": {"min": 0, "nullable": True}},
        "features": {
            "lags": [1, 7, 14, LONGEST_LAG],
            "rolling_means": [7, LONGEST_LAG],
            "calendar": ["day_of_week", "day_of_month", "week_of_year"],
        },
        "training": {"window_months": WINDOW_MONTHS, "holdout_days": 14, "min_coverage": 0.9},
        "evaluation": {
            "metrics": ["mae", "wmape", "rmse", "bias"],
            "primary": "wmape",
            "baseline": "seasonal_naive",
            "slices": ["department"],
        },
        "models": named,
    }
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
