"""Models: one monthly asset each, whose run config carries the hyperparameters."""

import datetime as dt
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import pydantic

from mlops_assets.assets.acceptance_checks import accept, held_out
from mlops_assets.assets.datasets import frame_hash
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.partitioned import monthly
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import (
    DATA_ERRORS,
    Metadata,
    Outcomes,
    PartitionError,
    markdown_table,
    number,
    overview,
    report,
)
from mlops_assets.assets.run_config import RunConfig, left_out_or_meant
from mlops_assets.assets.training_set import read_window
from mlops_assets.graph.partitions import day_of
from mlops_assets.graph.runs import wait_for_run_before
from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.ml.models.families import FAMILIES, Hyperparameters, parse_hyperparameters
from mlops_assets.ml.models.splits import Window
from mlops_assets.ml.models.training import fit_window, input_columns, weights_in_words
from mlops_assets.ml.selection.acceptance import CHECKS
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

GROUP = "models"
SHOWN_INPUTS = 8
SHADOW_MEANS = (
    "Until one is accepted, its days are scored in shadow: plotted and ranked, never champion, "
    "never the forecast. It passes once its loss on the holdout is not surely above the limit "
    "named here: try other hyperparameters, other inputs, or a longer training.window_months."
)


def make_model_asset(graph: Graph, model: ModelSettings) -> dg.AssetsDefinition:
    project = graph.project
    family = FAMILIES[model.family]
    config_type = training_config(model)
    asset = f"models/{model.name}"

    @monthly(
        graph,
        asset,
        description=(
            f"Fitted pipeline of `{model.name}` in service during the month, trained only on rows "
            f"before it. Family `{family.name}`: {family.description}"
        ),
        group=GROUP,
        kinds={"scikitlearn", "python"},
        cadences=[model.cadence],
        checks=CHECKS,
        code_version=version("mlops_assets"),
    )
    def trained(
        context: dg.AssetExecutionContext,
        config: config_type,  # type: ignore[valid-type]
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        months = list(context.partition_keys)
        values = config.hyperparameters.model_dump(mode="json")  # type: ignore[attr-defined]
        try:
            hyperparameters = parse_hyperparameters(model.family, values)
            family.check(hyperparameters, project.inputs)
            through = parse_through(config.through, project, graph.partitions.newest_day(), months)  # type: ignore[attr-defined]
        except ValueError as error:
            raise dg.Failure(f"Nothing was trained: {error}", allow_retries=False) from error
        datasets, models = readers.datasets(asset, months), readers.models(asset)
        outcomes: Outcomes = {}
        found: dict[str, CheckResults] = {}
        for month in months:
            try:
                rows, learned = learn_from(graph, month, through, datasets)
                in_time = learned == project.training_window.of(
                    day_of(month), graph.partitions.earliest
                )
                made = made_meanwhile(context, project, model, hyperparameters, month, rows, models)
                card = made or train(
                    *(project, model, hyperparameters, month, rows, learned, models, in_time),
                    lambda: wait_for_run_before(context.instance, context.run),
                )
            except DATA_ERRORS as error:
                outcomes[month] = error
            else:
                outcomes[month] = card_metadata(project.evaluation.primary, card, models, datasets)
                found[month] = card.checks
                if not card.accepted:
                    context.log.warning(_refusal(card, models))
        strict = config.strict  # type: ignore[attr-defined]
        severity = dg.AssetCheckSeverity.ERROR if strict else dg.AssetCheckSeverity.WARN
        yield from report(context, outcomes, found, blocking=True, severity=severity)

    return trained


class TrainingConfig(RunConfig):
    """The run config of every model, without its hyperparameters and what else is added to it."""

    @property
    def in_one_go(self) -> bool:
        return bool(self.through)  # type: ignore[attr-defined]  # which names one month


def training_config(model: ModelSettings) -> type[dg.Config]:
    """The run config of a model: its hyperparameters, how far it learns, what fails its run."""
    form: Any = hyperparameters_form(model.family, model.hyperparameters)
    config: type[dg.Config] = pydantic.create_model(
        "TrainingConfig",
        __base__=TrainingConfig,
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
        strict=(
            bool,
            pydantic.Field(
                default=False,
                description=(
                    "Fail the run when the version is not accepted. Otherwise that is an outcome "
                    "of it: the version is kept and shown, and the one before goes on."
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
    # by name: another field may be added by which forms are told apart, and that takes none
    checked: Any = {}
    if fields:
        checked["meant"] = pydantic.field_validator(*fields, mode="before")(left_out_or_meant)
    form: type[dg.Config] = pydantic.create_model(
        f"{known.__name__}Config",
        __base__=dg.Config,
        __validators__=checked,
        **fields,
    )
    return form


def parse_through(
    text: str, project: Project, newest: dt.date | None, months: Sequence[str]
) -> dt.date | None:
    """The last day to learn from, None where the month says it. ValueError when it cannot be.

    `newest` is the newest day whose target is known.
    """
    if not text:
        return None
    if newest is None:
        raise ValueError(f"through = {text} is not known yet, nor is any day; wait for the first")
    try:
        named = newest if text == "yesterday" else dt.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"through = {text!r} is no day; write 2026-01-31 or yesterday") from error
    through = project.due.start(named)
    today = project.day_to_come(newest)
    if through >= today:
        ended = project.due.back(today, 1)
        raise ValueError(f"through = {text} has not ended; the last day that has is {ended}")
    if through > newest:
        raise ValueError(
            f"the target of through = {text} is known from {project.day_to_come(through)} on "
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


def explained(field: pydantic.fields.FieldInfo, description: str | None = None) -> str:
    """What a launchpad says of a field: its description or another, then its bounds or choices."""
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [
        f"{word} {getattr(bound, name):,}"
        for bound in field.metadata
        for name, word in words.items()
        if getattr(bound, name, None) is not None
    ]
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        found = [f"one of {', '.join(member.value for member in field.annotation)}"]
    description = (description or field.description or "").rstrip(".")
    return f"{description} ({', '.join(found)})." if found else f"{description}."


def learn_from(
    graph: Graph, month: str, through: dt.date | None, datasets: DatasetStore
) -> tuple["pd.DataFrame", Window]:
    """The rows that a version of a month learns from, and the window that they fill.

    The month's training set, or the window of features that ends with the day `through`.
    """
    project, earliest = graph.project, graph.partitions.earliest
    if through is not None:
        # whoever names the last day means it: no gap
        learned = project.training_window.of(project.day_to_come(through), earliest, gap=False)
        return read_window(project, datasets, learned)[0], learned
    learned = project.training_window.of(day_of(month), earliest)
    rows = datasets.read("training_set", [month])
    if rows.empty:
        raise PartitionError(
            f"the training set of {month} is missing; materialize training_set for it first"
        )
    return rows, learned


def made_meanwhile(
    context: dg.AssetExecutionContext,
    project: Project,
    model: ModelSettings,
    hyperparameters: Hyperparameters,
    month: str,
    rows: "pd.DataFrame",
    models: ModelStore,
) -> ModelCard | None:
    """The version that would be trained, where another run made it since this one was asked for.

    Or where a run that was killed has stored it and could not tell: nothing is trained twice.
    """
    since = _last_told(context.instance, context.asset_key, month)
    if asked := context.instance.get_run_record_by_id(context.run.run_id):
        since = min(since, asked.create_timestamp.timestamp())
    later = [card for card in models.cards(model.name, {}) if card.created.timestamp() > since]
    if not later:
        return None
    wanted = (
        *(month, model.family, hyperparameters.model_dump(mode="json"), frame_hash(rows)),
        *(input_columns(project.inputs), str(project.training_window), code_version()),
    )
    for card in reversed(later):
        found = (
            *(card.month, card.family, card.hyperparameters, card.training_set_sha256),
            *(card.inputs, card.window, card.code_version),
        )
        if found == wanted:
            context.log.info(f"{card.version} was trained meanwhile from the same, and is taken.")
            return card
    return None


def _last_told(instance: dg.DagsterInstance, key: dg.AssetKey, month: str) -> float:
    """When a version of a month was told last; where none was, since when the instance has runs."""
    wanted = dg.AssetRecordsFilter(key, asset_partitions=[month])
    if told := instance.fetch_materializations(wanted, limit=1).records:
        return told[0].timestamp
    first = instance.get_run_records(limit=1, ascending=True)
    return first[0].create_timestamp.timestamp() if first else time.time()


def _within(
    project: Project, month: str, rows: "pd.DataFrame", learned: Window
) -> tuple[dt.date, dt.date, list[str]]:
    """The first and last day of a training set, and its inputs. PartitionError if it is old."""
    date = project.columns.date
    first, last = rows[date].min().date(), rows[date].max().date()
    if first < learned.start or last >= learned.end:
        raise PartitionError(
            f"the training set of {month} holds days from {first} through {last}, but the settings "
            f"say {learned}; materialize training_set again"
        )
    columns = input_columns(project.inputs)
    if absent := [name for name in columns if name not in rows.columns]:
        raise PartitionError(
            f"the training set of {month} lacks {', '.join(absent)}, which the settings name; "
            "materialize features of its days, then training_set"
        )
    return first, last, columns


def train(
    project: Project,
    model: ModelSettings,
    hyperparameters: Hyperparameters,
    month: str,
    rows: "pd.DataFrame",
    learned: Window,
    models: ModelStore,
    in_time: bool = True,
    before_judged: Callable[[], None] = lambda: None,
) -> ModelCard:
    """Train a version on a window, `in_time` of its month; it is judged after `before_judged`."""
    first, last, columns = _within(project, month, rows, learned)
    window = fit_window(project.fit_plan, model.family, hyperparameters, rows, learned.end)
    before_judged()
    result = window.fit
    return models.add(
        result.pipeline,
        model=model.name,
        month=month,
        family=model.family,
        hyperparameters=hyperparameters.model_dump(mode="json"),
        trained_from=first,
        trained_through=last,
        label_delay_days=project.evaluation.label_delay_days,
        first_served=None if project.due.daily else project.day_to_come(last),
        serves_before=project.training_window.serves_before(first),
        days=int(rows[project.columns.date].nunique()),
        rows=len(rows),
        inputs=columns,
        non_negative=project.non_negative,
        classes=list(project.labels),
        training_set_sha256=frame_hash(rows),
        code_version=code_version(),
        window=str(project.training_window),
        weights=weights_in_words(window.pipeline, project.weights, model.family),
        as_settings=in_time
        and hyperparameters == parse_hyperparameters(model.family, model.hyperparameters),
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
            models.in_service(model.name, project.day_to_come(last)),
            models.load,
            models.held_out,
        ),
        held_out=held_out(project, window),
    )


def card_metadata(
    primary: str, card: ModelCard, models: ModelStore, datasets: DatasetStore
) -> Metadata:
    """A card as metadata: numbers plot, the rest reads."""
    holdout = {f"holdout_{name}": number(value) for name, value in card.holdout.items()}
    main = f"holdout_{primary}"
    how = ", ".join(filter(None, [f"{card.days} days, {card.rows:,} rows", card.window]))
    learned = f"From {card.trained_from} through {card.trained_through}: {how}."
    first = {
        **({main: holdout[main]} if main in holdout else {}),
        "fit_seconds": number(card.fit_seconds),
        "learned": dg.MetadataValue.md(f"`{card.version}`\n\n{learned}"),
        **({} if card.accepted else {"not_accepted": dg.MetadataValue.md(_refusal(card, models))}),
        "hyperparameters": dg.MetadataValue.json(card.hyperparameters),
        "holdout": markdown_table(
            [*card.holdout], [[f"{value:.4g}" for value in card.holdout.values()]]
        ),
        "important_features": markdown_table(
            ["feature", "error added when shuffled"],
            [[name, f"{n:.4g}"] for name, n in list(card.importance.items())[:SHOWN_INPUTS]],
        ),
    }
    rest = {
        "version": card.version,
        "family": card.family,
        "accepted": card.accepted,
        "rows": card.rows,
        "days": card.days,
        "trained_from": str(card.trained_from),
        "trained_through": str(card.trained_through),
        **({"window": card.window} if card.window else {}),
        **({"weights": card.weights} if card.weights else {}),
        "size_bytes": card.size,
        "sha256": card.sha256,
        "holdout_from": str(card.holdout_from),
        "holdout_rows": card.holdout_rows,
        **holdout,
        "training_set_sha256": card.training_set_sha256,
        "training_set_path": datasets.url("training_set", card.month),
        "code_version": card.code_version,
        "path": models.url(card),
    }
    return overview(first, rest)


def _refusal(card: ModelCard, models: ModelStore) -> str:
    """That a version does not enter service, what serves in its place, and why."""
    reasons = [f"- {name}: {check.why}" for name, check in card.checks.items() if not check.passed]
    serving = models.in_service(card.model, card.serves_from)
    goes_on = f"`{serving.version}` goes on" if serving else "no version of it serves"
    told = [f"`{card.version}` is not accepted. It does not serve; {goes_on}.", *reasons]
    if serving is None and card.refused:
        told += ["", SHADOW_MEANS]
    return "\n".join(told)


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
