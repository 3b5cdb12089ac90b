"""What the checks of a day found wrong, as one problem: what is off, since when, what was done."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mlops_assets.automation.problems import Problem, subject_of
from mlops_assets.graph.keys import asset_page
from mlops_assets.ml.monitoring.distribution import WEIGHTY
from mlops_assets.ml.monitoring.performance import TOLD
from mlops_assets.project import Project
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.alert_records import Kind, Severity
from mlops_assets.resources.stores.champions import CHAMPION
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore

CHECKS_FAILED = "checks_failed"
"""The key of the problem of the newest day: one that lasts is told again each day."""
DATA, DRIFT = "observations", "drift"


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
            f"check_failed:observations:{day}",
            subject_of(project, f"observations of {day} are refused"),
            "\n".join(why) + "\nWhat was stored of the day before stays, and nothing is made of "
            "it. Correct the source and run the day again.",
            _page(project, DATA, day),
            Severity.ACT,
        )
    return problems


def failed_day(
    project: Project, datasets: DatasetStore, recent: Sequence[str]
) -> Iterator[Problem]:
    """What failed on the newest day: of its data, of the champion and of drift.

    Checks of other models count only beside these. Nothing where the day was refused, which is a
    problem of its own.
    """
    if not recent:
        return
    day, store = recent[-1], CheckStore(datasets)
    champion = _champion(project, datasets, day)
    counts = {DATA: "the data", f"validation/{champion}": champion, DRIFT: DRIFT}
    others = [f"validation/{model.name}" for model in project.models if model.name != champion]
    found = store.read([*counts, *others], [day], {})
    failed = found[~found["passed"].astype(bool)]
    alarms = {DRIFT: WEIGHTY, f"validation/{champion}": TOLD}  # of the data all
    alarming = {
        asset
        for asset, check in zip(failed["asset"], failed["check"], strict=True)
        if asset == DATA or check in alarms.get(asset, ())
    }
    off = [asset for asset in counts if asset in alarming]
    if not off or failed["severe"].any():
        return
    past = store.read(off, recent, {})
    lines = [
        f"{asset}, {row['check']}: {row['why']}{_since(past, asset, row['check'], day)}"
        for asset in off
        for row in failed[failed["asset"] == asset].to_dict("records")
    ]
    beside = Counter(str(name) for name in failed["asset"] if name in others)
    if beside:
        told = (f"{name.partition('/')[2]} {count}" for name, count in sorted(beside.items()))
        lines.append(f"Failed checks of other models: {', '.join(told)}.")
    lines.append(_done(datasets, day))
    names = " and ".join(counts[asset] for asset in off)
    yield Problem(
        Kind.CHECK_FAILED,
        CHECKS_FAILED,
        subject_of(project, f"{names} failed checks on {day}"),
        "\n".join(lines),
        _page(project, off[0], day),
        Severity.WARN,
        day=day,
    )


def _champion(project: Project, datasets: DatasetStore, day: str) -> str:
    """Who is live on a day; by the settings, as long as nothing was decided."""
    decided = datasets.read(CHAMPION, [day], {})
    return str(decided["champion"].iloc[0]) if len(decided) else project.first_champion


def _since(past: Any, asset: str, check: str, day: str) -> str:
    """The first of the days on end on which a check has failed, where it is not the day itself."""
    own = past[(past["asset"] == asset) & (past["check"] == check)].sort_values("date")
    since = day
    for row in reversed(own.to_dict("records")):
        if row["passed"]:
            break
        since = f"{row['date']:%Y-%m-%d}"
    return "" if since == day else f" (since {since})"


def _done(datasets: DatasetStore, day: str) -> str:
    """What became of the day: whether it is forecast from, and by which version."""
    stored = f"{day} is stored and learned from all the same; correct the source where it is wrong."
    try:
        issued = datasets.read("forecast", [day])
    except StorageError:
        return stored
    if issued.empty:
        return stored
    first = issued.iloc[0]
    coming, version = f"{first['date']:%Y-%m-%d}", first["version"]
    return f"{stored} The forecast for {coming} was issued after it, by {version}."


def _page(project: Project, asset: str, day: str) -> str:
    return f"{asset_page(project, *asset.split('/'))}?view=checks&partition={day}"
