"""What is read of a history is kept for as long as it is the same, and follows what changes."""

import json
import shutil
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from markupsafe import escape
from starlette.applications import Starlette

from mlops_assets import read
from mlops_assets.ml.metrics.day_sums import SUMS, sums_of_days
from mlops_assets.pages.shelf import Shelf
from mlops_assets.pages.site import make_app
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.pages.asking import figure, page, shelf_of, table, unpacked
from mlops_tests.pages.test_site import LAST, NOW, PART

pytestmark = pytest.mark.filterwarnings(
    "ignore::mlops_assets.project.old_words.OldWordWarning",
    "ignore:OwnSource is called CustomSource now:FutureWarning",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return unpacked(tmp_path_factory.mktemp("history"))


class Counting(LocalStorage):
    """Notes what is read."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.seen: list[str] = []

    def _get(self, path: str) -> bytes:
        self.seen.append(path)
        return super()._get(path)


@pytest.fixture
def own(shelf: Shelf, tmp_path: Path) -> tuple[Shelf, Counting, Starlette]:
    """A history of one's own, to be changed."""
    history = Path(shelf.storage.root).parent
    found = shelf_of(Path(shutil.copytree(history, tmp_path / "history")))
    storage = Counting(found.storage.root)
    mine = Shelf(storage, found._load)
    return mine, storage, make_app(mine, lambda: NOW)


def test_only_days_that_changed_are_read_again(own: tuple[Shelf, Counting, Starlette]) -> None:
    shelf, storage, app = own
    page(app, "models/scores.html")
    assert len([path for path in storage.seen if "/validation/linear/" in path]) > 70
    storage.seen.clear()
    page(app, "models/scores.html")
    assert [path for path in storage.seen if "/validation/" in path] == []
    day = shelf.datasets.read("validation/linear", ["2026-06-10"])
    shelf.datasets.write("validation/linear", "2026-06-10", day.assign(forecast=day["actual"]))
    storage.seen.clear()
    found = table(app, "models/scores.csv").set_index("model")
    again = [path for path in storage.seen if "/validation/" in path]
    assert {path.rpartition("/")[2] for path in again} == {"2026-06-10.parquet"}
    rows = read.forecasts(storage.root, last=LAST, models=["linear"]).dropna(subset="actual")
    off = (rows["forecast"] - rows["actual"]).abs().sum() / rows["actual"].sum()
    assert found.loc["linear", "all shown"] == pytest.approx(off)


def test_a_training_by_hand_is_held_against_what_its_days_were_judged_by(
    own: tuple[Shelf, Counting, Starlette],
) -> None:
    shelf, _, app = own
    page(app, "versions/since.html")
    found = []
    for key in shelf.datasets.keys("validation/linear")[-5:]:
        rows = shelf.datasets.read("validation/linear", [key])
        again = (rows["forecast"] + 3 * rows["actual"]) / 4
        rows = rows.assign(reconstructed_version="other", reconstructed_forecast=again)
        shelf.datasets.write("validation/linear", key, rows)
        found.append(rows)
    told = table(app, "versions/since.csv").set_index("model").loc["linear"]
    rows = pd.concat(found)
    off = (rows["forecast"] - rows["actual"]).abs().sum() / rows["actual"].sum()
    assert (told["version"], told["days"]) == ("other", 5)
    assert told[["wmape", "as judged", "difference"]].tolist() == pytest.approx(
        [off / 4, off, -0.75 * off]
    )


def test_sums_that_files_tell_show_what_their_rows_do(
    own: tuple[Shelf, Counting, Starlette], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, _, app = own
    parts = ("models/scores.csv", "models/difference.csv", "series/days.csv")
    by_rows = [table(app, part) for part in parts]
    evaluation = shelf.project().evaluation
    for model in shelf.storage.names("datasets/validation"):
        for key in shelf.datasets.keys(f"validation/{model}"):
            rows = shelf.datasets.read(f"validation/{model}", [key])
            of = rows.assign(issued_at=rows.get("issued_at"))  # which version 0.1 had not
            [sums] = sums_of_days(evaluation.made_metrics, evaluation.primary, of).values()
            shelf.datasets.write(f"validation/{model}", key, rows, {SUMS: json.dumps(sums)})
    read_rows = Shelf._read

    def read_others(shelf: Shelf, datasets: list[str], *rest: Any) -> Any:
        assert not [name for name in datasets if name.startswith("validation/")]
        return read_rows(shelf, datasets, *rest)

    monkeypatch.setattr(Shelf, "_read", read_others)
    again = make_app(Shelf(shelf.storage, shelf._load), lambda: NOW)
    by_sums = [table(again, part) for part in parts]
    for told, rows in zip(by_sums, by_rows, strict=True):
        pd.testing.assert_frame_equal(told, rows)


def test_what_is_shown_does_not_depend_on_what_lies_before(
    own: tuple[Shelf, Counting, Starlette],
) -> None:
    _, storage, app = own
    page(app, "models/scores.html?from=2026-06-01")
    days = {path.rpartition("/")[2] for path in storage.seen if "/validation/" in path}
    assert min(days) == "2026-05-19.parquet", "28 days for the interval"


def test_a_damaged_day_is_a_gap_that_is_told(own: tuple[Shelf, Counting, Starlette]) -> None:
    shelf, _, app = own
    file = Path(shelf.datasets.url("validation/linear", "2026-06-10"))
    file.write_bytes(b"PAR1")
    assert f"Left out: {file}" in page(app, "series/worst.html?model=linear")
    [told] = figure(app, "series/days.json?model=linear")["damaged"]
    assert told.startswith(str(file))
    days = table(app, "series/days.csv?model=linear")["date"].tolist()
    assert "2026-06-09" in days
    assert "2026-06-10" not in days


def test_names_with_markup_are_text(own: tuple[Shelf, Counting, Starlette]) -> None:
    shelf, _, app = own
    bad = "<img src=x onerror=alert(1)>"
    for model in shelf.storage.names("datasets/validation"):
        for key in shelf.datasets.keys(f"validation/{model}")[-30:]:
            rows = shelf.datasets.read(f"validation/{model}", [key])
            rows = rows.replace({"department": "bakery"}, bad)
            shelf.datasets.write(f"validation/{model}", key, rows)
    of = quote(f"department: {bad}")
    for address in ("series", f"series?of={of}", f"day?on={LAST}", f"models?of={of}"):
        text = page(app, address)
        every = "".join([text, *(page(app, unescape(part)) for _, part in PART.findall(text))])
        assert bad not in every
        assert escape(bad) in every
    [named] = json.loads(page(app, "names?typed=department%3A%20%3Cimg"))
    assert named == f"department: {bad}"


def test_a_model_keeps_its_colour_whatever_becomes_of_the_others(
    own: tuple[Shelf, Counting, Starlette],
) -> None:
    shelf, storage, _ = own
    before = shelf.look([]).lines
    assert len({str(line) for line in before.values()}) == len(before)
    made = "2026-06-01_20260701T000000000000_00000000"
    Path(storage.root, "models", "aaa", made).mkdir(parents=True)
    after = shelf.look([]).lines
    assert {name: after[name] for name in before} == before
    assert str(after["aaa"]) not in {str(line) for line in before.values()}


def test_what_the_settings_say_holds_at_once(own: tuple[Shelf, Counting, Starlette]) -> None:
    shelf, storage, app = own
    assert "slices-department" in page(app, "models")
    board = shelf.datasets.read("leaderboard", [LAST])
    unranked = board.drop(columns=[name for name in board if str(name).startswith("mae")])
    shelf.datasets.write("leaderboard", LAST, unranked)
    file = Path(storage.root).parent / "project" / "project.yaml"
    text = file.read_text(encoding="utf-8")
    text = text.replace("slices: [department]", "slices: []").replace(
        "primary: wmape", "primary: mae"
    )
    file.write_text(text, encoding="utf-8")
    assert "slices-department" not in page(app, "models")
    found = table(app, "models/scores.csv").set_index("model")
    rows = read.forecasts(storage.root, "2026-05-19", LAST, models=["linear"])
    rows = rows.dropna(subset="actual")
    off = (rows["forecast"] - rows["actual"]).abs().mean()
    assert found.loc["linear", "28 days"] == pytest.approx(off)
    assert "is champion since" in page(app, ""), "though the newest day was ranked by another"
