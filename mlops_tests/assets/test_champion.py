"""The champion: by the scores, unless somebody pinned one; every day follows on the day before.

Most tests write the forecasts of the models themselves, with a loss that is the same each day:
then the interval of a gain is that gain, and who takes over when can be said by hand.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets import load_champion
from mlops_assets.assets.champion import decide
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_assets.resources.stores.decisions import Action
from mlops_tests.assets.lab import Lab, keys, made_on, make_settings, reason

FEBRUARY = "2026-02-01"
RULE = {"window_days": 14, "min_days": 7, "min_gain": 0.02, "confidence": 0.9, "block_days": 1}
NAIVE, LINEAR, OTHER = "seasonal_naive", "linear", "other"
BY_SETTINGS = "the first champion, by the settings"

Losses = float | Callable[[dt.date], float]


def write_losses(lab: Lab, days: Sequence[str], losses: Mapping[str, Losses]) -> None:
    """Forecasts of each model that are off by a share of the actual."""
    for model, loss in losses.items():
        for key in days:
            share = loss if isinstance(loss, float) else loss(dt.date.fromisoformat(key))
            frame = pd.DataFrame(
                {
                    "date": [pd.Timestamp(key)],
                    "row": [0],
                    "actual": [10.0],
                    "forecast": [10 + 10 * share],
                }
            )
            lab.datasets.write(f"validation/{model}", key, frame)


def configure(lab: Lab, models: Sequence[str] = (NAIVE, LINEAR), **rule: Any) -> None:
    settings = make_settings() | {"champion": RULE | rule}
    families = {NAIVE: "seasonal_naive"}
    settings["models"] = [{"name": n, "family": families.get(n, "ridge")} for n in models]
    lab.write(settings=settings)


def asked(**values: Any) -> dict[str, Any]:
    return {"ops": {"champion": {"config": values}}}


def records(lab: Lab, first: str, last: str) -> pd.DataFrame:
    """What is stored, one row per day."""
    lab.datasets = type(lab.datasets)(lab.storage)
    frame = lab.datasets.read("champion", keys(first, last))
    return frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")).set_index("date")


def lives(lab: Lab, first: str, last: str) -> dict[str, str]:
    return records(lab, first, last)["champion"].to_dict()


def retire(lab: Lab, model: str) -> None:
    """Retire all versions of a model, before the days that are decided."""
    with made_on(FEBRUARY):
        for card in lab.models.cards(model):
            lab.models.decisions.record(Action.RETIRE, model, version=card.version)


def test_the_first_champion_is_the_baseline(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, [FEBRUARY], {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", FEBRUARY).success
    record = records(lab, FEBRUARY, FEBRUARY).loc[FEBRUARY]
    february, _ = lab.models.cards(NAIVE)
    assert record.to_dict() == {
        "champion": NAIVE,
        "since": FEBRUARY,
        "why": BY_SETTINGS,
        "next_champion": NAIVE,
        "next_version": february.version,
        "next_since": FEBRUARY,
        "next_why": BY_SETTINGS,
    }
    metadata = lab.metadata("champion", FEBRUARY)
    assert metadata["from_tomorrow"] == "seasonal_naive stays"
    assert "1 common days, fewer than 7" in metadata["evidence"]


def test_the_first_champion_is_the_one_of_the_settings(lab: Lab) -> None:
    configure(lab, initial=LINEAR)
    write_losses(lab, [FEBRUARY], {NAIVE: 0.3, LINEAR: 0.5})
    assert lab.run("champion", FEBRUARY).success
    assert lives(lab, FEBRUARY, FEBRUARY) == {FEBRUARY: LINEAR}


def test_a_better_challenger_takes_over_once_there_are_days_enough(lab: Lab) -> None:
    """On 7 February there are seven common days, so that it is champion from the 8th on."""
    configure(lab)
    days = keys(FEBRUARY, "2026-02-12")
    write_losses(lab, days, {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", FEBRUARY, "2026-02-12").success
    table = records(lab, FEBRUARY, "2026-02-12")
    before, after = keys(FEBRUARY, "2026-02-07"), keys("2026-02-08", "2026-02-12")
    # (0.5 - 0.3) / 0.5
    better = "wmape lower than that of seasonal_naive by 40.0% over 7 days, surely better by at "
    better += "least 40.0%"
    for day in days:
        old, last = day in before, day == "2026-02-07"
        assert table.loc[day, "champion"] == (NAIVE if old else LINEAR), day
        assert table.loc[day, "since"] == (FEBRUARY if old else "2026-02-08"), day
        assert table.loc[day, "why"] == (BY_SETTINGS if old else better), day
        stays = old and not last
        assert table.loc[day, "next_champion"] == (NAIVE if stays else LINEAR), day
        assert table.loc[day, "next_since"] == (FEBRUARY if stays else "2026-02-08"), day
        assert table.loc[day, "next_why"] == (BY_SETTINGS if stays else better), day
    assert list(table.index) == [*before, *after]
    metadata = lab.metadata("champion", "2026-02-07")
    assert metadata["from_tomorrow"] == f"linear takes over: {better}"
    assert metadata["linear_gain"] == pytest.approx(0.4)
    assert metadata["version_from_tomorrow"] == lab.models.cards(LINEAR)[0].version
    *_, row = metadata["evidence"].splitlines()
    cells = {"linear", "7", "40.0%", "40.0% to 40.0%", "surely better by at least 40.0%"}
    assert set(row.strip("|").split("|")) == cells


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (0.5, "no sure difference"),
        (0.495, "surely better, but not surely by 2.0%"),
        (0.6, "worse"),
    ],
)
def test_who_is_not_surely_better_does_not_take_over(lab: Lab, loss: float, why: str) -> None:
    configure(lab)
    days = keys(FEBRUARY, "2026-02-10")
    write_losses(lab, days, {NAIVE: 0.5, LINEAR: loss})
    assert lab.run("champion", FEBRUARY, "2026-02-10").success
    assert set(lives(lab, FEBRUARY, "2026-02-10").values()) == {NAIVE}
    assert lab.metadata("champion", "2026-02-10")["from_tomorrow"] == "seasonal_naive stays"
    assert why in lab.metadata("champion", "2026-02-10")["evidence"]


def test_of_two_better_challengers_the_surer_one_takes_over(lab: Lab) -> None:
    configure(lab, [NAIVE, LINEAR, OTHER])
    assert lab.run("models/other", FEBRUARY).success
    days = keys(FEBRUARY, "2026-02-08")
    write_losses(lab, days, {NAIVE: 0.5, LINEAR: 0.4, OTHER: 0.3})
    assert lab.run("champion", FEBRUARY, "2026-02-08").success
    assert lives(lab, "2026-02-08", "2026-02-08") == {"2026-02-08": OTHER}


def test_a_challenger_without_a_version_for_tomorrow_does_not_take_over(lab: Lab) -> None:
    configure(lab)
    retire(lab, LINEAR)
    write_losses(lab, keys(FEBRUARY, "2026-02-10"), {NAIVE: 0.5, LINEAR: 0.1})
    assert lab.run("champion", FEBRUARY, "2026-02-10").success
    assert set(lives(lab, FEBRUARY, "2026-02-10").values()) == {NAIVE}


def test_a_pin_holds_from_the_next_day_through_its_last_and_then_the_scores_decide(
    lab: Lab,
) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-20"), {NAIVE: 0.3, LINEAR: 0.5})
    assert lab.run("champion", FEBRUARY, "2026-02-09").success
    pin = asked(pin=LINEAR, until="2026-02-13", reason="a trial", by="ada")
    assert lab.run("champion", "2026-02-10", config=pin).success
    assert lab.run("champion", "2026-02-11", "2026-02-15").success
    assert lives(lab, "2026-02-09", "2026-02-15") == {
        **dict.fromkeys(keys("2026-02-09", "2026-02-10"), NAIVE),
        **dict.fromkeys(keys("2026-02-11", "2026-02-13"), LINEAR),
        **dict.fromkeys(keys("2026-02-14", "2026-02-15"), NAIVE),
    }
    table = records(lab, "2026-02-10", "2026-02-15")
    assert table.loc["2026-02-12", "why"] == "pinned by ada until 2026-02-13: a trial"
    assert table.loc["2026-02-12", "since"] == "2026-02-11"
    assert table.loc["2026-02-14", "since"] == "2026-02-14"
    # (0.5 - 0.3) / 0.5
    assert table.loc["2026-02-14", "why"].startswith("wmape lower than that of linear by 40.0%")
    [decision] = lab.models.decisions.all()
    assert (decision.action, decision.model, decision.by) == (Action.PIN, LINEAR, "ada")
    assert decision.after == {"first": "2026-02-11", "until": "2026-02-13"}
    assert decision.run_id


def test_a_pin_without_a_last_day_holds_until_it_is_taken_back(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-20"), {NAIVE: 0.3, LINEAR: 0.5})
    assert lab.run("champion", FEBRUARY, config=asked(pin=LINEAR, reason="why not")).success
    assert lab.run("champion", "2026-02-02", "2026-02-15").success
    assert set(lives(lab, "2026-02-02", "2026-02-15").values()) == {LINEAR}
    assert lab.run("champion", "2026-02-16", config=asked(unpin=True, by="ada")).success
    assert lab.run("champion", "2026-02-17", "2026-02-18").success
    assert lives(lab, "2026-02-16", "2026-02-18") == {
        "2026-02-16": LINEAR,
        "2026-02-17": NAIVE,
        "2026-02-18": NAIVE,
    }
    pinned, taken_back = lab.models.decisions.all()
    assert taken_back.action == Action.UNPIN
    assert taken_back.before == {"pinned": LINEAR}
    assert taken_back.model == pinned.model == LINEAR


def test_a_pin_of_the_champion_keeps_it_in_spite_of_a_better_one(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-12"), {NAIVE: 0.5, LINEAR: 0.1})
    pin = asked(pin=NAIVE, until="2026-02-10", reason="not yet")
    assert lab.run("champion", FEBRUARY, config=pin).success
    assert lab.run("champion", "2026-02-02", "2026-02-12").success
    table = records(lab, FEBRUARY, "2026-02-12")
    assert table.loc["2026-02-10", ["champion", "since"]].tolist() == [NAIVE, FEBRUARY]
    assert table.loc["2026-02-11", ["champion", "since"]].tolist() == [LINEAR, "2026-02-11"]


def test_a_pinned_model_that_may_not_serve_any_more_gives_way(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-04"), {NAIVE: 0.5, LINEAR: 0.4})
    assert lab.run("champion", FEBRUARY, config=asked(pin=LINEAR, reason="a trial")).success
    assert lab.run("champion", "2026-02-02").success
    retire(lab, LINEAR)
    assert lab.run("champion", "2026-02-03", "2026-02-04").success
    assert lives(lab, "2026-02-02", "2026-02-04") == {
        "2026-02-02": LINEAR,
        "2026-02-03": LINEAR,
        "2026-02-04": NAIVE,
    }
    why = records(lab, "2026-02-04", "2026-02-04").loc["2026-02-04", "why"]
    assert why == "linear has no version that may serve; the best of the others"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"pin": "nobody", "reason": "r"}, "'nobody' is no model; the models are: seasonal_naive,"),
        ({"pin": LINEAR}, "say in `reason` why linear is pinned; it is kept"),
        (
            {"pin": LINEAR, "reason": "r", "until": FEBRUARY},
            "until = 2026-02-01 is before 2026-02-02, the first day of the pin",
        ),
        (
            {"pin": LINEAR, "reason": "r", "until": "February"},
            "until = 'February' is no day; write 2026-01-31",
        ),
        ({"unpin": True}, "no pin holds on 2026-02-02"),
        ({"pin": LINEAR, "unpin": True, "reason": "r"}, "give pin or unpin, not both"),
    ],
)
def test_a_pin_that_cannot_be_is_refused(lab: Lab, config: dict[str, Any], why: str) -> None:
    configure(lab)
    write_losses(lab, [FEBRUARY], {NAIVE: 0.5, LINEAR: 0.3})
    said = reason(lab.run("champion", FEBRUARY, config=asked(**config)))
    assert said.startswith(f"Nothing was decided: {why}")
    assert lab.models.decisions.all() == []
    assert lab.datasets.keys("champion") == []
    assert lab.done("champion") == set()


def test_a_pin_is_set_on_one_day(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-02"), {NAIVE: 0.5, LINEAR: 0.3})
    pin = asked(pin=LINEAR, reason="r")
    said = reason(lab.run("champion", FEBRUARY, "2026-02-02", config=pin))
    assert said == "Nothing was decided: a pin is set on one day, not on 2 at a time"
    assert lab.models.decisions.all() == []


def test_a_model_that_may_not_serve_is_not_pinned(lab: Lab) -> None:
    configure(lab)
    retire(lab, LINEAR)
    write_losses(lab, [FEBRUARY], {NAIVE: 0.5, LINEAR: 0.3})
    said = reason(lab.run("champion", FEBRUARY, config=asked(pin=LINEAR, reason="r")))
    assert "linear has no version that may serve on 2026-02-02; materialize models/linear" in said
    assert {decision.action for decision in lab.models.decisions.all()} == {Action.RETIRE}


def test_a_champion_that_may_not_serve_any_more_is_replaced_by_the_best_other(lab: Lab) -> None:
    """Ranked by the days up to the decision: `other` was better by then, if no longer later."""
    configure(lab, [NAIVE, LINEAR, OTHER])
    assert lab.run("models/other", FEBRUARY).success
    write_losses(
        lab,
        keys(FEBRUARY, "2026-02-10"),
        {
            NAIVE: 0.1,
            LINEAR: 0.4,
            OTHER: lambda day: 0.3 if day <= dt.date(2026, 2, 3) else 0.9,
        },
    )
    assert lab.run("champion", FEBRUARY, "2026-02-02").success
    retire(lab, NAIVE)
    assert lab.run("champion", "2026-02-03").success
    record = records(lab, "2026-02-03", "2026-02-03").loc["2026-02-03"]
    assert record["champion"] == NAIVE
    assert record["next_champion"] == OTHER
    assert record["next_since"] == "2026-02-04"
    why = "seasonal_naive has no version that may serve; the best of the others"
    assert record["next_why"] == why
    assert record["next_version"] == lab.models.cards(OTHER)[0].version
    # the same when the days after it are decided in the same run
    assert lab.run("champion", "2026-02-03", "2026-02-10").success
    assert records(lab, "2026-02-03", "2026-02-03").loc["2026-02-03"].equals(record)


def decided_again(lab: Lab, **config: Any) -> bool:
    """Days through 10 February, on which linear takes over on the 8th; then it was the worse one.

    The first nine are asked for again.
    """
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-10"), {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", FEBRUARY, "2026-02-10").success
    write_losses(lab, keys(FEBRUARY, "2026-02-10"), {NAIVE: 0.3, LINEAR: 0.5})
    return lab.run("champion", FEBRUARY, "2026-02-09", config=asked(**config)).success


def test_who_was_champion_is_a_fact_once_a_later_day_is_decided(lab: Lab) -> None:
    assert decided_again(lab)
    table = records(lab, FEBRUARY, "2026-02-10")
    assert table["champion"].tolist() == [NAIVE] * 7 + [LINEAR] * 3
    metadata = lab.metadata("champion", "2026-02-07")
    assert metadata["from_tomorrow"].startswith("linear takes over: wmape lower")
    assert metadata["kept"].startswith("was decided, and a later day as well: who was champion")
    assert "40.0%" in metadata["evidence"]
    # a day that is missing is decided, and so is the newest again
    assert lab.run("champion", "2026-02-10").success
    assert "kept" not in lab.metadata("champion", "2026-02-10")
    lab.datasets.delete("champion", "2026-02-05")
    assert lab.run("champion", "2026-02-04", "2026-02-06").success
    assert "kept" not in lab.metadata("champion", "2026-02-05")
    assert lab.models.decisions.all() == []


def test_a_revision_is_kept_with_its_reason_and_what_was_before(lab: Lab) -> None:
    assert decided_again(lab, revise=True, reason="the source was wrong", by="ada")
    assert set(lives(lab, FEBRUARY, "2026-02-09").values()) == {NAIVE}
    [decision] = lab.models.decisions.all()
    assert (decision.action, decision.by, decision.reason) == (
        Action.REVISE,
        "ada",
        "the source was wrong",
    )
    # the records of the 7th to the 9th said who is champion next
    changed = keys("2026-02-07", "2026-02-09")
    assert decision.before == dict.fromkeys(changed, LINEAR)
    assert decision.after == dict.fromkeys(changed, NAIVE)


def test_a_fact_is_neither_pinned_nor_revised_without_a_reason(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-02"), {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", FEBRUARY, "2026-02-02").success
    pinned = lab.run("champion", FEBRUARY, config=asked(pin=LINEAR, reason="a trial"))
    assert "who is champion after 2026-02-01 is a fact: pin on a newer day" in reason(pinned)
    revised = lab.run("champion", FEBRUARY, config=asked(revise=True))
    assert "say in `reason` why days are decided again" in reason(revised)
    assert lab.models.decisions.all() == []


def test_without_any_model_that_may_serve_the_champion_stays_and_says_so(lab: Lab) -> None:
    configure(lab)
    retire(lab, NAIVE)
    retire(lab, LINEAR)
    write_losses(lab, [FEBRUARY], {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", FEBRUARY).success
    record = records(lab, FEBRUARY, FEBRUARY).loc[FEBRUARY]
    assert (record["next_champion"], record["next_version"]) == (NAIVE, "")


def test_a_champion_that_is_no_model_any_more_is_replaced(lab: Lab) -> None:
    configure(lab, initial=LINEAR)
    write_losses(lab, keys(FEBRUARY, "2026-02-03"), {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", FEBRUARY).success
    configure(lab, [NAIVE])
    assert lab.run("champion", "2026-02-02", "2026-02-03").success
    assert lives(lab, FEBRUARY, "2026-02-03") == {
        FEBRUARY: LINEAR,
        "2026-02-02": LINEAR,
        "2026-02-03": NAIVE,
    }


def test_a_day_without_evaluation_fails_by_itself(lab: Lab) -> None:
    configure(lab)
    days = keys(FEBRUARY, "2026-02-09")
    missing = "2026-02-08"
    write_losses(lab, [d for d in days if d != missing], {NAIVE: 0.5, LINEAR: 0.3})
    why = reason(lab.run("champion", FEBRUARY, "2026-02-09"))
    assert why.splitlines()[0].startswith("champion: 1 of 9 partition(s) failed")
    assert (
        f"{missing}: no model has been evaluated on {missing}; materialize validation for it first"
    ) in why
    assert lab.done("champion") == set(days) - {missing}
    # who took over on the missing day is champion on the next
    record = records(lab, "2026-02-09", "2026-02-09").loc["2026-02-09"]
    assert (record["champion"], record["since"]) == (LINEAR, missing)


def test_a_damaged_evaluation_of_a_day_says_so(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-03"), {NAIVE: 0.5})
    lab.file("validation/seasonal_naive", "2026-02-02").write_bytes(b"damaged")
    why = reason(lab.run("champion", FEBRUARY, "2026-02-03"))
    assert "--select validation/seasonal_naive --partition 2026-02-02" in why
    assert lab.done("champion") == {FEBRUARY, "2026-02-03"}


def test_a_damaged_card_of_a_challenger_does_not_keep_the_days_from_being_decided(
    lab: Lab,
) -> None:
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-02"), {NAIVE: 0.5, LINEAR: 0.3})
    Path(lab.models.url(lab.models.cards(LINEAR)[0])).with_name("card.json").write_text("{")
    assert lab.run("champion", FEBRUARY, "2026-02-02").success
    assert lives(lab, FEBRUARY, "2026-02-02") == {FEBRUARY: NAIVE, "2026-02-02": NAIVE}


def test_a_damaged_card_of_the_champion_says_so_and_makes_nobody_else_champion(lab: Lab) -> None:
    """A file that cannot be read for now is no reason to switch for good."""
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-03"), {NAIVE: 0.3, LINEAR: 0.5})
    assert lab.run("champion", FEBRUARY).success
    february, march = lab.models.cards(NAIVE)
    Path(lab.models.url(march)).with_name("card.json").write_text("{")
    assert lab.run("champion", "2026-02-02").success, "it serves no day of February"
    Path(lab.models.url(february)).with_name("card.json").write_text("{")
    why = reason(lab.run("champion", "2026-02-03"))
    assert "card.json is not as it was written" in why
    assert lab.datasets.keys("champion") == [FEBRUARY, "2026-02-02"]


def test_a_record_that_was_deleted_is_missed_by_the_day_after(lab: Lab) -> None:
    """Else the one before it would be taken for the newest, and be decided from."""
    configure(lab)
    write_losses(lab, keys(FEBRUARY, "2026-02-03"), {NAIVE: 0.3, LINEAR: 0.5})
    assert lab.run("champion", FEBRUARY, "2026-02-02").success
    lab.file("champion", "2026-02-02").unlink()
    why = reason(lab.run("champion", "2026-02-03"))
    assert "champion/2026-02-02.parquet was written and is missing; rebuild it: dagster" in why
    with pytest.raises(StorageError, match="--select champion --partition 2026-02-02"):
        load_champion(lab.storage.root)
    assert lab.run("champion", "2026-02-02", "2026-02-03").success
    load_champion(lab.storage.root)


def test_warm_up_days_have_no_champion(lab: Lab) -> None:
    configure(lab)
    write_losses(lab, [FEBRUARY], {NAIVE: 0.5, LINEAR: 0.3})
    assert lab.run("champion", "2026-01-30", FEBRUARY).success
    assert lab.done("champion") == set(keys("2026-01-30", FEBRUARY))
    assert lab.datasets.keys("champion") == [FEBRUARY]
    status = lab.metadata("champion", "2026-01-31")["status"]
    assert "no version is in service before 2026-02-01" in status


@pytest.mark.parametrize("seed", range(3))
def test_days_decided_in_one_run_or_one_by_one_are_the_same(
    lab: Lab, tmp_path: Path, seed: int
) -> None:
    """Random losses whose order changes every ten days, a pin, and a retired champion."""
    configure(lab, [NAIVE, LINEAR, OTHER])
    assert lab.run("models/other", FEBRUARY).success
    random = np.random.default_rng(seed)
    days = keys(FEBRUARY, "2026-03-06")
    levels = {name: random.choice([0.2, 0.4, 0.6], 4) for name in (NAIVE, LINEAR, OTHER)}

    def loss(name: str) -> Callable[[dt.date], float]:
        noise = random.normal(0, 0.05, len(days))
        return lambda day: float(
            abs(levels[name][(n := (day - dt.date(2026, 2, 1)).days) // 10] + noise[n])
        )

    write_losses(lab, days, {name: loss(name) for name in levels})
    record = lab.models.decisions.record
    record(Action.PIN, LINEAR, reason="r", after={"first": "2026-02-20", "until": "2026-02-24"})
    retired = [NAIVE, LINEAR, OTHER][seed]
    for card in lab.models.cards(retired):
        if card.month == "2026-03-01" or retired == NAIVE:
            record(Action.RETIRE, retired, version=card.version)
    partitions = make_partitions(lab.project, LocalStorage(str(tmp_path)))

    def decided(parts: list[list[str]]) -> pd.DataFrame:
        lab.datasets.delete("champion")
        for part in parts:
            outcomes = decide(lab.project, partitions, part, lab.datasets, lab.models)
            assert not [o for o in outcomes.values() if isinstance(o, Exception)]
        return records(lab, FEBRUARY, "2026-03-06")

    together = decided([days])
    pd.testing.assert_frame_equal(decided([[day] for day in days]), together)
    cuts = [0, *sorted(random.choice(range(1, len(days)), 4, replace=False)), len(days)]
    pd.testing.assert_frame_equal(
        decided([days[a:b] for a, b in itertools.pairwise(cuts)]), together
    )
    # each day begins with what the one before decided
    for column in ("champion", "since", "why"):
        assert together[column].tolist()[1:] == together[f"next_{column}"].tolist()[:-1]
    assert together["champion"].nunique() > 1
