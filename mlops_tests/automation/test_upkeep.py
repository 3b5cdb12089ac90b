"""Whatever happens in whatever order, the sensor leads back to a state in which all is right.

The version that forecast the day to come is the one that will be scored on it, which is the one
that `load_champion` answers with. A stored score is by what was issued, else by the version that
would have been: nothing that was trained, retired or restored after a day changes by what it is
scored, however often it is scored again.
"""

import datetime as dt
import random
import zoneinfo
from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pytest

from mlops_assets import load_champion
from mlops_assets.assets import forecast, issued
from mlops_assets.assets.forecast import held_days
from mlops_assets.automation import day_to_come
from mlops_assets.automation import upkeep as sensor
from mlops_assets.automation.changes import Mark
from mlops_assets.automation.requests import NOTHING_NEW
from mlops_assets.automation.upkeep import Cursor, Upkeep
from mlops_assets.graph.partitions import PARTITION, RANGE_END, RANGE_START, make_partitions
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.switches import EVALUATION_SCHEDULE
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, make_at, make_rows, make_settings
from mlops_tests.automation.test_late_data import EVALUATED, made

MODELS = ["seasonal_naive", "linear"]
MARCH = "2026-03-01"
FIRST = dt.date(2026, 3, 1)
MOST_RUNS = 30  # of one settling
SHORT, LONG = 7, 40  # events


class Life:
    """A small project that lives through events, and the sensor that looks after it."""

    def __init__(self, lab: Lab, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.lab, self.random = lab, random.Random(seed)
        self.rows = make_rows()
        self.day = dt.date(2026, 3, 6)
        self.hour = 7
        self.cursor: str | None = None
        self.seen: set[str] = set()
        self.runs = 0
        self.withheld: set[dt.date] = set()
        self.paused: set[str] = set()
        self.scored: set[tuple[str, str]] = set()
        make_at(patch, self.morning)
        patch.setattr(sensor, "paused_schedules", lambda *_: self.paused)
        for module in (issued, forecast, day_to_come):
            patch.setattr(module, "is_over", lambda _, day: day <= self.day)
        self.told: dict[str, pd.DataFrame] = {}
        settings = make_settings()
        settings["schedule"]["catch_up_days"] = 4
        settings["champion"] |= {"initial": "linear"}
        lab.write(settings=settings)
        through = keys(FIRST_DAY, self.day)
        for key in ("observations", "features"):
            made(lab, key, through)
        for name in MODELS:
            made(lab, f"models/{name}", ["2026-02-01", MARCH])
        self.run(f"issued {EVALUATED}", str(FIRST), str(self.day))

    def run(self, selected: str, first: str, last: str, **config: object) -> bool:
        """A run as the sensor, the schedule or a person asks for it."""
        result = self.lab.run(selected, first, last, {"ops": config} if config else None)
        self.runs += 1
        for name in MODELS:
            for day in keys(first, last) if f"validation/{name}" in selected.split() else []:
                if self.scored_by(name, day):
                    self.scored.add((name, day))
        return result.success

    def morning(self) -> dt.datetime:
        return dt.datetime.combine(self.day + dt.timedelta(days=1), dt.time(8), dt.UTC)

    def cards(self, name: str) -> list[ModelCard]:
        return ModelStore(self.lab.storage).cards(name)

    def scored_by(self, name: str, day: str) -> str:
        rows = DatasetStore(self.lab.storage).read(f"validation/{name}", [day], {})
        return "" if rows.empty else str(rows["version"].iloc[0])

    def is_live(self, name: str, day: str) -> bool:
        """Whether a day is scored by what was issued for it, which then never changes."""
        scored = DatasetStore(self.lab.storage).read(f"validation/{name}", [day], {})
        if scored.empty or scored["issued_at"].isna().any():
            return False
        before = str(dt.date.fromisoformat(day) - dt.timedelta(days=1))
        told = DatasetStore(self.lab.storage).read("issued", [before])
        mine = told[told["model"] == name]
        assert scored["forecast"].tolist() == mine["forecast"].tolist(), (name, day)
        assert set(scored["version"]) == set(mine["version"]), (name, day)
        return True

    # what happens

    def a_day_is_evaluated_by_its_schedule(self) -> None:
        self.day += dt.timedelta(days=1)
        if EVALUATION_SCHEDULE not in self.paused:
            day = str(self.day)
            self.run(f"observations features issued {EVALUATED}", day, day)

    def a_day_is_missed(self) -> None:
        self.day += dt.timedelta(days=1)

    def a_day_fails(self) -> None:
        self.day += dt.timedelta(days=1)
        self.withheld.add(self.day)
        self.write()

    def what_failed_is_mended(self) -> None:
        self.withheld.clear()
        self.write()

    def a_model_is_trained(self) -> None:
        self.run(f"models/{self.random.choice(MODELS)}", MARCH, MARCH)

    def a_model_is_trained_through_yesterday(self) -> None:
        name = self.random.choice(MODELS)
        config = {"config": {"through": str(self.day)}}
        self.run(f"models/{name}", MARCH, MARCH, **{f"models__{name}": config})

    def a_version_is_retired_by_a_job_that_is_killed_then(self) -> None:
        store, name = ModelStore(self.lab.storage), self.random.choice(MODELS)
        fit = store.fit_to_serve(name)
        card = self.random.choice(fit)
        if len([other for other in fit if other.serves_from <= FIRST]) > 1 or (
            card.serves_from > FIRST
        ):
            store.decisions.record(Action.RETIRE, name, version=card.version)

    def a_version_is_restored(self) -> None:
        store, name = ModelStore(self.lab.storage), self.random.choice(MODELS)
        for version in sorted(store.decisions.retired(name))[:1]:
            store.decisions.record(Action.RESTORE, name, version=version)

    def a_model_is_pinned(self) -> None:
        """Also on a day before the newest one."""
        days = sorted(self.lab.done("champion"))[-2:]
        pin = {"pin": self.random.choice(MODELS), "reason": "to try it"}
        day = self.random.choice(days)
        self.run("champion", day, day, champion={"config": pin})

    def the_pin_is_taken_back(self) -> None:
        day = max(self.lab.done("champion"))
        if ModelStore(self.lab.storage).decisions.pin_on(dt.date.fromisoformat(day)):
            self.run("champion", day, day, champion={"config": {"unpin": True}})

    def a_day_is_corrected(self) -> None:
        day = str(self.day - dt.timedelta(days=self.random.randrange(12)))
        self.rows.loc[self.rows["date"].eq(day).idxmax(), "units"] += 3
        self.write()
        if day in self.lab.done("observations"):
            self.run("observations", day, day)

    def the_evaluation_is_paused_or_goes_on(self) -> None:
        self.paused = set() if self.paused else {EVALUATION_SCHEDULE}

    def write(self) -> None:
        dates = self.rows["date"].dt.date
        self.lab.write(self.rows[~dates.isin(self.withheld)])

    # what follows

    def settle(self) -> None:
        """Tick until the sensor is quiet, and once more when what failed may be tried again."""
        self.hour = 7
        self.tick_until_quiet()
        self.hour = 13
        self.tick_until_quiet()

    def tick_until_quiet(self) -> None:
        before = self.runs
        for _ in range(MOST_RUNS):
            requests, said = self.tick()
            new = [request for request in requests if request.run_key not in self.seen]
            for request in new:
                self.seen.add(str(request.run_key))
                selected = " ".join(key.to_user_string() for key in request.asset_selection or ())
                assert selected, request
                first = request.tags.get(PARTITION) or request.tags[RANGE_START]
                self.run(selected, first, request.tags.get(RANGE_END, first))
            assert self.runs - before <= MOST_RUNS
            if said == NOTHING_NEW:
                return
        pytest.fail("the sensor never is quiet")

    def tick(self) -> tuple[list[dg.RunRequest], str]:
        project = self.lab.project
        tomorrow = self.day + dt.timedelta(days=1)
        now = dt.datetime.combine(tomorrow, dt.time(self.hour), dt.UTC)
        partitions = make_partitions(project, self.lab.storage)
        models = ModelStore(self.lab.storage)
        result = Upkeep(self.lab.instance, project, partitions, models, now).tick(
            Cursor.read(self.cursor)
        )
        self.cursor = result.cursor
        said = result.skip_reason.skip_message if result.skip_reason else ""
        return list(result.run_requests or ()), said or ""

    def check(self) -> None:
        """What has to hold whenever the sensor is quiet."""
        issued_on = max(self.lab.done("forecast"))
        if not self.withheld and not self.paused:
            assert issued_on == str(self.day), "the newest day is evaluated"
        rows = DatasetStore(self.lab.storage).read("forecast", [issued_on])
        [model], [version] = set(rows["model"]), set(rows["version"])
        store = ModelStore(self.lab.storage)
        to_come = self.lab.project.day_to_come(dt.date.fromisoformat(issued_on))
        assert version == self.serving(model, str(to_come))
        assert load_champion(self.lab.storage.root)[1].version == version
        pin = store.decisions.pin_on(to_come)
        assert pin is None or pin.model == model
        told = DatasetStore(self.lab.storage).read("issued", [issued_on])
        assert set(told["model"]) == set(MODELS)
        for name, rows in told.groupby("model"):
            assert set(rows["version"]) == {self.serving(str(name), str(to_come))}, name
        for key in DatasetStore(self.lab.storage).keys("issued"):
            now = DatasetStore(self.lab.storage).read("issued", [key])
            if key in self.told:
                pd.testing.assert_frame_equal(now, self.told[key])
            if key < str(self.day):  # its day to come is over
                self.told[key] = now
        for name, day in self.scored:
            if not self.is_live(name, day):
                assert self.scored_by(name, day) == self.serving(name, day), (name, day)

    def serving(self, name: str, day: str) -> str:
        """The version in service on a day, by the rule as it is told: no code is shared."""
        retired = set()
        for decision in ModelStore(self.lab.storage).decisions.all():
            if self.local(decision.at) <= day and decision.action in ("retire", "restore"):
                (retired.add if decision.action == "retire" else retired.discard)(decision.version)
        months: set[str] = set()
        fit = []
        for card in sorted(self.cards(name), key=lambda card: card.created):
            is_first = card.month not in months
            months.add(card.month)
            in_time = is_first or self.local(card.created) <= day
            accepted = all(check.passed for check in card.checks.values())
            if in_time and accepted and card.version not in retired:
                fit += [card] if str(card.trained_through) < day else []
        return max(fit, key=lambda card: (card.trained_through, card.created)).version

    def local(self, time: dt.datetime) -> str:
        return f"{time.astimezone(zoneinfo.ZoneInfo(self.lab.project.time_zone)):%Y-%m-%d}"


EVENTS = [
    Life.a_day_is_evaluated_by_its_schedule,
    Life.a_day_is_missed,
    Life.a_day_fails,
    Life.what_failed_is_mended,
    Life.a_model_is_trained,
    Life.a_model_is_trained_through_yesterday,
    Life.a_version_is_retired_by_a_job_that_is_killed_then,
    Life.a_version_is_restored,
    Life.a_model_is_pinned,
    Life.the_pin_is_taken_back,
    Life.a_day_is_corrected,
    Life.the_evaluation_is_paused_or_goes_on,
]


@pytest.fixture
def life(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Life]:
    with pytest.MonkeyPatch.context() as patch:
        yield Life(lab, request.param, patch)


def live(life: Life, events: int) -> None:
    story = []
    for _ in range(events):
        for event in life.random.sample(EVENTS, life.random.choice([1, 1, 2])):
            event(life)
            story.append(event.__name__)
        life.settle()
        try:
            life.check()
        except AssertionError as error:
            raise AssertionError(f"{error} after {', '.join(story)}") from error


@pytest.mark.parametrize("life", [0], indirect=True)
def test_it_settles_with_everything_right(life: Life) -> None:
    life.settle()
    life.check()
    live(life, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("life", range(1, 9), indirect=True)
def test_it_settles_after_long_lives(life: Life) -> None:
    live(life, LONG)


@pytest.mark.parametrize("life", [0], indirect=True)
def test_a_training_through_yesterday_issues_the_day_to_come_again_and_scores_no_day(
    life: Life,
) -> None:
    life.settle()
    before = life.runs
    [old] = set(life.lab.datasets.read("forecast", [str(life.day)])["version"])
    config = {"config": {"through": str(life.day)}}
    life.run("models/linear", MARCH, MARCH, models__linear=config)
    life.settle()
    [new] = set(DatasetStore(life.lab.storage).read("forecast", [str(life.day)])["version"])
    [*_, card] = life.cards("linear")
    if card.accepted:
        assert new == card.version != old
        assert life.runs - before == 3, "the training, what is issued by it, and the forecast"
    life.check()


@pytest.mark.parametrize("life", [0], indirect=True)
def test_a_model_added_to_the_settings_is_trained_at_once_and_evaluated_then(life: Life) -> None:
    life.settle()
    life.hour = 7
    assert life.tick() == ([], "Everything is there and newer than what it was made from.")
    assert life.tick() == ([], NOTHING_NEW)
    settings = make_settings()
    settings["schedule"]["catch_up_days"] = 4
    settings["models"].append({"name": "third", "family": "seasonal_naive"})
    life.lab.write(settings=settings)
    [training], _ = life.tick()
    assert (training.job_name, training.partition_key) == ("retrain_third_job", MARCH)
    life.run("models/third", MARCH, MARCH)
    requests, _ = life.tick()
    wanted = [request for request in requests if request.run_key != training.run_key]
    assert [request.asset_selection for request in wanted] == [
        [dg.AssetKey(["validation", "third"])],
        [dg.AssetKey(["issued"])],
    ]
    assert wanted[0].tags[RANGE_START] == "2026-03-03"
    assert wanted[0].tags[RANGE_END] == "2026-03-06"


@pytest.mark.parametrize("life", [0], indirect=True)
def test_a_forecast_held_for_a_late_day_is_issued_once_that_has_come(life: Life) -> None:
    life.settle()
    settings = make_settings() | {"serving": {"hold": "warn"}}
    settings["schedule"]["catch_up_days"] = 4
    settings["champion"] |= {"initial": "linear"}
    life.lab.write(settings=settings)
    before = str(life.day)
    life.a_day_fails()
    late = str(life.day)
    for dataset in ("observations", "checks/observations"):  # the lab has all days
        for key in keys(late, "2026-03-31"):
            life.lab.datasets.delete(dataset, key)
    life.a_day_is_evaluated_by_its_schedule()
    life.settle()
    day, datasets = str(life.day), DatasetStore(life.lab.storage)
    assert datasets.keys("forecast")[-1] == before
    held = held_days(life.lab.project, datasets)
    assert list(held) == [late, day]
    assert "have no rows" in held[day]
    life.what_failed_is_mended()
    life.run("observations", late, late)
    life.settle()
    datasets = DatasetStore(life.lab.storage)
    assert datasets.keys("forecast")[-1] == day
    assert not datasets.read("forecast", [day])["failed_checks"].any()
    assert held_days(life.lab.project, datasets) == {}


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(Mark(7, 2.5), "seen", "asked")
    assert Cursor.read(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "?", "null", "[]", "7", "{}"),
        '{"settled": null, "looked": "", "asked": ""}',
        '{"settled": {"number": "x", "at": 0}, "looked": "", "asked": ""}',
    ],
)
def test_a_cursor_that_nobody_can_read_is_empty(text: str | None) -> None:
    assert Cursor.read(text) == Cursor()
