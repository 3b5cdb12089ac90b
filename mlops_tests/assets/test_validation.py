"""Scores and leaderboards: out of sample, on the same rows, and one bad day costs itself."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets.leaderboard import _sparkline
from mlops_assets.ml.metrics.metric import METRICS
from mlops_tests.assets.lab import Lab, keys, made_on, make_rows, make_settings, reason

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"
BOTH = "validation/seasonal_naive validation/linear"


def test_the_metadata_of_a_day_by_hand(lab: Lab) -> None:
    assert lab.run(BOTH, MARCH, "2026-03-10").success
    rows = make_rows().set_index(["category", "date"])["units"]
    actual = rows.loc[:, "2026-03-10"]
    week_ago = rows.loc[:, "2026-03-03"]
    error = (week_ago - actual).abs()
    naive = lab.metadata("validation/seasonal_naive", "2026-03-10")
    assert naive["mae_reconstructed"] == pytest.approx(error.mean(), rel=1e-5)
    assert naive["wmape_reconstructed"] == pytest.approx(error.sum() / actual.sum(), rel=1e-5)
    assert naive["bias_reconstructed"] == pytest.approx((week_ago - actual).mean(), rel=1e-5)
    assert naive["rows"] == 3
    assert not [name for name in naive if "_vs_baseline" in name]
    linear = lab.metadata("validation/linear", "2026-03-10")
    [card] = [card for card in lab.models.cards("linear") if card.month == MARCH]
    assert linear["version"] == card.version
    assert linear["trained_through"] == "2026-02-28"
    for metric in ("mae", "wmape", "rmse", "tweedie_deviance", "bias"):
        name = f"{metric}_reconstructed"
        assert linear[f"{metric}_vs_baseline_reconstructed"] == pytest.approx(
            linear[name] - naive[name], abs=1e-4
        )
    assert linear["slices"].splitlines()[2].startswith("|bakery|2|")


def test_no_forecast_of_a_day_depends_on_that_day_or_later(lab: Lab) -> None:
    """Whatever the actuals from 10 March on, the forecasts of 10 March are the same."""
    assert lab.run(BOTH, MARCH, "2026-03-10").success
    before = lab.datasets.read("validation/linear", keys(MARCH, "2026-03-10"))
    changed = make_rows()
    future = changed["date"] >= "2026-03-10"
    changed.loc[future, "units"] = 7000.0
    lab.write(changed)
    assert lab.run("observations features", "2026-03-09", "2026-03-31").success
    with made_on(MARCH):  # a version of before the days
        assert lab.run("training_set models/linear", MARCH).success
    assert lab.run(BOTH, MARCH, "2026-03-11").success
    lab.datasets = type(lab.datasets)(lab.storage)
    after = lab.datasets.read("validation/linear", keys(MARCH, "2026-03-10"))
    assert (before["version"] != after["version"]).all()
    assert before["forecast"].tolist() == after["forecast"].tolist()
    assert after.loc[after["date"] == "2026-03-10", "actual"].tolist() == [7000.0] * 3
    # the day after does see it, through its lag of one day
    next_day = lab.datasets.read("validation/linear", ["2026-03-11"])
    assert next_day["forecast"].min() > 100


def test_warm_up_days_are_done_without_scores(lab: Lab) -> None:
    assert lab.run(BOTH, "2026-01-30", "2026-02-02").success
    assert lab.done("validation/linear") == set(keys("2026-01-30", "2026-02-02"))
    assert lab.datasets.keys("validation/linear") == [FEBRUARY, "2026-02-02"]
    metadata = lab.metadata("validation/linear", "2026-01-31")
    assert "no version is in service before 2026-02-01" in metadata["status"]
    assert "mae" not in metadata
    assert lab.run("leaderboard", "2026-01-30", "2026-02-02").success
    assert lab.datasets.keys("leaderboard") == [FEBRUARY, "2026-02-02"]


def test_without_a_version_of_its_own_a_month_is_served_by_the_one_before(lab: Lab) -> None:
    february, march = lab.models.cards("linear")
    lab.storage.delete(f"models/linear/{march.version}")
    assert lab.run("validation/linear", "2026-02-27", "2026-03-02").success
    stored = lab.datasets.read("validation/linear", keys("2026-02-27", "2026-03-02"))
    assert set(stored["version"]) == {february.version}
    lab.storage.delete(f"models/linear/{february.version}")
    why = reason(lab.run("validation/linear", "2026-03-03"))
    assert "no version of linear is stored yet; materialize models/linear for 2026-03-01" in why


def test_a_damaged_model_fails_the_days_of_its_month_alone(lab: Lab) -> None:
    Path(lab.models.url(lab.models.cards("linear")[0])).write_bytes(b"damaged")
    why = reason(lab.run("validation/linear", "2026-02-25", "2026-03-03"))
    assert why.splitlines()[0].startswith("validation/linear: 4 of 7 partition(s) failed")
    assert f"--select models/linear --partition {FEBRUARY}" in why
    assert lab.done("validation/linear") == set(keys(MARCH, "2026-03-03"))


@pytest.mark.parametrize("what", ["damaged", "deleted", "its folder"])
def test_a_damaged_card_costs_its_days_alone_until_another_stands_in(lab: Lab, what: str) -> None:
    february, _ = lab.models.cards("seasonal_naive")
    card = Path(lab.models.url(february)).with_name("card.json")
    if what == "damaged":
        card.write_text("{")
    elif what == "deleted":
        card.unlink()
    else:
        shutil.rmtree(card.parent)
    why = reason(lab.run("validation/seasonal_naive", "2026-02-26", "2026-03-02"))
    assert why.splitlines()[0].startswith("validation/seasonal_naive: 3 of 5 partition(s) failed")
    named = "is not as it was written" if what == "damaged" else "was written and is missing"
    assert f"{february.version}/card.json {named}" in why
    assert f"--select models/seasonal_naive --partition {FEBRUARY}" in why
    assert lab.done("validation/seasonal_naive") == set(keys(MARCH, "2026-03-02"))
    assert lab.run("validation/linear", "2026-02-27", MARCH).success
    metadata = lab.metadata("validation/linear", "2026-02-27")
    assert metadata["mae_reconstructed"] > 0
    assert "mae_vs_baseline_reconstructed" not in metadata
    assert "mae_vs_baseline_reconstructed" in lab.metadata("validation/linear", MARCH)

    assert lab.run("models/seasonal_naive", FEBRUARY).success
    assert lab.run("validation/seasonal_naive", "2026-02-26", "2026-02-28").success
    again = lab.metadata("validation/seasonal_naive", "2026-02-28")["version"]
    assert again.startswith(FEBRUARY)
    assert again != february.version
    [decision] = lab.models.decisions.all()
    assert decision.version == february.version
    assert f"{again} stands in for it" in decision.reason


def test_damaged_features_fail_their_day_alone(lab: Lab) -> None:
    lab.file("features", "2026-03-05").write_bytes(b"damaged")
    why = reason(lab.run("validation/linear", MARCH, "2026-03-10"))
    assert "--select features --partition 2026-03-05" in why
    assert lab.done("validation/linear") == set(keys(MARCH, "2026-03-10")) - {"2026-03-05"}


def test_damaged_forecasts_fail_their_leaderboard_alone(lab: Lab) -> None:
    assert lab.run(BOTH, MARCH, "2026-03-10").success
    lab.file("validation/linear", "2026-03-05").write_bytes(b"damaged")
    why = reason(lab.run("leaderboard", MARCH, "2026-03-10"))
    assert "--select validation/linear --partition 2026-03-05" in why
    assert lab.done("leaderboard") == set(keys(MARCH, "2026-03-10")) - {"2026-03-05"}


def test_missing_features_fail_their_day_alone(lab: Lab) -> None:
    lab.file("features", "2026-03-05").unlink()
    why = reason(lab.run("validation/linear", MARCH, "2026-03-10"))
    assert "2026-03-05: features of 2026-03-05 are missing; materialize features" in why
    assert lab.done("validation/linear") == set(keys(MARCH, "2026-03-10")) - {"2026-03-05"}


def test_a_version_that_reads_a_column_that_is_gone_is_named(lab: Lab) -> None:
    settings = make_settings()
    settings["features"]["lags"] = [7]
    lab.write(settings=settings)
    assert lab.run("features", MARCH, "2026-03-03").success
    why = reason(lab.run("validation/linear", MARCH, "2026-03-03"))
    assert "units_lag_1" in why
    assert "train" in why


def test_the_leaderboard_by_hand(lab: Lab) -> None:
    """The worse day of one model is left out of both when the other did not forecast it."""
    assert lab.run(BOTH, MARCH, "2026-03-03").success
    stored = lab.datasets.read("validation/linear", ["2026-03-03"])
    # on the last day, linear lacks one row: only the other two count, for both
    lab.datasets.write("validation/linear", "2026-03-03", stored.iloc[:2])
    assert lab.run("leaderboard", MARCH, "2026-03-03").success
    both = {
        name: lab.datasets.read(f"validation/{name}", keys(MARCH, "2026-03-03"))
        for name in ("seasonal_naive", "linear")
    }
    expected = {}
    for name, rows in both.items():
        common = rows[~((rows["date"] == "2026-03-03") & (rows["row"] == 2))]
        assert len(common) == 8
        error = (common["forecast"] - common["actual"]).abs()
        expected[name] = error.sum() / common["actual"].sum()
    board = lab.datasets.read("leaderboard", ["2026-03-03"]).set_index("model")
    for name, value in expected.items():
        assert board.loc[name, "wmape_28d"] == pytest.approx(value)
        assert board.loc[name, "days_28d"] == 3
        assert board.loc[name, "rows"] == 2
    best = min(expected, key=lambda name: expected[name])
    metadata = lab.metadata("leaderboard", "2026-03-03")
    assert board.loc[best, "rank"] == 1
    assert metadata["best"] == best
    assert metadata["linear_wmape_28d"] == pytest.approx(expected["linear"], rel=1e-5)
    assert metadata["seasonal_naive_wmape_28d"] == pytest.approx(
        expected["seasonal_naive"], rel=1e-5
    )


def test_a_model_that_lacks_days_ranks_after_one_that_has_them(lab: Lab) -> None:
    assert lab.run(BOTH, MARCH, "2026-03-03").success
    perfect = lab.datasets.read("validation/linear", ["2026-03-03"])
    lab.datasets.write(
        "validation/linear", "2026-03-03", perfect.assign(forecast=perfect["actual"])
    )
    lab.file("validation/linear", "2026-03-01").unlink()
    lab.file("validation/linear", "2026-03-02").unlink()
    assert lab.run("leaderboard", "2026-03-03").success
    board = lab.datasets.read("leaderboard", ["2026-03-03"])
    assert board["model"].tolist() == ["seasonal_naive", "linear"]
    assert board["days_28d"].tolist() == [3, 1]


def test_a_leaderboard_without_any_score(lab: Lab) -> None:
    why = reason(lab.run("leaderboard", MARCH))
    assert "no model has been evaluated on 2026-03-01; materialize validation" in why


def test_forecasts_that_are_not_finite_cost_their_day_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_assets.assets import forecasting

    honest = forecasting.forecast

    def broken(pipeline: object, inputs: pd.DataFrame, **how: Any) -> object:
        values = honest(pipeline, inputs, **how)  # type: ignore[arg-type]
        values[4] = np.inf  # a row of the second day
        return values

    monkeypatch.setattr(forecasting, "forecast", broken)
    why = reason(lab.run("validation/linear", MARCH, "2026-03-04"))
    assert "2026-03-02: " in why
    assert "forecasts values that are not finite; retrain it" in why
    assert lab.done("validation/linear") == {MARCH, "2026-03-03", "2026-03-04"}


def test_the_sparkline_pairs_days_up_to_the_newest_and_is_not_flattened() -> None:
    # pairs from the newest back: (1 5), (8 8), (1 1), 1 alone: 1, 1, 8 and 3 on a scale of 1 to 8
    assert _sparkline(pd.Series([1.0, 1.0, 1.0, 8.0, 8.0, 1.0, 5.0]), METRICS["mae"]()) == "▁▁█▃"
    # 99 is clipped to the ninth decile, 2
    spiked = _sparkline(pd.Series([1.0] * 9 + [2.0] * 9 + [99.0, 1.0]), METRICS["mae"]())
    assert len(spiked) == 10
    assert spiked[0] == "▁"
    assert spiked[6] == "█", "the level of two is in sight beside the peak"
