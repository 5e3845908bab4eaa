"""The engine on a real port in front of a scripted server: bytes through unchanged, and nothing cut silently."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest

from inference.contract import ErrorEnvelope
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import BreakOff, Exchange, Upstream, serve_upstream
from tests.inference.engines import RunningEngine, engine, limited, until

pytestmark = pytest.mark.anyio
ASKED = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def frame(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return (
        f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': [choice]})}\n\n".encode()
    )


@asynccontextmanager
async def running(tmp_path: Path, **changes: Any) -> AsyncIterator[tuple[RunningEngine, Upstream, FakeChildren]]:
    async with serve_upstream() as upstream:
        children = FakeChildren(port=upstream.port, loads_at_once=True)
        with anyio.fail_after(10):
            async with engine(children, tmp_path, change=limited(**changes)) as running:
                yield running, upstream, children


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, ErrorEnvelope.model_validate_json(answer.content).error.code


async def test_a_body_reaches_the_model_byte_for_byte_and_without_our_headers(tmp_path: Path) -> None:
    raw = b'{ "model" : "fast",\n "n": 1.0e0, "text": "\\u00e9" }'
    async with running(tmp_path) as (on, upstream, _):
        headers = {"content-type": "application/json", "authorization": "Bearer secret", "x-variet-session": "s", "x-conversation-id": "c"}
        answer = await on.client.post("/v1/embeddings?a=%20b", content=raw, headers=headers)
    assert answer.json() == {"ok": True}
    (heard,) = upstream.heard
    assert heard.body == raw
    assert heard.target == "/v1/embeddings?a=%20b"
    assert not {"authorization", "x-variet-session", "x-conversation-id"} & set(heard.headers)
    assert answer.headers["x-variet-model"] == "small"
    assert answer.headers["x-variet-contract"] == "1"
    assert "access-control-allow-origin" not in answer.headers


async def test_connections_to_a_model_are_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):
        for _ in range(3):
            await on.client.post("/v1/embeddings", json={"model": "fast"})
        assert upstream.connections == 1


async def test_a_connection_that_the_model_had_closed_is_replaced_unseen(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):

        async def answer_once(exchange: Exchange) -> None:
            if len(upstream.heard) == 2:
                raise BreakOff
            await exchange.json(b"{}")

        upstream.script = answer_once
        for _ in range(2):
            assert (await on.client.post("/v1/embeddings", json={"model": "fast"})).status_code == 200


async def test_a_stream_arrives_frame_by_frame(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):
        go_on = anyio.Event()

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await go_on.wait()
            await exchange.chunk(frame("two") + b"data: [DONE]\n\n")
            await exchange.chunk(b"")

        upstream.script = stream
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            assert await anext(chunks) == frame("one")
            go_on.set()
            assert b"".join([chunk async for chunk in chunks]) == frame("two") + b"data: [DONE]\n\n"
        await until(on.supervisor, lambda state: not state.models["small"].leases)


async def test_a_stock_client_streams_and_swaps_tiers_by_naming_them(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            for text in ("Hel", "lo"):
                await exchange.chunk(frame(text))
            await exchange.chunk(b"data: [DONE]\n\n")
            await exchange.chunk(b"")

        upstream.script = stream
        async with openai.AsyncOpenAI(base_url=on.url + "/v1", api_key="none") as client:
            for tier in ("fast", "balanced"):
                chunks = await client.chat.completions.create(model=tier, messages=[{"role": "user", "content": "hi"}], stream=True)
                assert "".join([chunk.choices[0].delta.content or "" async for chunk in chunks]) == "Hello"
        assert [child.spec.name for child in children.started] == ["small", "large"]


async def test_a_client_that_leaves_ends_the_generation_and_frees_its_place(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.until_client_leaves()
            raise BreakOff

        upstream.script = stream
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            await anext(answer.aiter_raw())
        await upstream.client_left.wait()
        await until(on.supervisor, lambda state: not state.models["small"].leases)


async def test_a_client_that_leaves_the_queue_frees_its_place(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: on.client.post("/v1/embeddings", json={"model": "fast"}))
            await until(on.supervisor, lambda state: len(state.waiters) == 1)
            tasks.cancel_scope.cancel()
        await until(on.supervisor, lambda state: not state.waiters)


async def test_a_model_that_dies_in_a_stream_leaves_one_error_frame_with_its_last_words(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.chunk(b'data: {"half')
            children.started[0].die("CUDA error: illegal memory access")
            raise BreakOff

        upstream.script = stream
        body = (await on.client.post("/v1/chat/completions", json=ASKED)).content
    whole, last = body.removesuffix(b"\n\n").split(b"\n\n")
    assert whole + b"\n\n" == frame("one")
    error = ErrorEnvelope.model_validate_json(last.removeprefix(b"data: ")).error
    assert error.code == "upstream_died"
    assert "illegal memory access" in error.message


async def test_a_stock_client_raises_on_a_stream_that_was_cut(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            raise BreakOff

        upstream.script = stream
        async with openai.AsyncOpenAI(base_url=on.url + "/v1", api_key="none") as client:
            chunks = await client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hi"}], stream=True)
            with pytest.raises(openai.APIError, match="broke off"):
                async for _ in chunks:
                    pass


async def test_a_model_that_dies_before_the_first_byte_is_a_502(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def die(exchange: Exchange) -> None:
            children.started[0].die("boom")
            await anyio.lowlevel.checkpoint()
            raise BreakOff

        upstream.script = die
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        assert error_of(answer) == (502, "upstream_died")
        assert "boom" in answer.text


async def test_a_body_that_is_no_stream_is_broken_off_and_not_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):

        async def half(exchange: Exchange) -> None:
            await exchange.stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
            raise BreakOff

        upstream.script = half
        with pytest.raises(httpx2.RemoteProtocolError):
            await on.client.post("/v1/embeddings", json={"model": "fast"})


async def test_nothing_is_200_before_the_model_is_ready(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, children):
        children.loads_at_once = False
        answers: list[httpx2.Response] = []

        async def ask() -> None:
            answers.append(await on.client.post("/v1/chat/completions", json=ASKED))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            (await children.wait_started(1)).fail("bad_model", "failed to load model 'x.gguf'")
        assert error_of(answers[0]) == (503, "model_failed")
        assert "failed to load model" in answers[0].text
        assert answers[0].headers["retry-after"] == "1"


async def test_a_model_given_up_is_refused_with_a_header_that_stops_retries(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: on.client.post("/v1/chat/completions", json=ASKED))
            (await children.wait_started(1)).fail("not_started", "no such program", code=127)
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        assert error_of(answer) == (503, "model_failed")
        assert answer.headers["x-should-retry"] == "false"


async def test_a_client_that_asked_gets_loading_events_and_then_the_stream(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):
        children.loads_at_once = False

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.chunk(b"")

        upstream.script = stream
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED, headers={"x-variet-events": "loading"}) as answer:
            chunks = answer.aiter_raw()
            first = await anext(chunks)
            assert first.startswith(b"event: loading\ndata: ")
            children.started[0].load()
            rest = b"".join([chunk async for chunk in chunks])
        assert answer.status_code == 200
        assert rest.endswith(frame("one"))


async def test_a_load_that_fails_after_loading_events_is_an_error_frame(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, children):
        children.loads_at_once = False
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED, headers={"x-variet-events": "loading"}) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            children.started[0].fail("bad_model", "no tensors")
            rest = b"".join([chunk async for chunk in chunks])
        last = rest.removesuffix(b"\n\n").split(b"\n\n")[-1]
        assert ErrorEnvelope.model_validate_json(last.removeprefix(b"data: ")).error.code == "model_failed"


async def test_a_models_refusal_after_loading_events_is_an_error_frame_with_its_words(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):
        children.loads_at_once = False
        refusal = b'{"error": {"message": "too long", "type": "exceed_context_size_error", "code": 400}}'
        upstream.script = lambda exchange: exchange.json(refusal, "400 Bad Request")
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED, headers={"x-variet-events": "loading"}) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            children.started[0].load()
            rest = b"".join([chunk async for chunk in chunks])
        assert b'"message":"too long"' in rest


async def test_a_forced_switch_ends_the_stream_with_an_error_frame_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.until_client_leaves()
            raise BreakOff

        upstream.script = stream
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            switched = await on.client.post("/engine/switch", json={"tier": "balanced", "force": True})
            rest = b"".join([chunk async for chunk in chunks])
        assert switched.json()["ended"] == [answer.headers["x-variet-request"]]
        assert switched.json()["state"] == "ready"
        assert b'"code":"request_ended"' in rest


async def test_the_queue_answers_503_with_retry_after_when_it_is_full(tmp_path: Path) -> None:
    async with running(tmp_path, queue_limit=1) as (on, _, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: on.client.post("/v1/embeddings", json={"model": "fast"}))
            await until(on.supervisor, lambda state: len(state.waiters) == 1)
            answer = await on.client.post("/v1/embeddings", json={"model": "fast"})
            assert error_of(answer) == (503, "queue_full")
            assert answer.headers["retry-after"] == "5"
            hasty = await on.client.post("/v1/embeddings", json={"model": "fast"}, headers={"x-variet-wait": "0"})
            assert error_of(hasty) == (503, "wait_expired")
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("path", "kwargs", "expected"),
    [
        ("/v1/chat/completions", {"json": {"model": "nothing"}}, (404, "model_not_found")),
        ("/v1/chat/completions", {"content": b"{", "headers": {"content-type": "application/json"}}, (400, "invalid_request")),
        ("/v1/chat/completions", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, (400, "invalid_request")),
        ("/v1/chat/completions", {"json": {"model": 7}}, (400, "invalid_request")),
        ("/v1/chat/completions", {"json": {}, "headers": {"x-variet-wait": "soon"}}, (400, "invalid_request")),
        ("/v1/chat/completions", {"content": b"x" * (2**20 + 1)}, (413, "body_too_large")),
        ("/v1/embeddings", {"json": {"model": "fast"}, "headers": {"origin": "https://evil.example"}}, (403, "origin_refused")),
        ("/v1/embeddings", {"json": {"model": "fast"}, "headers": {"host": "rebound.example"}}, (403, "origin_refused")),
        ("/slots/0?action=erase", {"json": {}}, (404, "route_not_found")),
        ("/props", {"json": {}}, (404, "route_not_found")),
        ("/engine/nothing", {"json": {}}, (404, "route_not_found")),
        ("/engine/switch", {"json": {"tier": "fast", "model": "small"}}, (400, "invalid_request")),
        ("/engine/switch", {"json": {"tier": "nothing"}}, (404, "model_not_found")),
    ],
)
async def test_what_makes_no_sense_is_refused_in_the_one_shape(
    path: str, kwargs: dict[str, Any], expected: tuple[int, str], tmp_path: Path
) -> None:
    async with running(tmp_path) as (on, upstream, children):
        assert error_of(await on.client.post(path, **kwargs)) == expected
        assert not upstream.heard
        assert not children.started


async def test_an_unknown_model_is_told_what_there_is(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        answer = await on.client.post("/v1/chat/completions", json={"model": "nothing"})
        for name in ("balanced", "fast", "large", "small", "thinker"):
            assert name in answer.json()["error"]["message"]
