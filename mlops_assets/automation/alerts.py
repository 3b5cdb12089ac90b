"""Alerts: one message when something goes wrong, one when it is right again."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from mlops_assets.assets.checks import observation_checks
from mlops_assets.assets.freshness import EVALUATION_HOURS
from mlops_assets.assets.reporting import markdown_table
from mlops_assets.automation.changes import Log
from mlops_assets.automation.requests import local_time, seen_of
from mlops_assets.graph.keys import asset_key, asset_page, daily_keys, own_parts
from mlops_assets.graph.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    Partitions,
    day_of,
    days_between,
)
from mlops_assets.graph.runs import is_own
from mlops_assets.jobs.evaluate import EVALUATE_JOB, HISTORY_TAG
from mlops_assets.lazy import pd
from mlops_assets.ml.monitoring.distribution import WEIGHTY
from mlops_assets.ml.monitoring.performance import TOLD
from mlops_assets.ml.monitoring.quality import TARGET_RANGE
from mlops_assets.ml.monitoring.sequential import WEEK
from mlops_assets.project import Project
from mlops_assets.resources.notifier import Notifier, messages
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.alert_records import Alert, Alerts, Kind
from mlops_assets.resources.stores.champions import CHAMPION
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.switches import EVALUATION_SCHEDULE, paused_schedules
from mlops_assets.resources.web import web_url

ALERTS = "alerts"
GROUP = "monitoring"
SHOWN = 20
MOST_RUNS = 500
WARNS = "warns:"  # how the keys of problems begin that last for as long as checks warn

Work = set[tuple[dg.AssetKey, str]]
"""Assets with the partition of each that a run was to make; an empty one where it has none."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong now, or a change that somebody should know."""

    kind: Kind
    key: str
    subject: str
    text: str
    path: str
    digest: bool = False

    def alert(self, at: dt.datetime) -> Alert:
        return Alert(
            at=at,
            kind=self.kind,
            key=self.key,
            subject=self.subject,
            text=self.text,
            url=web_url(self.path),
            digest=self.digest,
        )


def make_alerts_asset(project: Project) -> dg.AssetSpec:
    """The external asset `alerts`."""
    return dg.AssetSpec(
        asset_key(project, ALERTS),
        description=(
            "What went wrong, changed or recovered of late, newest first; never materialized as "
            "long as there was nothing to tell."
        ),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"json"},
    )


def make_alert_sensor(
    project: Project, partitions: Partitions, storage: Storage
) -> dg.SensorDefinition:
    """The sensor that tells problems, champion changes and recoveries, once each."""
    alerts, notifier = Alerts(storage), Notifier(storage)
    key = asset_key(project, ALERTS)

    @dg.sensor(
        name="alert_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells failed runs and checks, missed evaluations, changes of the champion and "
            "recoveries, once each: on the asset `alerts`, in its log, and to the channels in "
            "MLOPS_ALERT_URLS. Requests no run."
        ),
    )
    def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = local_time(project)
        before = set(alerts.all())
        seen = _seen(context.instance, project, now)
        if seen != context.cursor:  # else no problem can have come or gone
            datasets = DatasetStore(storage)  # anew: it keeps what it has read
            problems = find_problems(context.instance, project, partitions, datasets, now)
            recent = partitions.last_days(project.schedule.catch_up_days, now)
            changes = champion_changes(project, datasets, recent)
            tell(alerts, problems, changes, now, project.schedule.catch_up_days)
        damaged: list[str] = []
        known = alerts.all(damaged)
        for url in damaged:
            context.log.warning(f"{url} is no alert and left out; delete it")
        for message in messages({name: known[name] for name in known if name not in before}):
            context.log.warning(f"{message.title}\n{message.body}")
        sent = notifier.deliver(known, now, context.log.warning)
        if len(known) == len(before) and not sent:
            return dg.SensorResult(skip_reason="Nothing new to tell.", cursor=seen)
        shown = summary(key, alerts, notifier, known, sent, now)
        return dg.SensorResult(asset_events=[shown], cursor=seen)

    return alert_sensor


def _seen(instance: dg.DagsterInstance, project: Project, now: dt.datetime) -> str:
    """What problems come and go with, as text: events, runs, switches, and the hour."""
    newest = instance.get_run_records(limit=1, order_by="update_timestamp")
    runs = [f"{record.dagster_run.run_id} {record.dagster_run.status.value}" for record in newest]
    return " ".join([seen_of(instance, project), f"{now:%Y-%m-%d %H}", *runs])


def tell(
    alerts: Alerts,
    problems: dict[str, Problem],
    changes: dict[str, Problem],
    now: dt.datetime,
    watched_days: int,
) -> None:
    """Record what is new: a problem, a change, or the end of a problem."""
    still, known = alerts.open(), alerts.keys()
    for key, problem in problems.items():
        if key not in still:
            alerts.record(problem.alert(now))
    for key, change in changes.items():
        if key not in known:
            alerts.record(change.alert(now))
    for key, alert in still.items():
        if key in problems:
            continue
        old = now - alert.at > dt.timedelta(days=watched_days) and not key.startswith(WARNS)
        end = Alert(
            at=now,
            kind=Kind.LET_GO if old else Kind.RECOVERED,
            key=f"recovered:{key}",
            subject=f"{'no longer watched' if old else 'recovered'}: {alert.subject}",
            text=(
                f"It is older than the {watched_days} days that are watched."
                if old
                else f"What was told at {alert.at:%Y-%m-%d %H:%M} is no longer so."
            ),
            url=alert.url,
            recovers=key,
            digest=alert.digest,
        )
        alerts.record(end)


def summary(
    key: dg.AssetKey,
    alerts: Alerts,
    notifier: Notifier,
    known: dict[str, Alert],
    sent: int,
    now: dt.datetime,
) -> dg.AssetMaterialization:
    """The newest alerts as the page of `alerts` shows them."""
    still = alerts.open()
    rows = [
        [
            f"{alert.at:%Y-%m-%d %H:%M}",
            alert.subject.replace("|", "\\|").replace("\n", " "),
            "open" if still.get(alert.key) == alert else str(alert.kind).replace("_", " "),
            f"[show]({alert.url})",
        ]
        for alert in list(known.values())[: -SHOWN - 1 : -1]
    ]
    return dg.AssetMaterialization(
        key,
        metadata={
            "newest": markdown_table(["when", "what", "state", "link"], rows),
            "open": len(still),
            "delivered": sent,
            "pending": notifier.pending(known, now),
        },
    )


def find_problems(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    datasets: DatasetStore,
    now: dt.datetime,
) -> dict[str, Problem]:
    """The problems that there are now, by key.

    A day that a severe check has refused is told by that check, not again by the run that failed
    of it; a missed evaluation only where neither says why.
    """
    recent = partitions.last_days(project.schedule.catch_up_days, now)
    refused = failed_checks(project, datasets, recent)
    failed, days = failed_runs(instance, project, now, set(refused))
    missed = missed_evaluation(instance, project, partitions, now, days | set(refused))
    warned = warnings(project, datasets, recent)
    return {problem.key: problem for problem in [*refused.values(), *failed, *missed, *warned]}


def _subject(project: Project, text: str) -> str:
    """What an alert is about; of which project, where channels hear of several."""
    return f"{project.prefix}: {text}" if project.prefix else text


def failed_checks(
    project: Project, datasets: DatasetStore, recent: Sequence[str]
) -> dict[str, Problem]:
    """The recent days whose observations a severe check has refused."""
    found = CheckStore(datasets).read(["observations"], recent, {})
    reasons: dict[str, list[str]] = {}
    for row in found.to_dict("records"):
        if row["severe"] and not row["passed"]:
            reasons.setdefault(f"{row['date']:%Y-%m-%d}", []).append(
                f"{row['check']}: {row['why']}"
            )
    return {
        day: Problem(
            Kind.CHECK_FAILED,
            f"check_failed:observations:{day}",
            _subject(project, f"observations of {day} are refused"),
            "\n".join(why) + "\nCorrect the source and run the day again.",
            f"{asset_page(project, 'observations')}?view=checks&partition={day}",
        )
        for day, why in reasons.items()
    }


def warnings(project: Project, datasets: DatasetStore, recent: Sequence[str]) -> Iterator[Problem]:
    """What checks warn of: the data of the newest day, and changes that last.

    What changed of the target, of the champion or of its inputs is told once, together, and is over
    when a week has passed without.
    """
    decided = datasets.read(CHAMPION, recent, {})
    groups: dict[str, tuple[str, tuple[str, ...], int]] = {
        f"observations:{check}": ("observations", (check,), WEEK if check == TARGET_RANGE else 1)
        for check in observation_checks(project)
    }
    groups["drift"] = ("drift", WEIGHTY, WEEK)
    if len(decided):
        champion = f"validation/{decided['champion'].iloc[-1]}"
        groups[champion] = (champion, TOLD, WEEK)
    found = CheckStore(datasets).read({asset for asset, *_ in groups.values()}, recent, {})
    found = found[~found["severe"].astype(bool)]
    for key, (asset, checks, days) in groups.items():
        rows = found[(found["asset"] == asset) & found["check"].isin(checks)]
        rows = rows[rows["date"] > rows["date"].max() - pd.Timedelta(days=days)]
        failed = rows[~rows["passed"].astype(bool)]
        if failed.empty:
            continue
        newest = failed[failed["date"] == failed["date"].max()]
        day, names = f"{newest['date'].iloc[0]:%Y-%m-%d}", ", ".join(newest["check"])
        yield Problem(
            Kind.CHECK_FAILED,
            f"{WARNS}{key}",
            _subject(project, f"{names} of {asset} warn{'' if ',' in names else 's'} on {day}"),
            "\n".join(f"{row['check']}: {row['why']}" for row in newest.to_dict("records")),
            f"{asset_page(project, *asset.split('/'))}?view=checks&partition={day}",
        )


def failed_runs(
    instance: dg.DagsterInstance, project: Project, now: dt.datetime, refused: set[str]
) -> tuple[list[Problem], set[str]]:
    """The recent failed runs whose work is still to be done, and the partitions of that work.

    A run that failed at the same work again is no problem of its own.
    """
    since = now - dt.timedelta(days=project.schedule.catch_up_days)
    failure = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=since)
    told: dict[str, Work] = {}
    problems, partitions = [], set()
    for record in reversed(instance.get_run_records(failure, limit=MOST_RUNS)):
        run = record.dagster_run
        if not is_own(run, project):
            continue
        work = planned(run, project)
        wanted = {item for item in work if item[1] not in refused}
        left = set(_undone(instance, wanted, record.create_timestamp))
        if not left if work else _succeeded_since(instance, project, record):
            continue
        earlier = told.setdefault(run.job_name, set())
        days = _partitions_of(run)
        if left and left <= earlier:
            continue
        earlier |= left
        partitions |= {partition for _, partition in left}
        of = "" if not days else f" of {days[0]}" if len(days) == 1 else f" of {days[0]} on"
        problems.append(
            Problem(
                Kind.RUN_FAILED,
                f"run_failed:{run.job_name}:{'-'.join(days[:1] + days[-1:])}",
                _subject(project, f"{run.job_name}{of} failed"),
                "Its page names the step and the reason; what is missing of the last days is tried "
                "again by itself, anything else once it is run again.",
                f"runs/{run.run_id}",
                digest=HISTORY_TAG in run.tags,
            )
        )
    return problems, partitions


def planned(run: dg.DagsterRun, project: Project) -> Work:
    """What a run was to make; nothing where it makes no assets that are known here."""
    selected = {key for key in run.asset_selection or () if own_parts(project, key)}
    if not selected and run.job_name == EVALUATE_JOB:
        selected = set(daily_keys(project))
    if not selected:
        names = [model.name for model in project.models if f"_{model.name}_job" in run.job_name]
        selected = {asset_key(project, "models", name) for name in names}
    partitions = _partitions_of(run)
    return {(key, partition) for key in selected for partition in partitions}


def _partitions_of(run: dg.DagsterRun) -> list[str]:
    if PARTITION in run.tags:
        return [run.tags[PARTITION]]
    if RANGE_START not in run.tags:
        return []
    first, last = (day_of(run.tags[tag]) for tag in (RANGE_START, RANGE_END))
    return days_between(first, last + dt.timedelta(days=1))


def _undone(
    instance: dg.DagsterInstance, work: Work, started: dt.datetime
) -> Iterator[tuple[dg.AssetKey, str]]:
    """The part of a run's work that was materialized neither by itself nor since."""
    for key in {key for key, _ in work}:
        wanted = {partition for other, partition in work if other == key}
        since = dg.AssetRecordsFilter(
            asset_key=key,
            asset_partitions=sorted(wanted),
            after_timestamp=started.timestamp(),
        )
        made = instance.fetch_materializations(since, limit=1000).records
        yield from (
            (key, missing) for missing in wanted - {record.partition_key for record in made}
        )


def _succeeded_since(instance: dg.DagsterInstance, project: Project, record: dg.RunRecord) -> bool:
    """Whether a run of the same job was started later and succeeded."""
    later = dg.RunsFilter(
        job_name=record.dagster_run.job_name,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        created_after=record.create_timestamp,
    )
    return any(is_own(run, project) for run in instance.get_runs(later, limit=MOST_RUNS))


def missed_evaluation(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    now: dt.datetime,
    explained: set[str],
) -> list[Problem]:
    """The newest day, when it has no leaderboard two hours after its schedule had its hour."""
    newest = partitions.newest_day(now)
    by = min(project.schedule.evaluate_hour + EVALUATION_HOURS, 23)
    if newest is None or now.hour < by:
        return []
    if newest < partitions.first_month or str(newest) in explained:
        return []
    if EVALUATION_SCHEDULE in paused_schedules(instance, project):
        return []
    boards = asset_key(project, "leaderboard").to_user_string()
    if Log(instance).made_keys(boards, [str(newest)]):
        return []
    return [
        Problem(
            Kind.EVALUATION_MISSED,
            f"evaluation_missed:{newest}",
            _subject(project, f"{newest} is not evaluated"),
            f"It was due by {by}:00. See under Automation whether its schedule runs, and under "
            "Runs whether a run waits.",
            "automation",
        )
    ]


def champion_changes(
    project: Project, datasets: DatasetStore, recent: Sequence[str]
) -> dict[str, Problem]:
    """The changes of the champion that were decided on recent days, by key."""
    changes = {}
    decided = ""
    for row in datasets.read(CHAMPION, recent, {}).to_dict("records"):
        # while targets are not known yet, another than that of the day may be decided already
        replaced = row["champion"]
        if project.evaluation.label_delay_days and decided:
            replaced = decided
        decided = str(row["next_champion"])
        if decided == replaced:
            continue
        change = Problem(
            Kind.CHAMPION_CHANGED,
            f"champion_changed:{row['next_since']}:{row['next_champion']}",
            _subject(
                project,
                f"{row['next_champion']} is champion from {row['next_since']}, after {replaced}",
            ),
            str(row["next_why"]),
            f"{asset_page(project, CHAMPION)}?partition={row['date']:%Y-%m-%d}",
        )
        changes[change.key] = change
    return changes
