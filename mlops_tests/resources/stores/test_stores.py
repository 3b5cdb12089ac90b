"""Storage, datasets and versions: whole or not at all, nothing overwritten, nothing executed."""

import datetime as dt
import hashlib
import json
import operator
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlops_assets.ml.selection.acceptance import judged
from mlops_assets.resources.roots import make_storage
from mlops_assets.resources.storage import LocalStorage, Storage, StorageError
from mlops_assets.resources.stored_files import HOUR, leftovers, sweep
from mlops_assets.resources.stores import model_store
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import KeepingModelStore, ModelCard, ModelStore


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return make_storage(str(tmp_path / "root"))
    return make_storage(f"memory://{tmp_path.name}")


def test_files_are_written_read_listed_and_replaced(storage: Storage) -> None:
    assert storage.names("a") == []
    assert not storage.exists("a/one.txt")
    with pytest.raises(FileNotFoundError):
        storage.read("a/one.txt")
    storage.write("a/two.txt", b"2")
    storage.write("a/one.txt", b"1")
    storage.write("a/one.txt", b"11")
    assert storage.read("a/one.txt") == b"11"
    assert storage.names("a") == ["one.txt", "two.txt"]


def test_a_stamp_changes_with_every_write(storage: Storage) -> None:
    assert storage.stamps("a") == {}
    storage.write("a/one.txt", b"1")
    storage.write("a/two.txt", b"2")
    before = storage.stamps("a")
    assert storage.stamps("a") == before
    storage.write("a/one.txt", b"1")
    after = storage.stamps("a")
    assert before.keys() == after.keys() == {"one.txt", "two.txt"}
    assert [name for name in before if before[name] != after[name]] == ["one.txt"]


def test_a_file_is_created_once_and_deleted_with_its_folder(storage: Storage) -> None:
    storage.create("a/b/one.txt", b"1")
    with pytest.raises(FileExistsError):
        storage.create("a/b/one.txt", b"2")
    assert storage.read("a/b/one.txt") == b"1"
    assert storage.names("a/b") == ["one.txt"]
    storage.write("a/two.txt", b"2")
    storage.delete("a/b")
    storage.delete("a/b")
    assert storage.names("a") == ["two.txt"]
    storage.delete("a/two.txt")
    assert not storage.exists("a/two.txt")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", ".hidden", "a\\b"])
def test_a_path_cannot_leave_the_root(storage: Storage, path: str) -> None:
    with pytest.raises(ValueError, match="no plain file name"):
        storage.write(path, b"")


def test_a_write_that_fails_leaves_the_old_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.write("a/b.txt", b"old")

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        storage.write("a/b.txt", b"new")
    assert storage.read("a/b.txt") == b"old"
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_datasets_by_day(storage: Storage) -> None:
    datasets = DatasetStore(storage)
    for day in (2, 1):
        datasets.write("validation/x", f"2026-01-0{day}", pd.DataFrame({"day": [day]}))
    assert datasets.keys("validation/x") == ["2026-01-01", "2026-01-02"]
    found = datasets.read("validation/x", ["2026-01-01", "2026-01-02", "2026-01-03"])
    assert found["day"].tolist() == [1, 2]
    assert datasets.read("validation/x", ["2026-01-03"]).empty


def test_a_damaged_dataset_names_its_file_and_the_command(tmp_path: Path) -> None:
    datasets = DatasetStore(LocalStorage(str(tmp_path)))
    datasets.write("features", "2026-01-01", pd.DataFrame({"x": range(100)}))
    file = tmp_path / datasets.path("features", "2026-01-01")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(StorageError) as caught:
        datasets.read("features", ["2026-01-01"])
    assert str(file) in str(caught.value)
    assert "--select features --partition 2026-01-01" in str(caught.value)


INPUTS = pd.DataFrame({"x": np.arange(10.0)})


def add(
    store: ModelStore, month: str, pipeline: Any = None, through: str = "", **facts: Any
) -> ModelCard:
    trained_through = dt.date.fromisoformat(through or month) - dt.timedelta(days=not through)
    return store.add(
        pipeline or make_pipeline(LinearRegression()).fit(INPUTS, INPUTS["x"] * 2),
        model="linear",
        month=month,
        family="linear_regression",
        hyperparameters={},
        trained_from=trained_through - dt.timedelta(days=30),
        trained_through=trained_through,
        days=31,
        rows=310,
        inputs=["x"],
        non_negative=True,
        training_set_sha256="0",
        code_version="1",
        fit_seconds=0.1,
        holdout_from=trained_through - dt.timedelta(days=6),
        holdout_rows=70,
        holdout={"mae": 1.0},
        importance={"x": 1.0},
        **facts,
    )


def test_training_twice_keeps_both_versions(storage: Storage) -> None:
    store = ModelStore(storage)
    first, second = add(store, "2026-05-01"), add(store, "2026-05-01")
    assert first.version != second.version
    assert ModelStore(storage).cards("linear") == [first, second]
    for card in (first, second):
        assert store.load(card).predict(INPUTS) == pytest.approx(INPUTS["x"] * 2)
    assert store.in_service("linear", dt.date(2026, 5, 1)) == second
    assert store.in_service("linear", dt.date(2026, 4, 30)) is None


def test_late_training_of_an_old_month_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    june = add(store, "2026-06-01")
    may = add(store, "2026-05-01")
    assert store.in_service("linear", dt.date(2026, 6, 1)) == june
    assert store.in_service("linear", dt.date(2026, 5, 31)) == may


def test_rejected_and_retired_versions_never_serve(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    april = add(store, "2026-04-01")
    may = add(store, "2026-05-01")
    failed = {"sound_forecasts": judged(False, "all the same")}
    rejected = add(store, "2026-06-01", checks=failed)
    assert not rejected.accepted
    day = dt.date(2026, 6, 2)
    assert store.fit_to_serve("linear") == [april, may]
    assert store.in_service("linear", day) == may
    store.decisions.record(Action.RETIRE, "linear", version=may.version)
    assert store.in_service("linear", day) == april
    store.decisions.record(Action.RESTORE, "linear", version=may.version)
    assert store.in_service("linear", day) == may
    assert store.cards("linear") == [april, may, rejected]


def test_a_card_keeps_checks_as_cards_always_did(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    checks = {
        "beats_baseline": judged(False, "0.5 is above 0.25, the mae of another", 0.5, high=0.25),
        "no_worse_than_in_service": judged(True, "not surely", 0.5, also={"days": 14.0}),
        "reproducible": judged(True, "two fits agree"),
    }
    card = add(ModelStore(storage), "2026-06-01", checks=checks)
    path = f"models/linear/{card.version}/card.json"
    text = storage.read(path).decode()
    assert json.loads(text)["checks"] == {
        "beats_baseline": {
            "passed": False,
            "why": "0.5 is above 0.25, the mae of another",
            "loss": 0.5,
            "limit": 0.25,
        },
        "no_worse_than_in_service": {
            "passed": True,
            "why": "not surely",
            "loss": 0.5,
            "limit": None,
            "days": 14.0,
        },
        "reproducible": {"passed": True, "why": "two fits agree", "loss": None, "limit": None},
    }
    storage.write(path, text.replace("beats_baseline", "beats_yardstick").encode())
    [read] = ModelStore(storage).cards("linear")
    assert read.checks == checks, "as versions before 0.2 say"


@pytest.mark.parametrize("forecasts", [[1.5, 2.5], [np.array([0.2, 0.8]), np.array([0.9, 0.1])]])
def test_what_a_twin_forecast_of_the_holdout_is_kept_beside_the_card(
    storage: Storage, forecasts: list[Any]
) -> None:
    store = ModelStore(storage)
    held_out = pd.DataFrame(
        {
            "date": pd.to_datetime(["2026-05-31"] * 2),
            "actual": [1.0, 0.0],
            "forecast": forecasts,
            "row": [0, 1],
        }
    )
    card, without = add(store, "2026-06-01", held_out=held_out), add(store, "2026-06-01")
    found = store.held_out(card)
    assert found is not None
    pd.testing.assert_frame_equal(found, held_out, check_dtype=False)
    assert store.held_out(without) is None
    storage.write(f"models/linear/{card.version}/holdout.parquet", b"damaged")
    with pytest.raises(StorageError, match=r"holdout\.parquet cannot be read .*; train again"):
        store.held_out(card)


def test_a_version_is_found_by_its_name_alone(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    card = add(store, "2026-05-01")
    assert store.find(card.version) == card
    with pytest.raises(ValueError, match=rf"'x' is no stored version.*{card.version} \(linear\)"):
        store.find("x")
    store.delete("linear")
    assert store.cards("linear") == []
    with pytest.raises(ValueError, match="the newest are: none"):
        store.find(card.version)


def test_a_version_without_a_card_is_not_there_yet(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    card = add(store, "2026-05-01")
    folder = tmp_path / "models" / "linear"
    data = (folder / card.version / "model.skops").read_bytes()
    store.storage.delete(f"models/linear/{card.version}")
    store.storage.write(f"models/linear/{card.version}/model.skops", data)
    assert ModelStore(store.storage).cards("linear") == []


def test_changed_and_missing_bytes_are_refused(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    card = add(store, "2026-05-01")
    file = Path(store.url(card))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(StorageError, match=r"does not match the SHA-256.*--select models/linear"):
        store.load(card)
    file.unlink()
    with pytest.raises(
        StorageError, match=r"is missing; train again, which stands in for it: .* its folder"
    ):
        store.load(card)


def test_the_pipelines_of_a_run_are_kept_as_long_as_they_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = KeepingModelStore(LocalStorage(str(tmp_path)))
    first, second = add(store, "2026-05-01"), add(store, "2026-06-01")
    kept = store.load(first)
    assert store.load(second) is not kept
    assert store.load(first) is kept
    # room for one: the one read first goes
    monkeypatch.setattr(model_store, "KEPT_BYTES", max(first.size, second.size))
    other = store.load(second)
    assert store.load(second) is other
    assert store.load(first) is not kept


def test_a_damaged_card_is_named(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    card = add(store, "2026-05-01")
    (tmp_path / "models" / "linear" / card.version / "card.json").write_text('{"model": 1}')
    with pytest.raises(StorageError, match=r"card\.json is not as it was written"):
        ModelStore(store.storage).cards("linear")
    other = add(store, "2026-06-01")
    damaged: dict[str, StorageError] = {}
    assert store.cards("linear", damaged) == [other]
    assert list(damaged) == [card.version]
    assert store.fit_to_serve("linear") == [other]
    again = add(store, "2026-05-01")
    assert store.cards("linear") == [again, other], "another one of its month stands in for it"


@pytest.mark.parametrize("what", ["card", "folder"])
def test_a_deleted_card_is_told_until_another_training_stands_in(
    storage: Storage, what: str
) -> None:
    store = ModelStore(storage)
    card, other = add(store, "2026-05-01"), add(store, "2026-06-01")
    version = f"models/linear/{card.version}"
    if isinstance(storage, LocalStorage):
        gone = Path(storage.root, version)
        shutil.rmtree(gone) if what == "folder" else (gone / "card.json").unlink()
    else:
        filesystem, folder = fsspec.core.url_to_fs(storage.root)
        gone = f"{folder}/{version}" if what == "folder" else f"{folder}/{version}/card.json"
        filesystem.rm(gone, recursive=True)
    damaged: dict[str, StorageError] = {}
    assert ModelStore(storage).cards("linear", damaged) == [other]
    assert [*damaged] == [card.version]
    assert "card.json was written and is missing; train again" in str(damaged[card.version])

    sweep(storage)
    for path, _ in storage.files():  # an hour later
        assert not [*leftovers(storage, {path: HOUR})]
    again = add(store, "2026-05-01")
    assert store.cards("linear") == [again, other]


def test_what_its_store_deletes_is_not_missed(storage: Storage) -> None:
    store = ModelStore(storage)
    card, other = add(store, "2026-05-01"), add(store, "2026-06-01")
    storage.delete(f"models/linear/{card.version}")
    assert store.cards("linear") == [other]
    store.delete("linear")
    assert store.cards("linear") == []
    assert storage.known("models/linear") == []


def test_a_type_that_could_execute_is_not_loaded(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    hostile = make_pipeline(FunctionTransformer(operator.methodcaller("sum")), LinearRegression())
    card = add(store, "2026-05-01", hostile)
    with pytest.raises(StorageError, match=r"not trusted.*methodcaller"):
        store.load(card)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (make_pipeline(LinearRegression()), "is no fitted pipeline .*not fitted"),
        (LinearRegression().fit(INPUTS, INPUTS["x"]), "it holds a LinearRegression"),
        ({"x": 1}, "it holds a dict"),
    ],
)
def test_what_is_no_fitted_pipeline_is_not_loaded(tmp_path: Path, held: Any, why: str) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    card = add(store, "2026-05-01", held)
    with pytest.raises(StorageError, match=rf"{why}.*--select models/linear") as caught:
        store.load(card)
    assert store.url(card) in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive"])
def test_bytes_that_are_no_model_are_named_even_if_the_card_knows_them(
    tmp_path: Path, data: bytes
) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    card = add(store, "2026-05-01")
    Path(store.url(card)).write_bytes(data)
    known = card.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    with pytest.raises(StorageError, match=r"is no fitted pipeline .*--select models/linear"):
        store.load(known)


def test_the_card_of_another_version_is_refused(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    store = ModelStore(storage)
    first, second = add(store, "2026-05-01"), add(store, "2026-06-01")
    card = storage.read(f"models/linear/{second.version}/card.json")
    storage.write(f"models/linear/{first.version}/card.json", card)
    with pytest.raises(StorageError, match=f"is the card of {second.version} of linear; train"):
        store.cards("linear")


def test_models_are_stored_compressed(tmp_path: Path) -> None:
    store = ModelStore(LocalStorage(str(tmp_path)))
    with zipfile.ZipFile(store.url(add(store, "2026-05-01"))) as archive:
        assert {file.compress_type for file in archive.infolist()} == {zipfile.ZIP_DEFLATED}


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=20),
    st.integers(0, 430),
)
def test_no_version_serves_a_day_that_it_learned_from(ends: list[int], asked: int) -> None:
    start = dt.date(2026, 1, 1)
    store = ModelStore(make_storage("memory://unused"))
    template = {
        **ModelCard.model_construct().__dict__,
        "model": "linear",
    }
    cards = [
        ModelCard.model_construct(
            **template,
            version=str(n),
            trained_through=start + dt.timedelta(days=end),
            created=dt.datetime(2026, 1, 1) + dt.timedelta(seconds=n),
        )
        for n, end in enumerate(ends)
    ]
    store.cards = lambda model, damaged=None: sorted(  # type: ignore[method-assign]
        cards, key=lambda card: (card.trained_through, card.created)
    )
    day = start + dt.timedelta(days=asked)
    serving = store.in_service("linear", day)
    allowed = [end for end in ends if end < asked]
    if not allowed:
        assert serving is None
        return
    assert serving is not None
    assert serving.trained_through < day
    assert serving.trained_through == start + dt.timedelta(days=max(allowed))
    assert int(serving.version) == max(n for n, end in enumerate(ends) if end == max(allowed))
