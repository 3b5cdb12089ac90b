"""The wide table of the benchmarks is a project, and both sides make the same of it."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.wide.compare import names_of, steps_of
from benchmarks.wide.panel import LONGEST_LAG, Span, write_panel, write_project
from mlops_assets.graph.reads import Every, declared
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.project import load_project
from mlops_assets.resources.sources import make_source

SPAN = Span(dt.date(2026, 5, 1), dt.date(2026, 6, 30))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_panel(tmp_path / "panel.parquet", 20, SPAN)
    write_project(tmp_path / "project.yaml", tmp_path / "panel.parquet", SPAN, models=4)
    return tmp_path


def test_the_same_seed_makes_the_same_table(folder: Path, tmp_path: Path) -> None:
    write_panel(tmp_path / "again.parquet", 20, SPAN)
    first = pd.read_parquet(folder / "panel.parquet")
    pd.testing.assert_frame_equal(first, pd.read_parquet(tmp_path / "again.parquet"))
    assert first["date"].nunique() == len(SPAN) == 61
    assert first.groupby(["item", "store"], observed=True).ngroups == 20


def test_every_asset_is_a_step_after_those_that_it_reads(folder: Path) -> None:
    project = load_project(folder / "project.yaml")
    nodes = [node for node in declared(project).values() if node.every is not Every.PROJECT]
    steps = [step.asset for step in steps_of(SPAN, names_of(4))]
    assert {node.asset for node in nodes} == set(steps)
    for node in nodes:
        read = {one.asset for one in node.reads if not one.shown} - {node.asset}
        assert max(map(steps.index, read), default=-1) < steps.index(node.asset)


def test_both_sides_make_the_same_features(folder: Path) -> None:
    pytest.importorskip("polars")
    from benchmarks.wide.polars_side import NUMBERS, Plain

    plain = Plain(folder / "panel.parquet", folder / "plain")
    plain.observations(SPAN.first, SPAN.last)
    first = SPAN.first + dt.timedelta(days=LONGEST_LAG)
    plain.features(first, SPAN.last)
    theirs = plain.read("features", first, SPAN.last).to_pandas()
    project = load_project(folder / "project.yaml")
    end = SPAN.last + dt.timedelta(days=1)
    rows = make_source(project).read(SPAN.first, end)
    ours = make_features(project.feature_plan, rows, first, end)
    on = ["date", "item", "store"]
    alike = {"date": "datetime64[ns]", "item": str, "store": str}
    ours, theirs = (
        side.astype(alike).sort_values(on, ignore_index=True) for side in (ours, theirs)
    )
    pd.testing.assert_frame_equal(ours[NUMBERS], theirs[NUMBERS], check_dtype=False)
