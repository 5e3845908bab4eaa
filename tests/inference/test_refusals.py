"""What a client is told when its model is not there, fails to come, or is taken away: a true status, or an error frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from inference.contract import ErrorEnvelope
from tests.fakes.upstream import BreakOff, Exchange
from tests.inference.engines import ASKED, error_of, frame, running, until

pytestmark = pytest.mark.anyio


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
        told = "it is given up, because it cannot start as it is set up; a switch or load tries again."
        assert (await on.client.get("/engine/status")).json()["models"][0]["obstacle"] == told
        meta = (await on.client.get("/v1/models/fast")).json()["meta"]
        assert (meta["available"], meta["reason"]) == (False, told)
        # A person's wish tries again.
        children.loads_at_once = True
        assert (await on.client.post("/engine/switch", json={"tier": "fast"})).status_code == 200
        assert (await on.client.get("/v1/models/fast")).json()["meta"]["available"] is True


async def test_a_model_whose_file_is_missing_pushes_nobody_out_and_is_loaded_once_it_is_there(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, children):
        assert (await on.client.post("/v1/chat/completions", json=ASKED)).status_code == 200
        missing = tmp_path / "large.gguf"
        missing.unlink()
        for path, body in (("/v1/chat/completions", {**ASKED, "model": "balanced"}), ("/engine/switch", {"model": "large"})):
            answer = await on.client.post(path, json=body)
            assert error_of(answer) == (503, "model_failed")
            assert f"{missing} is not there (models.large.path in engine.toml)" in answer.text
        assert on.supervisor.loaded == ("small",)
        small, large = (await on.client.get("/engine/status")).json()["models"]
        assert (large["state"], large["error"], small["obstacle"]) == ("unloaded", None, None)
        assert large["obstacle"] == f"its file {missing} is not there (models.large.path in engine.toml)."
        missing.touch()
        assert (await on.client.get("/engine/status")).json()["models"][1]["obstacle"] is None
        assert (await on.client.post("/v1/chat/completions", json={**ASKED, "model": "balanced"})).status_code == 200
        assert len(children.started) == 2


async def test_a_model_that_lacks_a_part_pushes_nobody_out_and_the_part_is_named(tmp_path: Path) -> None:
    name = "big-00001-of-00002"
    models = {"models": {"small": {"path": ""}, name: {"path": ""}}, "tiers": {"fast": "small"}, "virtual": {}}
    async with running(tmp_path, models=models) as (on, _, _):
        assert (await on.client.post("/v1/chat/completions", json=ASKED)).status_code == 200
        second = tmp_path / "big-00002-of-00002.gguf"
        answer = await on.client.post("/engine/switch", json={"model": name})
        assert error_of(answer) == (503, "model_failed")
        assert f"{second} is not there (models.{name}.path in engine.toml)" in answer.text
        assert on.supervisor.loaded == ("small",)
        second.touch()
        assert (await on.client.post("/engine/switch", json={"model": name})).json()["state"] == "ready"


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
        ("/engine/switch", {"content": b'{"tier": "fast"}', "headers": {"content-type": "text/plain"}}, (400, "invalid_request")),
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
        ("/engine/switch", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, (400, "invalid_request")),
        (
            "/engine/load",
            {"content": b'{"model": %s}' % (b"9" * 5000), "headers": {"content-type": "application/json"}},
            (400, "invalid_request"),
        ),
        ("/engine/unload", {"content": b'{"model": "\xff"}', "headers": {"content-type": "application/json"}}, (400, "invalid_request")),
        ("/engine/status", {"json": {}}, (404, "route_not_found")),
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
