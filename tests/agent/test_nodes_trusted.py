"""A node behind a certificate that only its house vouches for: reached by the file that its section names, and by no other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest

from agent.engine.client import EngineClient
from agent.engine.key import EngineKey
from agent.engine.model_client import ModelClient
from agent.engine.wire import Wire
from agent.errors import AgentError, EngineUnreachable, ModelFailed
from agent.events import RouteChosen
from agent.local_time import find_zone
from agent.routes.deciding.nodes import NodeState
from agent.routes.router import Router, open_router
from config.paths import Home
from config.schema import AgentSettings
from inference.contract.status import ServedMeta, ServedModel, ServedModels
from tests.fakes.certificate import make_certificate
from tests.fakes.https_server import https_server

pytestmark = pytest.mark.anyio

SERVED = ServedModels(data=(ServedModel(id="deep", meta=ServedMeta(kind="tier", model="large", state="unloaded", n_ctx=4096)),))
BODY = b'{"model": "deep", "messages": []}'


@asynccontextmanager
async def routed(home: Home, **nodes: dict[str, object]) -> AsyncGenerator[Router]:
    """The nodes, beside an engine that is not there."""
    settings, nowhere = AgentSettings.model_validate({"nodes": nodes}), "http://127.0.0.1:1"
    with anyio.fail_after(60):
        async with httpx2.AsyncClient(trust_env=False) as http, Wire() as wire:
            clients = EngineClient(nowhere, EngineKey(None), http), ModelClient(nowhere, EngineKey(None), wire)
            async with open_router(home, settings, *clients, find_zone("UTC")) as router:
                yield router


async def looked_at(router: Router) -> dict[str, NodeState]:
    return {state.name: state for state in await router.states()}


async def asked(router: Router, node: str) -> str:
    """What came of asking its model: the server answers no POST at all, so whoever gets through to it is refused."""
    with pytest.raises((EngineUnreachable, ModelFailed)) as refused:
        route = RouteChosen(turn="t", node=node, tier="deep", model="deep", rule="default", reasons=())
        await router.complete(route, BODY, session="s", on_text=lambda _: None, on_progress=lambda _: None, is_forced=False)
    return str(refused.value)


@pytest.mark.parametrize("kind", ["engine", "openai"])
async def test_a_node_of_the_house_answers_where_its_section_names_the_certificate(home: Home, tmp_path: Path, kind: str):
    cert, key = make_certificate(tmp_path / "house")
    with https_server(cert, key, SERVED.model_dump_json()) as server:
        async with routed(
            home, known={"url": server.url, "kind": kind, "ca": str(cert)}, unknown={"url": server.url, "kind": kind}
        ) as router:
            states = await looked_at(router)
            assert list(states["known"].tiers or {}) == ["deep"]
            assert "501" in await asked(router, "known")
            for said in (states["unknown"].down, await asked(router, "unknown")):
                assert "does not trust the certificate" in said
                assert "as nodes.unknown.ca in agent.toml" in said
                assert "connect" not in said, "that would make it the agent's own engine"


async def test_a_certificate_of_one_node_vouches_for_no_other(home: Home, tmp_path: Path):
    (cert, key), (other, _) = make_certificate(tmp_path / "one"), make_certificate(tmp_path / "two")
    with https_server(cert, key, SERVED.model_dump_json()) as server:
        nodes: dict[str, dict[str, object]] = {name: {"url": server.url, "ca": str(ca)} for name, ca in (("right", cert), ("wrong", other))}
        async with routed(home, **nodes) as router:
            states = await looked_at(router)
    assert (states["right"].down, list(states["right"].tiers or {})) == ("", ["deep"])
    assert "nodes.wrong.ca" in states["wrong"].down


async def test_a_certificate_that_cannot_be_used_is_refused_with_its_setting(home: Home, tmp_path: Path):
    with pytest.raises(AgentError, match=r"nodes\.desk\.ca in agent\.toml: .*gone\.pem cannot be read"):
        async with routed(home, desk={"url": "https://192.168.1.20:8000", "ca": str(tmp_path / "gone.pem")}):
            pass
