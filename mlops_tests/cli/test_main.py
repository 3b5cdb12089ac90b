"""The command explains itself, refuses what is wrong with 2, and acts only when it is asked to."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest

from mlops_assets.cli import new
from mlops_assets.cli.main import main
from mlops_assets.ml.metrics.metric import Task
from mlops_assets.project import SCHEMA_FILE, DateOrder
from mlops_tests.commands import command
from mlops_tests.small import write_small_project

COMMANDS = sorted(main.commands)
HEAVY = "{'dagster', 'pandas', 'pydantic', 'uvicorn', 'yaml'}"


def test_the_commands_are_these() -> None:
    assert [
        *("backup", "check", "export", "history", "new", "pages", "prune", "rebuild-instance"),
        *("restore", "run", "schema", "serve", "status"),
    ] == COMMANDS


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_with_an_example_and_does_nothing(
    name: str,
    flag: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_small_project(tmp_path)
    before = sorted(tmp_path.iterdir())
    schema = SCHEMA_FILE.stat().st_mtime_ns
    monkeypatch.chdir(tmp_path)
    assert command(name, flag) == 0
    told = capsys.readouterr().out
    assert f"Usage: mlops-assets {name} " in told
    assert f"Example:\n    mlops-assets {name}" in told
    assert sorted(tmp_path.iterdir()) == before
    assert SCHEMA_FILE.stat().st_mtime_ns == schema


def test_the_whole_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--help") == 0
    told = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in told
    assert "..." not in told.partition("Commands:")[2]  # nothing is cut off


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["new", "--help"]])
def test_help_imports_nothing_that_takes_long(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom mlops_assets.cli.main import main\n"
        f"try:\n  main({arguments!r})\n"
        f"finally:\n  found = {HEAVY} & set(sys.modules)\n  assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "3000"],
        ["nothing"],
        *([name, "--nothing"] for name in COMMANDS),
        *([name, "nothing"] for name in COMMANDS if name not in ("check", "new")),
        ["check", "a.py", "b.py"],
        ["new"],
        ["new", "a.csv", "b.csv"],
        ["new", "a.csv", "--time-zone", "Mars/Base"],
        ["new", "a.csv", "--aggregate", "product"],
        ["new", "data/"],
        ["run", "--port", "port"],
        ["serve", "--port", "65535"],
    ],
    ids=" ".join,
)
def test_wrong_use_exits_2_and_does_nothing(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert command(*arguments) == 2
    assert "Error: " in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--version") == 0
    assert capsys.readouterr().out == f"mlops-assets {version('mlops_assets')}\n"


def test_the_module_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlops_assets", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"mlops-assets {version('mlops_assets')}\n"


def test_the_schema_is_printed_or_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("schema") == 0
    assert capsys.readouterr().out == SCHEMA_FILE.read_text(encoding="utf-8")
    assert command("schema", "--out", tmp_path / "schema.json") == 0
    assert (tmp_path / "schema.json").read_text() == SCHEMA_FILE.read_text(encoding="utf-8")
    assert command("schema", "--out", tmp_path / "missing" / "schema.json") == 1
    told = capsys.readouterr().err
    assert told == (
        f"Error: Could not open file '{tmp_path}/missing/schema.json': No such file or directory\n"
    )


def test_mistakes_in_the_settings_are_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "project.yaml").write_text("nothing: 1\n")
    monkeypatch.chdir(tmp_path)
    assert command("check") == 1
    told = capsys.readouterr().err
    assert told.startswith(f"Error: {tmp_path}/project.yaml has ")
    assert "nothing: unknown setting" in told


def test_the_choices_of_flags_are_those_of_the_settings() -> None:
    assert get_args(Task) == new.TASKS
    assert tuple(DateOrder) == new.DATE_ORDERS
