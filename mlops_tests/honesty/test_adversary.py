"""What was not known yet changes nothing: the source is changed from a day on, and all made again.

A lab is built through its own assets and trained. Then the source lies: the targets from a day on
are others, or the rows of these days are gone. Every day is made again, in one run over the range,
and a version is trained again through the day before. Whatever is stored of the days before must
be the same to the last byte, whichever datasets there are, and so must the forecasts of the days
whose inputs were known by then. So it is where features are one's own and look at all that they are
given, where a recording is replayed, and for what a backtest says of policies.
"""

import datetime as dt
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_tests.assets.class_lab import make_class_settings, make_loans
from mlops_tests.assets.lab import FIRST_DAY, Lab, make_rows, make_settings
from mlops_tests.assets.rows_lab import make_flight_settings, make_flights
from mlops_tests.jobs.test_backtest import run as run_backtest
from mlops_tests.shared import shared_folder

AGAIN, MONTH, LAST = "2026-02-20", "2026-03-01", "2026-03-12"
CHANGED = dt.date(2026, 3, 9)  # the first day that is changed
DAY = re.compile(r"(\d{4}-\d\d-\d\d)\.\w+$")
LOOP = pd.Timedelta(weeks=52)
TIMES = {"version", "created", "fit_seconds", "sha256", "size"}  # of a card, when it was made

Rows = pd.DataFrame
Made = tuple[Rows, dict[str, Any]]
Lie = Callable[[Rows, str, str, int], Rows]


def series(delay: int) -> Made:
    settings = make_settings()
    settings["features"] = {"lags": [delay + 1, 7], "rolling_means": [7], "calendar": ["month"]}
    settings["evaluation"] |= {"label_delay_days": delay}
    return make_rows(), settings


def loans() -> Made:
    settings = make_class_settings("repaid")
    settings["models"] = settings["models"][:2]
    rows = make_loans()
    return rows[rows.index % 4 == 0], settings


GREEDY = """
from mlops_assets.plugin import Feature, feature


@feature
class Greedy(Feature):
    name = "greedy"
    description = "All that it is given of the target."

    @property
    def reach(self):
        return 14

    def compute(self, rows, earlier, columns):
        known = len(earlier) + earlier[columns.target].sum()
        return known + rows.get(columns.target, 0) + 0 * rows.index
"""


def own_features() -> Made:
    rows, settings = series(2)
    settings["features"]["custom"] = ["greedy", {"weekday_mean": {"weeks": 2}}]
    return rows, settings | {"plugins": ["greedy"]}


def replayed() -> Made:
    """A recording of a year: the rows of the lab and after them themselves, 52 weeks earlier."""
    rows, settings = series(0)
    length = pd.Timedelta(days=rows["date"].nunique())
    times = [rows.assign(date=rows["date"] + n * length - LOOP) for n in range(4)]
    settings["source"] = {"kind": "replay", "path": "rows.parquet"}
    return pd.concat(times, ignore_index=True), settings


LABS: Mapping[str, Callable[[], Made]] = {
    "series": lambda: series(0),
    "late by 2": lambda: series(2),
    "late by 5": lambda: series(5),
    "plain": lambda: (make_flights(), make_flight_settings()),
    "classes": loans,
    "own features": own_features,
    "replayed": replayed,
}


def other_targets(rows: Rows, date: str, target: str, delay: int) -> Rows:
    """The same rows with other targets from the changed day on."""
    later = rows[date] >= pd.Timestamp(CHANGED)
    values = rows[target]
    changed = ~values if values.dtype == bool else values * 3 + 50
    return rows.assign(**{target: values.where(~later, changed)})


def fewer_rows(rows: Rows, date: str, target: str, delay: int) -> Rows:
    """Half of the rows are gone of the days after those issued before the changed one."""
    issued = pd.Timestamp(CHANGED + dt.timedelta(days=delay))
    return rows[(rows[date] <= issued) | (rows.index % 2 == 0)]


def assets_of(lab: Lab) -> tuple[str, str]:
    """The assets of the months of a lab, and those of its days that are made from them."""
    names = [model.name for model in lab.project.models]
    models = " ".join(f"models/{name}" for name in names)
    validated = " ".join(f"validation/{name}" for name in names)
    return f"training_set {models}", f"issued {validated} leaderboard champion forecast drift"


def make_days(lab: Lab) -> None:
    for assets, first in (("observations features", AGAIN), (assets_of(lab)[1], MONTH)):
        lab.run(assets, first, LAST)


def trained(name: str, folder: Path) -> None:
    """Observations, features and versions, and what the runs said of them."""
    lab = Lab(folder)
    (folder / "greedy.py").write_text(GREEDY)
    lab.write(*LABS[name]())
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), LAST).success
        assert lab.run(assets_of(lab)[0], MONTH).success
        lab.keep()


def built(name: str, folder: Path) -> None:
    lab = copied(name, folder, trained)
    with lab.instance:
        assert lab.run(assets_of(lab)[1], MONTH, LAST).success


def copied(name: str, folder: Path, build: Callable[[str, Path], None] = built) -> Lab:
    """A lab of its own, in which everything is built, or what else is asked for."""
    shared = f"honesty-{build.__name__}-{name.replace(' ', '-')}"
    made = shared_folder(shared, lambda to: build(name, to))
    return Lab(Path(shutil.copytree(made, folder, dirs_exist_ok=True)))


def told_otherwise(lab: Lab, lie: Lie) -> None:
    """Have the source say something else from the changed day on."""
    columns, delay = lab.project.columns, lab.project.evaluation.label_delay_days
    rows = pd.read_parquet(lab.folder / "rows.parquet")
    earlier = LOOP if lab.project.source.kind == "replay" else 0 * LOOP
    rows[columns.date] += earlier
    changed = lie(rows, columns.date, columns.target, delay)
    lab.write(changed.assign(**{columns.date: changed[columns.date] - earlier}))


def stored(lab: Lab) -> dict[str, bytes]:
    """Every file about a day before the changed one."""
    root = lab.folder / "storage"
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if (day := DAY.search(file.name)) and day[1] < str(CHANGED)
    }


def forecasts(lab: Lab) -> dict[str, list[Any]]:
    """What each model forecasts for the days whose inputs were known before the changed one."""
    delay = lab.project.evaluation.label_delay_days
    days = [str(CHANGED + dt.timedelta(days=n)) for n in range(delay + 1)]
    datasets = type(lab.datasets)(lab.storage)
    found = {}
    for model in lab.project.models:
        rows = datasets.read(f"validation/{model.name}", [day for day in days if day <= LAST])
        kept = [name for name in ("department", "category") if name in rows]
        found[model.name] = rows[["date", *kept, "forecast"]].to_dict("records")
    return found


def trained_again(lab: Lab) -> list[dict[str, Any]]:
    """What the cards of versions say that are trained through the last day not changed."""
    delay = lab.project.evaluation.label_delay_days
    for model in lab.project.models:
        through = {"through": str(CHANGED - dt.timedelta(days=1))}
        config = {"ops": {f"models__{model.name}": {"config": through}}}
        result = lab.run(f"models/{model.name}", MONTH, config=config)
        assert result.success
    newest = [lab.models.cards(model.name)[-1] for model in lab.project.models]
    assert {card.trained_through for card in newest} == {CHANGED - dt.timedelta(days=1)}
    assert {card.serves_from for card in newest} == {CHANGED + dt.timedelta(days=delay)}
    return [card.model_dump(mode="json", exclude=TIMES) for card in newest]


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        *((name, other_targets) for name in LABS),
        *((name, fewer_rows) for name in ("series", "plain")),
    ],
)
def test_what_is_known_later_changes_nothing_of_before(name: str, lie: Lie, tmp_path: Path) -> None:
    lab, honest = copied(name, tmp_path / "lab"), copied(name, tmp_path / "honest")
    before, expected = stored(lab), forecasts(lab)
    assert len({file.split("/")[1] for file in before}) >= 8, "every dataset is looked at"
    told_otherwise(lab, lie)
    with lab.instance, honest.instance:
        make_days(lab)
        observed = [made.file("observations", LAST).read_bytes() for made in (lab, honest)]
        assert observed[0] != observed[1], "the days made again are those of the changed source"
        after = stored(lab)
        assert sorted(after) == sorted(before)
        assert [file for file in before if before[file] != after[file]] == []
        if lie is other_targets:
            assert forecasts(lab) == expected
            assert trained_again(lab) == trained_again(honest)


@pytest.mark.parametrize("name", ["late by 2", "late by 5"])
def test_a_twin_learns_nothing_unknown_when_its_holdout_begins(name: str, tmp_path: Path) -> None:
    """Targets of the days right before the holdout come too late for its first day."""
    lab, honest = copied(name, tmp_path / "lab"), copied(name, tmp_path / "honest")
    settings = lab.project
    first = pd.Timestamp(LAST) - pd.Timedelta(days=settings.training.holdout_days - 1)
    late = first - pd.Timedelta(days=settings.evaluation.label_delay_days)
    rows = pd.read_parquet(lab.folder / "rows.parquet")
    unknown = rows["date"].between(late, first, inclusive="left")
    lab.write(rows.assign(units=rows["units"].where(~unknown, rows["units"] * 3 + 50)))
    with lab.instance, honest.instance:
        assert lab.run("observations features", f"{late:%Y-%m-%d}", LAST).success
        twins = []
        for made in (lab, honest):
            config = {"ops": {"models__linear": {"config": {"through": LAST}}}}
            assert made.run("models/linear", MONTH, config=config).success
            held_out = made.models.held_out(made.models.cards("linear")[-1])
            assert held_out is not None
            assert held_out["date"].min() == first
            twins.append(held_out[held_out["date"] == first]["forecast"].tolist())
    assert twins[0] == twins[1]
    assert len(twins[0]) == 3


def test_what_learns_never_reaches_round_to_the_twins_of_what_it_serves(tmp_path: Path) -> None:
    """Thirteen months of a recording of a year hold the very rows that come again."""
    lab = Lab(tmp_path)
    lab.write(*LABS["replayed"]())
    window, first = lab.project.training_window, dt.date(2026, 3, 1)
    learned = window.of(first, dt.date(2024, 1, 1))
    twin = (pd.Timestamp(learned.start) + LOOP).date()
    assert window.serves_before(learned.start) == twin, "it serves until its own rows come"
    with pytest.raises(ValueError, match="comes again after 364 days"):
        replace(window, months=13).of(first, dt.date(2024, 1, 1))


def backtested(lab: Lab) -> pd.DataFrame:
    """What policies score on each day, one that reacts among them, by the backtest's own job."""
    reacting = {"name": "reacts", "triggers": ["performance", "drift"], "cool_down_days": 2}
    result = run_backtest(lab, model="linear", policies=[{"name": "monthly"}, reacting])
    assert result.success
    [file] = (lab.folder / "storage").glob(f"policies/{result.run_id}/days.parquet")
    return pd.read_parquet(file)


@pytest.mark.parametrize("name", ["own features", "replayed"])
def test_a_backtest_learns_nothing_of_later_days(name: str, tmp_path: Path) -> None:
    lab = copied(name, tmp_path / "lab")
    with lab.instance:
        before = backtested(lab)
        told_otherwise(lab, other_targets)
        make_days(lab)
        after = backtested(lab)
    known, changed = (frame[frame["date"] < str(CHANGED)] for frame in (before, after))
    assert known["policy"].nunique() == 2
    assert known["date"].max() == pd.Timestamp(CHANGED) - pd.Timedelta(days=1)
    pd.testing.assert_frame_equal(known.reset_index(drop=True), changed.reset_index(drop=True))
    assert not before.equals(after), "the days after are scored by other targets"
