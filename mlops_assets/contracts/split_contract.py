"""What every split must hold."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

from mlops_assets.contracts.wording import Problems, description_problems
from mlops_assets.lazy import pd
from mlops_assets.ml.models.splits import HoldoutSplit, Split, TrainingWindow, add_months

EXAMPLE_OPTIONS: dict[str, dict[str, Any]] = {
    "fixed": {"from": dt.date(2025, 2, 1), "through": dt.date(2025, 4, 30)}
}


def split_problems(split: type[Split] | Split) -> Problems:
    """The problems of a split, or of its class with the options at their defaults."""
    if isinstance(split, type):
        try:
            split = split()
        except ValueError:
            # what only its users can know, such as dates, is judged where the settings name it
            split = split.model_validate(EXAMPLE_OPTIONS.get(split.name, {}))
    yield from description_problems(split.description)
    earliest = dt.date(2025, 1, 20)
    for months, gap in itertools.product((1, 4), (0, 10)):
        chosen = TrainingWindow(split, months, gap)
        what = f"with {months} month(s) and a gap of {gap} days"
        try:
            first = chosen.first_month(earliest)
        except ValueError as error:
            yield f"{what}, {error}"
            continue
        if first.day != 1:
            yield f"{what}, first_end gives {first}, which is no first of a month"
            continue
        fewest, most = split.days(months)
        for end in (add_months(first, n) for n in range(14)):
            window = chosen.of(end, earliest)
            if window.start < earliest:
                yield f"{what}, the window for {end} begins on {window.start}, before {earliest}"
            if window.days < fewest or (most is not None and window.days > most):
                yield (
                    f"{what}, the window for {end} holds {window.days} days, "
                    f"but `days` declares {fewest} to {most}"
                )
            dates = pd.DataFrame({"date": pd.date_range(window.start, end, inclusive="left")})
            dates = dates[dates["date"] < pd.Timestamp(window.end)]
            learning, holdout = HoldoutSplit(7).split(dates, "date", window.end)
            if learning["date"].max() >= holdout["date"].min():
                yield f"{what}, for {end} the holdout does not lie after what is learned from"
            if (holdout["date"] >= pd.Timestamp(end - dt.timedelta(days=gap))).any():
                yield f"{what}, for {end} it learns from days of the gap or of service"
