"""When a model in service is trained again off its cadence, live and in a backtest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice, takewhile

from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.monitoring.monitoring_settings import ReactionSettings

ABOUT = 3  # days by which a holiday may have been earlier or later the year before
REMEMBERED = 10  # trainings: the cool-down has doubled often enough by then


@dataclass(frozen=True)
class RetrainingRule:
    """A model that stays worse is trained again, and less often when that brings nothing.

    What comes back every year is no reason, since the training window does not hold it.
    """

    settings: ReactionSettings
    due: DueDays = EVERY_DAY

    def last_days(self, newest: dt.date) -> list[dt.date]:
        """The days that are looked at, through the newest one that is judged."""
        return [self.due.back(newest, n) for n in reversed(range(self.settings.days))]

    def days_of_year_before(self, newest: dt.date) -> list[dt.date]:
        """The days a year before the last ones, and a few on either side."""
        about = ABOUT if self.due.daily else 1
        days, year = self.settings.days + 2 * about, self.due.year
        return [self.due.back(newest, year - about + n) for n in reversed(range(days))]

    def persistent(
        self,
        failed: Collection[dt.date],
        newest: dt.date,
        year_before: Collection[dt.date] = (),
    ) -> list[dt.date]:
        """Of the last days the failing ones, where they are enough and hold the newest; or none.

        `failed` are the days that the version in service failed; those of the version before it
        do not count, so that it is first given its chance. None where as many days failed a year
        before, by whichever version: a season or a holiday is no change.
        """
        enough = self.settings.failures
        if sum(day in year_before for day in self.days_of_year_before(newest)) >= enough:
            return []
        failing = [day for day in self.last_days(newest) if day in failed]
        return failing if newest in failed and len(failing) >= enough else []

    def cool_down_days(self, fruitless: Iterable[bool]) -> int:
        """The days from the newest training off the cadence on which there is no other one.

        `fruitless` says of these trainings, the newest first, whether each brought nothing; the
        days double with each until the first that brought something.
        """
        doublings = sum(1 for _ in takewhile(bool, islice(fruitless, REMEMBERED)))
        return self.settings.cool_down_days << doublings

    def rests_until(self, trained: dt.date, fruitless: Iterable[bool]) -> dt.date:
        """The first day on which a model may be trained again that was so on a day."""
        return self.due.back(trained, -self.cool_down_days(fruitless))


def brought_nothing(*, refused: bool, gain: float | None) -> bool | None:
    """Whether a training was in vain: its version was refused, or is no better than the one before.

    `gain` is over the version before on the days served so far; None where nothing tells yet.
    """
    return True if refused else None if gain is None else gain <= 0
