"""The package as it is installed: all that it reads is in it, and it runs in an empty folder."""

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
from pathlib import Path

import pytest

from mlops_assets.cli.serve import port_is_free
from mlops_tests import clock
from mlops_tests.servers import HOST, free_ports, wait_for
from mlops_tests.small import REPOSITORY

PACKAGE = REPOSITORY / "mlops_assets"
VARIABLES = ("MLOPS_", "DAGSTER_", "PYTHON")


def test_every_file_that_is_no_module_is_package_data() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["mlops_assets"]
    packed = {file for pattern in patterns for file in PACKAGE.glob(pattern)}
    there = {file for file in PACKAGE.rglob("*") if file.is_file()}
    left = {file for file in there - packed if file.suffix not in (".py", ".pyc")}
    assert not left
    assert PACKAGE / "py.typed" in packed
    assert all(next(PACKAGE.glob(pattern), None) for pattern in patterns)


def test_the_library_holds_no_settings_of_its_own() -> None:
    assert not list(PACKAGE.rglob("project.yaml"))


def run(*command: object, cwd: Path, **more: str) -> str:
    """What a command prints, in an environment without variables of this one's project."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    return {key: os.environ[key] for key in os.environ if not key.startswith(VARIABLES)} | more


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a virtual environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(PACKAGE, source / "mlops_assets")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source, cwd=folder)
    [wheel] = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    site = run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=folder).strip()
    # a .pth of the folder that is added is not read, so the checkout stays out of sight
    Path(site, "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    install = ("install", "--quiet", "--no-deps", "--no-index", "--ignore-installed")
    run(*pip, "--python", python, *install, wheel, cwd=folder)
    where = run(python, "-c", "import mlops_assets; print(mlops_assets.__file__)", cwd=folder)
    assert where.startswith(site)
    return python.parent


def write_table(file: Path) -> None:
    """Two months and a half of two series, through yesterday."""
    days = [dt.datetime.now(dt.UTC).date() - dt.timedelta(days=back) for back in range(75, 0, -1)]
    lines = [
        f"{day},{shop},{base + 3 * day.weekday() + day.day % 5}"
        for day in days
        for shop, base in (("north", 20), ("south", 40))
    ]
    file.write_text("\n".join(["day,shop,sold", *lines, ""]))


@pytest.mark.slow
def test_an_installed_wheel_leads_from_a_table_to_a_served_project(
    installed: Path, tmp_path: Path
) -> None:
    write_table(tmp_path / "sales.csv")
    command = installed / "mlops-assets"
    told = run(
        command,
        "new",
        "sales.csv",
        "--target",
        "sold",
        "--yes",
        cwd=tmp_path,
        **clock.environment(),
    )
    assert told.splitlines()[-1].strip() == f"cd {tmp_path / 'sales'} && {command} run"
    folder, port, log = tmp_path / "sales", free_ports(), tmp_path / "log"
    with log.open("wb") as output:
        serving = subprocess.Popen(
            [command, "run", "--port", str(port)],
            cwd=folder,
            env=environment(**clock.environment()),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(
                lambda: serving.poll() is not None or b"Ctrl+C stops" in log.read_bytes(),
                400,
                "the web UI",
            )
            assert serving.poll() is None, log.read_text()
            with urllib.request.urlopen(f"http://{HOST}:{port}/server_info", timeout=10) as answer:
                assert answer.status == 200
            status = run(command, "status", cwd=folder, **clock.environment())
            serving.send_signal(signal.SIGINT)  # this process alone, as `kill` does
            serving.wait(60)
            wait_for(lambda: port_is_free(HOST, port), 30, "the port")
        finally:
            if serving.poll() is None:
                os.killpg(serving.pid, signal.SIGKILL)
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    assert f"newest    {yesterday} is evaluated" in status
    assert " DEBUG " not in log.read_text()
    names = {file.name for file in folder.iterdir()}
    assert names == {"project.yaml", "profile.md", "storage", ".dagster"}
