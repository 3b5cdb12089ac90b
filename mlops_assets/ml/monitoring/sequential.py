"""Whether a level has changed, by evidence gathered over days, at a stated rate of false alarms.

For every day of late on which a change may have begun, the days since are held against those long
before, each by its weekday and less what the day before foretells of it. The evidence is a Bayes
factor, a change of some size against none, for normal values of unknown level and spread
(Jeffreys, Theory of Probability, 1939, 5.2). Its sum over the days is an e-detector of the kind of
Shiryaev and Roberts (Shin, Ramdas and Rinaldo, E-detectors, 2024), limited to a window (Lai,
Sequential changepoint detection, 1995): where nothing changes, it comes to N once in N days or
more seldom.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_assets.lazy import np
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import FloatArray, IntArray
from mlops_assets.ml.monitoring.robust import MAD_TO_DEVIATION, SAME_WEEKDAYS

RECENT = 21  # days up to the one judged, on one of which a change may have begun
WEEK = 7
NEWEST = 3  # days that must bear a change out
DAYS_OF_YEAR = 365.0
MEAN_TO_DEVIATION = 1.2533  # of absolute values of a normal distribution
MOST_FORETOLD = 0.9  # of a day by the one before
# "or more seldom": alarms with a quiet week before them are, by simulation, so many times rarer
RARER = 1.6


@dataclass(frozen=True)
class Level:
    """What is known of the level of a stream on a day."""

    name: str
    usual: float
    """What was to be expected on the day."""
    deviation: float
    """The standard deviation of a day from that."""
    evidence: float
    """Of a change, as a share of what is an alarm."""
    shift: float
    """By how much the days since its likeliest beginning are higher than expected, on average."""
    days: int
    """How many days these are, the one judged included."""
    lasts: bool
    """Whether the newest days bear out at least half of the shift."""

    @property
    def changed(self) -> bool:
        return self.evidence >= 1 and self.lasts

    def since(self, day: dt.date, due: DueDays = EVERY_DAY) -> dt.date:
        """The first of the changed days up to the one judged."""
        return due.back(day, self.days - 1)


def judge_levels(
    names: Sequence[str],
    values: FloatArray,
    weekdays: IntArray,
    *,
    false_alarms: float,
    min_days: int,
    width: float,
    least: float,
    higher: bool = False,
    wanders: bool = False,
) -> list[Level]:
    """What is known on the last of some days of each stream that can be judged on it.

    `values` are of shape (days, streams), NaN where missing. All but the last RECENT days say what
    is usual, or, while they are few, all but the last WEEK; of these `min_days` must be known. The
    streams share the expected false alarms of a year evenly: expectations add up, whatever the
    streams have to do with each other. A day counts as at most `width` standard deviations away, so
    that one is hardly an alarm by itself, and a deviation as at least `least` / `width`. With
    `higher` only a rise is a change.
    """
    known = ~np.isnan(values)
    first = int(known.any(axis=1).argmax())
    recent = min(max(len(values) - first - min_days, WEEK), RECENT)
    judged = known[-1] & (known[:-recent].sum(axis=0) >= min_days)
    if not judged.any():
        return []
    values = values[:, judged]
    away, usual, deviation = _standardised(values, weekdays, recent, width, least)
    share = _foretold(away[:-recent])
    wander = _wander(away[:-recent], share) if wanders else np.zeros(share.shape)
    count = known[:-recent, judged].sum(axis=0)
    evidence = _evidence(_unforetold(away, share)[-recent:], count, wander, higher)
    begun = evidence.argmax(axis=0)
    total = evidence.sum(axis=0) * false_alarms * RARER / (DAYS_OF_YEAR * judged.sum())
    day = np.arange(recent)[:, None]
    since = (day >= begun) & ~np.isnan(away[-recent:])
    mean = away[-recent:].mean(axis=0, where=since)
    newest = away[-recent:].mean(axis=0, where=since & (day >= recent - NEWEST))
    shift = (values - usual)[-recent:].mean(axis=0, where=since)
    lasts = newest * mean > mean**2 / 2
    found = zip(
        (name for name, asked in zip(names, judged, strict=True) if asked),
        *(
            column.tolist()
            for column in (usual[-1], deviation, total, shift, recent - begun, lasts)
        ),
        strict=True,
    )
    return [Level(*level) for level in found]


def _standardised(
    values: FloatArray, weekdays: IntArray, recent: int, width: float, least: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How far each day is from what is usual, in deviations; what is usual; the deviation.

    A weekday differs from the others by as much as its own days are sure of (James and Stein,
    Estimation with quadratic loss, 1961).
    """
    before = slice(None, -recent)
    known = ~np.isnan(values[before])
    own = (weekdays[before] == np.arange(WEEK)[:, None])[..., None] & known
    counts = own.sum(axis=1)
    middles = np.tile(_median(values[before]), (WEEK, 1))
    for weekday in np.unique(weekdays[before]):
        days = values[before][weekdays[before] == weekday]
        enough = counts[weekday] >= SAME_WEEKDAYS
        middles[weekday] = _median(np.where(enough, days, middles[weekday]))
    values = _within(values, middles[weekdays], recent, width, least)
    level = values[before].mean(axis=0, where=known)
    effects = np.where(own, values[before] - level, 0.0).sum(axis=1) / np.maximum(counts, 1)
    rest = values[before] - level - effects[weekdays[before]]
    present = (counts > 0).sum(axis=0)
    free = np.maximum(known.sum(axis=0) - present, 1)
    variance = (rest**2).sum(axis=0, where=known) / free
    chance = (variance / counts.clip(1)).sum(axis=0, where=counts > 0)
    chance *= (present - 3).clip(0) / present
    effects *= (1 - chance / (effects**2).sum(axis=0).clip(1e-300)).clip(0)
    usual = level + effects[weekdays]
    rest = _within(values - usual, np.zeros_like(values), recent, width, least)
    deviation = np.sqrt((rest[before] ** 2).sum(axis=0, where=known) / (known.sum(axis=0) - 1))
    deviation = np.maximum(deviation, least / width)
    return (rest / deviation).clip(-width, width), usual, deviation


def _within(
    values: FloatArray, middle: FloatArray, recent: int, width: float, least: float
) -> FloatArray:
    """Values no further from their middles than so many robust deviations of the days before.

    Where more than half of the days are alike, by half of the mean deviation.
    """
    away = np.where(np.isinf(values), np.nan, abs(values - middle))[:-recent]
    deviation = np.maximum(
        MAD_TO_DEVIATION * _median(away),
        MEAN_TO_DEVIATION * np.nanmean(away, axis=0) / 2,
    )
    bound = np.maximum(width * deviation, least)
    within: FloatArray = values.clip(middle - bound, middle + bound)
    return within


def _median(values: FloatArray) -> FloatArray:
    """Of each column, without the missing ones; as numpy's nanmedian, and twenty times as fast."""
    ordered = np.sort(values, axis=0)  # missing ones last
    count = (~np.isnan(values)).sum(axis=0)
    middles = np.stack([(count - 1).clip(0) // 2, count // 2])
    found: FloatArray = np.take_along_axis(ordered, middles.clip(max=len(values) - 1), 0).mean(0)
    return found


def _foretold(before: FloatArray) -> FloatArray:
    """The share of each day that the one before foretells, of each stream.

    The first autocorrelation, less its bias (Marriott and Pope, Bias in the estimation of
    autocorrelations, 1954).
    """
    filled = np.nan_to_num(before)
    products = (filled[1:] * filled[:-1]).sum(axis=0)
    share = products / (filled**2).sum(axis=0).clip(1e-300)
    known = (~np.isnan(before)).sum(axis=0)
    corrected: FloatArray = (share + (1 + 4 * share) / known).clip(0, MOST_FORETOLD)
    return corrected


def _unforetold(away: FloatArray, share: FloatArray) -> FloatArray:
    """What the day before does not foretell of each but the first, with a variance of 1."""
    fresh = (away[1:] - share * np.nan_to_num(away)[:-1]) / np.sqrt(1 - share**2)
    return np.where(np.isnan(away[:-1]), away[1:], fresh)


def _wander(before: FloatArray, share: FloatArray) -> FloatArray:
    """The variance of the levels of weeks beyond what days explain, in that of a fresh day.

    The mean of a week of days of which a share is foretold varies by itself (Cochran, Sampling
    techniques, 1977, 8.2).
    """
    weeks = before[len(before) % WEEK :].reshape(-1, WEEK, before.shape[1])
    days = (~np.isnan(weeks)).sum(axis=1)
    whole = days > WEEK / 2
    means = np.nan_to_num(weeks).sum(axis=1) / days.clip(1)
    level = means.sum(axis=0, where=whole) / whole.sum(axis=0).clip(1)
    weekly = ((means - level) ** 2).sum(axis=0, where=whole) / (whole.sum(axis=0) - 1).clip(1)
    lags = np.arange(1, WEEK)[:, None]
    by_chance = (1 + 2 * ((1 - lags / WEEK) * share**lags).sum(axis=0)) / WEEK
    beyond: FloatArray = (weekly - by_chance).clip(0) * (1 - share) / (1 + share)
    return beyond


def _evidence(fresh: FloatArray, before: IntArray, wander: FloatArray, higher: bool) -> FloatArray:
    """The Bayes factor of a change that began on each day, by the days since, of the same shape.

    Changes have a normal distribution with the deviation of a day; `before` is the number of days
    by which each stream's level and deviation are known, `wander` the variance of its level.
    """
    known = ~np.isnan(fresh)
    moved = np.nan_to_num(fresh)[::-1].cumsum(axis=0)[::-1]
    days = known[::-1].cumsum(axis=0)[::-1].clip(1)
    chance = days + days**2 * (1 / before + wander)
    change = chance + days**2
    free = (before - WEEK - 1).clip(WEEK)
    ratio = (1 + moved**2 / (chance * free)) / (1 + moved**2 / (change * free))
    factor = np.sqrt(chance / change) * ratio ** ((free + 1) / 2)
    if higher:  # twice as likely of either sign where the other one is ruled out
        factor = np.where(moved > 0, 2 * factor, 0.0)
    return np.where(known, factor, 0.0)


def as_logs(values: FloatArray) -> tuple[FloatArray, bool]:
    """The logarithms of amounts, in which changes are shares; other numbers as they are.

    Amounts are never negative, and mostly not zero.
    """
    if np.nanmin(values) < 0 or np.nanmedian(values) <= 0:
        return values, False
    with np.errstate(divide="ignore"):
        return np.log(values), True
