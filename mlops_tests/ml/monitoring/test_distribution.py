"""Distances by hand and by SciPy, what is usual, and what is no alarm."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from mlops_assets.ml.monitoring.distances import jensen_shannon, robust_spread, wasserstein
from mlops_assets.ml.monitoring.distribution import (
    CHECKS,
    FORECAST,
    Drift,
    Reference,
    judge_drift,
    usual_limit,
)
from mlops_assets.project import DriftSettings

RULE = DriftSettings()


def test_distances_agree_with_scipy() -> None:
    random = np.random.default_rng(1)
    first, second = np.sort(random.gamma(2, 3, 5000)), np.sort(random.gamma(2, 4, 3000))
    assert wasserstein(first, second, 2.0) == pytest.approx(
        wasserstein_distance(first, second) / 2, rel=0.03
    )
    counts = np.array([5.0, 3.0, 0.0]), np.array([1.0, 3.0, 4.0])
    assert jensen_shannon(*counts) == pytest.approx(jensenshannon(*counts, base=2))


def test_distances_by_hand() -> None:
    assert wasserstein(np.array([0.0, 1.0]), np.array([3.0, 4.0]), 1.0) == 3.0
    assert wasserstein(np.array([]), np.array([3.0]), 1.0) == 0.0
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 7.0])) == 1.0
    assert robust_spread(np.array([0.0, 1.0, 2.0, 3.0, np.nan])) == pytest.approx(1.5 / 1.349)
    assert robust_spread(np.array([2.0, 2.0])) == 1.0
    # median 2, deviations 1, 0, 1 or 7: 2 + 4 x 1.4826 x 1 = 7.93; 2 x 9 = 18
    assert usual_limit(RULE, np.array([1.0, 2.0, 3.0])) == pytest.approx(2 + 4 * 1.4826)
    assert usual_limit(RULE, np.array([1.0, 2.0, 9.0])) == pytest.approx(18)
    assert usual_limit(RULE, np.array([0.001, 0.003])) == 0.02
    assert usual_limit(RULE, np.array([0.001, 0.003]), 0.1) == 0.1


def make_rows(days: int, start: str = "2026-01-01", seed: int = 0, size: int = 20) -> pd.DataFrame:
    """So many series with a weekend twice as busy as the week; no drift."""
    random = np.random.default_rng(seed)
    dates = np.repeat(pd.date_range(start, periods=days).to_numpy(), size)
    level = np.tile(np.arange(size), days)
    busy = 1 + (pd.DatetimeIndex(dates).dayofweek >= 5)
    units = busy * (10 + level) * random.uniform(0.7, 1.3, len(dates))
    return pd.DataFrame(
        {
            "date": dates,
            "series": level.astype(str),
            "kind": np.where(level % 2, "odd", "even"),
            "units": units,
            "price": random.normal(3, 0.5, len(dates)),
            FORECAST: units,
        }
    )


def learn(rows: pd.DataFrame) -> Reference:
    return Reference(
        RULE,
        rows,
        date="date",
        series=["series"],
        numeric=["units", "price", FORECAST],
        categorical=["kind"],
        importance={"units": 9.0, "price": 1.0, "kind": -1.0},
    )


LEARNED = learn(make_rows(60))


def test_a_missing_category_is_one_whatever_marks_it() -> None:
    rows = make_rows(40)
    rows["kind"] = rows["kind"].where(rows["series"] != "3", None)
    recent = make_rows(7, start="2026-02-10", seed=1)
    recent["kind"] = recent["kind"].where(recent["series"] != "3", np.nan)
    [kind] = [drift for drift in learn(rows).compare(recent) if drift.column == "kind"]
    assert kind.distance == pytest.approx(0)


def test_what_all_plain_rows_of_a_day_have_in_common_is_no_drift() -> None:
    """A number of the day, such as a lagged total, tells days apart, not a changed world."""

    def plain(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
        totals = np.random.default_rng(seed).normal(0, 1, rows["date"].nunique())
        total = dict(zip(rows["date"].unique(), totals, strict=True))
        return rows.assign(price=rows["date"].map(total))

    learned = plain(make_rows(40), seed=1)
    reference = Reference(
        RULE, learned, date="date", series=[], numeric=["price"], categorical=[], importance={}
    )
    assert reference.auc_limit < 0.99, "by row, a tree knows every day again"
    recent = plain(make_rows(7, start="2026-02-10"), seed=2)
    assert reference.auc(recent) < reference.auc_limit
    shifted = recent.assign(price=recent["price"] + 20)
    assert reference.auc(shifted) > reference.auc_limit


@pytest.fixture
def recent() -> pd.DataFrame:
    return make_rows(7, "2026-03-02", seed=5)


def passed(recent: pd.DataFrame, reference: Reference = LEARNED) -> dict[str, bool]:
    found = judge_drift(RULE, reference.compare(recent), reference.auc(recent), reference.auc_limit)
    assert list(found) == list(CHECKS)
    return {name: verdict.passed for name, verdict in found.items()}


@pytest.mark.parametrize("start", range(7))
@pytest.mark.parametrize("seed", range(3))
def test_neither_more_days_nor_a_weekend_nor_the_draw_is_an_alarm(start: int, seed: int) -> None:
    rows = make_rows(7, f"2026-03-{start + 2:02}", seed=seed + 10)
    assert all(passed(rows).values())


def test_twice_the_rows_of_the_same_kind_are_no_alarm(recent: pd.DataFrame) -> None:
    more = pd.concat([recent, make_rows(7, "2026-03-02", seed=6).assign(series="more")])
    drifts = LEARNED.compare(more)
    assert not [drift.column for drift in drifts if drift.kind == "numbers" and drift.drifted]


def test_units_of_measurement_do_not_matter(recent: pd.DataFrame) -> None:
    scaled = learn(make_rows(60).assign(price=lambda rows: rows["price"] * 1024))
    mine = {drift.column: drift.ratio for drift in LEARNED.compare(recent)}
    theirs = scaled.compare(recent.assign(price=recent["price"] * 1024))
    assert {drift.column: drift.ratio for drift in theirs} == pytest.approx(mine)


def test_a_rescaled_a_lost_and_a_frozen_column_are_seen(recent: pd.DataFrame) -> None:
    first = recent.groupby("series")["price"].transform("first")
    for changed, kind in (
        (recent["price"] * 1.5, "numbers"),
        (recent["price"] * np.nan, "missing"),
        (first, "repeated"),
    ):
        rows = recent.assign(price=changed)
        [drift] = [found for found in LEARNED.compare(rows) if found.column == "price"]
        assert (drift.kind, drift.drifted) == (kind, True)
        assert not passed(rows)["inputs"]


def test_a_new_category_is_seen_and_columns_without_weight_are_no_alarm(
    recent: pd.DataFrame,
) -> None:
    rows = recent.assign(kind="new")
    [drift] = [found for found in LEARNED.compare(rows) if found.column == "kind"]
    assert (drift.kind, drift.distance, drift.drifted) == ("categories", 1.0, True)
    assert drift.importance == 0
    assert passed(rows)["inputs"]


def test_rescaled_forecasts_and_a_shift_told_by_the_classifier(recent: pd.DataFrame) -> None:
    assert not passed(recent.assign(**{FORECAST: recent[FORECAST] * 2}))["forecasts"]
    assert not passed(recent.assign(price=recent["price"] + 1))["multivariate"]


def test_columns_rank_by_importance_times_excess() -> None:
    found = LEARNED.compare(make_rows(7, "2026-03-02", seed=5))
    keys = [drift.importance * drift.ratio for drift in found]
    assert keys == sorted(keys, reverse=True)
    assert found[0].column == "units"


def test_the_verdict_names_the_columns_and_what_to_do() -> None:
    drifts = [Drift("units", "numbers", 2.0, 1.0, 0.9), Drift(FORECAST, "numbers", 0.1, 1.0, 0.0)]
    verdict = judge_drift(RULE, drifts, 0.5, 0.6)["inputs"]
    assert (verdict.value, verdict.high, verdict.severe) == (2.0, 1.0, False)
    assert "units (numbers: 2, usual up to 1)" in verdict.why
    assert "train again through yesterday" in verdict.why


def test_a_window_too_short_for_two_is_not_measured() -> None:
    assert not learn(make_rows(7)).measured
