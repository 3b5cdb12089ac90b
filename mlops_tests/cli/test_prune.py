"""`prune`: what goes is of no use, and whatever is asked of the rest is answered as before."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import time_machine
import yaml

from mlops_assets import load_champion, read
from mlops_assets.ml.selection.acceptance import judged
from mlops_assets.pages.shelf import Shelf
from mlops_assets.pages.site import make_app
from mlops_assets.project import load_project
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_tests.commands import command
from mlops_tests.pages.asking import answer
from mlops_tests.small import use_copy

pytestmark = pytest.mark.history
DAYS_ON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
YEARS_ON = dt.datetime(2028, 5, 3, 12, tzinfo=dt.UTC)
ADDRESSES = ["", "models", "series", "checks", "policies"]
PART = re.compile(r'data-(?:figure|table)="([^"]*)"')


@pytest.fixture
def folder(small_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "copy"
    use_copy(small_project, copy, monkeypatch)
    return copy


@pytest.fixture
def models(folder: Path) -> ModelStore:
    return ModelStore(LocalStorage(str(folder / "storage")))


def years_on() -> Any:
    return time_machine.travel(YEARS_ON, tick=True)


def add(models: ModelStore, like: ModelCard, **other: Any) -> ModelCard:
    """Another version, such as somebody has trained by hand."""
    facts = {name: getattr(like, name) for name in ModelCard.model_fields}
    for made in ("version", "created", "size", "sha256"):
        del facts[made]
    return models.add(models.load(like), **(facts | other))


def prune(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    with years_on():
        assert command("prune", *options) == 0
    return capsys.readouterr().out.splitlines()


def files(folder: Path) -> dict[str, bytes]:
    root = folder / "storage"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def champions(folder: Path, days: list[str]) -> dict[str, str]:
    """Which version is champion on days, and on the one to come."""
    root = str(folder / "storage")
    named = {day: load_champion(root, dt.date.fromisoformat(day))[1].version for day in days}
    return named | {"": load_champion(root)[1].version}


def pages(folder: Path, days: list[str]) -> Iterator[tuple[str, str]]:
    """All pages and their parts, and the pages of days."""
    project = folder / "problem" / "project.yaml"
    shelf = Shelf(LocalStorage(str(folder / "storage")), lambda: load_project(project))
    app = make_app(shelf, lambda: [])
    for address in [*ADDRESSES, *(f"day?on={day}" for day in days)]:
        status, _, body = answer(app, f"/{address}")
        assert status == 200, address
        yield address, body.decode()
        for part in dict.fromkeys(PART.findall(body.decode())):
            yield part, answer(app, f"/{part.replace('&amp;', '&')}")[2].decode()


def checked(capsys: pytest.CaptureFixture[str]) -> list[str]:
    command("check", "--stored")
    return capsys.readouterr().out.splitlines()[1:]


def test_what_nothing_names_goes_and_all_answers_are_the_same(
    folder: Path, models: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    [october, november] = models.cards("linear")
    with time_machine.travel(DAYS_ON, tick=True):
        refused = november.checks | {"beats_baseline": judged(False, "by hand")}
        # each of these two is newer than the one that serves, and older than the next of its kind
        unused = [
            add(models, october, as_settings=False),
            add(models, november, checks=refused),
        ]
        kept = [
            add(models, october, checks=refused),
            add(models, october, as_settings=False),
            add(models, november, checks=refused),
            add(models, november, checks=refused),
        ]
        told = add(models, october, as_settings=False)
        add(models, october, as_settings=False)
        models.decisions.record(Action.RETIRE, "linear", version=told.version)
        models.decisions.record(Action.RESTORE, "linear", version=told.version)
    days = DatasetStore(models.storage).keys("champion")
    stored = files(folder)
    expected = prune(capsys)
    assert files(folder) == stored, "without --yes nothing changes"
    assert expected[-1].endswith("`mlops-assets prune --older 365 --yes` removes that")
    with years_on():
        before = champions(folder, days[-20:]), dict(pages(folder, days[-2:]))
        scores = read.metrics(models.storage.root)
    assert prune(capsys, "--yes")[:-1] == expected[:-1]
    left = {card.version for card in models.cards("linear")}
    assert {october.version, november.version, told.version} <= left
    assert not {card.version for card in unused} & left
    assert kept[-1].version in left, "the newest one stays"
    [*_, decided] = models.decisions.all()
    assert (decided.action, decided.model) == (Action.PRUNE, "linear")
    assert {card.version for card in unused} <= {*decided.after["versions"]}
    with years_on():
        assert champions(folder, days[-20:]) == before[0]
        pd.testing.assert_frame_equal(read.metrics(models.storage.root), scores)
        for address, text in pages(folder, days[-2:]):
            assert text == before[1][address], address
        assert checked(capsys) == ["  everything is as it was written"]
    validation = DatasetStore(models.storage).read("validation/linear", days)
    assert "previous_forecast" not in validation
    assert prune(capsys) == ["retail_demand: nothing is of no use"]


def test_days_before_the_first_go_and_the_champions_of_then_stay(
    folder: Path, models: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "problem" / "project.yaml"
    settings = yaml.safe_load(file.read_text())
    first = settings["first_day"] + dt.timedelta(days=45)
    file.write_text(yaml.safe_dump(settings | {"first_day": first}, sort_keys=False))
    datasets = DatasetStore(models.storage)
    kept = [key for key in datasets.keys("leaderboard") if key >= str(first)]
    stored = {name: datasets.read(name, kept) for name in ("leaderboard", "features", "forecast")}
    decided = datasets.read("champion", datasets.keys("champion"))
    assert decided["date"].min() < pd.Timestamp(first)
    before = champions(folder, kept)
    assert prune(capsys, "--yes", "--older", "3650")[-1] == "retail_demand: removed"
    for name, frame in stored.items():
        assert datasets.keys(name) == kept
        pd.testing.assert_frame_equal(datasets.read(name, kept), frame)
    pd.testing.assert_frame_equal(datasets.read("champion", datasets.keys("champion")), decided)
    assert champions(folder, kept) == before
    with years_on():
        assert checked(capsys) == ["  everything is as it was written"]
    assert prune(capsys, "--older", "3650") == ["retail_demand: nothing is of no use"]
