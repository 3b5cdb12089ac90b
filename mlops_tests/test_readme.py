"""Every command of the README and of CONTRIBUTING is run, in their order, on a small project."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_tests.small import REPOSITORY, small_environment

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


def test_commands_by_hand_run_as_written(small_project: Path) -> None:
    clone = small_project
    (clone / "home").rename(clone / ".dagster")
    (clone / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, clone)
    environment = small_environment(clone) | {"PYTHONPATH": str(REPOSITORY)}
    del environment["DAGSTER_HOME"]  # the README sets it
    before = [version.name for version in (clone / "storage" / "models" / "linear").iterdir()]
    by_hand = [block for block in commands("README.md") if not make_targets(block)]
    assert len(by_hand) == 4
    done = subprocess.run(
        ["bash", "-c", "set -euxo pipefail\n" + "\n".join(by_hand)],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    versions = (clone / "storage" / "models" / "linear").iterdir()
    [added] = [version for version in versions if version.name not in before]
    assert '"alpha":3.0' in (added / "card.json").read_text().replace(" ", "")
