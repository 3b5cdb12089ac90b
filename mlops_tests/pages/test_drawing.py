"""What figures draw between the days that have rows."""

import pandas as pd

from mlops_assets.pages.drawing import with_days_between


def test_days_have_a_gap_between_them_and_weeks_have_none() -> None:
    days = pd.Series([1.0, 2.0, 3.0], pd.to_datetime(["2026-11-01", "2026-11-02", "2026-11-10"]))
    assert len(with_days_between(days)) == 10
    weeks = pd.Series([1.0, 2.0, 3.0], pd.to_datetime(["2026-11-02", "2026-11-09", "2026-11-23"]))
    assert with_days_between(weeks).equals(weeks)
