from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from agent.calls.assemble import Reply
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey, Whose
from agent.engine.model_client import Frame, Frames, ModelClient
from agent.engine.progress import PromptProgress, asking_for_progress, prompt_progress
from agent.engine.wire import Wire
from agent.errors import EngineUnreachable, ModelFailed
from config.credentials import CredentialError
from inference.contract.status import SwapProgress
from tests.fakes.scripted_model import Say, ScriptedModel, scripted_model

pytestmark = pytest.mark.anyio


class Heard:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.progress: list[SwapProgress | PromptProgress] = []


async def complete(url: str, heard: Heard | None = None, key: EngineKey | None = None) -> Reply:
    heard = heard or Heard()
    async with Wire() as wire:
        client = ModelClient(url, key or EngineKey(SecretStr("k")), wire)
        return await client.complete(b"{}", session="s-1", on_text=heard.text.append, on_progress=heard.progress.append)


async def test_text_calls_and_loading_come_through_with_the_sessions_name():
    loading = {"model": "nano", "phase": "loading", "elapsed_s": 1.5, "percent": 40.0}
    heard = Heard()
    say = Say("Grüße, world", [("list_events", {"when": 'to"morrow'})], reasoning="let me think", loading=[loading])
    with anyio.fail_after(5):
        async with scripted_model([say]) as model:
            reply = await complete(model.url, heard)
    assert (reply.text, reply.reasoning, reply.model) == ("Grüße, world", "let me think", "scripted")
    assert [(call.id, call.arguments) for call in reply.calls] == [("c0", '{"when": "to\\"morrow"}')]
    assert "".join(heard.text) == "Grüße, world"
    assert heard.progress == [SwapProgress.model_validate(loading)]
    assert model.requests[0] == {"return_progress": True}
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (20, 5, 12)
    assert (model.headers[0]["x-variet-session"], model.headers[0]["authorization"]) == ("s-1", "bearer k")


async def test_how_far_a_prompt_is_read_comes_through_and_is_no_part_of_the_answer():
    told = {"total": 5000, "cache": 1000, "processed": 3000, "time_ms": 1500}
    chunks = [{"choices": [{"delta": {"role": "assistant", "content": None}}], "prompt_progress": told}]
    chunks += [{"choices": [{"delta": {"content": "Hi."}, "finish_reason": "stop"}]}]
    raw = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    heard = Heard()
    with anyio.fail_after(5):
        async with scripted_model([Say(raw=raw.encode())]) as model:
            reply = await complete(model.url, heard)
    assert (reply.text, heard.text) == ("Hi.", ["Hi."])
    assert heard.progress == [PromptProgress(5000, 1000, 3000, 1.5)]


@pytest.mark.parametrize("told", [None, 7, {}, {"total": "x", "cache": 0, "processed": 0, "time_ms": 0}])
def test_nonsense_about_progress_is_nothing(told: object):
    assert prompt_progress({"prompt_progress": told}) is None


@pytest.mark.parametrize("body", [b"{}", b'{"model":"fast"}'])
def test_progress_is_asked_for_without_touching_the_rest(body: bytes):
    assert json.loads(asking_for_progress(body)) == {**json.loads(body), "return_progress": True}


@pytest.mark.parametrize(
    ("say", "sentence"),
    [
        (Say(status=503, error={"message": "The queue is full.", "code": "queue_full"}), "The queue is full."),
        (Say(status=500, error={}), "The engine failed without saying why."),
        (Say("some text", error={"message": "The model died.", "code": "upstream_died"}), "The model died."),
        (Say("some text", breaks_off_after=2), "broke off"),
        (Say(raw=b""), "broke off in the middle"),
        (Say(raw=b"data: [DONE]\n\n"), "broke off in the middle"),
        (Say(raw=b"data: nonsense\n\n"), "not JSON"),
        (Say(raw=b"data: [1]\n\n"), "not a completion"),
    ],
)
async def test_every_bad_day_of_the_engine_is_one_sentence(say: Say, sentence: str):
    with anyio.fail_after(5):
        async with scripted_model([say]) as model:
            with pytest.raises(ModelFailed, match=sentence):
                await complete(model.url)


async def test_an_engine_that_is_not_there_is_told_with_its_address_and_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with anyio.fail_after(5), pytest.raises(EngineUnreachable, match=f"{url}.*variet engine serve"):
            await complete(url)


async def test_an_engine_without_a_certificate_that_is_asked_over_tls_is_not_told_to_be_off():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    with anyio.fail_after(5):
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            with pytest.raises(EngineUnreachable, match="speaks no TLS"):
                await complete(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")


@pytest.mark.parametrize(("url", "key", "told"), [("http://é..b", "k", "address is none"), ("http://127.0.0.1:1", "k\n", "engine's key")])
async def test_what_cannot_even_be_asked_is_told_as_that(url: str, key: str, told: str):
    with anyio.fail_after(5), pytest.raises(EngineUnreachable, match=told):
        await complete(url, key=EngineKey(SecretStr(key)))


KEYLESS = Say(status=401, error={"message": "A valid key is needed.", "code": "invalid_key"})


async def test_a_key_that_was_added_since_is_read_when_the_engine_asks_for_one():
    kept: list[SecretStr | None] = [None]
    key = EngineKey(lambda: kept[0])
    kept[0] = SecretStr("new")
    with anyio.fail_after(5):
        async with scripted_model([KEYLESS, Say("Good morning.")]) as model:
            assert (await complete(model.url, key=key)).text == "Good morning."
    assert [headers.get("authorization") for headers in model.headers] == [None, "bearer new"]


async def test_a_key_that_is_the_same_still_is_shown_once_and_the_refusal_is_told():
    with anyio.fail_after(5):
        async with scripted_model([KEYLESS, Say("never")]) as model:
            with pytest.raises(ModelFailed, match="does not take the key that it was shown") as refused:
                await complete(model.url)
    assert "`variet engine keys add NAME`" in str(refused.value)
    assert f"`variet connect {model.url}`" in str(refused.value)
    assert len(model.headers) == 1


async def test_a_refused_key_is_told_by_the_names_of_the_node_that_it_is_for():
    key = EngineKey(SecretStr("old"), Whose("nodes.desk", "node_desk_key"))
    told = list[str]()
    with anyio.fail_after(5):
        async with scripted_model([KEYLESS], key="new") as model, httpx2.AsyncClient(trust_env=False) as http:
            for ask in (complete(model.url, key=key), EngineClient(model.url, key, http).models()):
                with pytest.raises(ModelFailed) as refused:
                    await ask
                told.append(str(refused.value))
    assert told[0] == told[1]
    assert "does not take the key that it was shown" in told[0]
    assert "secrets/node_desk_key" in told[0]
    assert "VARIET_NODE_DESK_KEY" in told[0]
    assert "connect" not in told[0]


async def test_a_node_where_nobody_answers_is_told_by_its_own_setting():
    with anyio.fail_after(5):
        with pytest.raises(EngineUnreachable, match=r"set nodes\.desk\.url") as refused:
            await complete("http://127.0.0.1:1", key=EngineKey(None, Whose("nodes.desk", "node_desk_key")))
    assert "engine.url" not in str(refused.value)


async def test_a_key_that_must_not_be_used_is_told_as_such():
    def read() -> SecretStr | None:
        if model.headers:
            raise CredentialError("engine_key can be read by others.")
        return None

    with anyio.fail_after(5):
        async with scripted_model([KEYLESS]) as model:
            with pytest.raises(ModelFailed, match="can be read by others"):
                await complete(model.url, key=EngineKey(read))


async def test_a_control_route_is_asked_again_with_a_new_key_too():
    kept: list[SecretStr | None] = [None]
    key = EngineKey(lambda: kept[0])
    kept[0] = SecretStr("new")
    with anyio.fail_after(5):
        async with scripted_model([], key="new") as model, httpx2.AsyncClient(trust_env=False) as http:
            assert await EngineClient(model.url, EngineKey(None), http).served() is None
            offered = await EngineClient(model.url, key, http).served()
            assert offered is not None
            assert (offered.names, offered.contexts) == ({"fast", "balanced"}, {"fast": 4096, "balanced": 4096})


async def test_cancelling_a_stream_closes_it_so_that_the_engine_can_stop():
    with anyio.fail_after(5):
        async with scripted_model([Say("a long answer", holds_after=2)]) as model:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(complete, model.url)
                await model.is_holding.wait()
                tasks.cancel_scope.cancel()
            await model.has_lost_client.wait()


async def served(model: ScriptedModel) -> Any:
    async with httpx2.AsyncClient(trust_env=False) as http:
        return await EngineClient(model.url, EngineKey(None), http).served()


async def test_the_served_tiers_are_read_and_an_engine_that_does_not_say_is_no_error():
    with anyio.fail_after(5):
        async with scripted_model([]) as model:
            assert (await served(model)).names == {"fast", "balanced"}
        assert await served(model) is None


async def test_a_refused_switch_says_what_the_engine_said():
    with anyio.fail_after(5):
        async with scripted_model([]) as model, httpx2.AsyncClient(trust_env=False) as http:
            with pytest.raises(ModelFailed, match="something unexpected"):
                await EngineClient(model.url, EngineKey(None), http).switch("fast")


async def test_an_answer_that_was_read_leaves_no_generator_to_be_closed_by_the_loop():
    hooks = sys.get_asyncgen_hooks()
    left: list[str] = []

    def finalizer(generator: Any) -> None:
        left.append(generator.__qualname__)
        if hooks.finalizer is not None:
            hooks.finalizer(generator)

    async with scripted_model([Say("a word")]) as model:
        sys.set_asyncgen_hooks(hooks.firstiter, finalizer)
        try:
            assert (await complete(model.url)).text == "a word"
        finally:
            sys.set_asyncgen_hooks(*hooks)
    assert not left


@given(st.integers(1, 9))
def test_frames_are_read_from_pieces_of_any_size(size: int):
    text = ": comment\r\n\r\nevent: loading\r\ndata: {}\r\n\r\ndata: a\ndata: b\nid: 7\n\ndata:c\n\nevent: lost\n\n"

    frames = Frames()
    pieces = [text.encode()[start : start + size] for start in range(0, len(text), size)]
    assert [frame for piece in pieces for frame in frames.read(piece)] == [Frame("loading", "{}"), Frame("", "a\nb"), Frame("", "c")]
