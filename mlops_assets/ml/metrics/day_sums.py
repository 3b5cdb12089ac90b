"""What the forecasts of models for days come to, as sums: enough to compare them over any days."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_assets.lazy import np, pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.metrics.metric import (
    DENOMINATOR,
    NUMERATOR,
    ROWS,
    FloatArray,
    Metric,
    finish_sums,
    term_of,
    term_sums,
    weight_of,
    without_rows,
)
from mlops_assets.ml.metrics.scores import IN_SHADOW, of_both, trailing_sums

SUMS = "sums"
"""Under which name the file of a day tells them."""
Told = Mapping[str, Any]


def sums_of_days(
    metrics: Mapping[str, Metric], primary: str, forecasts: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """The sums of each day's forecasts of one model by its key, in JSON's types.

    `forecasts` are as they are stored. None at all where a metric needs more than sums of numbers.
    """
    if without_rows(metrics).keys() < metrics.keys() or any(m.binned for m in metrics.values()):
        return {}
    both = of_both(forecasts)
    shadow = both.assign(forecast=both.get("previous_forecast"))
    only = {primary: metrics[primary]}
    sums, ours, previous = (
        _by_date(*of) for of in ((metrics, forecasts), (only, both), (only, shadow))
    )
    totals = forecasts.groupby("date")[["actual", "forecast"]].sum().to_dict("index")
    described = _described(metrics)
    found = {}
    for date, rows in forecasts.groupby("date"):
        live = rows["issued_at"].notna()
        found[f"{date:%Y-%m-%d}"] = {
            "of": described,
            "same": _digest(rows),
            "sums": sums[date],
            "ours": ours.get(date, {}),
            "previous": previous.get(date, {}),
            "facts": {
                "version": str(rows["version"].iloc[0]),
                "trained_through": str(rows["trained_through"].iloc[0]),
                "live": bool(live.all()),
                IN_SHADOW: bool(IN_SHADOW in rows and rows[IN_SHADOW].eq(True).iloc[0]),
            },
            "any_live": bool(live.any()),
            "totals": totals[date],
        }
    return found


def _by_date(metrics: Mapping[str, Metric], rows: pd.DataFrame) -> dict[Any, dict[Any, float]]:
    return {} if rows.empty else term_sums(metrics, rows, ["date"]).to_dict("index")


def _described(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    return {name: vars(metric) for name, metric in metrics.items()}


def _digest(forecasts: pd.DataFrame) -> str:
    """Of which rows a day's forecasts are, and what they came to."""
    found = hashlib.sha256(forecasts["row"].to_numpy(dtype="int64").tobytes())
    found.update(forecasts["actual"].to_numpy(dtype=float).tobytes())
    if (weight := weight_of(forecasts)) is not None:
        found.update(weight.tobytes())
    return found.hexdigest()


@dataclass(frozen=True)
class DaySums:
    """The sums of models on days on which all that forecast any rows forecast the same ones."""

    metrics: Mapping[str, Metric]
    primary: Metric
    told: Mapping[tuple[str, pd.Timestamp], Told]
    """What is told of each model and day, in ascending order."""
    due: DueDays = EVERY_DAY

    @classmethod
    def of(
        cls,
        metrics: Mapping[str, Metric],
        primary: str,
        told: Mapping[str, Mapping[str, Told]],
        due: DueDays = EVERY_DAY,
    ) -> DaySums | None:
        """What was told by model and day; None where rows have to be compared.

        Since they are not the same, or their sums are of other metrics.
        """
        same: dict[str, str] = {}
        for days in told.values():
            for day, one in days.items():
                if not one or one["of"] != _described(metrics):
                    return None
                if same.setdefault(day, one["same"]) != one["same"]:
                    return None
        found = {
            (name, pd.Timestamp(day)): told[name][day]
            for name in sorted(told)
            for day in sorted(told[name])
        }
        return cls(metrics, metrics[primary], found, due) if found else None

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The date of each."""
        return pd.DatetimeIndex([date for _, date in self.told])

    def _table(self, kind: str) -> pd.DataFrame:
        """One kind of what is told of each model and day that have it."""
        rows = {at: one[kind] for at, one in self.told.items() if one[kind]}
        index = pd.MultiIndex.from_tuples(list(rows), names=["model", "date"])
        return pd.DataFrame(list(rows.values()), index=index)

    def sums_of(self, metric: str) -> pd.DataFrame:
        """As `term_sums` of one metric by model and date."""
        sums = self._table("sums")
        kept = [name for name in sums if str(name).startswith(f"{metric}__")]
        return sums[[*kept, ROWS]]

    def trailing(self, days: int) -> pd.DataFrame:
        """As `trailing_scores`."""
        sums = self._table("sums")
        return trailing_sums(self.metrics, sums, days, self.due)[[*self.metrics, ROWS, "days"]]

    def facts(self) -> pd.DataFrame:
        """The version of each model and day, and whether it was issued, or is in shadow."""
        facts = self._table("facts")
        return facts if facts[IN_SHADOW].any() else facts.drop(columns=IN_SHADOW)

    def totals(self) -> pd.DataFrame:
        return self._table("totals")

    def gain(self, days: int) -> pd.Series[float]:
        """As `trailing_gain`: of one day, the gain of `compare_with_previous`."""
        if not any(one["ours"] for one in self.told.values()):
            return pd.Series(dtype=float)
        only = {self.primary.name: self.primary}
        ours, theirs = (
            trailing_sums(only, self._table(kind), days, self.due)[self.primary.name]
            for kind in ("ours", "previous")
        )
        loss = self.primary.loss
        return pd.Series(loss(theirs.to_numpy()) - loss(ours.to_numpy()), ours.index)

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> DaySums:
        """The days from the first to the last."""
        told = {at: one for at, one in self.told.items() if first <= at[1] <= last}
        return replace(self, told=told)

    def live(self) -> int:
        """On how many days anything was issued."""
        return len({date for (_, date), one in self.told.items() if one["any_live"]})

    def ranked(self, names: Sequence[str]) -> pd.DataFrame:
        """The loss of models over all days, and on how many days they have any."""
        sums = self._table("sums")
        groups = sums[sums.index.isin(names, level="model")].groupby(level="model")
        scores = finish_sums({self.primary.name: self.primary}, groups.sum())
        loss = self.primary.loss(scores[self.primary.name].to_numpy())
        return pd.DataFrame({"loss": loss, "days": groups.size()}, index=scores.index)

    def of_pair(
        self, champion: str, challenger: str
    ) -> tuple[np.ndarray[Any, Any], FloatArray, list[tuple[FloatArray, FloatArray]]]:
        """The days of both, their rows, and the sums of the primary metric's terms of each."""
        sums = self._table("sums")
        by_model = [sums[sums.index.isin([name], level="model")] for name in (champion, challenger)]
        ours, theirs = (part.droplevel("model") for part in by_model)
        days = ours.index.intersection(theirs.index)
        name = self.primary.name
        terms = [
            (term_of(part.loc[days], name + NUMERATOR), term_of(part.loc[days], name + DENOMINATOR))
            for part in (ours, theirs)
        ]
        return days.to_numpy(), ours.loc[days, ROWS].to_numpy(dtype=float), terms
