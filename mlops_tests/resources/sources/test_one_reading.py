"""What a value is follows from itself: stored in whatever type, it gives the same day."""

import csv
import datetime as dt
import decimal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml

from mlops_assets.assets.observations_type import make_observations_type, validated
from mlops_assets.project import Project
from mlops_assets.resources.sources import SourceError, make_source
from mlops_tests.small import PROJECT_FILE

DAY = dt.date(2026, 1, 2)
WINDOW = DAY, DAY + dt.timedelta(days=1)
# two rows as a person reads them, in each role
WHOLE = {"name": [12, 7], "label": [0, 1], "date": [20260102, 20260102], "number": [3, 4]}
FLAGS = {"name": [True, False], "label": [False, True], "number": [True, False]}
STORED = {"name": ["12", "7"], "label": ["0", "1"], "number": [3.0, 4.0]}
OF_FLAGS = {"name": ["true", "false"], "label": ["0", "1"], "number": [1.0, 0.0]}


def decimals(values: Sequence[Any]) -> pa.Array:
    return pa.array([decimal.Decimal(value) for value in values]).cast(pa.decimal128(38, 9))


def text(kind: pa.DataType) -> Callable[[Sequence[Any]], pa.Array]:
    return lambda values: pa.array([str(value) for value in values]).cast(kind)


PARQUET: dict[str, Callable[[Sequence[Any]], pa.Array]] = {
    "int": pa.array,
    "float": lambda values: pa.array([float(value) for value in values]),
    "decimal": decimals,
    "bool": pa.array,
    "string": text(pa.string()),
    "string of floats": lambda values: pa.array([f"{value:.1f}" for value in values]),
    "large string": text(pa.large_string()),
    "string view": text(pa.string_view()),
    "dictionary": lambda values: pa.array([str(value) for value in values]).dictionary_encode(),
    "dictionary of ints": lambda values: pa.array(values).dictionary_encode(),
    "binary": text(pa.binary()),
}
TEXTS: dict[str, Callable[[Any], Any]] = {
    "csv": str,
    "csv of floats": lambda value: f"{value:.1f}",
    "csv of flags": str,
    "csv of small flags": lambda value: str(value).lower(),
}
SQL: dict[str, str] = {
    "sql integer": "INTEGER",
    "sql real": "REAL",
    "sql text": "TEXT",
    "sql boolean": "BOOLEAN",
}


def project_of(folder: Path, source: dict[str, Any], labels: Sequence[Any] = (0, 1)) -> Project:
    settings = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8")) | {
        "source": source,
        "first_day": DAY,
        "columns": {
            "date": "date",
            "target": "label",
            "series": ["name"],
            "numeric": ["number"],
            "categorical": ["name"],
        },
        "task": "classification",
        "classes": {"labels": list(labels), "positive": labels[1]},
        "constraints": {},
        "features": {"calendar": ["day_of_week"]},
        "models": [{"name": "linear", "family": "logistic_regression"}],
        "evaluation": {"metrics": ["log_loss"], "primary": "log_loss", "baseline": "linear"},
    }
    return Project.model_validate({**settings, "folder": folder})


def stored(project: Project) -> pd.DataFrame:
    source = make_source(project)
    rows = source.read(*WINDOW)
    assert source.left_out() == []
    assert set(source.fingerprints(*WINDOW)) == {str(DAY)}
    return validated(project, make_observations_type(project), rows)[0]


def write(folder: Path, kind: str, columns: dict[str, list[Any]], role: str) -> dict[str, Any]:
    """A table of two rows, one column of which is stored in another type; its source."""
    if kind in SQL:
        engine = sa.create_engine(f"sqlite:///{folder}/rows.db")
        types = dict.fromkeys(columns, "TEXT") | {role: SQL[kind]}
        declared = ", ".join(f'"{name}" {type_}' for name, type_ in types.items())
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE rows ({declared})")
            for row in zip(*columns.values(), strict=True):
                marks = ", ".join("?" * len(row))
                connection.exec_driver_sql(f"INSERT INTO rows VALUES ({marks})", row)
        engine.dispose()
        return {"kind": "sql", "url_env": "ROWS_URL", "table": "rows"}
    if kind in TEXTS:
        columns = columns | {role: [TEXTS[kind](value) for value in columns[role]]}
        with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
        return {"kind": "file", "path": "rows.csv"}
    arrays = {name: pa.array([str(value) for value in values]) for name, values in columns.items()}
    pq.write_table(pa.table(arrays | {role: PARQUET[kind](columns[role])}), folder / "rows.parquet")
    return {"kind": "file", "path": "rows.parquet"}


def cases() -> list[Any]:
    kinds = [*PARQUET, *TEXTS, *SQL]
    made = []
    for kind in kinds:
        of_flags = "bool" in kind or "flags" in kind
        for role in FLAGS if of_flags else WHOLE:
            if not (kind in SQL and role == "date"):  # asked for by its text, see below
                made.append(pytest.param(kind, role, id=f"{kind}-{role}"))
    return made


@pytest.mark.parametrize(("kind", "role"), cases())
@pytest.mark.long
def test_every_type_gives_the_same_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, role: str
) -> None:
    monkeypatch.setenv("ROWS_URL", f"sqlite:///{tmp_path}/rows.db")
    of_flags = "bool" in kind or "flags" in kind
    columns = WHOLE | {"date": ["2026-01-02"] * 2}
    columns |= {role: (FLAGS if of_flags else WHOLE)[role]}
    expected = STORED | ({role: OF_FLAGS[role]} if of_flags else {})
    if (kind, role) == ("sql boolean", "name"):
        expected["name"] = ["1", "0"]  # which is what SQLite has for them
    found = stored(project_of(tmp_path, write(tmp_path, kind, columns, role)))
    assert found["date"].tolist() == [pd.Timestamp(DAY)] * 2
    for name, values in expected.items():
        assert found[name].tolist() == values, name
        assert str(found[name].dtype) == ("float64" if name == "number" else "object")


@pytest.mark.parametrize("kind", ["date", "datetime", "text", "zoned"])
def test_dates_of_any_type_are_the_same_day(tmp_path: Path, kind: str) -> None:
    day = dt.datetime(2026, 1, 2, 10, 30)
    made = {
        "date": [day.date()] * 2,
        "datetime": [day] * 2,
        "text": ["02.01.2026", "2.1.2026 10:30"],
        "zoned": [day.replace(tzinfo=dt.UTC)] * 2,
    }
    table = {**WHOLE, "date": pa.array(made[kind])}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    found = stored(project_of(tmp_path, {"kind": "file", "path": "rows.parquet"}))
    assert found["date"].tolist() == [pd.Timestamp(DAY)] * 2


@pytest.mark.parametrize("labels", [[0, 1], ["0", "1"], [False, True], ["-1", "+1"], [0.0, 1.0]])
@pytest.mark.parametrize(
    "written", [["0", "1"], ["0.0", "1.0"], ["False", "True"], ["false", "true"], ["-1", "+1"]]
)
def test_labels_are_read_as_declared(tmp_path: Path, labels: list[Any], written: list[str]) -> None:
    project = project_of(tmp_path, {"kind": "file", "path": "rows.csv"}, labels)
    lines = [f"2026-01-02,{shop},{label},1" for shop, label in enumerate(written)]
    (tmp_path / "rows.csv").write_text("\n".join(["date,name,label,number", *lines]))
    if ("-1" in written) != ("-1" in labels):  # they have no second label in common
        with pytest.raises(ValueError, match=r"Expected Categories"):
            stored(project)
        return
    assert stored(project)["label"].tolist() == list(project.labels)


def test_files_that_hold_ids_in_different_types_are_one_table(tmp_path: Path) -> None:
    ids = [2**53, 2**53 + 1]
    kinds: dict[str, list[Any]] = {"a": ids, "b": [decimal.Decimal(value) for value in ids]}
    kinds |= {
        "c": [str(value) for value in ids],
        "d": [12, 7],
        "e": [12.0, 7.0],
        "f": ["012", "7.0"],
    }
    for name, shops in kinds.items():
        table = pa.table(WHOLE | {"date": ["2026-01-02"] * 2, "name": shops})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    project = project_of(tmp_path, {"kind": "file", "path": "*.parquet"})
    found = make_source(project).read(*WINDOW)["name"].tolist()
    wide = ["9007199254740992", "9007199254740993"]
    assert found == [*wide * 3, "12", "7", "12", "7", "012", "7"]


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    table = pa.table(WHOLE | {"date": ["2026-01-02"] * 2, "name": [b"\xff", b"a"]})
    pq.write_table(table, tmp_path / "rows.parquet")
    project = project_of(tmp_path, {"kind": "file", "path": "rows.parquet"})
    with pytest.raises(SourceError, match=r"rows.parquet: column 'name' holds bytes that are no"):
        make_source(project).read(*WINDOW)
