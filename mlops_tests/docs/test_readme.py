"""Every command of the README, daily life and CONTRIBUTING is run, in order, on a small project."""

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_tests import clock
from mlops_tests.small import REPOSITORY, small_environment
from mlops_tests.warm import warm_commands

pytestmark = pytest.mark.history
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
# As in the sample, where the model that is rolled back is not the champion. Here it may be, and on
# some days has no second version that was accepted, so that rolling back would rightly be refused.
ANOTHER_CHAMPION = """
dagster asset materialize -m mlops_assets.definitions --select champion --partition $DAY \\
  --config-json '{"ops": {"champion": {"config": {"pin": "seasonal_naive", "reason": "a test"}}}}'
"""


def commands(file: str) -> list[str]:
    """The command blocks of a document."""
    return BLOCK.findall((REPOSITORY / file).read_text(encoding="utf-8"))


def make_targets(text: str) -> list[str]:
    return re.findall(r"^make (\S+)", text, re.MULTILINE)


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_exists(file: str) -> None:
    targets = make_targets("\n".join(commands(file)))
    assert targets
    for target in targets:
        subprocess.run(
            ["make", "--dry-run", target], cwd=REPOSITORY, check=True, capture_output=True
        )


def test_every_link_and_named_file_exists() -> None:
    for file in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")):
        text = file.read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        lost = [to for to in links if "://" not in to and not (file.parent / to).exists()]
        assert lost == [], file


def test_commands_by_hand_run_as_written(small_project: Path, tmp_path: Path) -> None:
    clone = small_project
    (clone / "home").rename(clone / ".dagster")
    (clone / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, clone)
    environment = small_environment(clone) | clock.environment(REPOSITORY)
    del environment["DAGSTER_HOME"]  # the README sets it
    environment["WEB_URL"] = "http://127.0.0.1:9"  # no web UI runs
    before = [version.name for version in (clone / "storage" / "models" / "linear").iterdir()]
    by_hand = commands("docs/daily-life.md")
    assert len(by_hand) == 10
    [roll_back] = [n for n, block in enumerate(by_hand) if "retire_version_job" in block]
    by_hand.insert(roll_back, ANOTHER_CHAMPION)
    with warm_commands(tmp_path) as warm:
        done = subprocess.run(
            ["bash", "-c", "\n".join([warm, "set -euxo pipefail", *by_hand])],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    # a line for what came of each asset, and none for each event
    month = dt.date.today().replace(day=1)
    assert re.search(rf" - models/linear {month}: {month}_\w+, (not )?accepted", done.stderr)
    assert "DEBUG" not in done.stdout + done.stderr
    versions = (clone / "storage" / "models" / "linear").iterdir()
    added = [version for version in versions if version.name not in before]
    cards = [json.loads((version / "card.json").read_text()) for version in added]
    assert sorted(card["hyperparameters"]["alpha"] for card in cards) == [3.0, 10.0]
    last_days = {card["trained_through"] for card in cards}
    assert str(dt.date.today() - dt.timedelta(days=1)) in last_days
    assert not (clone / "storage" / "models" / "linear_stiff").exists()
    decisions = (clone / "storage" / "registry" / "decisions").iterdir()
    actions = [json.loads(file.read_text())["action"] for file in sorted(decisions)]
    assert actions == [
        "create",
        "update",
        "pin",
        "retire",
        "restore",
        "pin",
        "unpin",
        "rename",
        "drop",
    ]


def test_the_python_snippets_run_as_written(small_project: Path) -> None:
    [snippet] = re.findall(
        r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL
    )
    done = subprocess.run(
        [sys.executable, "-c", snippet + "print(card.model, pipeline.steps[-1][0])"],
        cwd=small_project,
        env=small_environment(small_project) | clock.environment(REPOSITORY),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split()[1] == "estimator"
