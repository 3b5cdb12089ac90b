"""Decisions that are killed at each write in turn: the same command again completes them.

It is 1 April 2026, as in `test_manage.py`, whose small project this is, on an instance in a folder.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import run_tags
from mlops_assets.graph.runs import PROCESS_TAG, UNFINISHED, end_lost_runs, process_tags
from mlops_assets.project import Project, load_project
from mlops_assets.resources.current_names import CurrentNames
from mlops_assets.resources.processes import this_process
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action, Pin, made
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_assets.resources.stores.turns import FOLDER, Turn, Turns
from mlops_tests.assets.lab import QUIET, Lab, make_rows, make_settings, reason
from mlops_tests.jobs.test_manage import (
    APRIL,
    FEBRUARY,
    MARCH,
    NEWEST,
    NO_WEB_UI,
    RIDGE,
    TODAY,
    write_datasets,
)
from mlops_tests.killing import KILLED, in_child, writes_of
from mlops_tests.served.test_spine import write_instance
from mlops_tests.shared import shared_folder

# A decision is written down by the second write and recorded by the third. So many more kills are
# spread over what follows: all of them where this is large.
KILLS = int(os.environ.get("MLOPS_TESTS_KILLS", "1"))
WRITTEN_DOWN, RECORDED = 2, 3


@pytest.fixture(scope="module", autouse=True)
def first_of_april() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Project, "today", lambda _: TODAY)
        patch.setenv("WEB_URL", NO_WEB_UI)
        yield


class Kept(Lab):
    """The project with an instance in its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.instance.dispose()
        self.instance = dg.DagsterInstance.from_config(str(folder))
        self.storage = CurrentNames(self.storage)  # type: ignore[assignment]
        self.datasets, self.models = DatasetStore(self.storage), ModelStore(self.storage)

    def decide(self, job: str, **config: Any) -> dg.ExecuteInProcessResult:
        base, run_id = load_project(self.folder / "project.yaml"), str(uuid.uuid4())
        return (
            make_definitions(base, self.storage)
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                run_config=QUIET | {"ops": {job.removesuffix("_job"): {"config": config}}},
                run_id=run_id,
                tags=process_tags(run_id),
                raise_on_error=False,
            )
        )

    def version(self, model: str, month: str) -> str:
        return [card.version for card in self.models.cards(model) if card.month == month][-1]


def build(folder: Path) -> None:
    """Trained and evaluated days, `extra` created, a version of `linear` retired."""

    def work() -> None:
        write_instance(folder)
        lab = Kept(folder)
        settings = make_settings()
        settings["champion"] |= {"initial": "linear"}
        lab.write(make_rows(), settings)
        with lab.instance:
            write_datasets(lab)
            assert lab.run("training_set", FEBRUARY, APRIL).success
            assert lab.run("models/seasonal_naive models/linear", FEBRUARY, APRIL).success
            names = "validation/seasonal_naive validation/linear"
            assert lab.run(names, "2026-03-25", NEWEST).success
            assert lab.run("leaderboard champion forecast", "2026-03-30", NEWEST).success
            extra = {"family": {"ridge": {"alpha": 7.0}}, "name": "extra"}
            assert lab.decide("create_model_job", **extra, evaluate_past_days=2).success
            march = lab.version("linear", MARCH)
            assert lab.decide("retire_version_job", version=march).success

    assert in_child(work) == 0


@pytest.fixture(scope="module")
def folder(first_of_april: None) -> Path:
    return shared_folder("decided", build)


def pin(lab: Kept) -> dg.ExecuteInProcessResult:
    config = {"ops": {"champion": {"config": {"pin": "seasonal_naive", "reason": "a test"}}}}
    return lab.run("champion", NEWEST, config=config)


def unpin(lab: Kept) -> dg.ExecuteInProcessResult:
    config = {"ops": {"champion": {"config": {"unpin": True}}}}
    return lab.run("champion", NEWEST, config=config)


COMMANDS: dict[str, Callable[[Kept], dg.ExecuteInProcessResult]] = {
    "create": lambda lab: lab.decide("create_model_job", family=RIDGE, evaluate_past_days=2),
    "adopt": lambda lab: lab.decide(
        "update_model_job", model={"linear": {"hyperparameters": {"alpha": 3.0}}}
    ),
    "rename": lambda lab: lab.decide("rename_model_job", model="linear", to="plain"),
    "drop": lambda lab: lab.decide("drop_model_job", model="extra", delete_stored="extra"),
    "retire": lambda lab: lab.decide(
        "retire_version_job", version=lab.version("linear", FEBRUARY), evaluate_past=True
    ),
    "restore": lambda lab: lab.decide(
        "restore_version_job", version=lab.version("linear", MARCH), evaluate_past=True
    ),
    "pin": pin,
}


def state(lab: Kept) -> dict[str, Any]:
    """What there is in the end, without the names of versions, which hold times."""
    base = load_project(lab.folder / "project.yaml")
    project, left_out = Registry(lab.storage).apply(base)
    names = [model.name for model in project.models]
    cards = {name: lab.models.cards(name) for name in lab.storage.names("models")}
    through = {c.version: (c.model, c.month) for known in cards.values() for c in known}

    def scored(name: str) -> dict[str, Any]:
        rows = lab.datasets.read(name, lab.datasets.keys(name), {})
        return rows.groupby(rows["date"].astype(str))["version"].first().map(through).to_dict()

    boards = lab.datasets.read("leaderboard", lab.datasets.keys("leaderboard"), {})
    champions = lab.datasets.read("champion", lab.datasets.keys("champion"), {})
    return {
        "settings": [model.model_dump(mode="json") for model in project.models],
        "left out": left_out,
        "trained": {name: [card.month for card in known] for name, known in cards.items()},
        "in service": {
            name: card.month
            for name in names
            if (card := lab.models.in_service(name, TODAY)) is not None
        },
        "scored": {name: scored(f"validation/{name}") for name in names},
        "told": {
            key: sorted(lab.done(f"{key}/{name}"))
            for key in ("models", "validation")
            for name in names
        },
        "forecast": scored("forecast"),
        "ranked": sorted(zip(boards["date"].astype(str), boards["model"], strict=True)),
        "champions": champions[["champion", "next_champion"]].to_numpy().tolist(),
        "decided": [
            (d.action, d.model, through.get(d.version), d.reason, str(d.after)[:9])
            for d in lab.models.decisions.all()
        ],
        "turns": lab.storage.names(FOLDER),
    }


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_again_completes_what_was_killed(name: str, folder: Path, tmp_path: Path) -> None:
    command = COMMANDS[name]

    def work(place: Path) -> Callable[[], None]:
        def worked() -> None:
            lab = Kept(place)
            with lab.instance:
                end_lost_runs(lab.instance, lab.project)
                result = command(lab)
                assert result.success, reason(result)

        return worked

    def ended(place: Path) -> dict[str, Any]:
        lab = Kept(place)
        with lab.instance:
            unfinished = lab.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
            assert not [run for run in unfinished if PROCESS_TAG in run.tags]
            return state(lab)

    undisturbed = copied(folder, tmp_path / "undisturbed")
    paths = writes_of(work(undisturbed))
    expected = ended(undisturbed)
    assert len(expected["decided"]) == 3, "creation, retirement and this one"
    spread = {round(n * (len(paths) - 1) / (KILLS + 1)) for n in range(1, KILLS + 1)}
    for number in sorted(spread | {WRITTEN_DOWN, RECORDED}):
        place = copied(folder, tmp_path / str(number))
        assert in_child(work(place), kill_at=number) == KILLED, paths[number]
        assert in_child(work(place)) == 0, (number, paths[number])
        assert ended(place) == expected, (number, paths[number])
        shutil.rmtree(place)


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    write_instance(to)
    return to


def test_a_model_is_pinned_or_dropped_and_never_both(folder: Path, tmp_path: Path) -> None:
    """Whichever comes first; at once; and with definitions that are older than the drop."""
    pinned = {"ops": {"champion": {"config": {"pin": "extra", "reason": "a test"}}}}

    def pin_extra(lab: Kept) -> dg.ExecuteInProcessResult:
        return lab.run("champion", NEWEST, config=pinned)

    def apart(lab: Kept) -> None:
        after = Pin(first=TODAY).model_dump(mode="json")  # and not decided yet
        lab.models.decisions.record(Action.PIN, "extra", after=after)
        assert "extra is pinned; materialize champion with `unpin: true`" in reason(
            COMMANDS["drop"](lab)
        )

    def older(lab: Kept) -> None:
        base = load_project(lab.folder / "project.yaml")
        project, _ = Registry(lab.storage).apply(base)
        job = make_definitions(project, lab.storage).resolve_job_def("evaluate_job")
        assert COMMANDS["drop"](lab).success
        result = job.execute_in_process(
            instance=lab.instance,
            asset_selection=[dg.AssetKey("champion")],
            tags=run_tags(NEWEST, NEWEST),
            run_config=QUIET | pinned,
            raise_on_error=False,
        )
        assert "Nothing was decided: extra was dropped at" in reason(result)

    def decided(place: Path) -> list[Action]:
        known = Lab(place).models.decisions.all()
        return [d.action for d in known if d.model == "extra" and d.action is not Action.CREATE]

    def alone(work: Callable[[Kept], object], place: Path) -> int:
        def one() -> None:
            lab = Kept(place)
            with lab.instance:
                work(lab)

        return in_child(one)

    for name, work in (("apart", apart), ("older", older)):
        place = copied(folder, tmp_path / name)
        assert alone(work, place) == 0
        assert decided(place) == [Action.PIN if name == "apart" else Action.DROP]
    place = copied(folder, tmp_path / "at once")
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(lambda work: alone(work, place), (pin_extra, COMMANDS["drop"]))] == [0, 0]
    assert decided(place) in ([Action.PIN], [Action.DROP])
    assert Lab(place).storage.names(FOLDER) == []


def hold(folder: Path, process: str) -> None:
    """A retirement of the oldest version of `linear`, written down by some process."""
    lab = Lab(folder)
    decision = made(
        Action.RETIRE,
        "linear",
        version=lab.models.cards("linear")[0].version,
        before={"in service": "x"},
        after={"in service": "y"},
        run_id="of another instance",
    )
    held = Turn(
        process=process,
        run_id=decision.run_id,
        job="retire_version_job",
        asked={"version": decision.version},
        decision=decision,
        facts={"days": None},
    )
    Turns(lab.storage).log.add("00000007.json", held)


def test_another_decision_completes_what_was_killed_and_is_made_after_it(
    folder: Path, tmp_path: Path
) -> None:
    place = copied(folder, tmp_path / "lab")
    hold(place, f"{this_process().split(' ')[0]} 4194300 long_ago")

    def work() -> None:
        lab = Kept(place)
        with lab.instance:
            assert COMMANDS["adopt"](lab).success

    assert in_child(work) == 0
    lab = Lab(place)
    actions = [decision.action for decision in lab.models.decisions.all()]
    assert actions[-2:] == [Action.RETIRE, Action.UPDATE]
    assert lab.models.cards("linear")[0].version in lab.models.decisions.retired("linear")
    assert lab.storage.names(FOLDER) == []


def test_a_decision_waits_for_one_that_may_be_under_way(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    place = copied(folder, tmp_path / "lab")
    hold(place, "another-host 1 x")
    monkeypatch.setattr("mlops_assets.jobs.management.manager.TURN_SECONDS", 0.0)

    def work() -> None:
        lab = Kept(place)
        with lab.instance:
            print(reason(COMMANDS["adopt"](lab)))

    assert in_child(work) == 0
    said = capfd.readouterr().out
    assert "Nothing was changed: retire_version_job of the run of another instance" in said
    assert f"delete {place}/storage/registry/turns where no such process is left" in said
    assert Action.UPDATE not in {decision.action for decision in Lab(place).models.decisions.all()}


@pytest.mark.long
def test_of_two_commands_at_once_each_month_is_trained_once(folder: Path, tmp_path: Path) -> None:
    """Two people train the same month, and two make the same model, each at the same time."""
    place = copied(folder, tmp_path / "lab")

    def both(work: Callable[[Kept], None]) -> None:
        def one() -> None:
            lab = Kept(place)
            with lab.instance:
                work(lab)

        with ThreadPoolExecutor(2) as pool:
            codes = [*pool.map(lambda _: in_child(one), range(2))]
        assert codes == [0, 0]

    def create(lab: Kept) -> None:
        result = COMMANDS["create"](lab)
        assert result.success or "there is a model 'ridge_alpha50' already" in reason(result)

    both(create)
    lab = Lab(place)
    assert [card.month for card in lab.models.cards("ridge_alpha50")] == [MARCH, APRIL]
    decided = [decision.model for decision in lab.models.decisions.all()]
    assert decided.count("ridge_alpha50") == 1
    assert lab.storage.names(FOLDER) == []
