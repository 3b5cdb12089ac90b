"""The commands of the README and a whole history on dates that are not like others."""

import subprocess
import sys

import pytest

from mlops_tests import clock
from mlops_tests.small import REPOSITORY

FILES = ["mlops_tests/docs/test_readme.py", "mlops_tests/served/test_spine.py"]
SECONDS = 1800

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
# In the sample Thanksgiving is 23 November 2017, replayed on 26 November 2026, and Christmas on
# 28 December; 2 January is replayed on 4 January 2027, 364 days after it was before.
DATES = [
    ("2026-11-13", "UTC"),
    ("2026-11-27", "UTC"),  # the newest day is Thanksgiving
    ("2026-12-21", "UTC"),
    ("2026-12-29", "UTC"),  # the newest day is Christmas
    ("2026-12-31", "UTC"),
    ("2027-01-01", "UTC"),
    ("2027-01-05", "UTC"),  # the newest day is the first of those that come again
    ("2027-03-14", NEW_YORK),  # a day of 23 hours
    ("2027-03-28", BERLIN),
    ("2027-10-31", BERLIN),  # a day of 25 hours, and the end of a month
    ("2027-11-07", NEW_YORK),
    ("2028-02-29", "UTC"),
    ("2028-03-01", "UTC"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("day", "time_zone"), DATES)
def test_the_readme_and_a_whole_history_on(day: str, time_zone: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", *FILES],
        cwd=REPOSITORY,
        env=clock.on(day, time_zone),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
