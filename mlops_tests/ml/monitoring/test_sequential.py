"""Evidence of a change over days: values by another way, and how often it is false."""

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from mlops_assets.ml.monitoring import sequential
from mlops_assets.ml.monitoring.performance import SHARES
from mlops_assets.ml.monitoring.quality import TARGET_SHARE
from mlops_assets.ml.monitoring.sequential import RECENT, WEEK, Level, as_logs, judge_levels

BEFORE = 56
DAYS = BEFORE + RECENT
WEEKDAYS = np.arange(DAYS) % WEEK
FALSE_ALARMS = 6.0


def series(days: int, streams: int, *, share: float, heavy: bool = False) -> np.ndarray:
    """Days of variance 1, each foretold by the one before to a share."""
    random = np.random.default_rng(7)
    shape = (days + 30, streams)
    fresh = random.standard_t(4, shape) / np.sqrt(2) if heavy else random.normal(size=shape)
    values = fresh.copy()
    for day in range(1, len(values)):
        values[day] = share * values[day - 1] + np.sqrt(1 - share**2) * fresh[day]
    return values[30:]


def judge(
    values: np.ndarray,
    weekdays: np.ndarray = WEEKDAYS,
    *,
    higher: bool = False,
    wanders: bool = False,
) -> Level:
    [level] = judge_levels(
        ["level"],
        values.reshape(-1, 1),
        weekdays,
        false_alarms=FALSE_ALARMS,
        min_days=21,
        width=4.0,
        least=1e-9,
        higher=higher,
        wanders=wanders,
    )
    return level


@pytest.mark.long
@pytest.mark.parametrize(
    ("share", "heavy"), [(0.0, False), (0.3, False), (0.5, False), (0.0, True), (0.3, True)]
)
def test_false_alarms_come_as_often_as_is_said(share: float, heavy: bool) -> None:
    """Forty streams for more than a year, each with six alarms a year of its own to expect."""
    streams, days = 40, 500
    realised = alarms_a_year(series(DAYS + days, streams, share=share, heavy=heavy), wanders=False)
    assert 0.6 * FALSE_ALARMS < realised < 1.3 * FALSE_ALARMS, realised


def test_the_false_alarms_that_are_expected_are_shared_out() -> None:
    assert TARGET_SHARE + sum(SHARES.values()) == pytest.approx(1)


def test_the_evidence_is_a_ratio_of_densities() -> None:
    """Of Student's t, as scipy has it: of the sum of n days, without and with a change."""
    random = np.random.default_rng(3)
    fresh = random.normal(0.5, 1, (RECENT, 2))
    before = np.array([56, 30])
    wander = np.array([0.0, 0.25])
    found = sequential._evidence(fresh, before, wander, higher=False)
    for stream, known in enumerate(before):
        for begun in range(RECENT):
            moved, days = fresh[begun:, stream].sum(), RECENT - begun
            chance = days + days**2 / known + days**2 * wander[stream]
            free = max(known - 8, 7)
            with_change = stats.t.pdf(moved, free, scale=np.sqrt(chance + days**2))
            ratio = with_change / stats.t.pdf(moved, free, scale=np.sqrt(chance))
            assert found[begun, stream] == pytest.approx(ratio)


def test_weeks_that_differ_by_more_than_their_days_wander() -> None:
    # two weeks one deviation above and below their mean: a variance of 2, of which a seventh
    # is by chance where no day foretells the next
    weeks = np.repeat([1.0, -1.0], WEEK)[:, None]
    assert sequential._wander(weeks, np.array([0.0])) == pytest.approx([2 - 1 / 7])
    # with half foretold, of a mean of seven: (1 + 2 sum (1 - k / 7) / 2^k) / 7
    by_chance = (1 + 2 * sum((1 - k / 7) * 0.5**k for k in range(1, 7))) / 7
    expected = (2 - by_chance) * (1 - 0.5) / (1 + 0.5)
    assert sequential._wander(weeks, np.array([0.5])) == pytest.approx([expected])
    alike = np.tile([3.0, -3.0, 0.0, 2.0, -2.0, 1.0, -1.0], 2)[:, None]
    assert sequential._wander(alike, np.array([0.0])) == [0.0]
    gaps = np.vstack([weeks, np.full((3, 1), np.nan), [[9.0]], np.full((3, 1), np.nan)])
    assert sequential._wander(gaps, np.array([0.0])) == pytest.approx([2 - 1 / 7]), "one day of 7"
    assert sequential._wander(weeks[:WEEK], np.array([0.0])) == [0.0], "one week says nothing"


def alarms_a_year(values: np.ndarray, *, wanders: bool) -> float:
    """Told after a week without, of each stream, which has six a year to expect."""
    days, streams = len(values) - DAYS, values.shape[1]
    last, told = np.full(streams, -99), 0
    for day in range(days):
        levels = judge_levels(
            [str(n) for n in range(streams)],
            values[day : day + DAYS],
            (np.arange(DAYS) + day) % WEEK,
            false_alarms=FALSE_ALARMS * streams,
            min_days=21,
            width=4.0,
            least=1e-9,
            wanders=wanders,
        )
        changed = np.array([level.changed for level in levels])
        told += int((changed & (day - last > WEEK)).sum())
        last[changed] = day
    return told / (streams * days / 365)


def test_a_level_that_wanders_is_told_no_more_often_than_is_said() -> None:
    """Its weeks differ by as much as their days; steady ones are told hardly more seldom."""
    random = np.random.default_rng(11)
    days, streams = DAYS + 7 * 30, 40
    weeks = random.normal(size=(days // WEEK + 1, streams))
    steady = random.normal(size=(days, streams))
    wandering = steady + np.repeat(weeks, WEEK, axis=0)[:days]
    assert alarms_a_year(wandering, wanders=False) > 1.1 * FALSE_ALARMS
    assert 0.6 * FALSE_ALARMS < alarms_a_year(wandering, wanders=True) < FALSE_ALARMS
    assert alarms_a_year(steady, wanders=True) > 0.8 * alarms_a_year(steady, wanders=False)


def test_a_change_is_told_with_its_size_and_since_when() -> None:
    values = series(DAYS, 1, share=0.0)[:, 0]
    assert not judge(values).changed
    values[-9:] += 2.5
    level = judge(values)
    assert level.changed
    assert level.days == pytest.approx(9, abs=2)
    assert level.shift == pytest.approx(2.5, abs=0.5)
    today = dt.date(2026, 3, 31)
    assert level.since(today) == today - dt.timedelta(days=level.days - 1)
    assert judge(values, higher=True).changed
    assert judge(values, wanders=True).changed
    assert not judge(-values, higher=True).changed


def test_a_single_day_is_no_alarm_and_a_change_that_is_over_does_not_last() -> None:
    values = series(DAYS, 1, share=0.0)[:, 0]
    values[-1] += 1000
    assert judge(values).evidence < 1
    values = series(DAYS, 1, share=0.0)[:, 0]
    values[-12:-7] -= 5
    level = judge(values)
    assert level.evidence > 1
    assert not level.changed


def test_weekdays_differ_as_far_as_their_days_are_sure_of() -> None:
    """A Sunday that is always higher is expected to be; noise alone makes no weekday."""
    values = series(DAYS, 1, share=0.0)[:, 0]
    sundays = WEEKDAYS == (DAYS - 1) % WEEK
    level = judge(np.where(sundays, values + 10, values))
    own = values[:BEFORE][sundays[:BEFORE]].mean() + 10
    assert level.usual == pytest.approx(own, abs=0.2)
    overall = values[:BEFORE].mean()
    assert abs(judge(values).usual - overall) < abs(own - 10 - overall)


def test_missing_days_and_streams_do_not_matter() -> None:
    values = series(DAYS, 1, share=0.0)[:, 0]
    gaps = values.copy()
    gaps[3::7] = np.nan
    gaps[-9:] += 3
    assert judge(gaps).changed
    asked = np.column_stack([gaps, np.full(DAYS, np.nan), gaps])
    asked[: BEFORE - 20, 2] = np.nan
    names = [
        level.name
        for level in judge_levels(
            ["there", "never there", "too young"],
            asked,
            WEEKDAYS,
            false_alarms=FALSE_ALARMS,
            min_days=21,
            width=4.0,
            least=1e-9,
        )
    ]
    assert names == ["there"]


def test_a_level_that_never_varied_moves_by_a_fourth_of_the_least_width() -> None:
    values = np.full((DAYS, 1), 5.0)
    levels = {"false_alarms": FALSE_ALARMS, "min_days": 21, "width": 4.0, "least": 0.1}
    [level] = judge_levels(["steady"], values, WEEKDAYS, **levels)
    assert (level.evidence < 1, level.deviation) == (True, 0.025)
    values[-3:] = 5.2
    [level] = judge_levels(["steady"], values, WEEKDAYS, **levels)
    assert level.changed


def test_amounts_are_judged_as_shares_and_other_numbers_as_they_are() -> None:
    logs, amounts = as_logs(np.array([1.0, np.e, 0.0, np.nan]))
    assert amounts
    assert logs[:2].tolist() == [0.0, 1.0]
    assert logs[2] == -np.inf
    for other in ([1.0, -1.0, 3.0], [0.0, 0.0, 1.0]):
        values, amounts = as_logs(np.array(other))
        assert not amounts
        assert values.tolist() == other


def test_the_median_is_that_of_numpy() -> None:
    values = np.random.default_rng(1).normal(size=(9, 40))
    values[np.random.default_rng(2).random(values.shape) < 0.4] = np.nan
    values[0] = 1.0  # none is empty
    assert sequential._median(values).tolist() == np.nanmedian(values, axis=0).tolist()
