"""What every management job works with: what there is, what is recorded, what is computed next."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dagster as dg

from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, make_partitions, ranges, run_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB, REGISTRY_JOB, failure_reasons
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.champions import newest_record
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

ASKED_BY_TAG = "mlops_assets/asked_by"
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}

MakeDefinitions = Callable[[Project, Storage], dg.Definitions]
Keys = Sequence[dg.AssetKey]


class RefusedError(ValueError):
    """What was asked cannot be done; nothing was changed."""


class Manager:
    """What a management job works with, in one run of it.

    `base` is the project of `project.yaml` alone; created models are added when they are needed.
    """

    def __init__(
        self,
        base: Project,
        storage: Storage,
        make_definitions: MakeDefinitions,
        context: dg.OpExecutionContext,
    ) -> None:
        self.base, self.storage, self.context = base, storage, context
        self.registry = Registry(storage)
        self.datasets, self.models = DatasetStore(storage), ModelStore(storage)
        self.partitions: Partitions = make_partitions(base, storage)
        self.failures: list[str] = []
        self._make_definitions = make_definitions

    @property
    def project(self) -> Project:
        """The project with the models that there are by now."""
        return self.registry.apply(self.base)[0]

    @property
    def definitions(self) -> dg.Definitions:
        """Those of the project with the models that there are by now."""
        return self._make_definitions(self.base, self.storage)

    @property
    def champion(self) -> str:
        """The model that is champion from the newest decided day on."""
        record = newest_record(self.datasets, damaged={})
        return record.next_champion if record else self.base.first_champion

    def known_model(self, name: str) -> ModelSettings:
        """A model by its name. RefusedError when there is none."""
        try:
            return self.project.model(name)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def find(self, version: str) -> ModelCard:
        """A stored version. RefusedError when there is none."""
        try:
            return self.models.find(version)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def record(self, action: Action, name: str, **facts: Any) -> None:
        """Add to the audit trail."""
        self.models.decisions.record(action, name, run_id=self.context.run_id, **facts)

    def evaluate(self, definitions: dg.Definitions, keys: Keys, days: Iterable[str]) -> None:
        """Evaluate the days whose features are there, in one run if they follow each other."""
        self._run_days(definitions, keys, {*self.datasets.keys("features")}.intersection(days))

    def rank(self, definitions: dg.Definitions, days: Iterable[str]) -> None:
        """Rank again the days that are ranked already."""
        there = {*self.datasets.keys("leaderboard")}.intersection(days)
        self._run_days(definitions, [asset_key(self.base, "leaderboard")], there)

    def refresh_registry(self, definitions: dg.Definitions) -> None:
        """Write the table of all models and versions again."""
        self.run(definitions, REGISTRY_JOB, [asset_key(self.base, "model_registry")])

    def _run_days(self, definitions: dg.Definitions, keys: Keys, days: set[str]) -> None:
        wanted = dict.fromkeys(keys, days)
        for (first, last), assets in ranges(wanted, self.partitions.daily).items():
            self.run(definitions, EVALUATE_JOB, assets, first, last)

    def run(
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
