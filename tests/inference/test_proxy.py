"""The engine on a real port in front of a scripted server: bytes through unchanged, and nothing cut silently."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import anyio
import httpx2
import openai
import pytest

from inference.catalog import ModelSpec
from inference.contract import ErrorEnvelope
from inference.door.answer import Answer
from inference.warmth.berth import NO_BERTH, Berth
from inference.warmth.trail import Trail
from tests.fakes.upstream import BreakOff, Exchange
from tests.inference.engines import ASKED, error_of, frame, running, until

pytestmark = pytest.mark.anyio


async def test_a_body_reaches_the_model_byte_for_byte_and_without_our_headers(tmp_path: Path) -> None:
    raw = b'{ "model" : "fast",\n "n": 1.0e0, "text": "\\u00e9" }'
    async with running(tmp_path) as (on, upstream, children):
        headers = {"content-type": "application/json", "authorization": "Bearer secret", "x-variet-session": "s", "x-conversation-id": "c"}
        answer = await on.client.post("/v1/embeddings?a=%20b", content=raw, headers=headers)
    assert answer.json() == {"ok": True}
    (heard,) = upstream.heard
    assert heard.body == raw
    assert heard.target == "/v1/embeddings?a=%20b"
    assert not {"x-variet-session", "x-conversation-id"} & set(heard.headers)
    # The client's key is ours to read; what the model is shown is the key of its own start.
    assert heard.headers["authorization"] == f"Bearer {children.started[0].address.key}"
    assert answer.headers["x-variet-model"] == "small"
    assert answer.headers["x-variet-contract"] == "1"
    assert "access-control-allow-origin" not in answer.headers


async def test_a_conversation_is_forgotten_by_the_name_that_a_client_gave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[str | None] = []

    def berth(_spec: ModelSpec, _request: str, session: str | None, _trail: Trail | None) -> AbstractContextManager[Berth]:
        sessions.append(session)
        return nullcontext(NO_BERTH)

    async def forget(session: str) -> int:
        sessions.append(session)
        return 1

    async with running(tmp_path) as (on, _, _):
        monkeypatch.setattr(on.supervisor.warmth, "berth", berth)
        monkeypatch.setattr(on.supervisor.warmth, "forget", forget)
        # As curl sends it, and as a browser does.
        for sent in ("Gespräch".encode(), "Gespräch".encode("latin-1")):
            asked: dict[str, object] = {"model": "fast", "messages": []}
            await on.client.post("/v1/chat/completions", json=asked, headers=[(b"x-variet-session", sent)])
        await on.client.delete("/engine/sessions/Gespräch")
    assert len(sessions) == 3
    assert len(set(sessions)) == 1


async def test_many_names_of_one_model_are_one_load(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):
        for name in ("balanced", "thinker", "large", "balanced"):
            assert (await on.client.post("/v1/embeddings", json={"model": name})).headers["x-variet-model"] == "large"
    assert len(children.started) == 1
    assert len(upstream.heard) == 4


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


async def test_a_stream_passes_as_the_same_bytes_and_its_parts_wait_for_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [frame(f"word{index}") for index in range(20)]
    messages: list[bytes] = []
    write = Answer.write

    async def counted(answer: Answer, chunk: bytes) -> None:
        messages.append(chunk)
        await write(answer, chunk)

    monkeypatch.setattr(Answer, "write", counted)

    async def talk(exchange: Exchange) -> None:
        await exchange.begin_stream()
        for each in said:
            # In two pieces: a frame that is not whole waits for its rest.
            await exchange.chunk(each[:9])
            await exchange.chunk(each[9:])
            await anyio.sleep(0.005)
        await exchange.chunk(b"")

    async with running(tmp_path) as (on, upstream, _):
        upstream.script = talk
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
    assert answer.content == b"".join(said)
    assert len(messages) < len(said) / 2


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


async def test_a_model_that_dies_before_the_first_byte_is_started_again_and_asked_once_more(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def die_once(exchange: Exchange) -> None:
            if len(children.started) > 1:
                await exchange.json(b'{"ok": 2}')
                return
            children.started[0].die("boom")
            await anyio.lowlevel.checkpoint()
            raise BreakOff

        upstream.script = die_once
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        assert (answer.status_code, answer.json()) == (200, {"ok": 2})
        assert len(answer.headers.get_list("x-variet-request")) == 1
        assert {heard.body for heard in upstream.heard} == {upstream.heard[0].body}


async def test_a_model_that_dies_again_before_the_first_byte_is_a_502(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def die(exchange: Exchange) -> None:
            children.started[-1].die("boom")
            await anyio.lowlevel.checkpoint()
            raise BreakOff

        upstream.script = die
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        assert error_of(answer) == (502, "upstream_died")
        assert "boom" in answer.text
        assert len(children.started) == 2


@pytest.mark.parametrize(("path", "begins"), [("/v1/messages", b'event: error\ndata: {"type"'), ("/v1/responses", b"event: error\ndata:")])
async def test_a_cut_stream_ends_in_the_error_event_of_its_own_protocol(tmp_path: Path, path: str, begins: bytes) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(b"event: message_start\ndata: {}\n\n")
            children.started[0].die("gone")
            raise BreakOff

        upstream.script = stream
        body = (await on.client.post(path, json=ASKED)).content
    assert body.split(b"\n\n")[1].startswith(begins)
    assert b"upstream_died" in body and b"[DONE]" not in body


async def test_a_body_that_is_no_stream_is_broken_off_and_not_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):

        async def half(exchange: Exchange) -> None:
            await exchange.stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
            raise BreakOff

        upstream.script = half
        with pytest.raises(httpx2.RemoteProtocolError):
            await on.client.post("/v1/embeddings", json={"model": "fast"})
