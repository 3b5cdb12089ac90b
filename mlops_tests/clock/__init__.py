"""A today that is the same whenever the tests run, for all that they start as well.

Dagster's partitions, schedules and sensors read the interpreter's clock, so that is what is
shifted: here, and by `sitecustomize.py` beside this file, which is on PYTHONPATH from then on, in
every interpreter that a test starts. It starts at noon and goes on, and the shift is the same for
all of them, so that what one process stores is not of the future for another.
"""

import datetime as dt
import importlib
import os
from pathlib import Path

from mlops_tests import shared

# A plain Wednesday in the middle of a month. Another day: MLOPS_TESTS_TODAY=2028-02-29 pytest ...
TODAY = "2026-11-18"
CHOSEN = "MLOPS_TESTS_TODAY"
TIME_ZONE = "MLOPS_TESTS_TIME_ZONE"
SHIFT = "MLOPS_TESTS_SHIFT_SECONDS"

# For a page in a browser, whose clock is its own; to be run before its scripts.
SHIFTED_DATE = """
Date = new Proxy(Date, {
  apply: (date) => new date(date.now() + SHIFT).toString(),
  construct: (date, args, made) =>
    Reflect.construct(date, args.length ? args : [date.now() + SHIFT], made),
  get: (date, name) => name === "now" ? () => date.now() + SHIFT : Reflect.get(date, name),
});
"""


def fix_today() -> None:
    """Shift the clock, unless whoever started this process has."""
    if SHIFT in os.environ:
        return
    day = dt.date.fromisoformat(os.environ.get(CHOSEN, TODAY))
    noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
    os.environ[SHIFT] = str(round((noon - dt.datetime.now(dt.UTC)).total_seconds()))
    os.environ |= environment(*os.environ.get("PYTHONPATH", "").split(os.pathsep))
    importlib.import_module("mlops_tests.clock.sitecustomize")


def environment(*folders: Path | str) -> dict[str, str]:
    """What gives a process the same today, and these folders to import from."""
    path = [str(Path(__file__).parent), *map(str, filter(None, folders))]
    return {SHIFT: os.environ[SHIFT], "PYTHONPATH": os.pathsep.join(path)}


def on(day: str, time_zone: str) -> dict[str, str]:
    """The environment in which tests run on another day, and both they and projects elsewhere."""
    left_out = (SHIFT, shared.ROOT)  # what is shared was made on this day
    here = {name: value for name, value in os.environ.items() if name not in left_out}
    return here | {CHOSEN: day, TIME_ZONE: time_zone, "TZ": time_zone}


def time_zone() -> str:
    """That of the projects of the tests that run on other days."""
    return os.environ.get(TIME_ZONE, "UTC")


def shifted_date() -> str:
    """The script that gives a page in a browser the same today."""
    return SHIFTED_DATE.replace("SHIFT", f"{os.environ[SHIFT]}000")
