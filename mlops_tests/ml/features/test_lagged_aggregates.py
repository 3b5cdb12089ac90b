"""Aggregates of earlier days: worked by hand, and against a plain loop over rows."""

import datetime as dt
import math
import time
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.project import Project, Statistic
from mlops_tests.assets.rows_lab import make_flight_settings

START = dt.date(2026, 3, 1)
DAYS = 12
KEYS = [[], ["carrier"], ["carrier", "origin"]]


def make_project(*aggregates: dict[str, Any], **changed: Any) -> Project:
    values = make_flight_settings() | changed
    values["features"] = {"lagged_aggregates": list(aggregates)}
    values["models"] = [{"name": "usual", "family": "historical_mean"}]
    return Project.model_validate(values)


@cache
def every_statistic(delay: int = 0) -> Project:
    evaluation = make_flight_settings()["evaluation"] | {"label_delay_days": delay}
    lags = [1 + delay, 3 + delay]
    return make_project(
        *(
            {"by": by, "statistic": statistic.value, "lags": lags, "windows": [2, 5]}
            for by in KEYS
            for statistic in Statistic
        ),
        evaluation=evaluation,
    )


def flights(rows: list[tuple[int, str | None, str | None, float]]) -> pd.DataFrame:
    """Rows of (days after START, carrier, origin, delay)."""
    day, carrier, origin, delay = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pd.DataFrame(
        {
            "flown": pd.to_datetime([START + dt.timedelta(days=n) for n in day]),
            "delay": pd.Series(delay, dtype=float),
            "hour": 1.0,
            "distance": 100.0,
            "carrier": pd.Series(carrier, dtype=object),
            "origin": pd.Series(origin, dtype=object),
        }
    )


def features(project: Project, rows: pd.DataFrame, first: int, days: int = 1) -> pd.DataFrame:
    start = START + dt.timedelta(days=first)
    return make_features(project.feature_plan, rows, start, start + dt.timedelta(days=days))


def test_lags_and_windows_by_hand() -> None:
    by_carrier = {"by": ["carrier"], "lags": [1, 2], "windows": [3]}
    project = make_project(
        by_carrier | {"statistic": "mean"}, by_carrier | {"statistic": "sum"}, {"lags": [1]}
    )
    assert project.longest_lag == 3
    rows = flights(
        [
            (0, "AA", "JFK", 1.0),
            (1, "AA", "JFK", 2.0),
            (1, "AA", "LGA", 6.0),
            (2, "UA", "JFK", -5.0),
            (3, "AA", "JFK", 99.0),
            (3, "B6", "JFK", 99.0),
        ]
    )
    found = features(project, rows, 3).set_index("carrier")
    aa = found.loc["AA"]
    assert math.isnan(aa["delay_mean_by_carrier_lag_1"]), "no row of AA on the day before"
    assert aa["delay_sum_by_carrier_lag_1"] == 0
    assert aa["delay_mean_by_carrier_lag_2"] == 4
    assert aa["delay_sum_by_carrier_lag_2"] == 8
    # all rows together, not the mean of the days' means, 2.5
    assert aa["delay_mean_by_carrier_last_3"] == 3
    assert aa["delay_sum_by_carrier_last_3"] == 9
    assert aa["delay_mean_lag_1"] == -5
    never_seen = found.loc["B6", [name for name in found if "by_carrier" in name]]
    assert len(never_seen) == 6
    assert never_seen.isna().all()


def test_a_day_that_is_not_stored_says_nothing() -> None:
    project = make_project({"statistic": "count", "lags": [1, 2], "windows": [2, 3]})
    rows = flights([(0, "AA", "JFK", 1.0), (2, "AA", "JFK", 1.0), (3, "AA", "JFK", 1.0)])
    found = features(project, rows, 3).iloc[0]
    assert found["delay_count_lag_1"] == 1
    assert math.isnan(found["delay_count_lag_2"])
    assert found["delay_count_last_2"] == 1
    assert found["delay_count_last_3"] == 2
    none_before = features(project, rows, 0)
    assert none_before.filter(like="delay_count").isna().all(axis=None)


def test_a_numeric_input_can_be_aggregated_and_its_gaps_do_not_count() -> None:
    project = make_project({"of": "distance", "statistic": "mean", "windows": [7]})
    rows = flights([(0, "AA", "JFK", 0.0), (0, "AA", "JFK", 0.0), (1, "AA", "JFK", 0.0)])
    rows.loc[0, "distance"] = np.nan
    assert features(project, rows, 1)["distance_mean_last_7"].tolist() == [100]


def test_projects_with_series_take_them_too() -> None:
    columns = make_flight_settings()["columns"] | {"series": ["carrier", "origin"]}
    project = make_project({"by": ["origin"], "statistic": "sum", "lags": [1]}, columns=columns)
    day_before = [(0, "AA", "JFK", 1.0), (0, "UA", "JFK", 2.0), (0, "UA", "LGA", 4.0)]
    rows = flights([*day_before, (1, "AA", "JFK", 0.0), (1, "UA", "LGA", 0.0)])
    assert features(project, rows, 1)["delay_sum_by_origin_lag_1"].tolist() == [3, 4]
    assert "delay_sum_by_origin_lag_1" in project.inputs.numeric


def slowly(project: Project, rows: pd.DataFrame, first: int) -> list[dict[str, float]]:
    """The aggregates of a day's rows, one row, name and day after another."""
    reduce: dict[Statistic, Any] = {
        Statistic.MEAN: lambda v: sum(v) / len(v) if v else math.nan,
        Statistic.SUM: sum,
        Statistic.COUNT: len,
        Statistic.MIN: lambda v: min(v, default=math.nan),
        Statistic.MAX: lambda v: max(v, default=math.nan),
    }
    known = first - project.evaluation.label_delay_days  # the first day that is not
    records = rows.assign(day=(rows["flown"] - pd.Timestamp(START)).dt.days).to_dict("records")
    found = []
    for record in [record for record in records if record["day"] == first]:
        values = {}
        for aggregate in project.features.lagged_aggregates:
            for name, (kind, days) in aggregate.columns("delay").items():
                wanted = {first - days} if kind == "lag" else set(range(known - days, known))
                alike = [r for r in records if all(r[c] == record[c] for c in aggregate.by)]
                own = [r["delay"] for r in alike if r["day"] in wanted]
                stored = any(r["day"] in wanted for r in records)
                # the longest lag and the longest window: 3 and 5 days up to the last one known
                seen = any(known - 5 <= r["day"] < known for r in alike)
                result = reduce[aggregate.statistic](own)
                values[name] = result if stored and seen else math.nan
        found.append(values)
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(0, DAYS - 1),
        st.sampled_from(["AA", "UA", None]),
        st.sampled_from(["JFK", "LGA"]),
        st.integers(-50, 50).map(float),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=12)
@given(ROWS, st.integers(0, DAYS - 1), st.sampled_from([0, 0, 1, 3]))
def test_every_statistic_is_that_of_a_plain_loop(rows: list[Any], first: int, delay: int) -> None:
    known = flights(rows)
    found = features(every_statistic(delay), known, first)
    expected = slowly(every_statistic(delay), known, first)
    assert len(found) == len(expected)
    for name in every_statistic(delay).feature_plan.aggregate_columns:
        np.testing.assert_allclose(
            found[name], [values[name] for values in expected], err_msg=name, rtol=1e-12
        )


@settings(deadline=None, max_examples=12)
@given(ROWS, ROWS, st.integers(0, DAYS - 1), st.sampled_from([0, 0, 1, 3]))
def test_rows_that_are_not_known_yet_change_nothing(
    rows: list[Any], others: list[Any], first: int, delay: int
) -> None:
    asked = flights([(first, carrier, "JFK", 0.0) for carrier in ("AA", "UA", None, "new")])
    before = [row for row in rows if row[0] < first - delay]
    names = list(every_statistic(delay).feature_plan.aggregate_columns)

    def found(known: list[Any]) -> pd.DataFrame:
        start = START + dt.timedelta(days=first)
        end = start + dt.timedelta(days=1)
        plan = every_statistic(delay).feature_plan
        return make_features(plan, flights(known), start, end, asked)[names]

    later = [row for row in others if row[0] >= first - delay]
    pd.testing.assert_frame_equal(found(before), found(before + later))


@settings(deadline=None, max_examples=5)
@given(ROWS)
def test_a_range_gives_what_each_day_gives_alone(rows: list[Any]) -> None:
    known = flights(sorted(rows, key=lambda row: row[0]))
    whole = features(every_statistic(), known, 4, 4)
    alone = [features(every_statistic(), known, first) for first in range(4, 8)]
    filled = [day for day in alone if len(day)]
    if filled:
        pd.testing.assert_frame_equal(whole, pd.concat(filled, ignore_index=True))


def test_many_rows_and_keys_take_no_time() -> None:
    """A loop over a hundred thousand rows or ten thousand keys would take far longer."""
    random = np.random.default_rng(0)
    rows = flights([(day, None, "JFK", 1.0) for day in range(DAYS)] * 10_000)
    rows["carrier"] = random.integers(0, 10_000, len(rows)).astype(str).astype(object)
    project = make_project({"by": ["carrier"], "lags": [1], "windows": [7]})
    started = time.process_time()
    assert len(features(project, rows, 8, 4)) == 40_000
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        ({"by": ["hour"], "lags": [1]}, "lagged_aggregates.0.by: 'hour' not among: carrier, orig"),
        ({"of": "origin", "lags": [1]}, "lagged_aggregates.0.of: 'origin' not among: delay, hour"),
        ({"by": ["origin"]}, "name lags, windows or both"),
        ({"lags": [0]}, "greater than or equal to 1"),
        ({"statistic": "mode", "lags": [1]}, "'mean', 'sum', 'count', 'min' or 'max'"),
    ],
)
def test_what_cannot_be_aggregated_is_named(aggregate: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        make_project(aggregate)
    assert message in str(caught.value)


def test_two_aggregates_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'delay_mean_lag_1' are named more than once"):
        make_project({"lags": [1]}, {"lags": [1, 2]})


def test_a_lag_of_a_day_that_is_not_due_is_that_of_the_last_one_before_it() -> None:
    week = ["mon", "tue", "wed", "thu", "fri"]
    aggregate = {"by": ["carrier"], "statistic": "sum", "lags": [1, 2, 7], "windows": [3]}
    project = make_project(aggregate, expected={"weekdays": week})
    # 1 March 2026 is a Sunday: Thursday 5, Friday 6 and, eight days after START, Monday 9
    rows = flights([(4, "a", "x", 1), (5, "a", "x", 10), (5, "a", "x", 20), (8, "a", "x", 100)])
    found = features(project, rows, 8).iloc[0]
    stem = "delay_sum_by_carrier"
    assert found[f"{stem}_lag_1"] == 30  # of Friday
    assert found[f"{stem}_lag_2"] == 30
    assert math.isnan(found[f"{stem}_lag_7"])  # Monday 2 is due, and nothing is stored of it
    assert found[f"{stem}_last_3"] == 30  # Friday to Sunday
