"""Features of one's own: a day at a time, and never a look at the answer."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.ml.features.custom_features import FEATURES, Feature, FeatureError
from mlops_assets.ml.features.feature_plan import FeaturePlan
from mlops_assets.ml.features.model_inputs import make_features
from mlops_assets.project import Project, ProjectError, load_project
from mlops_tests.assets.lab import make_rows, make_settings

DAY = dt.date(2026, 2, 10)
ONE_DAY = dt.timedelta(days=1)


class Fussy(Feature):
    name = "fussy"
    description = "Fails on a Tuesday."
    kind = "categorical"

    def compute(self, rows: Any, earlier: Any, columns: Any) -> Any:
        if rows["date"].iloc[0] == pd.Timestamp(DAY):
            raise RuntimeError("no Tuesdays")
        return [None if category == "milk" else category[0] for category in rows["category"]]


def project(*own: object) -> Project:
    settings = make_settings()
    settings["features"]["custom"] = list(own)
    return Project.model_validate(settings)


def plan(*own: object) -> FeaturePlan:
    return project(*own).feature_plan


def test_the_mean_of_weekdays_by_hand() -> None:
    rows = make_rows()
    rows["units"] = rows["date"].dt.dayofyear + 1000.0 * (rows["category"] == "cake")
    rows = rows[~((rows["category"] == "bread") & (rows["date"] == pd.Timestamp(2026, 1, 27)))]
    found = make_features(plan({"weekday_mean": {"weeks": 3}}), rows, DAY, DAY + ONE_DAY)
    means = found.set_index("category")["weekday_mean_3"]
    # 10 February is the 41st day: the 34th, 27th and 20th before it, bread without the 27th
    assert means["cake"] == 1000 + np.mean([34, 27, 20])
    assert means["bread"] == np.mean([34, 20])


def test_a_series_without_a_past_has_no_value() -> None:
    rows = make_rows()
    rows = rows[(rows["category"] != "milk") | (rows["date"] >= pd.Timestamp(DAY))]
    found = make_features(plan("weekday_mean"), rows, DAY, DAY + ONE_DAY)
    missing = found.set_index("category")["weekday_mean_4"].isna()
    assert missing.to_dict() == {"bread": False, "cake": False, "milk": True}


def test_settings_reach_as_far_as_the_feature_and_read_its_columns() -> None:
    found = project({"weekday_mean": {"weeks": 3}})
    assert found.longest_lag == 21
    assert "weekday_mean_3" in found.inputs.numeric


def test_a_day_that_fails_is_named_and_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FEATURES, "fussy", Fussy)
    broken: dict[str, FeatureError] = {}
    rows = make_rows()
    end = DAY + 2 * ONE_DAY
    found = make_features(plan("fussy"), rows, DAY - ONE_DAY, end, broken=broken)
    assert set(found["date"].dt.day) == {9, 11}
    assert found["fussy"].tolist() == ["b", "b", "c", "c", None, None]
    assert "fussy" in project("fussy").inputs.categorical
    assert str(broken["2026-02-10"]).startswith(
        "feature fussy of 2026-02-10: RuntimeError: no Tuesdays"
    )
    with pytest.raises(FeatureError, match="no Tuesdays"):
        make_features(plan("fussy"), rows, DAY - ONE_DAY, end)


def test_order_of_observations_does_not_matter() -> None:
    rows = make_rows()
    chosen = plan("weekday_mean")
    shuffled = rows.sample(frac=1, random_state=0)
    mine, others = (
        make_features(chosen, known, DAY, DAY + 3 * ONE_DAY).sort_values(
            ["date", "category"], ignore_index=True
        )
        for known in (rows, shuffled)
    )
    pd.testing.assert_frame_equal(mine, others)


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ([{"weekday_mean": {"weeks": 0}}], "weeks = 0: Input should be greater than or equal to 1"),
        (
            [{"weekday_mean": {"days": 2}}],
            "unknown option 'days'; feature weekday_mean takes: weeks",
        ),
        (["peak"], "'peak' is no known feature; choose one of: weekday_mean"),
        (["weekday_mean", "weekday_mean"], "'weekday_mean_4' is the name of another column too"),
    ],
)
def test_wrong_settings_are_named(custom: list[object], message: str, tmp_path: Any) -> None:
    settings = make_settings()
    settings["features"]["custom"] = custom
    file = tmp_path / "project.yaml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(ProjectError) as caught:
        load_project(file)
    assert message in str(caught.value)
    assert "features.custom: " in str(caught.value)
