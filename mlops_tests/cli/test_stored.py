"""`check --stored`: every kind of trouble is told with its remedy, and what is safe is repaired."""

import os
import shutil
import time
from pathlib import Path

import pytest

from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stored_files import sweep
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_tests.commands import command
from mlops_tests.small import use_copy

pytestmark = pytest.mark.history
DAY, OTHER = "2026-11-10", "2026-11-11"


@pytest.fixture
def folder(small_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small project, which the commands use; all its files are new."""
    copy = tmp_path / "copy"
    use_copy(small_project, copy, monkeypatch)
    for file in (copy / "storage").rglob("*"):
        os.utime(file, (time.time(),) * 2)
    return copy


def make_old(file: Path) -> None:
    os.utime(file, (time.time() - 3700,) * 2)


def told(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    code = command("check", "--stored", *options)
    return code, capsys.readouterr().out.splitlines()


def test_a_sound_store_is_told_to_be_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = told(capsys)
    assert (code, lines[1:]) == (0, ["  everything is as it was written"])
    count = sum(path.is_file() for path in (folder / "storage").rglob("*"))
    assert lines[0] == f"retail_demand: {count} files under {folder / 'storage'}"


def test_what_is_wrong_is_named_with_its_remedy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = LocalStorage(str(folder / "storage"))
    datasets, models = DatasetStore(storage), ModelStore(storage)
    root = folder / "storage"
    damaged = root / datasets.path("features", DAY)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    for day in (DAY, OTHER):
        (root / datasets.path("leaderboard", day)).unlink()
    [first, second, *_] = models.cards("linear")
    (root / "models" / "linear" / first.version / "model.skops").unlink()
    shutil.rmtree(root / "models" / "linear" / second.version)
    [naive, *_] = models.cards("seasonal_naive")
    (root / "models" / "seasonal_naive" / naive.version / "card.json").unlink()
    models.decisions.record(Action.RETIRE, "linear", version=second.version)
    (root / "notes.txt").write_text("mine")
    (root / "datasets" / "features" / "mine.parquet").write_bytes(b"mine")
    (root / datasets.path("training_set", "2026-11-01")).unlink()
    shutil.copytree(root / "datasets" / "validation" / "linear", root / "datasets/validation/gone")
    shutil.copy(root / datasets.path("drift", DAY), root / datasets.path("drift", "2026-08-24"))
    code, lines = told(capsys)
    assert code == 1
    again = "dagster asset materialize -m mlops_assets.definitions --select"
    expected = {
        f"damaged   {damaged} ": f"; rebuild it: {again} features --partition {DAY}",
        f"missing   {root}/models/linear/{first.version}/model.skops is missing;": again,
        f"missing   {root}/models/linear/{second.version} is named by the audit trail": again,
        f"missing   {root}/models/seasonal_naive/{naive.version}/card.json was written": again,
        f"foreign   {root}/notes.txt is no file of this store": "move it away",
        f"left over {root}/datasets/validation/gone is of a model that no": "drop_model_job",
        f"damaged   {root}/datasets/drift/2026-08-24.parquet is not as": "drift",
        f"missing   {root}/datasets/leaderboard lacks {DAY} to {OTHER},": (
            f"{again} leaderboard --partition-range {DAY}...{OTHER}"
        ),
        f"foreign   {root}/datasets/features/mine.parquet is no file of this store": "move it",
        f"missing   {root}/datasets/training_set lacks 2026-11-01,": f"{again} training_set",
        f"missing   {root}/models/linear lacks {second.month},": f"{again} models/linear",
        f"foreign   {root}/datasets/drift has 2026-08-24, which the event log": "history",
    }
    for beginning, remedy in expected.items():
        found = [line for line in lines if line.startswith(f"  {beginning}")]
        assert any(remedy in line for line in found), (beginning, lines)


def test_a_damaged_card_is_told_once_with_its_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pipeline and the holdout of a version are read by its card."""
    root = folder / "storage"
    version = ModelStore(LocalStorage(str(root))).cards("linear")[0].version
    card = root / "models" / "linear" / version / "card.json"
    card.write_text(card.read_text().replace("linear", "lunear", 1))
    code, lines = told(capsys)
    assert code == 1
    [line] = [line for line in lines if "card.json" in line]
    assert line.startswith(f"  damaged   {card} is not as it was written")
    assert "; train again, which stands in for it: dagster asset" in line
    assert line.endswith(f"; then delete its folder {version}")


def test_what_is_safe_is_repaired_and_nothing_else(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder / "storage"
    killed = root / "datasets" / "features" / f".{DAY}.parquet.{'a' * 32}"
    killed.write_bytes(b"half")
    make_old(killed)
    begun = root / "datasets" / "features" / f".{OTHER}.parquet.{'b' * 32}"
    begun.write_bytes(b"half")
    trained = root / "models" / "linear" / f"{DAY}_20261110T000000000000_00000000"
    trained.mkdir()
    (trained / "model.skops").write_bytes(b"whole, but without a card")
    make_old(trained / "model.skops")
    index, csv = root / "source_index.json", root / "datasets" / "forecast" / f"{DAY}.csv"
    index.write_bytes(b"{")
    right = csv.read_bytes()
    csv.write_bytes(right.replace(b"1", b"2"))
    damaged = root / "datasets" / "features" / f"{DAY}.parquet"
    damaged.write_bytes(b"damaged")

    code, lines = told(capsys)
    assert code == 1
    assert lines[-1].endswith("4 of 5: `mlops-assets check --stored --repair` does it")
    assert killed.exists()
    code, lines = told(capsys, "--repair")
    assert code == 1, "the damaged day is left"
    assert sum(line.endswith(" (done)") for line in lines) == 4
    assert [file for file in (killed, trained, index) if file.exists()] == []
    assert csv.read_bytes() == right
    assert damaged.read_bytes() == b"damaged"
    os.utime(begun, (time.time(),) * 2)
    code, lines = told(capsys)
    assert [line.split()[0] for line in lines[1:]] == ["damaged"]


def test_leftovers_are_swept_when_the_service_starts(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.write("datasets/features/x.csv", b"kept")
    old, new = (tmp_path / "datasets" / f".x.csv.{letter * 32}" for letter in "ab")
    for file in (old, new):
        file.write_bytes(b"half")
        os.utime(file, (time.time(),) * 2)
    make_old(old)
    make_old(tmp_path / "datasets" / "features" / "x.csv")
    storage.write("pages/leaderboard.html", b"of a version that stored it")
    make_old(tmp_path / "pages" / "leaderboard.html")
    sweep(storage)
    assert not old.exists()
    assert storage.names("pages") == []
    assert new.exists(), "it may still be written"
    assert storage.read("datasets/features/x.csv") == b"kept"


@pytest.mark.parametrize("options", [["--repair"], ["--stored", "ideas.py"]])
def test_options_that_do_not_go_together_are_refused(options: list[str]) -> None:
    assert command("check", *options) == 2
