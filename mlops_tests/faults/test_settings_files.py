"""Whatever a settings file holds, it is loaded as it says or refused in words, and soon."""

import copy
import datetime as dt
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.project import Project, ProjectError, load_project
from mlops_tests.small import PROJECT_FILE

TRIES = 30 * int(os.environ.get("MLOPS_FAULTS", "10"))  # 1,500 and more are all of them
SECONDS, CHARACTERS = 2.0, 12_000

SETTINGS = PROJECT_FILE.read_text(encoding="utf-8")
ODD = [
    *(None, True, False, 0, -1, 1, 1.5, 10**30, -(10**30)),
    *(float("nan"), float("inf"), -float("inf")),
    *("", "a", "true", "1", "x" * 100_000, "../../etc", "ü", "a/b", "null", "0x10", "1e400"),
    *("a\x00b", "2026-02-30", b"bytes", dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, 3)),
    *([], {}, [None], [[]], {"a": 1}, {1: 2}, [1, 2, 3], ["a", "a"], {"a": {"b": {"c": []}}}),
]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "a bomb of aliases": BOMB,
    "a bomb beside settings": SETTINGS + BOMB.replace("a: &a", "x: &a", 1),
    "nested without end": "[" * 100_000,
    "nested and closed": f"a: {'[' * 5000}{']' * 5000}",
    "mappings in mappings": f"{'{a: ' * 3000}1{'}' * 3000}",
    "a list of itself": "a: &a [*a]",
    "a mapping of itself": "models: &a {b: *a}",
    "models that hold themselves": SETTINGS.replace("models:", "models: &m", 1) + "\n  - *m\n",
    "a long word": f"x: {'y' * 5_000_000}",
    "many keys": "".join(f"k{n}: 1\n" for n in range(200_000)),
    "many wrong keys": "".join(f"k{n}: 1\n" for n in range(9_000)),
    "a number of many digits": f"x: {'9' * 100_000}",
    "a NUL": "a\x00b",
    "a command": 'a: !!python/object/apply:os.system ["id"]',
    "bytes": "description: !!binary aGVsbG8=",
    "a set": "models: !!set {a, b}",
    "a list as a key": "? [a, b]\n: 1",
    "merged with a list": "<<: [1, 2]",
    "two documents": f"{SETTINGS}\n---\na: 1\n",
    "tabs": SETTINGS.replace("  ", "\t"),
    "nothing": "",
}


def load(folder: Path, text: str | bytes) -> Project | str:
    """The project of a settings file, or why it is refused; anything else is an error here."""
    file = folder / "project.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.process_time()
    found: Project | str
    try:
        found = load_project(file)
    except ProjectError as error:
        found = str(error)
    assert time.process_time() - start < SECONDS
    assert not isinstance(found, str) or len(found) < CHARACTERS
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_settings_is_refused_in_words(tmp_path: Path, name: str) -> None:
    assert isinstance(load(tmp_path, FILES[name]), str)


def test_texts_in_other_encodings(tmp_path: Path) -> None:
    assert isinstance(load(tmp_path, b"\xef\xbb\xbf" + SETTINGS.encode()), Project)
    assert isinstance(load(tmp_path, SETTINGS.replace("\n", "\r\n")), Project)
    for other in (SETTINGS.encode("utf-16"), SETTINGS.encode() + b"# \xe9\n"):
        assert "save it as UTF-8" in str(load(tmp_path, other))


def test_what_stands_for_too_much_is_named_with_its_line(tmp_path: Path) -> None:
    said = str(load(tmp_path, FILES["a bomb of aliases"]))
    assert "holds more than settings do: line 5 stands for more than 20,000 values" in said
    assert "line 1 lies more than 40 levels deep" in str(load(tmp_path, "[" * 100))
    few = "a: &a {b: 1}\nc: *a\n"
    assert "a: unknown setting" in str(load(tmp_path, few)), "aliases are allowed"


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value lies in nested ones."""
    yield above
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in inner:
            yield from paths(one, (*above, name))


def replaced(values: Any, path: tuple[Any, ...], by: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return by
    values = copy.deepcopy(values)
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = by
    return values


@pytest.mark.long
def test_one_odd_value_anywhere(tmp_path: Path) -> None:
    values = yaml.safe_load(SETTINGS)
    every = [(path, odd) for path in paths(values) for odd in ODD]
    for path, odd in random.Random(5).sample(every, min(TRIES, len(every))):
        load(tmp_path, yaml.safe_dump(replaced(values, path, odd), allow_unicode=True))


NUMBERS = [
    *(("champion", "window_days"), ("champion", "min_gain"), ("schedule", "evaluate_hour")),
    *(("features", "lags", 0), ("acceptance", "tolerance"), ("training", "holdout_days")),
    ("models", 1, "hyperparameters", "alpha"),
]


@pytest.mark.parametrize("path", NUMBERS, ids=str)
@pytest.mark.parametrize("flag", [True, False])
def test_a_flag_is_no_number(tmp_path: Path, path: tuple[Any, ...], flag: bool) -> None:
    values = yaml.safe_load(SETTINGS)
    for name in path[:1]:
        values.setdefault(name, {})
    said = str(load(tmp_path, yaml.safe_dump(replaced(values, path, flag))))
    assert f"{str(flag).lower()} is no number" in said
    assert str(path[-2] if isinstance(path[-1], int) else path[-1]) in said


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    values = yaml.safe_load(SETTINGS)
    for odd in (float("nan"), float("inf"), 10**30):
        for path in NUMBERS:
            values.setdefault(path[0], {})
            said = load(tmp_path, yaml.safe_dump(replaced(values, path, odd)))
            assert isinstance(said, str), (path, odd)
