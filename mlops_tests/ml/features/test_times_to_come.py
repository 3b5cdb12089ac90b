"""All hours of a day to come, whatever the source has of it already, by hand."""

import datetime as dt

import pandas as pd
import pytest

from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.feature_settings import ColumnSettings, FeatureSettings, TimePart
from mlops_assets.ml.features.model_inputs import make_features, rows_to_come
from mlops_assets.ml.features.times_to_come import clock_of

BERLIN = "Europe/Berlin"
COLUMNS = ColumnSettings(
    date="at",
    target="load",
    series=["meter", "hour", "fold"],
    numeric=["hour", "temperature"],
    time_of_day=[TimePart.HOUR, TimePart.FOLD],
)
PLAN = FeaturePlan(COLUMNS, FeatureSettings(lags=[1], rolling_means=[2]), time_zone=BERLIN)


def day_rows(day: str, meter: str = "m", load: float = 0.0) -> pd.DataFrame:
    """A row for each hour: the load is `load` and the hour, the temperature half the hour."""
    clock = list(clock_of(dt.date.fromisoformat(day), BERLIN))
    rows = pd.DataFrame(clock).drop(columns="quarter_hour").drop_duplicates()
    return rows.assign(
        at=pd.Timestamp(day),
        meter=meter,
        load=load + rows["hour"] + 0.5 * rows["fold"],
        temperature=rows["hour"] / 2,
    )[COLUMNS.names]


@pytest.mark.parametrize(
    ("day", "hours", "repeated"),
    [("2026-03-28", 24, 0), ("2026-03-29", 23, 0), ("2026-10-25", 25, 1)],
)
def test_a_day_has_the_hours_of_its_clock(day: str, hours: int, repeated: int) -> None:
    rows = day_rows(day)
    assert len(rows) == hours
    assert rows["fold"].sum() == repeated
    assert len([*clock_of(dt.date.fromisoformat(day), BERLIN)]) == 4 * hours
    assert (2.0 in set(rows["hour"])) == (day != "2026-03-29")


def to_come(day: str, before: pd.DataFrame, planned: pd.DataFrame | None = None) -> pd.DataFrame:
    planned = before.iloc[:0] if planned is None else planned
    return rows_to_come(PLAN, before, planned, [dt.date.fromisoformat(day)])


@pytest.mark.parametrize(
    ("yesterday", "day", "hours"),
    [
        ("2026-03-27", "2026-03-28", [*map(float, range(24))]),
        # clocks are put forward: there is no 2 o'clock
        ("2026-03-28", "2026-03-29", [0.0, 1.0, *map(float, range(3, 24))]),
        # and back: 2 o'clock comes twice
        ("2026-10-24", "2026-10-25", [0.0, 1.0, 2.0, 2.0, *map(float, range(3, 24))]),
        ("2026-10-25", "2026-10-26", [*map(float, range(24))]),
    ],
)
def test_every_hour_of_the_day_is_forecast(yesterday: str, day: str, hours: list[float]) -> None:
    found = to_come(day, day_rows(yesterday))
    assert found["hour"].tolist() == hours
    assert found["temperature"].tolist() == [hour / 2 for hour in hours]
    assert found["load"].isna().all()
    assert set(found["at"]) == {pd.Timestamp(day)}
    assert set(found["inputs_from"]) == {"the day before"}
    assert {type(name) for name in found} == {str}  # as scikit-learn wants them


def test_after_a_day_without_the_hour_it_has_the_inputs_of_the_one_before_it() -> None:
    before = pd.concat([day_rows("2026-03-28"), day_rows("2026-03-29")])
    found = to_come("2026-03-30", before).set_index("hour")
    assert len(found) == 24
    assert found.loc[2.0, "temperature"] == 0.5  # of one o'clock
    assert found.loc[3.0, "temperature"] == 1.5


def test_hours_that_the_source_has_already_do_not_keep_the_others_away() -> None:
    before = pd.concat([day_rows("2026-05-04", meter) for meter in ("a", "b")])
    planned = day_rows("2026-05-05", "a").assign(temperature=99.0)
    found = to_come("2026-05-05", before, planned.head(2)).set_index(["meter", "hour"])
    assert len(found) == 48
    assert found.loc[("a", 1.0), "temperature"] == 99.0
    assert found.loc[("a", 2.0), "temperature"] == 1.0
    assert found.loc[("b", 1.0), "temperature"] == 0.5
    # all of a day is a plan: which meters there are, it says
    whole = to_come("2026-05-05", before, planned)
    assert len(whole) == 24
    assert set(whole["inputs_from"]) == {"source"}


def test_lags_are_of_the_same_hour_and_of_an_hour_that_comes_twice_the_first() -> None:
    days = ["2026-10-24", "2026-10-25", "2026-10-26"]
    rows = pd.concat([day_rows(day, load=100.0 * n) for n, day in enumerate(days)])

    def made(day: str) -> pd.DataFrame:
        start = dt.date.fromisoformat(day)
        return make_features(PLAN, rows, start, start + dt.timedelta(days=1))

    changed = made("2026-10-25").set_index(["hour", "fold"])
    assert len(changed) == 25
    assert changed.loc[(7.0, 0.0), "load_lag_1"] == 7.0
    assert changed.loc[(2.0, 0.0), "load_lag_1"] == 2.0
    assert changed.loc[(2.0, 1.0), "load_lag_1"] == 2.0
    after = made("2026-10-26").set_index("hour")
    assert after.loc[2.0, "load_lag_1"] == 102.0  # not 102.5, of the second
    assert after.loc[2.0, "load_mean_2"] == 52.0
    assert after.loc[9.0, "load_mean_2"] == 59.0
