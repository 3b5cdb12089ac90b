"""A PostgreSQL server of one's own, in a temporary folder, reached by its socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cret%40#tell"  # as it stands in a URL


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest version there is."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    numbered = sorted((float(folder.parent.name), folder) for folder in folders)
    return numbered[-1][1] if numbered else None


@contextmanager
def server(programs: Path, port: int | None = None) -> Iterator[str]:
    """The SQLAlchemy URL of a server that runs inside; with a port, it listens on it as well."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    # PostgreSQL refuses to run as root
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def run(*command: str) -> None:
        subprocess.run(
            [*as_user, *command],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )

    try:
        (folder / "password").write_text(PASSWORD.replace("%40", "@").replace("%23", "#"))
        if as_user:
            shutil.chown(folder, "postgres")
            shutil.chown(folder / "password", "postgres")
        data = str(folder / "data")
        run(
            str(programs / "initdb"),
            *("--pgdata", data, "--username", "shop", "--auth", "scram-sha-256"),
            *("--pwfile", str(folder / "password"), "--encoding", "UTF8", "--no-sync"),
        )
        listens = f"-c listen_addresses=127.0.0.1 -c port={port}" if port else ""
        options = f"-c unix_socket_directories={folder} -c fsync=off {listens}"
        options += "" if port else "-c listen_addresses=''"
        control = [str(programs / "pg_ctl"), "--pgdata", data, "--log", str(folder / "log")]
        run(*control, "--options", options, "--wait", "start")
        try:
            yield f"postgresql://shop:{PASSWORD}@/postgres?host={folder}&port={port or 5432}"
        finally:
            run(*control, "--mode", "immediate", "--wait", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart(programs: Path, url: str) -> None:
    """Restart a server, by its URL; whoever was connected is cut off."""
    folder = url.partition("host=")[2].partition("&")[0]
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [str(programs / "pg_ctl"), "--pgdata", f"{folder}/data", "--log", f"{folder}/log"]
    subprocess.run(
        [*as_user, *command, "--mode", "fast", "--wait", "restart"],
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
        cwd=folder,
    )
