"""Home: how things are in one look."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from functools import partial

from markupsafe import Markup

from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.scores import LONG, SHORT
from mlops_assets.pages.parts import Page, Part, day_link, external, plain, swatch
from mlops_assets.pages.series_data import totals
from mlops_assets.pages.series_page import days_figure
from mlops_assets.pages.shelf import Look

WEEKS = 8 * 7  # days of the figure
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
            f"By {look.project.evaluation.primary} over {look.count(LONG)}, on the rows that all "
            "models forecast; the line is that of the days.",
            partial(_ranking, look),
            forms={f"last {look.count(LONG)}": partial(spark, look), "against baseline": _share},
        ),
        Part(
            "weeks",
            "The last weeks, and what comes",
            f"{look.project.counted} by day, as it was and as {look.shown[0]} forecast it, with "
            f"its interval ({look.project.champion.coverage:.0%}).",
            lambda: totals(look, look.shown[0], look.back(WEEKS)),
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
    by_model = look.board.set_index("model")[f"{primary}_{LONG}d"]
    ours, theirs = by_model.get(champion, math.nan), by_model.get(baseline, math.nan)
    who = Markup("<strong>{}</strong> is champion since {}").format(
        swatch(look, champion), day_link(look, since)
    )
    if not math.isfinite(ours):
        return who + Markup(".")
    told = Markup("{}: {} <strong>{}</strong> over {} days").format(
        who, primary, plain(float(ours)), LONG
    )
    if champion == baseline or not math.isfinite(theirs):
        return told + Markup(", the baseline itself.")
    loss = look.project.primary_metric.loss
    gain = 1 - float(loss(pd.Series([ours]).to_numpy())[0]) / float(
        loss(pd.Series([theirs]).to_numpy())[0]
    )
    better = f"{abs(gain):.0%} {'better' if gain >= 0 else 'worse'} than"
    return told + Markup(", {} {} ({}).").format(better, baseline, plain(float(theirs)))


def _tomorrow(look: Look) -> list[Markup]:
    """The sum that is forecast of each day to come, with its interval."""
    found = totals(look, look.shown[0], look.back(look.project.champion.window_days))
    coming = found[found["actual"].isna()]
    lines = []
    for line in coming.to_dict("records"):
        day = f"{line['date']:%A %d %B}"
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
    board = look.board.set_index("model")
    wide = board[f"{primary}_{LONG}d"]
    loss = pd.Series(metric.loss(wide.to_numpy(dtype=float)), board.index)
    baseline = loss.get(look.project.evaluation.baseline, math.nan)
    days = look.boards(look.back(LONG)).sort_values("date").groupby("model")[primary]
    return pd.DataFrame(
        {
            "rank": board["rank"],
            "model": board.index,
            f"{look.count(LONG)}": wide,
            f"{look.count(SHORT)}": board[f"{primary}_{SHORT}d"],
            str(look.project.grain): board[primary],
            "against baseline": loss / baseline - 1,
            f"last {look.count(LONG)}": days.agg(list).reindex(board.index),
        }
    )


def _share(value: float) -> str:
    return f"{value:+.1%}"


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
