"""Kinds of model: what each is, which hyperparameters it takes and how its pipeline is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from mlops_assets.lazy import sklearn
from mlops_assets.ml.metrics.metric import Task
from mlops_assets.ml.registries import Registry, parse_options

# What a stored pipeline may hold beyond the types that skops trusts by itself. Each was read:
# none runs code when it is restored, and a partial may only hold a function that is trusted too.
TRUSTED_TYPES = (
    "functools.partial",
    "mlops_assets.ml.estimators.EmptyAsZero",
    "mlops_assets.ml.estimators.HistoricalMeanRegressor",
    "mlops_assets.ml.estimators.MissingAsNone",
    "mlops_assets.ml.estimators.SeasonalNaiveRegressor",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)

# A native category of the histogram boosting takes one of its 255 bins.
MOST_CATEGORIES = 254


@dataclass(frozen=True)
class Inputs:
    """The columns that a pipeline reads."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    seasonal: str | None
    """The numeric column that holds the target one season ago, where there is one."""
    non_negative: bool = True
    """Whether the target is never below zero."""


class Hyperparameters(BaseModel):
    """What a person may choose of a family: each field with a default, bounds and a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Family(ABC):
    """A kind of model. `build` returns an unfitted, seeded scikit-learn pipeline.

    The pipeline reads a frame with the columns of `inputs`, encodes and imputes them itself and
    takes categories that it has never seen.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    """What kinds of target it is for."""
    hyperparameters: ClassVar[type[Hyperparameters]]
    trusted_types: ClassVar[tuple[str, ...]] = ()
    """Types that its fitted pipeline holds beyond those trusted already, such as
    `module.Class`. Loading a version restores them: read that none runs code when restored."""
    may_be_constant: ClassVar[bool] = False
    """Whether one forecast for all rows is sound."""

    def check(self, hyperparameters: Any, inputs: Inputs) -> None:  # noqa: B027 - most refuse none
        """ValueError when such a model cannot be built for these inputs; light, unlike `build`."""

    @abstractmethod
    def build(
        self, hyperparameters: Any, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline: ...


FAMILIES: Registry[Family] = Registry("family")


def register(family: type[Family]) -> type[Family]:
    """Make a family known under its name."""
    FAMILIES.add(family, family())
    return family


def get_family(name: str) -> Family:
    """The family of that name. ValueError that lists the known ones."""
    return FAMILIES.find(name)


def trusted_types() -> list[str]:
    """What a stored pipeline of the known families may hold."""
    declared = (name for family in FAMILIES.values() for name in family.trusted_types)
    return list(dict.fromkeys([*TRUSTED_TYPES, *declared]))


def parse_hyperparameters(family: str, values: Mapping[str, object]) -> Hyperparameters:
    """The hyperparameters of a family, defaults filled in.

    ValueError that names the family, the field, the value and what is allowed.
    """
    return parse_options(get_family(family).hyperparameters, values, family, "hyperparameter")


SHORT_NAMES = {
    "decision_tree_classifier": "tree",
    "hist_gradient_boosting_classifier": "hist_boosting",
    "logistic_regression": "logistic",
    "random_forest_classifier": "forest",
    "hist_gradient_boosting": "hist_boosting",
    "gradient_boosting": "boosting",
    "decision_tree": "tree",
    "random_forest": "forest",
    "learning_rate": "lr",
    "max_leaf_nodes": "leaves",
    "min_samples_leaf": "leaf",
    "max_iter": "trees",
    "n_estimators": "trees",
    "max_depth": "depth",
    "max_features": "features",
    "l2_regularization": "l2",
}


def default_name(family: str, hyperparameters: Hyperparameters) -> str:
    """A name that says the family and what differs from its defaults: hist_boosting_lr005."""
    parts = [SHORT_NAMES.get(family, family)]
    for name, value in hyperparameters.model_dump(mode="json").items():
        if value == type(hyperparameters).model_fields[name].default:
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value).lower()
        text = "".join(character for character in text if character.isalnum())
        # a word such as poisson says enough without the name of what it is chosen for
        named = isinstance(value, int | float) or value is None
        parts.append(f"{SHORT_NAMES.get(name, name)}{text}" if named else text)
    return "_".join(parts)


def _pipeline(
    estimator: Any, inputs: Inputs, *, numeric: Any, categorical: Any
) -> sklearn.pipeline.Pipeline:
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


def linear_pipeline(estimator: Any, inputs: Inputs) -> sklearn.pipeline.Pipeline:
    """Medians for missing numbers, one scale for all, a column per category."""
    return _pipeline(
        estimator,
        inputs,
        numeric=sklearn.pipeline.make_pipeline(
            sklearn.impute.SimpleImputer(strategy="median", keep_empty_features=True),
            sklearn.preprocessing.StandardScaler(),
        ),
        categorical=sklearn.preprocessing.OneHotEncoder(handle_unknown="ignore"),
    )


def tree_pipeline(
    estimator: Any, inputs: Inputs, seed: int, target: str = "continuous"
) -> sklearn.pipeline.Pipeline:
    """Medians for missing numbers, the cross-fitted mean target for a category.

    `target` is "auto" for classes: a category then becomes the share of each class.
    """
    folds = sklearn.model_selection.KFold(5, shuffle=True, random_state=seed)
    return _pipeline(
        estimator,
        inputs,
        numeric=sklearn.impute.SimpleImputer(strategy="median", keep_empty_features=True),
        categorical=sklearn.preprocessing.TargetEncoder(target_type=target, cv=folds),
    )


def hist_pipeline(estimator: Any, inputs: Inputs) -> sklearn.pipeline.Pipeline:
    """Missing numbers as they are, native categories, for a histogram boosting."""
    from mlops_assets.ml.estimators import EmptyAsZero

    first = len(inputs.numeric)
    categories = list(range(first, first + len(inputs.categorical)))
    return _pipeline(
        estimator.set_params(categorical_features=categories),
        inputs,
        numeric=EmptyAsZero(),
        categorical=sklearn.preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            max_categories=MOST_CATEGORIES,
        ),
    )


def _need_non_negative(inputs: Inputs, what: str) -> None:
    if not inputs.non_negative:
        raise ValueError(
            f"{what}, which needs a target of at least 0; choose another, or set min to 0 in the "
            "constraints of the target where it is never below"
        )


class NoHyperparameters(Hyperparameters):
    """Nothing to choose."""


@register
class SeasonalNaive(Family):
    name = "seasonal_naive"
    description = "Repeats the target of a week ago: the baseline that a model has to beat."
    hyperparameters = NoHyperparameters

    def check(self, hyperparameters: NoHyperparameters, inputs: Inputs) -> None:
        if inputs.seasonal is None:
            raise ValueError(
                "repeats the target of a week ago; add 7 to features.lags, or take historical_mean"
            )

    def build(
        self, hyperparameters: NoHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        from mlops_assets.ml.estimators import SeasonalNaiveRegressor

        self.check(hyperparameters, inputs)
        assert inputs.seasonal is not None
        season = Inputs(numeric=(inputs.seasonal,), categorical=(), seasonal=inputs.seasonal)
        return _pipeline(
            SeasonalNaiveRegressor(), season, numeric="passthrough", categorical="passthrough"
        )


class HistoricalMeanHyperparameters(Hyperparameters):
    by: list[str] = Field(
        [],
        max_length=8,
        description=(
            "Inputs whose values are taken each by itself, such as day_of_week; none for one mean."
        ),
    )


@register
class HistoricalMean(Family):
    name = "historical_mean"
    description = "The mean target of like rows: a baseline where nothing repeats by the week."
    hyperparameters = HistoricalMeanHyperparameters
    may_be_constant = True

    def check(self, hyperparameters: HistoricalMeanHyperparameters, inputs: Inputs) -> None:
        known = [*inputs.numeric, *inputs.categorical]
        unknown = [name for name in hyperparameters.by if name not in known]
        if unknown:
            raise ValueError(
                f"takes means by {unknown[0]!r}, which is no input; the inputs are: "
                f"{', '.join(known)}"
            )

    def build(
        self, hyperparameters: HistoricalMeanHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        from mlops_assets.ml.estimators import HistoricalMeanRegressor

        self.check(hyperparameters, inputs)
        by = hyperparameters.by
        keys = Inputs(
            numeric=tuple(name for name in inputs.numeric if name in by),
            categorical=tuple(name for name in inputs.categorical if name in by),
            seasonal=None,
        )
        return _pipeline(
            HistoricalMeanRegressor(),
            keys,
            numeric="passthrough",
            categorical=sklearn.preprocessing.OrdinalEncoder(
                handle_unknown="use_encoded_value", unknown_value=-1
            ),
        )


@register
class LinearRegressionFamily(Family):
    name = "linear_regression"
    description = "Ordinary least squares on scaled numbers and one column per category."
    hyperparameters = NoHyperparameters

    def build(
        self, hyperparameters: NoHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        return linear_pipeline(sklearn.linear_model.LinearRegression(), inputs)


class RidgeHyperparameters(Hyperparameters):
    alpha: float = Field(
        1.0, gt=0, le=1_000_000, description="Strength of the penalty on large coefficients."
    )


@register
class RidgeFamily(Family):
    name = "ridge"
    description = "Least squares with a penalty on large coefficients."
    hyperparameters = RidgeHyperparameters

    def build(
        self, hyperparameters: RidgeHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        return linear_pipeline(sklearn.linear_model.Ridge(alpha=hyperparameters.alpha), inputs)


class TreeCriterion(StrEnum):
    SQUARED_ERROR = "squared_error"
    POISSON = "poisson"


class DecisionTreeHyperparameters(Hyperparameters):
    max_depth: int | None = Field(
        10, ge=1, le=64, description="Most questions from root to leaf; null for no limit."
    )
    min_samples_leaf: int = Field(20, ge=1, le=100_000, description="Fewest rows in a leaf.")
    criterion: TreeCriterion = Field(
        TreeCriterion.SQUARED_ERROR, description="What a split reduces; poisson suits counts."
    )


@register
class DecisionTreeFamily(Family):
    name = "decision_tree"
    description = "One regression tree."
    hyperparameters = DecisionTreeHyperparameters

    def check(self, hyperparameters: DecisionTreeHyperparameters, inputs: Inputs) -> None:
        if hyperparameters.criterion == TreeCriterion.POISSON:
            _need_non_negative(inputs, "splits by the criterion poisson")

    def build(
        self, hyperparameters: DecisionTreeHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        return tree_pipeline(
            sklearn.tree.DecisionTreeRegressor(
                **hyperparameters.model_dump(mode="json"), random_state=seed
            ),
            inputs,
            seed,
        )


class RandomForestHyperparameters(Hyperparameters):
    n_estimators: int = Field(100, ge=1, le=2000, description="Number of trees.")
    max_depth: int | None = Field(
        None, ge=1, le=64, description="Most questions from root to leaf; null for no limit."
    )
    min_samples_leaf: int = Field(5, ge=1, le=100_000, description="Fewest rows in a leaf.")
    max_features: float = Field(
        0.33, gt=0, le=1, description="Share of the inputs tried at each split."
    )


@register
class RandomForestFamily(Family):
    name = "random_forest"
    description = "The mean of many trees, each on a resample of the rows."
    hyperparameters = RandomForestHyperparameters

    def build(
        self, hyperparameters: RandomForestHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        # One thread: with more, forecasts are added up in the order in which the threads arrive.
        return tree_pipeline(
            sklearn.ensemble.RandomForestRegressor(
                **hyperparameters.model_dump(), random_state=seed, n_jobs=1
            ),
            inputs,
            seed,
        )


class GradientBoostingHyperparameters(Hyperparameters):
    n_estimators: int = Field(60, ge=1, le=5000, description="Number of trees.")
    learning_rate: float = Field(0.15, gt=0, le=1, description="Weight of each further tree.")
    max_depth: int = Field(3, ge=1, le=32, description="Most questions from root to leaf.")
    min_samples_leaf: int = Field(20, ge=1, le=100_000, description="Fewest rows in a leaf.")
    subsample: float = Field(0.5, gt=0, le=1, description="Share of the rows that a tree sees.")
    max_features: float = Field(
        0.5, gt=0, le=1, description="Share of the inputs tried at each split."
    )


@register
class GradientBoostingFamily(Family):
    name = "gradient_boosting"
    description = "Trees one after another, each on what the ones before left over."
    hyperparameters = GradientBoostingHyperparameters

    def build(
        self, hyperparameters: GradientBoostingHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        return tree_pipeline(
            sklearn.ensemble.GradientBoostingRegressor(
                **hyperparameters.model_dump(), random_state=seed
            ),
            inputs,
            seed,
        )


class HistLoss(StrEnum):
    SQUARED_ERROR = "squared_error"
    ABSOLUTE_ERROR = "absolute_error"
    POISSON = "poisson"


class HistGradientBoostingHyperparameters(Hyperparameters):
    loss: HistLoss = Field(
        HistLoss.SQUARED_ERROR,
        description="What is minimised; poisson suits counts and needs a target of at least 0.",
    )
    learning_rate: float = Field(0.1, gt=0, le=1, description="Weight of each further tree.")
    max_iter: int = Field(100, ge=1, le=5000, description="Number of trees.")
    max_leaf_nodes: int = Field(31, ge=2, le=4096, description="Most leaves of a tree.")
    min_samples_leaf: int = Field(20, ge=1, le=100_000, description="Fewest rows in a leaf.")
    l2_regularization: float = Field(
        0.0, ge=0, le=1_000_000, description="Strength of the penalty on large leaf values."
    )


@register
class HistGradientBoostingFamily(Family):
    name = "hist_gradient_boosting"
    description = "Boosted trees on binned inputs: fast, with missing values and native categories."
    hyperparameters = HistGradientBoostingHyperparameters

    def check(self, hyperparameters: HistGradientBoostingHyperparameters, inputs: Inputs) -> None:
        if hyperparameters.loss == HistLoss.POISSON:
            _need_non_negative(inputs, "minimises the loss poisson")

    def build(
        self, hyperparameters: HistGradientBoostingHyperparameters, inputs: Inputs, seed: int = 0
    ) -> sklearn.pipeline.Pipeline:
        return hist_pipeline(
            sklearn.ensemble.HistGradientBoostingRegressor(
                **hyperparameters.model_dump(mode="json"), early_stopping=False, random_state=seed
            ),
            inputs,
        )
