"""What is stored says of which format it is; what is of a newer one is refused in words."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from mlops_assets import load_champion, read
from mlops_assets.assets.reader import Readers
from mlops_assets.resources.formats import FIRST, FORMAT, check_format, keep_format
from mlops_assets.resources.layout import FORMAT_FILE
from mlops_assets.resources.storage import LocalStorage, StorageError
from mlops_tests.commands import command
from mlops_tests.pages.asking import unpacked
from mlops_tests.small import PROJECT_FILE, REPOSITORY

RELEASED = re.findall(
    r"^## (\d+)\.(\d+)\.(\d+)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE
)


@pytest.fixture
def newer(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(str(tmp_path / "storage"))
    storage.write(FORMAT_FILE, json.dumps({"format": FORMAT + 1, "by": "9.9.0"}).encode())
    return storage


def test_what_a_run_writes_says_of_which_format_it_is(tmp_path: Path) -> None:
    storage = unpacked(tmp_path).storage
    assert check_format(storage) == FIRST
    Readers({}, storage)
    assert check_format(storage) == FORMAT
    assert json.loads(storage.read(FORMAT_FILE)) == {"format": FORMAT, "by": _version()}


def test_a_newer_format_is_refused_with_who_wrote_it(
    newer: LocalStorage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = f"{newer.root} is of format {FORMAT + 1}, written by mlops_assets 9.9.0; this is "
    told += f"{_version()}, which knows formats up to {FORMAT}: install 9.9.0 or newer"
    for ask in (load_champion, read.metrics, read.versions):
        with pytest.raises(StorageError, match=re.escape(told)):
            ask(newer.root)
    with pytest.raises(StorageError, match=re.escape(told)):
        keep_format(newer)
    monkeypatch.setenv("MLOPS_ROOT", newer.root)
    monkeypatch.setenv("MLOPS_PROJECT", str(PROJECT_FILE))
    monkeypatch.setenv("DAGSTER_HOME", str(Path(newer.root).parent / "home"))
    for name in ("history", "prune"):
        assert command(name) == 1
        assert told in capsys.readouterr().err


def test_one_that_says_nothing_sensible_is_damaged(newer: LocalStorage) -> None:
    newer.write(FORMAT_FILE, b"[]")
    with pytest.raises(StorageError, match=r"format\.json says no format .*; delete it"):
        check_format(newer)


def test_each_released_format_has_a_history_that_is_continued() -> None:
    fixtures = REPOSITORY / "mlops_tests" / "fixtures"
    for major, minor, _ in RELEASED:
        assert (fixtures / f"history_{major}_{minor}" / "history.tar.xz").exists()


def test_the_version_is_that_of_the_newest_entry_of_the_changelog() -> None:
    assert ".".join(RELEASED[0]) == _version()
    numbers = [tuple(map(int, parts)) for parts in RELEASED]
    assert numbers == sorted(numbers, reverse=True)
    [first, *_] = re.findall(r"^## (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first in ("Unreleased", _version())


def _version() -> str:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["project"]["version"])
