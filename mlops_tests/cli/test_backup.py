"""A backup is whole, and what is restored of it is what was stored."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from mlops_assets import load_champion
from mlops_assets.cli.backup import COPYING, LIST, Place
from mlops_assets.cli.main import main
from mlops_assets.resources.layout import RESTORING
from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_tests.killing import KILLED, in_child, writes_of
from mlops_tests.small import small_environment

TRIES = int(os.environ.get("MLOPS_FAULTS", "10"))


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def call(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.history
def test_a_project_is_backed_up_and_restored_with_its_runs(
    small_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in small_environment(small_project).items():
        monkeypatch.setenv(name, value)
    stored, home, kept = small_project / "storage", small_project / "home", tmp_path / "kept"
    before = contents(stored)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs_count()
        days = instance.get_materialized_partitions(dg.AssetKey("champion"))
    assert f"files under {kept}" in call("backup", "--to", str(kept))
    assert "is not empty; name an empty folder" in call("backup", "--to", str(kept), code=1)
    assert contents(kept / "storage") == before
    assert not (kept / COPYING).exists()

    assert "is not empty; move it away first" in call("restore", "--from", str(kept), code=1)
    shutil.rmtree(stored)
    assert "holds runs; move it away first" in call("restore", "--from", str(kept), code=1)
    assert not stored.exists()
    shutil.rmtree(home)
    assert "holds no backup" in call("restore", "--from", str(tmp_path / "none"), code=1)
    assert in_child(lambda: main(["restore", "--from", str(kept)]), kill_at=40) == KILLED
    assert f"{stored} holds a part of a backup" in call("status", code=1)
    with pytest.raises(StorageError, match=f"complete it by `mlops-assets restore --from {kept}`"):
        load_champion(str(stored))
    call("restore", "--from", str(kept))
    assert contents(stored) == before
    assert "everything is as it was written" in call("check", "--stored")
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == runs
        assert instance.get_materialized_partitions(dg.AssetKey("champion")) == days

    # an instance that is lost is told by what is stored
    shutil.rmtree(home)
    with_a_file = {file.stem for file in (stored / "datasets" / "champion").glob("*.parquet")}
    assert with_a_file < days  # before the first month there is none to store
    told = call("rebuild-instance")
    assert f": champion: {len(with_a_file)} registered" in told
    assert ": champion: 0 registered" in call("rebuild-instance")
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("champion")) == with_a_file
    assert "everything is as it was written" in call("check", "--stored")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is stored and recorded of no project in particular; `kept` is where a backup goes."""
    monkeypatch.setenv("MLOPS_ROOT", str(tmp_path / "storage"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    storage = LocalStorage(str(tmp_path / "storage"))
    for n in range(3):
        storage.write(f"datasets/observations/2026-11-0{n + 1}.parquet", os.urandom(500))
        storage.write(f"registry/decisions/{n}.json", b'{"a": 1}')
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}")
    with closing(sqlite3.connect(tmp_path / "home" / "runs.db")) as database:
        database.execute("create table runs as select 1 as id")
        database.commit()
    return tmp_path


def recorded(home: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(home / "runs.db")) as database:
        return database.execute("select id from runs").fetchall()


def test_the_same_again_completes_a_backup_and_a_restore_that_were_killed(folder: Path) -> None:
    kept, stored, home = folder / "kept", folder / "storage", folder / "home"
    before = contents(stored)

    def backup() -> None:
        main(["backup", "--to", str(kept)], standalone_mode=False)

    def restore() -> None:
        main(["restore", "--from", str(kept)], standalone_mode=False)

    steps = len(writes_of(backup))
    for number in range(steps):
        shutil.rmtree(kept, ignore_errors=True)
        assert in_child(backup, kill_at=number) == KILLED
        if number < steps - 1:  # which removes the sign that it is under way
            assert "no backup that is whole" in call("restore", "--from", str(kept), code=1)
            assert in_child(backup) == 0
        assert contents(kept / "storage") == before
    shutil.rmtree(stored)
    shutil.rmtree(home)
    for number in range(len(writes_of(restore))):
        shutil.rmtree(stored)
        shutil.rmtree(home)
        assert in_child(restore, kill_at=number) == KILLED
        if number:
            said = call("restore", "--from", "memory://other", code=1)
            assert "no backup that is whole" in said
            assert f"{stored} holds a part of a backup" in call("export", "--to", "x", code=1)
        assert in_child(restore) == 0
        assert contents(stored) == before
        assert recorded(home) == [(1,)]


def test_another_backup_does_not_complete_a_restore(folder: Path) -> None:
    for name in ("kept", "other"):
        call("backup", "--to", str(folder / name))
    shutil.rmtree(folder / "storage")
    shutil.rmtree(folder / "home")
    (folder / "storage").mkdir()
    (folder / "storage" / RESTORING).write_text(f"{folder / 'kept'}\n")
    said = call("restore", "--from", str(folder / "other"), code=1)
    assert f"run `mlops-assets restore --from {folder / 'kept'}` again, or move it away" in said
    call("restore", "--from", str(folder / "kept"))


def test_a_backup_never_lies_in_what_it_copies(folder: Path) -> None:
    for place in ("storage", "storage/kept", "home/kept"):
        assert "of which it is a copy" in call("backup", "--to", str(folder / place), code=1)


def test_a_damaged_backup_is_told_and_never_taken_for_whole(folder: Path) -> None:
    kept, stored, home = folder / "kept", folder / "storage", folder / "home"
    call("backup", "--to", str(kept))
    whole = contents(kept)
    chance = random.Random(4)
    for _ in range(TRIES):
        path = chance.choice(sorted(whole))
        changed = bytearray(whole[path])
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        (kept / path).write_bytes(changed)
        shutil.rmtree(stored, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
        done = CliRunner().invoke(main, ["restore", "--from", str(kept)])
        assert done.exit_code == 1, path
        assert isinstance(done.exception, SystemExit), path
        assert str(kept) in done.output
        (kept / path).write_bytes(whole[path])
    (kept / "storage" / "registry" / "decisions" / "0.json").unlink()
    shutil.rmtree(stored, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    said = call("restore", "--from", str(kept), code=1)
    assert "1 of them are not as they were backed up" in said
    assert "registry/decisions/0.json" in said


HOSTILE = {
    "leads out": "storage/../../out.txt",
    "is absolute": "storage//etc/out.txt",
    "is elsewhere": "other/out.txt",
    "has a NUL": "storage/a\0b",
    "is a folder": "storage/datasets",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_list_that_leads_elsewhere_is_refused(name: str, folder: Path) -> None:
    call("backup", "--to", str(folder / "kept"))
    # in an object store a name may be anything
    kept, place = Place(str(folder / "kept")), Place(f"memory://{name}")
    for path in kept.files():
        place.write(path, kept.read(path))
    place.write(LIST, place.read(LIST) + f"{'0' * 64}  {HOSTILE[name]}\n".encode())
    shutil.rmtree(folder / "storage")
    shutil.rmtree(folder / "home")
    said = call("restore", "--from", f"memory://{name}", code=1)
    assert f"names {HOSTILE[name]!r}, which no backup holds; nothing was restored" in said
    assert sorted(file.name for file in folder.iterdir()) == ["kept"]


def test_links_and_devices_of_a_backup_are_not_followed(folder: Path) -> None:
    kept, stored = folder / "kept", folder / "storage"
    call("backup", "--to", str(kept))
    for name, to in (("1.json", "/dev/zero"), ("2.json", "/etc/passwd")):
        file = kept / "storage" / "registry" / "decisions" / name
        file.unlink()
        file.symlink_to(to)
    shutil.rmtree(stored)
    shutil.rmtree(folder / "home")
    assert "2 of them are not as" in call("restore", "--from", str(kept), code=1)
    assert [file.name for file in (stored / "registry" / "decisions").iterdir()] == ["0.json"]
