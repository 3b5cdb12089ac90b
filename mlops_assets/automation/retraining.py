"""Reactions: a model that stays worse, or whose inputs stay changed, is trained again at once."""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import dagster as dg

from mlops_assets.assets.validation import compared_in_service
from mlops_assets.automation.changes import MADE
from mlops_assets.automation.requests import local_time, make_sensor, seen_of
from mlops_assets.graph.keys import asset_key, op_name
from mlops_assets.graph.partitions import Partitions, day_of, days_between, month_of
from mlops_assets.jobs.evaluate import Job, retrain_job_name
from mlops_assets.ml.monitoring.distribution import WEIGHTY
from mlops_assets.ml.monitoring.performance import LEVEL, days_judged_by
from mlops_assets.ml.selection.retraining_rule import REMEMBERED, RetrainingRule, brought_nothing
from mlops_assets.project import Cadence, Project
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore
from mlops_assets.resources.switches import paused_models

REACTION_TAG = "mlops_assets/reaction"  # the model that was trained again
REASON_TAG = "mlops_assets/reason"
THROUGH_TAG = "mlops_assets/through"
DRIFT = "drift"


@dataclass(frozen=True)
class Degradation:
    """A model in service that failed its checks on most of the last days, and how."""

    model: str
    why: str


Unsettled = Callable[[str, int], set[str]]
"""Of an asset whose verdicts rest on so many days before, the days that are to be judged anew."""
FindDegraded = Callable[
    [Project, DatasetStore, ModelStore, Sequence[str], Unsettled], list[Degradation]
]


def _none(_: str, __: int) -> set[str]:
    return set()


def make_reaction_sensors(
    project: Project, partitions: Partitions, jobs: Sequence[Job], storage: Storage
) -> list[dg.SensorDefinition]:
    """The sensors that ask for a training off the cadence, on by default."""
    rule, newest, unit = project.reactions, project.newest_day_in_words, project.grain

    def sensor(
        name: str, find: FindDegraded, model: str, checks: Collection[str], nothing: str
    ) -> dg.SensorDefinition:
        def requests(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
            # made anew for each tick, since stores keep what they have read
            datasets, models = DatasetStore(storage), ModelStore(storage)
            now = local_time(project)
            days = partitions.last_days(rule.days, now)
            if not days:
                return []
            found = find(
                project, datasets, models, days, partial(unsettled, instance, project, days)
            )
            return trainings(instance, project, datasets, models, found, days[-1], now)

        return make_sensor(
            name,
            project,
            jobs,
            requests,
            seconds=300,
            nothing=nothing,
            seen=partial(seen_of, project=project),
            description=(
                f"Trains {model} again, through {newest}, when {' or '.join(checks)} failed on "
                f"{rule.failures} of the last {rule.days} {unit}s and {newest}; at most once in "
                f"{rule.cool_down_days} {unit}s, and half as often after each time that it brought "
                "nothing. A paused model is left alone."
            ),
        )

    worse = f"No model in service has become worse for {unit}s."
    drifted = f"Nothing that the champion depends on has drifted for {unit}s."
    return [
        sensor("performance_sensor", degraded_models, "a model", LEVEL, worse),
        sensor("drift_sensor", drifted_models, "the champion", WEIGHTY, drifted),
    ]


def degraded_models(
    project: Project,
    datasets: DatasetStore,
    models: ModelStore,
    days: Sequence[str],
    unsettled: Unsettled = _none,
) -> list[Degradation]:
    """The models whose version in service became worse and stayed so through the newest day."""
    found = []
    back = days_judged_by(project.performance)
    for model in project.models:
        asset = f"validation/{model.name}"
        left_out = unsettled(asset, back)
        why = _stayed_bad(project, datasets, models, model.name, asset, LEVEL, days, left_out)
        if why is not None:
            found.append(Degradation(model.name, why))
    return found


def drifted_models(
    project: Project,
    datasets: DatasetStore,
    models: ModelStore,
    days: Sequence[str],
    unsettled: Unsettled = _none,
) -> list[Degradation]:
    """The champion whose inputs or forecasts drifted and stayed so through the newest day."""
    newest = datasets.read(DRIFT, days[-1:], {})
    if newest.empty:
        return []
    name = str(newest["model"].iloc[0])
    left_out = unsettled(DRIFT, project.drift.window_days - 1)
    why = _stayed_bad(project, datasets, models, name, DRIFT, WEIGHTY, days, left_out)
    return [] if why is None else [Degradation(name, why)]


def unsettled(
    instance: dg.DagsterInstance, project: Project, days: Sequence[str], asset: str, back: int
) -> set[str]:
    """Days that are to be judged anew: older than rows of them, or of so many days before.

    What they failed of may have been mended since.
    """

    def made(name: str, since: dt.date) -> dict[str, int]:
        keys = set(days_between(since, day_of(days[-1]) + dt.timedelta(days=1)))
        key = asset_key(project, *name.split("/"))
        return dict(instance.get_latest_storage_id_by_partition(key, MADE, partitions=keys))

    first = day_of(days[0])
    rows = made("observations", project.due.back(first, back))
    found = set()
    for day, number in made(asset, first).items():
        since = str(project.due.back(day_of(day), back))
        if any(since <= other <= day and rows[other] > number for other in rows):
            found.add(day)
    return found


def _stayed_bad(
    project: Project,
    datasets: DatasetStore,
    models: ModelStore,
    name: str,
    asset: str,
    checks: Collection[str],
    days: Sequence[str],
    left_out: Collection[str],
) -> str | None:
    """Why an asset of a model counts as failing checks persistently; None where it does not.

    Not the days that are to be left out.
    Of the last days those count whose rows are of the version that serves now: an older one's do
    not count against it, which is first given its chance.
    """
    try:
        card = models.in_service(name, project.day_to_come(day_of(days[-1])))
    except StorageError:
        return None  # the evaluation of the day has said so
    rows = datasets.read(asset, days, {})
    if card is None or rows.empty:
        return None
    served = set(rows.loc[rows["version"] == card.version, "date"].dt.date)
    rule, newest_day = RetrainingRule(project.reactions, project.due), day_of(days[-1])
    year_before = [str(day) for day in rule.days_of_year_before(newest_day)]
    rows = CheckStore(datasets).read([asset], [*year_before, *days], {})
    failing = rows[rows["check"].isin(checks) & ~rows["passed"].astype(bool)]
    failing = failing[~failing["date"].dt.strftime("%Y-%m-%d").isin(left_out)]
    every = {date.date() for date in failing["date"]}
    dates = rule.persistent(every & served, newest_day, every)
    if not dates:
        return None
    newest = failing[failing["date"] == failing["date"].max()]
    reasons = "; ".join(f"{row['check']}: {row['why']}" for row in newest.to_dict("records"))
    return f"failed on {len(dates)} of the last {project.due.in_words(len(days))}: {reasons}"


def trainings(
    instance: dg.DagsterInstance,
    project: Project,
    datasets: DatasetStore,
    models: ModelStore,
    degradations: Sequence[Degradation],
    through: str,
    now: dt.datetime,
) -> list[dg.RunRequest]:
    """A training through the newest day of each model that is not paused or cooling down."""
    left_alone = paused_models(instance, project)
    left_alone |= {model.name for model in project.models if model.cadence == Cadence.MANUAL}
    return [
        dg.RunRequest(
            run_key=f"reaction:{found.model}:{through}",
            job_name=retrain_job_name(found.model),
            partition_key=month_of(now.date()),
            asset_selection=[asset_key(project, "models", found.model)],
            run_config={
                "ops": {op_name(project, "models", found.model): {"config": {"through": through}}}
            },
            tags={
                REACTION_TAG: _tag_value(project, found.model),
                THROUGH_TAG: through,
                REASON_TAG: found.why,
            },
        )
        for found in degradations
        if found.model not in left_alone
        and now.date() >= cooled_down(instance, project, datasets, models, found.model)
    ]


def _tag_value(project: Project, name: str) -> str:
    """A model as the tag of its reactions names it, unlike that of the same name elsewhere."""
    return f"{project.prefix}/{name}" if project.prefix else name


def cooled_down(
    instance: dg.DagsterInstance,
    project: Project,
    datasets: DatasetStore,
    models: ModelStore,
    name: str,
) -> dt.date:
    """The day from which on a model may be trained again.

    The cool-down doubles with each of the newest trainings that brought nothing: a version that
    was not accepted, or that is no better than the one before it on the days it served.
    """
    runs = instance.get_run_records(
        dg.RunsFilter(tags={REACTION_TAG: _tag_value(project, name)}),
        limit=REMEMBERED,
        ascending=False,
    )
    if not runs:
        return dt.date.min
    through = (dt.date.fromisoformat(record.dagster_run.tags[THROUGH_TAG]) for record in runs)
    fruitless = (was_fruitless(project, datasets, models, name, last) for last in through)
    newest = project.day_of(runs[0].create_timestamp)
    return RetrainingRule(project.reactions, project.due).rests_until(newest, fruitless)


def was_fruitless(
    project: Project, datasets: DatasetStore, models: ModelStore, name: str, through: dt.date
) -> bool:
    """Whether the version trained through a day was refused, or is no gain so far.

    False while it has not served a day, or where its training failed.
    """
    try:
        trained = [card for card in models.cards(name, {}) if card.trained_through == through]
        fit = models.fit_to_serve(name)
    except StorageError:
        return False
    if not trained:
        return False
    card = trained[-1]
    _, compared = compared_in_service(project, card, project.today(), datasets)
    gain = None if compared.empty else float(compared["gain"].iloc[0])
    return bool(brought_nothing(refused=card not in fit, gain=gain))
