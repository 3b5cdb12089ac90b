"""Pipelines of inputs and an estimator: how each kind of estimator takes numbers and categories."""

from __future__ import annotations

from typing import Any

from mlops_assets.lazy import sklearn
from mlops_assets.ml.models.families import Inputs, Pipeline

# A native category of the histogram boosting takes one of its 255 bins.
MOST_CATEGORIES = 254


def input_pipeline(estimator: Any, inputs: Inputs, *, numeric: Any, categorical: Any) -> Pipeline:
    """Numeric columns first, then encoded categorical ones, then the estimator."""
    from mlops_assets.ml.estimators import MissingAsNone

    columns = [
        ("numeric", numeric, list(inputs.numeric)),
        (
            "categorical",
            sklearn.pipeline.make_pipeline(MissingAsNone(), categorical),
            list(inputs.categorical),
        ),
    ]
    return sklearn.pipeline.Pipeline(
        [
            ("inputs", sklearn.compose.ColumnTransformer([c for c in columns if c[2]])),
            ("estimator", estimator),
        ]
    )


def linear_pipeline(estimator: Any, inputs: Inputs, *first: Any) -> Pipeline:
    """Medians for missing numbers, one scale for all, a column per category.

    Before they are scaled, numbers are made into others by the `first` transformers.
    """
    return input_pipeline(
        estimator,
        inputs,
        numeric=sklearn.pipeline.make_pipeline(
            sklearn.impute.SimpleImputer(strategy="median", keep_empty_features=True),
            *first,
            sklearn.preprocessing.StandardScaler(),
        ),
        categorical=sklearn.preprocessing.OneHotEncoder(handle_unknown="ignore"),
    )


def tree_pipeline(
    estimator: Any, inputs: Inputs, seed: int, target: str = "continuous"
) -> Pipeline:
    """Medians for missing numbers, the cross-fitted mean target for a category.

    `target` is "auto" for classes: a category then becomes the share of each class.
    """
    folds = sklearn.model_selection.KFold(5, shuffle=True, random_state=seed)
    return input_pipeline(
        estimator,
        inputs,
        numeric=sklearn.impute.SimpleImputer(strategy="median", keep_empty_features=True),
        categorical=sklearn.preprocessing.TargetEncoder(target_type=target, cv=folds),
    )


def hist_pipeline(estimator: Any, inputs: Inputs) -> Pipeline:
    """Missing numbers as they are, native categories, for a histogram boosting."""
    from mlops_assets.ml.estimators import EmptyAsZero

    first = len(inputs.numeric)
    categories = list(range(first, first + len(inputs.categorical)))
    return input_pipeline(
        estimator.set_params(categorical_features=categories),
        inputs,
        numeric=EmptyAsZero(),
        categorical=sklearn.preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            max_categories=MOST_CATEGORIES,
        ),
    )
