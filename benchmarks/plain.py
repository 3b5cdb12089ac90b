"""What the assets are compared with: the same work in plain pandas and scikit-learn scripts.

No Dagster, no checks, nothing kept beyond the forecasts. Each mode prints its own CPU seconds,
from before pandas is imported to the last file written, as JSON. Paths: `--root` is a storage of
the project, `--out` a folder for what is written.
"""

import argparse
import datetime as dt
import json
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MODELS = ("seasonal_naive", "linear", "tree", "hist_boosting")
ALL_MODELS = (*MODELS, "boosting")
METRICS = ("mae", "wmape", "rmse", "tweedie_deviance", "bias")
LONG, HOLDOUT_DAYS = 28, 14


def newest(root: Path, model: str, month: str) -> Path:
    """The newest version of a model that is in service in a month."""
    return sorted(Path(root, "models", model).glob(f"{month}_*"))[-1]


def load(version: Path) -> Any:
    """The pipeline of a version."""
    from skops.io import get_untrusted_types
    from skops.io import load as load_pipeline

    file = version / "model.skops"
    return load_pipeline(file, trusted=get_untrusted_types(file=file))


def metrics(frame: "pd.DataFrame", by: list[str]) -> "pd.DataFrame":
    """The metrics of the shipped settings, by group."""
    import numpy as np

    actual, forecast = frame["actual"], frame["forecast"]
    error = forecast - actual
    mean = np.maximum(forecast, 0.1)
    terms = frame[by].assign(
        rows=1,
        absolute=error.abs(),
        actual=actual.abs(),
        squared=error**2,
        deviance=4 * (mean**-0.5 * actual - 2 * actual**0.5 + mean**0.5),
        error=error,
    )
    sums = terms.groupby(by).sum()
    return sums.assign(
        mae=sums["absolute"] / sums["rows"],
        wmape=sums["absolute"] / sums["actual"].where(sums["actual"] > 0, sums["rows"]),
        rmse=np.sqrt(sums["squared"] / sums["rows"]),
        tweedie_deviance=sums["deviance"] / sums["rows"],
        bias=sums["error"] / sums["rows"],
    )[[*METRICS, "rows"]]


def score(root: Path, out: Path, first: str, last: str, names: tuple[str, ...]) -> None:
    """Forecasts and metrics of the days from `first` to `last`, one call per version."""
    import numpy as np
    import pandas as pd
    from threadpoolctl import threadpool_limits

    days = [f"{day:%Y-%m-%d}" for day in pd.date_range(first, last)]
    features = pd.concat(
        [pd.read_parquet(root / "datasets/features" / f"{day}.parquet") for day in days],
        ignore_index=True,
    )
    month = features["date"].dt.strftime("%Y-%m-01")
    for name in names:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        for key, rows in features.groupby(month):
            version = newest(root, name, str(key))
            card = json.loads((version / "card.json").read_text())
            with threadpool_limits(1):
                values = load(version).predict(rows[card["inputs"]])
            parts.append(
                rows[["department", "category", "date"]].assign(
                    actual=rows["units"], forecast=np.maximum(values, 0), version=version.name
                )
            )
        forecasts = pd.concat(parts, ignore_index=True)
        metrics(forecasts, ["date"]).to_csv(folder / "metrics.csv")
        for day, rows in forecasts.groupby("date"):
            rows.to_parquet(folder / f"{day:%Y-%m-%d}.parquet", index=False)


def rank(root: Path, out: Path, day: str) -> None:
    """All models on the day, and over the 7 and 28 days up to it, best first."""
    import pandas as pd

    window = [f"{at:%Y-%m-%d}" for at in pd.date_range(end=day, periods=LONG)]
    parts = []
    for name in ALL_MODELS:
        stored = root / "datasets/validation" / name
        files = [*(stored / f"{at}.parquet" for at in window[:-1]), out / name / f"{day}.parquet"]
        parts += [pd.read_parquet(file).assign(model=name) for file in files]
    forecasts = pd.concat(parts, ignore_index=True)
    table = metrics(forecasts[forecasts["date"] == day], ["model"])
    for days in (7, LONG):
        recent = forecasts[forecasts["date"] > pd.Timestamp(day) - pd.Timedelta(days=days)]
        table = table.join(metrics(recent, ["model"]).add_suffix(f"_{days}d"))
    table.sort_values(f"wmape_{LONG}d").to_csv(out / f"{day}.csv")


def train(root: Path, out: Path, month: str) -> dict[str, float]:
    """Fit each model twice, as the assets do; the seconds of the fits and of what comes after."""
    import pandas as pd
    from skops.io import dumps
    from threadpoolctl import threadpool_limits

    from mlops_assets.ml.models.families import FAMILIES, parse_hyperparameters
    from mlops_assets.ml.models.training import input_importance
    from mlops_assets.project import load_project

    project = load_project()
    settings = {model.name: model for model in project.models}
    rows = pd.read_parquet(root / "datasets/training_set" / f"{month}.parquet")
    cut = pd.Timestamp(dt.date.fromisoformat(month) - dt.timedelta(days=HOLDOUT_DAYS))
    learning, holdout = rows[rows["date"] < cut], rows[rows["date"] >= cut]
    inputs = [*project.inputs.numeric, *project.inputs.categorical]
    fitted = {}
    for name in MODELS:
        family, values = settings[name].family, settings[name].hyperparameters
        hyperparameters = parse_hyperparameters(family, values)
        pipelines = []
        for window in (learning, rows):
            with threadpool_limits(project.training.threads):
                pipeline = FAMILIES[family].build(hyperparameters, project.inputs)
                pipelines.append(pipeline.fit(window[inputs], window["units"]))
        forecast = pipelines[0].predict(holdout[inputs])
        scored = pd.DataFrame({"day": 0, "actual": holdout["units"], "forecast": forecast})
        metrics(scored, ["day"])
        fitted[name] = pipelines
    fits_end = time.process_time()
    for judged, _ in fitted.values():
        with threadpool_limits(project.training.threads):
            input_importance(judged, holdout[inputs], holdout["units"])
    importance_end = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    for name, (_, final) in fitted.items():
        data = dumps(final, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
        (out / f"{name}.skops").write_bytes(data)
    return {
        "importance": importance_end - fits_end,
        "saving": time.process_time() - importance_end,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["range", "day", "train"])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", required=True, help="first day, or the month")
    parser.add_argument("--last", help="last day")
    args = parser.parse_args()
    started = time.process_time()
    parts: dict[str, float] = {}
    match args.mode:
        case "range":
            score(args.root, args.out, args.first, args.last, MODELS)
        case "day":
            score(args.root, args.out, args.first, args.first, ALL_MODELS)
            rank(args.root, args.out, args.first)
        case "train":
            parts = train(args.root, args.out, args.first)
    print(json.dumps({"seconds": time.process_time() - started, **parts}))


if __name__ == "__main__":
    main()
