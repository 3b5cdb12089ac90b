"""A project of hours, run through the day on which clocks are put forward: 29 March 2026."""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets import forecast, issued
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_tests.assets.lab import FIRST_DAY, Lab, make_settings

ZONE = "Europe/Berlin"
EVE, DAY, AFTER = "2026-03-28", "2026-03-29", "2026-03-30"
SERVED = "validation/seasonal_naive validation/linear leaderboard champion forecast drift"
HOURS_OF_DAY = [0.0, 1.0, *map(float, range(3, 24))]


def hours_through(day: str) -> pd.DataFrame:
    """A reading each hour: a hundred, and ten times the local hour, and noise."""
    end = pd.Timestamp(day, tz=ZONE) + pd.DateOffset(days=1)
    times = pd.date_range(pd.Timestamp(FIRST_DAY, tz=ZONE), end, freq="h", inclusive="left")
    noise = np.random.default_rng(9).normal(0, 2, len(times))
    return pd.DataFrame({"time": times, "kwh": 100 + 10 * times.hour + noise})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Built through EVE, whose night DAY is forecast in without any row of it."""
    made = Lab(tmp_path_factory.mktemp("hours"))
    settings = make_settings() | {
        "time_zone": ZONE,
        "columns": {
            "date": "time",
            "target": "kwh",
            "series": ["hour", "fold"],
            "numeric": ["hour"],
            "time_of_day": ["hour", "fold"],
        },
        "constraints": {"kwh": {"min": 0}},
    }
    settings["evaluation"] = settings["evaluation"] | {"slices": []}
    settings["champion"] = settings["champion"] | {"initial": "linear"}
    made.write(hours_through(EVE), settings)
    with made.instance, pytest.MonkeyPatch.context() as patch:
        assert made.run("observations features", str(FIRST_DAY), EVE).success
        trained = "training_set models/seasonal_naive models/linear"
        assert made.run(trained, "2026-02-01", "2026-03-01").success
        assert made.run(f"issued {SERVED}", "2026-03-20", "2026-03-27").success
        for day in (EVE, DAY, AFTER):
            made.write(hours_through(day))
            today = dt.date.fromisoformat(day) + dt.timedelta(days=1)
            for module in (issued, forecast):
                patch.setattr(module, "is_over", lambda _, day, today=today: today > day)
            assert made.run(f"observations features issued {SERVED}", day).success
        yield made


def test_a_day_holds_all_its_hours(lab: Lab) -> None:
    for day, hours in ((EVE, 24), (DAY, 23), (AFTER, 24)):
        rows = lab.datasets.read("observations", [day])
        assert len(rows) == hours
        assert set(rows["time"]) == {pd.Timestamp(day)}
        assert rows["hour"].is_unique
    assert lab.datasets.read("observations", [DAY])["hour"].tolist() == HOURS_OF_DAY


def test_an_hour_is_followed_by_itself(lab: Lab) -> None:
    rows = hours_through(AFTER)
    eve = rows[rows["time"].dt.strftime("%Y-%m-%d") == EVE]
    of_eve = dict(zip(eve["time"].dt.hour, eve["kwh"], strict=True))
    day = lab.datasets.read("features", [DAY]).set_index("hour")
    assert day["kwh_lag_1"].to_dict() == {hour: of_eve[int(hour)] for hour in HOURS_OF_DAY}
    after = lab.datasets.read("features", [AFTER]).set_index("hour")
    assert after["kwh_lag_1"].isna().to_dict() == {float(hour): hour == 2 for hour in range(24)}


def test_all_hours_of_the_coming_day_are_forecast_and_scored(lab: Lab) -> None:
    for night, day, hours in ((EVE, DAY, HOURS_OF_DAY), (DAY, AFTER, [*map(float, range(24))])):
        told = lab.datasets.read("forecast", [night])
        assert told["hour"].tolist() == hours
        assert set(told["date"]) == {pd.Timestamp(day)}
        assert told["lower"].notna().all()
        scored = lab.datasets.read("validation/linear", [day])
        assert scored["hour"].tolist() == hours
        assert scored["issued_at"].notna().all()
        error = (scored["forecast"] - scored["actual"]).abs().mean()
        assert error < 20, "the hour alone says ten times itself"


def test_no_check_takes_the_day_of_23_hours_for_odd(lab: Lab) -> None:
    found = CheckStore(lab.datasets).read(["observations"], [DAY, AFTER], {})
    failed = found[~found["passed"].astype(bool)]
    assert failed.empty, failed[["check", "why"]].to_dict("records")
