"""Observations, features and training sets: what is stored, what is refused, what it costs."""

import hashlib

import numpy as np
import pandas as pd

from mlops_tests.assets.lab import Lab, keys, make_rows, make_settings, reason


def test_metadata_of_observations_by_hand(empty_lab: Lab) -> None:
    assert empty_lab.run("observations", "2026-02-10").success
    rows = make_rows()
    expected = rows.loc[rows["date"] == "2026-02-10", "units"].sum()
    metadata = empty_lab.metadata("observations", "2026-02-10")
    assert metadata["dagster/row_count"] == 3
    assert metadata["total_units"] == expected
    assert metadata["path"] == str(empty_lab.file("observations", "2026-02-10"))


def test_a_null_input_is_refused(empty_lab: Lab) -> None:
    rows = make_rows()
    rows.loc[(rows["date"] == "2026-02-10") & (rows["category"] == "milk"), "promotion"] = np.nan
    empty_lab.write(rows)
    why = reason(empty_lab.run("observations", "2026-02-09", "2026-02-11"))
    assert '2026-02-10: Violated "NonNullableColumnConstraint" for column "promotion"' in why
    assert empty_lab.done("observations") == {"2026-02-09", "2026-02-11"}
    assert empty_lab.datasets.keys("observations") == ["2026-02-09", "2026-02-11"]


def test_a_bad_day_leaves_what_was_stored_of_it(empty_lab: Lab) -> None:
    assert empty_lab.run("observations", "2026-02-10").success
    before = empty_lab.file("observations", "2026-02-10").read_bytes()
    rows = make_rows()
    rows.loc[rows["date"] == "2026-02-10", "units"] = -1.0
    empty_lab.write(rows)
    assert not empty_lab.run("observations", "2026-02-10").success
    assert empty_lab.file("observations", "2026-02-10").read_bytes() == before


def test_features_without_observations(empty_lab: Lab) -> None:
    assert empty_lab.run("observations", "2026-02-08", "2026-02-09").success
    why = reason(empty_lab.run("features", "2026-02-08", "2026-02-12"))
    assert why.splitlines()[1:] == [
        f"{day}: observations of {day} are missing; materialize observations for it first"
        for day in keys("2026-02-10", "2026-02-12")
    ]
    assert empty_lab.done("features") == {"2026-02-08", "2026-02-09"}
    metadata = empty_lab.metadata("features", "2026-02-09")
    assert metadata["missing_days_before"] == 6  # of the seven days before it, one is stored
    assert metadata["missing_values"] == 3  # the lag of 7 days, of three series


def test_a_training_set_by_hand(lab: Lab) -> None:
    assert lab.run("training_set", "2026-02-01", "2026-03-01").success
    metadata = lab.metadata("training_set", "2026-03-01")
    assert metadata["days"] == 28
    assert metadata["missing_days"] == 0
    assert (metadata["trained_from"], metadata["trained_through"]) == ("2026-02-01", "2026-02-28")
    assert metadata["dagster/row_count"] == 28 * 3
    stored = lab.datasets.read("training_set", ["2026-03-01"])
    again = lab.datasets.read("features", keys("2026-02-01", "2026-02-28"))
    pd.testing.assert_frame_equal(stored, again)
    hashes = pd.util.hash_pandas_object(again, index=False).to_numpy()
    assert metadata["sha256"] == hashlib.sha256(hashes.tobytes()).hexdigest()


def test_too_few_days_fail_their_month_alone(lab: Lab) -> None:
    # 0.9 of February's 28 days are 25.2: three days may not be missing, two may
    for day in ("2026-02-03", "2026-02-04"):
        lab.file("features", day).unlink()
    assert lab.run("training_set", "2026-03-01").success
    assert lab.metadata("training_set", "2026-03-01")["missing_days"] == 2
    lab.file("features", "2026-02-05").unlink()
    why = reason(lab.run("training_set", "2026-02-01", "2026-03-01"))
    assert "2026-03-01: features hold 25 of the 28 days from 2026-02-01 to 2026-02-28" in why
    assert "the first missing day is 2026-02-03: materialize features" in why
    assert "2026-02-01" in lab.done("training_set")


def test_a_damaged_day_of_observations_fails_the_features_that_need_it(lab: Lab) -> None:
    lab.file("observations", "2026-03-05").write_bytes(b"damaged")
    why = reason(lab.run("features", "2026-03-01", "2026-03-20"))
    assert "--select observations --partition 2026-03-05" in why
    # its own, and those of the week after it, whose mean of seven days it is in
    failed = set(keys("2026-03-05", "2026-03-12"))
    assert lab.done("features") == set(keys("2026-03-01", "2026-03-20")) - failed
    assert "8 of 20 partition(s) failed" in why


def test_a_damaged_day_of_features_fails_the_months_that_learn_from_it(lab: Lab) -> None:
    lab.file("features", "2026-02-05").write_bytes(b"damaged")
    why = reason(lab.run("training_set", "2026-02-01", "2026-03-01"))
    assert "--select features --partition 2026-02-05" in why
    assert lab.done("training_set") == {"2026-02-01"}


def test_plain_rows_without_series(empty_lab: Lab) -> None:
    settings = make_settings()
    settings["columns"] |= {"series": []}
    settings["features"] = {"calendar": ["month"]}
    settings["models"] = [{"name": "linear", "family": "ridge"}]
    settings["evaluation"]["baseline"] = "linear"
    empty_lab.write(make_rows(), settings)
    # no lags: whole months begin on 1 January, so February has a training set of 31 days
    assert empty_lab.run("observations features", "2026-01-01", "2026-02-02").success
    assert empty_lab.run("training_set models/linear", "2026-02-01").success
    assert empty_lab.run("validation/linear leaderboard", "2026-02-01", "2026-02-02").success
    assert empty_lab.metadata("validation/linear", "2026-02-02")["rows"] == 3
