"""An object store over the wire: whole or not at all, seen at once, and with few requests."""

import datetime as dt
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.definitions import make_definitions
from mlops_assets.jobs.evaluate import EVALUATE_JOB
from mlops_assets.project import load_project
from mlops_assets.resources.current_names import CurrentNames
from mlops_assets.resources.object_store import SMALL, Listed, pack_of, packed, unpacked
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.storage import LocalStorage, Storage, StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.resources.s3 import S3Server, s3_server, s3fs

CREATED = 100
DAYS = [str(dt.date(2026, 2, 20) + dt.timedelta(n)) for n in range(20)]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def root(server: S3Server, request: pytest.FixtureRequest) -> str:
    server.asked.clear()
    return f"s3://bucket/{request.node.name}"


def frame(day: str, value: float, rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"date": pd.to_datetime([day] * rows), "x": [value] * rows})


def create_all(root: str, who: str, start: Any) -> list[str]:
    """The files that this process was told to have created, each in a race with the other."""
    storage = make_storage(root)
    storage.exists("connected")
    start.wait()

    def create(n: int) -> str | None:
        try:
            storage.create(f"registry/models/m{n}.yaml", f"by: {who}".encode())
        except FileExistsError:
            return None
        return f"m{n}"

    with ThreadPoolExecutor(8) as pool:
        return [name for name in pool.map(create, range(CREATED)) if name]


def create_in_process(root: str, who: str, start: Any, told: Any) -> None:
    told.put((who, create_all(root, who, start)))


@pytest.mark.long
def test_of_two_processes_that_create_one_file_one_is_refused(root: str) -> None:
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(2, timeout=60), context.Queue()
    both = [
        context.Process(target=create_in_process, args=(root, who, start, told))
        for who in ("one", "other")
    ]
    for process in both:
        process.start()
    created = dict(told.get(timeout=90) for _ in both)
    for process in both:
        process.join(30)
    assert not {*created["one"]} & {*created["other"]}
    assert {*created["one"], *created["other"]} == {f"m{n}" for n in range(CREATED)}
    storage = make_storage(root)
    for who, names in created.items():
        for name in names[:3]:
            assert storage.read(f"registry/models/{name}.yaml") == f"by: {who}".encode()


def test_a_write_is_one_request_and_a_read_is_one(server: S3Server, root: str) -> None:
    storage = make_storage(root)
    assert server.asked == {"GET": 1}, "whether a restore is under way"
    server.asked.clear()
    storage.write("a/one.json", b'{"x": 1}')
    storage.create("a/two.json", b'{"x": 2}')
    assert storage.read("a/one.json") == b'{"x": 1}'
    assert server.asked == {"PUT": 2, "GET": 1}
    with pytest.raises(FileNotFoundError):
        storage.read("a/three.json")
    assert server.asked == {"PUT": 2, "GET": 2}


def test_what_another_process_writes_and_deletes_is_seen_at_once(root: str) -> None:
    one, other = make_storage(root), make_storage(root)
    assert not one.exists("a/b.json")
    assert one.names("a") == []
    other.write("a/b.json", b'{"x": 1}')
    assert one.exists("a/b.json")
    assert one.names("a") == ["b.json"]
    other.delete("a")
    other.delete("a")
    assert not one.exists("a/b.json")
    assert one.names("a") == []


def test_days_are_read_from_packs_and_never_older_than_they_are(
    server: S3Server, root: str
) -> None:
    storage = make_storage(root)
    datasets = DatasetStore(storage)
    for n, day in enumerate(DAYS):
        datasets.write("features", day, frame(day, n))
    right = [float(n) for n in range(len(DAYS)) for _ in range(3)]

    def read(by: Storage) -> tuple[list[float], int]:
        server.asked.clear()
        found = DatasetStore(by).read("features", ["2026-01-01", *DAYS])
        return found["x"].tolist(), server.asked.total()

    values, first = read(make_storage(root))
    assert values == right
    assert first <= 1 + 2 + len(DAYS) + 1 + 2  # a list, packs, days, the list again, packs written
    assert read(make_storage(root)) == (right, 1 + 2)  # a list and a pack of each month

    fresh = make_storage(root)
    assert read(fresh) == (right, 1 + 2)
    assert read(fresh) == (right, 1)  # known by their tags

    datasets.write("features", DAYS[3], frame(DAYS[3], 33.0))
    datasets.delete("features", DAYS[5])
    changed = [33.0 if x == 3 else x for x in right if x != 5]
    assert read(fresh) == (changed, 1 + 1 + 1)  # the list, the pack of its month, the day
    assert read(make_storage(root)) == (changed, 1 + 2 + 1)
    datasets.write("features", DAYS[3], frame(DAYS[3], 3.0))
    datasets.write("features", DAYS[5], frame(DAYS[5], 5.0))
    assert read(fresh)[0] == right

    pack = f"{root}/{pack_of(DatasetStore.path('features', DAYS[0]))}"
    for damaged in (b"", b"no pack", s3fs.S3FileSystem().cat_file(pack)[:-40]):
        s3fs.S3FileSystem().pipe_file(pack, damaged)
        assert read(make_storage(root))[0] == right


def test_a_pack_that_is_damaged_gives_what_is_right_or_nothing() -> None:
    files = {f"datasets/features/{day}.parquet": os.urandom(60) for day in DAYS[:6]}
    listed = {path: Listed(f'"{os.urandom(16).hex()}"', 60) for path in files}
    pack = packed(files, listed)
    assert unpacked(pack, listed) == files
    for at in range(len(pack)):
        for changed in (pack[:at], bytes([*pack[:at], pack[at] ^ 1 << at % 8, *pack[at + 1 :]])):
            assert unpacked(changed, listed).items() <= files.items()


def test_a_damaged_day_is_named_and_costs_itself(root: str) -> None:
    storage = make_storage(root)
    datasets = DatasetStore(storage)
    for n, day in enumerate(DAYS):
        datasets.write("features", day, frame(day, n))
    wrong = f"{root}/{DatasetStore.path('features', DAYS[7])}"
    other = s3fs.S3FileSystem().cat_file(wrong.replace(DAYS[7], DAYS[8]))
    for _ in range(2):  # from the file, then with packs
        s3fs.S3FileSystem().pipe_file(wrong, other)
        damaged: dict[str, StorageError] = {}
        found = DatasetStore(make_storage(root)).read("features", DAYS, damaged)
        assert len(found) == 3 * (len(DAYS) - 1)
        assert [*damaged] == [DAYS[7]]
        with pytest.raises(StorageError, match=rf"{DAYS[7]}\.parquet is not as it was written"):
            datasets.read("features", DAYS)


@pytest.mark.parametrize("root", ["sftp://host/folder", "smb://host/share", "s4://bucket"])
def test_places_where_a_write_may_be_seen_in_part_are_refused(root: str) -> None:
    with pytest.raises(StorageError, match=rf"{root} is no object store.*mount it"):
        make_storage(root)


def test_a_folder_may_be_named_by_a_url(tmp_path: Path) -> None:
    storage = make_storage(f"file://{tmp_path}")
    assert isinstance(storage, CurrentNames)
    assert isinstance(storage.stored, LocalStorage)
    assert storage.root == str(tmp_path)


def test_large_files_are_packed_nowhere(server: S3Server, root: str) -> None:
    storage = make_storage(root)
    noise = [os.urandom(SMALL) for _ in DAYS]
    for day, data in zip(DAYS, noise, strict=True):
        storage.write(f"landing/{day}.bin", data)
    for _ in range(2):
        server.asked.clear()
        paths = [f"landing/{day}.bin" for day in DAYS]
        assert [data for _, data in storage.read_each(paths)] == noise
        assert server.asked["PUT"] == 0
        assert server.asked.total() <= len(DAYS) + 2


@pytest.mark.long
def test_a_store_that_is_busy_is_asked_again(server: S3Server, root: str) -> None:
    storage = make_storage(root)
    storage.write("a.json", b'{"x": 1}')
    server.refuse = 2
    assert storage.read("a.json") == b'{"x": 1}'
    server.refuse = 1
    storage.write("a.json", b'{"x": 2}')
    assert storage.read("a.json") == b'{"x": 2}'
    assert server.refuse == 0


@pytest.mark.history
def test_a_day_in_an_object_store_is_the_day_in_a_folder_with_few_requests(
    server: S3Server, root: str, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalStorage(str(small_project / "storage"))
    s3fs.S3FileSystem().put(f"{local.root}/", f"{root}/", recursive=True)
    project = load_project(small_project / "problem" / "project.yaml")
    day = max(DatasetStore(local).keys("observations"))
    stored: dict[str, dict[str, bytes]] = {}
    for storage in (local, make_storage(root), make_storage(root)):
        server.asked.clear()
        home = small_project / f"home-{len(stored)}"
        shutil.copytree(small_project / "home", home, dirs_exist_ok=True)
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            job = make_definitions(project, storage).resolve_job_def(EVALUATE_JOB)
            assert job.execute_in_process(instance=instance, partition_key=day).success
        asked = server.asked.total()
        paths = [path for path, _ in storage.files() if path.endswith(f"{day}.parquet")]
        stored[storage.root] = {
            path: storage.read(path)
            for path in paths
            if "/issued/" not in path  # which tells when it was issued
        }
    assert stored[local.root] == stored[root]
    assert len(stored[root]) > 15
    assert asked < 190  # the second time, when months are packed
