"""Alerts reach each channel once, whatever becomes of the others, and no secret is told."""

import datetime as dt
import json
import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mlops_assets.project.sections import ALERT_URLS as VARIABLE
from mlops_assets.project.sections import AlertSettings
from mlops_assets.resources.notifier import Notifier, messages
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.alert_records import Alert
from mlops_tests.resources.stores.test_alert_records import NOW, make_alert

MINUTE = dt.timedelta(minutes=1)


class Inbox:
    """A server on loopback that keeps what is posted to it."""

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.up = True
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if inbox.up:
                    inbox.received.append(json.loads(body))
                self.send_response(200 if inbox.up else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://me:hunter2@127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def inboxes() -> Iterator[list[Inbox]]:
    found = [Inbox(), Inbox()]
    yield found
    for inbox in found:
        inbox.server.shutdown()
        inbox.server.server_close()


@pytest.fixture
def notifier(tmp_path: Path) -> Notifier:
    return Notifier(LocalStorage(str(tmp_path)), AlertSettings().variables)


def some(count: int = 1) -> dict[str, Alert]:
    return {f"{n}.json": make_alert(f"job {n}") for n in range(count)}


def test_many_of_a_kind_are_one_message_and_a_few_are_not() -> None:
    assert len(messages(some(3))) == 3
    [message] = messages(some(12))
    assert message.title == "12 alerts: run failed"
    assert len(message.names) == 12
    assert message.body.endswith("and 2 more")
    assert len(messages({n: make_alert(n, digest=True) for n in "ab"})) == 1


def test_a_message_leads_to_the_page_of_its_day_first() -> None:
    page = "https://models.example.org/pages/day?on=2026-03-01"
    alerts = {n: a.model_copy(update={"page": page}) for n, a in some(12).items()}
    [message] = messages({"0.json": alerts["0.json"]})
    text, *links = message.body.splitlines()
    assert (text, links) == (alerts["0.json"].text, [page, alerts["0.json"].url])
    [many] = messages(alerts)
    assert many.body.startswith(f"- job 0 failed: {page}\n")


def test_a_channel_that_was_down_is_told_once(
    notifier: Notifier, inboxes: list[Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    up, down = inboxes
    down.up = False
    monkeypatch.setenv(VARIABLE, f"{up.url} {down.url}")
    said: list[str] = []
    assert notifier.deliver(some(), NOW, said.append) == 1
    assert notifier.pending(some(), NOW) == 1
    assert "1 tried again after 0:01:00" in said[0]
    assert notifier.deliver(some(), NOW + MINUTE / 2, said.append) == 0  # a pause
    assert notifier.deliver(some(), NOW + MINUTE, said.append) == 0
    assert "1 tried again after 0:02:00" in said[1]
    down.up = True
    for minutes in (3, 4, 5):
        notifier.deliver(some(), NOW + minutes * MINUTE, said.append)
    assert [post["title"] for post in up.received] == ["warn: job 0 failed"]
    assert [post["title"] for post in down.received] == ["warn: job 0 failed"]
    assert down.received[0]["message"] == "run it again\nhttp://x/"
    assert notifier.pending(some(), NOW) == 0


def test_after_a_day_it_is_given_up_and_said(
    notifier: Notifier, inboxes: list[Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    inboxes[0].up = False
    monkeypatch.setenv(VARIABLE, inboxes[0].url)
    said: list[str] = []
    notifier.deliver(some(), NOW, said.append)
    notifier.deliver(some(), NOW + dt.timedelta(hours=25), said.append)
    assert "1 given up after 1 day" in said[-1]
    assert notifier.pending(some(), NOW) == 0


def test_no_secret_is_told(
    notifier: Notifier,
    inboxes: list[Inbox],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    inboxes[0].up = False
    nowhere = "json://me:hunter2@127.0.0.1:9/ nonsense://hunter2 hunter2 json://:hunter2@"
    monkeypatch.setenv(VARIABLE, f"{inboxes[0].url} {nowhere}")
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        assert notifier.deliver(some(), NOW, said.append) == 0
    assert len(said) == 5
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(kept) == 5
    told = [*said, caplog.text, *capfd.readouterr(), *map(str, kept)]
    assert not [text for text in told if "hunter2" in text]
    assert not [file for file in kept if "hunter2" in file.read_text()]


def test_without_apprise_it_says_what_to_install(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "json://127.0.0.1:9/")
    monkeypatch.setitem(sys.modules, "apprise", None)
    said: list[str] = []
    assert notifier.deliver(some(), NOW, said.append) == 0
    assert "pip install 'mlops_assets[alerts]'" in said[0]


def test_each_severity_is_told_to_the_channels_of_its_variables(
    tmp_path: Path, inboxes: list[Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone, pager = inboxes
    settings = AlertSettings(inform=[], warn=["TEAM_URLS"], act=["TEAM_URLS", "PAGER_URLS"])
    notifier = Notifier(LocalStorage(str(tmp_path)), settings.variables)
    monkeypatch.setenv("TEAM_URLS", everyone.url)
    monkeypatch.setenv("PAGER_URLS", pager.url)
    alerts = {
        f"{severity}.json": make_alert(severity, severity=severity)
        for severity in ("inform", "warn", "act")
    }
    assert notifier.deliver(alerts, NOW, lambda _: None) == 3
    assert [post["title"] for post in everyone.received] == [
        "warn: warn failed",
        "act: act failed",
    ]
    assert [post["title"] for post in pager.received] == ["act: act failed"]
    assert notifier.deliver(alerts, NOW, lambda _: None) == 0
