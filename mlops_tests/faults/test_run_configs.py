"""Whatever a launchpad sends, a run does what it says or names the setting and the remedy."""

from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import run_tags
from mlops_assets.jobs.evaluate import EVALUATE_JOB, RETRAIN_ALL_JOB
from mlops_tests.assets.lab import QUIET, Lab, reason

ODD = [
    *(-1, 10**30, float("inf"), float("nan"), "", "x" * 5000, "a\x00b", "../../x", "März"),
    *("2026-02-30", "9999-12-31", "0001-01-01", [], {"a": 1}, "1"),
]
MONTH, DAY = "2026-03-01", "2026-03-31"
PIN = {"pin": "linear", "reason": "tried"}
PLACES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "alpha": (RETRAIN_ALL_JOB, "models/linear", MONTH, {"hyperparameters": {"alpha": ...}}),
    "another": (RETRAIN_ALL_JOB, "models/linear", MONTH, {"hyperparameters": {"x": ...}}),
    "through": (RETRAIN_ALL_JOB, "models/linear", MONTH, {"through": ...}),
    "pin": (EVALUATE_JOB, "champion", DAY, {"pin": ..., "reason": "tried"}),
    "until": (EVALUATE_JOB, "champion", DAY, PIN | {"until": ...}),
    "by": (EVALUATE_JOB, "champion", DAY, {"by": ...}),
}


def filled(values: dict[str, Any], by: Any) -> dict[str, Any]:
    return {
        name: by if value is ... else filled(value, by) if isinstance(value, dict) else value
        for name, value in values.items()
    }


def launch(lab: Lab, place: str, value: Any) -> str:
    """What comes of a run: `done`, `refused`, or why it failed; anything else is an error here."""
    job, asset, key, config = PLACES[place]
    op = {asset.replace("/", "__"): {"config": filled(config, value)}}
    definitions = make_definitions(lab.project, lab.storage)
    try:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=lab.instance,
            asset_selection=[dg.AssetKey(asset.split("/"))],
            tags=run_tags(key, key),
            run_config=QUIET | {"ops": op},
            raise_on_error=False,
        )
    except dg.DagsterInvalidConfigError:
        return "refused"
    if result.success:
        return "done"
    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None, failure.error
    return failure.user_failure_data.description or ""


@pytest.mark.parametrize("place", PLACES)
def test_an_odd_value_is_refused_or_told(lab: Lab, place: str) -> None:
    for odd in ODD:
        came = launch(lab, place, odd)
        assert came, (place, odd)
        assert "Traceback" not in came


@pytest.mark.parametrize("place", ["alpha", "through"])
def test_a_setting_without_a_value_is_left_out(lab: Lab, place: str) -> None:
    assert launch(lab, place, None) == "done"


@pytest.mark.parametrize("flag", [True, False])
def test_a_flag_is_no_number(lab: Lab, flag: bool) -> None:
    """Dagster takes it for one: what was sent is looked at."""
    told = f"Nothing was done: hyperparameters.alpha: {str(flag).lower()} is no number"
    assert launch(lab, "alpha", flag) == told
    assert lab.models.cards("linear")[-1].hyperparameters["alpha"] > 0


def test_a_flag_is_no_number_in_one_of_several_forms(lab: Lab) -> None:
    config = {"family": {"ridge": {"alpha": True}}}
    job = make_definitions(lab.project, lab.storage).resolve_job_def("create_model_job")
    result = job.execute_in_process(
        instance=lab.instance,
        run_config=QUIET | {"ops": {"create_model": {"config": config}}},
        raise_on_error=False,
    )
    assert reason(result) == "Nothing was done: family.ridge.alpha: true is no number"
    assert lab.models.decisions.all() == []
