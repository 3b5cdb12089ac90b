"""How much of a day is known so far, worked by hand."""

import datetime as dt

import pytest

from mlops_assets.ml.check_result import CheckResult
from mlops_assets.ml.metrics.completeness import expected_rows, label_completeness
from mlops_assets.ml.monitoring.performance import BIAS, LIMITS, allow_incomplete
from mlops_assets.project import PerformanceSettings

TUESDAY = dt.date(2026, 3, 10)


def weeks_ago(count: int) -> dt.date:
    return TUESDAY - dt.timedelta(weeks=count)


def test_the_median_of_the_same_weekday_is_expected() -> None:
    rows = {weeks_ago(1): 90, weeks_ago(2): 100, weeks_ago(4): 130}
    rows[dt.date(2026, 3, 9)] = 7  # a Monday
    rows[TUESDAY] = 1
    rows[weeks_ago(-1)] = 1
    assert expected_rows(TUESDAY, rows) == 100
    assert expected_rows(TUESDAY, rows | {weeks_ago(8): 60}) == 95
    assert expected_rows(TUESDAY, rows | {weeks_ago(9): 60}) == 100, "too long ago"


def test_one_week_tells_nothing() -> None:
    assert expected_rows(TUESDAY, {weeks_ago(1): 90, weeks_ago(2): 0}) is None
    assert label_completeness(5, None) is None


@pytest.mark.parametrize(("rows", "share"), [(0, 0.0), (75, 0.75), (100, 1.0), (140, 1.0)])
def test_the_share_is_capped(rows: int, share: float) -> None:
    assert label_completeness(rows, 100.0) == share


def test_a_high_loss_of_an_incomplete_day_is_not_held_against_the_model() -> None:
    bad = CheckResult(
        False, "wmape is 0.9, usual on that weekday is up to 0.5; see which", value=0.9
    )
    verdicts = {LIMITS: bad, BIAS: bad}
    settings = PerformanceSettings(min_completeness=0.8)
    found = allow_incomplete(settings, verdicts, 0.62)
    assert found[BIAS] == bad
    assert found[LIMITS].passed
    assert found[LIMITS].value == 0.9
    assert found[LIMITS].why == (
        "not judged: the day is incomplete, 62% of its usual rows are known, less than 80%; "
        "wmape is 0.9, usual on that weekday is up to 0.5"
    )
    for complete in (0.8, None):
        assert allow_incomplete(settings, verdicts, complete) == verdicts
    good = {LIMITS: CheckResult(True, "as usual"), BIAS: bad}
    assert allow_incomplete(settings, good, 0.1) == good
