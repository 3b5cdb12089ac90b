"""What the checks of a day found wrong, as one problem: what is off, since when, what was done."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from mlops_assets.assets.checks import observation_checks
from mlops_assets.assets.forecast import held_days
from mlops_assets.assets.forecasting import ISSUED
from mlops_assets.automation.problems import Problem, subject_of
from mlops_assets.lazy import pd
from mlops_assets.ml.due_days import EVERY_DAY, DueDays
from mlops_assets.ml.monitoring.distribution import WEIGHTY
from mlops_assets.ml.monitoring.inputs_known import CHECKS as INPUTS_KNOWN
from mlops_assets.ml.monitoring.performance import TOLD
from mlops_assets.ml.monitoring.quality import TARGET_LEVEL
from mlops_assets.ml.monitoring.sequential import WEEK
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.alert_records import Kind, Severity
from mlops_assets.resources.stores.champions import names_of
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.web import asset_page

CHECKS_FAILED = "checks_failed"
"""The key of the problem of the newest day."""
REFUSED = "check_failed:observations"
"""The keys of the problems of refused days, before the day."""
DATA, DRIFT, FORECAST = "observations", "drift", "forecast"


def refused_days(
    project: Project, datasets: DatasetStore, recent: Sequence[str]
) -> dict[str, Problem]:
    """The recent days whose observations a severe check has refused."""
    found = CheckStore(datasets).read([DATA], recent, {})
    failed = found[~found["passed"].astype(bool)]
    problems = {}
    for date, lines in failed.groupby("date"):
        if not lines["severe"].any():
            continue
        day = f"{date:%Y-%m-%d}"
        why = [f"{line['check']}: {line['why']}" for line in lines.to_dict("records")]
        problems[day] = Problem(
            Kind.CHECK_FAILED,
            f"{REFUSED}:{day}",
            subject_of(project, f"observations of {day} are refused"),
            "\n".join(why) + "\nWhat was stored of the day before stays, nothing is made of it, "
            "and the forecast issued last is held. Correct the source and run the day again.",
            _page(project, DATA, day, lines[lines["severe"]]),
            Severity.ACT,
            day=day,
        )
    return problems


def failed_day(
    project: Project, datasets: DatasetStore, recent: Sequence[str], told: Collection[str] = ()
) -> Iterator[Problem]:
    """What failed on the newest day: of its data, of the champion and of drift.

    What was told before is not told again while it lasts; a level that has changed lasts until a
    week has passed without. Checks of other models count only beside these. A day that is not
    judged yet, or was refused, which is a problem of its own, says nothing of the one before it.
    """
    models = [f"validation/{model.name}" for model in project.models]
    found = CheckStore(datasets).read([DATA, ISSUED, DRIFT, *models], recent, {})
    refused = found.groupby("date")["severe"].any().astype(bool)
    if refused.all():
        return
    past = found[found["date"] <= refused.index[~refused][-1]]
    day = f"{past['date'].max():%Y-%m-%d}"
    champion = names_of(datasets, [day], "champion", {}).get(day, project.first_champion)
    counts = {DATA: "the data", ISSUED: "the inputs"}
    counts |= {f"validation/{champion}": champion, DRIFT: DRIFT}
    others = [name for name in models if name not in counts]
    failing = past[~past["passed"].astype(bool)]
    failed = failing[failing["date"] == pd.Timestamp(day)]
    groups = _groups(project, champion)
    now = {name for name, group in groups.items() if group.among(failed)}
    last = {name for name, group in groups.items() if group.among(failing, day, project.due)}
    about = now | last.intersection(told)
    if not about:
        return
    off = [asset for asset in counts if any(groups[name].asset == asset for name in now)]
    lines = [
        f"{asset}, {row['check']}: {row['why']}{_since(past, asset, row['check'], day)}"
        for asset in off
        for row in failed[failed["asset"] == asset].to_dict("records")
    ]
    beside = Counter(str(name) for name in failed["asset"] if name in others)
    if beside:
        each = (f"{name.partition('/')[2]} {count}" for name, count in sorted(beside.items()))
        lines.append(f"Failed checks of other models: {', '.join(each)}.")
    lines.append(_done(project, datasets, day))
    when = f"on {day}"
    if now <= set(told) and (gone := sorted(set(told) - about)):
        off = [asset for asset in counts if any(groups[name].asset == asset for name in about)]
        when = f"lately, no longer {' nor '.join(gone)}"
    *before, final = [counts[asset] for asset in off] or [""]
    names = f"{', '.join(before)} and {final}" if before else final
    yield Problem(
        Kind.CHECK_FAILED,
        CHECKS_FAILED,
        subject_of(project, f"{names} failed checks {when}"),
        "\n".join(lines),
        _page(project, off[0] if off else DATA, day, failed),
        Severity.WARN,
        about=tuple(sorted(about)),
        day=day,
    )


class Group(NamedTuple):
    """Checks of an asset that are told together, and for how many days a failure lasts."""

    asset: str
    checks: Collection[str]
    days: int

    def among(self, failing: pd.DataFrame, day: str = "", due: DueDays = EVERY_DAY) -> bool:
        """Whether one of them failed, or did so in the days up to one for which that lasts."""
        own = failing[(failing["asset"] == self.asset) & failing["check"].isin(self.checks)]
        if day:
            before = due.back(dt.date.fromisoformat(day), self.days)
            own = own[own["date"] > pd.Timestamp(before)]
        return len(own) > 0


def _groups(project: Project, champion: str) -> dict[str, Group]:
    """What is told by itself, by name."""
    scores = f"validation/{champion}"
    return {
        **{
            f"{DATA}:{check}": Group(DATA, (check,), WEEK if check == TARGET_LEVEL else 1)
            for check in observation_checks(project)
        },
        ISSUED: Group(ISSUED, INPUTS_KNOWN, WEEK),
        scores: Group(scores, TOLD, WEEK),
        DRIFT: Group(DRIFT, WEIGHTY, WEEK),
    }


def _since(past: Any, asset: str, check: str, day: str) -> str:
    """The first of the days on end on which a check has failed, where it is not the day itself."""
    own = past[(past["asset"] == asset) & (past["check"] == check)].sort_values("date")
    since = day
    for row in reversed(own.to_dict("records")):
        if row["passed"]:
            break
        since = f"{row['date']:%Y-%m-%d}"
    return "" if since == day else f" (failed since {since})"


def _done(project: Project, datasets: DatasetStore, day: str) -> str:
    """What became of the day: whether it is forecast from, and by which version."""
    stored = f"{day} is stored and learned from all the same; correct the source where it is wrong."
    keys = [key for key in datasets.keys(FORECAST) if key <= day]
    try:
        issued = datasets.read(FORECAST, keys[-1:])
    except StorageError:
        return stored
    if issued.empty:
        return stored
    first = issued.iloc[0]
    held = day in held_days(project, datasets)
    if keys[-1] < day and not held:
        return stored
    coming, version = f"{first['date']:%Y-%m-%d}", first["version"]
    if held:
        return f"{stored} The forecast for {coming} is held as the newest one, by {version}."
    return f"{stored} The forecast for {coming} was issued after it, by {version}."


def _page(project: Project, asset: str, day: str, failed: pd.DataFrame) -> str:
    """Where the web UI shows the checks of a day, at the first that failed."""
    page = f"{asset_page(project, *asset.split('/'))}?view=checks&partition={day}"
    first = failed.loc[failed["asset"] == asset, "check"].head(1)
    return "&checkDetail=".join([page, *first])
