"""A contract finds each way of breaking it, and says it in words."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import Field
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from mlops_assets.contracts import contracts
from mlops_assets.ml.features.custom_features import FEATURES, Feature
from mlops_assets.ml.metrics.metric import Metric
from mlops_assets.ml.models.families import Family, Hyperparameters, Inputs, NoHyperparameters
from mlops_assets.ml.models.splits import SPLITS, Split, Window
from mlops_assets.project import ColumnSettings
from mlops_assets.project.plugin_loader import use_plugins
from mlops_tests.commands import command


class Bent(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Breaks what it is told to break."""

    def __init__(self, how: str = "") -> None:
        self.how = how

    def fit(self, X: Any, y: Any) -> "Bent":  # noqa: N803 - scikit-learn's name
        if self.how == "picky" and X.isna().to_numpy().any():
            raise ValueError("no gaps, please")
        self.mean_ = float(np.mean(y))
        if self.how == "rude":
            X.loc[:, X.columns[0]] = 0
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        values = np.full(len(X), self.mean_)
        match self.how:
            case "infinite":
                values[:3] = np.inf
            case "one":
                return values[:1]
            case "nosy":
                return values + ("note" in X)
        return values


class Odd(Family):
    name = "odd"
    description = "For tests."
    hyperparameters: ClassVar[type[Hyperparameters]] = NoHyperparameters
    trusted_types = ("mlops_tests.contracts.test_contracts.Bent",)

    def __init__(self, how: str = "") -> None:
        self.how = how

    def build(self, hyperparameters: Any, inputs: Inputs, seed: int = 0) -> Any:
        numbers = ColumnTransformer([("numbers", SimpleImputer(), ["units_lag_7"])])
        match self.how:
            case "bare":
                return LinearRegression()
            case "fitted":
                pipeline = make_pipeline(Bent())
                return pipeline.fit(
                    contracts.example_rows(20, seed=1), contracts.example_target(20)
                )
            case "unseeded":
                return make_pipeline(numbers, ExtraTreesRegressor(3, bootstrap=True))
        return make_pipeline(Bent(self.how))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("bare", "build returns LinearRegression, not a scikit-learn Pipeline"),
        ("fitted", "fitted already"),
        ("unseeded", "two fits on the same rows forecast differently"),
        ("picky", "does not fit and forecast rows with missing values"),
        ("infinite", "3 of 60 forecasts are not finite"),
        ("one", "forecasts shape (1,) for 60 rows"),
        ("nosy", "depend on columns that are no inputs"),
        ("rude", "changes the rows that it is given"),
    ],
)
def test_families(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = Odd(how)
    monkeypatch.setitem(contracts.FAMILIES, "odd", family)
    assert words in " ".join(contracts.family_problems(family))


def test_types_that_nobody_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    family = Odd()
    monkeypatch.setitem(contracts.FAMILIES, "odd", family)
    assert list(contracts.family_problems(family)) == []
    monkeypatch.setattr(Odd, "trusted_types", ())
    assert "holds mlops_tests.contracts.test_contracts.Bent, which no family declares" in " ".join(
        contracts.family_problems(family)
    )


def test_hyperparameters_without_default_bounds_or_description() -> None:
    class Loose(Hyperparameters):
        depth: int
        rate: float = 0.1

    class Sloppy(Odd):
        description = "no full stop"
        hyperparameters = Loose

    assert list(contracts.family_problems(Sloppy())) == [
        "description is 'no full stop'; say in a sentence, with a full stop, what it is",
        "hyperparameter depth has no default: a model that leaves it out cannot be trained",
        "hyperparameter depth has no description: the launchpad shows none",
        "hyperparameter depth has no bounds: give Field its ge, gt, le or lt",
        "hyperparameter rate has no description: the launchpad shows none",
        "hyperparameter rate has no bounds: give Field its ge, gt, le or lt",
    ]


@dataclass(frozen=True)
class Crooked(Metric):
    how: str = ""

    name = "crooked"
    description = "For tests."

    def terms(self, actual: Any, forecast: Any) -> Any:
        error = abs(forecast - actual)
        match self.how:
            case "order":
                error = error * np.arange(len(error))
            case "rude":
                forecast += 1
            case "backwards":
                error = -error
            case "share":
                return error, actual
        return error, np.ones_like(error)

    def finish(self, numerator: Any, denominator: Any, rows: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = numerator / denominator
        return value + (np.log(rows) == np.log(400)) * (self.how == "worse with rows")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("order", "depends on the order of the rows"),
        ("rude", "changes the arrays"),
        ("backwards", "a perfect forecast scores"),
        ("share", "of actuals of zero it is inf; it must be finite"),
    ],
)
def test_metrics(how: str, words: str) -> None:
    class Made(Crooked):
        def __init__(self) -> None:
            super().__init__(how)

    assert words in " ".join(contracts.metric_problems(Made))


def test_a_metric_that_is_no_ratio_of_sums() -> None:
    class PerGroup(Crooked):
        def terms(self, actual: Any, forecast: Any) -> Any:
            error = abs(forecast - actual)
            return np.full_like(error, np.median(error)), np.ones_like(error)

    class Undirected(Crooked):
        direction = "up"  # type: ignore[assignment]

    class Needy(Crooked):
        def __init__(self, power: float) -> None: ...

    assert list(contracts.metric_problems(Crooked)) == []
    shuffled = " ".join(contracts.metric_problems(Undirected))
    assert "direction is 'up'; say which values are better: ('lower', 'zero'" in shuffled
    assert "give each one a default" in " ".join(contracts.metric_problems(Needy))


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
        found = " ".join(contracts.feature_problems(made))
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

    assert list(contracts.feature_problems(Own(), columns)) == []
    with pytest.raises(ValueError, match="KeyError: 'origin'"):
        list(contracts.feature_problems(Own()))
    for series in ([], ["carrier"], ["origin", "carrier"]):
        made = columns.model_copy(update={"series": series})
        rows = contracts.example_observations(pd.Timestamp(2026, 3, 2), 3, made)
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

    original = contracts.add_custom_features
    contracts_add = lambda features, *rest: asked(features[0], *rest)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contracts, "add_custom_features", contracts_add)
        found = " ".join(contracts.feature_problems(Spy()))
    assert "differ when the target of that day" in found


class Greedy(Split):
    name = "greedy"
    description = "For tests."
    how: ClassVar[str] = ""

    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        match self.how:
            case "late":
                return Window(earliest, end + dt.timedelta(days=1))
            case "early":
                return Window(earliest - dt.timedelta(days=1), end)
            case "long":
                return Window(earliest, end)
        return Window(end - dt.timedelta(days=28), end)

    def days(self, months: int) -> tuple[int, int | None]:
        return 28, 28


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("", ""),
        ("late", "may learn from days before"),
        ("early", "has no whole window for the 120 months"),
        ("long", "`days` declares 28 to 28"),
    ],
)
def test_splits(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Greedy, "how", how)
    found = " ".join(contracts.split_problems(Greedy))
    assert (words in found) if words else not found


@pytest.mark.parametrize("kind", ["feature", "split"])
def test_what_is_built_in_keeps_its_contract(kind: str) -> None:
    for name in {"feature": FEATURES, "split": SPLITS}[kind]:
        assert list(contracts.problems_of(kind, name)) == [], name


@dataclass
class Shelf:
    """A source of two rows a day that breaks what it is told to break."""

    how: str = ""
    rows: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(
            {"date": pd.date_range("2026-01-01", "2026-01-20").repeat(2), "units": 1.0}
        )
    )

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        last = pd.Timestamp(end) + pd.Timedelta(days=int(self.how == "closed"))
        found = self.rows[(self.rows["date"] >= pd.Timestamp(start)) & (self.rows["date"] < last)]
        match self.how:
            case "hours":
                return found.assign(date=found["date"] + pd.Timedelta(hours=3))
            case "zone":
                return found.assign(date=found["date"].dt.tz_localize("UTC"))
            case "nothing":
                return found if len(found) else pd.DataFrame()
            case "lacking":
                return found[["date"]]
            case "forgetful":
                return found.iloc[1:] if len(found) > 8 else found
        return found


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("", ""),
        ("closed", "the end is not part of it"),
        ("hours", "set each to midnight"),
        ("zone", "without a zone"),
        ("nothing", "an empty window"),
        ("lacking", "lacks the column(s) units"),
        ("forgetful", "two windows that meet"),
    ],
)
def test_sources(how: str, words: str) -> None:
    found = " ".join(
        contracts.source_problems(
            Shelf(how), "date", ["date", "units"], dt.date(2026, 1, 5), dt.date(2026, 1, 9)
        )
    )
    assert (words in found) if words else not found


BROKEN = """
from mlops_assets.plugin import Feature, feature

@feature
class Broken(Feature):
    name = "broken"
    description = "Row numbers."
    def compute(self, rows, earlier, columns):
        return range(len(rows))
"""


def test_the_command_says_what_is_wrong_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ideas.py"
    file.write_text(BROKEN)
    try:
        assert command("check", file) == 1
    finally:
        use_plugins(tmp_path, [])
    assert capsys.readouterr().out.splitlines() == [
        f"feature broken: {file}, line 4",
        "  - the value of a row depends on the order of the rows",
        "1 of 1 do not keep their contract.",
    ]


def test_the_command_names_a_target_that_cannot_be_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("check", tmp_path / "project.yaml") == 1
    assert "cannot read the settings" in capsys.readouterr().err
    assert command("check", "no_such_module") == 1
    assert "there is no plugin 'no_such_module'" in capsys.readouterr().err
    assert command("check") == 0
    assert "nothing to check" in capsys.readouterr().out


pytest_plugins = ["pytester"]


@pytest.mark.filterwarnings("ignore")
def test_pytest_tells_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ideas=BROKEN)
    pytester.makepyfile(
        """
        def test_mine(contract_problems):
            assert contract_problems("metric", "mae") == []
            assert "no known metric" in contract_problems("metric", "nothing")[0]
        """
    )
    done = pytester.runpytest_inprocess("--mlops-check", "ideas.py")
    use_plugins(pytester.path, [])
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*depends on the order of the rows*"])
