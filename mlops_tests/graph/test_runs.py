"""A run is of the project whose assets it makes, or whose job it is."""

from collections.abc import Iterator
from types import SimpleNamespace

import dagster as dg
import pytest

from mlops_assets.automation.requests import make_sensor
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.runs import PROJECT_TAG, is_own, unfinished_runs
from mlops_assets.jobs.evaluate import EVALUATE_JOB, make_jobs
from mlops_assets.project import Project, load_project
from mlops_assets.resources.switches import paused_models

ONE = load_project()
FISH, MEAT = (ONE.model_copy(update={"name": name, "prefix": name}) for name in ("fish", "meat"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def run_of(project: Project, *parts: str, **tags: str) -> dg.DagsterRun:
    """A run under way: of an asset, where one is named."""
    return dg.DagsterRun(
        job_name=EVALUATE_JOB,
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset([asset_key(project, *parts)]) if parts else None,
        tags={PROJECT_TAG: project.prefix, **tags} if project.prefix and not parts else tags,
    )


@pytest.mark.parametrize("parts", [(), ("drift",), ("models", "linear")])
@pytest.mark.parametrize("project", [ONE, FISH, MEAT], ids=["one", "fish", "meat"])
def test_a_run_is_of_one_project(project: Project, parts: tuple[str, ...]) -> None:
    run = run_of(project, *parts)
    assert [other for other in (ONE, FISH, MEAT) if is_own(run, other)] == [project]


def test_jobs_of_one_of_several_carry_its_name() -> None:
    assert all(job.tags == {PROJECT_TAG: "fish"} for job in make_jobs(FISH))
    assert not any(job.tags for job in make_jobs(ONE))


def test_a_sensor_waits_for_runs_of_its_own_project(instance: dg.DagsterInstance) -> None:
    instance.add_run(run_of(FISH, "drift"))
    assert unfinished_runs(instance, FISH)
    assert not unfinished_runs(instance, FISH, {"some": "tag"})
    assert not unfinished_runs(instance, ONE)
    for project, said in ((FISH, "Waiting for a run"), (MEAT, "Nothing."), (ONE, "Nothing.")):
        sensor = make_sensor(
            "any_sensor",
            project,
            make_jobs(project),
            lambda _: [],
            seconds=60,
            nothing="Nothing.",
            description="Finds nothing.",
        )
        result = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        assert (result.skip_message or "").startswith(said)


def test_a_model_is_paused_in_its_own_project(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(place: str) -> SimpleNamespace:
        return SimpleNamespace(
            name="retrain_linear_schedule",
            status=SimpleNamespace(value="STOPPED"),
            origin=SimpleNamespace(location_name=place),
        )

    def paused(project: Project, *places: str) -> set[str]:
        instance = SimpleNamespace(
            schedule_storage=object(), all_instigator_state=lambda: [*map(stopped, places)]
        )
        return paused_models(instance, project)  # type: ignore[arg-type]

    names = lambda: ["", "fish", "meat"]  # noqa: E731
    monkeypatch.setattr("mlops_assets.resources.switches.project_names", names)
    assert paused(FISH, "fish") == {"linear"}
    assert paused(MEAT, "fish") == paused(ONE, "fish", "meat") == set()
    assert paused(ONE, "mlops_assets") == paused(ONE, "of any name") == {"linear"}
