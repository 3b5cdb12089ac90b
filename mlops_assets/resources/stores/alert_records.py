"""What has been told: problems, changes and recoveries, one file each."""

import datetime as dt
import hashlib
import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_assets.resources.storage import Storage

FOLDER = "alerts"
CREDENTIALS = re.compile(r"://[^\s/@]+@")


class Kind(StrEnum):
    """What an alert is about."""

    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"
    EVALUATION_MISSED = "evaluation_missed"
    CHAMPION_CHANGED = "champion_changed"
    RECOVERED = "recovered"
    LET_GO = "let_go"
    """A problem that was not repaired, but is older than what is watched."""


class Alert(BaseModel):
    """One thing that somebody should know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: dt.datetime
    kind: Kind
    key: str
    """What tells a problem or an event from all others."""
    subject: str
    text: str
    """What is known of it, and what to do."""
    url: str
    recovers: str | None = None
    """The key of the problem that this alert ends."""
    digest: bool = False
    """Whether it is only told summed up with others of its kind."""


class Alerts:
    """Alerts under `alerts/` of a storage: a file each, never edited.

    A file is named by its key and by how often that was told before, so that of two who tell the
    same thing at once only one does.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._kept: dict[str, Alert] = {}

    def record(self, alert: Alert) -> bool:
        """Add an alert; False where another one was just quicker. No credentials are kept."""
        stem = hashlib.sha256(alert.key.encode()).hexdigest()[:20]
        told = sum(name.startswith(stem) for name in self._names())
        clean = {name: without_credentials(getattr(alert, name)) for name in ("subject", "text")}
        data = alert.model_copy(update=clean).model_dump_json(indent=2).encode()
        try:
            self.storage.create(f"{FOLDER}/{stem}_{told:04d}.json", data)
        except FileExistsError:
            return False
        return True

    def all(self, damaged: list[str] | None = None) -> dict[str, Alert]:
        """Every alert by its file name, oldest first; where the damaged ones are goes to a list."""
        found = {}
        for name in self._names():
            path = f"{FOLDER}/{name}"
            try:
                if name not in self._kept:
                    self._kept[name] = Alert.model_validate_json(self.storage.read(path))
                found[name] = self._kept[name]
            except (ValidationError, FileNotFoundError):
                if damaged is not None:
                    damaged.append(self.storage.url(path))
        return dict(sorted(found.items(), key=lambda item: (item[1].at, item[0])))

    def open(self) -> dict[str, Alert]:
        """The problems by key that no later alert has ended."""
        problems: dict[str, Alert] = {}
        for alert in self.all().values():
            if alert.recovers is not None:
                problems.pop(alert.recovers, None)
            elif alert.kind != Kind.CHAMPION_CHANGED:
                problems[alert.key] = alert
        return problems

    def keys(self) -> set[str]:
        """The keys of all that was ever told."""
        return {alert.key for alert in self.all().values()}

    def _names(self) -> list[str]:
        return [name for name in self.storage.names(FOLDER) if name.endswith(".json")]


def without_credentials(text: str) -> str:
    """A text whose URLs have lost their user and password."""
    return CREDENTIALS.sub("://***@", text)
