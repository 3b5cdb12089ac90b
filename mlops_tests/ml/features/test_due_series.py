"""Which series have a row due, by where they were seen: they begin, pause and end."""

import datetime as dt
from collections.abc import Callable, Mapping

import pandas as pd

from mlops_assets.ml.due_days import DueDays, Grain
from mlops_assets.ml.features.absent_rows import with_absent_rows
from mlops_assets.ml.features.due_series import due_rows
from mlops_assets.ml.features.feature_settings import ColumnSettings

FIRST, DAY = dt.date(2026, 3, 2), dt.date(2026, 3, 30)  # two Mondays, four weeks apart
Seen = Callable[[dt.date], bool]


def panel(seen: Mapping[str, Seen], first: dt.date = FIRST, end: dt.date = DAY) -> pd.DataFrame:
    days = [day.date() for day in pd.date_range(first, end, inclusive="left")]
    rows = [
        (day, shop, float(day.day)) for day in days for shop, there in seen.items() if there(day)
    ]
    frame = pd.DataFrame(rows, columns=["date", "shop", "price"])
    return frame.astype({"date": "datetime64[ns]"})


def due(seen: Mapping[str, Seen], day: dt.date = DAY, **more: DueDays) -> set[str]:
    found = due_rows(panel(seen, end=day), "date", ["shop"], day, more.get("due", DueDays()))
    return set(found["shop"])


def test_a_shop_that_is_closed_on_sundays_is_due_on_mondays_and_not_on_sundays() -> None:
    shops: dict[str, Seen] = {"daily": lambda day: True, "closed": lambda day: day.weekday() != 6}
    assert due(shops) == {"daily", "closed"}
    sunday = DAY - dt.timedelta(days=1)
    assert due(shops, sunday) == {"daily"}
    # with the inputs of its own last row, that of Saturday
    rows = due_rows(panel(shops), "date", ["shop"], DAY, DueDays())
    assert rows.set_index("shop")["price"].to_dict() == {"daily": 29, "closed": 28}


def test_one_that_begins_is_due_from_the_day_after_its_first() -> None:
    shops: dict[str, Seen] = {
        "old": lambda day: True,
        "new": lambda day: day >= dt.date(2026, 3, 29),
    }
    assert due(shops) == {"old", "new"}
    assert due(shops, dt.date(2026, 3, 29)) == {"old"}


def test_one_that_ended_is_due_no_more_once_it_was_away_for_longer_than_usual() -> None:
    def last_seen_on(last: dt.date) -> Mapping[str, Seen]:
        return {"open": lambda day: True, "ended": lambda day: day <= last}

    assert due(last_seen_on(dt.date(2026, 3, 22))) == {"open", "ended"}  # away for seven days
    assert due(last_seen_on(dt.date(2026, 3, 21))) == {"open"}
    # one that was away for five days before is waited for ten
    paused = {**last_seen_on(dt.date(2026, 3, 21))}
    paused["ended"] = lambda day: day <= dt.date(2026, 3, 21) and not 8 <= day.day <= 12
    assert due(paused) == {"open", "ended"}


def test_a_day_without_any_row_is_no_gap_of_a_series() -> None:
    lost = dt.date(2026, 3, 15)
    shops: dict[str, Seen] = {"a": lambda day: day < lost, "b": lambda day: day < lost}
    assert due(shops) == {"a", "b"}


def test_weeks_are_all_alike() -> None:
    weeks = DueDays(grain=Grain.WEEK)
    rows = panel({"old": lambda day: day.weekday() == 0, "odd": lambda day: day.day == 2})
    assert set(due_rows(rows, "date", ["shop"], DAY, weeks)["shop"]) == {"old"}


COLUMNS = ColumnSettings(
    date="date", target="sold", series=["shop"], numeric=["price"], absent="zero"
)


def zeros(seen: Mapping[str, Seen], first: dt.date, end: dt.date, start: dt.date) -> pd.DataFrame:
    return with_absent_rows(COLUMNS, panel(seen, first, end).assign(sold=1.0), start, end)


def test_what_is_sold_no_more_has_no_zeros_for_ever() -> None:
    first, end = dt.date(2026, 1, 1), dt.date(2026, 8, 1)
    seen: dict[str, Seen] = {
        "steady": lambda day: True,
        "ended": lambda day: day <= dt.date(2026, 1, 31),
        # away for 30 days, so that it is waited for 90
        "slow": lambda day: day in (first, dt.date(2026, 2, 1), dt.date(2026, 7, 1)),
    }
    rows = zeros(seen, first, end, first)
    days = rows.groupby("shop")["date"]
    assert days.size()["steady"] == (end - first).days
    assert days.max()["ended"] == pd.Timestamp("2026-04-25")  # 84 days later
    slow = rows[rows["shop"] == "slow"].set_index("date")["sold"]
    assert slow.loc[:"2026-06"].index.max() == pd.Timestamp("2026-05-02")
    assert slow.loc["2026-07-01"] == 1.0  # it comes again
    assert slow.loc["2026-07-02":].eq(0.0).sum() == 30
    # a day by itself has the rows that it has among others
    for day in (
        dt.date(2026, 2, 28),
        dt.date(2026, 3, 1),
        dt.date(2026, 3, 3),
        dt.date(2026, 4, 2),
    ):
        alone = zeros(seen, first, day + dt.timedelta(days=1), day)
        same = rows[rows["date"] == pd.Timestamp(day)]
        assert set(alone["shop"]) == set(same["shop"])
