"""A stored file is read as it was written, or its error names it."""

import hashlib
import io
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.resources import written
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.seals import digest, sealed, unsealed
from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_assets.resources.stores.dataset_store import DatasetStore

DAY, OTHER = "2026-11-10", "2026-11-11"
COMMAND = "dagster asset materialize -m mlops_assets.definitions --select"
CONTENTS = {
    "a/b.json": b'{"x": 1}',
    "a/b.yaml": b"x: 1\n",
    "first_day.txt": b"2026-11-10\n",
}


def frame(day: str, *values: float) -> pd.DataFrame:
    return pd.DataFrame({"date": pd.Timestamp(day), "x": list(values)})


def parquet(*values: float) -> bytes:
    buffer = io.BytesIO()
    frame(DAY, *values).to_parquet(buffer, index=False)
    return buffer.getvalue()


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(str(tmp_path))


@pytest.fixture
def datasets(storage: LocalStorage) -> DatasetStore:
    return DatasetStore(storage)


def file(datasets: DatasetStore, key: str, dataset: str = "features") -> Path:
    return Path(datasets.url(dataset, key))


def test_a_seal_is_of_the_path_and_the_content() -> None:
    expected = hashlib.sha256(b"a/b.json\x00" + b'{"x": 1}').hexdigest()
    assert digest("a/b.json", b'{"x": 1}') == expected
    assert sealed("a/b.json", b'{"x": 1}', expected) == (
        b'{"seal": "' + expected.encode() + b'","x": 1}'
    )


@pytest.mark.parametrize("path", CONTENTS)
def test_the_content_comes_back_and_a_file_of_before_has_no_seal(path: str) -> None:
    content = CONTENTS[path]
    seal = digest(path, content)
    assert unsealed(path, sealed(path, content, seal)) == (content, seal)
    assert unsealed(path, content) == (content, "")


def test_sealed_files_are_what_they_were_for_other_readers(
    storage: LocalStorage, datasets: DatasetStore
) -> None:
    storage.write("a/b.json", CONTENTS["a/b.json"])
    assert json.loads(Path(storage.url("a/b.json")).read_bytes())["x"] == 1
    storage.write("a/b.yaml", CONTENTS["a/b.yaml"])
    assert yaml.safe_load(Path(storage.url("a/b.yaml")).read_bytes()) == {"x": 1}
    datasets.write("features", DAY, frame(DAY, 1.0, 2.0))
    there = file(datasets, DAY)
    assert b"seal of mlops_assets: " in there.read_bytes()
    assert pd.read_parquet(there)["x"].tolist() == [1.0, 2.0]
    assert pq.read_table(there, page_checksum_verification=True).num_rows == 2


@given(
    st.sampled_from([*CONTENTS, "datasets/features/2026-11-10.parquet"]), st.integers(0), st.data()
)
@settings(max_examples=200)
def test_one_changed_byte_is_noticed_or_does_not_matter(
    path: str, seed: int, data: st.DataObject
) -> None:
    content = CONTENTS.get(path) or parquet(1.0, 2.0)
    seal = digest(path, content)
    stored = bytearray(sealed(path, content, seal))
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= 1 + seed % 255
    found, said = unsealed(path, bytes(stored))
    if said:  # else it is what carries the seal that has changed, and its format refuses that
        assert found != content or said != seal
        assert digest(path, found) != said
    elif path.endswith(".txt"):
        assert found.endswith(content)


def test_what_the_store_of_an_older_version_holds_is_read(
    storage: LocalStorage, datasets: DatasetStore
) -> None:
    there = file(datasets, DAY)
    there.parent.mkdir(parents=True)
    there.write_bytes(parquet(1.0, 2.0))
    assert datasets.read("features", [DAY])["x"].tolist() == [1.0, 2.0]


def test_the_file_of_another_day_is_refused_whoever_wrote_it(datasets: DatasetStore) -> None:
    for day in (DAY, OTHER):
        datasets.write("features", day, frame(day, 1.0))
    first, second = file(datasets, DAY).read_bytes(), file(datasets, OTHER).read_bytes()
    file(datasets, DAY).write_bytes(second)
    file(datasets, OTHER).write_bytes(first)
    damaged: dict[str, StorageError] = {}
    assert datasets.read("features", [DAY, OTHER], damaged).empty
    for day in (DAY, OTHER):
        assert "another file lies there" in str(damaged[day])
        assert f"--select features --partition {day}" in str(damaged[day])
    third = file(datasets, "2026-11-12", "observations")
    third.parent.mkdir(parents=True)
    third.write_bytes(parquet(1.0))
    with pytest.raises(StorageError, match=rf"2026-11-12\.parquet holds rows of {DAY}; rebuild"):
        datasets.read("observations", ["2026-11-12"])


def test_an_older_file_that_is_put_back_is_refused(datasets: DatasetStore) -> None:
    there = file(datasets, DAY)
    datasets.write("features", DAY, frame(DAY, 1.0))
    older = there.read_bytes()
    datasets.write("features", DAY, frame(DAY, 2.0))
    newest = there.read_bytes()
    there.write_bytes(older)
    for store in (datasets, DatasetStore(LocalStorage(datasets.storage.root))):
        with pytest.raises(StorageError, match="an older file that was put back; rebuild it"):
            store.read("features", [DAY])
    there.write_bytes(newest)
    assert datasets.read("features", [DAY])["x"].tolist() == [2.0]
    datasets.write("features", DAY, frame(DAY, 1.0))
    assert datasets.read("features", [DAY])["x"].tolist() == [1.0], "the same again is the newest"


@pytest.mark.parametrize("dataset", ["observations", "issued"])
def test_a_lost_day_is_not_taken_for_one_without_rows(datasets: DatasetStore, dataset: str) -> None:
    there = file(datasets, DAY, dataset)
    for values in (1.0, 2.0):
        datasets.write(dataset, DAY, frame(DAY, values))
    newest = there.read_bytes()
    there.unlink()
    damaged: dict[str, StorageError] = {}
    assert datasets.read(dataset, [DAY, OTHER], damaged).empty
    assert list(damaged) == [DAY]
    assert f"was written and is missing; rebuild it: {COMMAND} {dataset} --" in str(damaged[DAY])
    datasets.delete(dataset, DAY)
    datasets.delete(dataset, OTHER)
    assert datasets.read(dataset, [DAY, OTHER]).empty, "removed by its store"
    there.write_bytes(newest)
    with pytest.raises(StorageError, match="an older file that was put back"):
        datasets.read(dataset, [DAY])
    datasets.write(dataset, DAY, frame(DAY, 3.0))
    assert datasets.read(dataset, [DAY])["x"].tolist() == [3.0]


def test_a_file_from_before_the_seals_is_no_newer_one(datasets: DatasetStore) -> None:
    datasets.write("features", DAY, frame(DAY, 2.0))
    file(datasets, DAY).write_bytes(parquet(1.0))
    with pytest.raises(StorageError, match="not as it was written"):
        datasets.read("features", [DAY])


def test_a_write_that_is_killed_before_its_line_is_read_and_goes_on(
    datasets: DatasetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.write("features", DAY, frame(DAY, 1.0))

    def killed(_: str) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(written, "_sum", killed)  # the file is in its place, its line is not written
        with pytest.raises(KeyboardInterrupt):
            datasets.write("features", DAY, frame(DAY, 2.0))
    assert datasets.read("features", [DAY])["x"].tolist() == [2.0]
    datasets.write("features", DAY, frame(DAY, 3.0))
    assert datasets.read("features", [DAY])["x"].tolist() == [3.0]


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe no log", b"x" * 200])
def test_a_damaged_log_keeps_no_right_file_from_being_read(
    datasets: DatasetStore, damage: bytes
) -> None:
    datasets.write("features", DAY, frame(DAY, 1.0))
    [log] = file(datasets, DAY).parent.glob(".*.written")
    assert log.name == ".2026-11.written"
    log.write_bytes(damage)
    assert datasets.read("features", [DAY])["x"].tolist() == [1.0]


def test_of_two_writers_at_once_what_is_there_is_the_newest(datasets: DatasetStore) -> None:
    def write(value: int) -> None:
        DatasetStore(LocalStorage(datasets.storage.root)).write(
            "features", DAY, frame(DAY, float(value))
        )
        datasets.read("features", [DAY])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(60)))
    assert datasets.read("features", [DAY])["x"].between(0, 59).all()


def test_a_folder_in_the_place_of_a_file_is_named(storage: LocalStorage) -> None:
    Path(storage.root, "a", "b.json").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"b\.json cannot be read \(Is a directory\)"):
        storage.read("a/b.json")
    Path(storage.root, "a", "c").write_bytes(b"a file")
    with pytest.raises(StorageError, match=r"c cannot be listed \(Not a directory\)"):
        storage.names("a/c")
    with pytest.raises(StorageError, match=r"c/d\.json cannot be read \(Not a directory\)"):
        storage.read("a/c/d.json")


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_every_file_is_told_with_its_age_and_what_is_left_over_is_removed(
    tmp_path: Path, place: str
) -> None:
    root = str(tmp_path) if place == "folder" else f"memory://{tmp_path.name}"
    storage = make_storage(root)
    storage.write("a/b.json", b"{}")
    if place == "folder":
        os.utime(tmp_path / "a" / "b.json", (time.time(),) * 2)  # by the clock of the tests
    [(path, age)] = storage.files()
    assert path == "a/b.json"
    assert 0 <= age < 60
    with pytest.raises(ValueError, match="is no temporary file"):
        storage.sweep("a/b.json")
    if place == "folder":
        left = tmp_path / "a" / f".b.json.{'0' * 32}"
        left.write_bytes(b"half")
        os.utime(left, (time.time() - 7200,) * 2)
        assert {path: round(age, -3) for path, age in storage.files()}[f"a/{left.name}"] == 7000
        storage.sweep(f"a/{left.name}")
        assert not left.exists()


def test_a_remote_place_is_verified_as_well_without_a_file_more(tmp_path: Path) -> None:
    storage = make_storage(f"memory://{tmp_path.name}-remote")
    datasets = DatasetStore(storage)
    for day in (DAY, OTHER):
        datasets.write("features", day, frame(day, 1.0))
    assert len([*storage.files()]) == 2
    memory = fsspec.filesystem("memory")
    first, second = (
        f"/{tmp_path.name}-remote/{datasets.path('features', d)}" for d in (DAY, OTHER)
    )
    right = memory.cat_file(first)
    for wrong in (memory.cat_file(second), right[:40] + bytes([right[40] ^ 1]) + right[41:]):
        memory.pipe_file(first, wrong)
        with pytest.raises(StorageError, match=rf"{DAY}\.parquet is not as it was written"):
            datasets.read("features", [DAY])
    memory.pipe_file(first, right)
    assert datasets.read("features", [DAY, OTHER])["x"].tolist() == [1.0, 1.0]
