"""What ends a `dagster` command in a traceback is told in words, in its last line."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from mlops_assets.cli.instance import SHIPPED
from mlops_assets.jobs.last_word import in_words
from mlops_assets.resources.storage import StorageError
from mlops_tests.small import write_small_project

ASKED = ["dagster", "asset", "materialize", "--select", "observations", "--partition", "2026-11-28"]
FAR = "2099-01-01"


@pytest.mark.long
def test_a_day_that_is_not_over_is_told_after_the_traceback(tmp_path: Path) -> None:
    write_small_project(tmp_path)
    instance = tmp_path / ".dagster"
    instance.mkdir()
    (instance / "dagster.yaml").write_text(SHIPPED.read_text())
    command = Path(sys.executable).with_name("dagster")
    answer = subprocess.run(
        [command, *ASKED[1:-1], FAR, "-m", "mlops_assets.definitions"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={n: v for n, v in os.environ.items() if not n.startswith("MLOPS")}
        | {"DAGSTER_HOME": str(instance)},
    )
    assert answer.returncode == 1
    last = answer.stderr.splitlines()[-1]
    assert last.startswith(f"{FAR} is not there to be made")
    assert last.endswith("`mlops-assets status` names the newest day.")


def full() -> sa.exc.OperationalError:
    return sa.exc.OperationalError("insert", {}, Exception("attempt to write a readonly database"))


def test_a_disk_behind_an_error_of_dagster_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    error = dg.DagsterInvalidSubsetError("of a step")
    assert "--partition" in ASKED
    assert str(in_words(error, ASKED)).startswith("2026-11-28 is not there to be made")
    assert in_words(error, ASKED[:5]) is None, "it is about no partition"
    error.__cause__ = full()
    assert str(in_words(error, ASKED)).startswith(f"{tmp_path} is read-only.")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a"))
    assert str(in_words(error, ASKED)).startswith("the disk is full: ")
    error.__cause__ = StorageError("observations of a day are damaged; rebuild it")
    assert in_words(error, ASKED) == "observations of a day are damaged; rebuild it"


def test_what_says_so_itself_or_is_another_error_has_the_last_word() -> None:
    assert in_words(StorageError("damaged"), ASKED) is None
    assert in_words(ValueError("wrong"), ASKED) is None
    assert in_words(OSError(errno.EIO, "Input/output error"), ASKED) is None
