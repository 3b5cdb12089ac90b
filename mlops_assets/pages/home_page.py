"""Home: how things are in one look."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from functools import partial

from markupsafe import Markup

from mlops_assets.lazy import np, pd
from mlops_assets.ml.metrics.scores import LONG, SHORT, TRAILING_DAYS
from mlops_assets.pages.parts import Page, Part, day_link, external, percent, plain, swatch
from mlops_assets.pages.series_data import totals
from mlops_assets.pages.series_page import days_figure
from mlops_assets.pages.shelf import Look

SHOWN = 56  # days of the figure
PROBLEMS = 10
Now = Callable[[], Sequence[tuple[str, str]]]
BUILD = "No day is evaluated yet: mlops-assets history builds the history."


def home_page(look: Look, now: Now = tuple) -> Page:
    """`now` tells what runs and is due, as titles, each with a line."""
    problems = _problems(look)
    parts = [
        Part(
            "problems",
            "Open problems",
            "" if len(problems) else "None.",
            lambda: problems,
            forms={"problem": lambda told: told},
            empty="",
        ),
        Part(
            "ranking",
            "Ranking",
            f"By {look.project.evaluation.primary} over {look.over(LONG)}, on the rows that all "
            "models "
            "forecast; the line is that of each {look.unit}.",
            partial(_ranking, look),
            forms={f"last {look.over(LONG)}": partial(spark, look), "against baseline": percent},
        ),
        Part(
            "weeks",
            f"The last {look.unit}s, and what comes",
            f"{look.project.counted} by {look.unit}, as it was and as {look.shown[0]} forecast it, "
            "with "
            f"its interval ({look.project.champion.coverage:.0%}).",
            lambda: totals(look, look.shown[0], look.back(SHOWN)),
            lambda frame: days_figure(look, frame, 300),
            later=True,
        ),
        Part(
            "now",
            "Now",
            "",
            lambda: pd.DataFrame(now(), columns=["what", "state"]),
            later=True,
        ),
    ]
    return Page(look.project.name, _lead(look), parts)


def _lead(look: Look) -> list[str | Markup]:
    record = look.champion
    if look.board.empty or record is None:
        return [BUILD]
    return [_champion(look, record.next_champion, record.next_since), *_tomorrow(look)]


def _champion(look: Look, champion: str, since: str) -> Markup:
    """Who is champion, and how it does against the baseline."""
    primary, baseline = look.project.evaluation.primary, look.project.evaluation.baseline
    ours, theirs = (_ranked_by(look)[LONG].get(name, math.nan) for name in (champion, baseline))
    who = Markup("<strong>{}</strong> is champion since {}").format(
        swatch(look, champion), day_link(look, since)
    )
    if not math.isfinite(ours):
        return who + Markup(".")
    told = Markup("{}: {} <strong>{}</strong> over {}").format(
        who, primary, plain(float(ours)), look.over(LONG)
    )
    if champion == baseline or not math.isfinite(theirs):
        return told + Markup(", the baseline itself.")
    losses = look.project.primary_metric.loss(np.array([ours, theirs]))
    gain = 1 - float(losses[0] / losses[1])
    better = f"{abs(gain):.0%} {'better' if gain >= 0 else 'worse'} than"
    return told + Markup(", {} {} ({}).").format(better, baseline, plain(float(theirs)))


def _tomorrow(look: Look) -> list[Markup]:
    """The sum that is forecast of each day to come, with its interval."""
    found = totals(look, look.shown[0], look.back(look.project.champion.window_days))
    coming = found[found["actual"].isna()]
    lines = []
    for line in coming.to_dict("records"):
        due = look.project.due
        day = f"{line['date']:%A %d %B}" if due.daily else due.named(line["date"].date())
        total = f"{line['forecast']:,.0f} {look.project.counted}"
        between = (
            f", {line['low']:,.0f} to {line['high']:,.0f} ({look.project.champion.coverage:.0%})"
            if math.isfinite(line["low"])
            else ""
        )
        lines.append(Markup("{}: <strong>{}</strong>{}.").format(day, total, between))
    return lines


def _problems(look: Look) -> pd.DataFrame:
    """The problems that no later alert has ended, the newest first, each with its links."""
    lines = []
    for alert in reversed(look.shelf.alerts.open().values()):
        day = alert.day or str(look.project.day_of(alert.at))
        told = Markup("{} {}").format(alert.subject, external(alert.url, "in the web UI"))
        lines.append({"since": dt.date.fromisoformat(day), "severity": alert.severity.value,
                      "problem": told})  # fmt: skip
    return pd.DataFrame(lines[:PROBLEMS])


def _ranking(look: Look) -> pd.DataFrame:
    if look.board.empty:
        return pd.DataFrame()
    primary, metric = look.project.evaluation.primary, look.project.primary_metric
    board = _ranked_by(look)
    loss = pd.Series(metric.loss(board[LONG].to_numpy(dtype=float)), board.index)
    baseline = loss.get(look.project.evaluation.baseline, math.nan)
    recent = look.boards(look.back(LONG)).sort_values("date")
    days = recent.reindex(columns=["model", primary]).groupby("model")[primary]
    return pd.DataFrame(
        {
            "rank": look.board["rank"].to_numpy(),
            "model": board.index,
            look.over(LONG): board[LONG],
            look.over(SHORT): board[SHORT],
            look.unit: board[1],
            "against baseline": loss / baseline - 1,
            f"last {look.over(LONG)}": days.agg(list).reindex(board.index),
        }
    )


def _ranked_by(look: Look) -> pd.DataFrame:
    """The primary metric of the newest day by model, over 1, 7 and 28 days.

    Missing in what was ranked by another one.
    """
    primary = look.project.evaluation.primary
    windows = {primary: 1, **{f"{primary}_{days}d": days for days in TRAILING_DAYS}}
    board = look.board.set_index("model").reindex(columns=[*windows])
    return board.rename(columns=windows)


def spark(look: Look, values: Sequence[float], width: int = 120, height: int = 24) -> Markup:
    """Days as a small line."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return Markup("")
    # one day far off, such as a holiday, does not flatten the others
    high = sorted(finite)[-1 - len(finite) // 10]
    low, scale = min(finite), high - min(finite) or 1.0
    step = (width - 4) / max(len(values) - 1, 1)
    points = " ".join(
        f"{2 + n * step:.1f},{height - 3 - (min(value, high) - low) / scale * (height - 6):.1f}"
        for n, value in enumerate(values)
        if math.isfinite(value)
    )
    told = f"from {plain(float(finite[0]))} to {plain(float(finite[-1]))}"
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<polyline points="{}"/></svg>'
    ).format(told, width, height, width, height, points)
