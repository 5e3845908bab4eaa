"""The real service in this process, on real ports, with the runtime in memory and an engine that is scripted byte by byte."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import pytest
from openai import AsyncOpenAI
from pydantic import SecretStr

from agent.engine.child import ConfiguredEngine, EngineLink
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey
from agent.engine.model_client import ModelClient, timeouts
from agent.engine.wire import Wire
from agent.facade import Facade
from agent.gateway.app import open_gateway
from agent.local_time import find_zone
from agent.routes.deciding.routing import RoutingRules
from agent.routes.desk import RouteDesk
from agent.routes.router import Router, open_router
from agent.service.address import Address
from agent.service.door import Door
from agent.service.service import Service
from agent.sessions.session import LOG_FILE
from agent.sessions.store import Store
from config.paths import Home
from config.schema import AgentSettings
from tests.fakes.runtime import FakeRuntime, open_fake_runtime
from tests.fakes.upstream import Exchange, Upstream, serve_upstream

TOKEN = "vg_test"
BOUND_S = 60
SERVED = {"fast": ("tier", ["chat", "tools"]), "ultra": ("tier", ["chat"]), "gte": ("model", ["embeddings"])}
Script = Callable[[Exchange], Awaitable[None]]


@dataclass
class Served:
    """What a test holds."""

    address: Address
    runtime: FakeRuntime
    upstream: Upstream
    openai: AsyncOpenAI
    http: httpx2.AsyncClient
    routes: RouteDesk


def model_list() -> bytes:
    """What the scripted engine serves."""
    data = [
        {"id": name, "meta": {"kind": kind, "model": name, "state": "ready", "n_ctx": 4096, "capabilities": able}}
        for name, (kind, able) in SERVED.items()
    ]
    return json.dumps({"object": "list", "data": data}).encode()


@asynccontextmanager
async def serving(
    home: Home, settings: AgentSettings | None = None, *, key: str | None = None, script: Script | None = None
) -> AsyncGenerator[Served]:
    """The service, ready, until the block ends; the engine plays the script from the start."""
    async with serve_upstream() as upstream:
        upstream.script = script or upstream.script
        runtimes: list[FakeRuntime] = []
        routers: list[Router] = []
        door = Door(0, SecretStr(TOKEN))

        @asynccontextmanager
        async def open_runtime(engine: EngineLink) -> AsyncGenerator[Facade]:
            async with open_fake_runtime() as runtime:
                runtimes.append(runtime)
                own, secret = settings or AgentSettings(), None if key is None else SecretStr(key)
                async with (
                    httpx2.AsyncClient(timeout=timeouts(), trust_env=False) as asking,
                    Wire() as wire,
                    open_router(home, own, *_clients(upstream, secret, asking, wire), find_zone(own.agent.zone)) as router,
                    open_gateway(engine, secret, own, runtime, router) as door.app,
                ):
                    routers.append(router)
                    yield runtime

        service = Service(home, engine=ConfiguredEngine(f"http://127.0.0.1:{upstream.port}"), open_runtime=open_runtime, door=door)
        addresses: list[Address] = []
        listening = anyio.Event()

        def note(address: Address) -> None:
            addresses.append(address)
            listening.set()

        async def run() -> None:
            await service.run(stay=True, on_listening=note)

        with anyio.fail_after(BOUND_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run)
                await listening.wait()
                url = addresses[0].gateway
                assert url is not None
                async with (
                    AsyncOpenAI(base_url=url, api_key=TOKEN, max_retries=0, timeout=BOUND_S) as openai,
                    httpx2.AsyncClient(
                        base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=BOUND_S
                    ) as http,
                ):
                    await http.get("/models/none")
                    yield Served(addresses[0], runtimes[0], upstream, openai, http, RouteDesk(routers[0], RoutingRules(), _no_log(home)))
                async with httpx2.AsyncClient(trust_env=False, timeout=BOUND_S) as leaving:
                    await leaving.post(f"{addresses[0].url}/shutdown", headers={"authorization": f"Bearer {addresses[0].token}"}, json={})


def _clients(upstream: Upstream, key: SecretStr | None, http: httpx2.AsyncClient, wire: Wire) -> tuple[EngineClient, ModelClient]:
    url = f"http://127.0.0.1:{upstream.port}"
    return EngineClient(url, EngineKey(key), http), ModelClient(url, EngineKey(key), wire)


def _no_log(home: Home) -> Path:
    """The session log of an agent that was never asked anything."""
    path = home.state_dir / LOG_FILE
    Store(path).close()
    return path


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with serving(home, AgentSettings.model_validate({"routing": {"force_tier": "ultra", "tags": {"#deep": "ultra"}}})) as it:
        it.upstream.script = play
        yield it


async def play(exchange: Exchange) -> None:
    """The list of models, no mode, and one answer for everything else."""
    if exchange.request.target == "/v1/models":
        await exchange.json(model_list())
    elif exchange.request.target == "/engine/mode":
        await exchange.json(b"{}", "404 Not Found")
    else:
        await exchange.json(b'{ "id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]}')
