"""What a page of another origin can do to the web UI, in a real browser: nothing.

The same page is tried on Dagster's web server as it is, where all of it works.
"""

import contextlib
import http.server
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_tests.browsing import Browser, open_browser, stop
from mlops_tests.servers import HOST, ask, free_ports, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.served]

PAUSE = "mutation { setAutoMaterializePaused(paused: true) }"
RESUME = "mutation { setAutoMaterializePaused(paused: false) }"
STATE = "{ instance { autoMaterializePaused } }"
ELSEWHERE = "evil.test"
SECONDS, QUIET_SECONDS = 10.0, 3.0

PAGE = b"<!doctype html><title>elsewhere</title><body></body>"
ATTACKS = {
    "fetch of text": """
      fetch(`${url}?query=${query}`, {method: "POST", mode: "no-cors", body: "x"})
        .catch(() => 0)""",
    "fetch of a form": """
      fetch(`${url}?query=${query}`, {method: "POST", mode: "no-cors", body: new FormData()})
        .catch(() => 0)""",
    "image": "new Image().src = `${url}?query=${query}`",
    "script": """
      document.body.append(Object.assign(document.createElement("script"),
        {src: `${url}?query=${query}`}))""",
    "form": """
      const form = Object.assign(document.createElement("form"),
        {action: `${url}?query=${query}`, method: "POST", target: "_blank"});
      document.body.append(form); form.submit()""",
}
JSON_FETCH = """
const [url, query, mode, credentials, done] = arguments;
fetch(url, {method: "POST", mode, credentials, headers: {"Content-Type": "application/json"},
  body: JSON.stringify({query})})
  .then((answer) => done(`${answer.type} ${answer.status}`)).catch((error) => done(error.name));
"""
SOCKET = """
const [url, done] = arguments;
const socket = new WebSocket(url, "graphql-ws");
socket.onopen = () => socket.send(JSON.stringify({type: "connection_init"}));
socket.onmessage = (message) => done(JSON.parse(message.data).type);
socket.onerror = socket.onclose = () => done("");
"""
REBOUND = """
const [query, done] = arguments;
fetch("/graphql", {method: "POST", headers: {"Content-Type": "application/json"},
  body: JSON.stringify({query})}).then((answer) => done(answer.status)).catch(() => done(0));
"""


@contextlib.contextmanager
def served(module: str, folder: Path) -> Iterator[str]:
    """The web server of a module, without any code location."""
    folder.mkdir()
    port = free_ports()
    url = f"http://{HOST}:{port}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", module, "--empty-workspace", "--port", str(port)],
            env=os.environ | {"DAGSTER_HOME": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: _answers(url), 120, "start")
        yield url
    finally:
        stop(server)


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(ask(url, "{ version }"))
    return False


class Attacker(http.server.BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    with http.server.ThreadingHTTPServer((HOST, 0), Attacker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    rules = f"host-resolver-rules=MAP {ELSEWHERE} {HOST}"
    with open_browser(tmp_path_factory.mktemp("profile"), rules) as browser:
        browser.driver.set_script_timeout(SECONDS)
        yield browser


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served("mlops_assets.cli.webserver", tmp_path_factory.mktemp("guarded") / "home") as url:
        yield url


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served("dagster_webserver", tmp_path_factory.mktemp("bare") / "home") as url:
        yield url


def paused(url: str) -> bool:
    state: bool = ask(url, STATE)["instance"]["autoMaterializePaused"]
    return state


def comes(look: Callable[[], bool], seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        return wait_for(look, seconds, "effect")
    return False


@pytest.mark.parametrize("name", ATTACKS)
def test_no_page_elsewhere_changes_anything(
    guarded: str, bare: str, elsewhere: str, browser: Browser, name: str
) -> None:
    for url, seconds, works in ((bare, SECONDS, True), (guarded, QUIET_SECONDS, False)):
        ask(url, RESUME)
        browser.open(elsewhere)
        prepare = "const [url, sent] = arguments; const query = encodeURIComponent(sent);"
        browser.run(prepare + ATTACKS[name], f"{url}/graphql", PAUSE)
        assert comes(lambda url=url: paused(url), seconds) is works, url  # type: ignore[misc]


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
@pytest.mark.parametrize("credentials", ["include", "omit"])
def test_no_page_elsewhere_sends_json(
    guarded: str, bare: str, elsewhere: str, browser: Browser, mode: str, credentials: str
) -> None:
    """With cors it is asked first whether it may, and may not; without, it is no JSON.

    Nor is the page shown whether there was an answer, as by the web server as it is.
    """
    came = {}
    for url in (bare, guarded):
        ask(url, RESUME)
        browser.open(elsewhere)
        sent = [f"{url}/graphql", PAUSE, mode, credentials]
        came[url] = browser.driver.execute_async_script(JSON_FETCH, *sent)
        assert not comes(lambda url=url: paused(url), QUIET_SECONDS)  # type: ignore[misc]
    assert came == {bare: "opaque 0" if mode == "no-cors" else "TypeError", guarded: "TypeError"}


def test_a_preflight_is_refused(guarded: str, elsewhere: str) -> None:
    """What a browser asks before it sends JSON; nothing in the answer lets it do so."""
    asked = {
        "Origin": elsewhere,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    request = urllib.request.Request(f"{guarded}/graphql", headers=asked, method="OPTIONS")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert answer.code == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_no_page_elsewhere_opens_a_websocket(
    guarded: str, bare: str, elsewhere: str, browser: Browser
) -> None:
    said = {}
    for url in (bare, guarded):
        browser.open(elsewhere)
        socket = f"{url.replace('http', 'ws')}/graphql"
        said[url] = browser.driver.execute_async_script(SOCKET, socket)
    assert said == {bare: "connection_ack", guarded: ""}


def test_a_name_that_points_here_is_not_served(guarded: str, bare: str, browser: Browser) -> None:
    for url, status in ((bare, 200), (guarded, 403)):
        ask(url, RESUME)
        browser.open(url.replace(HOST, ELSEWHERE))
        assert browser.driver.execute_async_script(REBOUND, PAUSE) == status
        assert paused(url) is (status == 200)


def test_no_page_elsewhere_shows_it_in_a_frame(
    guarded: str, bare: str, elsewhere: str, browser: Browser
) -> None:
    shown = {}
    for url in (bare, guarded):
        browser.open(elsewhere)
        browser.run(
            'document.body.append(Object.assign(document.createElement("iframe"),'
            " {src: arguments[0]}))",
            url,
        )
        browser.driver.switch_to.frame(0)
        shown[url] = comes(lambda: "Deployment" in browser.text(), SECONDS)
        browser.driver.switch_to.default_content()
    assert shown == {bare: True, guarded: False}


def test_its_own_pages_work_as_ever(guarded: str, browser: Browser) -> None:
    ask(guarded, RESUME)
    browser.open(guarded)
    assert comes(lambda: "Deployment" in browser.text(), 60)
    assert browser.driver.execute_async_script(REBOUND, PAUSE) == 200
    assert paused(guarded)
    socket = f"{guarded.replace('http', 'ws')}/graphql"
    assert browser.driver.execute_async_script(SOCKET, socket) == "connection_ack"
