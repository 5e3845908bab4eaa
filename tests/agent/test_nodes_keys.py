"""RTE-2: the keys of nodes: what is wrong with one is told of its node alone, by its file, and a key that is put right counts at once."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest

from agent.engine.client import EngineClient
from agent.engine.key import EngineKey, Whose
from agent.engine.model_client import ModelClient
from agent.engine.wire import Wire
from agent.errors import AgentError, ModelFailed, ModelRefused
from agent.local_time import find_zone
from agent.routes.deciding.nodes import NodeState
from agent.routes.places.external import OpenAIModel
from agent.routes.places.forwarding import Passing
from agent.routes.places.scout import ModeReader, Scout, Tiers, asks_list, blank_node
from agent.routes.router import open_router
from config.credentials import read_key, secret_file
from config.paths import Home
from config.schema import AgentSettings
from config.shapes.routing import NodeEntry
from inference.contract.mode import Mode
from tests.fakes.upstream import Exchange, Upstream, serve_upstream

pytestmark = pytest.mark.anyio
BODY = json.dumps({"model": "glm", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "glm"}
ANSWER = {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}
LISTED = b'{"object": "list", "data": [{"id": "llama3.2:latest", "meta": {"kind": "tier", "model": "m", "state": "ready", "n_ctx": 4096}}]}'


BAD_KEY = ("401 Unauthorized", b'{"error": {"message": "bad key", "code": "invalid_key"}}')
XAI = ("400 Bad Request", b'{"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***le."}')
GOOGLE = (
    "400 Bad Request",
    b'[{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]',
)
BLOCKED = ("403 Forbidden", b'{"error": {"message": "Your API key was reported as leaked."}}')
ABROAD = ("403 Forbidden", b'{"error": {"message": "Country, region, or territory not supported"}}')


@asynccontextmanager
async def server_of(key: str, refusal: tuple[str, bytes] = BAD_KEY) -> AsyncGenerator[tuple[str, Upstream]]:
    """A server that wants a key; its address, and what it heard."""

    async def answer(exchange: Exchange) -> None:
        if key and exchange.request.headers.get("authorization") != f"Bearer {key}":
            await exchange.json(refusal[1], refusal[0])
        elif exchange.request.target.endswith("/models"):
            await exchange.json(LISTED)
        else:
            await exchange.begin_stream()
            await exchange.chunk(f"data: {json.dumps(ANSWER)}\n\ndata: [DONE]\n\n".encode())
            await exchange.chunk(b"")

    with anyio.fail_after(30):
        async with serve_upstream() as upstream:
            upstream.script = answer
            yield f"http://127.0.0.1:{upstream.port}", upstream


async def looked_at(home: Home, engine: str, **nodes: dict[str, object]) -> dict[str, NodeState]:
    """Every node beside an engine, after one look."""
    settings = AgentSettings.model_validate({"nodes": nodes})
    async with httpx2.AsyncClient(trust_env=False) as http, Wire() as wire:
        clients = EngineClient(engine, EngineKey(None), http), ModelClient(engine, EngineKey(None), wire)
        async with open_router(home, settings, *clients, find_zone("UTC")) as router:
            return {state.name: state for state in await router.states()}


def put_key(home: Home, name: str, content: bytes, mode: int = 0o600) -> Path:
    file = secret_file(name, home=home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    return file


def key_of(home: Home, node: str) -> EngineKey:
    return EngineKey(lambda: read_key(f"node_{node}_key", home=home, environ={}), Whose(f"nodes.{node}", f"node_{node}_key"))


@asynccontextmanager
async def cloud_of(home: Home, url: str) -> AsyncGenerator[OpenAIModel]:
    """What asks a server outside with the key of the node `cloud`."""
    model = OpenAIModel("cloud", f"{url}/v1", key_of(home, "cloud"))
    try:
        yield model
    finally:
        await model.close()


@pytest.mark.parametrize("entry", [{"kind": "engine"}, {"kind": "openai"}, {"kind": "openai", "model": "glm", "external": True}])
async def test_a_node_whose_key_others_can_read_is_down_with_the_remedy_and_the_engine_goes_on(home: Home, entry: dict[str, object]):
    put_key(home, "node_cloud_key", b"sk-1\n", 0o644)
    async with server_of("") as (url, _), server_of("sk-1") as (cloud, upstream):
        states = await looked_at(home, url, cloud={"url": f"{cloud}/v1", **entry})
        assert states["engine"].down == ""
        assert "can be read by others (mode 0644). Make it private: chmod 600" in states["cloud"].down
        assert upstream.heard == []
        put_key(home, "node_cloud_key", b"sk-1\n")
        assert (await looked_at(home, url, cloud={"url": f"{cloud}/v1", **entry}))["cloud"].down == ""


async def test_a_key_that_is_put_right_while_the_service_runs_is_found(home: Home):
    put_key(home, "node_cloud_key", b"sk-1\n", 0o644)
    key = EngineKey(lambda: read_key("node_cloud_key", home=home, environ={}), is_one_of_many=True)
    with pytest.raises(ModelFailed, match="chmod 600"):
        await key.check()
    put_key(home, "node_cloud_key", b"sk-1\n")
    await key.check()
    assert key.headers == {"Authorization": "Bearer sk-1"}


async def test_a_key_saved_with_a_mark_before_it_is_shown_without(home: Home):
    put_key(home, "node_big_key", b"\xef\xbb\xbfsk-1\r\n")
    async with server_of("") as (url, _), server_of("sk-1") as (big, upstream):
        states = await looked_at(home, url, big={"url": f"{big}/v1", "kind": "openai"})
    assert {name: state.down for name, state in states.items()} == {"engine": "", "big": ""}
    assert upstream.heard[0].headers["authorization"] == "Bearer sk-1"


async def test_a_key_that_cannot_be_sent_is_told_of_its_node_and_ends_nothing_else(home: Home):
    file = put_key(home, "node_big_key", "sk-1…".encode())
    async with server_of("") as (url, _), server_of("sk-1") as (big, _):
        states = await looked_at(home, url, big={"url": f"{big}/v1", "kind": "openai"})
    assert states["engine"].down == ""
    assert states["big"].down.startswith(f"{file} holds no key")


async def test_a_look_that_breaks_is_a_failure_of_that_node_alone():
    async def breaks() -> Tiers:
        raise ValueError("Bearer sk-1")

    async def breaks_too() -> Mode:
        raise OverflowError("port must be 0-65535")

    scouts = Scout(NodeState("big"), breaks), Scout(NodeState("small"), None, ModeReader("there", breaks_too))
    async with anyio.create_task_group() as tasks:
        for scout in scouts:
            await scout.look(tasks)
    assert scouts[0].state.down == "it cannot be asked (ValueError); the log has the details"
    assert scouts[1].state.is_gaming


async def test_a_key_that_is_added_after_a_refusal_is_used_for_the_next_answer(home: Home):
    async with server_of("sk-right") as (url, upstream), cloud_of(home, url) as model:
        with pytest.raises(ModelFailed, match=r"status 401: bad key.*secrets/node_cloud_key.*VARIET_NODE_CLOUD_KEY, and there is none"):
            await model.complete(BODY, on_text=lambda _: None)
        put_key(home, "node_cloud_key", b"sk-right\n")
        assert (await model.complete(BODY, on_text=lambda _: None)).text == "Hello."
        put_key(home, "node_cloud_key", b"sk-wrong\n")
        assert (await model.complete(BODY, on_text=lambda _: None)).text == "Hello.", "nothing was refused, so nothing is read"
    assert [each.headers["authorization"] for each in upstream.heard] == ["Bearer none"] * 2 + ["Bearer sk-right"] * 2


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (XAI, r"does not take its key \(status 400: Incorrect API key provided: xa\*\*\*le\.\)\. .*secrets/node_cloud_key"),
        (GOOGLE, r"does not take its key \(status 400: API key not valid\. .*secrets/node_cloud_key"),
        (BLOCKED, r"does not take its key \(status 403: Your API key was reported as leaked\.\)\. .*secrets/node_cloud_key"),
        (ABROAD, r"^The node cloud refused \(status 403\): Country, region, or territory not supported$"),
    ],
)
async def test_a_rotated_key_is_read_again_however_a_provider_refuses_the_old_one(home: Home, refusal: tuple[str, bytes], told: str):
    put_key(home, "node_cloud_key", b"sk-old\n")
    passing = Passing("POST", "/v1/chat/completions", {}, BODY)
    async with server_of("sk-right", refusal) as (url, upstream), cloud_of(home, url) as model, cloud_of(home, url) as other:
        with pytest.raises(ModelFailed, match=told) as refused:
            await model.complete(BODY, on_text=lambda _: None)
        assert not isinstance(refused.value, ModelRefused)
        with pytest.raises(ModelFailed, match="secrets/node_cloud_key"):
            async with other.forward(passing, must_count=False):
                pass
        put_key(home, "node_cloud_key", b"sk-right\n")
        assert (await model.complete(BODY, on_text=lambda _: None)).text == "Hello."
        async with other.forward(passing, must_count=False) as answer:
            assert answer.status == 200
    assert [each.headers["authorization"].removeprefix("Bearer sk-") for each in upstream.heard] == [
        "old",
        "old",
        "old",
        "right",
        "old",
        "right",
    ]


async def test_another_programs_request_is_passed_on_with_a_key_that_was_changed_since(home: Home):
    put_key(home, "node_cloud_key", b"sk-old\n")
    async with server_of("sk-right") as (url, _), cloud_of(home, url) as model:
        put_key(home, "node_cloud_key", b"sk-right\n")
        passing = Passing("POST", "/v1/chat/completions", {}, BODY)
        async with model.forward(passing, must_count=False) as answer:
            assert answer.status == 200
            assert b"Hello." in b"".join([piece async for piece in answer.pieces])


@pytest.mark.parametrize(("refusal", "status"), [(BAD_KEY, 401), (BLOCKED, 403), (XAI, 400), (GOOGLE, 400)])
async def test_a_list_of_models_that_wants_a_key_is_told_as_that_and_asked_again_with_a_new_one(
    home: Home, refusal: tuple[str, bytes], status: int
):
    async with server_of("sk-right", refusal) as (url, _), httpx2.AsyncClient(trust_env=False) as http:
        ask = asks_list(f"{url}/v1", NodeEntry(kind="openai", url=url), key_of(home, "big"), http)
        with pytest.raises(
            AgentError, match=rf"/models does not take its key \(status {status}\).*secrets/node_big_key.*VARIET_NODE_BIG_KEY"
        ):
            await ask()
        put_key(home, "node_big_key", b"sk-right\n")
        assert list(await ask()) == ["llama3.2:latest"]


async def test_a_model_that_is_named_is_there_by_the_name_that_its_server_answers_to(home: Home):
    async with server_of("") as (url, _):
        entry: dict[str, object] = {"url": f"{url}/v1", "kind": "openai", "model": "llama3.2"}
        big = (await looked_at(home, url, big=entry))["big"]
    assert (big.down, list(big.tiers or {}), big.main_tier) == ("", ["llama3.2"], "llama3.2")
    assert big.tiers == blank_node("big", NodeEntry(url=url, kind="openai", model="llama3.2")).tiers
