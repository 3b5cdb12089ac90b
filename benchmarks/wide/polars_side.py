"""What the assets are compared with on a large table: the same work in a plain Polars script.

A file a day, the checks that the settings ask for, forecasts, metrics, intervals, ranking, the
champion's gate and drift, with the same estimators of scikit-learn. No Dagster, no event log, no
seals, no pages; nothing is refused, and no reason is given. What drift compares with is kept with
the version, as it is made when that is trained.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

SERIES = ["item", "store"]
KNOWN = ["price", "event", "food_stamps"]
NAMES = ["department", "category", "store", "state"]
LAGS, MEANS = [1, 7, 14, 28], [7, 28]
NUMBERS = [
    *(f"units_lag_{n}" for n in LAGS),
    *(f"units_mean_{n}" for n in MEANS),
    *("day_of_week", "day_of_month", "week_of_year"),
    *KNOWN,
]
WEEKS, WINDOW, COVERAGE, HOLDOUT = 8, 28, 0.9, 14
MODELS = ("seasonal_naive", "linear", "hist_boosting")
LEVELS = (np.arange(200) + 0.5) / 200


class Plain:
    """The steps, in a folder of their own."""

    def __init__(self, source: Path, out: Path) -> None:
        self.source, self.out = source, out

    def folder(self, name: str) -> Path:
        found = self.out / name
        found.mkdir(parents=True, exist_ok=True)
        return found

    def read(self, name: str, first: dt.date, last: dt.date) -> pl.DataFrame:
        """The stored days of a dataset."""
        days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
        files = [self.out / name / f"{day}.parquet" for day in days]
        return pl.read_parquet([file for file in files if file.exists()])

    def write(self, name: str, frame: pl.DataFrame) -> None:
        """A file for each day."""
        folder = self.folder(name)
        for (day,), rows in frame.partition_by("date", as_dict=True).items():
            rows.write_parquet(folder / f"{day:%Y-%m-%d}.parquet")

    def observations(self, first: dt.date, last: dt.date) -> None:
        """Rows, fingerprints, and what checks find by the eight weeks before."""
        rows = (
            pl.scan_parquet(self.source)
            .filter(pl.col("date").dt.date().is_between(first, last))
            .with_columns(pl.col("units").cast(pl.Float64))
            .collect()
        )
        if rows.null_count().drop("price").sum_horizontal()[0] or rows["units"].min() < 0:
            raise SystemExit("missing values, or units below zero")
        if rows.select("date", *SERIES).is_duplicated().any():
            raise SystemExit("a series has two rows on a day")
        prints = (
            rows.select("date", hash=rows.hash_rows())
            .group_by("date")
            .agg(pl.len(), pl.col("hash").sum())
        )
        facts = rows.group_by("date").agg(
            rows=pl.len(),
            series=pl.struct(SERIES).n_unique(),
            target=pl.col("units").mean(),
            **{f"{name}_missing": pl.col(name).null_count() for name in KNOWN},
            **{
                f"{name}_middle": pl.col(name)
                .filter(
                    pl.col(name).is_between(pl.col(name).quantile(0.1), pl.col(name).quantile(0.9))
                )
                .mean()
                for name in KNOWN
            },
            **{f"{name}_counts": pl.col(name).value_counts() for name in NAMES},
        )
        past = first - dt.timedelta(days=WEEKS * 7)
        before = self.read("observations", past, first) if self.known("observations") else rows[:0]
        every = pl.concat([before.select(rows.columns), rows]) if len(before) else rows
        moved = (
            every.select("date", *SERIES, *KNOWN)
            .with_columns(pl.col("date").dt.offset_by("1d"))
            .join(every.select("date", *SERIES, *KNOWN), on=["date", *SERIES], suffix="_now")
            .group_by("date")
            .agg((pl.col(name) == pl.col(f"{name}_now")).mean() for name in KNOWN)
        )
        stored = list(self.folder("facts").glob("*.parquet"))
        known = pl.concat([pl.read_parquet(stored), facts]) if stored else facts
        known = known.sort("date").with_columns(weekday=pl.col("date").dt.weekday())
        usual = known.with_columns(
            pl.col(name).rolling_median(WEEKS, min_samples=1).over("weekday").alias(f"{name}_usual")
            for name in ("rows", "series", "target", *(f"{name}_middle" for name in KNOWN))
        )
        self.write("observations", rows)
        self.write("facts", facts)
        checked = usual.join(moved, on="date", how="left").join(prints, on="date")
        checked.write_parquet(self.folder("checks") / f"{first}.parquet")

    def known(self, name: str) -> bool:
        return any(self.folder(name).glob("*.parquet"))

    def features(self, first: dt.date, last: dt.date) -> None:
        """Lags and means of the target, and the calendar."""
        rows = self.read("observations", first - dt.timedelta(days=max(LAGS)), last)
        made = _with_features(rows).filter(pl.col("date").dt.date() >= first)
        self.write("features", made)

    def training_set(self, month: dt.date, _: dt.date) -> None:
        """The days that the models of a month learn from, in one file."""
        back = month.year * 12 + month.month - 1 - 4
        first = dt.date(back // 12, back % 12 + 1, 1)
        rows = self.read("features", first, month - dt.timedelta(days=1))
        rows.write_parquet(self.folder("training_set") / f"{month}.parquet")
        print(rows.hash_rows().sum())

    def train(self, model: str, month: dt.date) -> None:
        """Two fits, the holdout's scores, permutation importance, saving, and drift's reference."""
        rows = pl.read_parquet(self.out / "training_set" / f"{month}.parquet")
        cut = month - dt.timedelta(days=HOLDOUT)
        inside = rows["date"].dt.date().to_numpy() < np.datetime64(cut)
        coder = Coder(rows, one_hot=model == "linear")
        values, target = coder.matrix(rows), rows["units"].to_numpy()
        with threadpool_limits(1):
            judged = _estimator(model, len(NUMBERS)).fit(values[inside], target[inside])
            errors = judged.predict(values[~inside]) - target[~inside]
            scores = [float(np.abs(errors).mean()), float(np.square(errors).mean())]
            some = np.random.default_rng(0).choice(np.flatnonzero(~inside), 1000)
            found = permutation_importance(judged, values[some], target[some], n_repeats=2)
            final = _estimator(model, len(NUMBERS)).fit(values, target)
        reference = {name: _quantiles(rows[name]) for name in NUMBERS}
        sample = rows.sample(800, seed=0).select(NUMBERS)
        shares = {name: rows[name].value_counts() for name in NAMES}
        kept = (coder, final, scores, found.importances_mean, reference, sample, shares)
        (self.folder("models") / f"{model}.pickle").write_bytes(pickle.dumps(kept))

    def load(self, model: str) -> Any:
        return pickle.loads((self.out / "models" / f"{model}.pickle").read_bytes())

    def forecasts(self, model: str, rows: pl.DataFrame) -> Any:
        if model == "seasonal_naive":
            return rows["units_lag_7"].fill_null(rows["units_lag_7"].mean()).to_numpy()
        coder, final, *_ = self.load(model)
        with threadpool_limits(1):
            return np.maximum(final.predict(coder.matrix(rows)), 0.0)

    def validation(self, model: str, first: dt.date, last: dt.date) -> None:
        """Forecasts of a model and of the baseline, metrics by day and slice, covered intervals."""
        features = self.read("features", first, last)
        rows = features.select("date", *SERIES, "department", actual="units").with_columns(
            forecast=pl.Series(self.forecasts(model, features)),
            baseline=pl.Series(self.forecasts("seasonal_naive", features)),
        )
        for by in (["date"], ["date", "department"]):
            scores = rows.group_by(by).agg(*_scores("forecast"), *_scores("baseline"))
            scores.write_parquet(self.folder("scores") / f"{model}_{len(by)}_{first}.parquet")
        residuals = (rows["actual"] - rows["forecast"]).to_frame("off")
        wide = (
            rows.select("date", *SERIES)
            .with_columns(residuals["off"].abs())
            .pivot("date", index=SERIES, values="off", sort_columns=True)
            .drop(SERIES)
            .to_numpy()
        )
        covered = []
        for day in range(1, wide.shape[1]):
            window = np.sort(wide[:, max(0, day - WINDOW) : day], axis=1)
            rank = int(np.ceil((window.shape[1] + 1) * COVERAGE))
            if rank <= window.shape[1]:
                covered.append(float((wide[:, day] <= window[:, rank - 1]).mean()))
        np.save(self.folder("covered") / f"{model}.npy", covered)
        self.write(f"validation/{model}", rows)

    def scored(self, first: dt.date, last: dt.date) -> pl.DataFrame:
        """The forecasts of all models on their common rows."""
        first = first - dt.timedelta(days=WINDOW - 1)
        parts = [
            self.read(f"validation/{name}", first, last).with_columns(model=pl.lit(name))
            for name in MODELS
        ]
        rows = pl.concat(parts)
        return rows.filter(pl.len().over("date", *SERIES) == len(MODELS))

    def leaderboard(self, first: dt.date, last: dt.date) -> None:
        """All models by day, and over the 7 and 28 days up to each."""
        sums = self.scored(first, last).group_by("model", "date").agg(*_sums("forecast"))
        sums = sums.sort("model", "date")
        names = [name for name in sums.columns if name not in ("model", "date")]
        for days in (7, WINDOW):
            sums = sums.with_columns(
                pl.col(name).rolling_sum(days, min_samples=1).over("model").alias(f"{name}_{days}")
                for name in names
            )
        table = sums.with_columns(wmape_28=pl.col("error_28") / pl.col("size_28"))
        self.write("leaderboard", table.sort("date", "wmape_28"))

    def champion(self, first: dt.date, last: dt.date) -> None:
        """Each challenger against the champion: the gain and its block jackknife, day after day."""
        sums = self.scored(first, last).group_by("model", "date").agg(*_sums("forecast"))
        table = sums.sort("date").pivot("model", index="date", values="error")
        found = []
        for n in range((last - first).days + 1):
            day = first + dt.timedelta(days=n)
            window = table.filter(
                pl.col("date").dt.date().is_between(day - dt.timedelta(days=WINDOW - 1), day)
            )
            ours = window["seasonal_naive"].to_numpy()
            for name in MODELS[1:]:
                theirs = window[name].to_numpy()
                blocks = max(len(ours) - 3, 1)
                left = [
                    1
                    - np.delete(theirs, slice(b, b + 4)).sum()
                    / np.delete(ours, slice(b, b + 4)).sum()
                    for b in range(blocks)
                    if len(ours) > 4
                ]
                error = float(np.std(left)) if left else None
                found.append((day, name, 1 - theirs.sum() / ours.sum(), error))
        columns = ["date", "model", "gain", "error"]
        self.write("champion", pl.DataFrame(found, schema=columns, orient="row"))

    def issued(self, last: dt.date, _: dt.date) -> None:
        """Every model's forecast of the day to come."""
        past = self.read("observations", last - dt.timedelta(days=max(LAGS)), last)
        to_come = past.filter(pl.col("date").dt.date() == last).with_columns(
            pl.col("date").dt.offset_by("1d"), units=pl.lit(None, pl.Float64)
        )
        made = _with_features(pl.concat([past, to_come]))
        made = made.filter(pl.col("date").dt.date() > last)
        parts = [
            made.select("date", *SERIES, *KNOWN).with_columns(
                model=pl.lit(name), forecast=pl.Series(self.forecasts(name, made))
            )
            for name in MODELS
        ]
        pl.concat(parts).write_parquet(self.folder("issued") / f"{last}.parquet")

    def forecast(self, last: dt.date, _: dt.date) -> None:
        """The champion's forecasts with intervals by series, as Parquet and CSV."""
        issued = pl.read_parquet(self.out / "issued" / f"{last}.parquet")
        rows = issued.filter(pl.col("model") == "hist_boosting")
        scored = self.read("validation/hist_boosting", last - dt.timedelta(days=WINDOW - 1), last)
        off = scored.with_columns(off=(pl.col("actual") - pl.col("forecast")).abs())
        rank = pl.len().add(1).mul(COVERAGE).ceil().cast(pl.Int64) - 1
        radii = off.group_by(SERIES).agg(radius=pl.col("off").sort().get(rank, null_on_oob=True))
        made = rows.join(radii, on=SERIES, how="left").with_columns(
            lower=(pl.col("forecast") - pl.col("radius")).clip(0.0),
            upper=pl.col("forecast") + pl.col("radius"),
        )
        folder = self.folder("forecast")
        made.write_parquet(folder / f"{last}.parquet")
        made.write_csv(folder / f"{last}.csv")

    def drift(self, last: dt.date, _: dt.date) -> None:
        """The inputs and forecasts of four weeks beside those learned from, and a classifier."""
        *_, reference, sample, shares = self.load("hist_boosting")
        rows = self.read("features", last - dt.timedelta(days=WINDOW - 1), last)
        values = self.forecasts("hist_boosting", rows)
        moved: dict[str, float] = {"forecast": float(np.quantile(values, LEVELS).mean())}
        for name in NUMBERS:
            spread = float(np.diff(reference[name][[50, 150]])[0]) or 1.0
            moved[name] = float(np.abs(_quantiles(rows[name]) - reference[name]).mean() / spread)
        repeats = rows.sort("date").select(
            (pl.col(name) == pl.col(name).shift(1).over(SERIES)).mean() for name in NUMBERS
        )
        for name in NAMES:
            both = shares[name].join(rows[name].value_counts(), on=name, how="full", suffix="_now")
            moved[name] = float((both["count"] - both["count_now"]).abs().sum())
        both = pl.concat([sample, rows.sample(len(sample), seed=0).select(sample.columns)])
        labels = np.repeat([0, 1], len(sample))
        folds = np.arange(len(both)) % 3
        scored = np.zeros(len(both))
        for fold in range(3):
            tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=40, random_state=0)
            tree.fit(both.to_numpy()[folds != fold], labels[folds != fold])
            scored[folds == fold] = tree.predict_proba(both.to_numpy()[folds == fold])[:, 1]
        auc = float(roc_auc_score(labels, scored))
        told = {"auc": auc, **moved, "repeats": repeats.row(0)}
        (self.folder("drift") / f"{last}.json").write_text(json.dumps(told), encoding="utf-8")


class Coder:
    """Columns as one matrix: medians for gaps and one scale, or gaps as they are."""

    def __init__(self, rows: pl.DataFrame, *, one_hot: bool) -> None:
        self.one_hot = one_hot
        self.known = {name: rows[name].unique().sort().cast(pl.String).to_list() for name in NAMES}
        numbers = rows.select(NUMBERS).cast(pl.Float64)
        self.medians = numbers.median().row(0)
        filled = numbers.select(
            pl.col(name).fill_null(m) for name, m in zip(NUMBERS, self.medians, strict=True)
        )
        self.means, self.spreads = filled.mean().row(0), filled.std().row(0)

    def matrix(self, rows: pl.DataFrame) -> Any:
        numbers = rows.select(pl.col(NUMBERS).cast(pl.Float64))
        if not self.one_hot:
            codes = rows.select(
                pl.col(name).cast(pl.Enum(self.known[name])).to_physical().cast(pl.Float64)
                for name in NAMES
            )
            return np.hstack([numbers.to_numpy(), codes.to_numpy()])
        scaled = numbers.select(
            (pl.col(name).fill_null(median) - mean) / (spread or 1.0)
            for name, median, mean, spread in zip(
                NUMBERS, self.medians, self.means, self.spreads, strict=True
            )
        )
        flags = rows.select(
            (pl.col(name).cast(pl.String) == value).cast(pl.Float64).alias(f"{name}_{value}")
            for name in NAMES
            for value in self.known[name]
        )
        return np.hstack([scaled.to_numpy(), flags.to_numpy()])


def _estimator(model: str, numbers: int) -> Any:
    if model == "linear":
        return Ridge(alpha=10.0)
    categories = list(range(numbers, numbers + len(NAMES)))
    return HistGradientBoostingRegressor(
        loss="poisson", categorical_features=categories, early_stopping=False, random_state=0
    )


def _with_features(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of series without gaps between their days, with lags, means and calendar."""
    target, date = pl.col("units"), pl.col("date")
    return rows.sort(*SERIES, "date").with_columns(
        *(target.shift(n).over(SERIES).alias(f"units_lag_{n}") for n in LAGS),
        *(
            target.shift(1).rolling_mean(n, min_samples=1).over(SERIES).alias(f"units_mean_{n}")
            for n in MEANS
        ),
        day_of_week=date.dt.weekday() - 1,
        day_of_month=date.dt.day(),
        week_of_year=date.dt.week(),
    )


def _sums(name: str) -> list[pl.Expr]:
    off = pl.col(name) - pl.col("actual")
    tag = "" if name == "forecast" else f"{name}_"
    return [
        pl.len().alias(f"{tag}rows"),
        off.abs().sum().alias(f"{tag}error"),
        pl.col("actual").abs().sum().alias(f"{tag}size"),
        (off**2).sum().alias(f"{tag}squared"),
        off.sum().alias(f"{tag}bias"),
    ]


def _scores(name: str) -> list[pl.Expr]:
    rows, error, size, squared, bias = _sums(name)
    tag = "" if name == "forecast" else f"{name}_"
    return [
        rows,
        (error / pl.len()).alias(f"{tag}mae"),
        (error / size).alias(f"{tag}wmape"),
        (squared / pl.len()).sqrt().alias(f"{tag}rmse"),
        (bias / pl.len()).alias(f"{tag}bias"),
    ]


def _quantiles(values: pl.Series) -> Any:
    ordered = np.sort(values.drop_nulls().to_numpy())
    return ordered[(LEVELS * len(ordered)).astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", help="such as observations or models/linear")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--last", type=dt.date.fromisoformat)
    args = parser.parse_args()
    plain, last = Plain(args.source, args.out), args.last or args.first
    kind, _, model = args.step.partition("/")
    started = time.process_time()
    match kind:
        case "models":
            if model != "seasonal_naive":
                plain.train(model, args.first)
        case "validation":
            plain.validation(model, args.first, last)
        case _:
            getattr(plain, kind)(args.first, last)
    print(json.dumps({"seconds": time.process_time() - started}))


if __name__ == "__main__":
    main()
