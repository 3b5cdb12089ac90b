"""A backup is whole, and what is restored of it is what was stored."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from mlops_assets.cli.main import main
from mlops_tests.small import small_environment

pytestmark = pytest.mark.history


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def call(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == code, done.output
    return done.output


def test_a_project_is_backed_up_and_restored_with_its_runs(
    small_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in small_environment(small_project).items():
        monkeypatch.setenv(name, value)
    stored, home, kept = small_project / "storage", small_project / "home", tmp_path / "kept"
    before = contents(stored)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs_count()
        days = instance.get_materialized_partitions(dg.AssetKey("champion"))
    assert f"files under {kept}" in call("backup", "--to", str(kept))
    assert "is not empty; name an empty folder" in call("backup", "--to", str(kept), code=1)
    assert contents(kept / "storage") == before

    assert "is not empty; move it away first" in call("restore", "--from", str(kept), code=1)
    shutil.rmtree(stored)
    assert "holds runs; move it away first" in call("restore", "--from", str(kept), code=1)
    assert not stored.exists()
    shutil.rmtree(home)
    assert "holds no backup" in call("restore", "--from", str(tmp_path / "none"), code=1)
    call("restore", "--from", str(kept))
    assert contents(stored) == before
    assert "everything is as it was written" in call("check", "--stored")
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == runs
        assert instance.get_materialized_partitions(dg.AssetKey("champion")) == days

    # an instance that is lost is told by what is stored
    shutil.rmtree(home)
    with_a_file = {file.stem for file in (stored / "datasets" / "champion").glob("*.parquet")}
    assert with_a_file < days  # before the first month there is none to store
    told = call("rebuild-instance")
    assert f": champion: {len(with_a_file)} registered" in told
    assert ": champion: 0 registered" in call("rebuild-instance")
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("champion")) == with_a_file
    assert "everything is as it was written" in call("check", "--stored")
