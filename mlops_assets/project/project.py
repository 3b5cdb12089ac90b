"""A prediction problem whose sections fit together."""

from collections.abc import Iterable
from typing import Self

import pydantic

from mlops_assets.ml.models.training_settings import ModelSettings
from mlops_assets.project import rules
from mlops_assets.project.problem import Problem


class Project(Problem):
    """One prediction problem."""

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        rules.check(self)
        return self

    def with_models(self, models: Iterable[ModelSettings]) -> Self:
        """The same problem with other models. ValueError when they do not fit it."""
        return self.model_validate({**dict(self), "models": list(models)})
