"""Days that are told as sums compare as their rows do."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets.leaderboard import Forecasts
from mlops_assets.ml.metrics.day_sums import DaySums, sums_of_days
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.selection.gate import PairedDays, Rule, compare, paired
from mlops_assets.project import load_project

NAMES = ["mae", "wmape", "rmse", "bias", "tweedie_deviance"]
METRICS = make_metrics(NAMES)
RULE = Rule(28, 21, 0.02, 0.99, 4)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Three models on the same rows of 40 days, the last of them not on all days."""
    random = np.random.default_rng(2)
    parts = []
    for model, error in {"a": 1.0, "b": 0.8, "c": 0.5}.items():
        for n, date in enumerate(pd.date_range("2026-03-01", periods=40)):
            if model == "c" and n % 5 == 0:
                continue
            actual = np.random.default_rng(n).poisson(5, 30).astype(float)
            part = pd.DataFrame({"date": date, "row": range(30), "actual": actual, "model": model})
            part["forecast"] = (actual + random.normal(0, error, 30)).clip(0)
            part["previous_forecast"] = part["forecast"] + (0.1 if n > 20 else np.nan)
            part["department"] = np.where(np.arange(30) % 3, "bread", None)
            part["issued_at"] = "then" if n > 30 else None
            parts.append(part.assign(version=f"{model} {n // 9}", trained_through="2026-02-01"))
    return pd.concat(parts, ignore_index=True)


def told(rows: pd.DataFrame) -> DaySums | None:
    found: dict[str, dict[str, Any]] = {}
    for model, part in rows.groupby("model"):
        sums = sums_of_days(METRICS, "wmape", part.drop(columns="model"))
        found[str(model)] = json.loads(json.dumps(sums))
    return DaySums.of(METRICS, "wmape", found)


def test_windows_and_gains_are_those_of_the_rows(rows: pd.DataFrame) -> None:
    project = load_project()
    evaluation = project.evaluation.model_copy(update={"metrics": NAMES})
    by_rows = Forecasts(project.model_copy(update={"evaluation": evaluation}), rows)
    sums = told(rows)
    assert sums is not None
    for days in (1, 7, 28):
        exactly = {"check_exact": True}
        pd.testing.assert_frame_equal(sums.trailing(days), by_rows.trailing(days), **exactly)
        gains = [one.gain(days).rename(None) for one in (sums, by_rows)]
        pd.testing.assert_series_equal(*gains, **exactly)
    pd.testing.assert_frame_equal(sums.facts(), by_rows.facts())
    pd.testing.assert_frame_equal(sums.totals(), by_rows.totals(), check_exact=True)
    assert sums.live() == 9
    assert len(set(sums.dates)) == 40


def test_the_gate_decides_alike_by_days_and_by_rows(rows: pd.DataFrame) -> None:
    sums = told(rows)
    assert sums is not None
    window = pd.Timestamp("2026-03-13"), pd.Timestamp("2026-04-09")
    for challenger in ("b", "c", "nobody"):
        by_days = PairedDays(sums.primary, *sums.of_pair("a", challenger)).between(*window)
        by_rows = paired(sums.primary, rows, "a", challenger).between(*window)
        ours, theirs = (vars(compare(RULE, challenger, one)) for one in (by_days, by_rows))
        for name, value in ours.items():
            same = value == theirs[name] if isinstance(value, str | bool | int) else False
            assert same or value == pytest.approx(theirs[name], rel=1e-9, nan_ok=True)
    ranked = sums.between(*window).ranked(["b", "c"])
    assert ranked["days"].to_dict() == {"b": 28, "c": 23}
    assert ranked["loss"].idxmin() == "c"


def test_other_rows_and_other_metrics_are_not_compared_by_sums(rows: pd.DataFrame) -> None:
    one_less = rows.drop(index=rows.index[-1])
    assert told(one_less) is None
    corrected = rows.assign(actual=rows["actual"] + (rows.index == rows.index[-1]))
    assert told(corrected) is None
    of_all = sums_of_days(METRICS, "wmape", rows[:30].drop(columns="model"))
    assert [*of_all] == ["2026-03-01"]
    assert DaySums.of(make_metrics(["wmape"]), "wmape", {"a": of_all}) is None
    assert DaySums.of(METRICS, "wmape", {"a": {"2026-03-01": {}}}) is None, "of before sums"
    assert sums_of_days(make_metrics(["roc_auc"]), "roc_auc", rows[:30]) == {}


def test_a_day_is_told_alone_as_in_a_range(rows: pd.DataFrame) -> None:
    of_b = rows[rows["model"] == "b"]
    together = sums_of_days(METRICS, "wmape", of_b)
    assert len(together) == 40
    for _, day in of_b.groupby("date"):
        assert sums_of_days(METRICS, "wmape", day).items() <= together.items()
