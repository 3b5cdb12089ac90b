"""Alerts by mail, chat and whatever else `apprise` reaches, to the channels of the environment."""

import datetime as dt
import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from mlops_assets.lazy import apprise
from mlops_assets.resources.storage import Storage, StorageError
from mlops_assets.resources.stores.alert_records import Alert
from mlops_assets.resources.stores.record_log import RecordLog

FOLDER = "alert_channels"
SUMMED_UP = 3
"""How many alerts of a kind are told one by one; more are one message."""
SHOWN = 10
FIRST_HEARD = dt.timedelta(hours=1)
SHORTEST_PAUSE, LONGEST_PAUSE = dt.timedelta(minutes=1), dt.timedelta(hours=6)
GIVEN_UP_AFTER = dt.timedelta(hours=24)
SECONDS = 20.0
# These print addresses, which hold passwords and tokens.
TALKATIVE = ("apprise", "requests", "requests_oauthlib", "oauthlib", "urllib3")
SCHEME = re.compile(r"[a-z][a-z0-9]{0,15}(?=://)")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Message:
    """One message for one alert, or for several of a kind."""

    title: str
    body: str
    names: tuple[str, ...]
    """The files of the alerts that it tells."""


class Channel(BaseModel):
    """What a channel has been told."""

    model_config = ConfigDict(extra="forbid")

    since: dt.datetime
    """When it is told of alerts from."""
    delivered: list[str] = []
    given_up: list[str] = []
    failures: int = 0
    """How many attempts have failed one after another."""
    retry_at: dt.datetime | None = None


def messages(alerts: Mapping[str, Alert]) -> list[Message]:
    """One message per alert; more than three of a kind are summed up, a backfill's always."""
    kinds: dict[tuple[str, bool], dict[str, Alert]] = {}
    for name, alert in alerts.items():
        kinds.setdefault((alert.kind, alert.digest), {})[name] = alert
    found = []
    for (kind, digest), group in kinds.items():
        if len(group) > SUMMED_UP or (digest and len(group) > 1):
            first = list(group.values())[:SHOWN]
            lines = [f"- {alert.subject}: {alert.page or alert.url}" for alert in first]
            lines += [f"and {len(group) - SHOWN} more"] * (len(group) > SHOWN)
            title = f"{len(group)} alerts: {kind.replace('_', ' ')}"
            found.append(Message(title, "\n".join(lines), tuple(group)))
        else:
            for name, alert in group.items():
                told = filter(None, [alert.text, alert.page, alert.url])
                found.append(Message(_title(alert), "\n".join(told), (name,)))
    return found


def _title(alert: Alert) -> str:
    """What it asks of whoever reads it, and of what; an end asks nothing."""
    return alert.subject if alert.recovers else f"{alert.severity}: {alert.subject}"


class Notifier:
    """Delivers alerts to the channels of the environment; what fails is tried again later.

    `variables` are the environment variables that hold the channels of each severity.
    What a channel was told is kept under a digest of its URL: the URL, which holds passwords and
    tokens, is written nowhere, and neither is what the sending libraries say of it.
    """

    def __init__(self, storage: Storage, variables: Mapping[str, Sequence[str]]) -> None:
        self.variables = variables
        self.channels = RecordLog(storage, FOLDER, Channel, what="channel")

    def deliver(self, alerts: Mapping[str, Alert], now: dt.datetime, say: Say) -> int:
        """Tell every channel what it has not been told; how many messages arrived.

        Never raises for a channel, and waits for none beyond a fixed time.
        """
        due = {
            url: state
            for url, heard in self._heard(alerts).items()
            if (state := self._due(url, heard, now, say))
        }
        if not due:
            return 0
        try:
            import apprise  # noqa: F401
        except ImportError:
            say("channels are set, but nothing can be sent: pip install 'mlops_assets[alerts]'")
            return 0
        sent: dict[str, list[Message]] = {url: [] for url in due}
        threads = []
        for url, (_, wanted) in due.items():
            thread = threading.Thread(target=_send_all, args=(url, wanted, sent[url]), daemon=True)
            thread.start()
            threads.append(thread)
        end = time.monotonic() + SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return sum(
            self._note(url, state, wanted, list(sent[url]), alerts, now, say)
            for url, (state, wanted) in due.items()
        )

    def pending(self, alerts: Mapping[str, Alert], now: dt.datetime) -> int:
        """How many alerts wait for a channel that is down."""
        heard = self._heard(alerts)
        return sum(len(_untold(self._state(url, now), told)) for url, told in heard.items())

    def _heard(self, alerts: Mapping[str, Alert]) -> dict[str, dict[str, Alert]]:
        """The channels by URL, each with the alerts that it hears of."""
        asked: dict[str, set[str]] = {}
        for severity, names in self.variables.items():
            for url in " ".join(os.environ.get(name, "") for name in names).split():
                asked.setdefault(url, set()).add(severity)
        return {
            url: {n: alert for n, alert in alerts.items() if alert.severity in severities}
            for url, severities in asked.items()
        }

    def _due(
        self, url: str, alerts: Mapping[str, Alert], now: dt.datetime, say: Say
    ) -> tuple[Channel, list[Message]] | None:
        try:
            state = self._state(url, now)
        except OSError as error:
            say(f"what the channel {label(url)} was told cannot be read: {type(error).__name__}")
            return None
        wanted = messages(_untold(state, alerts))
        if not wanted or (state.retry_at is not None and now < state.retry_at):
            return None
        return state, wanted

    def _note(
        self,
        url: str,
        state: Channel,
        wanted: list[Message],
        sent: list[Message],
        alerts: Mapping[str, Alert],
        now: dt.datetime,
        say: Say,
    ) -> int:
        """Keep what a channel was told, and when to try the rest again."""
        state.delivered += [name for message in sent for name in message.names]
        failed = [name for m in wanted if m not in sent for name in m.names]
        state.failures, state.retry_at = (state.failures + 1, None) if failed else (0, None)
        if failed:
            pause = min(SHORTEST_PAUSE * 2 ** min(state.failures - 1, 12), LONGEST_PAUSE)
            state.retry_at = now + pause
            late = [name for name in failed if now - alerts[name].at > GIVEN_UP_AFTER]
            state.given_up += late
            waiting = len(failed) - len(late)
            say(
                f"the channel {label(url)} did not take {len(failed)} alert(s): {waiting} tried "
                f"again after {pause}, {len(late)} given up after {GIVEN_UP_AFTER}"
            )
        self.channels.replace(_name(url), state)
        return len(sent)

    def _state(self, url: str, now: dt.datetime) -> Channel:
        """What a channel was told; one seen first, or damaged, begins with the last hour."""
        try:
            return self.channels.read(_name(url))
        except (FileNotFoundError, StorageError):
            return Channel(since=now - FIRST_HEARD)


def label(url: str) -> str:
    """What a channel is called: the kind of its URL and a digest, no part that may be secret."""
    scheme = SCHEME.match(url)
    return f"{scheme.group() if scheme else 'unknown'}-{_digest(url)}"


def _digest(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=6, person=b"alert channel").hexdigest()


def _name(url: str) -> str:
    return f"{_digest(url)}.json"


def _untold(state: Channel, alerts: Mapping[str, Alert]) -> dict[str, Alert]:
    told = {*state.delivered, *state.given_up}
    return {n: alert for n, alert in alerts.items() if n not in told and alert.at >= state.since}


def _send_all(url: str, wanted: Iterable[Message], sent: list[Message]) -> None:
    """Send messages to a channel for as long as there is time; those that arrived go to `sent`."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    end = time.monotonic() + SECONDS
    for message in wanted:
        if time.monotonic() > end:
            return
        try:
            target = apprise.Apprise()
            arrived = target.add(url) and target.notify(title=message.title, body=message.body)
        except Exception:  # of a hundred services' libraries; told by what is not sent
            continue
        if arrived:
            sent.append(message)
