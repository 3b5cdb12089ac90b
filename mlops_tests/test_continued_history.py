"""A history that version 0.1 built is served, rebuilt and continued by the code of today.

`fixtures/history_0_1/README.md` says what is in it and how it was made. It ends on the evening of
16 June 2026; the tests go on from there, to 2 July.
"""

import contextlib
import datetime as dt
import hashlib
import json
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import time_machine
import yaml

from mlops_assets import load_champion
from mlops_assets.cli.instance import SHIPPED
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import run_tags
from mlops_assets.pages.model_figures import daily_figure
from mlops_assets.pages.models_page import daily_scores
from mlops_assets.pages.shelf import Shelf
from mlops_assets.project import Project, json_schema, load_project
from mlops_assets.project.old_words import OldWordWarning
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_assets.resources.switches import paused_models
from mlops_tests.assets.lab import QUIET, keys, reason

FIXTURE = Path(__file__).parent / "fixtures" / "history_0_1"
RECORDED: dict[str, Any] = json.loads((FIXTURE / "recorded.json").read_text())
KINDS = ("asset_keys", "checks", "jobs", "schedules", "sensors")
DATABASES = ("events/index.db", "history/runs.db", "schedules/schedules.db")
LAST_EVENING = dt.datetime(2026, 6, 16, 19, tzinfo=dt.UTC)
LATER = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)
NEW_DAYS = keys("2026-06-16", "2026-07-01")
JULY = "2026-07-01"
TRAINED = ["seasonal_naive", "linear", "hist_boosting"]  # `tree` is paused
RECORDED_DAYS = dt.timedelta(days=2 * 364)  # so long before the day that replays it lies a day
RETIRED = next(name for name in RECORDED["models"]["linear"] if "20260611" in name)
DAILY = ["observations", "features", "leaderboard", "champion", "forecast", "drift"]
# Words that have given way to others since: in settings, names of checks and of one job.
NEW_WORDS = {
    r"^\.control\b": ".performance",
    r"\.yardstick\b": ".baseline",
    r"^\.features\.own\b": ".features.custom",
    r"\(own\)": "(custom)",
    r":yardstick$": ":baseline",
    r":beats_yardstick$": ":beats_baseline",
    r"^replay_policy_job$": "backtest_policy_job",
}
# the settings and the plugin of the history say the old ones
pytestmark = [
    pytest.mark.history,
    pytest.mark.filterwarnings("ignore::mlops_assets.project.old_words.OldWordWarning"),
    pytest.mark.filterwarnings("ignore:OwnSource is called CustomSource now:FutureWarning"),
]
# made anew from all there is, or from how the source is now
REMADE = re.compile(r"datasets/model_registry/.*|source_(index|columns)\.json")


def in_new_words(names: list[str]) -> list[str]:
    """Names as they are called today."""
    for old, new in NEW_WORDS.items():
        names = [re.sub(old, new, name) for name in names]
    return sorted(names)


class History:
    """The unpacked history."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        self.storage = LocalStorage(str(folder / "storage"))
        self.datasets, self.models = DatasetStore(self.storage), ModelStore(self.storage)

    @property
    def project(self) -> Project:
        return load_project(self.folder / "project" / "project.yaml")

    @property
    def definitions(self) -> dg.Definitions:
        return make_definitions(self.project, self.storage)

    def run(
        self,
        job: str,
        first: str = "",
        last: str = "",
        select: str = "",
        config: dict[str, Any] | None = None,
    ) -> None:
        """A run that succeeds of a job, or of some of its assets, for a range of partitions."""
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(key.split("/")) for key in select.split()] or None,
            tags=run_tags(first, last or first) if first else {},
            run_config=QUIET | {"ops": config or {}},
            raise_on_error=False,
        )
        assert result.success, reason(result)

    def files(self) -> dict[str, str]:
        """Every stored file with what its bytes come to."""
        root = self.folder / "storage"
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*")
            if path.is_file()
        }


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[History]:
    """The history of a folder with its instance, that of the version that built it."""
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield History(folder, instance)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the history as it was left, to be copied."""
    folder = tmp_path_factory.mktemp("history_0_1")
    with tarfile.open(FIXTURE / "history.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    for name in DATABASES:
        database = folder / "home" / name
        database.parent.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.executescript(
                (folder / "databases" / f"{database.stem}.sql").read_text(encoding="utf-8")
            )
    return folder


def copied(unpacked: Path, to: Path) -> Path:
    shutil.copytree(unpacked, to, dirs_exist_ok=True)
    settings = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    settings["event_log_storage"]["config"]["base_dir"] = str(to / "home")
    (to / "home" / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return to


@pytest.fixture(autouse=True)
def last_evening() -> Iterator[None]:
    with time_machine.travel(LAST_EVENING):
        yield


@pytest.fixture
def history(unpacked: Path, tmp_path: Path) -> Iterator[History]:
    """A copy of the history for one test."""
    with opened(copied(unpacked, tmp_path)) as found:
        yield found


# as it was left


@pytest.mark.parametrize("day", list(RECORDED["champions"]))
def test_the_champion_answers_as_it_did(unpacked: Path, day: str) -> None:
    load_project(unpacked / "project" / "project.yaml")
    root = str(unpacked / "storage")
    pipeline, card = load_champion(root, dt.date.fromisoformat(day) if day else None)
    sample = DatasetStore(LocalStorage(root)).read("features", RECORDED["sampled_days"][-1:])
    expected = RECORDED["champions"][day]
    assert card.version == expected["version"]
    assert list(pipeline.predict(sample[card.inputs])) == pytest.approx(
        expected["forecasts"], rel=0, abs=1e-9
    )


def test_every_version_forecasts_as_it_did(unpacked: Path) -> None:
    load_project(unpacked / "project" / "project.yaml")
    storage = LocalStorage(str(unpacked / "storage"))
    models = ModelStore(storage)
    sample = DatasetStore(storage).read("features", RECORDED["sampled_days"])
    for model, versions in RECORDED["models"].items():
        cards = models.cards(model)
        assert [card.version for card in cards] == versions
        for card in cards:
            forecasts = list(models.load(card).predict(sample[card.inputs]))
            expected = RECORDED["forecasts"][card.version]
            assert forecasts == pytest.approx(expected, rel=0, abs=1e-9), card.version


def test_the_definitions_have_the_names_that_they_had(history: History) -> None:
    repository = history.definitions.get_repository_def()
    graph = repository.asset_graph
    names = {kind: in_new_words(RECORDED[kind]) for kind in KINDS}
    of_data = ("target_level", "source_readable", "targets_known")
    added = [*(f"observations:{name}" for name in of_data), "issued:inputs_known"]
    names["checks"] = sorted([*names["checks"], *added])
    names["jobs"] = sorted([*names["jobs"], "rename_model_job"])
    # one sensor does what these two did
    names["asset_keys"] = sorted([*names["asset_keys"], "issued"])
    names["sensors"] = sorted(
        {*names["sensors"], "upkeep_sensor"} - {"catch_up_sensor", "refresh_sensor"}
    )
    assert {
        "asset_keys": sorted(key.to_user_string() for key in repository.assets_defs_by_key),
        "checks": sorted(key.to_user_string() for key in graph.asset_check_keys),
        "jobs": sorted(job.name for job in repository.get_all_jobs()),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    } == names


def test_what_was_decided_still_holds(history: History) -> None:
    decided = [(one.action, one.model, one.by) for one in history.models.decisions.all()]
    assert decided == [
        (Action.CREATE, "hist_boosting", "ada"),
        (Action.UPDATE, "linear", "ada"),
        (Action.PIN, "hist_boosting", "ada"),
        (Action.RETIRE, "linear", "ada"),
    ]
    assert history.models.decisions.retired("linear") == {RETIRED}
    assert paused_models(history.instance, history.project) == {"tree"}


def test_nothing_of_it_is_asked_for_again(history: History) -> None:
    repository = history.definitions.get_repository_def()
    for sensor in repository.sensor_defs:
        context = dg.build_sensor_context(history.instance, repository_def=repository)
        asked = sensor.evaluate_tick(context).run_requests or []
        assert {key.to_user_string() for one in asked for key in one.asset_selection} <= {
            "issued"  # which there was not: of days that are over it is made of nothing
        }, sensor.name


def test_settings_of_before_are_read(unpacked: Path, tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    settings = yaml.safe_load((unpacked / "project" / "project.yaml").read_text())
    settings["source"] = {"kind": "own", "use": {"local_rows": {"file": "rows.csv"}}}
    settings["first_day"] = "2026-02-15"
    file.write_text(yaml.safe_dump(settings))
    shutil.copy(unpacked / "project" / "local_rows.py", tmp_path)
    with pytest.warns(OldWordWarning, match="source.kind: own is called custom now"):
        assert load_project(file).source.kind == "custom"


def test_the_schema_has_every_setting_of_before() -> None:
    known = (FIXTURE / "settings.txt").read_text().splitlines()
    schema = json.loads(json_schema())
    now = set(each_default(accepted(schema, schema)))
    assert sorted(set(each_default(in_new_words(known))) - now) == []


# rebuilt


@pytest.fixture(scope="module")
def rebuilt(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history after June was evaluated and ranked once more.

    Retired before the days that it served: version 0.1 let that change how they had been.
    """
    folder = copied(unpacked, tmp_path_factory.mktemp("rebuilt"))
    decided = folder / "storage" / "registry" / "decisions"
    [retirement] = (file for file in decided.iterdir() if '"retire"' in file.read_text())
    told = retirement.read_text()
    assert told.count('"at": "2026-06-14T') == 1
    retirement.write_text(told.replace('"at": "2026-06-14T', '"at": "2026-06-10T'))
    with time_machine.travel(LAST_EVENING), opened(folder) as found:
        evaluated = " ".join(f"validation/{model}" for model in RECORDED["models"])
        for select in ("observations features", evaluated, "leaderboard"):
            found.run("evaluate_job", "2026-06-01", RECORDED["newest_day"], select)
    return folder


@pytest.mark.parametrize(
    "dataset",
    ["observations", "features", "leaderboard", *(f"validation/{m}" for m in RECORDED["models"])],
)
def test_days_made_again_are_as_they_were(unpacked: Path, rebuilt: Path, dataset: str) -> None:
    days = keys("2026-06-01", RECORDED["newest_day"])
    before, after = (
        DatasetStore(LocalStorage(str(folder / "storage"))).read(dataset, days)
        for folder in (unpacked, rebuilt)
    )
    assert set(before["date"].dt.strftime("%Y-%m-%d")) == set(days)
    pd.testing.assert_frame_equal(before, after[[*before]], rtol=0, atol=1e-9)
    added = {"issued_at"} if dataset.startswith("validation/") else set()
    added |= (
        {"live", "live_days_28d", "gain_over_previous_7d"} if dataset == "leaderboard" else set()
    )
    assert set(after) - set(before) == added


def test_days_that_were_judged_in_hindsight_are_judged_by_the_version_of_then(
    history: History,
) -> None:
    """Retired on 14 June, the version of 11 June served the three days before."""
    history.run("evaluate_job", "2026-06-10", "2026-06-14", "validation/linear")
    rows = DatasetStore(history.storage).read("validation/linear", keys("2026-06-10", "2026-06-14"))
    of_days = {f"{day:%Y-%m-%d}": set(made) for day, made in rows.groupby("date")["version"]}
    assert [RETIRED in of_days[day] for day in sorted(of_days)] == [False, True, True, True, False]
    assert all(len(versions) == 1 for versions in of_days.values())
    recorded = RECORDED["forecasts"][RETIRED][-3:]  # of 12 June
    assert rows.loc[rows["date"] == "2026-06-12", "forecast"].tolist() == pytest.approx(recorded)


def test_the_page_of_models_shows_the_numbers_that_were_shown(
    unpacked: Path, rebuilt: Path
) -> None:
    """Single days alone: lines of the week averaged its days, and pool its rows now."""
    page = (unpacked / "storage" / "pages" / "leaderboard.html").read_text(encoding="utf-8")
    found = re.search(r"^const figures = (.*);$", page, re.MULTILINE)
    assert found is not None
    before = of_days(json.loads(found.group(1))["daily"])
    settings = rebuilt / "project" / "project.yaml"
    shelf = Shelf(LocalStorage(str(rebuilt / "storage")), lambda: load_project(settings))
    look = shelf.look([])
    after = of_days(daily_figure(daily_scores(look), "wmape", look.models, look.lines) or {})
    assert len(before) == 4
    assert after == before


# continued


@pytest.fixture(scope="module")
def continued(
    unpacked: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[History, dict[str, str]]]:
    """The history until 1 July, with July's versions, and the files that it began with.

    On the way a version is trained off the cadence, a champion pinned, and a version restored.
    """
    folder = copied(unpacked, tmp_path_factory.mktemp("continued"))
    with time_machine.travel(LATER), opened(folder) as found:
        sell_by_promotion(folder / "project" / "rows.csv")
        before = found.files()
        found.run("evaluate_job", NEW_DAYS[0], NEW_DAYS[-2])
        for model in TRAINED:
            found.run(f"retrain_{model}_job", JULY)
        through = {"models__tree": {"config": {"through": NEW_DAYS[-2]}}}
        found.run("retrain_all_job", JULY, select="models/tree", config=through)
        pin = {"champion": {"config": {"pin": "hist_boosting", "reason": "a test"}}}
        found.run("evaluate_job", NEW_DAYS[-1], config=pin)
        restored = {"restore_version": {"config": {"version": RETIRED, "evaluate_past": False}}}
        found.run("restore_version_job", config=restored)
        yield found, before


def test_the_next_days_are_there(continued: tuple[History, dict[str, str]]) -> None:
    history, before = continued
    for dataset in [*DAILY, *(f"validation/{model}" for model in RECORDED["models"])]:
        old = [Path(name).stem for name in before if Path(name).parent == Path("datasets", dataset)]
        assert history.datasets.keys(dataset) == sorted({*old, *NEW_DAYS}), dataset
        done = history.instance.get_materialized_partitions(dg.AssetKey(dataset.split("/")))
        assert set(NEW_DAYS) <= done, dataset
    newest = history.datasets.read("leaderboard", [NEW_DAYS[-1]])
    assert set(newest["model"]) == set(RECORDED["models"])


def test_no_version_is_trained_again(continued: tuple[History, dict[str, str]]) -> None:
    history, _ = continued
    for model, versions in RECORDED["models"].items():
        *old, new = history.models.cards(model)
        assert [card.version for card in old] == versions
        assert (new.month, str(new.trained_through)) == (JULY, "2026-06-30")


def test_each_day_is_scored_by_the_version_in_service(
    continued: tuple[History, dict[str, str]],
) -> None:
    history, _ = continued
    for model, versions in RECORDED["models"].items():
        rows = history.datasets.read(f"validation/{model}", NEW_DAYS)
        *june, july = rows.groupby("date")["version"].first()
        # the newest of both had been retired and refused
        newest = versions[-2] if model in ("linear", "hist_boosting") else versions[-1]
        assert set(june) == {newest}
        assert july == history.models.cards(model)[-1].version


def test_a_version_is_restored(continued: tuple[History, dict[str, str]]) -> None:
    history, _ = continued
    assert history.models.decisions.retired("linear") == set()
    registry = history.datasets.read("model_registry", history.datasets.keys("model_registry"))
    assert set(registry["version"]) == {
        card.version for model in RECORDED["models"] for card in history.models.cards(model)
    }


def test_the_champion_goes_on(continued: tuple[History, dict[str, str]]) -> None:
    history, _ = continued
    champion = history.datasets.read("champion", NEW_DAYS)
    assert champion["next_champion"].tolist() == ["linear"] * 15 + ["hist_boosting"]
    _, card = load_champion(history.storage.root)
    assert card == history.models.cards("hist_boosting")[-1]
    issued = history.datasets.read("forecast", [NEW_DAYS[-1]])
    assert set(issued["version"]) == {card.version}


def test_what_was_stored_is_not_touched(continued: tuple[History, dict[str, str]]) -> None:
    history, before = continued
    after = history.files()
    touched = {name for name, content in before.items() if after.get(name) != content}
    assert {name for name in touched if not REMADE.fullmatch(name)} == set()


def sell_by_promotion(file: Path) -> None:
    """Rows of the new days of which a model that reads promotions knows more than the baseline."""
    rows = pd.read_csv(file, parse_dates=["date"])
    new = rows["date"].isin(pd.to_datetime(NEW_DAYS) - RECORDED_DAYS)
    level = rows["category"].map({"bread": 3, "cake": 8, "milk": 13})
    weekend = 6 * (rows["date"].dt.dayofweek >= 5)
    sold = (level + weekend + 10 * rows["promotion"]).round().astype(int)
    rows["units"] = rows["units"].where(~new, sold)
    rows.to_csv(file, index=False)


def of_days(figure: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The values of the thin lines of a figure, by model and day."""
    thin = [line for line in figure["data"] if line["line"]["width"] == 1]
    return {line["name"]: dict(zip(line["x"], line["y"], strict=True)) for line in thin}


def each_default(lines: Iterable[str]) -> Iterator[str]:
    """The lines of settings, with a line for each default of a section: more may be added."""
    for line in lines:
        name, _, default = line.partition(" = ")
        if default.startswith("{"):
            yield from (f"{name}: {each}" for each in json.loads(default).items())
        else:
            yield line


def accepted(schema: dict[str, Any], node: dict[str, Any], path: str = "") -> Iterator[str]:
    """A line for each setting, with its default where it has one, and for each value to choose."""
    if "$ref" in node:
        yield from accepted(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], path)
    properties = node.get("properties", {})
    if kind := properties.get("kind", {}).get("const"):
        path += f"({kind})"
    for name, value in properties.items():
        default = f" = {json.dumps(value['default'])}" if "default" in value else ""
        yield f"{path}.{name}{default}"
        yield from accepted(schema, value, f"{path}.{name}")
    for value in node.get("enum", []):
        yield f"{path}: {value}"
    for part in ("anyOf", "oneOf", "allOf"):
        for choice in node.get(part, []):
            yield from accepted(schema, choice, path)
    if "then" in node:
        family = node["if"]["properties"]["family"]["const"]
        yield from accepted(schema, node["then"], f"{path}({family})")
    for part in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(part), dict):
            yield from accepted(schema, node[part], f"{path}[]")
