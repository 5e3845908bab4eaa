"""What is remembered of a request: one record each, however it ends, with a model's own figures and never its words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
import pytest

from inference.activity.finished import Finished, counted
from tests.fakes.upstream import BreakOff, Exchange
from tests.inference.engines import ASKED, RunningEngine, Upstream, frame, running, until

SECRET = "a word that nobody may keep"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
PING = b":\n\n"
PROGRESS = b'data: {"prompt_progress":{"total":5000,"cache":0,"processed":0,"time_ms":0}}\n\n'
TIMINGS = {"cache_n": 5, "prompt_n": 7, "predicted_n": 3, "predicted_per_second": 41.257}


@asynccontextmanager
async def observed(tmp_path: Path) -> AsyncIterator[tuple[RunningEngine, Upstream, list[Finished], Any]]:
    seen: list[Finished] = []
    async with running(tmp_path, observe=seen.append) as (on, upstream, children):
        yield on, upstream, seen, children


async def _only(seen: list[Finished]) -> Finished:
    """The one record; it is made when the answer has gone out, which is after the client has it."""
    while not seen:  # noqa: ASYNC110 - nobody tells, and the engine's own bound ends it
        await anyio.sleep(0.005)
    (one,) = seen
    return one


async def _stream(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await _rest(exchange)


async def _rest(exchange: Exchange) -> None:
    await exchange.chunk(frame(SECRET))
    last: dict[str, Any] = {"choices": [], "usage": USAGE, "timings": TIMINGS}
    await exchange.chunk(f"data: {json.dumps(last)}\n\n".encode())
    await exchange.chunk(b"data: [DONE]\n\n")
    await exchange.chunk(b"")


async def test_a_stream_leaves_one_record_with_its_times_and_counts_and_no_contents(tmp_path: Path) -> None:
    async with observed(tmp_path) as (on, upstream, seen, _):
        upstream.script = _stream
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        one = await _only(seen)
    assert one.outcome == "ok"
    assert (one.model, one.asked_as, one.status, one.code, one.key) == ("small", "fast", 200, None, None)
    assert (one.prompt_tokens, one.cached_tokens, one.completion_tokens, one.tokens_per_s) == (12, 5, 3, 41.26)
    assert one.bytes == len(answer.content)
    assert one.request == answer.headers["x-variet-request"]
    assert one.first_token_s is not None
    assert 0 <= one.queued_s + one.swap_s <= one.first_token_s <= one.total_s
    assert SECRET not in repr(asdict(one))


@pytest.mark.parametrize("signs", [[PROGRESS], [PING], [PROGRESS, PING, PROGRESS, PING]])
async def test_what_tells_how_far_a_prompt_is_read_is_not_the_first_of_an_answer(tmp_path: Path, signs: list[bytes]) -> None:
    async def reading(exchange: Exchange) -> None:
        await exchange.begin_stream()
        for sign in signs:
            await exchange.chunk(sign)
            await anyio.sleep(0.2 / len(signs))
        await _rest(exchange)

    async with observed(tmp_path) as (on, upstream, seen, _):
        upstream.script = reading
        await on.client.post("/v1/chat/completions", json=ASKED)
        one = await _only(seen)
    assert one.first_token_s is not None
    assert one.first_token_s >= 0.2


async def test_the_wait_for_a_load_is_told_apart_from_the_wait_in_the_queue(tmp_path: Path) -> None:
    async with observed(tmp_path) as (on, _, seen, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: on.client.post("/v1/embeddings", json={"model": "fast"}))
            await until(on.supervisor, lambda state: state.models["small"].phase == "starting")
            await anyio.sleep(0.05)
            children.started[0].load()
        one = await _only(seen)
    assert one.outcome == "ok"
    assert one.swap_s >= 0.05
    assert one.queued_s < one.swap_s
    assert one.first_token_s is None


async def test_a_client_that_leaves_is_recorded_as_gone(tmp_path: Path) -> None:
    async with observed(tmp_path) as (on, upstream, seen, _):

        async def endless(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.until_client_leaves()
            raise BreakOff

        upstream.script = endless
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            await anext(answer.aiter_raw())
        await upstream.client_left.wait()
        await until(on.supervisor, lambda state: not state.models["small"].leases)
        one = await _only(seen)
    assert (one.outcome, one.code, one.status) == ("client_gone", None, 200)
    assert one.bytes == len(frame("one"))


async def test_a_model_that_dies_is_recorded_as_that(tmp_path: Path) -> None:
    async with observed(tmp_path) as (on, upstream, seen, children):

        async def die(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            children.started[0].die("CUDA error")
            raise BreakOff

        upstream.script = die
        await on.client.post("/v1/chat/completions", json=ASKED)
        one = await _only(seen)
    assert (one.outcome, one.code, one.status) == ("upstream_died", "upstream_died", 200)


async def test_a_forced_switch_ends_a_request_and_the_record_says_so(tmp_path: Path) -> None:
    async with observed(tmp_path) as (on, upstream, seen, _):

        async def endless(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.until_client_leaves()
            raise BreakOff

        upstream.script = endless
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            parts = answer.aiter_raw()
            await anext(parts)
            await on.client.post("/engine/switch", json={"model": "large", "force": True})
            async for _ in parts:
                pass
        one = await _only(seen)
    assert (one.outcome, one.code, one.model) == ("ended", "request_ended", "small")


@pytest.mark.parametrize(
    ("asked", "status", "code", "name"),
    [({"model": "ultra"}, 404, "model_not_found", None), ({"model": 7}, 400, "invalid_request", None)],
)
async def test_a_refusal_is_recorded_without_the_name_that_was_made_up(
    tmp_path: Path, asked: dict[str, Any], status: int, code: str, name: str | None
) -> None:
    async with observed(tmp_path) as (on, _, seen, _):
        await on.client.post("/v1/chat/completions", json=asked)
        one = await _only(seen)
    assert (one.outcome, one.status, one.code, one.model, one.asked_as) == ("refused", status, code, None, name)


async def test_a_model_that_answers_an_error_is_a_refusal_of_its_own(tmp_path: Path) -> None:
    async with observed(tmp_path) as (on, upstream, seen, _):
        upstream.script = lambda exchange: exchange.json(b'{"error": {"message": "too long"}}', "400 Bad Request")
        await on.client.post("/v1/chat/completions", json={"model": "fast"})
        one = await _only(seen)
    assert (one.outcome, one.status, one.code, one.model) == ("refused", 400, "upstream_error", "small")


def test_counts_are_read_whichever_protocol_they_come_in() -> None:
    assert counted(USAGE, {}) == (12, None, 3, None)
    assert counted({"input_tokens": 4, "output_tokens": 2}, {}) == (4, None, 2, None)
    assert counted({}, TIMINGS) == (12, 5, 3, 41.26)
    # Of one token: nothing lay between it and another.
    assert counted({}, {**TIMINGS, "predicted_n": 1, "predicted_per_second": 0.0}) == (12, 5, 1, None)
    assert counted({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}}, {})[:2] == (9, 8)
    assert counted({"input_tokens": 9, "input_tokens_details": {"cached_tokens": 8}}, {})[:2] == (9, 8)
    # Anthropic counts what was cached apart from the rest of the prompt; OpenAI's prompt has it in it.
    assert counted({"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 7}, {}) == (100, 90, 7, None)
    assert counted({"prompt_tokens": 9, "cache_read_input_tokens": 8}, {})[:2] == (9, 8)


@pytest.mark.parametrize("nonsense", [-1, True, "12", None, [], float("nan"), float("inf")])
def test_counts_that_make_no_sense_are_unknown(nonsense: Any) -> None:
    assert counted({"prompt_tokens": nonsense, "completion_tokens": nonsense}, {"predicted_per_second": None}) == (None, None, None, None)
