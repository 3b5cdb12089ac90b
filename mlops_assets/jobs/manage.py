"""Managing models while the system runs: create, update and drop them, retire and restore versions.

Each job checks first, then records what was decided, and computes at once what follows from it.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import yaml
from pydantic import ValidationError

from mlops_assets.assets.models import hyperparameters_form
from mlops_assets.assets.performance_checks import forget
from mlops_assets.graph.keys import OF_MODELS, asset_key, asset_page
from mlops_assets.graph.partitions import (
    LONG,
    Partitions,
    add_months,
    day_of,
    days_between,
    make_partitions,
    ranges,
    run_tags,
)
from mlops_assets.graph.runs import project_tags
from mlops_assets.jobs.evaluate import (
    EVALUATE_JOB,
    REGISTRY_JOB,
    Job,
    failure_reasons,
    retrain_job_name,
)
from mlops_assets.ml.metrics.metric import Task
from mlops_assets.ml.models.families import FAMILIES, default_name, parse_hyperparameters
from mlops_assets.ml.selection.versions import serving
from mlops_assets.project import IDENTIFIER, Cadence, ModelSettings, Project
from mlops_assets.project.workspace import location
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.champions import CHAMPION, newest_record
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.web import reload_definitions, web_url

CREATE_JOB, UPDATE_JOB, DROP_JOB = "create_model_job", "update_model_job", "drop_model_job"
RETIRE_JOB, RESTORE_JOB = "retire_version_job", "restore_version_job"
FIRST_FAMILY: dict[Task, str] = {
    "regression": "hist_gradient_boosting",
    "classification": "hist_gradient_boosting_classifier",
}
DECISION_TAG = "mlops_assets/decision"  # of which the instance lets one run at a time per value
ASKED_BY_TAG = "mlops_assets/asked_by"
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}

MakeDefinitions = Callable[[Project, Storage], dg.Definitions]
Keys = Sequence[dg.AssetKey]


class RefusedError(ValueError):
    """What was asked cannot be done; nothing was changed."""


class Manager:
    """What the management jobs do, in one run of one of them.

    `project` is that of `project.yaml` alone; created models are added when they are needed.
    """

    def __init__(
        self,
        project: Project,
        storage: Storage,
        make_definitions: MakeDefinitions,
        context: dg.OpExecutionContext,
    ) -> None:
        self.base, self.storage, self.make_definitions = project, storage, make_definitions
        self.context = context
        self.registry = Registry(storage)
        self.datasets, self.models = DatasetStore(storage), ModelStore(storage)
        self.partitions: Partitions = make_partitions(project, storage)
        self.failures: list[str] = []

    @property
    def project(self) -> Project:
        """The project with the models that there are by now."""
        return self.registry.apply(self.base)[0]

    @property
    def champion(self) -> str:
        """The model that is champion from the newest decided day on."""
        record = newest_record(self.datasets, damaged={})
        return record.next_champion if record else self.base.first_champion

    def create(
        self,
        family: str,
        values: Mapping[str, Any],
        name: str,
        cadence: str,
        past_days: int,
        **decided: str,
    ) -> str:
        """Record a model, train it and evaluate it on the past days; a sentence that sums it up."""
        try:
            hyperparameters = parse_hyperparameters(family, values)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        name = name or default_name(family, hyperparameters)
        project = self.project
        try:
            model = ModelSettings(
                name=name,
                family=family,
                hyperparameters=hyperparameters.model_dump(mode="json"),
                cadence=Cadence(cadence),
            )
            self._refuse_taken(project, name)
            project.with_models([*project.models, model])
        except ValidationError as error:
            mistakes = (detail["msg"].removeprefix("Value error, ") for detail in error.errors())
            raise RefusedError("; ".join(mistakes)) from error
        try:
            self.registry.create(model)
        except FileExistsError:
            self._refuse_taken(self.project, name)
            raise
        settings = model.model_dump(mode="json", exclude={"name"})
        self._record(Action.CREATE, name, after=settings, **decided)
        shown = reload_definitions(location(self.base))
        self._train_and_evaluate(name, past_days)
        accepted = self.models.fit_to_serve(name)
        state = (
            f"in service since {accepted[-1].serves_from}"
            if accepted
            else "not in service, since no version of it was accepted"
        )
        page = web_url(asset_page(self.base, "models", name))
        self.context.add_output_metadata(
            {
                "model": dg.MetadataValue.asset(asset_key(self.base, "models", name)),
                "page": dg.MetadataValue.url(page),
                "days": dg.MetadataValue.url(web_url(asset_page(self.base, "validation", name))),
                "settings": dg.MetadataValue.md(f"```yaml\n{_as_yaml(model)}```"),
                "definitions": shown,
            }
        )
        return f"{name} is created and {state}: {page} ({shown})"

    def _refuse_taken(self, project: Project, name: str) -> None:
        for model in project.models:
            if model.name == name:
                raise RefusedError(
                    f"there is a model {name!r} already; choose another name. "
                    f"It is defined as:\n{_as_yaml(model)}"
                )
        if name in self.registry.created():
            raise RefusedError(
                f"there is a file of a model {name!r} already, which cannot be used as it is; see "
                "left_out of model_registry, and correct it or drop the model"
            )
        if self.models.cards(name):
            raise RefusedError(
                f"versions of a dropped model {name!r} are still stored; choose another name, or "
                f"run {DROP_JOB} with delete_stored: {name}"
            )

    def _train_and_evaluate(self, name: str, past_days: int) -> None:
        """The versions that the past days and today need, then these days."""
        today = self.base.today()
        first = max(today - dt.timedelta(days=past_days), self.partitions.first_month)
        months = []
        month = add_months(first, 0)
        while month <= today:
            months.append(str(month))
            month = add_months(month, 1)
        missing = set(months) - set(self.datasets.keys("training_set"))
        definitions = self.make_definitions(self.base, self.storage)
        for key, wanted in (
            (asset_key(self.base, "training_set"), missing),
            (asset_key(self.base, "models", name), set(months)),
        ):
            for start, end in ranges({key: wanted}, self.partitions.monthly):
                self._run(definitions, retrain_job_name(name), [key], start, end)
        days = days_between(first, self.base.due_end(today))
        self._evaluate(definitions, [asset_key(self.base, "validation", name)], days)
        self._leaderboards(definitions, days)
        self._refresh_registry(definitions)

    def update(self, name: str, version: str, values: Mapping[str, Any], **decided: str) -> str:
        """Give a model other default hyperparameters, those of a version or those given."""
        model = self._known_model(name)
        if bool(version) == bool(values):
            raise RefusedError("give adopt_version or hyperparameters, one of them")
        if version:
            card = self._find(version)
            if card.model != name:
                raise RefusedError(f"{version} is a version of {card.model}, not of {name}")
            if card.family != model.family:
                raise RefusedError(
                    f"{version} is of the family {card.family}, {name} {model.family}"
                )
            values = card.hyperparameters
        try:
            changed_to = parse_hyperparameters(model.family, values)
            FAMILIES[model.family].check(changed_to, self.project.inputs)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        after = changed_to.model_dump(mode="json")
        before = parse_hyperparameters(model.family, model.hyperparameters).model_dump(mode="json")
        if before == after:
            raise RefusedError(f"{name} has these hyperparameters already: {after}")
        self.registry.update(self.base, name, after)
        changed = [key for key in after if before[key] != after[key]]
        self._record(
            Action.UPDATE,
            name,
            version=version,
            before={key: before[key] for key in changed},
            after={key: after[key] for key in changed},
            **decided,
        )
        shown = reload_definitions(location(self.base))
        self._refresh_registry(self.make_definitions(self.base, self.storage))
        changes = ", ".join(f"{key} {before[key]} to {after[key]}" for key in changed)
        return f"{name} is trained from now on with {changes} ({shown})"

    def drop(self, name: str, delete_stored: str, **decided: str) -> str:
        """Take a created model out of the running system, and what is stored of it if asked."""
        if name in (model.name for model in self.base.models):
            raise RefusedError(f"{name} is named in project.yaml; remove it there")
        if delete_stored not in ("", name):
            raise RefusedError(
                f"delete_stored = {delete_stored!r} does not repeat the name {name!r}; type it "
                "again to delete its stored versions and metrics, or leave it empty to keep them"
            )
        if name == self.champion:
            raise RefusedError(
                f"{name} is the champion; materialize champion with a pin of another model first"
            )
        created = name in self.registry.created()
        plain = IDENTIFIER.fullmatch(name) is not None
        leftovers = plain and bool(self.storage.names(f"models/{name}"))
        if not created and not (leftovers and delete_stored):
            names = ", ".join(self.registry.created()) or "none"
            raise RefusedError(f"{name!r} is no created model; those that can be dropped: {names}")
        self.registry.drop(name)
        stored = "deleted" if delete_stored else "kept"
        self._record(Action.DROP, name, after={"stored versions": stored}, **decided)
        shown = reload_definitions(location(self.base))
        if delete_stored:
            self.models.delete(name)
            forget(name, self.datasets)
            assets = [asset_key(self.base, kind, name) for kind in OF_MODELS]
            known = [key for key in assets if self.context.instance.has_asset_key(key)]
            if known:
                self.context.instance.wipe_assets(known)
        definitions = self.make_definitions(self.base, self.storage)
        self._leaderboards(definitions, self.datasets.keys("leaderboard")[-1:])
        self._refresh_registry(definitions)
        return f"{name} is dropped, its stored versions are {stored} ({shown})"

    def retire(self, version: str, evaluate_past: bool, **decided: str) -> str:
        """Take a version out of service; the one before it takes over."""
        card = self._find(version)
        self._known_model(card.model)
        if not card.accepted:
            raise RefusedError(f"{version} was not accepted: it never serves")
        if version in self.models.decisions.retired(card.model):
            raise RefusedError(f"{version} is retired already")
        today = self.base.today()
        others = [other for other in self.models.fit_to_serve(card.model) if other != card]
        successor = serving(others, today)
        if card.model == self.champion and successor is None:
            raise RefusedError(
                f"{version} is the only version of the champion that may serve; train another, or "
                "materialize champion with a pin of another model first"
            )
        after = {"in service": successor.version if successor else "none"}
        return self._decide_on(Action.RETIRE, card, after, evaluate_past, **decided)

    def restore(self, version: str, evaluate_past: bool, **decided: str) -> str:
        """Take back that a version was retired."""
        card = self._find(version)
        self._known_model(card.model)
        if version not in self.models.decisions.retired(card.model):
            raise RefusedError(f"{version} is not retired")
        cards = sorted(
            [*self.models.fit_to_serve(card.model), card],
            key=lambda known: (known.trained_through, known.created),
        )
        now = serving(cards, self.base.today())
        after = {"in service": now.version if now else "none"}
        return self._decide_on(Action.RESTORE, card, after, evaluate_past, **decided)

    def _decide_on(
        self,
        action: Action,
        card: ModelCard,
        after: Mapping[str, str],
        evaluate_past: bool,
        **decided: str,
    ) -> str:
        """Record a decision on a version, then compute what follows from it."""
        now = self.models.in_service(card.model, self.base.today())
        before = {"in service": now.version if now else "none"}
        self._record(
            action, card.model, version=card.version, before=before, after=after, **decided
        )
        definitions = self.make_definitions(self.base, self.storage)
        days = self._days_of(card) if evaluate_past else []
        if days:
            baseline = card.model == self.base.evaluation.baseline
            names = [model.name for model in self.project.models] if baseline else [card.model]
            scores = [asset_key(self.base, "validation", name) for name in names]
            self._evaluate(definitions, scores, days)
            last = day_of(days[-1]) + dt.timedelta(days=LONG)
            self._leaderboards(definitions, days_between(day_of(days[0]), last))
        if card.model == self.champion and (newest := self.datasets.keys(CHAMPION)[-1:]):
            keys = [asset_key(self.base, "champion"), asset_key(self.base, "forecast")]
            self._run(definitions, EVALUATE_JOB, keys, newest[0], newest[0])
        self._refresh_registry(definitions)
        done = "retired" if action == Action.RETIRE else "restored"
        past = f"{len(days)} past days were evaluated again" if evaluate_past else "past days stay"
        return (
            f"{card.version} of {card.model} is {done}; in service: {after['in service']}; {past}"
        )

    def _days_of(self, card: ModelCard) -> list[str]:
        """The evaluated days that a version scored but may not, or scores from now on."""
        cards = self.models.fit_to_serve(card.model)
        dataset = f"validation/{card.model}"
        first = card.trained_through
        done = self.context.instance.get_materialized_partitions(
            asset_key(self.base, "validation", card.model)
        )
        days = sorted(key for key in {*self.datasets.keys(dataset), *done} if day_of(key) > first)
        frame = self.datasets.read(dataset, days, {})
        stored = {} if frame.empty else frame.groupby("date")["version"].first().to_dict()
        found = {f"{day:%Y-%m-%d}": version for day, version in stored.items()}
        affected = []
        for key in days:
            serves = serving(cards, day_of(key))
            versions = {found.get(key, ""), serves.version if serves else ""}
            if len(versions) > 1 and card.version in versions:
                affected.append(key)
        return affected

    def _known_model(self, name: str) -> ModelSettings:
        try:
            return self.project.model(name)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def _find(self, version: str) -> ModelCard:
        try:
            return self.models.find(version)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def _record(self, action: Action, name: str, **facts: Any) -> None:
        self.models.decisions.record(action, name, run_id=self.context.run_id, **facts)

    def _evaluate(self, definitions: dg.Definitions, keys: Keys, days: Iterable[str]) -> None:
        """Evaluate the days whose features are there, in one run if they follow each other."""
        there = set(self.datasets.keys("features"))
        days = there.intersection(days)
        wanted = dict.fromkeys(keys, days)
        for (first, last), assets in ranges(wanted, self.partitions.daily).items():
            self._run(definitions, EVALUATE_JOB, assets, first, last)

    def _leaderboards(self, definitions: dg.Definitions, days: Iterable[str]) -> None:
        """Rank again the days that are ranked already."""
        there = set(self.datasets.keys("leaderboard"))
        wanted = {asset_key(self.base, "leaderboard"): {day for day in days if day in there}}
        for (first, last), assets in ranges(wanted, self.partitions.daily).items():
            self._run(definitions, EVALUATE_JOB, assets, first, last)

    def _refresh_registry(self, definitions: dg.Definitions) -> None:
        self._run(definitions, REGISTRY_JOB, [asset_key(self.base, "model_registry")])

    def _run(
        self,
        definitions: dg.Definitions,
        job: str,
        keys: Keys,
        first: str | None = None,
        last: str | None = None,
    ) -> None:
        """A run of its own in this process; what fails in it is kept for the end."""
        names = ", ".join(key.to_user_string() for key in keys)
        days = f" from {first} through {last}" if first else ""
        self.context.log.info(f"Materializing {names}{days}.")
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=self.context.instance,
            asset_selection=list(keys),
            tags={ASKED_BY_TAG: self.context.run_id}
            | (run_tags(first, last) if first and last else {}),
            run_config=QUIET,
            raise_on_error=False,
        )
        self.failures += failure_reasons(result)


def make_management_jobs(
    project: Project,
    models: Sequence[ModelSettings],
    storage: Storage,
    make_definitions: MakeDefinitions,
) -> list[Job]:
    """The five jobs; `project` is that of `project.yaml` alone, `models` are all there are."""

    def job(
        name: str,
        description: str,
        schema: Mapping[str, dg.Field],
        act: Callable[[Manager, Mapping[str, Any]], str],
    ) -> Job:
        @dg.op(name=name.removesuffix("_job"), config_schema=dict(schema), out=dg.Out(str))
        def decide(context: dg.OpExecutionContext) -> str:
            manager = Manager(project, storage, make_definitions, context)
            try:
                summary = act(manager, context.op_config)
            except RefusedError as error:
                raise dg.Failure(f"Nothing was changed: {error}", allow_retries=False) from error
            context.log.info(summary)
            if manager.failures:
                reasons = "\n".join(manager.failures)
                raise dg.Failure(
                    f"{summary}\nWhat follows from it failed in part:\n{reasons}",
                    allow_retries=False,
                )
            return summary

        @dg.job(
            name=name,
            description=description,
            tags={DECISION_TAG: location(project), **project_tags(project)},
            executor_def=dg.in_process_executor,
        )
        def decision() -> None:
            decide()

        return decision

    first_family = FIRST_FAMILY[project.task]
    who = {
        "reason": dg.Field(str, default_value="", description="Why; it is kept."),
        "by": dg.Field(
            str,
            default_value="",
            description="Who decides; empty: the account that runs this.",
        ),
    }
    of_a_version = {
        "version": dg.Field(str, description="A version, as on its model's page."),
        "evaluate_past": dg.Field(
            bool,
            default_value=False,
            description="Whether the past days that this touches are evaluated again, in one run.",
        ),
        **who,
    }
    return [
        job(
            CREATE_JOB,
            "Makes a model: records it, trains it, evaluates it on the past days.",
            {
                "family": dg.Field(
                    dg.Selector(
                        {
                            family.name: dg.Field(
                                dg.Shape(hyperparameters_form(family.name, {}).to_fields_dict()),
                                description=family.description,
                            )
                            for family in FAMILIES.values()
                            if project.task in family.tasks
                        }
                    ),
                    # what the launchpad starts from: one family, not all of them
                    default_value={first_family: _form_defaults(first_family, {})},
                    description="The kind of model, with its hyperparameters under it.",
                ),
                "name": dg.Field(
                    str,
                    default_value="",
                    description=(
                        "Lower-case letters, digits and underscores; empty: the family and what "
                        "differs from its defaults."
                    ),
                ),
                "cadence": dg.Field(
                    dg.Enum("Cadence", [dg.EnumValue(cadence.value) for cadence in Cadence]),
                    default_value=Cadence.MONTHLY.value,
                    description="How often its schedule retrains it.",
                ),
                "evaluate_past_days": dg.Field(
                    int,
                    default_value=LONG,
                    description=(
                        "How many past days it is evaluated on, each by a version that learned "
                        "only from days before; the months needed are trained."
                    ),
                ),
                **who,
            },
            _create,
        ),
        job(
            UPDATE_JOB,
            "Gives a model other default hyperparameters, such as those of a version.",
            {
                "model": dg.Field(
                    dg.Selector({model.name: _update_form(model) for model in models}),
                    default_value={
                        models[-1].name: {
                            "hyperparameters": _form_defaults(
                                models[-1].family, models[-1].hyperparameters
                            )
                        }
                    },
                    description="The model, and under it one of the two.",
                ),
                **who,
            },
            _update,
        ),
        job(
            DROP_JOB,
            "Takes a created model out of the running system: its assets and its schedule.",
            {
                "model": dg.Field(str, description="A model made by create_model_job."),
                "delete_stored": dg.Field(
                    str,
                    default_value="",
                    description=(
                        "The name again, to delete its stored versions and metrics for good."
                    ),
                ),
                **who,
            },
            lambda manager, config: manager.drop(
                config["model"], config["delete_stored"], **_decided(config)
            ),
        ),
        job(
            RETIRE_JOB,
            "Rolls back: a version serves no more day, the one before it takes over.",
            of_a_version,
            lambda manager, config: manager.retire(**config),
        ),
        job(
            RESTORE_JOB,
            "Takes back that a version was retired.",
            of_a_version,
            lambda manager, config: manager.restore(**config),
        ),
    ]


def _create(manager: Manager, config: Mapping[str, Any]) -> str:
    [(family, values)] = config["family"].items()
    days = config["evaluate_past_days"]
    if not 0 <= days <= 3660:
        raise RefusedError(f"evaluate_past_days = {days} is not from 0 to 3660")
    return manager.create(
        family, values or {}, config["name"], config["cadence"], days, **_decided(config)
    )


def _update(manager: Manager, config: Mapping[str, Any]) -> str:
    [(name, change)] = config["model"].items()
    return manager.update(
        name,
        change.get("adopt_version", ""),
        change.get("hyperparameters", {}),
        **_decided(config),
    )


def _update_form(model: ModelSettings) -> dg.Field:
    """What update_model_job asks of a model."""
    form = hyperparameters_form(model.family, model.hyperparameters)
    return dg.Field(
        dg.Shape(
            {
                "adopt_version": dg.Field(
                    str, is_required=False, description="A version to take them from."
                ),
                "hyperparameters": dg.Field(
                    dg.Shape(form.to_fields_dict()),
                    is_required=False,
                    description=f"Hyperparameters of {model.family}.",
                ),
            }
        )
    )


def _form_defaults(family: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return parse_hyperparameters(family, defaults).model_dump(mode="json")


def _decided(config: Mapping[str, Any]) -> dict[str, str]:
    return {"reason": config["reason"], "by": config["by"]}


def _as_yaml(model: ModelSettings) -> str:
    return yaml.safe_dump(model.model_dump(mode="json"), sort_keys=False)
