"""Where a server cannot listen, it says what is in the way: another one, an address that has gone, or rights."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from config.network import no_listening
from config.network.no_listening import why_not_listening
from config.schema import ServerSection
from inference.door.listening import open_front
from inference.errors import BindRefused
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.bind import BindRefused as ServerRefused
from mcp_servers.protocol.over_http import listening

GONE = "192.0.2.1"
"""An address for documentation, which no machine has."""


def _refused(host: str, port: int) -> tuple[str, str]:
    """What the engine says, and what a tool server says."""
    with (
        pytest.raises(BindRefused) as engine,
        open_front(ServerSection(host=host, allow_plain_http=True), port, has_keys=True),
    ):
        pass
    with pytest.raises(ServerRefused) as tools, listening(Bind(host, port)):
        pass
    return str(engine.value), str(tools.value)


def _at_home(_: str) -> str:
    return "192.168.1.23"


def _nowhere(_: str) -> str:
    return ""


def test_an_address_that_the_machine_does_not_have_is_no_other_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(no_listening, "own_address", _at_home)
    engine, tools = _refused(GONE, 8000)
    for said in (engine, tools):
        assert said.startswith(f"Cannot listen on {GONE} port 8000: ")
        assert "does not have that address now; it has 192.168.1.23." in said
        assert "another one" not in said
    assert "server.host" in engine and "variet connect" in engine
    monkeypatch.setattr(no_listening, "own_address", _nowhere)
    assert "does not have that address now. " in _refused(GONE, 8000)[0]


def test_a_taken_port_is_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine, tools = _refused("127.0.0.1", taken.getsockname()[1])
    assert engine.endswith("Is another one running there?")
    assert tools.endswith("Is another one running there? End it, or give another port.")


@pytest.mark.parametrize(
    ("number", "port", "end"),
    [
        (errno.EACCES, 443, "need special rights. Give a higher one."),
        (errno.EACCES, 8000, "Give another one."),
        (errno.EINVAL, 443, "argument."),
    ],
)
def test_what_else_is_in_the_way_is_told_as_the_system_tells_it(number: int, port: int, end: str) -> None:
    said = why_not_listening(OSError(number, os.strerror(number)), "127.0.0.1", port, where_taken="Another?", where_not_ours="Gone.")
    assert said.endswith(end)
    assert "Another" not in said and "Gone" not in said
