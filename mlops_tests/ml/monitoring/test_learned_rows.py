"""Windows of the rows that a version learned from, held against sorting and counting plainly."""

import json

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.monitoring.distances import quantiles
from mlops_assets.ml.monitoring.distribution import FORECAST, Reference
from mlops_assets.ml.monitoring.learned_rows import LearnedRows, Ordered, Shares, repeats
from mlops_assets.project import DriftSettings


def make_rows(days: int, seed: int = 0, series: int = 13) -> pd.DataFrame:
    """Rows with gaps between days and in values, ties, and a series that is not always there."""
    random = np.random.default_rng(seed)
    dates = pd.date_range("2026-01-01", periods=days).delete([3, 4])
    rows = pd.MultiIndex.from_product([dates, map(str, range(series))], names=["date", "series"])
    frame = rows.to_frame(index=False)
    frame["units"] = random.poisson(3, len(frame)).astype(float)
    lost = random.random(len(frame)) < 0.1
    frame["price"] = np.where(lost, np.nan, random.normal(size=len(frame)))
    frame["kind"] = np.where(frame["series"] > "5", "late", None)
    frame[FORECAST] = frame["units"] + 1
    return frame[random.random(len(frame)) < 0.9].sample(frac=1, random_state=seed)


@pytest.mark.parametrize("name", ["units", "price"])
def test_what_a_window_and_the_rest_come_to_is_as_by_sorting_each(name: str) -> None:
    rows = make_rows(40)
    learned = LearnedRows(rows, "date", ["series"])
    values = learned.numbers(name)
    ordered, missing = Ordered(values, learned.day), Shares(np.isnan(values).astype(float))
    spans = learned.spans(7)
    assert len(spans) == 34
    for first, until, start, later, end in spans:
        inside = (learned.day >= first) & (learned.day < until)
        assert inside[start:end].all()
        assert inside.sum() == end - start
        assert (learned.day[later:end] > first).all()
        for part, rest in ((values[inside], False), (values[~inside], True)):
            found = ordered.quantiles(first, until, rest=rest)
            np.testing.assert_array_equal(found, quantiles(np.sort(part)))
        assert missing.of(start, end) == np.isnan(values[inside]).mean()
        assert missing.rest(start, end) == np.isnan(values[~inside]).mean()


def test_what_repeats_is_told_by_series_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "date": pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-01", "2026-01-03"]),
            "series": ["a", "a", "b", "a"],
            "units": [2.0, 2.0, 2.0, 5.0],
        }
    )
    learned = LearnedRows(rows, "date", ["series"])  # 1 a, 1 b, 2 a, 3 a
    found = learned.repeats(learned.numbers("units"))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.0, 0.0])
    np.testing.assert_array_equal(repeats(np.array([1.0]), None), [np.nan])


def test_what_is_told_of_the_rows_compares_as_they_do() -> None:
    def reference(rows: pd.DataFrame | None, days: int = 7) -> Reference:
        return Reference(
            DriftSettings(window_days=days),
            rows,
            date="date",
            series=["series"],
            numeric=["units", "price", FORECAST],
            categorical=["kind"],
            importance={"units": 2.0, "price": 1.0},
        )

    learned, other = reference(make_rows(40)), reference(None)
    assert other.remember(json.loads(json.dumps(learned.told())))
    recent = make_rows(9, seed=3).assign(price=lambda rows: rows["price"] * 2)
    assert other.compare(recent) == learned.compare(recent)
    assert other.auc(recent) == learned.auc(recent)
    assert other.auc_limit == learned.auc_limit
    assert not reference(None, days=14).remember(learned.told()), "windows of another length"
