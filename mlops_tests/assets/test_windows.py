"""Each kind of window, from the settings to the versions: what is learned from, what is said."""

import datetime as dt
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.project import Project, ProjectError
from mlops_tests.assets.lab import FIRST_DAY, Lab, make_settings, reason

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"
FIXED = {"fixed": {"from": "2026-01-05", "through": "2026-01-25"}}


def choose(lab: Lab, **training: Any) -> None:
    settings = make_settings()
    settings["training"] |= training
    lab.write(settings=settings)


def learned(lab: Lab, model: str = "linear") -> tuple[str, str, int]:
    """What the newest version of a model learned from."""
    metadata = lab.metadata(f"models/{model}", MARCH)
    return metadata["trained_from"], metadata["trained_through"], metadata["days"]


def test_an_expanding_window_begins_where_every_feature_is_there(lab: Lab) -> None:
    choose(lab, split="expanding")
    assert lab.run("training_set models/linear", FEBRUARY, MARCH).success
    # lags reach seven days back from 1 January, the first day being 25 December
    assert learned(lab) == ("2026-01-01", "2026-02-28", 31 + 28)
    metadata = lab.metadata("training_set", MARCH)
    assert metadata["window"] == "expanding: 2026-01-01 through 2026-02-28"
    assert (metadata["days"], metadata["missing_days"]) == (59, 0)
    config = {"ops": {"models__linear": {"config": {"through": "2026-03-10"}}}}
    assert lab.run("models/linear", MARCH, config=config).success
    assert learned(lab) == ("2026-01-01", "2026-03-10", 31 + 28 + 10)


def test_a_long_past_does_not_hide_a_recent_gap(lab: Lab) -> None:
    choose(lab, split="expanding")
    for day in range(20, 24):
        lab.file("features", f"2026-02-{day}").unlink()
    told = reason(lab.run("training_set", MARCH))
    assert "features hold 24 of the 28 days from 2026-02-01 to 2026-02-28" in told
    assert "the first missing day is 2026-02-20" in told


def test_fixed_dates_stay(lab: Lab) -> None:
    choose(lab, split=FIXED)
    assert lab.run("training_set models/linear", FEBRUARY, MARCH).success
    assert learned(lab) == ("2026-01-05", "2026-01-25", 21)
    frozen = [
        card for card in lab.models.cards("linear") if str(card.trained_through) == "2026-01-25"
    ]
    assert [card.month for card in frozen] == [FEBRUARY, MARCH]
    assert len({card.training_set_sha256 for card in frozen}) == 1
    assert lab.metadata("models/linear", MARCH)["window"] == "fixed"
    config = {"ops": {"models__linear": {"config": {"through": "2026-01-15"}}}}
    assert lab.run("models/linear", MARCH, config=config).success
    assert learned(lab) == ("2026-01-05", "2026-01-15", 11)


def test_a_gap_and_weights_by_age(lab: Lab) -> None:
    before = lab.models.cards("linear")[-1]
    choose(lab, gap_days=7, half_life_days=5)
    told = reason(lab.run("models/linear", MARCH))
    assert "from 2026-02-01 through 2026-02-28, but the settings say 2026-01-22" in told
    assert "materialize training_set again" in told
    assert lab.run("training_set models/linear models/seasonal_naive", MARCH).success
    assert learned(lab) == ("2026-01-22", "2026-02-21", 31)
    said = {
        model: lab.metadata(f"models/{model}", MARCH)["weights"]
        for model in ("linear", "seasonal_naive")
    }
    assert said == {
        "linear": "half for each 5 days of age",
        "seasonal_naive": "seasonal_naive takes no weights: every row counts alike",
    }
    metadata = lab.metadata("models/linear", MARCH)
    assert metadata["window"] == "trailing, 7 days before service left out"
    assert "weights" not in before.model_dump(exclude_defaults=True)


def test_a_gap_puts_off_the_first_month(lab: Lab) -> None:
    choose(lab, gap_days=7)
    # the window of February would begin on 25 December, before lags are known
    assert make_partitions(lab.project, lab.storage).first_month == dt.date(2026, 3, 1)


def test_lineage_holds_every_day_that_may_be_learned_from(lab: Lab) -> None:
    choose(lab, split="expanding")
    graph = make_definitions(lab.project, lab.storage).resolve_asset_graph()
    mapping = graph.get_partition_mapping(dg.AssetKey("training_set"), dg.AssetKey("features"))
    parts = make_partitions(lab.project, lab.storage)
    upstream = mapping.get_upstream_mapped_partitions_result_for_partitions(
        parts.monthly.subset_with_partition_keys([MARCH]),
        parts.monthly,
        parts.daily,
        current_time=dt.datetime(2026, 4, 1, tzinfo=dt.UTC),
    ).partitions_subset.get_partition_keys()
    assert (min(upstream), max(upstream)) == (str(FIRST_DAY), "2026-02-28")


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"split": {"fixed": {"from": "2025-12-26", "through": "2026-01-25"}}}, "lies before"),
        ({"split": "sliding"}, "training.split: 'sliding' is no known split"),
        ({"split": FIXED, "holdout_days": 21}, "training.holdout_days: 21 days leave nothing of a"),
    ],
)
def test_windows_that_cannot_be_are_refused(
    empty_lab: Lab, training: dict[str, Any], message: str
) -> None:
    choose(empty_lab, **training)
    with pytest.raises(ProjectError) as caught:
        _ = empty_lab.project
    assert message in str(caught.value)


@pytest.mark.parametrize("split", ["expanding", FIXED])
def test_a_replay_takes_no_window_that_it_would_be_learned_from_twice(split: object) -> None:
    settings = make_settings() | {"source": {"kind": "replay", "path": "x"}, "first_day": None}
    settings["training"]["split"] = split
    with pytest.raises(ValueError, match=r"learned from twice by expanding|first_day: missing"):
        Project.model_validate(settings)
