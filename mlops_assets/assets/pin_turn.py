"""A pin takes its turn among the decisions, so that no model is pinned that is dropped."""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.graph.runs import holds_turn
from mlops_assets.resources.processes import this_process
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.decisions import Action, Decisions
from mlops_assets.resources.stores.turns import Turn, Turns

PIN_SECONDS = 600.0  # that a pin waits for another decision


@contextmanager
def turn_of_pin(
    context: dg.AssetExecutionContext, storage: Storage, model: str, known_at: dt.datetime
) -> Iterator[None]:
    """Hold the turn while a pin is decided of a model that there was at a moment.

    ValueError when it was dropped since, or is about to be, or the turn is not to be had.
    """
    turns, deadline = Turns(storage), time.monotonic() + PIN_SECONDS

    def wait(holder: Turn) -> None:
        if time.monotonic() > deadline:
            raise ValueError(
                f"{holder.job} of the run {holder.run_id} is under way ({holder.process}); run "
                "this again once it has ended"
            )

    mine = turns.take(
        Turn(process=this_process(), run_id=context.run.run_id, job="pin", asked={"pin": model}),
        lambda turn: holds_turn(context.instance, turn.process, turn.run_id, context.run.run_id),
        wait,
    )
    try:
        for name, begun in turns.begun_before(mine).items():
            decided = begun.decision
            if decided is None:
                turns.end(name)  # left behind before anything was decided
            elif (decided.action, decided.model) == (Action.DROP, model):
                raise ValueError(f"{begun.job} of {model} was begun; run that again first")
        for decision in Decisions(storage).all():
            dropped = (decision.action, decision.model) == (Action.DROP, model)
            if dropped and decision.at > known_at:
                raise ValueError(f"{model} was dropped at {decision.at:%Y-%m-%d %H:%M:%S} UTC")
        yield
    finally:
        turns.end(mine)
