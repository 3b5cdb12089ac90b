"""The job tries policies as the live system would have served, and changes nothing of it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.definitions import make_definitions
from mlops_assets.jobs.backtest import BACKTEST_JOB
from mlops_assets.jobs.backtesting.plan import make_plan
from mlops_assets.jobs.backtesting.policy_config import DEFAULT_POLICIES, DIALS, backtest_config
from mlops_assets.ml.backtest.policies import MEANINGS
from mlops_assets.pages.policies_page import policies_page
from mlops_assets.pages.shelf import Shelf
from mlops_tests import clock
from mlops_tests.assets.lab import QUIET, Lab, make_settings, reason
from mlops_tests.small import REPOSITORY

MONTHLY = {"name": "monthly"}
NEVER = {"name": "never", "cadence": "never", "triggers": ["drift"], "failures": 2}
TOO_LONG = {"name": "too | long", "window_months": 2}


def run(lab: Lab, **config: Any) -> dg.ExecuteInProcessResult:
    job = make_definitions(lab.project, lab.storage).resolve_job_def(BACKTEST_JOB)
    return job.execute_in_process(
        instance=lab.instance,
        run_config=QUIET | {"ops": {"backtest_policy": {"config": config}}},
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [output] = [event for event in result.all_node_events if event.is_successful_output]
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def files(lab: Lab) -> dict[str, bytes]:
    root = Path(lab.storage.root)
    return {
        str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()
    }


def test_a_replay_is_what_was_live_and_touches_nothing(lab: Lab) -> None:
    assert lab.run("validation/linear", "2026-02-01", "2026-03-31").success
    before, events = files(lab), len(lab.instance.get_asset_keys())
    materialized = lab.done("validation/linear")
    result = run(lab, policies=[MONTHLY, NEVER, TOO_LONG])
    assert result.success, reason(result)
    found = metadata(result)
    folder = f"policies/{result.run_id}"
    after = files(lab)
    assert {name for name in after if name not in before} == {
        f"{folder}/days.parquet",
        f"{folder}/policies.json",
    }
    assert {name: after[name] for name in before} == before
    assert len(lab.instance.get_asset_keys()) == events
    assert lab.done("validation/linear") == materialized

    days = pd.read_parquet(Path(lab.storage.root, folder, "days.parquet"))
    monthly = days[days["policy"] == "monthly"].set_index("date")["value"]
    live = {
        day: lab.metadata("validation/linear", day)["wmape_reconstructed"]
        for day in ("2026-02-01", "2026-02-28", "2026-03-01", "2026-03-31")
    }
    assert len(monthly) == 28 + 31
    for day, value in live.items():
        assert monthly[day] == pytest.approx(value, rel=1e-5), day

    stored = json.loads((Path(lab.storage.root, folder) / "policies.json").read_text())
    assert [row["policy"] for row in stored["table"]] == ["monthly", "never", "too | long"]
    assert stored["policies"][0]["trainings"][1]["trained_through"] == "2026-02-28"
    assert stored["policies"][1]["reactions"] == {"days": 5, "failures": 2, "cool_down_days": 14}
    assert [row["problem"] == "" for row in stored["table"]] == [True, True, False]
    assert "too \\| long" in found["policies"]
    assert "(or set first_day to 2026-03-01" in found["policies"]
    assert found["page"].endswith("/policies")
    assert found["results"] == lab.storage.url(folder)
    parts = policies_page(Shelf(lab.storage, lambda: lab.project).look([])).parts
    shown = {part.name: part.frame() for part in parts}
    assert shown["table"]["policy"].tolist() == ["monthly", "never", "too | long"]
    assert len(shown["weekly"]) == len(days)


def test_other_recipes_that_were_tried_are_noted(lab: Lab) -> None:
    stiff = {"name": "stiff", "hyperparameters": {"alpha": 50.0}}
    stiff_too = {**stiff, "name": "stiff too", "cadence": "never"}
    result = run(lab, policies=[MONTHLY, stiff, stiff_too, {**TOO_LONG, "hyperparameters": {}}])
    assert result.success, reason(result)
    [search] = lab.models.decisions.all()
    assert (search.action, search.model, search.run_id) == ("search", "linear", result.run_id)
    days = {"first_day": "2026-02-01", "last_day": "2026-03-31"}
    # once, and not what could not be tried
    assert search.after == days | {"tried": ["alpha 50.0"]}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model": "oracle"}, "'oracle' is no model; the models are: seasonal_naive, linear"),
        ({"policies": []}, "0 policies; name at least one"),
        ({"policies": [{"name": " "}]}, "'' is no name of a policy"),
        ({"policies": [MONTHLY, MONTHLY]}, "more than one policy is called 'monthly'"),
        (
            {"policies": [{"name": "a", "triggers": ["moon"]}]},
            "policy 'a': 'moon' is no trigger; the triggers are: performance, drift",
        ),
        ({"policies": [{"name": "a", "cadence": "daily"}]}, "policy 'a': 'daily' is no cadence"),
        ({"policies": [{"name": "a", "failures": 9}]}, "policy 'a': ReactionSettings = "),
        ({"policies": [{"name": "a", "performance_width": 0.1}]}, "width = 0.1: Input should be"),
        (
            {"policies": [{"name": "a", "hyperparameters": {"alpha": -1}}]},
            "policy 'a': hyperparameters of ridge: alpha = -1",
        ),
        ({"first_day": "soon"}, "first_day = 'soon' is no day"),
        ({"last_day": "2026-04-01"}, "those from 2026-02-01 to 2026-03-31 can"),
        ({"first_day": "2026-01-31"}, "the days from 2026-01-31 to 2026-03-31 cannot be replayed"),
        ({"first_day": "2026-03-02", "last_day": "2026-03-01"}, "cannot be replayed"),
        ({"policies": [{"name": "a", "window_months": 12}]}, "hold no window of 12 months"),
    ],
)
def test_bad_input_is_refused_before_any_work(lab: Lab, config: dict[str, Any], said: str) -> None:
    usual = {"model": "linear", "first_day": "", "last_day": "", "policies": [MONTHLY]}
    asked = backtest_config(lab.project)(**usual | config).model_dump()
    with pytest.raises(ValueError, match=re.escape(said)):
        make_plan(lab.project, lab.datasets, asked)


def test_a_refusal_fails_the_run_with_the_reason(empty_lab: Lab) -> None:
    result = run(empty_lab)
    assert reason(result) == (
        "Nothing was replayed: no features are stored; materialize observations and features first"
    )


def test_where_no_policy_can_begin_the_run_fails_with_the_reasons(lab: Lab) -> None:
    settings = make_settings()
    settings["training"]["holdout_days"] = 10  # a week of three series is little to be sure by
    lab.write(settings=settings)
    stiff = {"name": "stiff", "hyperparameters": {"alpha": 1_000_000}}
    result = run(lab, policies=[stiff], first_day="2026-03-01")
    assert reason(result).startswith(
        "No policy could be tried:\nstiff: the first version was not accepted: beats_baseline"
    )
    assert not lab.storage.exists("policies")


def test_the_launchpad_explains_every_field_and_starts_from_policies_to_compare(lab: Lab) -> None:
    fields = backtest_config(lab.project).to_fields_dict()
    assert fields["policies"].default_value == DEFAULT_POLICIES
    assert all(field.description for field in fields.values())
    config = backtest_config(lab.project)(policies=[MONTHLY])
    [policy] = config.policies  # type: ignore[attr-defined]
    described = {name: field.description for name, field in type(policy).model_fields.items()}
    assert all(described.values())
    assert described["failures"].endswith(
        "(at least 1, at most 60). Left out: 3, as reactions.failures."
    )
    config = backtest_config(lab.project)(policies=DEFAULT_POLICIES)
    plan = make_plan(lab.project, lab.datasets, config.model_dump())
    assert [policy.name for policy in plan.policies] == [p["name"] for p in DEFAULT_POLICIES]


def test_the_command_of_the_documentation_runs_as_written(lab: Lab) -> None:
    text = (REPOSITORY / "docs" / "policies.md").read_text(encoding="utf-8")
    [command] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (lab.folder / "home").mkdir()
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, lab.folder)
    environment = os.environ | {
        "MLOPS_PROJECT": str(lab.folder / "project.yaml"),
        "MLOPS_ROOT": lab.storage.root,
        "DAGSTER_HOME": str(lab.folder / "home"),
        **clock.environment(REPOSITORY),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=lab.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    [folder] = lab.storage.names("policies")
    stored = json.loads(lab.storage.read(f"policies/{folder}/policies.json"))
    assert [row["problem"] for row in stored["table"]] == [""] * 4
    assert len(stored["policies"][1]["trainings"]) == 1 + 5, "every 10 days of 59"
    assert stored["policies"][3]["hyperparameters"] == {"alpha": 100.0}


def test_every_field_and_column_is_documented() -> None:
    text = (REPOSITORY / "docs" / "policies.md").read_text(encoding="utf-8")
    for name in ("cadence", "triggers", "hyperparameters", *DIALS):
        assert f"`{name}`" in text
    for column in MEANINGS:
        assert f"| {column} |" in text
    links = re.findall(r"\]\(([^)#]+)[)#]", text)
    assert all((REPOSITORY / "docs" / link).exists() for link in links)
