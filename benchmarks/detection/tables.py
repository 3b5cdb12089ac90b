"""Delays and false alarms, from the alarms of all sides."""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.detection.ours import EVERY, FIXED, FIXED_DAILY, LASTING, OURS, UNTOUCHED
from benchmarks.detection.stretches import FOLLOWED, Stretch

SIDES = [
    *(OURS, LASTING, EVERY, FIXED, FIXED_DAILY),
    *("NannyML, daily chunks", "NannyML, default chunks"),
    *("Evidently, any column", "Evidently, dataset"),
]
FAMILIES = ("data", "performance", "drift")

Day = dt.date


def alarmed(alarms: pd.DataFrame) -> set[Day]:
    return {pd.Timestamp(day).date() for day in alarms["day"]}


def episodes(days: set[Day]) -> int:
    """How many runs of days one after another there are."""
    return sum(day - dt.timedelta(days=1) not in days for day in days)


def delay(days: set[Day], planted: Day) -> float:
    """Days of changed rows until the first alarm, that day included; infinite without one."""
    later = [day for day in days if day >= planted]
    return (min(later) - planted).days + 1 if later else math.inf


def caused(changed: pd.DataFrame, untouched: pd.DataFrame) -> pd.DataFrame:
    """The alarms of checks that are silent on the same day when nothing is planted."""
    keys = ["day", "family", "check"]
    known = set(untouched[keys].itertuples(index=False, name=None))
    new = [key not in known for key in changed[keys].itertuples(index=False, name=None)]
    return changed.loc[np.array(new, dtype=bool)]


def false_alarms(alarms: pd.DataFrame, stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Days with alarms and episodes of them, per 100 untouched days."""
    by_start = [alarmed(alarms[alarms["start"] == stretch.start]) for stretch in stretches]
    followed = len(stretches) * FOLLOWED / 100
    return sum(map(len, by_start)) / followed, sum(map(episodes, by_start)) / followed


def delays(
    alarms: pd.DataFrame, change: str, stretches: Sequence[Stretch], *, all_alarms: bool
) -> list[float]:
    """Of each stretch, until the first alarm that the change caused, or until the first at all."""
    found = []
    for stretch in stretches:
        here = alarms[alarms["start"] == stretch.start]
        untouched = here[here["change"] == UNTOUCHED]
        changed = here[here["change"] == change]
        if not all_alarms:
            changed = caused(changed, untouched)
        found.append(delay(alarmed(changed), stretch.planted))
    return found


def shown(found: Sequence[float]) -> str:
    """The median, and in how many of the stretches, where not in all."""
    middle = median(found)
    seen = sum(map(math.isfinite, found))
    text = f"{middle:.3g}" if math.isfinite(middle) else "-"
    return text if seen == len(found) else f"{text} ({seen}/{len(found)})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tables(
    alarms: pd.DataFrame,
    stretches: Sequence[Stretch],
    planted: Sequence[Stretch],
    changes: Sequence[str],
) -> str:
    sides = [side for side in SIDES if side in set(alarms["side"])]
    by_side = {side: alarms[alarms["side"] == side] for side in sides}
    untouched = {side: found[found["change"] == UNTOUCHED] for side, found in by_side.items()}
    of_side = {side: false_alarms(untouched[side], stretches) for side in sides}
    parts = [
        "False alarms over the untouched stretches, per 100 days:",
        table(
            ["", *sides],
            [
                ["days with an alarm", *(f"{of_side[side][0]:.1f}" for side in sides)],
                ["episodes", *(f"{of_side[side][1]:.1f}" for side in sides)],
                *_by_family(untouched, stretches),
            ],
        ),
    ]
    for all_alarms, title in (
        (False, "Days until the first alarm that the change caused:"),
        (True, "Days until the first alarm, whatever caused it:"),
    ):
        rows = [
            [
                change,
                *(
                    shown(delays(by_side[side], change, planted, all_alarms=all_alarms))
                    for side in sides
                ),
            ]
            for change in changes
            if all_alarms or change != UNTOUCHED
        ]
        parts += [title, table(["planted", *sides], rows)]
    found = untouched[EVERY]
    rows = [
        [
            f"{family}: {check}",
            *(f"{count:.1f}" for count in false_alarms(of_check, stretches)),
        ]
        for (family, check), of_check in found.groupby(["family", "check"])
    ]
    parts += [
        "This project's checks, days with a false alarm and episodes per 100 days:",
        table(["check", "days", "episodes"], rows),
    ]
    return "\n\n".join(parts)


def _by_family(
    untouched: dict[str, pd.DataFrame], stretches: Sequence[Stretch]
) -> Iterator[list[str]]:
    for family in FAMILIES:
        yield [
            f"days with an alarm, {family}",
            *(
                f"{false_alarms(found[found['family'] == family], stretches)[0]:.1f}"
                for found in untouched.values()
            ),
        ]
