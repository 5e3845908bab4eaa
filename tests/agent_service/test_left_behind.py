"""The address of a service that was killed is believed by nobody: whoever has its port now would be given what was meant for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest

from agent.engine.child import ConfiguredEngine
from agent.errors import AgentError
from agent.facade import Facade
from agent.service.address import Address, own_version
from agent.service.attach import end_service
from agent.service.client import new_http_client
from agent.service.service import Service
from config.credentials import CredentialError
from config.paths import Home
from tests.agent_service.conftest import Attach, wait_ended
from tests.fakes.runtime import open_fake_runtime

pytestmark = pytest.mark.anyio


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-IS", "-c", ""]) as process:
        pass
    return process.pid


@pytest.mark.parametrize("is_dead", [True, False], ids=["its process is gone", "its id is another process's now"])
async def test_whoever_listens_where_a_dead_service_did_is_told_nothing(
    attached: Attach, home: Home, monkeypatch: pytest.MonkeyPatch, *, is_dead: bool
) -> None:
    """The port of a service that was killed is free for any account of the machine."""
    asked: list[str] = []
    real_client = new_http_client

    def client_of(address: Address) -> httpx2.AsyncClient:
        if address.token == "old":
            asked.append(address.url)
        return real_client(address)

    monkeypatch.setattr("agent.service.attach.new_http_client", client_of)
    stale = Address(url="http://127.0.0.1:9", token="old", pid=dead_pid() if is_dead else 1, version=own_version())
    stale.publish(home)
    await end_service(home)
    async with attached() as service:
        assert service.address.token != "old"
    await wait_ended(service.address.pid)
    assert asked == []


async def test_a_service_that_begins_takes_away_what_a_dead_one_left_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the home before it has an address of its own: the old one must not look like its own meanwhile."""
    left: list[Address | None] = []

    def listen(*_: object) -> None:
        left.append(Address.read(home))
        raise OSError("no port is free")

    monkeypatch.setattr("agent.service.service.socket.create_server", listen)
    Address(url="http://127.0.0.1:9", token="old", pid=1, version=own_version()).publish(home)
    service = Service(home, engine=ConfiguredEngine("http://127.0.0.1:9"), open_runtime=lambda _: open_fake_runtime())
    with pytest.raises(OSError, match="no port is free"):
        await service.run(stay=False, on_listening=lambda _: None)
    assert left == [None]


async def test_a_key_that_must_not_be_used_is_told_as_why_the_service_could_not_start(home: Home) -> None:
    @asynccontextmanager
    async def refuse(_: object) -> AsyncGenerator[Facade]:
        raise CredentialError("secrets/node_cloud_key can be read by others. Make it private: chmod 600")
        yield  # what makes it a generator

    service = Service(home, engine=ConfiguredEngine("http://127.0.0.1:9"), open_runtime=refuse)
    with pytest.raises(AgentError, match=r"can be read by others.*chmod 600"):
        await service.run(stay=False, on_listening=lambda _: None)
