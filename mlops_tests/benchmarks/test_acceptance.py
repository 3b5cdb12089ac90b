"""How often versions are refused, on fewer holdouts than published."""

import numpy as np
import pytest

from benchmarks.acceptance import NINE_SERIES_SD, TOLERANCE, rates
from benchmarks.switching import OWN_SD
from mlops_assets.ml.selection.acceptance import CONFIDENCE

HOLDOUTS = 400
PROMISED = 1 - CONFIDENCE


@pytest.mark.parametrize("days", [7, 14])
def test_what_is_just_as_much_worse_as_it_may_be_is_refused_as_often_as_promised(days: int) -> None:
    by_rule, by_share = rates(HOLDOUTS, days, TOLERANCE, OWN_SD, 0.15, holidays=0)
    assert by_rule <= PROMISED + 2 * np.sqrt(PROMISED / HOLDOUTS)
    assert by_share > 0.3, "where the share is a toss of a coin"


@pytest.mark.parametrize("own_sd", [OWN_SD, NINE_SERIES_SD])
def test_a_holiday_refuses_no_sound_version(own_sd: float) -> None:
    by_rule, by_share = rates(HOLDOUTS, 7, 0.0, own_sd, 0.15, holidays=1)
    assert by_rule < 0.01
    assert by_share > 0.9


@pytest.mark.parametrize("holidays", [0, 1])
def test_what_is_far_worse_is_refused(holidays: int) -> None:
    by_rule, _ = rates(HOLDOUTS, 14, 0.4, OWN_SD, 0.15, holidays)
    assert by_rule > 0.99
