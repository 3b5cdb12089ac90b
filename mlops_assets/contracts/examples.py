"""Made rows and targets, as awkward as real ones, on which entries are tried."""

from __future__ import annotations

from typing import Any

from mlops_assets.lazy import np, pd, sklearn
from mlops_assets.ml.metrics.metric import FloatArray
from mlops_assets.ml.models.families import Family, Inputs
from mlops_assets.project import ColumnSettings

NUMERIC = ("price", "promotion", "weekday", "void", "units_lag_7")
CATEGORICAL = ("department", "store")
SHAPES = {
    "numbers and categories": Inputs(NUMERIC, CATEGORICAL, "units_lag_7"),
    "no categories": Inputs(NUMERIC, (), "units_lag_7"),
    "no numbers": Inputs((), CATEGORICAL, "units_lag_7"),
}
EXAMPLE_COLUMNS = ColumnSettings(
    date="date",
    target="units",
    series=["department", "store"],
    numeric=["price"],
    categorical=["department", "store"],
)


def example_rows(
    rows: int, seed: int, departments: tuple[str, ...] = ("food", "toys")
) -> pd.DataFrame:
    """Inputs with gaps, an empty column, a flag and more stores than boosting has bins."""
    random = np.random.default_rng(seed)
    built = pd.DataFrame(
        {
            "price": random.gamma(2, 5, rows),
            "promotion": random.random(rows) < 0.3,
            "weekday": random.integers(0, 7, rows).astype("int32"),
            "void": np.full(rows, np.nan),
            "units_lag_7": random.poisson(5, rows).astype(float),
            "department": random.choice(departments, rows).astype(object),
            "store": random.choice([f"s{number}" for number in range(300)], rows).astype(object),
            "note": "a column that no model reads",
        }
    )
    built.loc[::9, ["price", "units_lag_7"]] = np.nan
    built.loc[::11, "department"] = None
    return built


def example_target(rows: int, classes: int = 0) -> pd.Series[Any]:
    """Counts, or as many labels as there are to be classes."""
    units = pd.Series(np.random.default_rng(7).poisson(5, rows).astype(float), name="units")
    return units.map(lambda value: f"class {value % classes:g}") if classes else units


def example_forecasts(fitted: sklearn.pipeline.Pipeline, rows: pd.DataFrame) -> FloatArray:
    """Forecasts, of shape (rows,), or the probabilities of classes, (rows, classes)."""
    forecast = getattr(fitted, "predict_proba", None) or fitted.predict
    return np.asarray(forecast(rows), dtype=np.float64)


def of_classes(family: Family) -> bool:
    """Whether a family is for targets of classes alone."""
    return "regression" not in family.tasks


def example_observations(
    day: pd.Timestamp, reach: int, columns: ColumnSettings = EXAMPLE_COLUMNS
) -> pd.DataFrame:
    """Four rows a day from ten days before what a feature of `day` reaches to three days after it.

    Each is of another series, where there are series.
    """
    days = pd.date_range(
        day - pd.Timedelta(days=reach + 10), day + pd.Timedelta(days=3), freq="D", unit="ns"
    )
    random = np.random.default_rng(4)
    names = dict.fromkeys([*columns.series, *columns.categorical])
    frames = [
        pd.DataFrame(
            {
                columns.date: days,
                # the first name alone tells the four apart
                **{name: f"{name} {number % 2 if at else number}" for at, name in enumerate(names)},
                columns.target: random.poisson(9, len(days)).astype(float),
                **{name: random.gamma(2, 5, len(days)).round(2) for name in columns.numeric},
            }
        )
        for number in range(4)
    ]
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values(columns.date, kind="stable", ignore_index=True)
