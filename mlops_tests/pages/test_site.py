"""The pages show what is stored, to whoever asks in a sensible way, and change nothing."""

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from markupsafe import escape
from starlette.applications import Starlette
from starlette.routing import Mount

from mlops_assets import read
from mlops_assets.ml.metrics.day_sums import SUMS, sums_of_days
from mlops_assets.pages.shelf import Shelf
from mlops_assets.pages.site import PAGES, make_app, make_site
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.pages.asking import answer, shelf_of, unpacked

pytestmark = pytest.mark.filterwarnings(
    "ignore::mlops_assets.project.old_words.OldWordWarning",
    "ignore:OwnSource is called CustomSource now:FutureWarning",
)

LAST = "2026-06-15"
NOW = [("runs", "none under way <b>")]
PART = re.compile(r'data-(figure|table)="([^"]*)"')
LINK = re.compile(r'(?:src|href|action|data-figure|data-table)="([^"]*)"')


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return unpacked(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def app(shelf: Shelf) -> Starlette:
    return make_app(shelf, lambda: NOW)


def page(app: Starlette, address: str) -> str:
    status, _, body = answer(app, f"/{address}")
    assert status == 200, body
    return body.decode()


def table(app: Starlette, address: str) -> pd.DataFrame:
    """A part as its CSV."""
    return pd.read_csv(io.StringIO(page(app, address)))


def figure(app: Starlette, address: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page(app, address))
    return found


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.long
def test_every_page_and_all_its_parts_are_there(app: Starlette, name: str) -> None:
    text = page(app, name)
    assert not re.search(r"{\w", text), "what was to be put in"
    size = len(text)
    for kind, address in PART.findall(text):
        found = page(app, unescape(address))
        size += len(found)
        if kind == "figure":
            drawn = json.loads(found)
            assert drawn["data"], address
            assert "NaN" not in found
        else:
            assert "<table>" in found or "No version was trained" in found, address
    links = {unescape(link) for link in LINK.findall(text)}
    files = {link for link in links if ".csv" in link}
    assert len(files) == text.count("<section")
    for link in files:
        assert [*csv.reader(io.StringIO(page(app, link)))] or re.search(
            "problems|failed|since", link
        )
    assert size < 500_000
    outside = {link for link in links if link.startswith(("http", "/"))}
    assert {link.split("/assets/")[0].rstrip("/") for link in outside} <= {"http://127.0.0.1:3000"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_its_own_script_and_nothing_in_it(app: Starlette, name: str) -> None:
    _, headers, body = answer(app, f"/{name}")
    assert "script-src 'self';" in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert re.findall(r"<script[^>]*>[^<]*", body.decode()) == [
        '<script defer src="static/site.js">'
    ]
    assert not re.search(r"\son\w+=", body.decode())


def test_what_a_page_loads_is_served(app: Starlette) -> None:
    for file, kind in (("site.js", "javascript"), ("site.css", "css"), ("plotly.min.js", "java")):
        status, headers, body = answer(app, f"/static/{file}")
        assert status == 200
        assert kind in headers["content-type"]
        assert len(body) > 1000
    for path in ("static/../site.py", "static/%2e%2e/site.py", "static/x.css"):
        assert answer(app, f"/{path}")[0] == 404


def test_scores_are_those_of_the_leaderboard_and_of_all_rows(shelf: Shelf, app: Starlette) -> None:
    root = shelf.storage.root
    board = read.metrics(root, LAST, LAST).set_index("model")
    found = table(app, "models/scores.csv").set_index("model")
    assert [*found.index] == [*board.index]
    for model, line in found.iterrows():
        assert line["day"] == pytest.approx(board.loc[model, "wmape"])
        assert line["7 days"] == pytest.approx(board.loc[model, "wmape_7d"])
        assert line["28 days"] == pytest.approx(board.loc[model, "wmape_28d"])
    rows = read.forecasts(root, last=LAST, models=["linear"]).dropna(subset="actual")
    off = (rows["forecast"] - rows["actual"]).abs().sum() / rows["actual"].sum()
    assert found.loc["linear", "all shown"] == pytest.approx(off)
    every = table(app, "models/metrics.csv").set_index("model")
    for name in ("mae", "wmape", "bias", "tweedie_deviance"):
        assert every[name].to_dict() == pytest.approx(board[f"{name}_28d"].to_dict())


def test_scores_of_a_slice_and_of_a_series_are_of_their_rows(shelf: Shelf, app: Starlette) -> None:
    rows = read.forecasts(shelf.storage.root, "2026-06-09", LAST, models=["linear"])
    rows = rows.dropna(subset="actual")
    series = rows["department"] + " / " + rows["category"]
    for of, chosen in (
        ("department: bakery", rows["department"] == "bakery"),
        (series.iloc[0], series == series.iloc[0]),
    ):
        part = rows[chosen]
        off = (part["forecast"] - part["actual"]).abs().sum() / part["actual"].sum()
        found = table(app, f"models/scores.csv?of={quote(of)}").set_index("model")
        assert found.loc["linear", "7 days"] == pytest.approx(off), of
    whole = table(app, "models/slices-department.csv").set_index(["model", "slice"])
    of_slice = table(app, "models/scores.csv?of=department%3A%20dairy").set_index("model")
    assert whole.loc[("tree", "dairy"), "wmape"] == pytest.approx(of_slice.loc["tree", "28 days"])


def test_two_models_differ_by_their_losses_on_the_same_rows(shelf: Shelf, app: Starlette) -> None:
    first = "2026-05-19"
    rows = read.forecasts(shelf.storage.root, first, LAST, models=["linear", "tree"])
    rows = rows.dropna(subset="actual")
    off = (rows["forecast"] - rows["actual"]).abs()
    losses = off.groupby(rows["model"]).sum() / rows.groupby("model")["actual"].sum()
    there = table(app, "models/difference.csv?one=linear&other=tree").iloc[-1]
    back = table(app, "models/difference.csv?one=tree&other=linear").iloc[-1]
    assert (there["date"], there["days"]) == (LAST, 28)
    assert there["difference"] == pytest.approx(losses["linear"] - losses["tree"])
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["low"] < there["difference"] < there["high"]
    assert (there["low"], there["high"]) == pytest.approx((-back["high"], -back["low"]))
    sides = table(app, "models/difference-department.csv?one=linear&other=tree")
    assert sides["rows"].sum() == there["rows"] == len(rows) / 2
    against = table(app, "models/scores.csv").set_index("model").loc["linear"]
    pair = table(app, "models/difference.csv?one=linear&other=seasonal_naive").iloc[-1]
    assert against["less seasonal_naive"] == pytest.approx(pair["difference"])
    assert (against["from"], against["up to"]) == pytest.approx((pair["low"], pair["high"]))


def test_a_series_is_its_rows_by_day_with_what_comes(shelf: Shelf, app: Starlette) -> None:
    rows = read.forecasts(shelf.storage.root, models=["linear"])
    series = rows["department"] + " / " + rows["category"]
    name = series.iloc[0]
    mine = rows[series == name].set_index("date").sort_index()
    found = table(app, f"series/days.csv?model=linear&of={quote(name)}")
    found["date"] = pd.to_datetime(found["date"])
    found = found.set_index("date")
    known = mine.dropna(subset="actual")
    assert found["actual"].dropna().to_dict() == pytest.approx(known["actual"].to_dict())
    assert found.loc[known.index, "forecast"].tolist() == pytest.approx(known["forecast"].tolist())
    # the 26th of the 28 absolute residuals before the last day holds nine of ten
    before = known.loc[: known.index[-2]].tail(28)
    radius = sorted((before["forecast"] - before["actual"]).abs())[-2]
    last = found.loc[known.index[-1]]
    assert last["high"] - last["forecast"] == pytest.approx(radius)
    assert last["low"] == pytest.approx(max(last["forecast"] - radius, 0))


def test_the_worst_series_come_first(shelf: Shelf, app: Starlette) -> None:
    rows = read.forecasts(shelf.storage.root, "2026-06-09", LAST, models=["linear"])
    rows = rows.dropna(subset="actual")
    off = (rows["forecast"] - rows["actual"]).abs()
    by = off.groupby(rows["department"] + " / " + rows["category"]).sum()
    found = table(app, "series/worst.csv?model=linear")
    assert found["series"].tolist() == by.sort_values(ascending=False).index.tolist()
    assert found["off by"].tolist() == pytest.approx(by.sort_values(ascending=False).tolist())
    text = page(app, "series/worst.html?model=linear")
    assert (
        f'href="series?model=linear&amp;of={quote(found["series"][0], safe="")}"'.replace(
            "%20", "+"
        )
        in text
    )


def test_names_are_found_by_typing(app: Starlette) -> None:
    assert json.loads(page(app, "names?typed=BAK"))[0] == "bakery / bread"
    assert json.loads(page(app, "names?typed=department%3A%20da")) == ["department: dairy"]
    assert json.loads(page(app, "names?typed=%3Cscript%3E")) == []


def test_versions_are_those_that_are_stored(shelf: Shelf, app: Starlette) -> None:
    every = read.versions(shelf.storage.root)
    known = every[every["model"] != "gone"].set_index("version")
    found = table(app, "versions/versions.csv").set_index("version")
    assert {*found.index} <= {*known.index}
    assert len(found) >= 8
    assert found["holdout wmape"].to_dict() == pytest.approx(
        known.loc[found.index, "holdout_wmape"].to_dict()
    )
    refused = known.loc[found.index, "accepted"].eq(False)
    assert found["state"].str.startswith("refused").to_dict() == refused.to_dict()
    lines = figure(app, "versions/coordinates.json")["data"]
    assert sum(line["x"].count(None) for line in lines) == len(found)


def test_a_day_tells_what_happened_on_it(shelf: Shelf, app: Starlette) -> None:
    told = read.alerts(shelf.storage.root)
    decided = read.decisions(shelf.storage.root)
    day = str(decided["at"].iloc[-1].date())
    found = table(app, f"day/happened.csv?on={day}")
    assert set(decided.loc[decided["at"].dt.date.astype(str) == day, "action"]) <= {*found["what"]}
    day = str(told["at"].iloc[0].date())
    text = page(app, f"day?on={day}")
    assert escape(told["subject"].iloc[0]) in unescape(text) or told["subject"].iloc[0] in text
    scores = table(app, f"day/scores.csv?on={LAST}").set_index("model")
    board = read.metrics(shelf.storage.root, LAST, LAST).set_index("model")
    assert scores["mae"].to_dict() == pytest.approx(board["mae"].to_dict())
    checks = table(app, f"day/checks.csv?on={LAST}")
    stored = DatasetStore(shelf.storage).read("checks/observations", [LAST])
    assert {*stored["check"]} == {*checks.loc[checks["asset"] == "observations", "check"]}
    assert "The newest" not in text
    assert "is not evaluated" in page(app, "day?on=2026-07-01")
    chosen = page(app, f"day?on={day}&model=linear")
    assert f'<input type="date" name="on" value="{day}">' in chosen
    assert '<input type="hidden" name="model" value="linear">' in chosen


def test_home_says_who_is_champion_and_by_how_much(shelf: Shelf, app: Starlette) -> None:
    text = re.sub(r"<[^>]+>", "", page(app, ""))
    board = read.metrics(shelf.storage.root, LAST, LAST).set_index("model")["wmape_28d"]
    record = DatasetStore(shelf.storage).read("champion", [LAST]).iloc[0]
    champion = record["next_champion"]
    gain = 1 - board[champion] / board["seasonal_naive"]
    if champion != "seasonal_naive":
        assert f"{abs(gain):.0%} {'better' if gain > 0 else 'worse'} than seasonal_naive" in text
    assert f"{champion} is champion since {record['next_since']}" in text
    assert f"wmape {board[champion]:.4g} over 28 days" in text
    still = read.alerts(shelf.storage.root)
    shown = table(app, "home/problems.csv") if still["open"].any() else pd.DataFrame()
    assert len(shown) == still["open"].sum()
    assert "none under way &lt;b&gt;" in page(app, "home/now.html")


def test_the_choice_is_kept_in_every_link(app: Starlette) -> None:
    query = "from=2026-05-01&to=2026-06-01&metric=mae&model=linear&of=department%3A+dairy"
    text = page(app, f"models?{query}")
    for name in PAGES:
        assert f'href="{name or "./"}?{escape(query)}"' in text
    days = pd.to_datetime(table(app, f"models/daily.csv?{query}")["date"])
    assert (days.min(), days.max()) == (pd.Timestamp("2026-05-01"), pd.Timestamp("2026-06-01"))
    assert [*table(app, f"models/daily.csv?{query}")["model"].unique()] == ["linear"]
    assert "<option selected>mae</option>" in text
    assert 'value="linear" checked' in text


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("models?from=yesterday", 400, "from is 'yesterday', which is no day; write 2026-01-31"),
        ("models?from=2026-06-02&to=2026-06-01", 400, "from 2026-06-02 is after to 2026-06-01"),
        ("models?from=0001-01-01", 400, "name a day from 1900 to 2199"),
        ("models?model=<script>", 400, "'<script>' is no model; there are: seasonal_naive"),
        ("models?metric=r2", 400, "'r2' is no metric; there are: wmape"),
        ("models?one=x", 400, "'x' is no model; there are:"),
        ("series?of=bread", 400, "'bread' is no slice or series of the 28 days"),
        ("series?of=" + "x" * 400, 400, "of is 400 letters long"),
        ("models?utm=1", 400, "'utm' is no parameter; there are: from (the first day)"),
        ("models?to=2026-06-01&to=2026-06-02", 400, "to is given 2 times; give it once"),
        ("models?from=%00", 400, "which is no day"),
        ("models/nothing.csv", 404, "nothing.csv is none of the parts: scores"),
        ("models/daily.exe", 404, "daily.exe is none of the parts"),
        ("nothing", 404, "Not Found"),
        ("model.pkl", 404, "Not Found"),
        ("..%2f..%2fetc/passwd", 404, "Not Found"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    app: Starlette, address: str, status: int, said: str
) -> None:
    found, headers, body = answer(app, f"/{address}")
    assert (found, headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert said in body.decode()
    _, headers, body = answer(app, f"/{address}", accept="text/html,*/*")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in body.decode()
    assert escape(said) in body.decode()


def test_nothing_can_be_written(app: Starlette) -> None:
    for address in ("/", "/models", "/models/daily.json", "/names"):
        assert answer(app, address, method="POST")[0] == 405


@pytest.mark.parametrize(("old", "new"), [("leaderboard", "models"), ("monitoring", "checks")])
def test_where_pages_once_were_leads_to_where_they_are(app: Starlette, old: str, new: str) -> None:
    status, headers, _ = answer(app, f"/{old}.html")
    assert (status, headers["location"]) == (307, new)


def test_projects_have_their_pages_under_their_names(shelf: Shelf) -> None:
    known: Mapping[str, Any] = {"bakery": (shelf, list), "fish": (shelf, list)}
    site = make_site(known, lambda: "x 1\n")
    status, headers, body = answer(site, "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'<a href="bakery/">bakery</a>' in body
    assert b'<a href="fish/">fish</a>' in body
    assert answer(site, "/metrics")[2] == b"x 1\n"
    for path in ("/fish/", "/fish/models", "/fish/static/site.js"):
        assert answer(site, path)[0] == 200
    for path in ("/models", "/meat/models"):
        assert answer(site, path)[0] == 404
    alone = make_site({"": (shelf, list), "fish": (shelf, list)})
    assert answer(alone, "/models")[0] == answer(alone, "/fish/models")[0] == 200


def test_pages_work_behind_any_prefix(app: Starlette) -> None:
    behind = Starlette(routes=[Mount("/deep/down", app)])
    for name in PAGES:
        status, _, body = answer(behind, f"/deep/down/{name}")
        assert status == 200
        assert body == answer(app, f"/{name}")[2]
        assert not [link for link in LINK.findall(body.decode()) if link.startswith("/")]


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


def test_before_there_is_a_history_pages_say_so(tmp_path: Path, shelf: Shelf) -> None:
    app = make_app(Shelf(LocalStorage(str(tmp_path)), shelf._load), list)
    assert "No day is evaluated yet" in page(app, "")
    for name in ("models", "series", "versions", "checks", "policies"):
        text = page(app, name)
        for _, part in PART.findall(text):
            assert answer(app, f"/{unescape(part)}")[0] == 200
    status, _, body = answer(app, "/day")
    assert (status, b"no day is evaluated yet" in body) == (400, True)


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
