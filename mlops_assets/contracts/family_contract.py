"""What every family of models must hold."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Mapping
from typing import Any

from mlops_assets.contracts.examples import (
    SHAPES,
    example_forecasts,
    example_rows,
    example_target,
    of_classes,
)
from mlops_assets.contracts.wording import Problems, description_problems, differ
from mlops_assets.lazy import np, pd, sio, sklearn, threadpoolctl
from mlops_assets.ml.models.families import Family, Inputs, parse_hyperparameters, trusted_types
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.stores.model_store import ModelStore

LEARNING, FRESH, EXAMPLE_CLASSES = 600, 60, 2
STORES = itertools.count()


def family_problems(family: Family, values: Mapping[str, object] | None = None) -> Problems:
    """The problems of a family, tried with some hyperparameters, by default its own defaults."""
    yield from description_problems(family.description)
    missing = [
        name for name, info in family.hyperparameters.model_fields.items() if info.is_required()
    ]
    for name in missing:
        yield f"hyperparameter {name} has no default: a model that leaves it out cannot be trained"
    for name, info in family.hyperparameters.model_fields.items():
        if not info.description:
            yield f"hyperparameter {name} has no description: the launchpad shows none"
        choice = isinstance(info.annotation, enum.EnumMeta) or info.annotation is bool
        if not choice and not info.metadata:
            yield f"hyperparameter {name} has no bounds: give Field its ge, gt, le or lt"
    if missing:
        return
    hyperparameters = parse_hyperparameters(family.name, values or {})
    for shape, inputs in SHAPES.items():
        with threadpoolctl.threadpool_limits(1):
            found = list(_pipeline_problems(family, hyperparameters, inputs))
        yield from (f"with {shape}, {problem}" for problem in found)


def _pipeline_problems(family: Family, hyperparameters: Any, inputs: Inputs) -> Problems:
    learning = example_rows(LEARNING, seed=1)
    target = example_target(LEARNING, EXAMPLE_CLASSES if of_classes(family) else 0)
    fresh = example_rows(FRESH, seed=2, departments=("food", "never seen"))
    fresh.loc[::5, "store"] = np.nan
    kept = learning.copy(), target.copy(), fresh.copy()

    pipeline = family.build(hyperparameters, inputs, 0)
    if not isinstance(pipeline, sklearn.pipeline.Pipeline):
        yield f"build returns {type(pipeline).__name__}, not a scikit-learn Pipeline"
        return
    try:
        sklearn.utils.validation.check_is_fitted(pipeline.steps[-1][1])
    except sklearn.exceptions.NotFittedError:
        pass
    except TypeError as error:
        yield f"the last step is no estimator: {error}"
        return
    else:
        yield "build returns a pipeline that is fitted already; return it unfitted"
    try:
        fitted = sklearn.base.clone(pipeline).fit(learning, target)
        forecasts = example_forecasts(fitted, fresh)
    except Exception as error:  # the estimator's own errors say what it cannot take
        yield (
            "it does not fit and forecast rows with missing values and categories never seen: "
            f"{type(error).__name__}: {error}"
        )
        return
    wanted = (FRESH, EXAMPLE_CLASSES) if of_classes(family) else (FRESH,)
    if forecasts.shape != wanted:
        yield (
            f"it forecasts shape {forecasts.shape} for {FRESH} rows; make one forecast per row, or "
            "a probability per row and class"
        )
        return
    if broken := int((~np.isfinite(forecasts)).sum()):
        yield f"{broken} of {FRESH} forecasts are not finite"
    again = family.build(hyperparameters, inputs, 0).fit(learning, target)
    if differ(forecasts, example_forecasts(again, fresh)):
        yield "two fits on the same rows forecast differently: pass `seed` on, use one thread"
    known = {*inputs.numeric, *inputs.categorical, inputs.seasonal}
    columns = [name for name in fresh if name in known]
    if differ(forecasts, example_forecasts(fitted, fresh[columns])):
        yield "forecasts depend on columns that are no inputs"
    if not (kept[0].equals(learning) and kept[1].equals(target) and kept[2].equals(fresh)):
        yield "it changes the rows that it is given; work on a copy"
    yield from _storage_problems(fitted, fresh, forecasts)


def _storage_problems(
    fitted: sklearn.pipeline.Pipeline, fresh: pd.DataFrame, forecasts: Any
) -> Problems:
    """Whether a fitted pipeline comes back from the model store as it went in."""
    unknown = sorted(set(sio.get_untrusted_types(data=sio.dumps(fitted))) - set(trusted_types()))
    if unknown:
        yield (
            f"its fitted pipeline holds {', '.join(unknown)}, which no family declares: read what "
            "they run when they are restored, then list them in trusted_types"
        )
        return
    day = dt.date(2026, 1, 1)
    models = ModelStore(make_storage(f"memory://contracts_{next(STORES)}"))
    card = models.add(
        fitted,
        model="contract",
        month=str(day),
        family="contract",
        hyperparameters={},
        trained_from=day,
        trained_through=day,
        days=1,
        rows=LEARNING,
        inputs=[],
        non_negative=False,
        training_set_sha256="",
        code_version="",
        fit_seconds=0,
        holdout_from=day,
        holdout_rows=0,
        holdout={},
        importance={},
    )
    if differ(forecasts, example_forecasts(models.load(card), fresh)):
        yield "it forecasts differently once it was stored and loaded again"
