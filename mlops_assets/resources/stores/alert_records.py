"""What has been told: problems, changes and recoveries, one file each."""

import datetime as dt
import hashlib
import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.record_log import RecordLog

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
        self.log = RecordLog(storage, FOLDER, Alert, what="alert", remedy="delete it")

    def record(self, alert: Alert) -> bool:
        """Add an alert; False where another one was just quicker. No credentials are kept."""
        stem = hashlib.sha256(alert.key.encode()).hexdigest()[:20]
        told = sum(name.startswith(stem) for name in self.log.names())
        clean = {name: without_credentials(getattr(alert, name)) for name in ("subject", "text")}
        try:
            self.log.add(f"{stem}_{told:04d}.json", alert.model_copy(update=clean))
        except FileExistsError:
            return False
        return True

    def all(self, damaged: list[str] | None = None) -> dict[str, Alert]:
        """Every alert by its file name, oldest first; where the damaged ones are goes to a list."""
        found = self.log.all([] if damaged is None else damaged)
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


def without_credentials(text: str) -> str:
    """A text whose URLs have lost their user and password."""
    return CREDENTIALS.sub("://***@", text)
