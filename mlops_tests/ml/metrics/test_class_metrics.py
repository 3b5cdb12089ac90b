"""Tests of the metrics of probabilities: by hand, against scikit-learn, and that sums pool."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from mlops_assets.ml.metrics.metric import (
    METRICS,
    as_array,
    finish_sums,
    make_metrics,
    score,
    term_sums,
)
from mlops_assets.ml.metrics.scores import score_days, trailing_scores
from mlops_assets.ml.monitoring.daily_facts import daily_facts, standard_errors
from mlops_assets.ml.monitoring.performance import judge_days, weekly_slices
from mlops_assets.ml.selection.gate import Rule, compare, paired
from mlops_assets.project import PerformanceSettings

if TYPE_CHECKING:
    from mlops_assets.ml.metrics.metric import FloatArray

NAMES = [name for name, metric in METRICS.items() if "classification" in metric.tasks]
ALL = make_metrics(NAMES)

labels = st.integers(0, 1).map(float)
shares = st.integers(0, 20).map(lambda twentieths: twentieths / 20)
groups = st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3))
binary = st.lists(st.tuples(groups, labels, shares), min_size=1, max_size=40)
several = st.lists(
    st.tuples(groups, st.integers(0, 2).map(float), st.tuples(shares, shares)),
    min_size=1,
    max_size=40,
)


def frame(rows: list[Any]) -> pd.DataFrame:
    """Rows of two classes, or of three, whose last probability is what the others leave."""
    return pd.DataFrame(
        {
            "slice": [group[0] for group, _, _ in rows],
            "day": [group[1] for group, _, _ in rows],
            "actual": [actual for _, actual, _ in rows],
            "forecast": [
                np.array([p[0] / 2, p[1] / 2, 1 - p[0] / 2 - p[1] / 2])
                if isinstance(p, tuple)
                else p
                for _, _, p in rows
            ],
        }
    )


def one(name: str, actual: Any, forecast: Any, **options: float) -> float:
    metrics = make_metrics([{name: options}])
    return score(metrics, np.asarray(actual, float), np.asarray(forecast, float))[name]


def simulated(rows: int, seed: int) -> tuple["FloatArray", "FloatArray"]:
    """Rows whose true probabilities are the forecasts: log odds normal about -2."""
    random = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-random.normal(-2, 1.5, rows)))
    return (random.random(rows) < probability).astype(float), probability


def simulated_classes(rows: int, seed: int) -> tuple["FloatArray", "FloatArray"]:
    random = np.random.default_rng(seed)
    probability = random.dirichlet([2.0, 1.0, 0.5], rows)
    return (random.random((rows, 1)) > probability.cumsum(axis=1)).sum(axis=1) * 1.0, probability


ACTUAL, FORECAST = [1, 0, 1, 0], [0.8, 0.4, 0.4, 0.1]


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("log_loss", {}, -math.log(0.8 * 0.6 * 0.4 * 0.9) / 4),
        ("brier_score", {}, (0.2**2 + 0.4**2 + 0.6**2 + 0.1**2) / 4),
        ("accuracy", {}, 3 / 4),  # the second 1 is missed
        ("accuracy", {"threshold": 0.4}, 3 / 4),  # it is found, and the first 0 with it
        ("accuracy", {"threshold": 0.9}, 2 / 4),
        # of the four pairs of a 1 and a 0 three are in order and one ties
        ("roc_auc", {}, 3.5 / 4),
        # precision 1 at the first 1; the second is found together with the tied 0: 2 / 3
        ("pr_auc", {}, (1 + 2 / 3) / 2),
        # two bins: 0.4, 0.4, 0.1 against one of three; 0.8 against one of one
        ("calibration_error", {"bins": 2}, (abs(0.9 - 1) + abs(0.8 - 1)) / 4),
    ],
)
def test_values_by_hand(name: str, options: dict[str, float], value: float) -> None:
    assert one(name, ACTUAL, FORECAST, **options) == pytest.approx(value)


def test_values_of_three_classes_by_hand() -> None:
    actual = [0, 1, 2]
    forecast = [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.2, 0.0, 0.8]]
    assert one("log_loss", actual, forecast) == pytest.approx(-math.log(0.7 * 0.3 * 0.8) / 3)
    # 0.3^2 + 0.2^2 + 0.1^2;  0.3^2 + 0.7^2 + 0.4^2;  0.2^2 + 0 + 0.2^2
    assert one("brier_score", actual, forecast) == pytest.approx((0.14 + 0.74 + 0.08) / 3)
    assert one("accuracy", actual, forecast) == pytest.approx(2 / 3)
    # each class ranks its row above both others
    assert one("roc_auc", actual, forecast) == 1
    assert one("pr_auc", actual, forecast) == 1


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed: int) -> None:
    actual, forecast = simulated(5000, seed)
    found = score(ALL, actual, forecast)
    assert found["log_loss"] == pytest.approx(log_loss(actual, forecast))
    assert found["brier_score"] == pytest.approx(brier_score_loss(actual, forecast))
    assert found["accuracy"] == accuracy_score(actual, forecast >= 0.5)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(actual, forecast))
    assert found["pr_auc"] == pytest.approx(average_precision_score(actual, forecast))
    assert found["calibration_error"] < 0.02, "the forecasts are the true probabilities"


@pytest.mark.parametrize("seed", range(3))
def test_several_classes_agree_with_scikit_learn(seed: int) -> None:
    actual, forecast = simulated_classes(5000, seed)
    found = score(ALL, actual, forecast)
    assert found["log_loss"] == pytest.approx(log_loss(actual, forecast))
    assert found["brier_score"] == pytest.approx(brier_score_loss(actual, forecast))
    assert found["accuracy"] == accuracy_score(actual, forecast.argmax(axis=1))
    auc = roc_auc_score(actual, forecast, multi_class="ovr", average="macro")
    assert found["roc_auc"] == pytest.approx(auc)
    mean = average_precision_score(actual[:, None] == np.arange(3), forecast, average="macro")
    assert found["pr_auc"] == pytest.approx(mean)


@given(binary)
@settings(deadline=None, max_examples=100)
def test_areas_are_those_of_scikit_learn_and_of_the_order_alone(rows: list[Any]) -> None:
    table = frame(rows)
    actual, forecast = table["actual"].to_numpy(), table["forecast"].to_numpy(dtype=float)
    areas = make_metrics(["roc_auc", "pr_auc"])
    found = score(areas, actual, forecast)
    if 0 < actual.sum() < len(actual):
        assert found["roc_auc"] == pytest.approx(roc_auc_score(actual, forecast))
    if actual.any():
        assert found["pr_auc"] == pytest.approx(average_precision_score(actual, forecast))
    closer = 0.018 + 1e-9 * forecast**3
    for changed in (closer, forecast / 1e6, 1 - (1 - forecast) / 1e6):
        assert score(areas, actual, changed) == pytest.approx(found, abs=0, nan_ok=True)


@pytest.mark.parametrize("spread", [1.0, 0.02])
def test_areas_of_rare_rows_with_probabilities_close_together(spread: float) -> None:
    """The truth tells rows apart better than the forecasts say, which all lie about 2 %."""
    random = np.random.default_rng(0)
    z = random.normal(size=200_000)
    forecast = 1 / (1 + np.exp(4 - spread * z))
    actual = (random.random(len(z)) < 1 / (1 + np.exp(4 - z))).astype(float)
    exact = {
        "roc_auc": roc_auc_score(actual, forecast),
        "pr_auc": average_precision_score(actual, forecast),
    }
    areas = make_metrics([*exact])
    assert score(areas, actual, forecast) == pytest.approx(exact)
    table = pd.DataFrame({"day": np.arange(len(z)) % 28, "actual": actual, "forecast": forecast})
    pooled = finish_sums(areas, term_sums(areas, table, ["day"]).sum().to_frame().T).iloc[0]
    for name, value in exact.items():
        assert pooled[name] == pytest.approx(value, abs=2e-3), name


@pytest.mark.long
@given(binary, st.integers(0, 2))
@settings(deadline=None, max_examples=15)
def test_what_is_said_of_a_day_does_not_depend_on_the_others(rows: list[Any], day: int) -> None:
    table = frame(rows).rename(columns={"day": "date"})
    table = table.assign(covered=np.nan, baseline_forecast=0.5, previous_forecast=0.3)
    alone = table[table["date"] == day].reset_index(drop=True)
    if alone.empty:
        return
    for make in (
        lambda rows: score_days(ALL, rows, ["slice"]).days.loc[[day]].reset_index(drop=True),
        lambda rows: standard_errors(ALL["roc_auc"], rows, ["date"]).reindex([day]).to_frame(),
        lambda rows: standard_errors(ALL["accuracy"], rows, ["date"]).reindex([day]).to_frame(),
        lambda rows: (
            daily_facts(ALL["pr_auc"], rows, ["slice"])
            .query(f"date == {day}")
            .reset_index(drop=True)
        ),
    ):
        pd.testing.assert_frame_equal(make(alone), make(table), check_exact=True)


def test_known_probabilities_have_the_known_expected_scores() -> None:
    """Of true probabilities p the Brier score is the mean p (1 - p), the log loss their entropy."""
    actual, p = simulated(200_000, 5)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    assert one("brier_score", actual, p) == pytest.approx((p * (1 - p)).mean(), abs=0.002)
    assert one("log_loss", actual, p) == pytest.approx(entropy, abs=0.005)


@pytest.mark.long
@given(st.one_of(binary, several), st.sampled_from([["slice"], ["day"], ["slice", "day"]]))
@settings(deadline=None, max_examples=50)
def test_pooled_sums_of_any_grouping_score_all_rows(rows: list[Any], by: list[str]) -> None:
    table = frame(rows)
    pooled = term_sums(ALL, table, by).sum().to_frame().T
    values = finish_sums(ALL, pooled).iloc[0]
    expected = score(ALL, table["actual"].to_numpy(), as_array(table["forecast"]))
    assert values["rows"] == len(table)
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name


@pytest.mark.long
@given(binary)
@settings(deadline=None, max_examples=50)
def test_two_classes_are_the_same_as_one_of_two(rows: list[Any]) -> None:
    """A column for each of the two classes comes to the same as that of the positive one."""
    table = frame(rows)
    actual, forecast = table["actual"].to_numpy(), table["forecast"].to_numpy()
    short = score(ALL, actual, forecast)
    long = score(ALL, actual, np.column_stack([1 - forecast, forecast]))
    for name in ("log_loss", "roc_auc"):
        assert short[name] == pytest.approx(long[name], abs=1e-9, nan_ok=True), name
    assert long["brier_score"] == pytest.approx(2 * short["brier_score"])


def test_what_has_no_value_is_missing() -> None:
    assert math.isnan(one("roc_auc", [1, 1], [0.2, 0.3]))
    assert math.isnan(one("pr_auc", [0, 0], [0.2, 0.3]))
    # of three classes the mean over those that have one: the last never came
    actual, forecast = [0, 1], [[0.8, 0.2, 0.0], [0.1, 0.9, 0.0]]
    assert one("roc_auc", actual, forecast) == 1


def test_no_rows_have_no_scores() -> None:
    nothing = term_sums(ALL, frame([]), ["day"])
    assert finish_sums(ALL, nothing).empty
    assert list(finish_sums(ALL, nothing)) == [*NAMES, "rows"]


def test_a_class_that_was_never_forecast_costs_the_floor() -> None:
    assert one("log_loss", [2], [[0.5, 0.5, 0.0]], floor=0.01) == pytest.approx(-math.log(0.01))
    assert one("log_loss", [2], [[0.5, 0.5]], floor=0.01) == pytest.approx(-math.log(0.01))
    assert one("log_loss", [0, 1], [1.0, 0.0]) == pytest.approx(-math.log(1e-6))


def test_rows_of_before_a_class_was_added_pool_with_those_after() -> None:
    column = pd.Series([np.array([0.4, 0.6]), np.array([0.2, 0.3, 0.5])])
    assert as_array(column).tolist() == [[0.4, 0.6, 0.0], [0.2, 0.3, 0.5]]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("log_loss", "floor", 0.5),
        ("accuracy", "threshold", 1.0),
        ("calibration_error", "bins", 2.5),
    ],
)
def test_wrong_options_are_named(name: str, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option} of {name} must .* not {value}"):
        make_metrics([{name: {option: value}}])


def days(count: int, rows: int, seed: int) -> pd.DataFrame:
    """Days of forecasts of one model, with a baseline that knows the share alone."""
    actual, forecast = simulated(count * rows, seed)
    return pd.DataFrame(
        {
            "date": np.repeat(pd.date_range("2026-01-05", periods=count), rows),
            "row": np.tile(np.arange(rows), count),
            "model": "a",
            "actual": actual,
            "forecast": forecast,
            "baseline_forecast": 0.2,
            "covered": np.nan,
        }
    )


def test_trailing_windows_and_days_are_those_of_their_rows() -> None:
    table = days(5, 60, 1)
    found = trailing_scores(ALL, table, 3).loc["a"]
    last = table[table["date"] > "2026-01-06"]
    expected = score(ALL, last["actual"].to_numpy(), last["forecast"].to_numpy())
    for name, value in expected.items():
        assert found[name].iloc[-1] == pytest.approx(value, abs=1e-9), name
    assert found["days"].tolist() == [1, 2, 3, 3, 3]
    day = table[table["date"] == "2026-01-09"]
    alone = score(ALL, day["actual"].to_numpy(), day["forecast"].to_numpy())
    assert score_days(ALL, table, []).days.iloc[-1].drop("rows").to_dict() == pytest.approx(alone)


def test_higher_is_better_by_the_loss() -> None:
    metric = ALL["roc_auc"]
    assert metric.loss(np.array([0.75, 1.0])).tolist() == [0.25, 0.0]
    assert metric.loss_name == "1 - roc_auc"
    table = days(3, 80, 2)
    worse = table.assign(model="b", forecast=0.2)
    losses = paired(metric, pd.concat([table, worse]), "b", "a").losses()
    assert losses[0] == 0.5
    assert losses[1] == 1 - score(ALL, table["actual"], table["forecast"])["roc_auc"]


@pytest.mark.parametrize("name", ["roc_auc", "pr_auc", "log_loss", "calibration_error"])
def test_a_model_that_ranks_better_by_far_takes_over(name: str) -> None:
    """Days with rows of one class alone are pooled with the others, as on the leaderboard."""
    rule = Rule(window_days=28, min_days=21, min_gain=0.02, confidence=0.99, block_days=4)
    table = days(28, 60, 4)
    table.loc[table["date"] == "2026-01-06", "actual"] = 0.0
    noise = np.random.default_rng(5).permutation(len(table))
    worse = table.assign(model="b", forecast=table["forecast"].to_numpy()[noise])
    window = paired(ALL[name], pd.concat([table, worse]), "b", "a")
    evidence, back = (
        compare(rule, "a", window),
        compare(rule, "b", paired(ALL[name], pd.concat([table, worse]), "a", "b")),
    )
    board = trailing_scores(ALL, pd.concat([table, worse]), 28).xs("2026-02-01", level="date")
    ours, theirs = ALL[name].loss(board[name].loc[["b", "a"]].to_numpy())
    assert evidence.days == 28
    assert evidence.gain == pytest.approx(1 - theirs / ours)
    assert (evidence.wins, back.why) == (True, "worse")


def test_the_standard_error_of_an_area_is_that_of_the_theory() -> None:
    """DeLong's: the variances of each row's share of the pairs (DeLong et al., 1988)."""
    actual, forecast = simulated(3000, 3)
    ones, zeros = forecast[actual == 1], forecast[actual == 0]
    right = (ones[:, None] > zeros).astype(float)
    theory = math.sqrt(
        right.mean(axis=1).var(ddof=1) / len(ones) + right.mean(axis=0).var(ddof=1) / len(zeros)
    )
    rows = pd.DataFrame({"date": 1, "actual": actual, "forecast": forecast})
    found = standard_errors(ALL["roc_auc"], rows, ["date"]).iloc[0]
    # a variance from twenty parts is itself known to a third or so
    assert 0.6 * theory < found < 1.5 * theory


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_a_model_that_loses_its_grip_is_out_of_limits_and_worse_than_the_baseline(
    name: str,
) -> None:
    table = days(60, 150, 4)
    lost = table["date"] > "2026-02-26"
    shuffled = np.random.default_rng(0).permutation(table.loc[lost, "forecast"])
    table.loc[lost, "forecast"] = shuffled
    facts = daily_facts(ALL[name], table, [])
    days_of = table["date"].dt.date
    before, last = days_of[~lost].max(), days_of.max()
    found = judge_days(
        PerformanceSettings(),
        ALL[name],
        facts,
        [before, last],
        against_baseline=True,
        false_alarms_per_year=6,
    )
    assert all(verdict.passed for verdict in found[str(before)].values())
    assert not found[str(last)]["control_limits"].passed
    assert ALL[name].loss_name in found[str(last)]["control_limits"].why
    if name == "log_loss":
        assert not found[str(last)]["baseline"].passed


@pytest.mark.parametrize(("old", "new"), [("log_loss", "roc_auc"), ("roc_auc", "log_loss")])
def test_facts_of_another_primary_metric_are_left_aside(old: str, new: str) -> None:
    table = days(40, 50, 4)
    half = table["date"] < "2026-02-01"
    before, after = daily_facts(ALL[old], table[half], []), daily_facts(ALL[new], table[~half], [])
    last = table["date"].dt.date.max()
    facts = pd.concat([before, after], ignore_index=True)
    found = judge_days(
        PerformanceSettings(),
        ALL[new],
        facts,
        [last],
        against_baseline=True,
        false_alarms_per_year=6,
    )
    assert "not judged" in found[str(last)]["control_limits"].why
    assert weekly_slices(ALL[new], before).empty
