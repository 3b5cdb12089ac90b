"""Every family of models keeps one contract; what people write wrongly is named."""

import enum
import subprocess
import sys
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from skops.io import dumps, get_untrusted_types, loads

from mlops_assets.ml.families import (
    FAMILIES,
    TRUSTED_TYPES,
    Inputs,
    get_family,
    parse_hyperparameters,
)

NUMERIC = ("price", "promotion", "weekday", "void", "units_lag_7")
INPUTS = Inputs(NUMERIC, ("department", "store"), "units_lag_7")
SHAPES = {
    "all inputs": INPUTS,
    "no categories": Inputs(NUMERIC, (), "units_lag_7"),
    "no numbers": Inputs((), ("department", "store"), "units_lag_7"),
}
# Few trees: the contract is of form, not of accuracy
SMALL: dict[str, dict[str, object]] = {
    "random_forest": {"n_estimators": 5},
    "gradient_boosting": {"n_estimators": 5},
    "hist_gradient_boosting": {"max_iter": 5},
    "random_forest_classifier": {"n_estimators": 5},
    "hist_gradient_boosting_classifier": {"max_iter": 5},
}
OPTIONS = [
    (name, field, member.value)
    for name, family in FAMILIES.items()
    for field, info in family.hyperparameters.model_fields.items()
    if isinstance(info.annotation, enum.EnumMeta)
    for member in info.annotation
]


def frame(rows: int, seed: int, departments: tuple[str, ...] = ("food", "toys")) -> pd.DataFrame:
    """Inputs with gaps, an empty column, a flag, more stores than the boosting has bins."""
    rng = np.random.default_rng(seed)
    built = pd.DataFrame(
        {
            "price": rng.gamma(2, 5, rows),
            "promotion": rng.random(rows) < 0.3,
            "weekday": rng.integers(0, 7, rows).astype("int32"),
            "void": np.full(rows, np.nan),
            "units_lag_7": rng.poisson(5, rows).astype(float),
            "department": rng.choice(departments, rows).astype(object),
            "store": rng.choice([f"s{number}" for number in range(300)], rows).astype(object),
            "note": "a column that no model reads",
        }
    )
    built.loc[::9, ["price", "units_lag_7"]] = np.nan
    built.loc[::11, "department"] = None
    return built


def target(rows: int, name: str = "ridge", classes: int = 2) -> "pd.Series[Any]":
    """Units, or labels for a family of classes."""
    units = pd.Series(np.random.default_rng(7).poisson(5, rows).astype(float), name="units")
    if "classification" not in FAMILIES[name].tasks:
        return units
    return units.map(lambda value: f"class {value % classes:g}")


def forecasts_of(fitted: Pipeline, rows: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Numbers, of shape (rows,), or probabilities, of shape (rows, classes)."""
    return np.asarray((getattr(fitted, "predict_proba", None) or fitted.predict)(rows))


def build(name: str, inputs: Inputs = INPUTS, seed: int = 0, **values: object) -> Pipeline:
    hyperparameters = parse_hyperparameters(name, SMALL.get(name, {}) | values)
    return FAMILIES[name].build(hyperparameters, inputs, seed)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_keeps_the_contract(name: str, shape: str) -> None:
    inputs = SHAPES[shape]
    learning, units = frame(600, seed=1), target(600, name)
    fresh = frame(60, seed=2, departments=("food", "never seen"))
    fresh.loc[::5, "store"] = np.nan
    before = learning.copy(), units.copy(), fresh.copy()

    pipeline = build(name, inputs)
    assert [step for step, _ in pipeline.steps] == ["inputs", "estimator"]
    fitted = clone(pipeline).fit(learning, units)
    forecasts = forecasts_of(fitted, fresh)
    assert forecasts.shape == ((60,) if "regression" in FAMILIES[name].tasks else (60, 2))
    assert np.isfinite(forecasts).all()

    again = forecasts_of(build(name, inputs).fit(learning, units), fresh)
    assert forecasts.tobytes() == again.tobytes()
    numbers = fresh[[column for column in fresh if column != "note"]]
    assert forecasts.tobytes() == forecasts_of(fitted, numbers).tobytes()

    data = dumps(fitted, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    restored = loads(data, trusted=list(TRUSTED_TYPES))
    assert forecasts.tobytes() == forecasts_of(restored, fresh).tobytes()

    for frame_before, frame_after in zip(before, (learning, units, fresh), strict=True):
        assert frame_before.equals(frame_after)


@pytest.mark.parametrize("dtype", ["category", "string"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_type_of_text_and_missing_mark_forecasts_alike(name: str, dtype: Any) -> None:
    learning, units, fresh = frame(300, seed=1), target(300, name), frame(30, seed=2)
    typed = {"department": dtype, "store": dtype}
    plain = forecasts_of(build(name).fit(learning, units), fresh)
    other = forecasts_of(build(name).fit(learning.astype(typed), units), fresh.astype(typed))
    np.testing.assert_array_equal(plain, other)


@pytest.mark.parametrize(("name", "field", "value"), OPTIONS)
def test_every_choice_fits(name: str, field: str, value: str) -> None:
    fitted = build(name, **{field: value}).fit(frame(300, seed=1), target(300, name))
    assert np.isfinite(forecasts_of(fitted, frame(30, seed=2))).all()


def test_every_trusted_type_is_needed() -> None:
    found: set[str] = set()
    for name in FAMILIES:
        fitted = build(name).fit(frame(300, seed=1), target(300, name))
        found |= set(get_untrusted_types(data=dumps(fitted)))
    assert sorted(found) == sorted(TRUSTED_TYPES)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_and_hyperparameter_is_described_and_bounded(name: str) -> None:
    family = FAMILIES[name]
    assert family.name == name
    assert family.description.endswith(".")
    assert issubclass(family.hyperparameters, pydantic.BaseModel)
    for field, info in family.hyperparameters.model_fields.items():
        assert info.description, field
        assert not info.is_required(), field
        choice = isinstance(info.annotation, enum.EnumMeta) or info.annotation is bool
        assert choice or info.metadata, f"{field} has no bounds"


def test_seasonal_naive_repeats_the_season_and_fills_gaps_with_the_mean() -> None:
    learning = pd.DataFrame({"units_lag_7": [1.0, 2.0, np.nan]})
    pipeline = build("seasonal_naive", Inputs(("units_lag_7",), (), "units_lag_7"))
    pipeline.fit(learning, pd.Series([2.0, 3.0, 7.0]))
    # the mean of 2, 3 and 7 is 4
    assert pipeline.predict(pd.DataFrame({"units_lag_7": [9.0, np.nan]})).tolist() == [9, 4]


def test_seasonal_naive_needs_a_season() -> None:
    with pytest.raises(ValueError, match="add 7 to the lags"):
        build("seasonal_naive", Inputs(("price",), (), None))


CLASSIFIERS = [name for name, family in FAMILIES.items() if "classification" in family.tasks]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_takes_several_classes(name: str) -> None:
    learning, labels, fresh = frame(300, seed=1), target(300, name, classes=4), frame(30, seed=2)
    fitted = build(name).fit(learning, labels)
    shares = forecasts_of(fitted, fresh)
    assert list(fitted.classes_) == [f"class {number}" for number in range(4)]
    assert shares.sum(axis=1) == pytest.approx(1.0)
    restored = loads(dumps(fitted), trusted=list(TRUSTED_TYPES))
    assert shares.tobytes() == forecasts_of(restored, fresh).tobytes()


def test_the_prior_is_the_share_of_each_class() -> None:
    fitted = build("prior").fit(frame(4, seed=1), pd.Series(["a", "b", "b", "b"]))
    assert forecasts_of(fitted, frame(2, seed=2)).tolist() == [[0.25, 0.75]] * 2
    assert [name for name, family in FAMILIES.items() if family.constant] == ["prior"]


def test_seeds_differ() -> None:
    learning, units, fresh = frame(300, seed=1), target(300), frame(30, seed=2)
    first, second = (build("random_forest", seed=seed).fit(learning, units) for seed in (0, 1))
    assert (first.predict(fresh) != second.predict(fresh)).any()
    assert first["estimator"].n_jobs == 1


@pytest.mark.parametrize(
    ("family", "values", "words"),
    [
        ("forest", {}, ["'forest' is no known family", *FAMILIES]),
        ("ridge", {"alpha": 0}, ["hyperparameters of ridge", "alpha = 0", "greater than 0"]),
        ("ridge", {"beta": 1}, ["hyperparameters of ridge", "'beta'", "ridge takes: alpha"]),
        ("linear_regression", {"alpha": 1}, ["'alpha'", "linear_regression takes: none"]),
        (
            "gradient_boosting",
            {"learning_rate": 5, "subsample": "half"},
            ["learning_rate = 5", "less than or equal to 1", "subsample = 'half'", "valid number"],
        ),
        (
            "hist_gradient_boosting",
            {"loss": "gamma"},
            ["loss = 'gamma'", "'squared_error', 'absolute_error' or 'poisson'"],
        ),
    ],
)
def test_wrong_settings_are_named(family: str, values: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - every part of it is compared
        parse_hyperparameters(family, values)
    for word in words:
        assert word in str(caught.value)


def test_unknown_families_are_named() -> None:
    with pytest.raises(ValueError, match="'forest' is no known family; choose one of: seasonal"):
        get_family("forest")
    assert get_family("ridge") is FAMILIES["ridge"]


def test_importing_families_is_light() -> None:
    code = "import sys, mlops_assets.ml.families; print({'sklearn', 'dagster'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
