"""CSV as programs and people write it."""

import bz2
import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.resources.sources import SourceError
from mlops_tests.resources.sources.problems import JANUARY, SHOPS, files

CONTENT = """date,shop,units
2026-01-02,"Käse, Müller",1.5
2026-01-03,007,20
2026-01-03,NA,
"""
SEMICOLONS = """date;shop;units
2026-01-02;Käse, Müller;1,5
2026-01-03;007;20
2026-01-03;NA;
"""


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plain.csv", CONTENT.encode()),
        ("windows.csv", CONTENT.replace("\n", "\r\n").encode("cp1252")),
        ("latin.csv", CONTENT.encode("latin-1")),
        ("mark.csv", CONTENT.encode("utf-8-sig")),
        ("excel.txt", CONTENT.encode("utf-16")),
        ("semicolon.csv", SEMICOLONS.encode()),
        ("tab.tsv", SEMICOLONS.replace(";", "\t").encode("utf-8-sig")),
        ("bar.csv", SEMICOLONS.replace(";", "|").encode()),
        ("single.csv", CONTENT.replace('"', "'").encode()),
        ("last.csv", CONTENT.rstrip().encode()),
        ("spaced.csv", CONTENT.replace("date,shop,units", "date, shop , units").encode()),
        ("blank.csv", (CONTENT + "\n\n").encode()),
        ("a.csv.gz", gzip.compress(CONTENT.encode(), mtime=0)),
        ("a.csv.zst", zstd(CONTENT.encode())),
        ("a.csv.bz2", bz2.compress(CONTENT.encode())),
    ],
)
def test_every_dialect_gives_the_same_rows(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    rows = files(tmp_path / name, columns=SHOPS).read(*JANUARY)
    expected = pd.DataFrame(
        {
            "date": pd.to_datetime(["2026-01-02", "2026-01-03", "2026-01-03"]),
            "shop": ["Käse, Müller", "007", "NA"],
            "units": [1.5, 20.0, None],
        }
    )
    pd.testing.assert_frame_equal(rows, expected)


def test_a_field_may_go_over_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('date,"the\nshop",units,shop\n2026-01-02,x,1,"two\nlines ""of"" it"\n')
    [shop] = files(file, columns=SHOPS).read(*JANUARY)["shop"]
    assert shop == 'two\nlines "of" it'


@pytest.mark.parametrize(
    ("numbers", "settings", "expected"),
    [
        (["1,5", "2"], {}, [1.5, 2.0]),
        (["0,125", "1,250"], {}, [0.125, 1.25]),
        (["1.5", "2"], {}, [1.5, 2.0]),
        (["1,250", "2,500"], {"decimal": ","}, [1.25, 2.5]),
        (["1,250.5", "2"], {"thousands": ","}, [1250.5, 2.0]),
        (["1.250,5", "2"], {"thousands": ".", "decimal": ","}, [1250.5, 2.0]),
        (["-1e3", " 7 ", "n/a"], {}, [-1000.0, 7.0, None]),
    ],
)
def test_numbers(
    tmp_path: Path, numbers: list[str], settings: dict[str, Any], expected: list[float]
) -> None:
    file = tmp_path / "a.csv"
    lines = [f'2026-01-02;"{number}"' for number in numbers]
    file.write_text("\n".join(["date;units", *lines]))
    found = files(file, csv=settings).read(*JANUARY)["units"]
    pd.testing.assert_series_equal(found, pd.Series(expected, name="units", dtype="float64"))


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (
            "date;units\n2026-01-01;1,250\n",
            {},
            "'units', whose comma could group",
        ),
        ("date;units\n2026-01-01;1,5\n2026-01-01;1.5\n", {}, "a comma and with a point: '1,5'"),
        (
            "date,units\n2026-01-01,1,2\n",
            {},
            "number of fields than its header, such as '2026-01-01,1,2': 3 for 2",
        ),
        ("date,units,units\n2026-01-01,1,2\n", {}, "the column 'units' more than once"),
        ("day,units\n2026-01-01,1\n", {}, r"lacks the column\(s\) date; it has day, units"),
        ("date,units\n2026-01-01,\0\n", {}, "zero bytes"),
        ("date,units\n2026-01-01,é\n", {"encoding": "ascii"}, r"set csv\.encoding"),
        ("", {}, "it is empty; a CSV begins with a header"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, content: str, settings: dict[str, Any], message: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(content)
    with pytest.raises(SourceError, match=message) as caught:
        files(file, csv=settings).read(*JANUARY)
    assert str(file) in str(caught.value)


def test_text_among_numbers_is_left_to_its_day(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("date,units\n2026-01-01,1\n2026-01-02,many\n2026-01-03,\n")
    units = files(file).read(*JANUARY)["units"]
    assert units.tolist()[:2] == [1.0, "many"]
    assert units.isna().tolist() == [False, False, True]


def test_a_header_without_rows_has_no_days(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,units\n")
    source = files(tmp_path / "a.csv")
    assert len(source.read(*JANUARY)) == 0
    assert source.fingerprints(*JANUARY) == {}


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(CONTENT.encode())[:40])
    with pytest.raises(SourceError, match=r"a\.csv\.gz"):
        files(file, columns=SHOPS).read(*JANUARY)
