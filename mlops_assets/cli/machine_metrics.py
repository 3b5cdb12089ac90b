"""What machines watch, in the text form of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from mlops_assets.cli.status import open_instance
from mlops_assets.graph.runs import project_tags
from mlops_assets.ml.metrics.scores import TRAILING_DAYS
from mlops_assets.project import Project, ProjectError
from mlops_assets.project.workspace import load_named
from mlops_assets.resources.roots import project_storage
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.alert_records import Alerts, Severity
from mlops_assets.resources.stores.dataset_store import DatasetStore

Sample = tuple[str, Mapping[str, str], float]
HELP = {
    "metric": "Of the newest evaluated day, or of the days up to it, by model.",
    "newest_day_timestamp_seconds": "When the newest evaluated day began.",
    "data_age_days": "Days from the newest one whose rows are stored until today.",
    "open_alerts": "Problems that no later alert has ended.",
    "last_run_timestamp_seconds": "When the newest run was last changed.",
    "readable": "1 where the stored files of a project could be read, else 0.",
}
PREFIX = "mlops_assets"
"""Of every name."""


def machine_metrics(names: Sequence[str]) -> str:
    """All samples of the projects of a workspace; a project that cannot be read says so."""
    samples: list[Sample] = []
    with open_instance() as instance:
        for name in names:
            try:
                project = load_named(name)
                found = [*of_project(project, project_storage(project), instance)]
            except (ProjectError, StorageError):
                samples.append(("readable", {"project": name}, 0.0))
            else:
                samples += [*found, ("readable", {"project": project.name}, 1.0)]
    lines = []
    for kind, told in HELP.items():
        of_kind = [sample for sample in samples if sample[0] == kind]
        if of_kind:
            lines += [f"# HELP {PREFIX}_{kind} {told}", f"# TYPE {PREFIX}_{kind} gauge"]
            lines += [f"{PREFIX}_{kind}{_labels(labels)} {value!r}" for _, labels, value in of_kind]
    return "\n".join([*lines, ""])


def of_project(
    project: Project, storage: Storage, instance: dg.DagsterInstance | None
) -> Iterator[Sample]:
    """What is to be watched of a project. StorageError."""
    own = {"project": project.name}
    datasets = DatasetStore(storage)
    if days := datasets.keys("observations"):
        yield "data_age_days", own, _age(project, days[-1])
    if boards := datasets.keys("leaderboard"):
        began = dt.datetime.fromisoformat(boards[-1])
        zone = zoneinfo.ZoneInfo(project.time_zone)
        yield "newest_day_timestamp_seconds", own, began.replace(tzinfo=zone).timestamp()
        yield from _scores(project, own, datasets, boards[-1])
    open_alerts = Counter(alert.severity for alert in Alerts(storage).open().values())
    for severity in Severity:
        yield "open_alerts", {**own, "severity": severity.value}, open_alerts[severity]
    if instance is not None:
        asked = dg.RunsFilter(tags=project_tags(project))
        for record in instance.get_run_records(asked, limit=1, order_by="update_timestamp"):
            labels = {**own, "status": record.dagster_run.status.value}
            yield "last_run_timestamp_seconds", labels, record.update_timestamp.timestamp()


def _age(project: Project, key: str) -> int:
    """The days since a day, or since the last one of a week or month."""
    return (project.today() - project.due.end(dt.date.fromisoformat(key))).days + 1


def _scores(
    project: Project, own: Mapping[str, str], datasets: DatasetStore, day: str
) -> Iterator[Sample]:
    unit = project.grain[0]  # d, w, m or q
    windows = {f"1{unit}": "", **{f"{count}{unit}": f"_{count}d" for count in TRAILING_DAYS}}
    for line in datasets.lines("leaderboard", day):
        for metric in project.evaluation.made_metrics:
            for window, ending in windows.items():
                value = line.get(f"{metric}{ending}")
                if value is not None and math.isfinite(value):
                    labels = {"model": line["model"], "metric": metric, "window": window}
                    yield "metric", {**own, **labels}, value


def _labels(labels: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    return "{" + ",".join(f'{name}="{quoted(value)}"' for name, value in labels.items()) + "}"
