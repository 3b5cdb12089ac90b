"""Serving refuses a port that is taken, before it starts anything."""

import socket

import pytest

from mlops_assets.cli.serve import port_is_free
from mlops_tests.commands import command

HOST = "127.0.0.1"


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("name", ["run", "serve"])
def test_a_taken_port_is_named_with_another_to_choose(
    name: str, offset: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        busy = taken.getsockname()[1]
        port = busy - offset
        if offset and not port_is_free(HOST, port):
            pytest.skip("the port before it is taken as well")
        assert command(name, "--port", port) == 1
        said = capsys.readouterr().err
        assert f"Port {busy} of {HOST} is taken" in said
        assert f"make run PORT={port + 10}" in said
