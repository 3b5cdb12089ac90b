"""Which process does something, so that another one can tell later whether it still lives."""

import getpass
import os
import socket
import subprocess
from functools import cache
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
PS_SECONDS = 10


def this_process() -> str:
    """The host, the number and the start of this process."""
    return _described(os.getpid())


@cache  # of a process the start never changes, and a fork is another process
def _described(number: int) -> str:
    return f"{socket.gethostname()} {number} {started(number) or 'unknown'}"


def account() -> str:
    """The account that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def is_gone(process: str) -> bool:
    """Whether a process of this host has ended; that of another host is not judged.

    Numbers are given to new processes again, so that the start is compared too.
    """
    host, _, rest = process.partition(" ")
    number, _, start = rest.partition(" ")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    now = started(int(number))
    return now is None or (now != start and "unknown" not in (now, start))


def started(number: int) -> str | None:
    """When a process was started, in the words of its system; None where there is none.

    "unknown" where there is one and the system does not say.
    """
    try:
        if BOOT.exists():
            return _started_on_linux(number)
        shown = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(number)],
            capture_output=True,
            text=True,
            timeout=PS_SECONDS,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
        state, _, start = shown.stdout.strip().partition(" ")
        return None if not state or state.startswith("Z") else "_".join(start.split())
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _started_on_linux(number: int) -> str | None:
    """The boot of the machine, and the ticks from it to the start."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name of the program, in parentheses, may hold spaces and parentheses itself
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else f"{BOOT.read_text().strip()[:8]}_{rest[18]}"
