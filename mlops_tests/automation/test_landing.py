"""Files that arrive in a folder, in any order, sorted in once."""

import datetime as dt
import os
import tempfile
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.automation import landing
from mlops_assets.automation.landing import Seen, read_cursor, settled
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.jobs.evaluate import make_jobs
from mlops_assets.project import LandingSettings, Project
from mlops_assets.resources.sources.landing_folder import Arrival, LandingSource
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_tests.assets.lab import Lab, make_rows, make_settings
from mlops_tests.automation.test_catching_up import asked

NOON = dt.datetime(2026, 4, 1, 12, tzinfo=dt.UTC)
HEADER = "date,department,category,units,unit_price,promotion\n"


def make_project(folder: Path, *, series: bool = True, **source: object) -> Project:
    """A project whose files land in `landing/` of a folder."""
    values = make_settings() | {
        "source": {"kind": "landing", "path": "landing", "settle_seconds": 60, **source},
        "folder": folder,
    }
    if not series:
        values["columns"] = values["columns"] | {"series": []}
        values["features"] = {"calendar": ["day_of_week"]}
        values["models"] = [{"name": "linear", "family": "ridge"}]
        values["evaluation"] = values["evaluation"] | {"baseline": "linear"}
    return Project.model_validate(values)


def line(day: str, category: str, units: float) -> str:
    return f"{day},bakery,{category},{units},1.5,0.0\n"


def drop(folder: Path, name: str, text: str, minutes: int = 0) -> None:
    """Let a file arrive, written so many minutes after 10 o'clock."""
    file = folder / "landing" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    when = (NOON.replace(hour=10) + dt.timedelta(minutes=minutes)).timestamp()
    os.utime(file, (when, when))


def make_source(project: Project, folder: Path) -> LandingSource:
    assert isinstance(project.source, LandingSettings)
    return LandingSource(project.source, project, LocalStorage(str(folder / "storage")))


def sort_in(project: Project, folder: Path) -> list[str]:
    """What a tick does with all that is there and complete."""
    source = make_source(project, folder)
    return landing.sort_in(source, source.folder.arrivals(), dt.date(2025, 12, 25))


def units(project: Project, folder: Path) -> list[tuple[str, str, float]]:
    """Day, category and target of all rows of the source."""
    rows = make_source(project, folder).read(dt.date(2026, 1, 1), dt.date(2027, 1, 1))
    days = rows["date"].dt.strftime("%m-%d")
    return sorted(zip(days, rows["category"], rows["units"], strict=True))


def names(folder: Path, place: str) -> list[str]:
    """The files of a folder, without the marks of time and content."""
    found = (folder / "landing" / place).glob("*")
    return sorted(f.name.split("_", 2)[2] if f.name[:2] == "20" else f.name for f in found)


def test_a_file_is_complete_when_it_stayed_the_same() -> None:
    old = Arrival("a.csv", 3, NOON - dt.timedelta(seconds=60))
    new = Arrival("b.csv", 3, NOON - dt.timedelta(seconds=59))
    ahead = Arrival("c.csv", 3, NOON + dt.timedelta(hours=1))  # of another clock
    complete, waiting = settled([old, new, ahead], {}, NOON, 60)
    assert complete == [old]
    assert waiting["b.csv"] == Seen(3, new.modified.isoformat(), NOON.timestamp())
    later = NOON + dt.timedelta(seconds=60)
    grown = Arrival("b.csv", 4, later)
    complete, waiting = settled([grown, ahead], waiting, later, 60)
    assert complete == [ahead]
    assert list(waiting) == ["b.csv"]
    assert settled([grown], waiting, later + dt.timedelta(seconds=60), 60) == ([grown], {})
    assert settled([new], {}, NOON, 0) == ([new], {})
    for text in (None, "", "[]", "x", '{"a": {"b": 1}}'):
        assert read_cursor(text) == ({}, "")


def test_what_is_not_a_finished_table_is_left_alone_or_rejected_with_its_reason(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path, pattern="*.[cp]*")
    for name in (".hidden.csv", "big.csv.part", "big.csv.tmp", "notes.txt"):
        drop(tmp_path, name, "x")
    drop(tmp_path, "good.csv", HEADER + line("2026-01-02", "bread", 3), 1)
    drop(tmp_path, "lacking.csv", "date,units\n2026-01-02,3\n", 2)
    drop(tmp_path, "text.csv", HEADER + line("2026-01-02", "cake", 3).replace(",3,", ",many,"), 3)
    drop(tmp_path, "rowless.csv", HEADER, 4)
    drop(tmp_path, "broken.parquet", "no parquet", 5)
    said = sort_in(project, tmp_path)
    assert said[0] == "good.csv is accepted, with rows of 2026-01-02."
    assert names(tmp_path, "accepted") == ["good.csv"]
    bad = ["broken.parquet", "lacking.csv", "rowless.csv", "text.csv"]
    rejected = tmp_path / "landing" / "rejected"
    assert names(tmp_path, "rejected") == sorted([*bad, *(f"{name}.reason.txt" for name in bad)])
    reasons = {name: (rejected / f"{name}.reason.txt").read_text() for name in bad}
    assert "lacks the column(s) department, category" in reasons["lacking.csv"]
    assert "'many', which is no number" in reasons["text.csv"]
    assert reasons["rowless.csv"] == "it holds no rows\n"
    assert "broken.parquet" in reasons["broken.parquet"]
    left = sorted(p.name for p in (tmp_path / "landing").iterdir() if p.is_file())
    assert left == [".hidden.csv", "big.csv.part", "big.csv.tmp", "notes.txt"]
    drop(tmp_path, "lacking.csv", "date,units\n2026-01-02,4\n", 6)
    sort_in(project, tmp_path)
    assert len(list(rejected.iterdir())) == 10, "the first of this name is kept"


def test_the_newest_file_gives_the_row_of_a_series_and_the_same_content_is_no_news(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path)
    first = HEADER + line("2026-01-02", "bread", 3) + line("2026-01-02", "cake", 4)
    drop(tmp_path, "b.csv", first, 10)
    sort_in(project, tmp_path)
    before = make_source(project, tmp_path).fingerprints(dt.date(2026, 1, 1), dt.date(2026, 2, 1))
    drop(tmp_path, "a.csv", HEADER + line("2026-01-02", "bread", 5), 20)
    sort_in(project, tmp_path)
    corrected = [("01-02", "bread", 5.0), ("01-02", "cake", 4.0)]
    assert units(project, tmp_path) == corrected
    drop(tmp_path, "again.csv", first, 30)
    [said] = sort_in(project, tmp_path)
    assert "again.csv is no news" in said
    assert units(project, tmp_path) == corrected
    drop(tmp_path, "late.csv", HEADER + line("2026-01-02", "bread", 7), 5)
    sort_in(project, tmp_path)
    assert units(project, tmp_path) == corrected, "it was written before the others"
    after = make_source(project, tmp_path).fingerprints(dt.date(2026, 1, 1), dt.date(2026, 2, 1))
    assert list(before) == list(after) == ["2026-01-02"]
    assert before != after


def test_plain_rows_add_up_unless_the_file_has_the_same_name(tmp_path: Path) -> None:
    project = make_project(tmp_path, series=False)
    twice = line("2026-01-02", "bread", 3) * 2
    drop(tmp_path, "shop1.csv", HEADER + twice + line("2026-01-03", "bread", 1), 1)
    drop(tmp_path, "shop2.csv", HEADER + line("2026-01-02", "bread", 3), 2)
    sort_in(project, tmp_path)
    assert units(project, tmp_path) == [("01-02", "bread", 3.0)] * 3 + [("01-03", "bread", 1.0)]
    drop(tmp_path, "shop1.csv", HEADER + line("2026-01-02", "cake", 9), 3)
    sort_in(project, tmp_path)
    assert units(project, tmp_path) == [
        ("01-02", "bread", 3.0),
        ("01-02", "cake", 9.0),
        ("01-03", "bread", 1.0),
    ]


def test_a_crash_after_the_move_or_between_its_two_halves_loses_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    text = HEADER + line("2026-01-02", "bread", 3)
    drop(tmp_path, "a.csv", text)
    sort_in(project, tmp_path)
    for card in (tmp_path / "storage" / "landing").rglob("*.json"):
        card.unlink()  # the file was moved, nothing else was done
    source = make_source(project, tmp_path)
    assert list(source.fingerprints(dt.date(2026, 1, 1), dt.date(2026, 2, 1))) == ["2026-01-02"]
    drop(tmp_path, "a.csv", text)  # copied, but not yet deleted, by a remote move
    sort_in(project, tmp_path)
    assert names(tmp_path, "accepted") == ["a.csv"]
    assert units(project, tmp_path) == [("01-02", "bread", 3.0)]


def test_a_folder_behind_a_url(tmp_path: Path) -> None:
    import fsspec

    project = make_project(tmp_path, path="memory://test_landing/in")
    memory = fsspec.filesystem("memory")
    memory.pipe("/test_landing/in/a b.csv", (HEADER + line("2026-01-02", "bread", 3)).encode())
    memory.pipe("/test_landing/in/bad.csv", b"day\n1\n")
    memory.pipe("/test_landing/in/x[1].csv", b"day\n2\n")
    assert len(sort_in(project, tmp_path)) == 3
    assert units(project, tmp_path) == [("01-02", "bread", 3.0)]
    rejected = [path.rsplit("/", 1)[-1] for path in memory.ls("/test_landing/in/rejected", False)]
    assert sorted(rejected) == ["bad.csv", "bad.csv.reason.txt", "x[1].csv", "x[1].csv.reason.txt"]
    assert make_source(project, tmp_path).folder.arrivals() == []


@settings(max_examples=20, deadline=None)
@given(
    st.permutations(range(4)),
    st.sets(st.integers(0, 3)),
    st.sampled_from(["series", "plain, one name", "plain, many names"]),
)
def test_the_order_in_which_files_are_taken_does_not_matter(
    order: list[int], ticks: set[int], kind: str
) -> None:
    """Four files, each with three days of which two are also in the next one."""
    files = {n: {day: 10.0 * n + day for day in range(n + 1, n + 4)} for n in range(4)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(folder, series=kind == "series")
        for position, number in enumerate(order):
            rows = "".join(line(f"2026-01-0{day}", "bread", u) for day, u in files[number].items())
            one_name = kind == "plain, one name"
            drop(folder, "same.csv" if one_name else f"{number}.csv", HEADER + rows, number)
            if one_name or position in ticks:
                sort_in(project, folder)
        sort_in(project, folder)
        found = [(int(day[-1]), value) for day, _, value in units(project, folder)]
    if kind == "plain, many names":
        assert found == sorted(pair for rows in files.values() for pair in rows.items())
    else:
        assert dict(found) == files[0] | files[1] | files[2] | files[3]
        assert len(found) == 6


def test_files_land_and_their_days_are_evaluated_through_the_sensor(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new day, then a correction of it, with runs in the instance."""
    rows = make_rows()
    history = rows[rows["date"] < "2026-03-31"]
    values = make_settings() | {
        "source": {"kind": "landing", "path": "landing", "settle_seconds": 0}
    }
    lab.write(settings=values)
    (lab.folder / "landing").mkdir()
    for key in lab.datasets.keys("observations"):
        made = dg.AssetMaterialization("observations", partition=key)
        if key != "2026-03-31":
            lab.instance.report_runless_asset_event(made)
    lab.datasets.delete("observations", "2026-03-31")
    for model in ("seasonal_naive", "linear"):
        made = dg.AssetMaterialization(["models", model], partition="2026-03-01")
        lab.instance.report_runless_asset_event(made)
    history.to_csv(lab.folder / "landing" / "history.csv", index=False)
    early = rows[rows["date"] == "2025-12-25"].assign(date="2025-12-24")
    early.to_csv(lab.folder / "landing" / "early.csv", index=False)

    monkeypatch.setattr(landing, "local_time", lambda _: NOON)

    def tick() -> tuple[list[dg.RunRequest], str]:
        project = lab.project
        assert isinstance(project.source, LandingSettings)
        sensor = landing.make_landing_sensor(
            project,
            project.source,
            make_partitions(project, lab.storage),
            make_jobs(project),
            lab.storage,
        )
        for file in (lab.folder / "landing").glob("*.csv"):
            os.utime(file, (NOON.timestamp(), NOON.timestamp() - 60))
        result = sensor(dg.build_sensor_context(instance=lab.instance))
        assert isinstance(result, dg.SensorResult)
        skip = result.skip_reason
        text = skip.skip_message if isinstance(skip, dg.SkipReason) else str(skip)
        return list(result.run_requests or []), text

    def run(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
        for request in requests:
            pairs = asked(request)
            selected = " ".join(dict.fromkeys(asset for asset, _ in pairs))
            assert lab.run(selected, pairs[0][1], pairs[-1][1]).success
        return [pair for request in requests for pair in asked(request)]

    requests, said = tick()
    assert requests == [], "all of it is stored already, though it came from another source"
    assert "early.csv is accepted" in said
    assert "before the first day 2025-12-25: 2025-12-24" in said
    rows[rows["date"] == "2026-03-31"].to_csv(lab.folder / "landing" / "day.csv", index=False)
    requests, _ = tick()
    done = run(requests)
    assert {day for _, day in done} == {"2026-03-31"}
    assert {"observations", "validation/linear", "champion", "drift"} <= {key for key, _ in done}
    assert tick()[0] == []
    corrected = rows[rows["date"].isin([pd.Timestamp("2026-03-31")])].assign(units=1.0)
    corrected.to_csv(lab.folder / "landing" / "day.csv", index=False)
    requests, _ = tick()
    assert run(requests) == [("observations", "2026-03-31")]
    stored = DatasetStore(lab.storage).read("observations", ["2026-03-31"])
    assert stored["units"].tolist() == [1.0, 1.0, 1.0]
    assert tick()[0] == []
