"""Excel, JSON, Feather and zip files give the same days as a CSV."""

import datetime as dt
import gzip
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.resources.sources import SourceError
from mlops_tests.resources.sources.books import write_book
from mlops_tests.resources.sources.problems import SHOPS, files

DAYS = dt.date(2026, 1, 1), dt.date(2026, 1, 4)
COLUMNS = SHOPS | {"numeric": ["warm"]}
ROWS = [
    (dt.date(2026, 1, 1), 7, 3, 1.5),
    (dt.date(2026, 1, 1), 12, 4, None),
    (dt.date(2026, 1, 3), 7, 5, 2.5),
]
NAMES = ["date", "shop", "units", "warm"]
EXPECTED = pd.DataFrame(
    {
        "date": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-01-03"]),
        "shop": ["7", "12", "7"],
        "units": [3.0, 4.0, 5.0],
        "warm": [1.5, None, 2.5],
    }
)


def write(folder: Path, kind: str) -> Path:
    frame = pd.DataFrame(ROWS, columns=NAMES)
    text = frame.assign(date=frame["date"].astype(str))
    records = text.to_dict(orient="records")
    plain = json.loads(text.to_json(orient="records"))
    file = folder / f"rows.{kind}"
    match kind:
        case "xlsx":
            return write_book(file, {"Sales": [NAMES, *ROWS], "Empty": []})
        case "json":
            file.write_text(json.dumps(plain))
        case "jsonl":
            file.write_text("".join(f"{json.dumps(row)}\n" for row in plain))
        case "jsonl.gz":
            file.write_bytes(gzip.compress("\n".join(map(json.dumps, plain)).encode()))
        case "feather":
            frame.to_feather(file)
        case "zip" | "csv.zip":
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("folder/", "")
                archive.writestr("folder/rows.csv", text.to_csv(index=False))
                archive.writestr("__MACOSX/rows.csv", "x")
    assert records
    return file


@pytest.mark.parametrize("kind", ["xlsx", "json", "jsonl", "jsonl.gz", "feather", "zip", "csv.zip"])
def test_files_of_every_kind_give_the_same_days(tmp_path: Path, kind: str) -> None:
    source = files(write(tmp_path, kind), columns=COLUMNS)
    found = source.read(*DAYS)
    pd.testing.assert_frame_equal(found[NAMES], EXPECTED)
    assert list(source.fingerprints(*DAYS)) == ["2026-01-01", "2026-01-03"]
    assert source.columns() == NAMES
    in_folder = files(tmp_path, columns=COLUMNS)
    pd.testing.assert_frame_equal(in_folder.read(*DAYS)[NAMES], EXPECTED)


def test_several_sheets_are_named(tmp_path: Path) -> None:
    sheets = {"2025": [NAMES, ROWS[0]], "2026": [NAMES, *ROWS]}
    file = write_book(tmp_path / "rows.xlsx", sheets)
    with pytest.raises(SourceError, match=r"sheets: 2025, 2026; set source\.sheet to one"):
        files(file, columns=COLUMNS).read(*DAYS)
    assert len(files(file, columns=COLUMNS, sheet="2025").read(*DAYS)) == 1
    with pytest.raises(SourceError, match="no sheet '2024'; its sheets are: 2025, 2026"):
        files(file, columns=COLUMNS, sheet="2024").read(*DAYS)


def test_a_title_above_the_header_is_none(tmp_path: Path) -> None:
    title = [["Sales of January", None, None, None], [None] * 4]
    file = write_book(tmp_path / "rows.xlsx", {"Sales": [*title, NAMES, *ROWS]})
    pd.testing.assert_frame_equal(files(file, columns=COLUMNS).read(*DAYS)[NAMES], EXPECTED)


def test_json_of_one_list_inside(tmp_path: Path) -> None:
    rows = [{"date": "2026-01-02", "shop": "007", "units": 1, "warm": None}]
    (tmp_path / "rows.json").write_text(json.dumps({"status": "ok", "data": rows}))
    found = files(tmp_path / "rows.json", columns=COLUMNS).read(*DAYS)
    assert found["shop"].tolist() == ["007"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.json", b"[1, 2]", "holds no list of objects; write one object per row"),
        ("rows.json", b"{not json", "cannot read .*rows.json"),
        ("rows.xlsx", b"PK no book", "cannot read .*rows.xlsx: .*save it again, or as CSV"),
        ("rows.feather", b"ARROW1 no", "cannot read .*rows.feather"),
        ("rows.csv.zip", b"PK no zip", "cannot read .*rows.csv.zip: .*zip it again"),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        files(tmp_path / name, columns=COLUMNS).read(*DAYS)


def test_a_zip_of_several_tables_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(SourceError, match=r"holds 2 files \(a.csv, b.csv\); zip one table alone"):
        files(tmp_path / "rows.zip", columns=COLUMNS).read(*DAYS)
