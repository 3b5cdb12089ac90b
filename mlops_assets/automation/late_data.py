"""Late and corrected data: days whose rows changed at the source are ingested again."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import dagster as dg

from mlops_assets.assets.datasets import by_day
from mlops_assets.automation.changes import MADE, Log
from mlops_assets.automation.requests import (
    local_time,
    make_attempt,
    make_sensor,
    range_requests,
)
from mlops_assets.automation.upkeep import UPKEEP_SENSOR
from mlops_assets.graph.keys import asset_key
from mlops_assets.graph.partitions import Partitions, day_of, days_between, ranges
from mlops_assets.jobs.evaluate import Job
from mlops_assets.lazy import pd
from mlops_assets.project import Project
from mlops_assets.resources.sources import Source, make_source
from mlops_assets.resources.sources.rows import DayHashes
from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.ingested import Ingested, IngestedStore
from mlops_assets.resources.switches import EVALUATION_SCHEDULE, paused_schedules

ONE_DAY = dt.timedelta(days=1)
CHANGED_AT_SOURCE = "changed at the source"


def make_late_data_sensor(
    project: Project, partitions: Partitions, jobs: Sequence[Job], storage: Storage
) -> dg.SensorDefinition:
    """The sensor that ingests again the recent days whose rows changed."""

    def find(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
        if EVALUATION_SCHEDULE in paused_schedules(instance, project):
            return []
        now = local_time(project)
        # anew at each tick: both keep what they have read
        source, datasets = make_source(project, storage), DatasetStore(storage)
        return late_days(instance, project, partitions, source, datasets, now)

    return make_sensor(
        "late_data_sensor",
        project,
        jobs,
        find,
        seconds=60,
        nothing="No day that was ingested has changed at the source.",
        description=(
            "Ingests again those of the last "
            f"{project.due.in_words(project.schedule.late_days)} whose rows changed at the source "
            "since they were ingested, a range in one run; what depends on them is evaluated again "
            f"by {UPKEEP_SENSOR}. A {project.grain} of which the source has no rows any more stays "
            "as it is."
        ),
    )


def late_days(
    instance: dg.DagsterInstance,
    project: Project,
    partitions: Partitions,
    source: Source,
    datasets: DatasetStore,
    now: dt.datetime,
) -> list[dg.RunRequest]:
    """Runs over the observations of the recent days that changed after they were ingested."""
    days = partitions.last_days(project.schedule.late_days, now)
    if not days:
        return []
    fingerprints = due_only(
        project, source.fingerprints(day_of(days[0]), day_of(days[-1]) + ONE_DAY)
    )
    observations = asset_key(project, "observations")
    tried = Log(instance).made_keys(observations.to_user_string(), fingerprints)
    tried |= set(IngestedStore(datasets).read(fingerprints))
    asked = {key: text for key, text in fingerprints.items() if key in tried}
    changed = changed_days(project, source, datasets, asked)
    made = instance.get_latest_storage_id_by_partition(observations, MADE, partitions=set(changed))
    # rows may change back to what they were: that is asked for as well
    newest = max(made.values(), default=0)
    return range_requests(
        {observations: set(changed)},
        partitions,
        f"{digest(changed)}:{newest}:{make_attempt(now)}",
        CHANGED_AT_SOURCE,
    )


def due_only(project: Project, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """The fingerprints of the days on which rows are due: those of others are of no use."""
    return {key: text for key, text in fingerprints.items() if day_of(key) in project.due}


def changed_days(
    project: Project, source: Source, datasets: DatasetStore, fingerprints: Mapping[str, str]
) -> dict[str, str]:
    """Of days with the fingerprints that they have now, those whose rows are not as stored.

    Another fingerprint says that rows may have changed; then they are read and compared. Where they
    are the same after all, the new fingerprint is kept, so that they are not read each time.
    """
    store = IngestedStore(datasets)
    known = store.read(fingerprints)
    suspects = [
        key
        for key, text in fingerprints.items()
        if key not in known or known[key].fingerprint != text
    ]
    if not suspects:
        return {}
    same = _as_stored(project, source, datasets, suspects)
    for key, rows in same.items():
        facts = known.get(key, Ingested(rows=rows))
        store.write(key, replace(facts, fingerprint=fingerprints[key]))
    return {key: fingerprints[key] for key in suspects if key not in same}


def digest(fingerprints: Mapping[str, str]) -> str:
    """A short text that tells one state of some days from another."""
    told = "\n".join(f"{key} {text}" for key, text in sorted(fingerprints.items()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _as_stored(
    project: Project, source: Source, datasets: DatasetStore, keys: Collection[str]
) -> dict[str, int]:
    """The days whose rows at the source are those that are stored, with how many these are."""
    from mlops_assets.assets.observations_type import typed, with_targets

    date = project.columns.date
    daily = dg.DailyPartitionsDefinition(min(keys), end_date=str(day_of(max(keys)) + ONE_DAY))
    same: dict[str, int] = {}
    for first, last in ranges({asset_key(project, "observations"): keys}, daily):
        rows = by_day(source.read(day_of(first), day_of(last) + ONE_DAY), date)
        for key in days_between(day_of(first), day_of(last) + ONE_DAY):
            stored = datasets.read("observations", [key], {})
            if key not in rows or stored.empty:
                continue
            try:
                now, _ = with_targets(project, typed(project, rows[key]))
            except ValueError:
                continue  # the run says what is wrong with it
            if set(now) == set(stored) and _hash(now, date) == _hash(stored[list(now)], date):
                same[key] = len(stored)
    return same


def _hash(rows: pd.DataFrame, date: str) -> dict[str, tuple[int, int]]:
    """What rows of a day come to, in whichever order."""
    hashes = DayHashes()
    hashes.add(rows, date)
    return hashes.days
