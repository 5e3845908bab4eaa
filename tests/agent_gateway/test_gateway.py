"""Any client of OpenAI's protocol: routed by name or by the agent, passed through byte for byte, and refused in words that it shows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import openai
import pytest

from config.paths import Home
from tests.agent_gateway.conftest import TOKEN, Served, play, serving
from tests.fakes.upstream import BreakOff, Exchange

pytestmark = pytest.mark.anyio
ASKED_BY_US = ("/v1/models", "/engine/mode", "/props")
HI: list[Any] = [{"role": "user", "content": "hi"}]
FRAMES = (
    b'data: {"choices":[{"delta":{"content":"h\xc3',
    b'\xa9"}}]}\n\nevent: loading\ndata: {}\n\n: odd',
    b" comment\n\n",
    b"data: [DONE]\n\n",
)


def completions(served: Served) -> list[dict[str, Any]]:
    """Bodies that the engine got."""
    return [json.loads(heard.body) for heard in served.upstream.heard if heard.target.partition("?")[0] not in ASKED_BY_US]


async def test_auto_is_routed_and_the_decision_is_in_the_headers(served: Served) -> None:
    raw = await served.openai.chat.completions.with_raw_response.create(model="auto", messages=HI)
    assert raw.parse().choices[0].message.content == "hi"
    assert (raw.headers["x-variet-tier"], raw.headers["x-variet-rule"]) == ("fast", "default")
    assert "default tier" in raw.headers["x-variet-reason"]
    assert completions(served)[0]["model"] == "fast"


@pytest.mark.parametrize(
    ("model", "text", "headers", "tier", "rule"),
    [
        ("auto", "think #deep about it", {}, "ultra", "pin-tag"),
        ("auto", "#force_big", {}, "ultra", "force"),
        ("big", "hi", {}, "ultra", "force"),
        ("fast", "hi", {"X-Force-Big": "true"}, "ultra", "force"),
        ("fast", "#deep", {}, "fast", "named"),
        ("gone", "hi", {}, "gone", "named"),
    ],
)
async def test_names_tags_and_force(served: Served, model: str, text: str, headers: dict[str, str], tier: str, rule: str) -> None:
    messages: Any = [{"role": "user", "content": text}]
    raw = await served.openai.chat.completions.with_raw_response.create(model=model, messages=messages, extra_headers=headers)
    assert (raw.headers["x-variet-tier"], raw.headers["x-variet-rule"]) == (tier, rule)
    assert completions(served)[0]["model"] == tier
    assert (served.upstream.heard[-1].headers.get("x-variet-force") == "true") == (rule == "force")


async def test_every_other_byte_of_the_body_arrives_as_it_was(served: Served) -> None:
    tools = b'"tools":[ {"type":"function","function":{"name":"x","parameters":{"b":1.50,"a":1e2}}}]'
    body = b'{ "stream":false,' + tools + b',"model" : "auto" ,"messages":[{"role":"user","content":"\\u00e9"}]}'
    await served.http.post("/chat/completions", content=body, headers={"content-type": "application/json"})
    assert served.upstream.heard[-1].body == body.replace(b'"auto"', b'"fast"')
    await served.http.post("/chat/completions", content=body.replace(b"auto", b"ultra"), headers={"content-type": "application/json"})
    assert served.upstream.heard[-1].body == body.replace(b"auto", b"ultra")


async def test_a_stream_comes_byte_for_byte(served: Served) -> None:
    async def stream(exchange: Exchange) -> None:
        if exchange.request.target in ASKED_BY_US:
            await play(exchange)
            return
        await exchange.begin_stream()
        for frame in (*FRAMES, b""):
            await exchange.chunk(frame)

    served.upstream.script = stream
    async with served.http.stream("POST", "/chat/completions", json={"model": "auto", "stream": True, "messages": HI}) as answer:
        assert answer.headers["x-variet-tier"] == "fast"
        assert b"".join([piece async for piece in answer.aiter_raw()]) == b"".join(FRAMES)


@pytest.mark.parametrize("has_begun", [True, False], ids=["streaming", "loading"])
async def test_a_client_that_leaves_ends_the_engines_request(served: Served, has_begun: bool) -> None:
    reached = anyio.Event()

    async def hold(exchange: Exchange) -> None:
        if has_begun:
            await exchange.begin_stream()
            await exchange.chunk(b"data: {}\n\n")
        reached.set()
        await exchange.until_client_leaves()
        raise BreakOff

    served.upstream.script = hold

    async def ask() -> None:
        async with served.http.stream("POST", "/chat/completions", json={"model": "fast", "stream": True, "messages": HI}) as answer:
            async for _ in answer.aiter_raw():
                pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await reached.wait()
        tasks.cancel_scope.cancel()
    await served.upstream.client_left.wait()


async def test_the_engines_refusals_come_as_they_are(served: Served) -> None:
    async def full(exchange: Exchange) -> None:
        body = b'{"error":{"message":"Wait.","type":"unavailable_error","code":"queue_full","param":null}}'
        head = b"HTTP/1.1 503 X\r\ncontent-type: application/json\r\nretry-after: 7\r\ncontent-length: %d\r\n\r\n" % len(body)
        await exchange.stream.send(head + body)

    served.upstream.script = full
    with pytest.raises(openai.InternalServerError) as caught:
        await served.openai.chat.completions.create(model="fast", messages=HI)
    assert (caught.value.code, caught.value.response.headers["retry-after"]) == ("queue_full", "7")


@pytest.mark.parametrize(("key", "said"), [("vk_old", "does not take the key"), (None, "wants a key, and there is none")])
async def test_an_engine_that_refuses_our_key_does_not_refuse_the_clients(home: Home, key: str | None, said: str) -> None:
    async def refuses(exchange: Exchange) -> None:
        if exchange.request.target in ASKED_BY_US:
            await play(exchange)
            return
        await exchange.json(b'{"error":{"message":"No.","type":"authentication_error","code":"invalid_key"}}', "401 X")

    async with serving(home, key=key) as served:
        served.upstream.script = refuses
        with pytest.raises(openai.InternalServerError, match=said) as caught:
            await served.openai.chat.completions.create(model="fast", messages=HI)
        assert (caught.value.status_code, caught.value.code) == (502, "model_failed")


async def test_an_engine_that_is_not_there_is_said_in_openais_form(served: Served) -> None:
    async def break_off(_: Exchange) -> None:
        raise BreakOff

    served.upstream.script = break_off
    with pytest.raises(openai.InternalServerError) as caught:
        await served.openai.chat.completions.create(model="fast", messages=HI)
    assert (caught.value.status_code, caught.value.code) == (502, "model_failed")


async def test_a_stream_that_breaks_off_ends_with_an_error_frame(served: Served) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n')
        raise BreakOff

    served.upstream.script = half
    said = ""
    with pytest.raises(openai.APIError, match="broke off"):
        async for chunk in await served.openai.chat.completions.create(model="fast", messages=HI, stream=True):
            said += chunk.choices[0].delta.content or ""
    assert said == "half"


async def test_embeddings_go_to_what_can_embed(served: Served) -> None:
    raw = await served.http.post("/embeddings", json={"model": "auto", "input": "x"})
    assert (raw.headers["x-variet-tier"], raw.headers["x-variet-rule"]) == ("gte", "capability")
    assert served.upstream.heard[-1].target == "/v1/embeddings"


async def test_the_list_begins_with_the_gateways_own_names(served: Served) -> None:
    assert [model.id async for model in served.openai.models.list()] == ["auto", "variet", "fast", "ultra", "gte"]
    assert (await served.openai.models.retrieve("fast")).id == "fast"
    with pytest.raises(openai.NotFoundError, match="no model"):
        await served.openai.models.retrieve("none")


async def test_the_session_goes_on_and_the_token_stays_here(served: Served) -> None:
    headers = {"X-Variet-Session": "mine", "cookie": "a=b"}
    await served.http.post("/chat/completions", json={"model": "fast", "messages": HI}, headers=headers)
    heard = served.upstream.heard[-1].headers
    assert heard["x-variet-session"] == "mine"
    assert not any(TOKEN in value for value in heard.values())
    assert not {"cookie", "authorization"} & heard.keys()


@pytest.mark.parametrize("name", ["Gespräch".encode(), "Gespräch".encode("latin-1")])
async def test_a_session_with_an_umlaut_arrives_as_it_was_sent(served: Served, name: bytes) -> None:
    for model in ("fast", "auto"):
        answer = await served.http.post("/chat/completions", json={"model": model, "messages": HI}, headers=[(b"x-variet-session", name)])
        assert answer.status_code == 200
        assert served.upstream.heard[-1].headers["x-variet-session"].encode("latin-1") == name


async def test_the_engines_key_is_shown_to_the_engine(home: Home) -> None:
    async with serving(home, key="vk_engine") as served:
        served.upstream.script = play
        await served.openai.chat.completions.create(model="fast", messages=HI)
        assert served.upstream.heard[-1].headers["authorization"] == "Bearer vk_engine"


@pytest.mark.parametrize("path", ["/..%2fengine/unload", "/%2e%2e/engine/unload", "/x%3fy", "//engine", "/"])
async def test_nothing_outside_v1_is_reached(served: Served, path: str) -> None:
    url = httpx2.URL(str(served.http.base_url).rstrip("/") + path)
    answer = await served.http.post(url, json={})
    assert answer.status_code in (404, 405)
    assert [heard.target for heard in served.upstream.heard if "engine" in heard.target or heard.target.startswith("/v1/x")] == []


@pytest.mark.parametrize("route", ["/sessions", "/approvals", "/health", "/v1/../approvals"])
async def test_the_gateways_token_opens_the_gateway_alone(served: Served, route: str) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    at_its_port = await served.http.get(httpx2.URL(str(served.http.base_url).removesuffix("/v1/") + route))
    assert at_its_port.status_code == 404
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{served.address.url}{route}", headers=bearer)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"authorization": "Bearer wrong"}, 401, "invalid_token"),
        ({"origin": "https://example.org"}, 403, "origin_refused"),
        ({"host": "evil.example"}, 403, "host_refused"),
    ],
)
async def test_who_may_not_come_in_is_told_in_openais_form(served: Served, headers: dict[str, str], status: int, code: str) -> None:
    answer = await served.http.get("/models", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert {"message", "type", "param"} <= answer.json()["error"].keys()
    assert served.upstream.heard == [] or all(heard.target == "/v1/models" for heard in served.upstream.heard)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": TOKEN}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": "Bearer wrong", "x-api-key": TOKEN}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({}, 401),
    ],
)
async def test_a_client_of_anthropics_protocol_shows_the_token_in_its_own_way(served: Served, headers: dict[str, str], status: int) -> None:
    hello = {"model": "fast", "max_tokens": 9, "messages": HI}
    async with httpx2.AsyncClient(base_url=served.http.base_url, trust_env=False) as http:
        answer = await http.post("/messages", json=hello, headers={"anthropic-version": "2023-06-01", **headers})
    assert answer.status_code == status
    heard = [each for each in served.upstream.heard if each.target == "/v1/messages"]
    assert len(heard) == (1 if status == 200 else 0)
    assert not any(TOKEN in value for each in heard for value in each.headers.values())


async def test_a_body_that_comes_in_chunks_arrives_whole(served: Served) -> None:
    body = b'{"model":"fast","messages":[{"role":"user","content":"hi"}]}'

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    answer = await served.http.post("/chat/completions", content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert served.upstream.heard[-1].body == body


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model":'])
async def test_a_body_that_is_no_object_is_refused_here(served: Served, body: bytes) -> None:
    answer = await served.http.post("/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


async def test_the_front_ends_own_token_opens_the_gateway_at_their_port(served: Served) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{served.address.url}/v1/models", headers={"authorization": f"Bearer {served.address.token}"})
    assert answer.json()["data"][0]["id"] == "auto"
