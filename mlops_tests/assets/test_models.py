"""Trainings: what a version records, and what a run config may say."""

import datetime as dt
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets import models
from mlops_tests.assets.lab import Lab, keys, make_rows, make_settings, reason

MARCH = "2026-03-01"


def config(**hyperparameters: Any) -> dict[str, Any]:
    return {"ops": {"models__linear": {"config": {"hyperparameters": hyperparameters}}}}


def test_a_card_and_its_metadata_by_hand(lab: Lab) -> None:
    assert lab.run("training_set models/linear", MARCH, config=config(alpha=2.5)).success
    *_, card = lab.models.cards("linear")
    assert card.hyperparameters == {"alpha": 2.5}
    assert (card.trained_from, card.trained_through) == (dt.date(2026, 2, 1), dt.date(2026, 2, 28))
    assert (card.days, card.rows) == (28, 84)
    assert card.holdout_from == dt.date(2026, 2, 22)
    assert card.holdout_rows == 7 * 3
    metadata = lab.metadata("models/linear", MARCH)
    assert metadata["hyperparameters"] == {"alpha": 2.5}
    assert metadata["version"] == card.version
    assert metadata["trained_through"] == "2026-02-28"
    assert metadata["sha256"] == card.sha256
    assert metadata["holdout_mae"] == pytest.approx(card.holdout["mae"], rel=1e-5)
    assert set(card.holdout) == {"mae", "wmape", "rmse", "tweedie_deviance", "bias"}
    training_set = lab.metadata("training_set", MARCH)
    assert metadata["training_set_sha256"] == training_set["sha256"]


def test_the_same_training_set_gives_the_same_bytes(lab: Lab) -> None:
    [before] = [card for card in lab.models.cards("linear") if card.month == MARCH]
    assert lab.run("models/linear", MARCH).success
    *_, after = lab.models.cards("linear")
    assert after.version != before.version
    assert after.training_set_sha256 == before.training_set_sha256
    assert after.holdout == before.holdout
    inputs = lab.datasets.read("features", keys(MARCH, "2026-03-31"))[after.inputs]
    forecasts = [lab.models.load(card).predict(inputs).tobytes() for card in (before, after)]
    assert forecasts[0] == forecasts[1]


def test_what_another_run_trains_meanwhile_is_taken(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(lab.models.cards("linear"))
    learn_from, others = models.learn_from, [{}, config(alpha=5.0)]

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(models, "learn_from", learn_from)
        assert lab.run("models/linear", MARCH, config=others.pop()).success
        return learn_from(*arguments)

    monkeypatch.setattr(models, "learn_from", overtaken)
    assert lab.run("models/linear", MARCH).success
    cards = lab.models.cards("linear")[before:]
    assert [card.hyperparameters for card in cards] == [{"alpha": 5.0}, {"alpha": 1.0}]
    assert lab.metadata("models/linear", MARCH)["version"] == cards[-1].version
    monkeypatch.setattr(models, "learn_from", overtaken)
    assert lab.run("models/linear", MARCH).success
    assert len(lab.models.cards("linear")) == before + 3, "one for both"
    assert lab.run("models/linear", MARCH).success
    assert len(lab.models.cards("linear")) == before + 4, "asked for again, it is trained again"


def test_what_a_killed_run_has_stored_and_not_told_is_told(lab: Lab) -> None:
    assert lab.run("models/linear", MARCH).success
    *_, card = lab.models.cards("linear")
    lab.instance.wipe_assets([dg.AssetKey(["models", "linear"])])
    assert lab.run("models/linear", MARCH).success
    assert lab.models.cards("linear")[-1] == card
    assert lab.metadata("models/linear", MARCH)["version"] == card.version


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1e7}])
def test_hyperparameters_out_of_bounds(lab: Lab, wrong: dict[str, Any]) -> None:
    before = lab.models.cards("linear")
    why = reason(lab.run("models/linear", MARCH, config=config(**wrong)))
    assert "Nothing was trained: hyperparameters of ridge: alpha = " in why
    assert lab.models.cards("linear") == before
    assert lab.done("models/linear") == set()


def test_a_month_without_a_training_set(lab: Lab) -> None:
    lab.file("training_set", "2026-02-01").unlink()
    why = reason(lab.run("models/linear", "2026-02-01", MARCH))
    assert "2026-02-01: the training set of 2026-02-01 is missing; materialize training_set" in why
    assert lab.done("models/linear") == {MARCH}


def test_a_training_set_of_before_a_new_feature_lacks_its_values(lab: Lab) -> None:
    """`mlops-assets check` tells to make the features again; until then, they have gaps."""
    settings = make_settings()
    settings["features"]["lags"] = [1, 3, 7]
    lab.write(settings=settings)
    assert lab.run("training_set models/linear", MARCH).success
    rows = type(lab.datasets)(lab.storage).read("training_set", [MARCH])
    assert rows["units_lag_3"].isna().all()
    assert rows["units_lag_7"].notna().all()


def test_a_late_training_learns_from_nothing_at_or_after_its_month(lab: Lab) -> None:
    """Rows from March on may be anything: what February and March learned from stays the same."""
    changed = make_rows()
    future = changed["date"] >= MARCH
    changed.loc[future, "units"] = changed.loc[future, "units"] * 50 + 1000
    changed.loc[future, "unit_price"] = 99.0
    lab.write(changed)
    assert lab.run("observations features", MARCH, "2026-03-31").success
    assert lab.run("training_set models/linear", "2026-02-01", MARCH).success
    february, again_february, march, again_march = lab.models.cards("linear")
    assert again_february.training_set_sha256 == february.training_set_sha256
    assert again_march.training_set_sha256 == march.training_set_sha256
    assert again_march.holdout == march.holdout
