"""What a model is scored by is what was issued for the day, whatever is learned later."""

import datetime as dt
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets import load_champion
from mlops_assets.assets import forecast, forecasting, issued
from mlops_assets.assets.forecasting import as_issued
from mlops_assets.automation import day_to_come
from mlops_assets.automation.day_to_come import Outdated, outdated_forecasts
from mlops_assets.pages.model_figures import daily_figure
from mlops_assets.pages.models_page import daily_scores
from mlops_assets.pages.shelf import Shelf
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import STORED, Action
from mlops_tests.assets.lab import Lab, keys, made_on, make_rows, make_settings, reason
from mlops_tests.shared import shared_folder

MODELS = ["seasonal_naive", "linear"]
DAILY = "issued validation/seasonal_naive validation/linear leaderboard champion forecast"
FIRST, DAY, LAST = "2026-03-10", "2026-03-13", "2026-03-14"
MARCH = "2026-03-01"


class Living(Lab):
    """A lab that lives through days, each evaluated in the night after it."""

    today = dt.date(2026, 3, 10)

    def night_after(self, day: str) -> None:
        self.today = dt.date.fromisoformat(day) + dt.timedelta(days=1)
        assert self.run(DAILY, day).success

    def scored(self, day: str, model: str = "linear") -> pd.DataFrame:
        return DatasetStore(self.storage).read(f"validation/{model}", [day])

    def issued_for(self, day: str) -> pd.DataFrame:
        before = str(dt.date.fromisoformat(day) - dt.timedelta(days=1))
        return DatasetStore(self.storage).read("issued", [before])


def begin(folder: Path, patch: pytest.MonkeyPatch) -> Living:
    """A lab that is told which day it is."""
    living = Living(folder)
    for module in (issued, forecast, day_to_come):
        patch.setattr(module, "is_over", lambda _, day: living.today > day)
    return living


def live(trained_folder: Path, folder: Path) -> None:
    """Live through FIRST to LAST, in a copy of a trained lab."""
    shutil.copytree(trained_folder, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        living = begin(folder, patch)
        living.write(settings=make_settings() | {"champion": {"initial": "linear"}})
        with living.instance:
            for day in keys(FIRST, LAST):
                living.night_after(day)
            living.keep()


@pytest.fixture
def living(
    trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Living]:
    """Lived through FIRST to LAST, so that the day after LAST is to come."""
    lived = shared_folder("lived", partial(live, trained_folder))
    living = begin(Path(shutil.copytree(lived, tmp_path / "lab")), monkeypatch)
    living.today = dt.date.fromisoformat(LAST) + dt.timedelta(days=1)
    with living.instance:
        yield living


def test_a_day_is_scored_by_what_was_issued_for_it(living: Living) -> None:
    told = living.issued_for(DAY)
    assert sorted(set(told["model"])) == sorted(MODELS)
    assert set(told["date"]) == {pd.Timestamp(DAY)}
    for model in MODELS:
        scored = living.scored(DAY, model)
        mine = told[told["model"] == model]
        both = scored.merge(mine, on=["department", "category"], suffixes=("", "_issued"))
        assert len(both) == len(scored) == 3
        for column in ("forecast", "version", "issued_at", "previous_forecast"):
            assert (both[column] == both[f"{column}_issued"]).sum() in (3, 0)
        assert (both["forecast"] == both["forecast_issued"]).all()
    metadata = living.metadata("validation/linear", DAY)
    assert metadata["issued"] == told["issued_at"].iloc[0]
    assert "wmape" in metadata
    assert "wmape_reconstructed" not in metadata


def test_a_day_that_nobody_lived_through_is_reconstructed_under_another_name(
    living: Living,
) -> None:
    metadata = living.metadata("validation/linear", FIRST)
    assert str(metadata["issued"]).startswith("reconstructed")
    assert "wmape_reconstructed" in metadata
    assert "wmape_vs_baseline_reconstructed" in metadata
    assert "wmape" not in metadata
    assert living.scored(FIRST)["issued_at"].isna().all()


def test_what_is_issued_is_what_would_be_made_later_where_nothing_has_changed(
    living: Living,
) -> None:
    before = living.scored(DAY)
    DatasetStore(living.storage).delete("issued")
    assert living.run("validation/linear", DAY).success
    after = living.scored(DAY)
    assert after["issued_at"].isna().all()
    same = [name for name in before if name != "issued_at"]
    pd.testing.assert_frame_equal(after[same], before[same])


def test_a_correction_after_the_issue_changes_actuals_and_no_forecast(living: Living) -> None:
    before = living.scored(DAY)
    file = living.file("issued", "2026-03-12").read_bytes()
    rows = make_rows()
    late = rows["date"].isin([pd.Timestamp("2026-03-12"), pd.Timestamp(DAY)])
    rows.loc[late & (rows["category"] == "milk"), "units"] += 50
    living.write(rows)
    assert living.run("observations", "2026-03-12", DAY).success
    assert living.run("features", "2026-03-12", LAST).success
    assert living.run(DAILY, "2026-03-11", DAY).success
    after = living.scored(DAY)
    milk = after["category"] == "milk"
    assert (after["forecast"] == before["forecast"]).all()
    assert (after["previous_forecast"].dropna() == before["previous_forecast"].dropna()).all()
    assert (after["actual"] - before["actual"]).tolist() == [50.0 * is_milk for is_milk in milk]
    assert living.file("issued", "2026-03-12").read_bytes() == file


def train(living: Living, **config: Any) -> str:
    """Train `linear` with other hyperparameters; the new version."""
    before = {card.version for card in living.models.cards("linear")}
    given = {"hyperparameters": {"alpha": 3.0}, **config}
    run_config = {"ops": {"models__linear": {"config": given}}}
    with made_on(str(living.today)):
        assert living.run("models/linear", MARCH, config=run_config).success
    [card] = [card for card in living.models.cards("linear") if card.version not in before]
    assert card.accepted
    return card.version


def test_a_training_under_an_old_month_changes_no_day_that_is_over(living: Living) -> None:
    before, shown = living.scored(DAY), living.metadata("validation/linear", DAY)
    version = train(living)
    assert living.run(DAILY, "2026-03-11", "2026-03-13").success
    after, now = living.scored(DAY), living.metadata("validation/linear", DAY)
    pd.testing.assert_frame_equal(after[[*before]], before)
    assert set(after["reconstructed_version"]) == {version}
    assert (after["reconstructed_forecast"] != after["forecast"]).any()
    assert now["wmape"] == shown["wmape"]
    assert now["reconstructed_version"] == version
    by_hand = (after["actual"] - after["reconstructed_forecast"]).abs().sum()
    assert now["wmape_reconstructed"] == pytest.approx(by_hand / after["actual"].sum(), rel=1e-5)


def test_until_its_day_is_over_a_forecast_is_issued_again_by_a_new_version(
    living: Living,
) -> None:
    version = train(living)
    to_come = "2026-03-15"
    [found] = {
        outdated.why: outdated
        for outdated in outdated_forecasts(living.instance, living.project, living.models)
        if "issued" in outdated.assets
    }.values()
    assert found.why.startswith(f"{version} is scored on {to_come}, not ")
    assert living.run("issued champion forecast", LAST).success
    told = living.issued_for(to_come)
    assert set(told.loc[told["model"] == "linear", "version"]) == {version}
    assert not [*outdated_forecasts(living.instance, living.project, living.models)]
    living.today += dt.timedelta(days=1)
    train(living, hyperparameters={"alpha": 2.0})
    assert living.run("issued forecast", LAST).success
    pd.testing.assert_frame_equal(living.issued_for(to_come), told)
    assert "what was issued stays" in living.metadata("issued", LAST)["status"]


def test_once_its_day_is_over_no_forecast_is_asked_for_again(living: Living) -> None:
    told = living.issued_for("2026-03-15")
    living.today += dt.timedelta(days=1)  # and the day that ended is not evaluated yet
    train(living)
    assert not [*outdated_forecasts(living.instance, living.project, living.models)]
    assert living.run("issued forecast", LAST).success, "as a person asks for it"
    pd.testing.assert_frame_equal(living.issued_for("2026-03-15"), told)
    assert not [*outdated_forecasts(living.instance, living.project, living.models)]


def test_what_was_issued_stays_where_it_cannot_be_made_again(living: Living) -> None:
    told = living.issued_for("2026-03-15")
    card = living.models.in_service("linear", dt.date(2026, 3, 15))
    assert card is not None
    Path(living.models.url(card)).write_bytes(b"damaged")
    assert living.run("issued", LAST).success
    again = living.issued_for("2026-03-15")
    for model in MODELS:  # but for when it was issued
        rows = [frame[frame["model"] == model].drop(columns="issued_at") for frame in (told, again)]
        pd.testing.assert_frame_equal(*(frame.reset_index(drop=True) for frame in rows))
    assert set(again["issued_at"]) >= set(told["issued_at"]), "that of the damaged one is the first"
    shown = living.metadata("issued", LAST)
    assert shown["versions"]["linear"] == card.version
    assert list(shown["not_issued"]) == ["linear"]


def test_a_model_without_a_version_is_not_issued_for_the_day_to_come(living: Living) -> None:
    for card in living.models.cards("seasonal_naive"):
        retired = living.models.decisions
        retired.record(Action.RETIRE, "seasonal_naive", version=card.version)
    [found] = outdated_forecasts(living.instance, living.project, living.models)
    assert found.why == "seasonal_naive has no version to be scored on 2026-03-15 any more"
    assert living.run(" ".join(found.assets), LAST).success
    assert set(living.issued_for("2026-03-15")["model"]) == {"linear"}
    assert not [*outdated_forecasts(living.instance, living.project, living.models)]


def test_a_version_that_is_retired_leaves_the_days_that_are_over(living: Living) -> None:
    before = living.scored(DAY)
    for card in living.models.cards("linear"):
        living.models.decisions.record(Action.RETIRE, "linear", version=card.version)
    assert living.run("validation/linear", DAY).success
    pd.testing.assert_frame_equal(living.scored(DAY), before)


def test_the_champions_forecast_is_the_one_that_was_issued(living: Living) -> None:
    told = living.issued_for("2026-03-15")
    mine = told[told["model"] == "linear"].reset_index(drop=True)
    served = DatasetStore(living.storage).read("forecast", [LAST])
    assert (served["forecast"] == mine["forecast"]).all()
    assert (served["version"] == mine["version"]).all()
    assert living.metadata("forecast", LAST)["issued"] == mine["issued_at"].iloc[0]


def test_a_model_that_cannot_forecast_is_named_and_the_others_are_issued(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = forecasting.forecast_rows

    def broken(project: Any, card: Any, rows: Any, models: Any) -> Any:
        if card.model == "linear":
            raise ValueError("it is broken")
        return honest(project, card, rows, models)

    monkeypatch.setattr(forecasting, "forecast_rows", broken)
    living.datasets.delete("issued", LAST)
    assert living.run("issued", LAST).success
    assert set(living.issued_for("2026-03-15")["model"]) == {"seasonal_naive"}
    assert living.metadata("issued", LAST)["not_issued"] == {"linear": "it is broken"}
    assert not [*outdated_forecasts(living.instance, living.project, living.models)]


def test_nothing_is_kept_of_models_that_did_not_fail(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was issued is of one model, which has no version any more; the other one fails."""
    told = living.issued_for("2026-03-15")
    living.datasets.write("issued", LAST, told[told["model"] == "seasonal_naive"])
    for card in living.models.cards("seasonal_naive"):
        living.models.decisions.record(Action.RETIRE, "seasonal_naive", version=card.version)

    def broken(*_: Any) -> Any:
        raise ValueError("it is broken")

    monkeypatch.setattr(forecasting, "forecast_rows", broken)
    assert "it is broken" in reason(living.run("issued", LAST))


def test_rows_that_are_alike_are_matched_in_their_order(lab: Lab) -> None:
    settings = make_settings()
    settings["columns"] |= {"series": []}
    settings["features"] = {"calendar": ["day_of_week"]}
    settings["models"] = [{"name": "linear", "family": "ridge"}]
    settings["evaluation"] |= {"baseline": "linear"}
    lab.write(settings=settings)
    project = lab.project
    alike = {"department": "a", "category": "b", "unit_price": 1.0}
    theirs = pd.DataFrame(
        [
            {**alike, "promotion": 0.5, "forecast": 1.0},
            {**alike, "promotion": 0.5, "forecast": 2.0},
            {**alike, "promotion": None, "forecast": 3.0},
        ]
    ).assign(
        version="v",
        trained_through="t",
        previous_version=None,
        previous_forecast=0.0,
        issued_at="x",
    )
    ours = pd.DataFrame([{**alike, "promotion": p} for p in (None, 0.5, 0.7, 0.5)])
    found = as_issued(project, theirs, ours)
    assert found["forecast"].to_dict() == {0: 3.0, 1: 1.0, 3: 2.0}


def test_the_leaderboard_and_the_champion_say_how_many_days_are_live(living: Living) -> None:
    board = DatasetStore(living.storage).read("leaderboard", [LAST]).set_index("model")
    assert board["live_days_28d"].to_dict() == dict.fromkeys(MODELS, 4), "all but the first"
    assert board["live"].all()
    told = living.metadata("leaderboard", LAST)["live"]
    assert told.startswith("4 of the last 28 days of ")
    assert living.metadata("champion", LAST)["live"].startswith("4 of 5 days judged")
    look = Shelf(living.storage, lambda: living.project).look([])
    figure = daily_figure(daily_scores(look), look.view.metric, look.models, look.lines)
    assert figure
    stretches = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert len(stretches) == 1, "the one day that nobody lived through"


def test_what_no_version_may_serve_any_more_does_not_stay_issued(living: Living) -> None:
    for name in MODELS:
        for card in living.models.cards(name):
            living.models.decisions.record(Action.RETIRE, name, version=card.version)
    assert living.run("issued", LAST).success
    assert living.issued_for("2026-03-15").empty
    assert "no model has a version" in living.metadata("issued", LAST)["status"]


def test_a_damaged_issue_costs_its_day_alone(living: Living) -> None:
    living.file("issued", DAY).write_bytes(b"damaged")
    result = living.run("forecast", "2026-03-12", LAST)
    assert not result.success
    assert living.done("forecast") >= {"2026-03-12", LAST}
    [failed] = [event for event in result.all_events if event.is_step_failure]
    told = failed.step_failure_data.user_failure_data
    assert told is not None
    assert str(told.description).count(f"{DAY}: ") == 1
    assert "1 of 3 partition(s) failed" in str(told.description)


def test_a_lost_issue_is_named_and_turns_no_live_day_into_a_reconstructed_one(
    living: Living,
) -> None:
    before = living.scored(DAY)
    issued_on = str(dt.date.fromisoformat(DAY) - dt.timedelta(days=1))
    living.file("issued", issued_on).unlink()
    why = reason(living.run("validation/linear", DAY))
    assert f"--select issued --partition {issued_on}" in why
    pd.testing.assert_frame_equal(living.scored(DAY), before)
    assert living.run("issued", issued_on).success, "what it names gives it up"
    assert living.run("validation/linear", DAY).success
    assert living.scored(DAY)["issued_at"].isna().all()


def test_a_model_is_not_scored_by_what_a_deleted_one_of_its_name_had_issued(
    living: Living,
) -> None:
    assert living.scored(DAY)["issued_at"].notna().all()
    living.models.decisions.record(Action.DROP, "linear", after={STORED: "kept"})
    assert living.run("validation/linear", DAY).success
    assert living.scored(DAY)["issued_at"].notna().all(), "its versions are still there"
    living.models.decisions.record(Action.DROP, "linear", after={STORED: "deleted"})
    assert living.run("validation/linear validation/seasonal_naive", DAY).success
    assert living.scored(DAY)["issued_at"].isna().all()
    assert living.scored(DAY, "seasonal_naive")["issued_at"].notna().all()


def test_a_lost_day_fails_those_whose_lags_need_it(living: Living) -> None:
    living.file("observations", "2026-03-09").unlink()
    why = reason(living.run("features", FIRST))
    assert "--select observations --partition 2026-03-09" in why
    assert living.run("observations", "2026-03-09").success
    assert living.run("features", FIRST).success


def test_a_damaged_day_that_lags_need_fails_what_is_issued_with_its_name(living: Living) -> None:
    living.file("issued", LAST).unlink()
    living.file("observations", "2026-03-09").write_bytes(b"damaged")
    why = reason(living.run("issued", LAST))
    assert "--select observations --partition 2026-03-09" in why
    assert not living.file("issued", LAST).exists()


def test_what_was_issued_is_served_while_the_source_is_away(living: Living) -> None:
    (living.folder / "rows.parquet").unlink()
    assert living.run("forecast", LAST).success
    assert living.metadata("forecast", LAST)["issued"]


def test_a_damaged_card_hides_no_other_model_from_the_day_to_come(living: Living) -> None:
    version = train(living)
    [card, *_] = living.models.cards("seasonal_naive")
    damaged = f"models/seasonal_naive/{card.version}/card.json"
    living.storage.write(damaged, b"{")
    why = [found.why for found in outdated(living)]
    assert any(found.startswith(f"{version} is in service") for found in why)


def test_an_older_version_stands_in_for_one_whose_card_is_gone_by_name(living: Living) -> None:
    older = {card.version for card in living.models.cards("linear")}
    version = train(living)
    for name in ("issued", "forecast"):
        assert living.run(name, LAST).success
    assert set(living.datasets.read("forecast", [LAST])["version"]) == {version}
    card = Path(living.models.url(living.models.find(version))).with_name("card.json")
    kept = card.read_bytes()
    card.unlink()
    assert any(found.why.endswith(f"not {version}") for found in outdated(living))
    assert living.run("issued", LAST).success
    assert living.run("forecast", LAST).success
    [stands_in] = set(DatasetStore(living.storage).read("forecast", [LAST])["version"])
    assert stands_in in older
    told = living.metadata("issued", LAST)
    assert told["versions"]["linear"] == stands_in
    assert "card.json was written and is missing; train again" in told["not_issued"][version]
    with pytest.warns(UserWarning, match=f"{stands_in} stands in for {version}: .*card.json"):
        load_champion(living.storage.root)
    card.write_bytes(kept)
    assert any(found.why.startswith(version) for found in outdated(living))


def outdated(living: Living) -> list[Outdated]:
    return [*outdated_forecasts(living.instance, living.project, living.models)]


def inputs_known(lab: Lab, key: str) -> dict[str, Any]:
    found = CheckStore(DatasetStore(lab.storage)).read(["issued"], [key]).set_index("check")
    return {str(name): value for name, value in found.loc["inputs_known"].items()}


def test_inputs_that_were_not_known_when_the_day_was_forecast_are_named(living: Living) -> None:
    """Forecast with a price that the source had announced, a day was sold at another."""
    day = str(living.today)
    assert inputs_known(living, LAST)["passed"]
    assert inputs_known(living, LAST)["value"] == 0
    assert inputs_known(living, FIRST)["why"].startswith("not judged")
    rows = make_rows()
    rows.loc[rows["date"] == day, "unit_price"] += 1
    living.write(rows)
    assert living.run("observations features", day).success
    living.night_after(day)
    found = inputs_known(living, day)
    assert not found["passed"]
    assert found["why"].startswith("not as forecast from: unit_price in 100% of the rows (such as ")
    [evaluation] = [
        made
        for made in living.run("issued", LAST, day).get_asset_check_evaluations()
        if made.partition in (day, None)
    ][-1:]
    assert (evaluation.passed, evaluation.severity.value) == (False, "WARN")
    # a day judged alone and in a range
    assert inputs_known(living, day)["why"] == found["why"]
    living.write(make_rows())
    next_day = str(living.today)
    assert living.run("observations features", day, next_day).success
    assert not inputs_known(living, day)["passed"]
    result = living.run("issued", next_day)
    assert inputs_known(living, day)["passed"], "its rows were mended"
    said = {made.partition: made.passed for made in result.get_asset_check_evaluations()}
    assert said[day]
