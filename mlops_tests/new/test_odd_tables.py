"""Tables as people have them: what is odd about them is told, and the project is right."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.project import Project
from mlops_assets.resources.sources import make_source
from mlops_tests.new.tables import YESTERDAY, days_up_to, make, settings, write

COUNT = 200


def panel() -> pd.DataFrame:
    """Rows of three shops, higher at weekends."""
    random = np.random.default_rng(7)
    keys = pd.MultiIndex.from_product(
        [days_up_to(YESTERDAY, COUNT), ["S0", "S1", "S2"]], names=["date", "shop"]
    )
    rows = keys.to_frame(index=False)
    level = 50 + 20 * rows["shop"].str[1].astype(int) + 10 * (rows["date"].dt.dayofweek >= 5)
    return rows.assign(
        temp=random.normal(15, 5, len(rows)).round(1),
        units=(level + random.normal(0, 5, len(rows))).round().astype(int),
    )


def read(project: Project) -> pd.DataFrame:
    """All rows as a run reads them."""
    end = YESTERDAY + dt.timedelta(days=1)
    return make_source(project).read(end - dt.timedelta(days=COUNT), end)


def test_words_among_numbers_are_missing_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel()
    share = np.random.default_rng(1).random(len(rows))
    words = rows["temp"].astype(object).mask(share < 0.05, "N/A").mask(share > 0.98, "-")
    project = make(write(rows.assign(temp=words), tmp_path), tmp_path / "p")
    assert project.columns.numeric == ["temp"]
    assert settings(tmp_path / "p")["columns"]["missing"] == {"temp": ["N/A", "-"]}
    assert project.constraints["temp"].nullable
    told = f"'N/A' in {(words == 'N/A').sum()} row(s), the first of them row "
    assert told in capsys.readouterr().out
    assert told in (tmp_path / "p" / "profile.md").read_text()
    expected = rows["temp"].where((share >= 0.05) & (share <= 0.98))
    pd.testing.assert_series_equal(read(project)["temp"], expected)


def test_a_code_in_the_target_is_a_missing_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel()
    coded = np.random.default_rng(1).random(len(rows)) < 0.02
    file = write(rows.assign(units=rows["units"].mask(coded, -999)), tmp_path)
    project = make(file, tmp_path / "p")
    assert settings(tmp_path / "p")["columns"]["missing"] == {"units": [-999]}
    assert project.constraints["units"].min == 0
    assert project.evaluation.primary == "wmape"
    assert f"'-999' in {coded.sum()} row(s)" in capsys.readouterr().out
    expected = rows["units"].astype(float).mask(coded)
    pd.testing.assert_series_equal(read(project)["units"], expected)
