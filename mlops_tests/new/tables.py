"""Tables that projects are made of, each drawn with a fixed seed."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mlops_assets.new.answers import Answers
from mlops_assets.project import Project, load_project
from mlops_tests.commands import command

YESTERDAY = dt.date.today() - dt.timedelta(days=1)


def days_up_to(last: dt.date, count: int) -> pd.DatetimeIndex:
    return pd.date_range(end=pd.Timestamp(last), periods=count)


def shops(last: dt.date = YESTERDAY, count: int = 200) -> pd.DataFrame:
    """Two shops with two products each, a row of each a day; some prices are missing."""
    random = np.random.default_rng(1)
    keys = pd.MultiIndex.from_product(
        [days_up_to(last, count), ["north", "south"], ["bread", "rolls"]],
        names=["day", "shop", "product"],
    )
    rows = keys.to_frame(index=False)
    price = random.uniform(1, 3, len(rows)).round(2)
    return rows.assign(
        price=np.where(np.arange(len(rows)) % 50 == 7, np.nan, price),
        promotion=random.integers(0, 2, len(rows)),
        receipt=[f"r{n}" for n in range(len(rows))],
        sold=random.poisson(20, len(rows)),
    )


def flights(last: dt.date = YESTERDAY, count: int = 200) -> pd.DataFrame:
    """Twenty flights a day, their delays below and above zero; `minutes_late` says the same."""
    random = np.random.default_rng(2)
    rows = pd.DataFrame({"date": np.repeat(days_up_to(last, count), 20)})
    carrier = random.choice(["A", "B", "C"], len(rows))
    delay = random.normal(0, 20, len(rows)).round(1) + np.where(carrier == "B", 30, 0)
    return rows.assign(
        carrier=carrier,
        distance=random.integers(100, 3000, len(rows)),
        delay=delay,
        minutes_late=2 * delay + 5,
    )


def hours(last: dt.date = YESTERDAY, count: int = 200) -> pd.DataFrame:
    """Rentals of each hour, those of casual and registered riders apart and together."""
    random = np.random.default_rng(3)
    times = pd.date_range(
        end=pd.Timestamp(last) + pd.Timedelta(hours=23), periods=count * 24, freq="h"
    )
    times = times[5:]  # the first day is cut off
    rows = pd.DataFrame({"time": times, "hour": times.hour})
    casual, registered = random.poisson(3, len(rows)), random.poisson(9, len(rows))
    return rows.assign(
        temperature=random.normal(10, 8, len(rows)).round(1),
        weather=random.choice(["rain", "sun"], len(rows)),
        casual=casual,
        registered=registered,
        rentals=casual + registered,
    )


def write(rows: pd.DataFrame, folder: Path, name: str = "table.csv", **options: Any) -> Path:
    file = folder / name
    rows.to_csv(file, index=False, **options)
    return file


def main(flags: Sequence[str], person: Answers | None = None) -> int:
    """The exit code of `mlops-assets new`."""
    return command("new", *flags, person=person)


def make(table: str | Path, out: Path, *flags: str) -> Project:
    """The project that is written with every inferred answer; it loads."""
    assert main([str(table), "--out", str(out), "--yes", *flags]) == 0
    return load_project(out / "project.yaml")


def settings(out: Path) -> dict[str, Any]:
    """The settings as they stand in the file."""
    found: dict[str, Any] = yaml.safe_load((out / "project.yaml").read_text(encoding="utf-8"))
    return found


class Person(Answers):
    """Somebody at the terminal, whose replies are given beforehand."""

    def __init__(self, replies: Sequence[str]) -> None:
        self.replies = list(replies)
        self.prompts: list[str] = []
        super().__init__(yes=False, interactive=True, read=self.reply)

    def reply(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.replies.pop(0)
