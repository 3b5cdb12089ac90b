"""Was retraining worth it: the version before goes on in shadow, on the same rows."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets.schemas import GAIN
from mlops_assets.pages.models_page import models_page
from mlops_assets.pages.shelf import Shelf
from mlops_tests.assets.lab import Lab, keys, make_rows

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"
DAY = "2026-03-04"


def observed(lab: Lab, month: str) -> list[dict[str, Any]]:
    """What was observed of linear in a month, oldest first."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(["models", "linear"]), asset_partitions=[month])
    records = lab.instance.fetch_observations(wanted, limit=10).records
    found = [record.asset_observation for record in reversed(records)]
    return [{name: value.value for name, value in o.metadata.items()} for o in found if o]


def drawn(lab: Lab) -> dict[str, Any]:
    """The figures of the page of models by name."""
    parts = models_page(Shelf(lab.storage, lambda: lab.project).look([])).parts
    return {part.name: part.draw(part.frame()) for part in parts if part.draw}


def test_the_version_before_is_scored_on_the_same_day(lab: Lab) -> None:
    assert lab.run("validation/linear", "2026-02-28", DAY).success
    before, now = lab.models.cards("linear")
    rows = lab.datasets.read("validation/linear", [DAY])
    features = lab.datasets.read("features", [DAY])
    shadow = lab.models.load(before).predict(features[before.inputs]).clip(0)
    assert rows["previous_forecast"].tolist() == shadow.tolist()
    assert set(rows["previous_version"]) == {before.version}
    actual, forecast = features["units"].to_numpy(), rows["forecast"].to_numpy()
    ours = abs(forecast - actual).sum() / actual.sum()
    theirs = abs(shadow - actual).sum() / actual.sum()
    said = lab.metadata("validation/linear", DAY)
    assert said["version"] == now.version
    assert said["previous_version"] == before.version
    assert said["wmape_of_previous"] == pytest.approx(theirs, rel=1e-5)
    assert said[GAIN] == pytest.approx(theirs - ours, abs=1e-5)
    first = lab.metadata("validation/linear", "2026-02-28")
    assert GAIN not in first, "the first version has none before it"


def test_a_model_says_what_its_version_gained_since_it_serves(lab: Lab) -> None:
    assert lab.run("validation/linear", "2026-02-25", "2026-03-02").success
    assert lab.run("validation/linear", "2026-03-03", DAY).success
    assert observed(lab, FEBRUARY) == []
    two, four = observed(lab, MARCH)
    assert (two["days_in_service"], four["days_in_service"]) == (2, 4)
    assert (two["through"], four["through"]) == ("2026-03-02", DAY)
    rows = lab.datasets.read("validation/linear", keys(MARCH, DAY))
    errors = {
        side: (rows[side] - rows["actual"]).abs().sum()
        for side in ("forecast", "previous_forecast")
    }
    gain = (errors["previous_forecast"] - errors["forecast"]) / rows["actual"].sum()
    assert four["gain_since_in_service"] == pytest.approx(gain, abs=1e-5)


def test_the_leaderboard_carries_the_gain_to_its_page(lab: Lab) -> None:
    both = "validation/linear validation/seasonal_naive leaderboard"
    assert lab.run(both, "2026-02-27", DAY).success
    board = lab.datasets.read("leaderboard", [DAY]).set_index("model")
    said = lab.metadata("validation/linear", DAY)
    assert board.loc["linear", GAIN] == pytest.approx(said[GAIN], rel=1e-4)
    assert board.loc["seasonal_naive", GAIN] == 0, "it learns nothing"
    shown = drawn(lab)["gains"]["data"]
    last = [line["y"][-1] for line in shown if line["name"] == "linear"]
    assert last[0] == pytest.approx(said[GAIN], rel=1e-4)


def test_lines_over_a_week_pool_its_rows(lab: Lab) -> None:
    """One day has nearly all of the demand, one has none: a mean of days says something else."""
    source = make_rows()
    for day, times in ((MARCH, 40.0), ("2026-03-02", 0.0)):
        source["units"] *= source["date"].eq(day).map({True: times, False: 1.0})
    lab.write(source)
    accept = {"ops": {"observations": {"config": {"accept": True}}}}
    assert lab.run("observations features", MARCH, "2026-03-02", accept).success
    both = "validation/linear validation/seasonal_naive leaderboard"
    assert lab.run(both, "2026-02-26", DAY).success
    rows = lab.datasets.read("validation/linear", keys("2026-02-26", DAY))
    pooled = (rows["forecast"] - rows["actual"]).abs().sum() / rows["actual"].sum()
    after = rows[rows["previous_forecast"].notna()]
    before, now = (
        (after[side] - after["actual"]).abs().sum() / after["actual"].sum()
        for side in ("previous_forecast", "forecast")
    )
    shown = drawn(lab)
    for name, expected in (("daily", pooled), ("gains", before - now)):
        traces = [one for one in shown[name]["data"] if one["name"] == "linear"]
        [line] = [one for one in traces if one["line"]["width"] == 3]
        assert line["y"][-1] == pytest.approx(expected, rel=1e-4), name


def test_a_damaged_version_before_costs_the_comparison_alone(lab: Lab) -> None:
    before, _ = lab.models.cards("linear")
    Path(lab.models.url(before)).write_bytes(b"damaged")
    assert lab.run("validation/linear", DAY).success
    said = lab.metadata("validation/linear", DAY)
    assert said["wmape_reconstructed"] > 0
    assert GAIN not in said
    assert observed(lab, MARCH) == []
