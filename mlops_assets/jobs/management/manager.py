"""What every management job works with: what there is, what is recorded, what is computed next."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import dagster as dg

from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, make_partitions, ranges, run_tags
from mlops_assets.graph.runs import holds_turn, process_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB, REGISTRY_JOB, failure_reasons
from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.processes import this_process
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.champions import newest_record
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action, Decision, made
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.stores.turns import Turn, Turns

ASKED_BY_TAG = "mlops_assets/asked_by"
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}

MakeDefinitions = Callable[[Project, Storage], dg.Definitions]
Keys = Sequence[dg.AssetKey]
CarryOut = Callable[["Manager", Decision, Mapping[str, Any]], str]
"""Applies a decision that is recorded; it may be called again after it was killed half-way."""


TURN_SECONDS = 600.0  # that a decision waits for another one


class RefusedError(ValueError):
    """What was asked cannot be done; nothing was changed."""


class Decided(NamedTuple):
    """What a job has decided, and what carrying it out needs beside the decision itself."""

    decision: Decision
    facts: Mapping[str, Any] = {}


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
        carry_out: Mapping[str, CarryOut],
    ) -> None:
        self.base, self.storage, self.context = base, storage, context
        self._carry_out = carry_out
        self.turns = Turns(storage)
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

    def made(self, action: Action, name: str, **facts: Any) -> Decision:
        """A decision of this run, which is not recorded yet."""
        return made(action, name, run_id=self.context.run_id, **facts)

    def decide(self, job: str, asked: dict[str, Any], check: Callable[[], Decided]) -> str:
        """Check and carry out in a turn of its own, after what was begun before; what came of it.

        Where that was the same, it is completed and nothing is decided anew. What is decided is
        written down first and every step can be repeated, so that a kill costs nothing for good.
        """
        turn = Turn(process=this_process(), run_id=self.context.run_id, job=job, asked=asked)
        mine = self._take(turn)
        completed = self._complete_what_was_begun(mine, turn)
        if completed is None:
            try:
                decision, facts = check()
            except RefusedError:
                self.turns.end(mine)
                raise
            kept = turn.model_copy(update={"decision": decision, "facts": dict(facts)})
            # from its file, as whoever completes it will see it
            kept = Turn.model_validate_json(kept.model_dump_json())
            self.turns.keep(mine, kept)
            completed = self._carried_out(kept)
        self.turns.end(mine)
        return completed

    def _take(self, turn: Turn) -> str:
        deadline = time.monotonic() + TURN_SECONDS
        told = set()

        def wait(holder: Turn) -> None:
            if holder.run_id not in told:
                told.add(holder.run_id)
                self.context.log.info(f"Waiting for {holder.job} of the run {holder.run_id}.")
            if time.monotonic() > deadline:
                raise RefusedError(
                    f"{holder.job} of the run {holder.run_id} is under way ({holder.process}); "
                    f"run this again once it has ended, or delete {self.turns.log.storage.root}/"
                    f"{self.turns.log.folder} where no such process is left"
                )

        instance, own = self.context.instance, self.context.run_id
        return self.turns.take(turn, lambda holder: holds_turn(instance, holder, own), wait)

    def _complete_what_was_begun(self, mine: str, asked: Turn) -> str | None:
        """Carry out what killed runs have left; what came of it where the same was asked."""
        completed = None
        for name, begun in self.turns.begun_before(mine).items():
            if begun.decision is not None:
                self.context.log.info(f"Completing {begun.job} of the run {begun.run_id}.")
                try:
                    summary = self._carried_out(begun)
                except (ValueError, StorageError) as error:
                    raise RefusedError(
                        f"{begun.job} of the run {begun.run_id} was begun and cannot be completed: "
                        f"{error}. Mend that, or give it up by deleting {self.turns.url(name)}"
                    ) from error
                if (begun.job, begun.asked) == (asked.job, asked.asked):
                    completed = summary
            self.turns.end(name)
        return completed

    def _carried_out(self, turn: Turn) -> str:
        assert turn.decision is not None
        self.models.decisions.add(turn.decision)
        return self._carry_out[turn.job](self, turn.decision, turn.facts)

    def materialized(self, key: dg.AssetKey) -> set[str]:
        """The partitions of an asset that the event log knows."""
        return self.context.instance.get_materialized_partitions(key)

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
        run_id = str(uuid.uuid4())
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=self.context.instance,
            asset_selection=list(keys),
            run_id=run_id,
            tags={ASKED_BY_TAG: self.context.run_id, **process_tags(run_id)}
            | (run_tags(first, last) if first and last else {}),
            run_config=QUIET,
            raise_on_error=False,
        )
        self.failures += failure_reasons(result)
