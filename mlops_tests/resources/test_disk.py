"""A disk that takes nothing more is told in words, nothing is torn, and it goes on with room."""

import datetime as dt
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli.instance import SHIPPED, look_into_instance
from mlops_assets.resources.disk import GOES_ON, why_not_recorded, why_not_written
from mlops_assets.resources.processes import account
from mlops_assets.resources.storage import DiskError, LocalStorage
from mlops_tests.served.test_spine import A_MONTH_LATER, write_project
from mlops_tests.servers import free_ports
from mlops_tests.small import PROJECT_FILE

SMALL, FILLED = 150_000_000, ".filler"
SECONDS = 200


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, but: int) -> None:
        """Leave so many bytes."""
        with (self.folder / FILLED).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.folder).free - but)

    def empty(self) -> None:
        (self.folder / FILLED).unlink()

    def only_read(self, yes: bool) -> None:
        mount("-o", f"remount,{'ro' if yes else 'rw'}", str(self.folder))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder))
    except (OSError, subprocess.SubprocessError):
        pytest.skip("only root may mount a small disk")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full: "),
        (errno.EDQUOT, "the disk is full: "),
        (errno.EROFS, "is read-only. Mount it for writing."),
        (errno.EACCES, f"for the account {account()}. Give it that."),
        (errno.EFBIG, "is held to that (ulimit -f). Raise it."),
    ],
)
def test_a_write_says_why_and_leaves_nothing(
    number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.write("a/b", b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    for name in ("replace", "link"):
        monkeypatch.setattr(os, name, refuse)
    for write, path in ((storage.write, "a/b"), (storage.create, "a/c")):
        with pytest.raises(DiskError, match=str(tmp_path / "a")) as error:
            write(path, b"new")
        assert said in str(error.value)
        assert str(error.value).endswith(GOES_ON)
        assert ("3 bytes are needed" in str(error.value)) == said.startswith("the disk")
    assert os.listdir(tmp_path / "a") == ["b"]
    assert storage.read("a/b") == b"old"


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.create("a", b"old")
    with pytest.raises(FileExistsError):
        storage.create("a", b"new")
    assert why_not_written(errno.EIO, tmp_path) is None
    assert why_not_recorded("database is locked", tmp_path) is None


def test_a_full_disk_is_told_with_what_is_free_and_needed(disk: Disk) -> None:
    storage = LocalStorage(str(disk.folder))
    disk.fill(but=8192)
    with pytest.raises(DiskError) as error:
        storage.write("days/one", bytes(20_000))
    assert f"are free in {disk.folder / 'days'}, 20,000 bytes are needed" in str(error.value)
    assert storage.names("days") == []
    assert not [*(disk.folder / "days").iterdir()], "no part of it stays"
    disk.empty()
    storage.write("days/one", bytes(20_000))
    disk.only_read(True)
    with pytest.raises(DiskError, match="is read-only"):
        storage.write("days/one", b"other")
    disk.only_read(False)
    assert len(storage.read("days/one")) == 20_000


LIMITED = """
import resource, sys
import dagster as dg
from mlops_assets.cli.instance import prepare_instance
from mlops_assets.cli.main import OneDoor

prepare_instance()
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

@dg.asset
def grown(context: dg.AssetExecutionContext) -> None:
    for n in range(100):
        context.log.info("x" * 10_000)
        context.add_asset_metadata({f"n{n}": "y" * 10_000})

with dg.DagsterInstance.get() as instance:
    try:
        dg.materialize([grown], instance=instance)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.long
def test_a_file_that_may_not_grow_is_told_and_not_what_sqlite_says(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", LIMITED, "300000"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=os.environ
        | {"DAGSTER_HOME": str(tmp_path / "instance"), "MLOPS_PROJECT": str(PROJECT_FILE)},
    )
    [last] = answer.stdout.splitlines()[-1:]
    assert last.startswith(f"DiskError: no file in {tmp_path}/instance/")
    assert "may be larger than 300,000 bytes" in last


def build(
    folder: Path, storage: Path, instance: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlops_assets", *(arguments or ["history"])],
        env={
            **os.environ,
            "MLOPS_PROJECT": str(folder / "project.yaml"),
            "MLOPS_ROOT": str(storage),
            "DAGSTER_HOME": str(instance),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.long
def test_serving_from_a_full_or_read_only_instance_says_so(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, A_MONTH_LATER)
    instance = disk.folder / "instance"
    instance.mkdir()
    shutil.copy(SHIPPED, instance)
    monkeypatch.setenv("DAGSTER_HOME", str(instance))
    look_into_instance()
    disk.fill(but=0)
    arguments = (tmp_path, tmp_path / "storage", instance, "serve", "--port", str(free_ports()))
    full = build(*arguments)
    disk.empty()
    disk.only_read(True)
    read_only = build(*arguments)
    disk.only_read(False)
    for stopped, words in ((full, "the disk is full"), (read_only, "is read-only")):
        assert stopped.returncode == 1
        assert words in stopped.stderr.splitlines()[0]
        assert "Traceback" not in stopped.stderr


@pytest.mark.history
@pytest.mark.parametrize(("full", "left"), [("storage", 100_000), ("instance", 1_500_000)])
def test_a_build_on_a_full_disk_says_so_and_goes_on_with_room(
    full: str, left: int, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, A_MONTH_LATER)
    (tmp_path / "dagster.yaml").unlink()
    places = {"storage": tmp_path / "storage", "instance": tmp_path / "instance"}
    places[full] = disk.folder / full
    for place in places.values():
        place.mkdir()
    disk.fill(but=left)
    stopped = build(tmp_path, **places)
    assert stopped.returncode == 1
    told = [line for line in stopped.stderr.splitlines() if "disk is full" in line]
    assert told, stopped.stderr
    assert str(places[full]) in told[0]
    assert "Traceback" not in stopped.stderr
    disk.only_read(True)
    assert "is read-only" in build(tmp_path, **places).stderr
    disk.only_read(False)
    disk.empty()
    went_on = build(tmp_path, **places)
    assert went_on.returncode == 0, went_on.stderr
    monkeypatch.setenv("DAGSTER_HOME", str(places["instance"]))
    with dg.DagsterInstance.get() as instance:
        yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        made = instance.get_materialized_partitions(dg.AssetKey("leaderboard"))
        assert max(made) == str(yesterday)
