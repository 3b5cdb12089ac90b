"""The commands and snippets of docs/your-data.md lead from a table to assets that are all there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import dagster as dg
import pytest
import yaml

from mlops_assets.cli.new import new
from mlops_assets.project import load_project
from mlops_tests import clock
from mlops_tests.small import REPOSITORY

pytestmark = pytest.mark.history
PAGE = (REPOSITORY / "docs" / "your-data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SNIPPET, MONTHS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that of the repository, in which `make` finds everything installed."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    (folder / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (folder / ".venv" / "installed").touch()
    return folder


def run(command: str, clone: Path) -> str:
    # what an outer `make` leaves behind would have this one say where it is
    left_out = ("MLOPS_", "MAKE", "MFLAGS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=clone,
        env=kept | clock.environment(REPOSITORY) | {"PATH": f"{clone}/.venv/bin:{kept['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def made(clone: Path) -> str:
    """What is printed while settings are made for the table of the page."""
    run(f"python - <<'END'\n{SNIPPET}\nEND", clone)
    return run(COMMANDS[0], clone)


def test_the_page_leads_from_a_table_to_green_assets(
    clone: Path, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, serve, by_hand, _ = COMMANDS
    first = (clone / "rentals" / "project.yaml").read_text(encoding="utf-8")
    profile = (clone / "rentals" / "profile.md").read_text(encoding="utf-8")
    assert "| station | text | series, categorical input | 0 | 3 different: " in profile
    # what is printed at the end is what the page says, in full
    printed = made.strip().splitlines()[-1].strip()
    assert printed == serve.strip().replace("$PWD", str(clone))
    run(by_hand, clone)
    assert (clone / "rentals" / "project.yaml").read_text(encoding="utf-8") == first
    project = load_project(clone / "rentals" / "project.yaml")
    assert project.columns.series == ["station"]
    # the history alone: serving would never end
    run(serve.replace("mlops-assets run", "mlops-assets history"), clone)
    monkeypatch.setenv("DAGSTER_HOME", str(clone / "rentals" / ".dagster"))
    with dg.DagsterInstance.get() as instance:
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        leaderboard = instance.get_materialized_partitions(dg.AssetKey("leaderboard"))
    assert failed == []
    assert len(leaderboard) == 80


def test_the_table_of_months_is_one(clone: Path) -> None:
    run(f"python - <<'END'\n{MONTHS}\nEND", clone)
    run(COMMANDS[-1].replace("--yes", "--yes --seconds 3"), clone)
    project = load_project(clone / "power" / "project.yaml")
    assert project.grain == "month"
    assert project.columns.source_names == {"date": "month"}
    assert "dated when they end" in (clone / "power" / "profile.md").read_text(encoding="utf-8")


def test_every_flag_of_the_page_is_one_and_none_is_untold() -> None:
    named = set(re.findall(r"`?(--[a-z][a-z-]+)", PAGE))
    options = [option for option in new.params if isinstance(option, click.Option)]
    known = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
    assert named <= known
    assert known - named <= {"-h", "--help", "--out"}


@pytest.mark.usefixtures("made")
def test_the_settings_say_why(clone: Path) -> None:
    text = (clone / "rentals" / "project.yaml").read_text(encoding="utf-8")
    assert "# the fewest columns that, with the day, tell all rows apart" in text
    assert yaml.safe_load(text)["owner"] == "team:data"
