"""Whatever a table holds: its settings load, or nothing is written and the reason is told."""

import contextlib
import datetime as dt
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.ml.values import text_of
from mlops_assets.project import Project, ReplaySettings, load_project
from mlops_assets.resources.sources import make_source
from mlops_tests.commands import command

KINDS = ("count", "float", "few", "many", "constant", "empty", "flag", "gaps", "code", "same")
# names that YAML, Markdown or the stored tables could take for something else
NAMES = (
    *("units", "no", "1", "a: b", "#x", "[y]", "*z", "ä|ö", "'q'", "-", "null", "~", "{}", "& x"),
    *("row", "model", "actual", "day_of_week", "units_lag_7", "all", "year", "size", "a\nb", "%"),
)


def values(kind: str, rows: int, random: np.random.Generator) -> Any:
    match kind:
        case "count":
            return random.poisson(5, rows)
        case "float":
            return random.normal(0, 3, rows).round(2)
        case "few":
            return random.choice(["a", "b", "c"], rows)
        case "many":
            return [f"id {n}" for n in range(rows)]
        case "constant":
            return ["x"] * rows
        case "empty":
            return [None] * rows
        case "flag":
            return random.random(rows) < 0.5
        case "gaps":
            return np.where(random.random(rows) < 0.3, np.nan, random.normal(5, 1, rows))
        case "code":
            return [f"00{n % 7}" for n in range(rows)]
        case _:
            return np.arange(rows) % 3


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    count, each = draw(st.integers(1, 200)), draw(st.integers(1, 4))
    last = dt.date.today() - dt.timedelta(days=draw(st.integers(0, 400)))
    days = np.repeat(pd.date_range(end=pd.Timestamp(last), periods=count), each)
    if draw(st.booleans()):
        days = days + pd.to_timedelta(np.tile(np.arange(each), count), unit="h")
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    columns = {name: values(draw(st.sampled_from(KINDS)), len(days), random) for name in names}
    return pd.DataFrame({"when": days, **columns})


def assert_sound(project: Project) -> None:
    """The table is read through the settings, and its rows keep to the constraints."""
    settings = project.source
    recording = settings.recording if isinstance(settings, ReplaySettings) else settings
    source = make_source(project, settings=recording)
    span = source.span()
    assert span is not None
    rows = source.read(span[0], span[1] + dt.timedelta(days=1))
    for name in project.column_names:
        limits = project.constraint(name)
        assert limits.nullable or name == project.columns.target or rows[name].notna().all()
        if limits.min is not None:
            assert (rows[name].dropna() >= limits.min).all()
        if limits.allowed is not None:
            assert set(rows[name].dropna().map(text_of)) <= set(limits.allowed)


@pytest.mark.long
@given(tables(), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_settings_that_are_written_load_and_read(rows: pd.DataFrame, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(list(rows.columns[1:])))
    parquet = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "table", Path(folder) / "new"
        flags = ["--format", "parquet"] if parquet else []
        if parquet:
            rows.to_parquet(file, index=False)
        else:
            rows.to_csv(file, index=False)
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            code = command("new", file, f"--target={target}", "--out", out, "--yes", *flags)
        assert code in (0, 1)
        assert "mistake" not in told.getvalue()  # of what was about to be written
        assert (out / "project.yaml").exists() == (code == 0)
        if code == 0:
            project = load_project(out / "project.yaml")
            assert project.columns.target == target.strip()
            assert_sound(project)


def test_a_column_named_like_a_feature_tells_no_series_apart(tmp_path: Path) -> None:
    days = pd.date_range(end=pd.Timestamp(dt.date.today()), periods=200)
    rows = pd.DataFrame({"when": np.repeat(days, 2), "units": np.arange(400) % 7})
    table, out = tmp_path / "table.csv", tmp_path / "new"
    rows.assign(units_lag_7=["a", "b"] * 200).to_csv(table, index=False)
    assert command("new", table, "--target=units", "--out", out, "--yes") == 0
    assert "units_lag_7" not in load_project(out / "project.yaml").columns.names


def test_metrics_are_broken_down_by_no_column_that_is_stored_beside_forecasts(
    tmp_path: Path,
) -> None:
    days = pd.date_range(end=pd.Timestamp(dt.date.today()), periods=200)
    rows = pd.DataFrame({"when": np.repeat(days, 3), "units": np.arange(600) % 7})
    rows = rows.assign(shop=["a", "b", "c"] * 200, row=["x", "y"] * 300)
    table, out = tmp_path / "table.csv", tmp_path / "new"
    rows.to_csv(table, index=False)
    assert command("new", table, "--target=units", "--series=shop", "--out", out, "--yes") == 0
    assert "row" not in load_project(out / "project.yaml").evaluation.slices
