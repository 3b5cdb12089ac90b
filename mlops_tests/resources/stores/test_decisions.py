"""The audit trail: added to, never edited, and what follows from it."""

import datetime as dt
from pathlib import Path

import pytest

from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_assets.resources.stores.decisions import FOLDER, Action, Decisions, Pin, shown

DAY = dt.date(2026, 3, 10)


def after(days: int) -> dt.date:
    return DAY + dt.timedelta(days=days)


@pytest.fixture
def decisions(tmp_path: Path) -> Decisions:
    return Decisions(LocalStorage(str(tmp_path)))


def pin(decisions: Decisions, model: str, first: dt.date, until: dt.date | None = None) -> None:
    after = Pin(first=first, until=until).model_dump(mode="json")
    decisions.record(Action.PIN, model, after=after, reason="a trial")


def pinned(decisions: Decisions, day: dt.date) -> str:
    found = decisions.pin_on(day)
    return found.model if found else ""


def test_each_decision_is_a_file_of_its_own_in_order(decisions: Decisions, tmp_path: Path) -> None:
    decisions.record(Action.CREATE, "a", by="ann", reason="why not", after={"alpha": 1.0})
    first = {file: file.read_bytes() for file in (tmp_path / FOLDER).iterdir()}
    decisions.record(Action.DROP, "a")
    found = Decisions(LocalStorage(str(tmp_path))).all()
    assert [(entry.action, entry.model) for entry in found] == [
        (Action.CREATE, "a"),
        (Action.DROP, "a"),
    ]
    assert (found[0].by, found[0].reason, found[0].after) == ("ann", "why not", {"alpha": 1.0})
    assert found[1].by  # the account that ran it
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    assert all(file.read_bytes() == content for file, content in first.items())


def test_a_damaged_entry_is_named(decisions: Decisions, tmp_path: Path) -> None:
    decisions.record(Action.CREATE, "a")
    [file] = (tmp_path / FOLDER).iterdir()
    file.write_text('{"action": "create"}')
    with pytest.raises(StorageError, match=rf"{file.name} is no decision .* never edited"):
        Decisions(LocalStorage(str(tmp_path))).all()


def test_a_version_is_retired_until_it_is_restored(decisions: Decisions) -> None:
    decisions.record(Action.RETIRE, "a", version="v1")
    decisions.record(Action.RETIRE, "a", version="v2")
    decisions.record(Action.RETIRE, "b", version="v3")
    decisions.record(Action.RESTORE, "a", version="v1")
    assert decisions.retired("a") == {"v2"}
    assert decisions.retired("b") == {"v3"}
    assert decisions.retired("c") == set()


def test_a_pin_holds_from_its_first_day_through_its_last(decisions: Decisions) -> None:
    pin(decisions, "a", DAY, after(2))
    assert [pinned(decisions, after(n)) for n in range(-1, 4)] == ["", "a", "a", "a", ""]


def test_the_newest_pin_wins_from_its_first_day_on(decisions: Decisions) -> None:
    pin(decisions, "a", DAY)
    pin(decisions, "b", after(2))
    assert [pinned(decisions, after(n)) for n in range(4)] == ["a", "a", "b", "b"]


def test_taking_a_pin_back_ends_it_from_that_day_on(decisions: Decisions) -> None:
    pin(decisions, "a", DAY)
    decisions.record(Action.UNPIN, "a", after=Pin(first=after(3)).model_dump(mode="json"))
    assert [pinned(decisions, after(n)) for n in range(2, 5)] == ["a", "", ""]


def test_what_was_decided_in_a_table() -> None:
    assert shown({"alpha": 1.0, "until": None}) == "alpha 1.0"
    assert shown(None) == ""
    assert shown("x") == "x"
