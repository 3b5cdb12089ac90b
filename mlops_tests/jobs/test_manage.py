"""Managing models: what each job changes, what follows from it, and what it refuses.

It is 1 April 2026: the newest day with data is 31 March. Of `seasonal_naive` and of `linear`, the
champion, there are three versions, that learned through 31 January, 28 February and 20 March; the
days from 22 February on are evaluated, some of them ranked.
"""

import datetime as dt
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.assets.datasets import by_day
from mlops_assets.definitions import make_definitions
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.ml.models.families import default_name, parse_hyperparameters
from mlops_assets.project import ModelSettings, Project, load_project
from mlops_assets.resources.current_names import CurrentNames
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stored_files import StoredFiles
from mlops_assets.resources.stores.created_models import Registry
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action, Decision
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_assets.resources.stores.turns import Turns
from mlops_tests.assets.lab import (
    FIRST_DAY,
    QUIET,
    Lab,
    keys,
    made_on,
    make_at,
    make_rows,
    make_settings,
    reason,
)

TODAY = dt.date(2026, 4, 1)
FEBRUARY, MARCH, APRIL = "2026-02-01", "2026-03-01", "2026-04-01"
FIRST_EVALUATED, NEWEST = "2026-02-22", "2026-03-31"
RANKED = [("2026-02-28", "2026-02-28"), ("2026-03-20", NEWEST)]
RIDGE = {"ridge": {"alpha": 50.0}}
NO_WEB_UI = "http://127.0.0.1:9"  # the port of the discard protocol, where nothing listens


@pytest.fixture(scope="module", autouse=True)
def first_of_april() -> Iterator[None]:
    """Fixes the day, and leaves the jobs without a web UI."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Project, "today", lambda _: TODAY)
        morning = dt.datetime.combine(TODAY, dt.time(9), dt.UTC)
        make_at(patch, lambda: morning)
        patch.setenv("WEB_URL", NO_WEB_UI)
        yield


@pytest.fixture(scope="module")
def folder(first_of_april: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project that is trained and evaluated, to be copied."""
    lab = Lab(tmp_path_factory.mktemp("managed"))
    settings = make_settings()
    settings["champion"] |= {"initial": "linear"}
    lab.write(make_rows(), settings)
    with lab.instance:
        write_datasets(lab)
        assert lab.run("training_set", FEBRUARY, APRIL).success
        models = "models/seasonal_naive models/linear"
        with made_on(MARCH):
            assert lab.run(models, FEBRUARY, MARCH).success
        late: dict[str, Any] = {"config": {"through": "2026-03-20"}}
        config = {"ops": {"models__seasonal_naive": late, "models__linear": late}}
        with made_on("2026-03-21"):
            assert lab.run(models, MARCH, config=config).success
        evaluated = "validation/seasonal_naive validation/linear"
        assert lab.run(evaluated, FIRST_EVALUATED, NEWEST).success
        for first, last in RANKED:
            assert lab.run("leaderboard", first, last).success
        assert lab.run("champion forecast", NEWEST).success
    return lab.folder


def write_datasets(lab: Lab) -> None:
    """Stores features, and the newest observations, without a run, which would take seconds."""
    rows = make_rows()
    plan = load_project(lab.folder / "project.yaml").feature_plan
    for day, part in by_day(make_features(plan, rows, FIRST_DAY, TODAY), "date").items():
        lab.datasets.write("features", day, part)
    for day, part in by_day(rows[rows["date"] >= "2026-03-20"], "date").items():
        lab.datasets.write("observations", day, part)


def copied(folder: Path, to: Path) -> Lab:
    shutil.copytree(folder, to)
    return Lab(to)


@pytest.fixture
def lab(folder: Path, tmp_path: Path) -> Iterator[Lab]:
    """A copy of the project for one test."""
    found = copied(folder, tmp_path / "lab")
    with found.instance:
        yield found


def definitions(lab: Lab) -> dg.Definitions:
    """The definitions as the next process to start makes them."""
    return make_definitions(load_project(lab.folder / "project.yaml"), lab.storage)


def asked(lab: Lab, job: str, **config: Any) -> dg.ExecuteInProcessResult:
    """A run of a management job."""
    return run(lab, definitions(lab), job, config)


def run(
    lab: Lab, of: dg.Definitions, job: str, config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    """A run of a management job of given definitions."""
    return of.resolve_job_def(job).execute_in_process(
        instance=lab.instance,
        run_config=QUIET | {"ops": {job.removesuffix("_job"): {"config": config}}},
        raise_on_error=False,
    )


def done(result: dg.ExecuteInProcessResult) -> str:
    """The summary of a run that succeeded."""
    assert result.success, reason(result)
    summary: str = result.output_for_node(result.job_def.name.removesuffix("_job"))
    return summary


def decisions(lab: Lab) -> list[Decision]:
    return lab.models.decisions.all()


def names_of(lab: Lab, model: str) -> set[str]:
    """What freshly made definitions have of a model: assets, jobs and schedules."""
    repository = definitions(lab).get_repository_def()
    found = {key.to_user_string() for key in repository.assets_defs_by_key}
    found |= {job.name for job in repository.get_all_jobs()}
    found |= {schedule.name for schedule in repository.schedule_defs}
    parts = (f"models/{model}", f"validation/{model}", f"retrain_{model}_")
    return {name for name in found if name in parts[:2] or name.startswith(parts[2])}


def whole(model: str) -> set[str]:
    """What definitions have of a model that is retrained by a schedule."""
    retrain = f"retrain_{model}"
    return {f"models/{model}", f"validation/{model}", f"{retrain}_job", f"{retrain}_schedule"}


def version_of(lab: Lab, model: str, month: str) -> ModelCard:
    """The newest version of a model that was trained under a month."""
    return [card for card in lab.models.cards(model) if card.month == month][-1]


def scored_by(lab: Lab, model: str) -> dict[str, str]:
    """The version that scored each stored day of a model."""
    rows = fresh(lab, f"validation/{model}")
    found = rows.groupby(rows["date"].dt.strftime("%Y-%m-%d"))["version"].agg(set)
    return {day: version for day, (version,) in found.items()}


def fresh(lab: Lab, dataset: str) -> pd.DataFrame:
    """All rows of a dataset, as they are stored now."""
    datasets = type(lab.datasets)(lab.storage)
    return datasets.read(dataset, datasets.keys(dataset))


def board(lab: Lab, day: str) -> pd.DataFrame:
    """The leaderboard of a day by model."""
    return type(lab.datasets)(lab.storage).read("leaderboard", [day]).set_index("model")


def registry(lab: Lab) -> pd.DataFrame:
    return fresh(lab, "model_registry")


def wmape(lab: Lab, model: str, first: str, last: str) -> float:
    """Of the stored forecasts of some days, by the textbook."""
    rows = fresh(lab, f"validation/{model}")
    rows = rows[rows["date"].between(first, last)]
    return float((rows["forecast"] - rows["actual"]).abs().sum() / rows["actual"].sum())


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def times(folder: Path) -> dict[str, int]:
    """Every file below a folder, with the time at which it was written."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


# create


@pytest.fixture(scope="module")
def created(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, dg.ExecuteInProcessResult]]:
    """A ridge regression made for 35 past days, 25 February to 31 March; only to be looked at."""
    lab = copied(folder, tmp_path_factory.mktemp("created") / "lab")
    with lab.instance:
        yield (
            lab,
            asked(
                lab,
                "create_model_job",
                family=RIDGE,
                cadence="quarterly",
                evaluate_past_days=35,
                reason="smoother",
                by="ada",
            ),
        )


def test_a_created_model_says_where_it_is(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    summary = done(created[1])
    assert summary.startswith(
        "ridge_alpha50 is created and in service since 2026-04-01: "
        f"{NO_WEB_UI}/assets/models/ridge_alpha50"
    )
    assert f"no web UI answers at {NO_WEB_UI}" in summary


def test_a_created_model_is_a_file_under_the_storage_root(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, _ = created
    file = lab.folder / "storage" / "registry" / "models" / "ridge_alpha50.yaml"
    assert yaml.safe_load(file.read_text()) == {
        "name": "ridge_alpha50",
        "family": "ridge",
        "hyperparameters": {"alpha": 50.0},
        "cadence": "quarterly",
    }


def test_a_created_model_has_the_versions_that_its_past_days_and_today_need(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, _ = created
    cards = lab.models.cards("ridge_alpha50")
    assert [(card.month, str(card.trained_through)) for card in cards] == [
        (FEBRUARY, "2026-01-31"),
        (MARCH, "2026-02-28"),
        (APRIL, "2026-03-31"),
    ]
    assert all(card.accepted for card in cards)
    assert {card.hyperparameters["alpha"] for card in cards} == {50.0}
    assert lab.done("models/ridge_alpha50") == {FEBRUARY, MARCH, APRIL}


def test_a_created_model_is_evaluated_on_the_past_days_by_versions_that_had_not_seen_them(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, _ = created
    february, march, _ = lab.models.cards("ridge_alpha50")
    by_hand = dict.fromkeys(keys("2026-02-25", "2026-02-28"), february.version)
    by_hand |= dict.fromkeys(keys(MARCH, NEWEST), march.version)
    assert scored_by(lab, "ridge_alpha50") == by_hand
    assert lab.done("validation/ridge_alpha50") == set(by_hand)


def test_a_created_model_is_ranked_on_its_past_days(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, _ = created
    rows = fresh(lab, "leaderboard")
    ranked = rows[rows["model"] == "ridge_alpha50"]["date"].dt.strftime("%Y-%m-%d")
    # the days that were ranked before are ranked again, with it
    assert sorted(ranked) == ["2026-02-28", *keys("2026-03-20", NEWEST)]
    newest = board(lab, NEWEST)
    assert set(newest.index) == {"seasonal_naive", "linear", "ridge_alpha50"}
    for model in newest.index:
        # the 28 days that end on 31 March begin on 4 March
        by_hand = wmape(lab, model, "2026-03-04", NEWEST)
        assert newest.loc[model, "wmape_28d"] == pytest.approx(by_hand)
    assert newest["rank"].tolist() == [1, 2, 3]


def test_a_created_model_is_in_the_model_registry(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, _ = created
    table = registry(lab)
    mine = table[table["model"] == "ridge_alpha50"]
    assert dict(zip(mine["month"], mine["state"], strict=True)) == {
        FEBRUARY: "accepted",
        MARCH: "accepted",
        APRIL: "challenger",
    }
    # of the ranked days, one is in February and twelve are in March
    served = dict(zip(mine["month"], mine["days_in_service"], strict=True))
    assert served == {FEBRUARY: 1, MARCH: 12, APRIL: 0}
    event = lab.instance.get_latest_materialization_event(dg.AssetKey("model_registry"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert "|ada|create|ridge_alpha50|" in str(metadata["decisions"].value)
    assert "smoother" in str(metadata["decisions"].value)


def test_a_creation_is_in_the_audit_trail(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, result = created
    [decision] = decisions(lab)
    assert (decision.action, decision.model) == (Action.CREATE, "ridge_alpha50")
    assert (decision.by, decision.reason, decision.run_id) == ("ada", "smoother", result.run_id)
    assert decision.before is None
    assert decision.after == {
        "family": "ridge",
        "hyperparameters": {"alpha": 50.0},
        "cadence": "quarterly",
    }


def test_the_next_definitions_have_a_created_model(
    created: tuple[Lab, dg.ExecuteInProcessResult],
) -> None:
    lab, _ = created
    assert names_of(lab, "ridge_alpha50") == whole("ridge_alpha50")
    [schedule] = [
        schedule
        for schedule in definitions(lab).get_repository_def().schedule_defs
        if schedule.name == "retrain_ridge_alpha50_schedule"
    ]
    assert schedule.cron_schedule == "0 2 1 1,4,7,10 *"


def test_what_was_there_is_as_it_was(
    created: tuple[Lab, dg.ExecuteInProcessResult], folder: Path
) -> None:
    lab, _ = created
    before, after = files(folder), files(lab.folder)
    changed = {path for path in before if after.get(path) != before[path]}
    boards = {path for path in before if path.startswith("storage/datasets/leaderboard/")}
    assert boards <= changed
    kept = {"source_columns.json", "source_index.json"}
    assert {path.split("/")[1] for path in changed - boards} <= kept


@pytest.mark.parametrize(
    ("family", "values", "name"),
    [
        (
            "hist_gradient_boosting",
            {"learning_rate": 0.05, "max_leaf_nodes": 63},
            "hist_boosting_lr005_leaves63",
        ),
        ("hist_gradient_boosting", {}, "hist_boosting"),
        ("hist_gradient_boosting", {"loss": "poisson"}, "hist_boosting_poisson"),
        (
            "hist_gradient_boosting",
            {"loss": "absolute_error", "max_iter": 250, "l2_regularization": 1.5},
            "hist_boosting_absoluteerror_trees250_l215",
        ),
        ("gradient_boosting", {"subsample": 1.0, "max_depth": 4}, "boosting_depth4_subsample1"),
        ("decision_tree", {"max_depth": None}, "tree_depthnone"),
        ("random_forest", {"max_features": 0.5, "min_samples_leaf": 2}, "forest_leaf2_features05"),
        ("ridge", {"alpha": 1_000_000}, "ridge_alpha1e06"),
        ("ridge", {"alpha": 1.0}, "ridge"),
        ("linear_regression", {}, "linear_regression"),
    ],
)
def test_a_default_name_says_the_family_and_what_differs_from_its_defaults(
    family: str, values: dict[str, object], name: str
) -> None:
    assert default_name(family, parse_hyperparameters(family, values)) == name
    assert ModelSettings(name=name, family=family, hyperparameters=values).name == name


def test_a_month_whose_training_set_is_missing_gets_one_first(lab: Lab) -> None:
    lab.datasets.delete("training_set", APRIL)
    done(asked(lab, "create_model_job", family=RIDGE, evaluate_past_days=1))
    # the past day, 31 March, needs March, today needs April
    assert [card.month for card in lab.models.cards("ridge_alpha50")] == [MARCH, APRIL]
    assert lab.datasets.keys("training_set") == [FEBRUARY, MARCH, APRIL]


def test_a_failed_training_leaves_the_model_recorded_and_is_named(lab: Lab) -> None:
    lab.datasets.delete("training_set", APRIL)
    for day in keys("2026-03-20", NEWEST):
        lab.datasets.delete("features", day)
    why = reason(asked(lab, "create_model_job", family=RIDGE, evaluate_past_days=0))
    assert why.startswith(
        "ridge_alpha50 is created and not in service, since no version of it was accepted"
    )
    assert "What follows from it failed in part:" in why
    assert "features hold 19 of the 31 days from 2026-03-01 to 2026-03-31" in why
    assert Registry(lab.storage).created() == ["ridge_alpha50"]
    assert [decision.action for decision in decisions(lab)] == [Action.CREATE]
    assert names_of(lab, "ridge_alpha50") == whole("ridge_alpha50")
    table = registry(lab).set_index("model")
    assert table.loc["ridge_alpha50", "state"] == "never trained"


# two at the same time


def interrupt(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, **config: Any
) -> list[dg.ExecuteInProcessResult]:
    """Has the next creation overtaken by another, before its turn."""
    take = Turns.take
    late: list[dg.ExecuteInProcessResult] = []

    def overtaken(self: Turns, *arguments: Any) -> str:
        monkeypatch.setattr(Turns, "take", take)
        late.append(asked(lab, "create_model_job", evaluate_past_days=0, **config))
        return take(self, *arguments)

    monkeypatch.setattr(Turns, "take", overtaken)
    return late


def test_a_creation_that_is_overtaken_under_its_name_is_refused(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = interrupt(lab, monkeypatch, family={"ridge": {"alpha": 7.0}}, name="same")
    why = reason(asked(lab, "create_model_job", family=RIDGE, name="same", evaluate_past_days=0))
    done(other[0])
    assert why.startswith("Nothing was changed: there is a model 'same' already")
    assert "alpha: 7.0" in why
    assert [decision.model for decision in decisions(lab)] == ["same"]
    assert [card.hyperparameters for card in lab.models.cards("same")] == [{"alpha": 7.0}]


def test_two_creations_at_a_time_are_both_recorded(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = {"hist_gradient_boosting": {"learning_rate": 0.05, "loss": "poisson"}}
    other = interrupt(lab, monkeypatch, family=family)
    done(asked(lab, "create_model_job", family=RIDGE, evaluate_past_days=0))
    done(other[0])
    names = {"ridge_alpha50", "hist_boosting_poisson_lr005"}
    assert {decision.model for decision in decisions(lab)} == names
    for name in names:
        assert names_of(lab, name) == whole(name)
    assert names <= set(registry(lab)["model"])
    # each is what was asked for, words included
    [card] = lab.models.cards("ridge_alpha50")
    assert card.hyperparameters == {"alpha": 50.0}
    [card] = lab.models.cards("hist_boosting_poisson_lr005")
    assert (card.family, card.hyperparameters["loss"]) == ("hist_gradient_boosting", "poisson")


def test_of_many_creations_at_once_each_name_is_recorded_once(lab: Lab) -> None:
    names = [f"model_{number % 3}" for number in range(12)]
    outcomes: list[str] = []
    together = threading.Barrier(len(names))

    def create(alpha: int, name: str) -> None:
        model = ModelSettings(name=name, family="ridge", hyperparameters={"alpha": alpha})
        together.wait()
        try:
            Registry(lab.storage).create(model)
        except FileExistsError:
            return
        outcomes.append(f"{name} {alpha}")

    threads = [
        threading.Thread(target=create, args=(alpha, name)) for alpha, name in enumerate(names, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    project, left_out = Registry(lab.storage).apply(load_project(lab.folder / "project.yaml"))
    assert left_out == {}
    recorded = [f"{model.name} {model.hyperparameters['alpha']}" for model in project.models[2:]]
    assert len(recorded) == 3
    assert sorted(outcomes) == sorted(recorded)


# refusals


@dataclass(frozen=True)
class Busy:
    """A project, its definitions, and its versions by what they are."""

    lab: Lab
    definitions: dg.Definitions
    versions: dict[str, str]

    def asked(self, job: str, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
        """A run of a management job, which should change nothing: the definitions stay."""
        return run(self.lab, self.definitions, job, named(config, self.versions))


@pytest.fixture(scope="module")
def busy(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    """A project in which every refusal has its occasion.

    `extra` is created and champion, with one version; `gone` is dropped, its version kept; of
    `linear` the version of February is retired, one of April was not accepted.
    """
    lab = copied(folder, tmp_path_factory.mktemp("busy") / "lab")
    with lab.instance:
        extra = {"name": "extra", "cadence": "manual", "evaluate_past_days": 0}
        done(asked(lab, "create_model_job", family=RIDGE, **extra))
        gone = {"name": "gone", "evaluate_past_days": 2}
        done(asked(lab, "create_model_job", family=RIDGE, **gone))
        done(asked(lab, "drop_model_job", model="gone", reason="too slow"))
        constant = {"hyperparameters": {"alpha": 1_000_000.0}, "strict": True}
        config = {"ops": {"models__linear": {"config": constant}}}
        assert not lab.run("models/linear", APRIL, config=config).success
        february = version_of(lab, "linear", FEBRUARY)
        done(asked(lab, "retire_version_job", version=february.version))
        pin = {"ops": {"champion": {"config": {"pin": "extra", "reason": "a test"}}}}
        assert lab.run("champion", NEWEST, config=pin).success
        yield Busy(
            lab,
            definitions(lab),
            {
                "<extra>": version_of(lab, "extra", APRIL).version,
                "<gone>": version_of(lab, "gone", MARCH).version,
                "<retired>": february.version,
                "<serving>": version_of(lab, "linear", MARCH).version,
                "<rejected>": version_of(lab, "linear", APRIL).version,
            },
        )


def test_no_past_days_are_evaluated_where_none_are_asked_for(busy: Busy) -> None:
    lab = busy.lab
    assert [card.month for card in lab.models.cards("extra")] == [APRIL]
    assert lab.done("validation/extra") == set()
    assert lab.datasets.keys("validation/extra") == []
    assert "extra" not in set(fresh(lab, "leaderboard")["model"])


def test_a_model_that_is_retrained_by_hand_has_no_schedule(busy: Busy) -> None:
    found = names_of(busy.lab, "extra")
    assert found == {"models/extra", "validation/extra", "retrain_extra_job"}


def create(**config: Any) -> tuple[str, dict[str, Any]]:
    return "create_model_job", {"family": RIDGE, "evaluate_past_days": 0} | config


def update(model: str, **change: Any) -> tuple[str, dict[str, Any]]:
    return "update_model_job", {"model": {model: change}}


def drop(model: str, again: str = "") -> tuple[str, dict[str, Any]]:
    return "drop_model_job", {"model": model, "delete_stored": again}


def retire(version: str) -> tuple[str, dict[str, Any]]:
    return "retire_version_job", {"version": version, "evaluate_past": True}


def restore(version: str) -> tuple[str, dict[str, Any]]:
    return "restore_version_job", {"version": version, "evaluate_past": True}


def named(value: Any, versions: dict[str, str]) -> Any:
    """A configuration with the versions in place of what they are."""
    if isinstance(value, dict):
        return {key: named(item, versions) for key, item in value.items()}
    return versions.get(value, value) if isinstance(value, str) else value


REFUSALS = {
    # its definition is shown
    "create taken": (
        create(name="linear"),
        ["there is a model 'linear' already; choose another name", "family: ridge", "cadence: m"],
    ),
    "create taken by a created one": (
        create(name="extra"),
        ["there is a model 'extra' already", "alpha: 50.0", "cadence: manual"],
    ),
    "create taken by default": (
        create(family={"seasonal_naive": {}}),
        ["there is a model 'seasonal_naive' already"],
    ),
    "create capital": (create(name="Ridge"), ["'Ridge' is no identifier"]),
    "create digit first": (create(name="2nd"), ["'2nd' is no identifier"]),
    "create dash": (create(name="my-model"), ["'my-model' is no identifier"]),
    "create folder": (create(name="a/b"), ["'a/b' is no identifier"]),
    "create long": (create(name="a" * 64), ["at most 63 characters"]),
    "create space": (create(name="my model"), ["'my model' is no identifier"]),
    "create outside": (create(name="../up"), ["'../up' is no identifier"]),
    "create all": (create(name="all"), ["'all' is no name for a model"]),
    "create low": (
        create(family={"ridge": {"alpha": 0.0}}),
        ["hyperparameters of ridge: alpha = 0.0: Input should be greater than 0"],
    ),
    "create high": (
        create(family={"decision_tree": {"max_depth": 65, "min_samples_leaf": 0}}),
        ["max_depth = 65: ", "less than or equal to 64", "min_samples_leaf = 0: "],
    ),
    "create dropped": (
        create(name="gone"),
        ["versions of a dropped model 'gone' are still stored", "delete_stored: gone"],
    ),
    "create negative days": (
        create(evaluate_past_days=-1),
        ["evaluate_past_days = -1 is not from 0 to 3660"],
    ),
    "create many days": (create(evaluate_past_days=3661), ["= 3661 is not from 0 to 3660"]),
    "update neither": (
        update("linear"),
        ["give adopt_version or hyperparameters, one of them"],
    ),
    "update both": (
        update("linear", adopt_version="<serving>", hyperparameters={"alpha": 2.0}),
        ["give adopt_version or hyperparameters, one of them"],
    ),
    "update of another": (
        update("linear", adopt_version="<extra>"),
        ["<extra> is a version of extra, not of linear"],
    ),
    "update unknown version": (
        update("linear", adopt_version="2026-03-01_x"),
        ["'2026-03-01_x' is no stored version; the newest are: <rejected> (linear), "],
    ),
    "update low": (
        update("linear", hyperparameters={"alpha": -1.0}),
        ["alpha = -1.0: Input should be greater than 0"],
    ),
    "update no change": (
        update("linear", adopt_version="<serving>"),
        ["linear has these hyperparameters already: {'alpha': 1.0}"],
    ),
    "update no change by hand": (
        update("extra", hyperparameters={"alpha": 50.0}),
        ["extra has these hyperparameters already: {'alpha': 50.0}"],
    ),
    "drop of project.yaml": (drop("linear"), ["linear is named in project.yaml; remove it there"]),
    "drop champion": (
        drop("extra", "extra"),
        ["extra is the champion; materialize champion with a pin of another model first"],
    ),
    "drop not repeated": (
        drop("extra", "linear"),
        ["delete_stored = 'linear' does not repeat the name 'extra'"],
    ),
    "drop unknown": (
        drop("nothing"),
        ["'nothing' is no created model; those that can be dropped: extra"],
    ),
    "drop unknown with what is stored": (
        drop("nothing", "nothing"),
        ["'nothing' is no created model"],
    ),
    "drop again": (drop("gone"), ["'gone' is no created model"]),
    "drop no name": (drop("no such model"), ["'no such model' is no created model"]),
    "drop empty": (drop(""), ["'' is no created model"]),
    "retire unknown": (
        retire("2026-03-01_x"),
        ["'2026-03-01_x' is no stored version; the newest are: <rejected> (linear)"],
    ),
    "retire again": (retire("<retired>"), ["<retired> is retired already"]),
    "retire not accepted": (
        retire("<rejected>"),
        ["<rejected> was not accepted: it never serves"],
    ),
    "retire the champion's only one": (
        retire("<extra>"),
        ["<extra> is the only version of the champion that may serve"],
    ),
    "retire dropped": (retire("<gone>"), ["gone"]),
    "restore in service": (restore("<serving>"), ["<serving> is not retired"]),
    "restore unknown": (restore("2026-03-01_x"), ["'2026-03-01_x' is no stored version"]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_refused_changes_nothing_and_says_why(busy: Busy, case: str) -> None:
    lab = busy.lab
    (job, config), words = REFUSALS[case]
    before, runs = times(lab.folder), lab.instance.get_runs_count()
    why = reason(busy.asked(job, config))
    assert why.startswith("Nothing was changed: ")
    for word in words:
        for short, version in busy.versions.items():
            word = word.replace(short, version)
        assert word in why
    assert "Value error" not in why
    assert times(lab.folder) == before
    assert lab.instance.get_runs_count() == runs + 1


@pytest.mark.parametrize(
    ("job", "config"),
    [
        update("nothing", hyperparameters={"alpha": 2.0}),
        update("gone", adopt_version="2026-03-01_x"),
        update("linear", hyperparameters={"depth": 2}),
        create(family={"oracle": {}}),
        create(family={"ridge": {"depth": 2}}),
        create(family={"hist_gradient_boosting": {"loss": "gamma"}}),
        create(cadence="weekly"),
        ("drop_model_job", {}),
        ("retire_version_job", {}),
    ],
)
def test_what_the_launchpad_does_not_know_never_starts(
    busy: Busy, job: str, config: dict[str, Any]
) -> None:
    lab = busy.lab
    before, runs = times(lab.folder), lab.instance.get_runs_count()
    with pytest.raises(dg.DagsterInvalidConfigError):
        busy.asked(job, config)
    assert times(lab.folder) == before
    assert lab.instance.get_runs_count() == runs


def test_a_version_of_another_family_is_not_adopted(lab: Lab) -> None:
    settings = make_settings()
    settings["models"][1] = {"name": "linear", "family": "decision_tree"}
    lab.write(settings=settings)
    version = version_of(lab, "linear", MARCH).version
    job, config = update("linear", adopt_version=version)
    why = reason(asked(lab, job, **config))
    assert f"{version} is of the family ridge, linear decision_tree" in why
    assert decisions(lab) == []


def test_a_drop_that_names_one_version_deletes_nothing(lab: Lab) -> None:
    version = version_of(lab, "linear", FEBRUARY).version
    models = times(lab.folder / "storage" / "models")
    job, config = drop(f"linear/{version}", f"linear/{version}")
    assert "is no created model" in reason(asked(lab, job, **config))
    assert times(lab.folder / "storage" / "models") == models
    assert decisions(lab) == []


def test_a_file_that_is_no_model_costs_itself_alone(lab: Lab) -> None:
    """Such as the copy that a person makes before editing."""
    model = yaml.safe_dump({"name": "extra", "family": "ridge"}).encode()
    folder = lab.folder / "storage" / "registry" / "models"
    folder.mkdir(parents=True)
    (folder / "extra.yaml").write_bytes(model)
    (folder / "extra copy.yaml").write_bytes(model)
    project, left_out = Registry(lab.storage).apply(load_project(lab.folder / "project.yaml"))
    assert [model.name for model in project.models] == ["seasonal_naive", "linear", "extra"]
    assert list(left_out) == ["extra copy"]


# update


def trained_by_hand(lab: Lab, month: str, **hyperparameters: Any) -> ModelCard:
    """A version of `linear` from the launchpad of its asset, without values by its defaults."""
    values = {"hyperparameters": hyperparameters} if hyperparameters else {}
    lab.run("models/linear", month, config={"ops": {"models__linear": {"config": values}}})
    return version_of(lab, "linear", month)


def test_a_model_adopts_the_hyperparameters_of_a_version(lab: Lab) -> None:
    settings = (lab.folder / "project.yaml").read_bytes()
    version = trained_by_hand(lab, APRIL, alpha=3.0).version
    change = {"linear": {"adopt_version": version}}
    summary = done(asked(lab, "update_model_job", model=change, reason="lower error", by="bo"))
    assert summary.startswith("linear is trained from now on with alpha 1.0 to 3.0 (")
    # the next definitions train with them
    later = trained_by_hand(lab, APRIL)
    assert later.version != version
    assert later.hyperparameters == {"alpha": 3.0}
    # kept in the storage, not in project.yaml
    assert (lab.folder / "project.yaml").read_bytes() == settings
    kept = lab.folder / "storage" / "registry" / "updates" / "linear.yaml"
    assert yaml.safe_load(kept.read_text()) == {
        "hyperparameters": {"alpha": 3.0},
        "replaces": {},
    }
    assert Registry(lab.storage).created() == []
    [decision] = decisions(lab)
    assert (decision.action, decision.model) == (Action.UPDATE, "linear")
    assert decision.version == version
    assert (decision.before, decision.after) == ({"alpha": 1.0}, {"alpha": 3.0})
    assert (decision.reason, decision.by) == ("lower error", "bo")


def test_an_update_holds_until_project_yaml_says_something_else(lab: Lab) -> None:
    base = load_project(lab.folder / "project.yaml")
    Registry(lab.storage).update(base, "linear", {"alpha": 3.0})
    done(asked(lab, "update_model_job", model={"linear": {"hyperparameters": {"alpha": 4.0}}}))
    [decision] = decisions(lab)
    assert (decision.before, decision.after) == ({"alpha": 3.0}, {"alpha": 4.0})
    assert Registry(lab.storage).apply(base)[0].model("linear").hyperparameters == {"alpha": 4.0}
    settings = make_settings()
    settings["models"][1]["hyperparameters"] = {"alpha": 9.0}
    lab.write(settings=settings)
    base = load_project(lab.folder / "project.yaml")
    assert Registry(lab.storage).apply(base)[0].model("linear").hyperparameters == {"alpha": 9.0}


def test_an_updated_created_model_is_the_same_model_with_other_hyperparameters(lab: Lab) -> None:
    model = ModelSettings(name="tree", family="decision_tree", hyperparameters={"max_depth": 4})
    Registry(lab.storage).create(model)
    change = {"tree": {"hyperparameters": {"max_depth": 6, "criterion": "poisson"}}}
    done(asked(lab, "update_model_job", model=change))
    file = lab.folder / "storage" / "registry" / "models" / "tree.yaml"
    assert yaml.safe_load(file.read_text()) == {
        "name": "tree",
        "family": "decision_tree",
        # 20 is the family's own
        "hyperparameters": {"max_depth": 6, "min_samples_leaf": 20, "criterion": "poisson"},
        "cadence": "monthly",
    }
    [decision] = decisions(lab)
    assert decision.before == {"max_depth": 4, "criterion": "squared_error"}
    assert decision.after == {"max_depth": 6, "criterion": "poisson"}
    assert not (lab.folder / "storage" / "registry" / "updates").exists()


# drop


def test_a_dropped_model_is_out_of_the_system_and_stays_stored(busy: Busy) -> None:
    lab = busy.lab
    assert names_of(lab, "gone") == set()
    assert Registry(lab.storage).created() == ["extra"]
    assert set(board(lab, NEWEST).index) == {"seasonal_naive", "linear"}
    assert "gone" not in set(registry(lab)["model"])
    created, dropped = [decision for decision in decisions(lab) if decision.model == "gone"][:2]
    assert created.action == Action.CREATE
    assert (dropped.action, dropped.reason) == (Action.DROP, "too slow")
    assert dropped.after == {"stored versions": "kept", "candidates": 1}
    # all that it left behind
    assert [card.month for card in lab.models.cards("gone")] == [MARCH, APRIL]
    assert lab.datasets.keys("validation/gone") == keys("2026-03-30", NEWEST)
    assert lab.done("validation/gone") == set(keys("2026-03-30", NEWEST))
    assert lab.done("models/gone") == {MARCH, APRIL}
    # among which the leaderboards of the past
    assert "gone" in board(lab, "2026-03-30").index


def test_what_a_model_left_behind_can_be_deleted_later(lab: Lab) -> None:
    """Such as one that was removed from project.yaml."""
    stored = lab.folder / "storage"
    for folder in ("models", "datasets/validation", "datasets/validation_facts"):
        shutil.copytree(stored / folder / "linear", stored / folder / "old")
    job, config = drop("old", "old")
    summary = done(asked(lab, job, **config))
    assert summary.startswith("old is dropped, its stored versions are deleted (")
    assert not [path for path in times(lab.folder) if "/old/" in path]
    assert [decision.action for decision in decisions(lab)] == [Action.DROP]


def test_a_deleted_model_leaves_nothing_but_its_decisions_and_the_past_leaderboards(
    lab: Lab,
) -> None:
    done(asked(lab, "create_model_job", family=RIDGE, name="extra", evaluate_past_days=2))
    summary = done(asked(lab, "drop_model_job", model="extra", delete_stored="extra"))
    assert summary.startswith("extra is dropped, its stored versions are deleted (")
    for asset in ("models/extra", "validation/extra"):
        assert not lab.instance.has_asset_key(dg.AssetKey(asset.split("/")))
        assert lab.done(asset) == set()
    assert not [path for path in files(lab.folder) if "extra" in path]
    assert set(board(lab, NEWEST).index) == {"seasonal_naive", "linear"}
    assert "extra" in board(lab, "2026-03-30").index
    assert [decision.action for decision in decisions(lab)] == [Action.CREATE, Action.DROP]
    assert decisions(lab)[-1].after == {"stored versions": "deleted", "candidates": 1}
    # the other models are as they were
    assert set(scored_by(lab, "linear")) == set(keys(FIRST_EVALUATED, NEWEST))
    assert len(lab.models.cards("linear")) == 3


# retire and restore

BY_HAND = {
    **dict.fromkeys(keys(FIRST_EVALUATED, "2026-02-28"), "2026-01-31"),
    **dict.fromkeys(keys(MARCH, "2026-03-20"), "2026-02-28"),
    **dict.fromkeys(keys("2026-03-21", NEWEST), "2026-03-20"),
}


def learned_through(lab: Lab, model: str = "linear") -> dict[str, str]:
    """The last day that the version which scored a day had learned from, by day."""
    through = {card.version: str(card.trained_through) for card in lab.models.cards(model)}
    return {day: through[version] for day, version in scored_by(lab, model).items()}


def test_a_rollback_takes_the_version_before_and_leaves_the_past(lab: Lab) -> None:
    february, march, late = lab.models.cards("linear")
    assert set(fresh(lab, "forecast")["version"]) == {late.version}
    before = {name: fresh(lab, name) for name in ("validation/linear", "leaderboard")}
    asks = {"version": late.version, "reason": "odd on Sundays", "by": "bo"}
    summary = done(asked(lab, "retire_version_job", **asks))
    assert summary == (
        f"{late.version} of linear is retired; in service: {march.version}; past days stay"
    )
    [decision] = decisions(lab)
    assert (decision.action, decision.model) == (Action.RETIRE, "linear")
    assert (decision.version, decision.reason, decision.by) == (
        late.version,
        "odd on Sundays",
        "bo",
    )
    assert decision.before == {"in service": late.version}
    assert decision.after == {"in service": march.version}
    assert lab.models.in_service("linear", TODAY) == march
    for name, rows in before.items():
        pd.testing.assert_frame_equal(fresh(lab, name), rows)
    # the forecast of today is issued again, by the version that took over
    forecast = fresh(lab, "forecast")
    assert set(forecast["date"].dt.strftime("%Y-%m-%d")) == {str(TODAY)}
    assert set(forecast["version"]) == {march.version}
    assert set(forecast["model"]) == {"linear"}
    assert set(fresh(lab, "champion")["next_version"]) == {march.version}
    table = registry(lab).set_index("version")
    assert table.loc[late.version, "state"] == "retired"
    assert table.loc[march.version, "state"] == "champion"
    # one further back does not concern the day to come
    assert f"in service: {march.version}" in done(
        asked(lab, "retire_version_job", version=february.version)
    )
    # the only one that is left stays
    why = reason(asked(lab, "retire_version_job", version=march.version))
    assert f"{march.version} is the only version of the champion that may serve" in why
    assert len(decisions(lab)) == 2


def test_a_rollback_shows_the_past_in_hindsight_and_back_again(lab: Lab) -> None:
    """A day is judged by the version that was chosen before it, whatever is known since."""
    _, march, late = lab.models.cards("linear")
    assert learned_through(lab) == BY_HAND
    names = ("validation/linear", "validation/seasonal_naive", "leaderboard")
    before = {name: fresh(lab, name) for name in (*names, "forecast")}
    asks = {"version": late.version, "evaluate_past": True}
    summary = done(asked(lab, "retire_version_job", **asks))
    assert summary.endswith("; 11 past days were evaluated again")
    touched = keys("2026-03-21", NEWEST)
    assert lab.done("validation/linear") == set(touched)
    assert learned_through(lab) == BY_HAND
    for name in names:
        pd.testing.assert_frame_equal(fresh(lab, name)[[*before[name]]], before[name])
    scored = fresh(lab, "validation/linear")
    beside = scored[scored["date"].isin(pd.to_datetime(touched))]
    assert set(beside["reconstructed_version"]) == {march.version}
    told = lab.metadata("validation/linear", NEWEST)
    newest = scored[scored["date"] == NEWEST]
    by_hand = (newest["actual"] - newest["reconstructed_forecast"]).abs().sum()
    assert told["version"] == late.version
    assert told["hindsight_version"] == march.version
    assert told["wmape_hindsight"] == pytest.approx(by_hand / newest["actual"].sum(), rel=1e-5)
    assert told["wmape_hindsight"] != told["wmape_reconstructed"]
    # and back
    assert done(asked(lab, "restore_version_job", **asks)) == (
        f"{late.version} of linear is restored; in service: {late.version}; "
        "11 past days were evaluated again"
    )
    assert [decision.action for decision in decisions(lab)] == [Action.RETIRE, Action.RESTORE]
    assert decisions(lab)[-1].before == {"in service": march.version}
    assert decisions(lab)[-1].after == {"in service": late.version}
    for name, rows in before.items():
        pd.testing.assert_frame_equal(fresh(lab, name), rows)


def test_days_that_lose_their_only_version_keep_their_scores(lab: Lab) -> None:
    """Once February's version is retired, none learned only from days before February's days."""
    before = fresh(lab, "validation/linear"), fresh(lab, "leaderboard")
    asks = {"version": version_of(lab, "linear", FEBRUARY).version, "evaluate_past": True}
    summary = done(asked(lab, "retire_version_job", **asks))
    assert summary.endswith("; 7 past days were evaluated again")
    pd.testing.assert_frame_equal(fresh(lab, "validation/linear"), before[0])
    pd.testing.assert_frame_equal(fresh(lab, "leaderboard"), before[1])


def test_a_rollback_of_the_baseline_evaluates_every_model_again(lab: Lab) -> None:
    """Their differences to it change."""
    late = lab.models.cards("seasonal_naive")[-1]
    done(asked(lab, "retire_version_job", version=late.version, evaluate_past=True))
    touched = set(keys("2026-03-21", NEWEST))
    assert lab.done("validation/linear") == lab.done("validation/seasonal_naive") == touched
    assert learned_through(lab) == learned_through(lab, "seasonal_naive") == BY_HAND


@pytest.fixture
def renaming(lab: Lab) -> Lab:
    """A lab whose storage knows the names that models have by now, as that of every command."""
    lab.storage = CurrentNames(lab.storage)  # type: ignore[assignment]
    lab.datasets, lab.models = DatasetStore(lab.storage), ModelStore(lab.storage)
    return lab


def test_a_model_is_renamed_with_all_that_is_known_of_it(renaming: Lab) -> None:
    lab = renaming
    assert lab.run("validation/linear", "2026-03-30", NEWEST).success
    before = {
        "versions": [card.version for card in lab.models.cards("linear")],
        "days": lab.done("validation/linear"),
        "months": lab.done("models/linear"),
        "scores": lab.datasets.read("validation/linear", [NEWEST]),
        "metadata": lab.metadata("validation/linear", NEWEST),
        "board": lab.datasets.read("leaderboard", [NEWEST]).set_index("model"),
    }
    lab.models.decisions.record(Action.RETIRE, "linear", version=before["versions"][0])
    there = {path for path, _ in lab.storage.stored.files()}  # type: ignore[attr-defined]
    told = done(asked(lab, "rename_model_job", model="linear", to="plain", reason="clearer"))
    assert told.startswith("linear is called plain from now on")
    # settings still say linear, as do all files that were there, none of which has moved
    project = Registry(lab.storage).apply(load_project(lab.folder / "project.yaml"))[0]
    assert [model.name for model in project.models] == ["seasonal_naive", "plain"]
    assert project.champion.initial == "plain"
    files = {path for path, _ in lab.storage.stored.files()}  # type: ignore[attr-defined]
    assert there <= files
    assert {path for path in files if "plain" in path} == set()
    settings = load_project(lab.folder / "project.yaml")
    assert [found.text for found in StoredFiles(lab.storage, settings).findings()] == []
    # versions, scores, forecasts, decisions and the champion go by the new name
    assert [card.version for card in lab.models.cards("plain")] == before["versions"]
    assert {card.model for card in lab.models.cards("plain")} == {"plain"}
    assert lab.models.find(before["versions"][-1]).model == "plain"
    assert lab.models.decisions.retired("plain") == {before["versions"][0]}
    scores = lab.datasets.read("validation/plain", [NEWEST])
    pd.testing.assert_frame_equal(scores, before["scores"], check_exact=True)
    board = lab.datasets.read("leaderboard", [NEWEST]).set_index("model")
    assert "linear" not in board.index
    assert board.loc["plain", "wmape_28d"] == before["board"].loc["linear", "wmape_28d"]
    [champion] = lab.datasets.read("champion", [NEWEST]).to_dict("records")
    assert (champion["champion"], champion["next_champion"]) == ("plain", "plain")
    assert set(lab.datasets.read("forecast", [NEWEST])["model"]) == {"plain"}
    # the event log knows it by that name alone, with the numbers that are plotted
    assert (lab.done("validation/plain"), lab.done("models/plain")) == (
        before["days"],
        before["months"],
    )
    assert lab.metadata("validation/plain", NEWEST) == before["metadata"]
    assert lab.done("validation/linear") == lab.done("models/linear") == set()
    decided = lab.models.decisions.all()[-1]
    assert (decided.action, decided.model, decided.reason) == (Action.RENAME, "plain", "clearer")
    assert (decided.before, decided.after) == ({"name": "linear"}, {"name": "plain"})
    # it goes on: trained and scored under the new name, and renamed once more
    assert lab_run(lab, "models/plain", APRIL).success
    assert [card.model for card in lab.models.cards("plain")][-1] == "plain"
    assert lab_run(lab, "validation/plain leaderboard", NEWEST).success
    done(asked(lab, "rename_model_job", model="plain", to="ridge"))
    assert len(lab.models.cards("ridge")) == len(before["versions"]) + 1
    assert set(lab.datasets.read("champion", [NEWEST])["champion"]) == {"ridge"}
    # a process that starts now sees the same
    fresh = CurrentNames(LocalStorage(lab.storage.root))
    assert fresh.renamed == {"linear": "ridge", "plain": "ridge"}
    assert [card.model for card in ModelStore(fresh).cards("ridge")][-1] == "ridge"
    for name, why in {
        "plain": "there is, or was, a model 'plain'",
        "linear": "there is, or was, a model 'linear'",
        "seasonal_naive": "there is, or was, a model 'seasonal_naive'",
        "No": "'No' is no name for a model",
    }.items():
        assert why in reason(asked(lab, "rename_model_job", model="ridge", to=name))
    assert "'plain' is no model" in reason(
        asked(lab, "rename_model_job", model="plain", to="other")
    )
    assert "'linear' is what the model 'ridge' was called before" in reason(
        asked(lab, "create_model_job", family=RIDGE, name="linear", evaluate_past_days=0)
    )


def lab_run(lab: Lab, assets: str, key: str) -> dg.ExecuteInProcessResult:
    """Assets of the definitions as they are now, which the lab keeps by its files."""
    lab._made = None
    return lab.run(assets, key)


def test_a_created_model_is_renamed_and_dropped(renaming: Lab) -> None:
    lab = renaming
    done(asked(lab, "create_model_job", family=RIDGE, name="stiff", evaluate_past_days=3))
    done(asked(lab, "rename_model_job", model="stiff", to="firm"))
    assert Registry(lab.storage).created() == ["firm"]
    assert [m.name for m in Registry(lab.storage).apply(lab.project)[0].models][-1] == "firm"
    assert lab.models.cards("firm")
    done(asked(lab, "drop_model_job", model="firm", delete_stored="firm"))
    assert Registry(lab.storage).created() == []
    assert lab.models.cards("firm") == []
    assert lab.datasets.keys("validation/firm") == []
