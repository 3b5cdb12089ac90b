"""Every family of models keeps one contract; what people write wrongly is named."""

import enum
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from skops.io import dumps, get_untrusted_types, loads

from mlops_assets.contracts.examples import (
    SHAPES,
    example_forecasts,
    example_rows,
    example_target,
    of_classes,
)
from mlops_assets.contracts.family_contract import family_problems
from mlops_assets.ml.models.families import (
    FAMILIES,
    TRUSTED_TYPES,
    Inputs,
    get_family,
    parse_hyperparameters,
)

INPUTS = SHAPES["numbers and categories"]
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


def target_for(name: str, rows: int) -> "pd.Series[Any]":
    return example_target(rows, 2 if of_classes(FAMILIES[name]) else 0)


def build(name: str, inputs: Inputs = INPUTS, seed: int = 0, **values: object) -> Pipeline:
    hyperparameters = parse_hyperparameters(name, SMALL.get(name, {}) | values)
    return FAMILIES[name].build(hyperparameters, inputs, seed)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.long
def test_every_family_keeps_the_contract(name: str) -> None:
    assert list(family_problems(FAMILIES[name], SMALL.get(name))) == []
    steps = [step for step, _ in build(name).steps]
    assert steps == ["inputs", "estimator"]


@pytest.mark.parametrize("dtype", ["category", "string"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_type_of_text_and_missing_mark_forecasts_alike(name: str, dtype: Any) -> None:
    learning, units, fresh = (
        example_rows(300, seed=1),
        target_for(name, 300),
        example_rows(30, seed=2),
    )
    typed = {"department": dtype, "store": dtype}
    plain = example_forecasts(build(name).fit(learning, units), fresh)
    other = example_forecasts(build(name).fit(learning.astype(typed), units), fresh.astype(typed))
    np.testing.assert_array_equal(plain, other)


@pytest.mark.parametrize(("name", "field", "value"), OPTIONS)
def test_every_choice_fits(name: str, field: str, value: str) -> None:
    fitted = build(name, **{field: value}).fit(example_rows(300, seed=1), target_for(name, 300))
    assert np.isfinite(example_forecasts(fitted, example_rows(30, seed=2))).all()


def test_every_trusted_type_is_needed() -> None:
    found: set[str] = set()
    for name in FAMILIES:
        fitted = build(name).fit(example_rows(300, seed=1), target_for(name, 300))
        found |= set(get_untrusted_types(data=dumps(fitted)))
    assert sorted(found) == sorted(TRUSTED_TYPES)


def test_seasonal_naive_repeats_the_season_and_fills_gaps_with_the_mean() -> None:
    learning = pd.DataFrame({"units_lag_7": [1.0, 2.0, np.nan]})
    pipeline = build("seasonal_naive", Inputs(("units_lag_7",), (), "units_lag_7"))
    pipeline.fit(learning, pd.Series([2.0, 3.0, 7.0]))
    # the mean of 2, 3 and 7 is 4
    assert pipeline.predict(pd.DataFrame({"units_lag_7": [9.0, np.nan]})).tolist() == [9, 4]


def test_seasonal_naive_repeats_another_number_where_one_is_named() -> None:
    rows = pd.DataFrame({"units_lag_7": [1.0, 2.0], "units_lag_364": [5.0, 6.0]})
    inputs = Inputs(("units_lag_7", "units_lag_364"), (), "units_lag_7")
    pipeline = build("seasonal_naive", inputs, repeats="units_lag_364")
    assert pipeline.fit(rows, pd.Series([2.0, 3.0])).predict(rows).tolist() == [5, 6]


def test_seasonal_naive_needs_a_season() -> None:
    with pytest.raises(ValueError, match="add 7 to features"):
        build("seasonal_naive", Inputs(("price",), (), None))


def test_the_historical_mean_by_hand() -> None:
    learning = pd.DataFrame(
        {
            "weekday": np.array([0, 0, 0, 1, 1], dtype="int32"),
            "carrier": ["a", "a", "b", None, None],
        }
    )
    delays = pd.Series([1.0, 3.0, -8.0, 5.0, 9.0])
    asked = pd.DataFrame(
        {"weekday": [0.0, 0.0, 1.0, 1.0, 5.0], "carrier": ["a", "b", np.nan, "a", "c"]}
    )
    inputs = Inputs(("weekday",), ("carrier",), None)
    both = build("historical_mean", inputs, by=["weekday", "carrier"]).fit(learning, delays)
    # of all rows: 10 / 5; so much where nobody flew on that weekday
    assert both.predict(asked).tolist() == [2, -8, 7, 2, 2]
    weekday = build("historical_mean", inputs, by=["weekday"]).fit(learning, delays)
    # Monday: -4 / 3
    assert weekday.predict(asked).tolist() == pytest.approx([-4 / 3, -4 / 3, 7, 7, 2])
    assert build("historical_mean", inputs).fit(learning, delays).predict(asked).tolist() == [2] * 5


def test_the_historical_median_by_hand() -> None:
    learning = pd.DataFrame({"weekday": [0.0, 0.0, 0.0, 1.0]})
    delays = pd.Series([1.0, 2.0, 60.0, 5.0])
    pipeline = build(
        "historical_mean", Inputs(("weekday",), (), None), by=["weekday"], statistic="median"
    ).fit(learning, delays)
    # of all: (2 + 5) / 2
    assert pipeline.predict(pd.DataFrame({"weekday": [0.0, 1.0, 6.0]})).tolist() == [2, 5, 3.5]


def test_the_historical_mean_by_texts_and_numbers_is_stored_whole() -> None:
    learning, units = example_rows(300, seed=1), example_target(300)
    fresh = example_rows(30, seed=2)
    pipeline = build("historical_mean", by=["weekday", "department", "price"]).fit(learning, units)
    restored = loads(dumps(pipeline), trusted=list(TRUSTED_TYPES))
    assert pipeline.predict(fresh).tobytes() == restored.predict(fresh).tobytes()
    assert len(set(pipeline.predict(fresh))) > 1


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("historical_mean", {"by": ["shop"]}, "'shop', which is no input; the inputs are: price"),
        ("seasonal_naive", {}, "add 7 to features.lags"),
        ("seasonal_naive", {"repeats": "x_lag_1"}, "'x_lag_1', which is no input .* are: price"),
        ("decision_tree", {"criterion": "poisson"}, "poisson, which needs a target of at least 0"),
        ("hist_gradient_boosting", {"loss": "poisson"}, "poisson, which needs a target of at"),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(
    family: str, values: dict[str, object], message: str
) -> None:
    inputs = Inputs(("price",), ("carrier",), None, non_negative=False)
    with pytest.raises(ValueError, match=message):
        FAMILIES[family].check(parse_hyperparameters(family, values), inputs)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, family in FAMILIES.items()
        if "regression" in family.tasks and name != "tweedie_regression"  # which refuses them
    ],
)
def test_every_family_takes_targets_below_zero_unless_told_otherwise(name: str) -> None:
    fitted = build(name).fit(example_rows(300, seed=1), example_target(300) - 5)
    assert fitted.predict(example_rows(30, seed=2)).min() < 0


CLASSIFIERS = [name for name, family in FAMILIES.items() if "classification" in family.tasks]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_takes_several_classes(name: str) -> None:
    learning, labels = example_rows(300, seed=1), example_target(300, 4)
    fresh = example_rows(30, seed=2)
    fitted = build(name).fit(learning, labels)
    shares = example_forecasts(fitted, fresh)
    assert list(fitted.classes_) == [f"class {number}" for number in range(4)]
    assert shares.sum(axis=1) == pytest.approx(1.0)
    restored = loads(dumps(fitted), trusted=list(TRUSTED_TYPES))
    assert shares.tobytes() == example_forecasts(restored, fresh).tobytes()


def test_the_prior_is_the_share_of_each_class() -> None:
    fitted = build("prior").fit(example_rows(4, seed=1), pd.Series(["a", "b", "b", "b"]))
    assert example_forecasts(fitted, example_rows(2, seed=2)).tolist() == [[0.25, 0.75]] * 2


def test_seeds_differ() -> None:
    learning, units, fresh = (
        example_rows(300, seed=1),
        example_target(300),
        example_rows(30, seed=2),
    )
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


def test_families_are_listed_by_what_they_forecast() -> None:
    places = FAMILIES.places
    assert [name for name in FAMILIES if places[name].module.startswith("mlops_assets.ml.")] == [
        *("seasonal_naive", "historical_mean", "linear_regression", "ridge", "tweedie_regression"),
        *("decision_tree", "random_forest", "gradient_boosting", "hist_gradient_boosting"),
        *("prior", "logistic_regression", "decision_tree_classifier"),
        *("random_forest_classifier", "hist_gradient_boosting_classifier"),
    ]


def test_unknown_families_are_named() -> None:
    with pytest.raises(ValueError, match="'forest' is no known family; choose one of: seasonal"):
        get_family("forest")
    assert get_family("ridge") is FAMILIES["ridge"]


def test_importing_families_is_light() -> None:
    code = (
        "import sys, mlops_assets.ml.models.families; "
        "print({'sklearn', 'dagster'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
