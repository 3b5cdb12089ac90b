"""Models: one monthly asset each, whose run config carries the hyperparameters."""

import datetime as dt
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.acceptance_checks import accept
from mlops_assets.assets.checks import check_results, check_specs
from mlops_assets.assets.datasets import frame_hash, read_window
from mlops_assets.assets.freshness import training_freshness
from mlops_assets.assets.reporting import (
    COMMON,
    DATA_ERRORS,
    Metadata,
    PartitionError,
    markdown_table,
    number,
    report,
)
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, day_of
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.ml.models.families import FAMILIES, Hyperparameters, parse_hyperparameters
from mlops_assets.ml.models.training import fit_window, input_columns, weights_in_words
from mlops_assets.ml.selection.acceptance import CHECKS
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

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
    key = asset_key(project, "models", model.name)
    training_set = asset_key(project, "training_set")

    @dg.asset(
        key=key,
        description=(
            f"Fitted pipeline of `{model.name}` in service during the month, trained only on rows "
            f"before it. Family `{family.name}`: {family.description}"
        ),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"scikitlearn", "python"},
        code_version=version("mlops_assets"),
        partitions_def=partitions.monthly,
        freshness_policy=training_freshness(project, [model.cadence]),
        deps=[training_set],
        check_specs=check_specs(key, CHECKS, partitions.monthly, blocking=True),
        **COMMON,
    )
    def trained(
        context: dg.AssetExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        datasets: dg.ResourceParam[DatasetStore],
        models: dg.ResourceParam[ModelStore],
    ) -> Iterator[Any]:
        months = list(context.partition_keys)
        values = config.hyperparameters.model_dump(mode="json")  # type: ignore[attr-defined]
        try:
            hyperparameters = parse_hyperparameters(model.family, values)
            family.check(hyperparameters, project.inputs)
            through = parse_through(config.through, project, project.today(), months)  # type: ignore[attr-defined]
        except ValueError as error:
            raise dg.Failure(f"Nothing was trained: {error}", allow_retries=False) from error
        outcomes: dict[str, Metadata | Exception] = {}
        found: dict[str, CheckResults] = {}
        for month in months:
            try:
                card = train(
                    project,
                    model,
                    hyperparameters,
                    month,
                    through,
                    partitions.earliest,
                    datasets,
                    models,
                )
            except DATA_ERRORS as error:
                outcomes[month] = error
            else:
                outcomes[month] = card_metadata(card, training_set, models, datasets)
                found[month] = card.checks
        results = check_results(context, found, blocking=True) if found else ()
        yield from report(context, outcomes, results)

    return trained  # type: ignore[no-any-return]


def training_config(model: ModelSettings) -> type[dg.Config]:
    """The run config of a model: its hyperparameters, and through which day it learns."""
    form: Any = hyperparameters_form(model.family, model.hyperparameters)
    config: type[dg.Config] = pydantic.create_model(
        "TrainingConfig",
        __base__=dg.Config,
        hyperparameters=(
            form,
            pydantic.Field(default=form(), description=f"Hyperparameters of {model.family}."),
        ),
        through=(
            str,
            pydantic.Field(
                default="",
                description=(
                    "The last day to learn from, such as 2026-01-31, or yesterday for the newest "
                    "day whose target is known; empty: the day before the month, less what the "
                    "settings leave out. The version serves only days after it, whichever month "
                    "it is trained under."
                ),
            ),
        ),
    )
    return config


def hyperparameters_form(family: str, defaults: Mapping[str, Any]) -> type[dg.Config]:
    """The typed hyperparameters of a family as run config, with a model's own defaults."""
    fields: dict[str, Any] = {}
    known = FAMILIES[family].hyperparameters
    values = parse_hyperparameters(family, defaults)
    for name, field in known.model_fields.items():
        default, annotation = getattr(values, name), field.annotation
        if isinstance(default, Enum):
            annotation = _named_by_value(type(default))
            default = annotation(default.value)
        fields[name] = (
            annotation,
            pydantic.Field(default=default, description=explained(field)),
        )
    form: type[dg.Config] = pydantic.create_model(
        f"{known.__name__}Config", __base__=dg.Config, **fields
    )
    return form


def parse_through(
    text: str, project: Project, today: dt.date, months: Sequence[str]
) -> dt.date | None:
    """The last day to learn from, None where the month says it. ValueError when it cannot be."""
    if not text:
        return None
    newest = project.newest_due_day(today)
    try:
        through = newest if text == "yesterday" else dt.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"through = {text!r} is no day; write 2026-01-31 or yesterday") from error
    if through >= today:
        ended = today - dt.timedelta(days=1)
        raise ValueError(f"through = {text} has not ended; the last day that has is {ended}")
    if through > newest:
        raise ValueError(
            f"the target of through = {text} is known from {project.due_from(through)} on "
            "(evaluation.label_delay_days of "
            f"{project.evaluation.label_delay_days}); the newest that is known is of {newest}"
        )
    if len(months) > 1:
        raise ValueError(f"through = {text} is for one month, not for {len(months)} at a time")
    return through


def _named_by_value(choices: type[Enum]) -> Any:
    """The same choices under their values, since Dagster reads and lists the names of members."""
    make: Any = Enum
    return make(choices.__name__, {member.value: member.value for member in choices})


def explained(field: pydantic.fields.FieldInfo) -> str:
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
    through: dt.date | None,
    earliest: dt.date,
    datasets: DatasetStore,
    models: ModelStore,
) -> ModelCard:
    """Train a new version, judge it and store it.

    It learns from the month's training set, or from the window of features that ends with the day
    `through`. `earliest` is the first day of which every feature can be made.
    """
    date = project.columns.date
    if through is None:
        learned = project.training_window.of(day_of(month), earliest)
        rows = datasets.read("training_set", [month])
        if rows.empty:
            raise PartitionError(
                f"the training set of {month} is missing; materialize training_set for it first"
            )
    else:
        # whoever names the last day means it: no gap
        end = project.due_from(through)
        learned = project.training_window.of(end, earliest, gap=False)
        rows, _ = read_window(project, datasets, learned)
    first, last = rows[date].min().date(), rows[date].max().date()
    if first < learned.start or last >= learned.end:
        raise PartitionError(
            f"the training set of {month} holds days from {first} through {last}, but the settings "
            f"say {learned}; materialize training_set again"
        )
    columns = input_columns(project)
    if absent := [name for name in columns if name not in rows.columns]:
        raise PartitionError(
            f"the training set of {month} lacks {', '.join(absent)}, which the settings name; "
            "materialize features of its days, then training_set"
        )
    window = fit_window(project, model.family, hyperparameters, rows, learned.end)
    result = window.fit
    return models.add(
        result.pipeline,
        model=model.name,
        month=month,
        family=model.family,
        hyperparameters=hyperparameters.model_dump(mode="json"),
        trained_from=rows[date].min().date(),
        trained_through=rows[date].max().date(),
        label_delay_days=project.evaluation.label_delay_days,
        days=int(rows[date].nunique()),
        rows=len(rows),
        inputs=columns,
        non_negative=project.non_negative,
        classes=list(project.labels),
        training_set_sha256=frame_hash(rows),
        code_version=code_version(),
        window=str(project.training_window),
        weights=weights_in_words(window.pipeline, project.weights, model.family),
        fit_seconds=result.fit_seconds,
        holdout_from=window.holdout_from,
        holdout_rows=len(window.holdout),
        holdout=result.holdout,
        importance=result.importance,
        checks=accept(
            project,
            model,
            window,
            columns,
            models.in_service(model.name, project.due_from(last)),
            models.load,
        ),
    )


def card_metadata(
    card: ModelCard, training_set: dg.AssetKey, models: ModelStore, datasets: DatasetStore
) -> Metadata:
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
        **({"window": card.window} if card.window else {}),
        **({"weights": card.weights} if card.weights else {}),
        "fit_seconds": number(card.fit_seconds),
        "size_bytes": card.size,
        "sha256": card.sha256,
        "holdout_from": str(card.holdout_from),
        "holdout_rows": card.holdout_rows,
        "accepted": card.accepted,
        **({} if card.accepted else {"not_accepted": _why_not(card, models)}),
        **{f"holdout_{name}": number(value) for name, value in card.holdout.items()},
        "important_features": markdown_table(
            ["feature", "error added when shuffled"],
            [[name, f"{value:.4g}"] for name, value in shown],
        ),
        "training_set": dg.MetadataValue.asset(training_set),
        "training_set_sha256": card.training_set_sha256,
        "training_set_path": dg.MetadataValue.path(datasets.url("training_set", card.month)),
        "code_version": card.code_version,
        "path": dg.MetadataValue.path(models.url(card)),
    }


def _why_not(card: ModelCard, models: ModelStore) -> dg.MarkdownMetadataValue:
    """Why a version does not enter service, and what serves in its place."""
    reasons = [f"- {name}: {check.why}" for name, check in card.checks.items() if not check.passed]
    serving = models.in_service(card.model, card.serves_from)
    goes_on = f"`{serving.version}` goes on" if serving else "no version of it serves"
    return dg.MetadataValue.md("\n".join([f"It does not serve; {goes_on}.", *reasons]))


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
