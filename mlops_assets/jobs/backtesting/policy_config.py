"""The run config of a backtest: days, a model and policies, whose dials are the settings'."""

from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.models import explained
from mlops_assets.assets.run_config import RunConfig
from mlops_assets.ml.backtest.policy import CADENCES, TRIGGERS
from mlops_assets.ml.settings import descriptions
from mlops_assets.project import Project

MOST_POLICIES = 50

# The dials of a policy: the settings that they stand in for.
DIALS = {
    "window_months": ("training", "window_months"),
    "days": ("reactions", "days"),
    "failures": ("reactions", "failures"),
    "cool_down_days": ("reactions", "cool_down_days"),
    "false_alarms_per_year": ("monitoring", "false_alarms_per_year"),
    "performance_width": ("performance", "width"),
    "performance_least_width": ("performance", "least_width"),
    "performance_least_bias": ("performance", "least_bias"),
    "drift_width": ("drift", "width"),
    "drift_margin": ("drift", "margin"),
}
BOTH = list(TRIGGERS)
TIGHT = {
    **{"failures": 2, "false_alarms_per_year": 24.0, "performance_least_width": 0.05},
    **{"performance_least_bias": 0.05, "drift_width": 3.0, "drift_margin": 1.2},
}
LOOSE = {
    **{"failures": 4, "false_alarms_per_year": 1.5, "performance_least_width": 0.2},
    **{"performance_least_bias": 0.2, "drift_width": 6.0, "drift_margin": 2.5},
}
DEFAULT_POLICIES: list[dict[str, Any]] = [
    {"name": "monthly"},
    {"name": "monthly, triggers", "triggers": BOTH},
    {"name": "monthly, tight triggers", "triggers": BOTH, **TIGHT},
    {"name": "monthly, loose triggers", "triggers": BOTH, **LOOSE},
    {"name": "quarterly", "cadence": "quarterly"},
    {"name": "never", "cadence": "never"},
]


class PolicyConfig(RunConfig):
    name: str = pydantic.Field(description="How the policy is called in the table.")
    cadence: str = pydantic.Field(
        "monthly",
        description=(
            f"When it is trained whatever happens: {', '.join(CADENCES)}, or a number of days such "
            "as `10 days`, or of weeks, months or quarters where rows are of these."
        ),
    )
    triggers: list[str] = pydantic.Field(
        [],
        description=(
            f"Which failed checks cause a training as well: any of {', '.join(TRIGGERS)}. None: "
            "alarms of performance are counted, and nothing follows."
        ),
    )
    hyperparameters: dict[str, Any] = pydantic.Field(
        {}, description="Where they differ from the model's own."
    )


class BacktestConfig(RunConfig):
    first_day: str = pydantic.Field(
        "",
        description=(
            "The first day to replay, such as 2026-01-31; empty: the first one before which the "
            "shortest window of the policies is there."
        ),
    )
    last_day: str = pydantic.Field(
        "", description="The last day to replay; empty: the newest that has features."
    )


def backtest_config(project: Project) -> type[dg.Config]:
    """The run config of the job, with the project's own settings as defaults."""
    dials: dict[str, Any] = {name: _dial(project, name) for name in DIALS}
    policy: Any = pydantic.create_model("PolicyConfig", __base__=PolicyConfig, **dials)
    names = [model.name for model in project.models]
    return pydantic.create_model(
        "BacktestConfig",
        __base__=BacktestConfig,
        model=(
            str,
            pydantic.Field(default=names[-1], description=f"One of {', '.join(names)}."),
        ),
        policies=(
            list[policy],
            pydantic.Field(
                default=DEFAULT_POLICIES,
                description=f"The policies to compare, at most {MOST_POLICIES}.",
            ),
        ),
    )


def _dial(project: Project, name: str) -> tuple[Any, Any]:
    """A field of a policy: that of the settings, empty for the value that it has there."""
    section, setting = DIALS[name]
    settings = getattr(project, section)
    field = type(settings).model_fields[setting]
    meaning = explained(field, descriptions(type(settings))[setting])
    described = f"{meaning} Left out: {getattr(settings, setting):g}, as {section}.{setting}."
    return (field.annotation or Any) | None, pydantic.Field(default=None, description=described)
