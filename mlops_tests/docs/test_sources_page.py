"""What docs/sources.md shows works as written."""

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from mlops_assets.resources.sources import make_source
from mlops_tests.resources.sources.problems import problem
from mlops_tests.small import REPOSITORY

PAGE = (REPOSITORY / "docs" / "sources.md").read_text(encoding="utf-8")
SETTINGS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROWS = "date;sold_at;shop;units;amount;updated_at\n2026-01-31;2026-01-31;007;1.250,5;1;1\n"
COLUMNS = {"target": "units", "series": ["shop"], "categorical": ["shop"]}


@pytest.mark.parametrize("text", [text for text in SETTINGS if "source:" in text])
def test_the_settings_give_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    source = yaml.safe_load(text)["source"]
    folder = tmp_path / "problem"
    folder.mkdir()
    by_folder = tmp_path / "data/sales/date=2026-01-31/shop=007/part-0.csv"
    by_folder.parent.mkdir(parents=True)
    by_folder.write_text("units\n1250.5\n")
    (folder / "sales.csv").write_text(ROWS)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ATTACH '{tmp_path}/other.db' AS shop")
        for table in ("sales", "shop.sales"):
            columns = ROWS.splitlines()[0].replace(";", ", ")
            connection.exec_driver_sql(f"CREATE TABLE {table} ({columns})")
            connection.exec_driver_sql(
                f"INSERT INTO {table} VALUES ('2026-01-31', '2026-01-31', '007', 1250.5, 1250.5, 1)"
            )
    engine.dispose()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{tmp_path}/shop.db")
    date = "sold_at" if "query" in source else "date"
    if source["kind"] == "replay":
        days = (dt.date(2025, 2, 2) + dt.timedelta(days=n) for n in range(364))
        rows = "".join(f"{day},007,1250.5\n" for day in days)
        (folder / "recording.parquet").write_text("date,shop,units\n" + rows)
        source["source"]["format"] = "csv"
    if source.get("table") == "shop.sales":
        source["table"] = "main.sales"  # SQLite has other schemas
    made = make_source(problem(folder, source, columns={"date": date, **COLUMNS}))
    window = dt.date(2026, 1, 31), dt.date(2026, 2, 1)
    rows = made.read(*window)
    assert rows[["shop", "units"]].to_numpy().tolist() == [["007", 1250.5]]
    assert list(made.fingerprints(*window)) == ["2026-01-31"]


def test_what_means_that_there_is_no_value(tmp_path: Path) -> None:
    [text] = [text for text in SETTINGS if "missing:" in text]
    (tmp_path / "rows.csv").write_text(
        "date,shop,temperature,units\n"
        "2026-01-31,a,N/A,4999\n2026-01-31,b,-,5001\n2026-01-31,c,closed,-999\n"
    )
    missing = yaml.safe_load(text)["columns"]
    columns = {"date": "date", **COLUMNS, "numeric": ["temperature"], **missing}
    source = {"kind": "file", "path": "rows.csv"}
    made = make_source(problem(tmp_path, source, columns=columns))
    rows = made.read(dt.date(2026, 1, 31), dt.date(2026, 2, 1))
    assert rows["temperature"].isna().all()
    assert rows["units"].dropna().tolist() == [4999]


def test_the_snippet_runs() -> None:
    [snippet] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "'2026-01-05': '226 rows " in done.stdout
