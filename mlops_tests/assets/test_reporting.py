"""What came of a run of an asset is told in one line."""

import dagster as dg

from mlops_assets.assets.reporting import PartitionError, failure, result_line

MONTH = "2026-11-01"


def test_a_training_names_its_version_whether_it_serves_and_how_good_it_is() -> None:
    metadata = {
        "version": "2026-11-01_1",
        "hyperparameters": dg.MetadataValue.json({"alpha": 1.0}),
        "rows": 1200,
        "accepted": True,
        "holdout_wmape": 0.214159,
    }
    assert result_line("models/linear", {MONTH: metadata}) == (
        "models/linear 2026-11-01: 2026-11-01_1, accepted, holdout_wmape 0.2142"
    )
    refused = metadata | {"accepted": False}
    assert ": 2026-11-01_1, not accepted, " in result_line("models/linear", {MONTH: refused})


def test_a_day_without_numbers_says_why_or_that_it_is_stored() -> None:
    assert result_line("champion", {MONTH: {"status": "warm-up"}}) == "champion 2026-11-01: warm-up"
    assert result_line("features", {MONTH: {"rows": 3}}) == "features 2026-11-01: stored"


def test_a_range_and_what_failed_are_counted() -> None:
    error = PartitionError("bad")
    days = {"2026-11-01": {}, "2026-11-02": error, "2026-11-03": {}}
    assert result_line("drift", days) == "drift 2026-11-01 to 2026-11-03: 2 stored, 1 failed"
    assert result_line("drift", {MONTH: error}) == "drift 2026-11-01: 0 stored, 1 failed"


def test_others_are_said_to_be_stored_only_where_there_are_any() -> None:
    bad = PartitionError("no rows")
    alone = failure("features", {"2026-11-16": bad})
    among = failure("features", {"2026-11-16": bad, "2026-11-17": {}})
    assert alone
    assert among
    assert str(alone.description) == "features: 1 of 1 partition(s) failed.\n2026-11-16: no rows"
    assert str(among.description).startswith(
        "features: 1 of 2 partition(s) failed, the others are stored.\n"
    )
