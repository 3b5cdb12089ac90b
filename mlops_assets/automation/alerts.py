"""Alerts: one message when something goes wrong, one when it is right again."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import dagster as dg

from mlops_assets.assets.reporting import markdown_table
from mlops_assets.automation.failed_checks import CHECKS_FAILED, REFUSED, failed_day, refused_days
from mlops_assets.automation.problems import (
    Problem,
    catching_up_since,
    champion_changes,
    failed_runs,
    is_let_go,
    long_runs,
    missed_evaluations,
    unreadable_versions,
)
from mlops_assets.automation.requests import local_time, seen_of
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions
from mlops_assets.graph.runs import end_lost_runs, is_own, unfinished_runs
from mlops_assets.project import Project
from mlops_assets.resources.notifier import Notifier, messages
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.alert_records import Alert, Alerts, Kind
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import ModelStore

ALERTS = "alerts"
GROUP = "monitoring"
CATCHING_UP_SECONDS = 300.0  # from the end of a run to the next, which sensors ask for, at most
SHOWN, SHOWN_OPEN = 20, 3  # the web UI folds a longer table up
HEADER = ["when", "severity", "what", "state", "link"]


def make_alerts_asset(project: Project) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(project, ALERTS),
        description=(
            "What is open, and what went wrong, changed or recovered of late, newest first."
        ),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"json"},
    )


def make_alert_sensor(
    project: Project, partitions: Partitions, storage: Storage
) -> dg.SensorDefinition:
    """The sensor that tells problems, champion changes and recoveries, once each."""
    alerts, notifier = Alerts(storage), Notifier(storage, project.alerts.variables)
    key = asset_key(project, ALERTS)

    @dg.sensor(
        name="alert_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells failed runs, refused days, missed evaluations, changes of the champion and "
            "recoveries, once each, and what the checks of the newest day found, in one message: "
            "on the asset `alerts`, in its log, and to the channels that the settings name. "
            "Ends runs whose process is gone, for which the others would wait. Requests no run."
        ),
    )
    def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = local_time(project)
        before = set(alerts.all())
        for run in end_lost_runs(context.instance, project):
            context.log.warning(f"ended {run.job_name} ({run.run_id}), whose process is gone")
        long = long_runs(context.instance, project)
        busy = bool(unfinished_runs(context.instance, project))
        goes_on = busy or is_catching_up(context, project)
        seen = " ".join([_seen(context.instance, project, now), *(run.key for run in long)])
        seen += " catching up" * goes_on
        if seen != context.cursor:  # else no problem can have come or gone
            datasets = DatasetStore(storage)  # anew: it keeps what it has read
            recent = partitions.last_days(project.schedule.catch_up_days, now)
            still = alerts.open()
            problems = find_problems(
                context.instance, project, partitions, datasets, now, told=still
            ) | {problem.key: problem for problem in long}
            for name in {*problems, *still}:
                missed = goes_on and name.startswith(Kind.EVALUATION_MISSED)
                if missed or (busy and name == CHECKS_FAILED):
                    # the day is not all there yet: what was told of it stands as it is
                    problems.pop(name, None)
                    still.pop(name, None)
            since = catching_up_since(project, now)
            old = (key for key, alert in still.items() if alert.at < since)
            unknown = {key for key in old if is_let_go(context.instance, still[key])}
            tell(project, alerts, problems, still, now, unknown)
            tell_changes(project, alerts, *champion_changes(project, datasets, recent), now)
        damaged: list[str] = []
        known = alerts.all(damaged)
        for url in damaged:
            context.log.warning(f"{url} is no alert and left out; delete it")
        for message in messages({name: known[name] for name in known if name not in before}):
            context.log.warning(f"{message.title}\n{message.body}")
        sent = notifier.deliver(known, now, context.log.warning)
        quiet = len(known) == len(before) and not sent
        if quiet and (seen == context.cursor or _shown(context.instance, key)):
            return dg.SensorResult(skip_reason="Nothing new to tell.", cursor=seen)
        shown = summary(key, alerts, notifier, known, sent, now)
        return dg.SensorResult(asset_events=[shown], cursor=seen)

    return alert_sensor


def is_catching_up(context: dg.SensorEvaluationContext, project: Project) -> bool:
    """Whether another run is to be expected: one has just ended, or the service has just begun.

    What is missing is made layer by layer, and the next one is asked for when one has ended.
    """
    now = dt.datetime.now(dt.UTC)
    before = context.last_tick_completion_time
    if before is None or now.timestamp() - before > CATCHING_UP_SECONDS:
        return True
    since = dg.RunsFilter(updated_after=now - dt.timedelta(seconds=CATCHING_UP_SECONDS))
    return any(is_own(run, project) for run in context.instance.get_runs(since))


def _seen(instance: dg.DagsterInstance, project: Project, now: dt.datetime) -> str:
    """What problems come and go with, as text: events, runs, switches, and the hour."""
    newest = instance.get_run_records(limit=1, order_by="update_timestamp")
    runs = [f"{record.dagster_run.run_id} {record.dagster_run.status.value}" for record in newest]
    return " ".join([seen_of(instance, project), f"{now:%Y-%m-%d %H}", *runs])


def _shown(instance: dg.DagsterInstance, key: dg.AssetKey) -> bool:
    return instance.get_latest_materialization_event(key) is not None


def tell(
    project: Project,
    alerts: Alerts,
    problems: Mapping[str, Problem],
    still: Mapping[str, Alert],
    now: dt.datetime,
    let_go: Collection[str] = (),
) -> None:
    """Record what is new: a problem, more or less of it, or the end of a problem.

    What has ended of a problem is told, for it may come again while the rest lasts. Of those to be
    let go, nothing says whether they last.
    """
    for key, problem in problems.items():
        if key not in still or set(problem.about) != set(still[key].about):
            alerts.record(problem.alert(project, now))
    for key, alert in still.items():
        if key in problems:
            continue
        at = f"{alert.at:%Y-%m-%d %H:%M}"
        if key in let_go:
            why = f"It was told at {at}, and no run of its kind has succeeded since."
            _end(alerts, alert, Kind.LET_GO, why, now)
        else:
            _end(alerts, alert, Kind.RECOVERED, f"What was told at {at} is no longer so.", now)


def tell_changes(
    project: Project,
    alerts: Alerts,
    changes: Mapping[str, Problem],
    decided: Collection[str],
    now: dt.datetime,
) -> None:
    """Record the changes of the champion that are new, and those that hold no longer.

    `decided` are the days whose decisions are known.
    """
    told = alerts.changes()
    for key, change in changes.items():
        if key not in told:
            alerts.record(change.alert(project, now))
    for key, alert in told.items():
        if key not in changes and alert.day in decided:
            why = "It was decided again since; the page of champion says who is."
            _end(alerts, alert, Kind.TAKEN_BACK, why, now)


ENDS = {
    Kind.LET_GO: "no longer watched",
    Kind.RECOVERED: "recovered",
    Kind.TAKEN_BACK: "taken back",
}


def _end(alerts: Alerts, alert: Alert, kind: Kind, text: str, now: dt.datetime) -> None:
    """Record that an alert is no longer so, to those who heard of it."""
    alerts.record(
        Alert(
            at=now,
            kind=kind,
            key=f"{ENDS[kind].replace(' ', '_')}:{alert.key}",
            subject=f"{ENDS[kind]}: {alert.subject}",
            text=text,
            url=alert.url,
            day=alert.day,
            page=alert.page,
            recovers=alert.key,
            severity=alert.severity,
            digest=alert.digest,
        )
    )


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
    told = list(known.values())
    rows = [
        [
            f"{alert.at:%Y-%m-%d %H:%M}",
            alert.severity,
            alert.subject.replace("|", "\\|").replace("\n", " "),
            "open" if still.get(alert.key) == alert else str(alert.kind).replace("_", " "),
            f"{f'[{alert.day}]({alert.page}) ' if alert.page else ''}[web UI]({alert.url})",
        ]
        for alert in told[: -SHOWN - 1 : -1]
    ]
    now_open = [row for row in rows if row[3] == "open"][:SHOWN_OPEN]
    quiet = f"nothing open since {told[-1].at if told else now:%Y-%m-%d %H:%M}"
    return dg.AssetMaterialization(
        key,
        metadata={
            "state": f"{len(still)} open" if still else quiet,
            **({"now_open": markdown_table(HEADER, now_open)} if now_open else {}),
            **({"newest": markdown_table(HEADER, rows)} if rows else {}),
            "open": len(still),
            "delivered": sent,
            "pending": notifier.pending(known, now),
        },
    )


def _days_told(told: Iterable[str], kind: str) -> list[str]:
    """The days of the problems of a kind, by their keys."""
    return [key.removeprefix(f"{kind}:") for key in told if key.startswith(f"{kind}:")]


def find_problems(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    datasets: DatasetStore,
    now: dt.datetime,
    told: Mapping[str, Alert] = MappingProxyType({}),
) -> dict[str, Problem]:
    """The problems that there are now, by key; `told` are those still open, however old.

    A day that a severe check has refused is told by that check, not again by the run that failed
    of it; a missed evaluation only where neither says why.
    """
    recent = partitions.last_days(project.schedule.catch_up_days, now)
    before = set(_days_told(told, REFUSED)) - set(recent)
    refused = refused_days(project, datasets, [*sorted(before), *recent])
    failed, days = failed_runs(instance, project, now, set(refused), told)
    missing = _days_told(told, Kind.EVALUATION_MISSED)
    missed = missed_evaluations(instance, project, partitions, now, days | set(refused), missing)
    open_checks = told[CHECKS_FAILED].about if CHECKS_FAILED in told else ()
    off = failed_day(project, datasets, recent, open_checks)
    lost = unreadable_versions(project, ModelStore(datasets.storage))
    return {one.key: one for one in [*refused.values(), *failed, *missed, *off, *lost]}
