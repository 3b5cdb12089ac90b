"""The contract of a split finds each way of breaking it, and says it in words."""

import datetime as dt
from typing import ClassVar

import pytest

from mlops_assets.contracts.split_contract import split_problems
from mlops_assets.ml.models.splits import Split, Window


class Greedy(Split):
    name = "greedy"
    description = "For tests."
    how: ClassVar[str] = ""

    def window(self, end: dt.date, earliest: dt.date, months: int) -> Window:
        match self.how:
            case "late":
                return Window(earliest, end + dt.timedelta(days=1))
            case "early":
                return Window(earliest - dt.timedelta(days=1), end)
            case "long":
                return Window(earliest, end)
        return Window(end - dt.timedelta(days=28), end)

    def days(self, months: int) -> tuple[int, int | None]:
        return 28, 28


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("", ""),
        ("late", "may learn from days before"),
        ("early", "has no whole window for the 120 months"),
        ("long", "`days` declares 28 to 28"),
    ],
)
def test_splits(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Greedy, "how", how)
    found = " ".join(split_problems(Greedy))
    assert (words in found) if words else not found
