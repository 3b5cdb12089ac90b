"""Tables whose times say more than the day."""

from pathlib import Path

import numpy as np
import pandas as pd

from mlops_tests.new.tables import YESTERDAY, days_up_to, make, settings, write


def calls(count: int = 200) -> pd.DataFrame:
    """Calls at any second of the day, which wait longer in the evening."""
    random = np.random.default_rng(5)
    days = days_up_to(YESTERDAY, count).repeat(random.integers(5, 35, count))
    times = days + pd.to_timedelta(random.integers(0, 86_400, len(days)), unit="s")
    wait = 5 + 20 * (times.hour >= 18) + random.gamma(2, 2, len(days))
    topic = random.choice(["a", "b"], len(days))
    return pd.DataFrame({"called": times, "topic": topic, "wait": wait})


def test_the_hour_of_events_is_an_input(tmp_path: Path) -> None:
    project = make(write(calls(), tmp_path), tmp_path / "p", "--target", "wait")
    assert project.columns.time_of_day == ["hour"]
    assert project.columns.numeric == ["hour"]
    assert settings(tmp_path / "p")["columns"]["time_of_day"] == ["hour"]
    assert "| hour | whole number | numeric input |" in (tmp_path / "p/profile.md").read_text()
    rows = calls().assign(called=lambda rows: rows["called"].dt.normalize())
    plain = make(write(rows, tmp_path), tmp_path / "days", "--target", "wait")
    assert plain.columns.time_of_day == []


def test_of_two_columns_that_name_the_same_days_the_finer_is_taken(tmp_path: Path) -> None:
    rows = calls().assign(date=lambda rows: rows["called"].dt.strftime("%Y-%m-%d"))
    project = make(write(rows, tmp_path), tmp_path / "p", "--target", "wait")
    assert project.columns.date == "called"
    assert "the finer of date and called" in (tmp_path / "p/profile.md").read_text()
    # another day than that of the date is another thing
    rows["called"] -= pd.Timedelta(days=2)
    other = make(write(rows, tmp_path), tmp_path / "other", "--target", "wait")
    assert other.columns.date == "date"
