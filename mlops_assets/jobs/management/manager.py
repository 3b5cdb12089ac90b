"""What every management job works with: what there is, what is recorded, what is computed next."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import dagster as dg

from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, make_partitions, ranges, run_tags
from mlops_assets.graph.runs import holds_turn
from mlops_assets.jobs.evaluate import EVALUATE_JOB, REGISTRY_JOB
from mlops_assets.jobs.running import Work, carry_out, on_queue, run_here
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

    def train(
        self, definitions: dg.Definitions, job: str, key: dg.AssetKey, months: Collection[str]
    ) -> None:
        """Train a model for months: side by side where runs go on the queue, each judged after the
        one before it."""
        spans = list(ranges({key: months}, self.partitions.monthly))
        if on_queue(self.context.instance):
            spans = [(month, month) for month in sorted(months)]
        works = [self._work(job, [key], *span, follows=True) for span in spans]
        self._runs(definitions, works)

    def evaluate(self, definitions: dg.Definitions, keys: Keys, days: Iterable[str]) -> None:
        """Evaluate the days whose features are there, in one run if they follow each other, or one
        for each asset where runs go on the queue."""
        there = {*self.datasets.keys("features")}.intersection(days)
        apart = [[key] for key in keys] if on_queue(self.context.instance) else [keys]
        spans = ranges(dict.fromkeys(keys, there), self.partitions.daily)
        works = [self._work(EVALUATE_JOB, some, *span) for span in spans for some in apart]
        self._runs(definitions, works)

    def rank(self, definitions: dg.Definitions, days: Iterable[str]) -> None:
        """Rank again the days that are ranked already."""
        there = {*self.datasets.keys("leaderboard")}.intersection(days)
        board = asset_key(self.base, "leaderboard")
        for first, last in ranges({board: there}, self.partitions.daily):
            self.run(definitions, EVALUATE_JOB, [board], first, last)

    def refresh_registry(self, definitions: dg.Definitions) -> None:
        """Write the table of all models and versions again."""
        self.run(definitions, REGISTRY_JOB, [asset_key(self.base, "model_registry")])

    def run(
        self,
        definitions: dg.Definitions,
        job: str,
        keys: Keys,
        first: str = "",
        last: str = "",
    ) -> None:
        """A run of its own in this process; what fails in it is kept for the end."""
        work = self._work(job, keys, first, last)
        self.failures += run_here(work, definitions, self.context.instance)

    def _work(
        self, job: str, keys: Keys, first: str = "", last: str = "", *, follows: bool = False
    ) -> Work:
        names = ", ".join(key.to_user_string() for key in keys)
        days = f" from {first} through {last}" if first else ""
        self.context.log.info(f"Materializing {names}{days}.")
        tags = {ASKED_BY_TAG: self.context.run_id, **(run_tags(first, last) if first else {})}
        return Work(job, keys, tags, follows)

    def _runs(self, definitions: dg.Definitions, works: Sequence[Work]) -> None:
        instance = self.context.instance
        self.failures += carry_out(self.base, works, definitions, instance)
