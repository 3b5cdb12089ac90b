"""A column says how much a row counts: from the training to the leaderboard."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.project import ProjectError, load_project
from mlops_tests.assets.lab import Lab, make_rows, make_settings, reason

FIRST, LAST, MARCH = "2026-03-01", "2026-03-05", "2026-03-01"
DAILY = "observations features validation/seasonal_naive validation/linear leaderboard"
MODELS = "models/seasonal_naive models/linear"


def weighted_rows() -> pd.DataFrame:
    rows = make_rows()
    return rows.assign(shops=np.random.default_rng(1).integers(0, 6, len(rows)).astype(float))


def weigh(lab: Lab, rows: pd.DataFrame) -> None:
    settings = make_settings()
    settings["columns"]["weight"] = "shops"
    lab.write(rows, settings)


def evaluate(lab: Lab) -> None:
    assert lab.run("observations features", "2026-01-01", "2026-03-05").success
    assert lab.run(f"training_set {MODELS}", MARCH).success
    assert lab.run(DAILY, FIRST, LAST).success


def test_rows_count_in_training_and_in_all_metrics(lab: Lab) -> None:
    rows = weighted_rows()
    weigh(lab, rows)
    evaluate(lab)
    card = lab.models.cards("linear")[-1]
    assert card.weights == "by shops"
    assert "shops" not in card.inputs
    stored = lab.datasets.read("validation/linear", [LAST])
    told = rows[rows["date"] == LAST].set_index("category")["shops"]
    assert stored.set_index("category")["row_weight"].to_dict() == told.to_dict()
    off = (stored["forecast"] - stored["actual"]).abs() * stored["row_weight"]
    expected = off.sum() / (stored["actual"] * stored["row_weight"]).sum()
    assert lab.metadata("validation/linear", LAST)["WMAPE_reconstructed"] == pytest.approx(expected)
    board = lab.datasets.read("leaderboard", [LAST]).set_index("model")
    days = pd.concat(
        [lab.datasets.read("validation/linear", [f"2026-03-0{day}"]) for day in range(1, 6)]
    )
    off = ((days["forecast"] - days["actual"]).abs() * days["row_weight"]).sum()
    pooled = off / (days["actual"] * days["row_weight"]).sum()
    assert board.loc["linear", "wmape_7d"] == pytest.approx(pooled)
    # the holdout as well, by the twin that judged it
    held = lab.models.held_out(card)
    assert held is not None
    off = ((held["forecast"] - held["actual"]).abs() * held["row_weight"]).sum()
    assert card.holdout["wmape"] == pytest.approx(off / (held["actual"] * held["row_weight"]).sum())


def test_weights_of_one_are_as_without(lab: Lab) -> None:
    without = lab.models.cards("linear")[-1]
    assert lab.run("validation/linear validation/seasonal_naive leaderboard", FIRST, LAST).success
    plain = lab.datasets.read("validation/linear", [FIRST, LAST])
    board = lab.datasets.read("leaderboard", [LAST])
    weigh(lab, make_rows().assign(shops=1.0))
    evaluate(lab)
    found = lab.datasets.read("validation/linear", [FIRST, LAST])
    same = ["actual", "forecast", "previous_forecast"]
    pd.testing.assert_frame_equal(found[same[:2]], plain[same[:2]], check_exact=True)
    card = lab.models.cards("linear")[-1]
    assert (card.holdout, card.importance) == (without.holdout, without.importance)
    metrics = [name for name in board if name.startswith(("mae", "wmape", "rmse", "bias"))]
    again = lab.datasets.read("leaderboard", [LAST])
    pd.testing.assert_frame_equal(again[metrics], board[metrics], check_exact=True)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-2.0, r"bread \(-2\.0\)"),
        (None, r"bread \(nan\)"),
        ("many", "'many', which is no number"),
    ],
)
def test_a_weight_that_is_none_is_refused(lab: Lab, value: object, told: str) -> None:
    rows = weighted_rows()
    first = (rows["date"] == FIRST) & (rows["category"] == "bread")
    if isinstance(value, str):
        rows["shops"] = rows["shops"].astype(str)
    rows.loc[first, "shops"] = value
    weigh(lab, rows)
    why = reason(lab.run("observations", FIRST))
    assert pd.Series([why]).str.contains(told).all(), why
    assert "shops" in why


def test_rows_of_before_without_a_weight_are_not_learned_from(lab: Lab) -> None:
    weigh(lab, weighted_rows())
    assert lab.run("training_set", MARCH).success
    why = reason(lab.run("models/linear", MARCH))
    assert "rows, such as one of 2026-02-01, have no shops" in why
    assert "materialize observations and features of their days again" in why


@pytest.mark.parametrize("name", ["date", "units", "category"])
def test_the_weight_is_a_column_of_its_own(lab: Lab, name: str) -> None:
    settings = make_settings()
    settings["columns"]["weight"] = name
    lab.write(settings=settings)
    with pytest.raises(ProjectError, match=f"weight '{name}' has another role already"):
        load_project(lab.folder / "project.yaml")
