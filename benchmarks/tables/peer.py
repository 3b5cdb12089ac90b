"""LightGBM and plain rules on the rows of a project, with features of their own making."""

from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from mlops_assets.ml.backtest.contest import Stretch
from mlops_assets.ml.metrics.metric import as_column, term_sums
from mlops_assets.project import Project

LAGS = [*range(1, 8), 14, 21, 28]
YEAR = 364
MEANS = [7, 28]
KEYS = 30  # categories of fewer values are keys of the past of events


def features(project: Project, rows: pd.DataFrame, labels: "pd.Series[Any]") -> pd.DataFrame:
    """Lags, means, calendar and the inputs of the table; categories as LightGBM takes them."""
    columns = project.columns
    date = columns.date
    long = (rows[date].max() - rows[date].min()).days >= 2 * YEAR + 100
    lags = [*LAGS, YEAR] if long else LAGS
    made = {name: rows[name] for name in columns.numeric}
    made |= {name: rows[name].astype("category") for name in columns.categorical}
    days = rows[date].dt
    made |= {
        "weekday": days.dayofweek,
        "day": days.day,
        "week": days.isocalendar().week.astype(int),
        "month": days.month,
    }
    keyed = rows.assign(value=labels)
    if columns.series:
        made |= past(keyed, date, columns.series, lags, "")
    else:
        made |= past(keyed, date, [], lags, "")
        for name in columns.categorical:
            if rows[name].nunique() <= KEYS:
                made |= past(keyed, date, [name], [1, 7], f"{name}_")
    return pd.DataFrame(made, index=rows.index)


def past(
    rows: pd.DataFrame, date: str, by: list[str], lags: list[int], prefix: str
) -> dict[str, "pd.Series[Any]"]:
    """The mean target of so many days before by some keys, and over the days before."""
    table = rows.groupby([date, *by])["value"].mean()
    wide = table.unstack(by) if by else table.to_frame("all")
    wide = wide.asfreq("D")
    found = {f"{prefix}lag_{lag}": wide.shift(lag) for lag in lags}
    for days in MEANS:
        found[f"{prefix}mean_{days}"] = wide.shift(1).rolling(days, min_periods=1).mean()
    day = wide.index.get_indexer(rows[date])
    keys = pd.MultiIndex.from_frame(rows[by]) if len(by) > 1 else rows[by[0]] if by else None
    column = np.zeros(len(rows), int) if keys is None else wide.columns.get_indexer(pd.Index(keys))
    return {
        name: pd.Series(frame.to_numpy()[day, column], index=rows.index)
        for name, frame in found.items()
    }


def peers(
    project: Project, observations: pd.DataFrame, stretches: list[Stretch]
) -> Iterator[pd.DataFrame]:
    """The sums of the metric by day of each of them."""
    date, target = project.columns.date, project.columns.target
    rows = observations.dropna(subset=target).reset_index(drop=True)
    classes = list(project.labels)
    if classes:
        codes = rows[target].map({label: n for n, label in enumerate(classes)}).astype(float)
    else:
        codes = rows[target].astype(float)
    inputs = features(project, rows, codes)
    bounded = not classes and project.non_negative
    for name, model in models(bool(classes), bounded).items():
        parts = []
        for stretch in stretches:
            known = rows[date] < pd.Timestamp(stretch.first)
            asked = rows[date].between(pd.Timestamp(stretch.first), pd.Timestamp(stretch.last))
            if not asked.any():
                continue
            said = model(inputs[known], codes[known], inputs[asked])
            said = np.maximum(said, 0.0) if bounded else said
            parts.append(
                pd.DataFrame(
                    {
                        "date": rows.loc[asked, date].to_numpy(),
                        "actual": codes[asked].to_numpy(),
                        "forecast": as_column(np.asarray(said, dtype=float)),
                    }
                )
            )
        metric = project.primary_metric
        sums = term_sums({metric.name: metric}, pd.concat(parts), ["date"])
        yield sums.reset_index().assign(model=name)


def models(classes: bool, bounded: bool) -> dict[str, Any]:
    """What fits and forecasts, by name."""

    def boosted(**options: Any) -> Any:
        kind = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor

        def run(known: pd.DataFrame, target: Any, asked: pd.DataFrame) -> Any:
            model = kind(n_jobs=1, verbose=-1, random_state=0, **options)
            model.fit(known, target)
            return model.predict_proba(asked)[:, 1] if classes else model.predict(asked)

        return run

    def last_week(known: pd.DataFrame, target: Any, asked: pd.DataFrame) -> Any:
        return asked["lag_7"].fillna(target.mean()).clip(0 if classes else None)

    def usual(known: pd.DataFrame, target: Any, asked: pd.DataFrame) -> Any:
        found = target.groupby(known["weekday"])
        by_day = found.mean() if classes else found.median()
        return asked["weekday"].map(by_day).fillna(target.mean())

    its_loss = {} if classes else {"objective": "l1"}
    return {
        "lightgbm": boosted(),
        "lightgbm, its loss": boosted(**its_loss),
        "last week": last_week,
        "of the weekday": usual,
    }
