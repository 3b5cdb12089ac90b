"""What has been told: problems, changes and recoveries, one file each."""

import datetime as dt
import hashlib
import re
from enum import StrEnum

from mlops_assets.resources.storage import Storage
from mlops_assets.resources.stores.record_log import RecordLog, StoredRecord

FOLDER = "alerts"
CREDENTIALS = re.compile(r"://[^\s/@]+@")


class Kind(StrEnum):
    """What an alert is about."""

    RUN_FAILED = "run_failed"
    RUN_LONG = "run_long"
    CHECK_FAILED = "check_failed"
    EVALUATION_MISSED = "evaluation_missed"
    UNREADABLE = "unreadable"
    """A version whose card is damaged or gone."""
    CHAMPION_CHANGED = "champion_changed"
    RECOVERED = "recovered"
    LET_GO = "let_go"
    """A problem of which nothing says any more whether it lasts."""
    TAKEN_BACK = "taken_back"
    """A change that was decided again."""


class Severity(StrEnum):
    """What an alert asks of whoever hears of it."""

    INFORM = "inform"
    """To know: a change, nothing to do."""
    WARN = "warn"
    """To look at: something is off, and work goes on."""
    ACT = "act"
    """To do something about: work stands still until then."""


class Alert(StoredRecord):
    """One thing that somebody should know."""

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
    severity: Severity = Severity.WARN
    """Of an end that of what has ended."""
    day: str = ""
    """The day that it is about; of a change, the one on which it was decided."""
    page: str = ""
    """Where the pages show that day, if they were served."""
    about: tuple[str, ...] = ()
    """What it is made of: it is told again once there is more."""
    digest: bool = False
    """Whether it is only told summed up with others of its kind."""


class Alerts:
    """Alerts under `alerts/` of a storage: a file each, never edited.

    A file is named by its key and by how often that was told before, so that of two who tell the
    same thing at once only one does.
    """

    def __init__(self, storage: Storage, *, keeps: bool = False) -> None:
        self.log = RecordLog(storage, FOLDER, Alert, what="alert", keeps=keeps)

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
        return {k: alert for k, alert in self._standing().items() if not _is_change(alert)}

    def changes(self) -> dict[str, Alert]:
        """The changes by key that were not taken back."""
        return {k: alert for k, alert in self._standing().items() if _is_change(alert)}

    def _standing(self) -> dict[str, Alert]:
        found: dict[str, Alert] = {}
        for alert in self.all().values():
            if alert.recovers is not None:
                found.pop(alert.recovers, None)
            else:
                found[alert.key] = alert
        return found


def _is_change(alert: Alert) -> bool:
    return alert.kind == Kind.CHAMPION_CHANGED


def without_credentials(text: str) -> str:
    """A text whose URLs have lost their user and password."""
    return CREDENTIALS.sub("://***@", text)
