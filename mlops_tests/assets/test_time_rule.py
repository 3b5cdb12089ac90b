"""The rule that carries everything: no day is scored by a version that learned from it or later,
nor from a day whose target was not known yet when the day was forecast.

Whoever trains, retires and restores, in whichever order of time, and however late a day is
evaluated; nor by what was trained, retired or restored after it, but for the first version of a
month. Each version here forecasts its own number, so that a forecast betrays who made it.
"""

import datetime as dt
import itertools
from dataclasses import dataclass, field

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import Pipeline, make_pipeline

from mlops_assets.assets.reporting import said
from mlops_assets.assets.validation import evaluate
from mlops_assets.graph.partitions import days_between
from mlops_assets.ml.check_result import CheckResult
from mlops_assets.project import Project
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_tests.assets.lab import made_on, make_settings

FIRST, DAYS = dt.date(2026, 2, 25), 9  # from 25 February through 5 March
KEYS = days_between(FIRST, FIRST + dt.timedelta(days=DAYS))
MONTHS = ["2025-11-01", "2026-02-01", "2026-03-01", "2026-04-01"]
NAME = "seasonal_naive"
PROJECT = Project.model_validate(
    make_settings() | {"models": [{"name": NAME, "family": "seasonal_naive"}]}
)
ROOTS = itertools.count()


@dataclass(frozen=True)
class Training:
    month: str
    through: int  # days after the first; below zero, before it
    accepted: bool
    delay: int = 0
    waits: int = 0  # days before it happens


@dataclass(frozen=True)
class Change:
    action: Action
    position: int  # of a version, counted from the newest back
    waits: int = 0


@dataclass(frozen=True)
class Evaluation:
    first: int
    last: int


trainings = st.builds(
    Training,
    st.sampled_from(MONTHS),
    st.integers(-4, DAYS + 2),
    st.sampled_from([True] * 3 + [False]),
    st.sampled_from([0, 0, 1, 2]),
    st.integers(0, 5),
)
changes = st.builds(
    Change,
    st.sampled_from([Action.RETIRE, Action.RETIRE, Action.RESTORE]),
    st.integers(0, 3),
    st.integers(0, 5),
)
evaluations = st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)).map(
    lambda ends: Evaluation(min(ends), max(ends))
)
histories = st.lists(
    st.one_of(trainings, trainings, changes, evaluations), min_size=4, max_size=14
).map(lambda events: [*events, Evaluation(0, DAYS - 1)])


@dataclass
class Known:
    """What there is of a version, kept apart from the store."""

    number: int
    version: str
    through: dt.date
    accepted: bool
    delay: int
    made: dt.date
    first_of_month: bool
    decided: list[tuple[dt.date, bool]] = field(default_factory=list)

    def retired(self, day: dt.date) -> bool:
        return [False, *(retired for at, retired in self.decided if at <= day)][-1]


@dataclass
class World:
    """A real store, filled by one process and read by another, and what should be in it."""

    versions: list[Known] = field(default_factory=list)
    expected: dict[str, Known] = field(default_factory=dict)
    today: dt.date = FIRST - dt.timedelta(days=3)
    months: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        storage = make_storage(f"memory://time_rule_{next(ROOTS)}")
        self.writer, self.reader = ModelStore(storage), ModelStore(storage)
        self.datasets = DatasetStore(storage)
        for day in pd.to_datetime(KEYS):
            rows = pd.DataFrame(
                {
                    "date": [day, day],
                    "department": "bakery",
                    "category": ["bread", "cake"],
                    "units": [3.0, 4.0],
                    "unit_price": 1.0,
                }
            )
            self.datasets.write("features", f"{day:%Y-%m-%d}", rows)

    def train(self, training: Training) -> None:
        number = 100 + len(self.versions)
        through = FIRST + dt.timedelta(days=training.through)
        pipeline = make_pipeline(DummyRegressor(strategy="constant", constant=float(number)))
        self.today += dt.timedelta(days=training.waits)
        card = self.store(pipeline.fit([[0.0]], [0.0]), training, through)
        self.versions.append(
            Known(
                number,
                card.version,
                through,
                training.accepted,
                training.delay,
                self.today,
                training.month not in self.months,
            )
        )
        self.months.add(training.month)

    def store(self, pipeline: Pipeline, training: Training, through: dt.date) -> ModelCard:
        with made_on(str(self.today)):
            return self.writer.add(
                pipeline,
                model=NAME,
                month=training.month,
                family=NAME,
                hyperparameters={},
                trained_from=through - dt.timedelta(days=30),
                trained_through=through,
                label_delay_days=training.delay,
                days=31,
                rows=62,
                inputs=["unit_price"],
                non_negative=True,
                training_set_sha256="0",
                code_version="1",
                fit_seconds=0.1,
                holdout_from=through - dt.timedelta(days=6),
                holdout_rows=14,
                holdout={"wmape": 1.0},
                importance={},
                checks={"reproducible": CheckResult(passed=training.accepted, why="for the test")},
            )

    def change(self, change: Change) -> None:
        if self.versions:
            known = self.versions[-1 - change.position % len(self.versions)]
            self.today += dt.timedelta(days=change.waits)
            with made_on(str(self.today)):
                self.writer.decisions.record(change.action, NAME, version=known.version)
            known.decided.append((self.today, change.action == Action.RETIRE))

    def evaluate(self, evaluation: Evaluation) -> None:
        keys = KEYS[evaluation.first : evaluation.last + 1]
        outcomes, _ = evaluate(PROJECT, NAME, keys, self.datasets, self.reader)
        for key in keys:
            day = dt.date.fromisoformat(key)
            serves = self.serves(day, by=day)
            outcome = outcomes[key]
            if serves is not None:
                assert isinstance(outcome, dict)
                assert said(outcome)["version"] == serves.version
                self.expected[key] = serves
            else:
                # an error where nothing was ever trained: then older forecasts cannot be there
                assert isinstance(outcome, Exception) == (not self.versions)
                self.expected.pop(key, None)

    def serves(self, day: dt.date, by: dt.date = dt.date.max) -> Known | None:
        """The rule, told a second time: step by step, in the order of the trainings.

        By what was known on a day, of which the first version of a month is.
        """
        best: Known | None = None
        for known in self.versions:
            if known.through >= day or known.retired(by) or not known.accepted:
                continue
            if known.made > by and not known.first_of_month:
                continue
            last_day_waited_for = known.through + dt.timedelta(days=known.delay)
            if last_day_waited_for >= day:  # it cannot have been trained before that has ended
                continue
            if best is None or known.through >= best.through:
                best = known
        return best


@pytest.mark.long
@settings(max_examples=30, deadline=None)
@given(histories)
def test_every_stored_forecast_was_made_by_the_newest_version_that_was_allowed(
    history: list[Training | Change | Evaluation],
) -> None:
    world = World()
    for event in history:
        match event:
            case Training():
                world.train(event)
            case Change():
                world.change(event)
            case Evaluation():
                world.evaluate(event)
        assert world.datasets.keys(f"validation/{NAME}") == sorted(world.expected)
        for key, known in world.expected.items():
            stored = world.datasets.read(f"validation/{NAME}", [key])
            assert set(stored["version"]) == {known.version}
            assert set(stored["forecast"]) == {float(known.number)}
            assert set(stored["trained_through"]) == {str(known.through)}
    # whatever is said above: by the cards alone, no forecast saw its own day or a later one
    for key in world.datasets.keys(f"validation/{NAME}"):
        [version] = set(world.datasets.read(f"validation/{NAME}", [key])["version"])
        card = world.writer.find(version)
        ended = card.trained_through + dt.timedelta(days=card.label_delay_days)
        assert card.trained_through <= ended < dt.date.fromisoformat(key)
        assert card.accepted


@pytest.mark.long
@settings(max_examples=30, deadline=None)
@given(histories, st.integers(0, DAYS + 3))
def test_the_version_in_service_is_the_same_for_all_who_ask(
    history: list[Training | Change | Evaluation], asked: int
) -> None:
    """A store that was there all along, one that is new, and the rule by hand agree."""
    world = World()
    day = FIRST + dt.timedelta(days=asked)
    for event in history:
        if isinstance(event, Training):
            world.train(event)
        elif isinstance(event, Change):
            world.change(event)
        expected = world.serves(day)
        for store in (world.writer, world.reader, ModelStore(world.writer.storage)):
            card = store.in_service(NAME, day)
            assert (card and card.version) == (expected and expected.version)
