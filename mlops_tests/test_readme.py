"""Every command of the README and of CONTRIBUTING is run, in their order, on a small project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_tests.small import write_small_project

REPOSITORY = Path(__file__).parents[1]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


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
    for file in ("README.md", "CONTRIBUTING.md"):
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#]+)\)", text)
        assert all((REPOSITORY / link).exists() for link in links), links


def test_commands_by_hand_run_as_written(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".dagster").mkdir(parents=True)
    (clone / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, clone)
    shutil.copy(REPOSITORY / "dagster.yaml", clone / ".dagster")
    environment = {
        **os.environ,
        "MLOPS_PROJECT": str(write_small_project(tmp_path / "problem")),
        "MLOPS_ROOT": str(tmp_path / "storage"),
        "DAGSTER_HOME": str(clone / ".dagster"),
        "PYTHONPATH": str(REPOSITORY),
    }
    by_hand = [block for block in commands("README.md") if not make_targets(block)]
    assert len(by_hand) == 4
    script = "set -euxo pipefail\npython -m mlops_assets.history\n" + "\n".join(by_hand)
    script = script.replace("set -euxo pipefail\n", "set -euxo pipefail\n" + by_hand[0], 1)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    versions = sorted((tmp_path / "storage" / "models" / "linear").iterdir())
    months = [version.name[:10] for version in versions]
    assert len(months) == len(set(months)) + 1, "the training by hand adds a version"
    assert '"alpha":3.0' in (versions[-1] / "card.json").read_text().replace(" ", "")
