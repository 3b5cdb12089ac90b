"""A project whose targets are known two days after a day has ended, run through every asset.

A day is forecast three days after the newest one that is known. The first training set begins on
3 January, nine days after the first row, so the first month of service is March: its window ends
with 26 February, whose target is known on the first of March.
"""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from mlops_assets import load_champion
from mlops_assets.assets.champion import decide
from mlops_assets.assets.reporting import said
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.resources.stores.champions import live_record
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, make_rows, make_settings, reason
from mlops_tests.assets.test_champion import RULE, write_losses

DELAY = 2
FIRST, LAST = "2026-03-01", "2026-03-14"
NAIVE, LINEAR = "seasonal_naive", "linear"
BOTH = f"validation/{NAIVE} validation/{LINEAR}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Everything is evaluated through 14 March, which is known on 17 March."""
    made = Lab(tmp_path_factory.mktemp("delayed"))
    settings = make_settings() | {"champion": RULE | {"initial": NAIVE}}
    settings["features"] = {"lags": [3, 7], "rolling_means": [7], "calendar": ["day_of_week"]}
    settings["evaluation"] |= {"label_delay_days": DELAY}
    made.write(make_rows(), settings)
    with made.instance:
        assert made.run("observations features", str(FIRST_DAY), LAST).success
        assert made.run(f"training_set models/{NAIVE} models/{LINEAR}", FIRST).success
        assert made.run(f"{BOTH} leaderboard champion forecast drift", FIRST, LAST).success
        yield made


def units(day: dt.date | str) -> pd.Series:
    rows = make_rows()
    return rows[rows["date"] == str(day)].set_index("category")["units"]


def test_a_version_learned_only_from_what_was_known_on_its_first_day(lab: Lab) -> None:
    [card] = lab.models.cards(LINEAR)
    assert card.trained_from == dt.date(2026, 1, 27)
    assert card.trained_through == dt.date(2026, 2, 26)
    assert card.serves_from == dt.date(2026, 3, 1)
    assert lab.models.in_service(LINEAR, dt.date(2026, 3, 1)) == card
    assert lab.models.in_service(LINEAR, dt.date(2026, 2, 28)) is None
    trained = lab.datasets.read("training_set", [FIRST])
    assert trained["date"].max() == pd.Timestamp(card.trained_through)


def test_features_and_forecasts_are_those_of_what_was_known_three_days_before(lab: Lab) -> None:
    project, rows = lab.project, make_rows()
    [card] = lab.models.cards(LINEAR)
    pipeline = lab.models.load(card)
    for key in keys(FIRST, LAST):
        day = dt.date.fromisoformat(key)
        newest = pd.Timestamp(day - dt.timedelta(days=1 + DELAY))
        known = rows[rows["date"] <= newest]
        of_day = rows[rows["date"] == key].reset_index(drop=True)
        blind = of_day.assign(units=np.nan)
        made = make_features(project.feature_plan, known, day, day + dt.timedelta(days=1), blind)
        stored = lab.datasets.read("features", [key])
        pd.testing.assert_frame_equal(
            stored.drop(columns="units"), made.drop(columns="units"), check_dtype=False
        )
        # and by hand, from the rows themselves
        week = known[known["date"] > newest - pd.Timedelta(days=7)]
        means = week.groupby("category")["units"].mean()
        by_category = stored.set_index("category")
        assert by_category["units_mean_7"].to_dict() == pytest.approx(means.to_dict())
        assert by_category["units_lag_3"].to_dict() == units(newest.date()).to_dict()
        scored = lab.datasets.read(f"validation/{LINEAR}", [key]).set_index("category")
        expected = np.maximum(pipeline.predict(made[card.inputs]), 0)
        np.testing.assert_allclose(scored.loc[made["category"], "forecast"], expected)
        week_ago = units(day - dt.timedelta(days=7)).to_dict()
        naive = lab.datasets.read(f"validation/{NAIVE}", [key]).set_index("category")
        assert naive["forecast"].to_dict() == week_ago


def test_a_metric_by_hand(lab: Lab) -> None:
    for key in (FIRST, LAST):
        actual = units(key)
        week_ago = units(dt.date.fromisoformat(key) - dt.timedelta(days=7))
        wmape = (actual - week_ago).abs().sum() / actual.sum()
        assert lab.metadata(f"validation/{NAIVE}", key)["wmape_reconstructed"] == (
            pytest.approx(wmape, abs=1e-6)
        )


def test_a_partition_issues_the_day_that_is_tomorrow_when_it_is_known(lab: Lab) -> None:
    issued = lab.datasets.read("forecast", [LAST])
    assert set(issued["date"]) == {pd.Timestamp(2026, 3, 17)}
    metadata = lab.metadata("forecast", LAST)
    assert metadata["forecast_for"] == "2026-03-17"
    if metadata["model"] == NAIVE:
        assert issued.set_index("category")["forecast"].to_dict() == units("2026-03-10").to_dict()
    # of what was issued for 4 to 14 March, from 1 to 11 March on, is known how well it did
    assert "interval_coverage" in lab.metadata("forecast", "2026-03-14")
    for key in keys(FIRST, "2026-03-11"):
        later = str(dt.date.fromisoformat(key) + dt.timedelta(days=3))
        early = lab.datasets.read("forecast", [key])
        model = str(early["model"].iloc[0])
        scored = lab.datasets.read(f"validation/{model}", [later])
        both = early.merge(scored, on=["department", "category"], suffixes=("", "_scored"))
        np.testing.assert_allclose(both["forecast"], both["forecast_scored"])
        assert len(both) == 3


def test_a_day_whose_target_is_not_known_is_refused_and_those_before_are_made(lab: Lab) -> None:
    newest = make_partitions(lab.project, lab.storage).newest_day()
    assert newest == lab.project.today() - dt.timedelta(days=3)
    early = newest + dt.timedelta(days=1)
    rows = make_rows()
    rows["date"] += pd.Timestamp(early) - rows["date"].max()
    lab.write(rows=rows)
    try:
        result = lab.run("observations", str(newest), str(early))
        known_from = early + dt.timedelta(days=3)
        assert f"the target of {early} is known from {known_from} on" in reason(result)
        assert str(newest) in lab.done("observations")
        assert str(early) not in lab.done("observations")
        assert f"the target of {early} is" in reason(lab.run("observations", str(early)))
    finally:
        lab.write(rows=make_rows())


def test_the_champion_is_decided_for_the_day_that_is_tomorrow_when_a_day_is_known(
    lab: Lab,
) -> None:
    """Seven days are enough: decided at 7 March, live from 10 March on."""
    made = Lab(lab.folder)
    made.datasets.delete("champion")
    days = keys(FIRST, LAST)
    write_losses(made, days, {NAIVE: 0.5, LINEAR: 0.3})
    partitions = make_partitions(made.project, made.storage)
    outcomes = decide(made.project, partitions, days, made.datasets, made.models)
    assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
    frame = made.datasets.read("champion", days)
    by_day = frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")).set_index("date")
    for day in days:
        live, decided = by_day.loc[day, "champion"], by_day.loc[day, "next_champion"]
        assert live == (NAIVE if day < "2026-03-10" else LINEAR), day
        assert decided == (NAIVE if day < "2026-03-07" else LINEAR), day
        assert by_day.loc[day, "since"] == (FIRST if live == NAIVE else "2026-03-10"), day
        says = said(outcomes[day])
        assert isinstance(says, dict)
        assert (says["from_tomorrow"] != f"{decided} stays") == (day == "2026-03-07"), day
        assert says["tomorrow"] == str(dt.date.fromisoformat(day) + dt.timedelta(days=3))
    # whoever asks from outside hears the same
    record = live_record(made.datasets, dt.date(2026, 3, 9))
    assert record is not None
    assert record.next_champion == NAIVE
    for day, model in [(9, NAIVE), (10, LINEAR), (17, LINEAR)]:
        assert load_champion(made.storage.root, dt.date(2026, 3, day))[1].model == model
    assert load_champion(made.storage.root)[1].model == LINEAR
