"""Acceptance: a version that fails a check is kept and shown, but never serves."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import Field
from scipy.optimize import brentq
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline

from mlops_assets.graph.partitions import add_months
from mlops_assets.ml.models.families import (
    FAMILIES,
    Family,
    Hyperparameters,
    Inputs,
    parse_hyperparameters,
)
from mlops_assets.resources.stores.model_store import ModelCard
from mlops_tests.assets.lab import Lab, keys, made_on, make_rows, make_settings, reason

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"
HOLDOUT, TEN_DAYS = keys("2026-02-22", "2026-02-28"), keys("2026-02-19", "2026-02-28")


class Lost(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Forecasts nothing that is a number."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        self.is_fitted_ = True
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        return np.full(len(X), np.nan)


class Backwards(Lost):
    """Forecasts little where there was much."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        return 50 - X["units_lag_7"].to_numpy()


class Moods(Hyperparameters):
    mood: str = Field(default="good", description="How it forecasts.")


class Moody(Family):
    """A plugged-in family that forecasts well or badly, as it is told."""

    name = "moody"
    description = "For tests."
    hyperparameters = Moods
    trusted_types = (f"{__name__}.Backwards",)

    def build(self, hyperparameters: Moods, inputs: Inputs, seed: int = 0) -> Pipeline:
        numbers = ColumnTransformer([("numbers", SimpleImputer(), list(inputs.numeric))])
        match hyperparameters.mood:
            case "lost":
                return make_pipeline(Lost())
            case "backwards":
                return make_pipeline(Backwards())
            case "constant":
                return make_pipeline(DummyRegressor(strategy="constant", constant=5.0))
            case "unseeded":
                return make_pipeline(numbers, RandomForestRegressor(3, random_state=None))
        ridge = FAMILIES["ridge"]
        return ridge.build(parse_hyperparameters("ridge", {}), inputs, seed)


@pytest.fixture
def moody_lab(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A project with a moody model that was in a good mood in February."""
    monkeypatch.setitem(FAMILIES, "moody", Moody())
    settings = make_settings()
    settings["models"].append({"name": "moody", "family": "moody"})
    lab.write(settings=settings)
    assert lab.run("models/moody", FEBRUARY).success
    return lab


def with_champion(lab: Lab, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((lab.folder / "project.yaml").read_text())
    settings.setdefault("champion", {})["initial"] = name
    return settings


def train(
    lab: Lab,
    model: str,
    month: str,
    last: str | None = None,
    through: str = "",
    strict: bool = False,
    **values: Any,
) -> tuple[dg.ExecuteInProcessResult, ModelCard]:
    """A training and the version that it stored."""
    known = {card.version for card in lab.models.cards(model)}
    config: dict[str, Any] = {"hyperparameters": values} | ({"through": through} if through else {})
    config |= {"strict": True} if strict else {}
    ops = {"ops": {f"models__{model}": {"config": config}}}
    result = lab.run(f"models/{model}", month, last, config=ops)
    *_, card = [card for card in lab.models.cards(model) if card.version not in known]
    return result, card


def evaluations(result: dg.ExecuteInProcessResult) -> Mapping[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def failed(card: ModelCard) -> set[str]:
    return {name for name, check in card.checks.items() if not check.passed}


def wmape(actual: "pd.Series[float]", forecast: Any) -> float:
    return float((actual - forecast).abs().sum() / actual.abs().sum())


def ridge_on_holdout(
    lab: Lab, alpha: float, holdout: Sequence[str] = tuple(HOLDOUT)
) -> "pd.Series[float]":
    """What a ridge that learned from the days of February before forecasts of a holdout."""
    rows = lab.datasets.read("features", keys(FEBRUARY, "2026-02-28"))
    columns = [*lab.project.inputs.numeric, *lab.project.inputs.categorical]
    early, late = rows[rows["date"] < holdout[0]], rows[rows["date"] >= holdout[0]]
    build = FAMILIES["ridge"].build
    pipeline = build(parse_hyperparameters("ridge", {"alpha": alpha}), lab.project.inputs)
    pipeline.fit(early[columns], early["units"])
    values = np.maximum(pipeline.predict(late[columns]), 0)
    return pd.Series(values, _rows(late))


def _rows(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[["date", "category"]])


def units_of(days: list[str], lag: int = 0) -> "pd.Series[float]":
    """What the source says of days, or of those so many days before each."""
    units = make_rows().set_index(["category", "date"])["units"].unstack("category")
    found: pd.Series[float] = units.shift(lag).loc[days].stack()
    return found


def limit(
    version: "pd.Series[float]",
    other: "pd.Series[float]",
    tolerance: float = 0.1,
) -> float:
    """The largest WMAPE that is not surely worse: the metric anew without each block of days."""
    date = version.index.get_level_values("date")
    days = sorted(set(date))
    units = units_of([f"{day:%Y-%m-%d}" for day in days])
    of_day = units.groupby("date").sum()
    alike = of_day.sum() ** 2 / (of_day**2).sum()
    long = 2 if len(days) <= 8 else 3
    parts = {block: min(len(days) / block, alike) for block in (1, long)}

    def above(ratio: float, left_out: Sequence[pd.Timestamp] = ()) -> float:
        kept = [row for row in version.index if row[0] not in left_out]
        ours, theirs = (wmape(units[kept], values[kept]) for values in (version, other))
        return ours - ratio * theirs

    def error(ratio: float, block: int) -> float:
        found = [above(ratio, days[n : n + block]) for n in range(len(days) - block + 1)]
        deviation = np.std(found) * (len(days) - block) / block
        part = parts[block]
        return float(deviation * np.sqrt(block / len(days) * part / (part - 1)))

    of_blocks = min(1.5 * (parts[long] - 1), alike - 1)
    wide = student_t((of_blocks + alike - 1) / 2).ppf(0.95)
    return max(
        ratio * wmape(units[version.index], other[version.index])
        + wide * max(error(ratio, block) for block in (1, long))
        for ratio in (1, 1 + tolerance)
    )


@pytest.mark.parametrize("strict", [False, True])
def test_a_version_worse_than_the_baseline_is_kept_but_the_one_before_serves(
    lab: Lab, strict: bool
) -> None:
    _, before = lab.models.cards("linear")
    settings = make_settings()
    settings["training"]["holdout_days"] = len(TEN_DAYS)  # a week of three series says little
    lab.write(settings=settings)
    result, card = train(lab, "linear", MARCH, strict=strict, alpha=1e6)
    failures = [event for event in result.all_events if event.is_step_failure]
    if strict:
        assert not result.success
        [failure] = failures
        assert failure.step_failure_data.error is not None
        assert "models/linear: beats_baseline" in failure.step_failure_data.error.message
    else:
        assert result.success
        assert failures == []
    # it repeats last week: by hand, from the rows of the source
    weekly, ridge = units_of(TEN_DAYS, lag=7), ridge_on_holdout(lab, 1e6, TEN_DAYS)
    naive, loss = (wmape(units_of(TEN_DAYS), values) for values in (weekly, ridge))
    chance = limit(ridge, weekly, tolerance=0)
    assert loss > chance > naive
    found = evaluations(result)["beats_baseline"]
    assert not found.passed
    assert found.blocking
    severities = dg.AssetCheckSeverity
    assert found.severity == (severities.ERROR if strict else severities.WARN)
    assert found.description == (
        f"{loss:.4g} is surely above {naive:.4g}, the wmape of seasonal_naive on the same 30 rows: "
        f"up to {chance:.4g} may be chance"
    )
    assert {name: value.value for name, value in found.metadata.items()} == pytest.approx(
        {
            "loss": loss,
            "limit": chance,
            "difference": loss - naive,
            "difference_low": loss - chance,
            "difference_high": loss + chance - 2 * naive,
            "days": 10,
            "rows": 30,
        },
        rel=1e-4,
    )
    assert not card.accepted
    metadata = lab.metadata("models/linear", MARCH)
    assert metadata["accepted"] is False
    assert f"It does not serve; `{before.version}` goes on." in metadata["not_accepted"]
    assert f"`{card.version}` is not accepted." in metadata["not_accepted"]
    assert f"- beats_baseline: {found.description}" in metadata["not_accepted"]
    # stored, shown, loadable, and yet never in service
    assert lab.models.find(card.version) == card
    assert lab.models.in_service("linear", dt.date(2026, 3, 10)) == before
    assert lab.run("validation/linear", MARCH, "2026-03-05").success
    stored = lab.datasets.read("validation/linear", keys(MARCH, "2026-03-05"))
    assert set(stored["version"]) == {before.version}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("mood", "check", "why"),
    [
        ("backwards", "beats_baseline", r".* is surely above 0\.3068, the wmape of .*"),
        ("constant", "sound_forecasts", r"all 21 forecasts are 5"),
        ("lost", "sound_forecasts", r"21 of 21 forecasts are not finite"),
        ("unseeded", "reproducible", r"\d+ of 63 forecasts differ between two fits on the same .*"),
    ],
)
def test_a_plugged_in_family_that_forecasts_badly_does_not_serve(
    moody_lab: Lab, mood: str, check: str, why: str, strict: bool
) -> None:
    [good] = moody_lab.models.cards("moody")
    assert good.accepted
    result, card = train(moody_lab, "moody", MARCH, strict=strict, mood=mood)
    assert result.success != strict
    assert check in failed(card)
    found = evaluations(result)[check]
    assert not found.passed
    assert found.description == card.checks[check].why
    assert re.fullmatch(why, found.description), found.description
    assert moody_lab.models.in_service("moody", dt.date(2026, 3, 10)) == good
    assert moody_lab.run("validation/moody", MARCH, "2026-03-02").success
    stored = moody_lab.datasets.read("validation/moody", keys(MARCH, "2026-03-02"))
    assert set(stored["version"]) == {good.version}


def test_forecasts_that_are_not_finite_have_no_scores_and_fail_all_that_need_one(
    moody_lab: Lab,
) -> None:
    _, card = train(moody_lab, "moody", MARCH, mood="lost")
    assert card.holdout == card.importance == {}
    assert failed(card) == {"beats_baseline", "no_worse_than_in_service", "sound_forecasts"}
    assert card.checks["beats_baseline"].why == "forecasts that are not finite have no score"


def test_without_an_accepted_version_a_refused_one_is_scored_in_shadow(moody_lab: Lab) -> None:
    lab, everything = moody_lab, "issued validation/moody validation/linear"
    [good] = lab.models.cards("moody")
    lab.storage.delete(f"models/moody/{good.version}")
    with made_on(MARCH):
        _, card = train(lab, "moody", MARCH, mood="backwards")
    told = lab.metadata("models/moody", MARCH)["not_accepted"]
    assert "It does not serve; no version of it serves." in told
    assert "is not surely above the limit named here" in told
    days = keys(MARCH, "2026-03-03")
    boards = "validation/seasonal_naive leaderboard champion forecast"
    lab.write(settings=with_champion(lab, "moody"))
    made = lab.run(f"{everything} {boards}", days[0], days[-1])
    assert made.success, reason(made)
    day = lab.metadata("validation/moody", MARCH)
    assert (day["version"], day["in_shadow"]) == (card.version, "not accepted, see models/moody")
    assert day["wmape_reconstructed"] > 0
    assert "in_shadow" not in lab.metadata("validation/linear", MARCH)
    frames = {name: lab.datasets.read(f"validation/{name}", days) for name in ("moody", "linear")}
    assert frames["moody"]["in_shadow"].all()
    assert "in_shadow" not in frames["linear"]
    table = lab.metadata("leaderboard", MARCH)["table"]
    assert "|moody, in shadow: no version is accepted|" in table
    # never champion, though it is the first one by the settings, and never the forecast
    champions = lab.datasets.read("champion", days)["next_champion"]
    assert "moody" not in set(champions)
    assert lab.models.in_service("moody", dt.date(2026, 3, 2)) is None
    assert lab.run("model_registry").success
    registry = type(lab.datasets)(lab.storage).read("model_registry", ["newest"])
    states = registry.set_index("version")["state"]
    assert states[card.version] == "rejected, scored in shadow"
    # what is accepted takes over at once
    with made_on("2026-03-02"):
        _, better = train(lab, "moody", MARCH, through="2026-03-01")
    assert better.accepted
    assert lab.run(everything, days[0], days[-1]).success
    after = type(lab.datasets)(lab.storage).read("validation/moody", days)
    by_day = after.groupby(after["date"].astype(str))["version"].first()
    assert by_day.tolist() == [card.version, better.version, better.version]
    assert after["in_shadow"].eq(True).groupby(after["date"]).all().tolist() == [True, False, False]


def test_what_cannot_be_scored_is_not_scored_in_shadow(moody_lab: Lab) -> None:
    [good] = moody_lab.models.cards("moody")
    moody_lab.storage.delete(f"models/moody/{good.version}")
    _, card = train(moody_lab, "moody", MARCH, mood="lost")
    assert moody_lab.run("validation/moody", MARCH).success
    status = moody_lab.metadata("validation/moody", MARCH)["status"]
    assert status.startswith("not in service on 2026-03-01: ")
    assert f"{card.version}, were not accepted" in status
    assert moody_lab.datasets.keys("validation/moody") == []


def test_within_the_tolerance_a_version_may_be_worse_than_the_one_in_service(lab: Lab) -> None:
    """Both learned from the whole of February: their twins are compared, day by day."""
    default, worse = ridge_on_holdout(lab, 1.0), ridge_on_holdout(lab, 1e6)
    before, loss = (wmape(units_of(HOLDOUT), values) for values in (default, worse))
    just = brentq(lambda tolerance: limit(worse, default, tolerance) - loss, 0, 0.5)
    assert 0 < just < loss / before - 1, "some of it may be chance"
    _, serving = lab.models.cards("linear")
    for extra, accepted in ((-0.001, False), (0.001, True)):
        tolerance = just + extra
        lab.write(settings=make_settings() | {"acceptance": {"tolerance": tolerance}})
        result, card = train(lab, "linear", MARCH, strict=True, alpha=1e6)
        assert result.success == accepted
        check = card.checks["no_worse_than_in_service"]
        assert check.passed == accepted
        assert check.value == pytest.approx(loss)
        assert check.high == pytest.approx(limit(worse, default, tolerance))
        share = f"{tolerance:.0%} more than the wmape of {serving.version} on the same 21 rows"
        assert share in check.why
        now = lab.models.in_service("linear", dt.date(2026, 3, 1))
        assert now == (card if accepted else serving)


@pytest.mark.parametrize(
    ("kept", "why"),
    [(None, "of {} no forecasts of the holdout were kept"), (b"damaged", "{} cannot forecast .*")],
)
def test_of_a_version_that_kept_no_forecasts_of_its_holdout_the_twin_is_not_compared(
    lab: Lab, kept: bytes | None, why: str
) -> None:
    """As versions of before this was judged by days, which still serve."""
    _, march = lab.models.cards("linear")
    file = Path(lab.models.url(march)).with_name("holdout.parquet")
    file.unlink() if kept is None else file.write_bytes(kept)
    _, card = train(lab, "linear", MARCH, alpha=1e6)
    check = card.checks["no_worse_than_in_service"]
    assert check.passed
    assert re.match(f"not compared: {why.format(march.version)}", check.why)
    assert lab.models.in_service("linear", dt.date(2026, 3, 1)) == card


def test_a_version_of_other_classes_is_not_compared(lab: Lab) -> None:
    """As one of two classes, which forecast one probability a row, with one of three."""
    _, march = lab.models.cards("linear")
    rows = lab.models.held_out(march)
    assert rows is not None
    rows["forecast"] = [[0.2, 0.3, 0.5]] * len(rows)
    rows.to_parquet(Path(lab.models.url(march)).with_name("holdout.parquet"))
    _, card = train(lab, "linear", MARCH, alpha=1.0)
    check = card.checks["no_worse_than_in_service"]
    assert check.passed
    assert check.why == f"not compared: {march.version} and it do not forecast the same classes"


def test_a_row_that_was_corrected_between_two_versions_is_compared_of_neither(lab: Lab) -> None:
    rows = make_rows()
    corrected = (rows["date"] == "2026-02-25") & (rows["category"] == "milk")
    rows.loc[corrected, "units"] += 1
    lab.write(rows)
    assert lab.run("observations features", "2026-02-25", "2026-03-31").success
    assert lab.run("training_set", MARCH).success
    _, card = train(lab, "linear", MARCH, alpha=1.0)
    assert card.holdout_rows == 21
    assert card.checks["no_worse_than_in_service"].also["rows"] == 20
    assert card.checks["beats_baseline"].also["rows"] == 21


def test_a_holdout_on_which_the_metric_has_no_value_says_so_and_refuses_nothing(lab: Lab) -> None:
    """A week of closed shops has no WMAPE where anything was forecast."""
    settings = make_settings()
    settings["evaluation"] |= {"metrics": ["wmape"]}
    rows = make_rows()
    rows.loc[rows["date"].between("2026-02-22", "2026-02-28"), "units"] = 0.0
    lab.write(rows, settings)
    assert lab.run("observations features", "2026-02-22", "2026-03-31").success
    assert lab.run("training_set", MARCH).success
    for alpha in (1.0, 2.0):
        _, card = train(lab, "linear", MARCH, alpha=alpha)
        assert card.holdout == {}
        assert card.accepted
    for name in ("beats_baseline", "no_worse_than_in_service"):
        why = card.checks[name].why
        assert why.startswith("not compared: wmape is not defined on these rows"), why


def test_an_older_version_in_service_is_judged_on_the_rows_of_the_holdout(lab: Lab) -> None:
    """That of February never saw the end of February: it forecasts it for the comparison."""
    february, march = lab.models.cards("linear")
    lab.storage.delete(f"models/linear/{march.version}")
    rows = lab.datasets.read("features", HOLDOUT)
    values = np.maximum(lab.models.load(february).predict(rows[february.inputs]), 0)
    _, card = train(lab, "linear", MARCH, alpha=1.0)
    check = card.checks["no_worse_than_in_service"]
    twin = ridge_on_holdout(lab, 1.0)
    assert check.high == pytest.approx(limit(twin, pd.Series(values, _rows(rows))))
    assert f"10% more than the wmape of {february.version} on the same 21 rows" in check.why


def test_a_version_in_service_is_judged_only_on_rows_that_it_did_not_learn_from(lab: Lab) -> None:
    _, march = lab.models.cards("linear")
    # of the holdout from 25 February through 3 March, that of March saw four days of seven
    _, card = train(lab, "linear", MARCH, through="2026-03-03", alpha=1.0)
    check = card.checks["no_worse_than_in_service"]
    assert check.passed
    assert check.high is None
    assert check.why == f"not compared: {march.version} itself learned through 2026-02-28"
    lab.storage.delete(f"models/linear/{card.version}")
    lab.models = type(lab.models)(lab.storage)
    # of that through 4 March it did not see four: these are compared
    _, card = train(lab, "linear", MARCH, through="2026-03-04", alpha=1.0)
    rows = lab.datasets.read("features", keys(MARCH, "2026-03-04"))
    values = np.maximum(lab.models.load(march).predict(rows[march.inputs]), 0)
    twins = lab.models.held_out(card)
    assert twins is not None
    twin = pd.Series(twins["forecast"].to_numpy()[-12:], _rows(rows))
    check = card.checks["no_worse_than_in_service"]
    assert check.value == pytest.approx(wmape(units_of(keys(MARCH, "2026-03-04")), twin))
    assert check.high == pytest.approx(limit(twin, pd.Series(values, _rows(rows))))
    assert "on the same 12 rows" in check.why


def test_a_holdout_without_its_first_day_is_still_compared_with_the_version_in_service(
    lab: Lab,
) -> None:
    lab.file("features", "2026-02-22").unlink()
    for alpha in (1.0, 2.0):
        assert lab.run("training_set", MARCH).success
        _, card = train(lab, "linear", MARCH, alpha=alpha)
        assert card.holdout_rows == 18
    assert card.checks["no_worse_than_in_service"].high is not None


def test_an_earlier_version_that_cannot_be_read_stands_in_the_way_of_none(lab: Lab) -> None:
    february, march = lab.models.cards("linear")
    lab.storage.delete(f"models/linear/{march.version}")
    Path(lab.models.url(february)).write_bytes(b"damaged")
    result, card = train(lab, "linear", MARCH, alpha=1.0)
    assert result.success
    why = card.checks["no_worse_than_in_service"].why
    assert why.startswith(f"not compared: {february.version} cannot forecast the holdout: ")


def test_in_a_range_of_months_each_has_its_own_checks_and_none_fails_the_run(
    moody_lab: Lab,
) -> None:
    settings = make_settings()
    settings["models"].append(
        {"name": "moody", "family": "moody", "hyperparameters": {"mood": "backwards"}}
    )
    moody_lab.write(settings=settings)
    result = moody_lab.run("models/moody", FEBRUARY, MARCH)
    assert result.success
    assert moody_lab.done("models/moody") == {FEBRUARY, MARCH}
    found = [e for e in result.get_asset_check_evaluations() if e.check_name == "beats_baseline"]
    assert [(e.partition, e.passed) for e in found if e.partition] == [
        (FEBRUARY, False),
        (MARCH, False),
    ]
    [summary] = [e for e in found if e.partition is None]
    assert not summary.passed
    assert summary.severity == dg.AssetCheckSeverity.WARN
    assert str(summary.description).startswith(f"{MARCH}: ")
    assert str(summary.description).endswith(" (2 of the 2 of this run failed)")
    good, *bad = sorted(moody_lab.models.cards("moody"), key=lambda card: card.created)
    assert [card.accepted for card in bad] == [False, False]
    assert moody_lab.models.in_service("moody", dt.date(2026, 3, 10)) == good


def test_in_a_strict_range_the_run_fails_once_every_month_is_stored_with_its_checks(
    moody_lab: Lab,
) -> None:
    config = {"hyperparameters": {"mood": "backwards"}, "strict": True}
    ops = {"ops": {"models__moody": {"config": config}}}
    result = moody_lab.run("models/moody", FEBRUARY, MARCH, config=ops)
    assert not result.success
    assert moody_lab.done("models/moody") == {FEBRUARY, MARCH}
    found = [e for e in result.get_asset_check_evaluations() if e.check_name == "beats_baseline"]
    assert {(e.partition, e.passed, e.severity) for e in found} == {
        (partition, False, dg.AssetCheckSeverity.ERROR) for partition in (FEBRUARY, MARCH, None)
    }


def test_the_checks_of_a_month_that_is_run_alone_are_those_of_that_month(lab: Lab) -> None:
    result, card = train(lab, "linear", MARCH, alpha=1.0)
    found = result.get_asset_check_evaluations()
    assert {e.check_name for e in found} == set(card.checks)
    assert {e.partition for e in found} == {MARCH}


def test_the_one_good_month_of_a_range_keeps_its_own_checks(lab: Lab) -> None:
    lab.file("training_set", FEBRUARY).unlink()
    result = lab.run("models/linear", FEBRUARY, MARCH)
    assert f"{FEBRUARY}: the training set of {FEBRUARY} is missing" in reason(result)
    found = result.get_asset_check_evaluations()
    assert {e.partition for e in found} == {MARCH}


@pytest.mark.parametrize("month", [FEBRUARY, MARCH])
def test_a_training_through_a_day_learns_through_it_and_serves_only_later_ones(
    lab: Lab, month: str
) -> None:
    february, march = lab.models.cards("linear")
    with made_on("2026-03-10"):
        result, card = train(lab, "linear", month, through="2026-03-09", alpha=1.0)
    assert result.success
    # one month up to 10 March: from 10 February on
    assert (card.trained_from, card.trained_through) == (dt.date(2026, 2, 10), dt.date(2026, 3, 9))
    assert (card.days, card.rows) == (28, 84)
    assert card.holdout_from == dt.date(2026, 3, 3)
    assert card.month == month
    assert lab.metadata("models/linear", month)["trained_through"] == "2026-03-09"
    assert lab.run("validation/linear", "2026-02-26", "2026-03-12").success
    stored = lab.datasets.read("validation/linear", keys("2026-02-26", "2026-03-12"))
    serves = {f"{day:%Y-%m-%d}": version for day, version in stored.groupby("date")["version"]}
    assert {day: set(versions) for day, versions in serves.items()} == {
        **{day: {february.version} for day in keys("2026-02-26", "2026-02-28")},
        **{day: {march.version} for day in keys(MARCH, "2026-03-09")},
        **{day: {card.version} for day in keys("2026-03-10", "2026-03-12")},
    }


def test_a_training_through_a_day_sees_no_later_row(lab: Lab) -> None:
    _, before = train(lab, "linear", MARCH, through="2026-03-09", alpha=1.0)
    changed = make_rows()
    changed.loc[changed["date"] >= "2026-03-10", ["units", "unit_price"]] = 7000.0
    lab.write(changed)
    assert lab.run("observations features", "2026-03-10", "2026-03-31").success
    lab.datasets = type(lab.datasets)(lab.storage)
    _, after = train(lab, "linear", MARCH, through="2026-03-09", alpha=1.0)
    assert after.training_set_sha256 == before.training_set_sha256
    assert after.holdout == before.holdout


def test_a_day_that_cannot_be_learned_through_is_refused(lab: Lab) -> None:
    today = lab.project.today()
    yesterday, month = today - dt.timedelta(days=1), add_months(today, 0)
    before = lab.models.cards("linear")

    def refusal(through: str, first: str, last: str | None = None) -> str:
        ops = {"models__linear": {"config": {"through": through}}}
        return reason(lab.run("models/linear", first, last, config={"ops": ops}))

    ended = f"has not ended; the last day that has is {yesterday}"
    assert f"Nothing was trained: through = {today} {ended}" in refusal(str(today), MARCH)
    future = str(today + dt.timedelta(days=40))
    assert f"through = {future} {ended}" in refusal(future, str(month))
    for nonsense in ("2026-02-30", "last week", "2026-03"):
        why = refusal(nonsense, MARCH)
        assert f"through = '{nonsense}' is no day; write 2026-01-31 or yesterday" in why
    why = refusal("2026-03-09", FEBRUARY, MARCH)
    assert "through = 2026-03-09 is for one month, not for 2 at a time" in why
    # yesterday is a day like any other, but here it has no rows
    why = refusal("yesterday", MARCH)
    assert f"features hold 0 of the {(yesterday - _month_before(today)).days + 1} days" in why
    assert lab.models.cards("linear") == before
    assert lab.done("models/linear") == set()


def _month_before(day: dt.date) -> dt.date:
    last = add_months(day, 0) - dt.timedelta(days=1)
    return last.replace(day=min(day.day, last.day))
