"""Columns that are missing stop loading; a source that does not answer does not."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlops_assets.project import ProjectError
from mlops_assets.resources.sources import check_columns
from mlops_assets.resources.storage import LocalStorage
from mlops_tests.resources.sources.problems import PLAIN, counted, problem, write


def storage(folder: Path) -> LocalStorage:
    return LocalStorage(str(folder / "storage"))


@pytest.mark.parametrize("kind", ["file", "replay"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00 no table", b"PAR1, units\n1, 2"])
def test_a_source_without_a_header_stops_loading(
    tmp_path: Path, kind: str, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    project = problem(tmp_path, {"kind": kind, "path": name})
    with pytest.raises(ProjectError, match=rf"(source|columns): .*{name}"):
        check_columns(project, storage(tmp_path))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_missing_column_is_named_and_a_header_read_once(tmp_path: Path, ending: str) -> None:
    file = write(tmp_path, "rows", ["2026-01-01"], ending)
    source = {"kind": "file", "path": file.name}
    columns = PLAIN | {"numeric": ["price"]}
    with pytest.raises(ProjectError, match=r"rows\.\w+ has no column 'price'; it has: date, units"):
        check_columns(problem(tmp_path, source, columns=columns), storage(tmp_path))
    project = problem(tmp_path, source)
    check_columns(project, storage(tmp_path))
    with counted() as opened:
        check_columns(project, storage(tmp_path))
    assert not opened
    (file).write_bytes(b"other,columns\n")
    with pytest.raises(ProjectError, match=r"columns|cannot read"):
        check_columns(project, storage(tmp_path))


def test_files_that_are_not_there_yet_are_left_to_the_run(tmp_path: Path) -> None:
    check_columns(problem(tmp_path, {"kind": "file", "path": "none/*.csv"}), storage(tmp_path))


def test_columns_of_folders_count(tmp_path: Path) -> None:
    for path in ("year=2026/month=1/day=2", "date=2026-01-02"):
        folder = tmp_path / path.split("/")[0]
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "a.csv").write_text("units\n1\n")
        project = problem(tmp_path, {"kind": "file", "path": folder.name})
        check_columns(project, storage(tmp_path))


def test_tables_of_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{tmp_path}/shop.db")
    project = problem(tmp_path, {"kind": "sql", "url_env": "SHOP_URL", "table": "sales"})
    check_columns(project, storage(tmp_path))  # no database yet
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE sales (date TEXT, amount REAL)")
    with pytest.raises(ProjectError, match="has no column 'units'; it has: date, amount"):
        check_columns(project, storage(tmp_path))
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE sales RENAME amount TO units")
    engine.dispose()
    check_columns(project, storage(tmp_path))
    (tmp_path / "shop.db").unlink()
    check_columns(project, storage(tmp_path))  # what was found is kept


@pytest.mark.parametrize("url", ["", "postgresql://me:s3cret@127.0.0.1:1/shop"])
def test_a_database_that_does_not_answer_does_not_stop_loading(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str,
) -> None:
    monkeypatch.setenv("SHOP_URL", url)
    project = problem(tmp_path, {"kind": "sql", "url_env": "SHOP_URL", "table": "sales"})
    with caplog.at_level(logging.WARNING):
        check_columns(project, storage(tmp_path))
    assert "SHOP_URL" in caplog.text
    assert "s3cret" not in caplog.text


def test_headers_are_read_without_pandas(tmp_path: Path) -> None:
    for ending in ("csv", "parquet"):
        write(tmp_path, "rows", ["2026-01-01"], ending)
    code = f"""
import sys
from pathlib import Path
from mlops_assets.project import FileSettings, load_project
from mlops_assets.resources.sources import make_source
project = load_project()
for name in ("rows.csv", "rows.parquet"):
    source = make_source(project, None, FileSettings(kind="file", path="{tmp_path}/" + name))
    assert source.columns() == ["date", "units", "unused"], source.columns()
assert not {{"pandas", "sqlalchemy", "sklearn"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
