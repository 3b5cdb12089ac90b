"""Models: one monthly asset each, whose run config carries the hyperparameters."""

import subprocess
from collections.abc import Iterator
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.datasets import frame_hash
from mlops_assets.assets.reporting import (
    COMMON,
    DATA_ERRORS,
    Metadata,
    PartitionError,
    markdown_table,
    number,
    report,
)
from mlops_assets.ml.families import FAMILIES, Hyperparameters, parse_hyperparameters
from mlops_assets.ml.metrics import make_metrics
from mlops_assets.ml.splits import HoldoutSplit
from mlops_assets.partitions import Partitions, day_of
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.datasets import DatasetStore
from mlops_assets.resources.versions import ModelCard, ModelStore

GROUP = "models"
SHOWN_INPUTS = 8


def make_model_assets(project: Project, partitions: Partitions) -> list[dg.AssetsDefinition]:
    """One asset per model of the project."""
    return [make_model_asset(project, partitions, model) for model in project.models]


def make_model_asset(
    project: Project, partitions: Partitions, model: ModelSettings
) -> dg.AssetsDefinition:
    """The asset `models/NAME`."""
    family = FAMILIES[model.family]
    config_type = training_config(model)

    @dg.asset(
        key=["models", model.name],
        description=(
            f"Fitted pipeline of `{model.name}` in service during the month, trained only on rows "
            f"before it. Family `{family.name}`: {family.description}"
        ),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"scikitlearn", "python"},
        code_version=version("mlops_assets"),
        partitions_def=partitions.monthly,
        deps=["training_set"],
        **COMMON,
    )
    def trained(
        context: dg.AssetExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        datasets: dg.ResourceParam[DatasetStore],
        models: dg.ResourceParam[ModelStore],
    ) -> Iterator[Any]:
        values = config.hyperparameters.model_dump(mode="json")  # type: ignore[attr-defined]
        try:
            hyperparameters = parse_hyperparameters(model.family, values)
        except ValueError as error:
            raise dg.Failure(f"Nothing was trained: {error}", allow_retries=False) from error
        outcomes: dict[str, Metadata | Exception] = {}
        for key in context.partition_keys:
            try:
                card = train(project, model, hyperparameters, key, datasets, models)
            except DATA_ERRORS as error:
                outcomes[key] = error
            else:
                outcomes[key] = card_metadata(card, models, datasets)
        yield from report(context, outcomes)

    return trained  # type: ignore[no-any-return]


def training_config(model: ModelSettings) -> type[dg.Config]:
    """The run config of a model: the typed hyperparameters of its family, its own as defaults."""
    family = FAMILIES[model.family]
    defaults = parse_hyperparameters(model.family, model.hyperparameters)
    fields: dict[str, Any] = {}
    for name, field in family.hyperparameters.model_fields.items():
        default, annotation = getattr(defaults, name), field.annotation
        if isinstance(default, Enum):
            annotation = _named_by_value(type(default))
            default = annotation(default.value)
        fields[name] = (
            annotation,
            pydantic.Field(default=default, description=_explained(field)),
        )
    form: Any = pydantic.create_model(
        f"{family.hyperparameters.__name__}Config", __base__=dg.Config, **fields
    )
    config: type[dg.Config] = pydantic.create_model(
        "TrainingConfig",
        __base__=dg.Config,
        hyperparameters=(
            form,
            pydantic.Field(default=form(), description=f"Hyperparameters of {family.name}."),
        ),
    )
    return config


def _named_by_value(choices: type[Enum]) -> Any:
    """The same choices under their values, since Dagster reads and lists the names of members."""
    make: Any = Enum
    return make(choices.__name__, {member.value: member.value for member in choices})


def _explained(field: pydantic.fields.FieldInfo) -> str:
    """What a launchpad says of a field: its description, then its bounds or choices."""
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [
        f"{word} {getattr(bound, name):,}"
        for bound in field.metadata
        for name, word in words.items()
        if getattr(bound, name, None) is not None
    ]
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        found = [f"one of {', '.join(member.value for member in field.annotation)}"]
    description = (field.description or "").rstrip(".")
    return f"{description} ({', '.join(found)})." if found else f"{description}."


def train(
    project: Project,
    model: ModelSettings,
    hyperparameters: Hyperparameters,
    month: str,
    datasets: DatasetStore,
    models: ModelStore,
) -> ModelCard:
    """Train a new version from the month's training set and store it."""
    from mlops_assets.ml.training import fit

    date, target = project.columns.date, project.columns.target
    rows = datasets.read("training_set", [month])
    if rows.empty:
        raise PartitionError(
            f"the training set of {month} is missing; materialize training_set for it first"
        )
    inputs = project.inputs
    columns = [*inputs.numeric, *dict.fromkeys(inputs.categorical)]
    if absent := [name for name in columns if name not in rows.columns]:
        raise PartitionError(
            f"the training set of {month} lacks {', '.join(absent)}, which the settings name; "
            "materialize features of its days, then training_set"
        )
    split = HoldoutSplit(project.training.holdout_days)
    learning, holdout = split.split(rows, date, day_of(month))
    result = fit(
        FAMILIES[model.family].build(hyperparameters, inputs),
        learning,
        holdout,
        inputs=columns,
        target=target,
        non_negative=project.non_negative,
        metrics=make_metrics(project.evaluation.metrics),
        threads=project.training.threads,
    )
    return models.add(
        result.pipeline,
        model=model.name,
        month=month,
        family=model.family,
        hyperparameters=hyperparameters.model_dump(mode="json"),
        trained_from=rows[date].min().date(),
        trained_through=rows[date].max().date(),
        days=int(rows[date].nunique()),
        rows=len(rows),
        inputs=columns,
        non_negative=project.non_negative,
        training_set_sha256=frame_hash(rows),
        code_version=code_version(),
        fit_seconds=result.fit_seconds,
        holdout_from=split.first_day(day_of(month)),
        holdout_rows=len(holdout),
        holdout=result.holdout,
        importance=result.importance,
    )


def card_metadata(card: ModelCard, models: ModelStore, datasets: DatasetStore) -> Metadata:
    """A card as metadata: numbers plot, the rest reads."""
    shown = list(card.importance.items())[:SHOWN_INPUTS]
    return {
        "version": card.version,
        "family": card.family,
        "hyperparameters": dg.MetadataValue.json(card.hyperparameters),
        "rows": card.rows,
        "days": card.days,
        "trained_from": str(card.trained_from),
        "trained_through": str(card.trained_through),
        "fit_seconds": number(card.fit_seconds),
        "size_bytes": card.size,
        "sha256": card.sha256,
        "holdout_from": str(card.holdout_from),
        "holdout_rows": card.holdout_rows,
        **{f"holdout_{name}": number(value) for name, value in card.holdout.items()},
        "important_features": markdown_table(
            ["feature", "error added when shuffled"],
            [[name, f"{value:.4g}"] for name, value in shown],
        ),
        "training_set": dg.MetadataValue.asset(dg.AssetKey("training_set")),
        "training_set_sha256": card.training_set_sha256,
        "training_set_path": dg.MetadataValue.path(datasets.url("training_set", card.month)),
        "code_version": card.code_version,
        "path": dg.MetadataValue.path(models.url(card)),
    }


@cache
def code_version() -> str:
    """The package's version and, in a git checkout, its commit."""
    released = version("mlops_assets")
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return released
    return f"{released}+{commit}"
