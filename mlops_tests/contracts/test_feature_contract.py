"""The contract of a feature finds each way of breaking it, and says it in words."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from mlops_assets.contracts import feature_contract
from mlops_assets.contracts.examples import example_observations
from mlops_assets.contracts.feature_contract import feature_problems
from mlops_assets.ml.features.custom_features import FEATURES, Feature, add_custom_features
from mlops_assets.project import ColumnSettings


class Leaky(Feature):
    name = "leaky"
    description = "For tests."
    how: str = Field("", description="What it breaks.")
    seen: list[int] = Field([], description="How often it was asked.")

    @property
    def reach(self) -> int:
        return 7

    def compute(self, rows: Any, earlier: Any, columns: Any) -> Any:
        match self.how:
            case "order":
                return np.arange(len(rows))
            case "one":
                return [1.0]
            case "infinite":
                return np.full(len(rows), np.inf)
            case "names":
                return {"other": np.ones(len(rows))}
            case "first day":
                return np.full(len(rows), earlier["units"].iloc[0])
            case "target":
                return rows[columns.target]
            case "moody":
                self.seen.append(1)
                return np.full(len(rows), len(self.seen))
        return earlier["units"].sum() + rows["price"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("", ""),
        ("order", "depends on the order of the rows"),
        ("one", "leaky has shape (1,) for 4 rows"),
        ("infinite", "leaky holds infinity"),
        ("names", "declares the columns leaky, but makes other"),
        ("first day", "without any earlier day it fails"),
        ("target", "KeyError: 'units'"),
        ("moody", "other values the second time"),
    ],
)
def test_features(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FEATURES, "leaky", Leaky)
    made = Leaky(how=how, seen=[])
    try:
        found = " ".join(feature_problems(made))
    except ValueError as error:
        found = str(error)
    assert (words in found) if words else not found


def test_a_feature_is_tried_on_the_columns_of_the_settings() -> None:
    columns = ColumnSettings(
        date="day", target="delay", numeric=["hour"], categorical=["origin", "carrier"]
    )

    class Own(Feature):
        name = "custom"
        description = "For tests."

        def compute(self, rows: Any, earlier: Any, columns: Any) -> Any:
            return rows.groupby("origin")["hour"].transform("sum")

    assert list(feature_problems(Own(), columns)) == []
    with pytest.raises(ValueError, match="KeyError: 'origin'"):
        list(feature_problems(Own()))
    for series in ([], ["carrier"], ["origin", "carrier"]):
        made = columns.model_copy(update={"series": series})
        rows = example_observations(pd.Timestamp(2026, 3, 2), 3, made)
        assert set(rows) == {"day", "delay", "hour", "origin", "carrier"}
        assert not rows.duplicated(["day", *(series or ["origin"])]).any()


def test_a_feature_that_keeps_what_it_saw_of_the_future() -> None:
    known: list[float] = []

    class Spy(Leaky):
        def compute(self, rows: Any, earlier: Any, columns: Any) -> Any:
            return np.full(len(rows), known[0])

    def asked(spy: Spy, *rest: Any) -> Any:
        # as a plugin would that reads the source by itself
        observations = rest[1]
        known[:] = [float(observations["units"].iloc[-1])]
        return original([spy], *rest)

    original = add_custom_features
    contracts_add = lambda features, *rest: asked(features[0], *rest)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_contract, "add_custom_features", contracts_add)
        found = " ".join(feature_problems(Spy()))
    assert "differ when the target of that day" in found
