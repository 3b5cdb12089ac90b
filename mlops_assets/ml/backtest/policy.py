"""What a retraining policy is: when a model is trained again, and what counts as an alarm."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from mlops_assets.ml.due_days import EVERY_DAY, DueDays, Grain
from mlops_assets.ml.models.families import Hyperparameters
from mlops_assets.ml.models.splits import add_months
from mlops_assets.ml.models.training_settings import CRON_MONTHS, Cadence
from mlops_assets.ml.monitoring.monitoring_settings import (
    DriftSettings,
    MonitoringSettings,
    PerformanceSettings,
    ReactionSettings,
)

PERFORMANCE, DRIFT = "performance", "drift"
TRIGGERS = (PERFORMANCE, DRIFT)  # in the order in which they are asked
NEVER, WEEKLY = "never", "weekly"
EVERY = re.compile(rf"(\d{{1,4}}) (?:{'|'.join(Grain)})s")
CADENCES = (NEVER, WEEKLY, Cadence.MONTHLY.value, Cadence.QUARTERLY.value)


def parse_cadence(text: str) -> int:
    """The days, or other periods, between trainings; 0 of one by the calendar. ValueError."""
    every = EVERY.fullmatch(text)
    if every and int(every.group(1)):
        return int(every.group(1))
    if text not in CADENCES:
        raise ValueError(f"{text!r} is no cadence; write {', '.join(CADENCES)}, or such as 10 days")
    return 0


@dataclass(frozen=True)
class Policy:
    """When a model is trained again, on how much, and what counts as an alarm."""

    name: str
    cadence: str
    """One of CADENCES, or a number of days such as `10 days`."""
    window_months: int
    triggers: tuple[str, ...]
    """Of TRIGGERS, those by which an alarm is raised and answered; none: alarms are counted."""
    hyperparameters: Hyperparameters
    reactions: ReactionSettings
    monitoring: MonitoringSettings
    performance: PerformanceSettings
    drift: DriftSettings

    def __post_init__(self) -> None:
        parse_cadence(self.cadence)
        for trigger in self.triggers:
            if trigger not in TRIGGERS:
                raise ValueError(
                    f"{trigger!r} is no trigger; the triggers are: {', '.join(TRIGGERS)}"
                )

    def due(self, day: dt.date, first: dt.date, periods: DueDays = EVERY_DAY) -> bool:
        """Whether a training is due before a day of a backtest, whatever the checks say.

        Of weeks, months and quarters before the first that begins in a month, or in any case where
        they are no shorter than the cadence.
        """
        if every := parse_cadence(self.cadence):
            return periods.count(first, day) % every == 0
        if self.cadence == WEEKLY:
            return day.weekday() == 0 or not periods.daily
        begins = day.month != periods.back(day, 1).month
        if self.cadence == Cadence.QUARTERLY:
            return begins and str(day.month) in CRON_MONTHS[Cadence.QUARTERLY].split(",")
        return self.cadence == Cadence.MONTHLY and begins

    def learned_before(self, day: dt.date, periods: DueDays) -> dt.date:
        """Before which day a scheduled training learns: a month's is made on its first day."""
        of_month = self.cadence in (Cadence.MONTHLY, Cadence.QUARTERLY) and not periods.daily
        return add_months(day, 0) if of_month else day
