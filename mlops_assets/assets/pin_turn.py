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

STARTED = dt.datetime.now(dt.UTC)  # models that were dropped before are not known here any more
PIN_SECONDS = 600.0  # that a pin waits for another decision


@contextmanager
def turn_of_pin(
    context: dg.AssetExecutionContext, storage: Storage, asked: str | bool
) -> Iterator[None]:
    """Hold the turn while a pin of a model is decided, or whether one is taken back.

    Where neither is asked, nothing is held. ValueError when the model was dropped meanwhile, or is
    about to be, or the turn is not to be had.
    """
    if not asked:
        yield
        return
    model = str(asked)
    turns, deadline = Turns(storage), time.monotonic() + PIN_SECONDS

    def wait(holder: Turn) -> None:
        if time.monotonic() > deadline:
            raise ValueError(
                f"{holder.job} of the run {holder.run_id} is under way ({holder.process}); run "
                "this again once it has ended"
            )

    mine = turns.take(
        Turn(process=this_process(), run_id=context.run.run_id, job="pin", asked={"pin": model}),
        lambda turn: holds_turn(context.instance, turn, context.run.run_id),
        wait,
    )
    try:
        for name, begun in turns.begun_before(mine).items():
            decided = begun.decision
            if decided is None:
                turns.end(name)  # left behind before anything was decided
            elif (decided.action, decided.model) == (Action.DROP, model):
                raise ValueError(f"{begun.job} of {model} was begun; run that again first")
        came_or_went = (Action.CREATE, Action.DROP)
        known = [d for d in Decisions(storage).all() if d.action in came_or_went]
        last = next((d for d in reversed(known) if d.model == model), None)
        if last is not None and last.action is Action.DROP and last.at > STARTED:
            raise ValueError(f"{model} was dropped at {last.at:%Y-%m-%d %H:%M:%S} UTC")
        yield
    finally:
        turns.end(mine)
