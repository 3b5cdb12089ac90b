"""The champion: which model is live on a day, since when and why, and who follows."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.candidates import Candidates, Tried
from mlops_assets.assets.datasets import stored, window
from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.overviews import decision_overview
from mlops_assets.assets.partitioned import daily
from mlops_assets.assets.pin_turn import turn_of_pin
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import (
    Metadata,
    Outcomes,
    PartitionError,
    report,
)
from mlops_assets.assets.run_config import RunConfig
from mlops_assets.assets.validation import (
    GROUP,
    is_live,
    read_forecasts,
    read_sums,
    without_warm_up,
)
from mlops_assets.graph.attribution import decided_by
from mlops_assets.graph.partitions import Partitions, day_of, days_between
from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.day_sums import DaySums
from mlops_assets.ml.metrics.metric import Metric, group_scores
from mlops_assets.ml.metrics.scores import common_rows
from mlops_assets.ml.selection.gate import (
    Evidence,
    Paired,
    PairedDays,
    Rule,
    compare,
    paired,
)
from mlops_assets.ml.selection.versions import Chosen
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.champions import CHAMPION, Record, live_record, newest_record
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action, Pin
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore

EVIDENCE = "champion_evidence"
KEPT = (
    "was decided, and a later day as well: who was champion then is a fact. To decide it again by "
    "what is known now, say `revise: true` and a `reason` in the run config"
)


class ChampionConfig(RunConfig):
    """A pin set or taken back by hand; empty, the scores decide."""

    pin: str = Field(
        default="",
        description=(
            "A model that is to be champion from the day after the partition, or with "
            "evaluation.label_delay_days so many days later, whatever the scores say."
        ),
    )
    until: str = Field(
        default="",
        description="The last day of the pin, such as 2026-01-31; empty: until it is taken back.",
    )
    unpin: bool = Field(default=False, description="Take the pin back: the scores decide again.")
    revise: bool = Field(
        default=False,
        description=(
            "Decide days again of which a later one is decided, by what is known now. Who was "
            "champion then is a fact otherwise; what was changed is kept with its reason."
        ),
    )
    reason: str = Field(
        default="", description="Why; it is kept, and needed for a pin and to revise."
    )
    by: str = Field(default="", description="Who decides; empty: the account that runs this.")

    @property
    def in_one_go(self) -> bool:
        return bool(self.pin or self.unpin or self.revise)


def make_champion(graph: Graph) -> dg.AssetsDefinition:
    project, partitions = graph.project, graph.partitions

    @daily(graph, CHAMPION, group=GROUP, kinds={"pandas"}, metadata={})
    def champion(
        context: dg.AssetExecutionContext,
        config: ChampionConfig,
        readers: dg.ResourceParam[Readers],
    ) -> Iterator[Any]:
        """Who is live on the day, since when and why; once it is known, who is from then on."""
        keys = list(context.partition_keys)
        config = config.model_copy(update={"by": decided_by(config.by, context.run.tags)})
        datasets, models = readers.datasets(CHAMPION, keys), readers.models(CHAMPION)
        outcomes, served = without_warm_up(partitions, keys)
        try:
            if config.revise and not config.reason:
                raise ValueError("say in `reason` why days are decided again; it is kept")
            facts = facts_of(datasets, served, context.partition_key_range.end)
            if facts and (config.pin or config.unpin) and not config.revise:
                raise ValueError(f"who is champion after {keys[0]} is a fact: pin on a newer day")
            with turn_of_pin(context, models.storage, config.pin or config.unpin):
                record_pin(project, config, keys, models, context.run.run_id)
        except ValueError as error:
            raise dg.Failure(f"Nothing was decided: {error}", allow_retries=False) from error
        if served:
            kept = {} if config.revise else facts
            outcomes |= decide(project, partitions, served, datasets, models, kept)
            for key in kept:
                context.log.warning(f"{key} {KEPT}")
        if config.revise:
            record_revision(config, facts, datasets, models, context.run.run_id)
        yield from report(context, outcomes)

    return champion


def facts_of(datasets: DatasetStore, keys: list[str], last: str = "") -> dict[str, Record]:
    """The records of those days of a run of which a later one is decided, or is to be, as `last`.

    A damaged one is none.
    """
    known = set(datasets.keys(CHAMPION))
    newest = max([*known, *keys, last], default="")
    lines = {
        key: datasets.read(CHAMPION, [key], {}).to_dict("records")
        for key in keys
        if key in known and key < newest
    }
    return {key: Record.of(line) for key, found in lines.items() for line in found}


def record_revision(
    config: ChampionConfig,
    before: Mapping[str, Record],
    datasets: DatasetStore,
    models: ModelStore,
    run_id: str,
) -> None:
    """Keep in the audit who was champion on days and is another one since a revision."""
    after = facts_of(datasets, list(before))
    changed = [key for key in before if before[key] != after[key]]
    if changed:
        models.decisions.record(
            Action.REVISE,
            after[changed[-1]].next_champion,
            by=config.by,
            reason=config.reason,
            before={key: before[key].next_champion for key in changed},
            after={key: after[key].next_champion for key in changed},
            run_id=run_id,
        )


def record_pin(
    project: Project, config: ChampionConfig, keys: list[str], models: ModelStore, run_id: str
) -> None:
    """Keep a pin, or that it was taken back, once. ValueError when it cannot be."""
    if not config.pin and not config.unpin:
        return
    if config.pin and config.unpin:
        raise ValueError("give pin or unpin, not both")
    if len(keys) > 1:
        raise ValueError(f"a pin is set on one day, not on {len(keys)} at a time")
    first = project.day_to_come(day_of(keys[0]))
    before, newest = models.decisions.pin_on(first), models.decisions.newest_pin(first)
    shared: dict[str, Any] = {
        "by": config.by,
        "reason": config.reason,
        "before": None if before is None else {"pinned": before.model},
        "run_id": run_id,
    }
    if config.unpin:
        after = Pin(first=first).model_dump(mode="json")
        if newest is not None and (newest.action, newest.after) == (Action.UNPIN, after):
            return  # by a run that was killed before it could decide
        if before is None:
            raise ValueError(f"no pin holds on {first}")
        models.decisions.record(Action.UNPIN, before.model, after=after, **shared)
        return
    project.model(config.pin)
    if not config.reason:
        raise ValueError(f"say in `reason` why {config.pin} is pinned; it is kept")
    if models.in_service(config.pin, first) is None:
        raise ValueError(
            f"{config.pin} has no version that may serve on {first}; materialize "
            f"models/{config.pin} first"
        )
    until = _until(config.until, first)
    after = Pin(first=first, until=until).model_dump(mode="json")
    if before is not None and (before.model, before.after, before.reason) == (
        config.pin,
        after,
        config.reason,
    ):
        return  # likewise
    models.decisions.record(Action.PIN, config.pin, after=after, **shared)


def _until(text: str, first: dt.date) -> dt.date | None:
    if not text:
        return None
    try:
        until = dt.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"until = {text!r} is no day; write 2026-01-31") from error
    if until < first:
        raise ValueError(f"until = {until} is before {first}, the first day of the pin")
    return until


def decide(
    project: Project,
    partitions: Partitions,
    keys: list[str],
    datasets: DatasetStore,
    models: ModelStore,
    kept: Mapping[str, Record] | None = None,
) -> Outcomes:
    """Decide days one after another, each from where the one before it left off.

    The records in `kept`, by key, stay as they are.
    """
    start, end = window(keys)
    days_back = project.champion.window_days - 1
    reach = max(project.due.back(start, days_back), partitions.first_month)
    asked = days_between(reach, end)
    damaged: dict[str, StorageError] = {}
    names = [model.name for model in project.models]
    known: DaySums | pd.DataFrame | None = read_sums(project, datasets, names, asked)
    if known is None:
        known = read_forecasts(datasets, names, asked, damaged)
    judge = Judge(project, known, models)
    evaluated = judge.evaluated
    outcomes: Outcomes = {}
    try:
        before = newest_record(datasets, before=keys[0])
    except StorageError as error:
        return dict.fromkeys(keys, error)
    delayed = project.evaluation.label_delay_days > 0  # else who was decided last is live
    for key in keys:
        if kept and key in kept:
            before = kept[key]
            outcomes[key] = _kept(project, key, before, datasets)
            continue
        if key not in evaluated:
            outcomes[key] = damaged.get(key) or PartitionError(
                f"no model has been evaluated on {key}; materialize validation for it first"
            )
            continue
        if (live := judge.live(before)) in judge.unreadable:
            outcomes[key] = judge.unreadable[live]
            continue
        day = day_of(key)
        if live in judge.chosen and (lost := judge.chosen[live].lost(project.day_to_come(day))):
            outcomes[key] = lost
            continue
        try:
            live_on_day = live_record(datasets, day) if delayed else before
        except StorageError as error:
            outcomes[key] = error
            continue
        record, evidence = judge.decide(day, before, live_on_day)
        frame = pd.DataFrame([record.columns()])
        datasets.write(CHAMPION, key, frame)
        datasets.write(EVIDENCE, key, pd.DataFrame([asdict(found) for found in evidence]))
        rest = {"live": judge.live_days(day), **stored(datasets, CHAMPION, key, frame)}
        outcomes[key] = decision_overview(project, key, record, evidence, rest)
        before = record
    return outcomes


def _kept(project: Project, key: str, record: Record, datasets: DatasetStore) -> Metadata:
    """What a day says that stays as it was decided."""
    evidence = datasets.read(EVIDENCE, [key], {})
    found = [
        Evidence(**{str(name): value for name, value in line.items()})
        for line in evidence.to_dict("records")
    ]
    frame = pd.DataFrame([record.columns()])
    rest = {"kept": KEPT, **stored(datasets, CHAMPION, key, frame)}
    return decision_overview(project, key, record, found, rest)


class Judge:
    """Decides who is champion, from the forecasts of all models and their chosen versions.

    Of the forecasts it has the sums by day, where all models forecast the same rows, else the rows.
    """

    def __init__(
        self, project: Project, known: "DaySums | pd.DataFrame", models: ModelStore
    ) -> None:
        self.project, self.known, self.models = project, known, models
        self.chosen: dict[str, Chosen[ModelCard]] = {}
        self.unreadable: dict[str, StorageError] = {}
        """By model, why its versions cannot be read: a challenger is left out by it, a champion
        not dethroned."""
        cards: dict[str, list[ModelCard]] = {}
        for name in [model.name for model in project.models]:
            try:
                cards[name] = models.cards(name, {})
                self.chosen[name] = models.chosen(name, project.period_of)
            except StorageError as error:
                self.unreadable[name] = error
        self.candidates = Candidates(project, models, cards, self.chosen)
        self.rule = Rule(**project.champion.model_dump(exclude={"initial", "coverage"}))
        self.metric: Metric = project.primary_metric
        self._pairs: dict[tuple[str, str], Paired | PairedDays] = {}

    @property
    def evaluated(self) -> set[str]:
        """The days on which any model was evaluated."""
        if isinstance(self.known, DaySums):
            return {f"{day:%Y-%m-%d}" for day in self.known.dates}
        return set(self.known["date"].dt.strftime("%Y-%m-%d")) if len(self.known) else set()

    def live(self, before: Record | None) -> str:
        """The model that is live after a record; by the settings, where there is none."""
        return self.project.first_champion if before is None else before.next_champion

    def decide(
        self, day: dt.date, before: Record | None, live_on_day: Record | None
    ) -> tuple[Record, list[Evidence]]:
        """The record of a day that follows on the newest one before it.

        `live_on_day` is the record by which there was a champion on the day: the same one, unless
        targets are known late. The champion that may be replaced is that of `before`.
        """
        tomorrow = self.project.day_to_come(day)
        live = self.live(before)
        since, why = str(day), "the first champion, by the settings"
        if before is not None:
            since, why = before.next_since, before.next_why
        champion, champion_since, champion_why = self.live(live_on_day), since, why
        if live_on_day is not None:
            champion_since, champion_why = live_on_day.next_since, live_on_day.next_why
        elif before is not None:  # nothing that was decided is live yet
            champion_since, champion_why = before.since, before.why
        ready = {
            name: card
            for name, chosen in self.chosen.items()
            if (card := chosen.readable.on(tomorrow)) is not None
        }
        challengers = {name: card for name, card in ready.items() if name != live}
        tried = self.candidates.tried(challengers, self._window(day)[0].date(), tomorrow)
        evidence = [self.compare(live, name, day, tried) for name in challengers]
        evidence.sort(
            key=lambda found: (found.wins, found.judged, found.low if found.judged else 0),
            reverse=True,
        )
        successor, reason = self.successor(day, live, ready, evidence)
        stays = successor == live
        return Record(
            date=pd.Timestamp(day),
            champion=champion,
            since=champion_since,
            why=champion_why,
            next_champion=successor,
            next_version=ready[successor].version if successor in ready else "",
            next_since=since if stays else str(tomorrow),
            next_why=why if stays and not reason else reason,
            label_delay_days=self.project.evaluation.label_delay_days,
            coming="" if self.project.due.daily else str(tomorrow),
        ), evidence

    def live_days(self, day: dt.date) -> str:
        """How much of the window is scored by what was issued, in words."""
        recent = self._recent(day)
        if isinstance(recent, DaySums):
            live, days = recent.live(), recent.dates.nunique()
        else:
            live = recent.loc[is_live(recent), "date"].nunique()
            days = recent["date"].nunique()
        return f"{live} of {days} days judged were forecast in advance"

    def _recent(self, day: dt.date) -> "DaySums | pd.DataFrame":
        """What is looked back on from a day."""
        window = self._window(day)
        if isinstance(self.known, DaySums):
            return self.known.between(*window)
        return self.known[self.known["date"].between(*window)]

    def successor(
        self,
        day: dt.date,
        live: str,
        ready: Mapping[str, ModelCard],
        evidence: list[Evidence],
    ) -> tuple[str, str]:
        """Who is champion next, by what is known of a day, and why if that is news."""
        pin = self.models.decisions.pin_on(self.project.day_to_come(day))
        if pin is not None and pin.model in ready:
            until = Pin.model_validate(pin.after).until
            ends = f" until {until}" if until else ""
            return pin.model, f"pinned by {pin.by}{ends}: {pin.reason}"
        if live not in ready and evidence:
            best = self.best_ranked(day, [found.challenger for found in evidence])
            return best, f"{live} has no version that may serve; the best of the others"
        if evidence and evidence[0].wins:
            best_evidence = evidence[0]
            return best_evidence.challenger, (
                f"{self.metric.loss_name} lower than that of {live} by "
                f"{best_evidence.gain:.1%} over {best_evidence.days} days, {best_evidence.why}"
            )
        return live, ""

    def compare(self, live: str, challenger: str, day: dt.date, tried: Tried) -> Evidence:
        """What the window up to a day says of a challenger."""
        if (live, challenger) not in self._pairs:
            self._pairs[live, challenger] = (
                PairedDays(self.metric, *self.known.of_pair(live, challenger))
                if isinstance(self.known, DaySums)
                else paired(self.metric, self.known, live, challenger)
            )
        window = self._pairs[live, challenger].between(*self._window(day))
        found = compare(self.rule, challenger, window, tried.count)
        return replace(found, tried=str(tried))

    def best_ranked(self, day: dt.date, names: list[str]) -> str:
        """The model that leads in the window up to a day, ranked as on the leaderboard."""
        recent = self._recent(day)
        if isinstance(recent, DaySums):
            ranked = recent.ranked(names)
            losses, days = ranked["loss"], ranked["days"]
        else:
            rows = common_rows(recent[recent["model"].isin(names)])
            scores = group_scores({self.metric.name: self.metric}, rows, ["model"])
            losses = pd.Series(self.metric.loss(scores[self.metric.name].to_numpy()), scores.index)
            days = rows.groupby("model")["date"].nunique()
        known = losses.fillna(math.inf)
        return min(names, key=lambda name: (-days.get(name, 0), known.get(name, math.inf)))

    def _window(self, day: dt.date) -> tuple["pd.Timestamp", "pd.Timestamp"]:
        """The first and the last day that are looked back on from a day."""
        first = self.project.due.back(day, self.rule.window_days - 1)
        return pd.Timestamp(first), pd.Timestamp(day)
