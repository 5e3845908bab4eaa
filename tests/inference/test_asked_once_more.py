"""A model that dies before it has said anything is asked once more, also where signs of life or loading events have gone out."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from inference.contract import EVENTS, LOADING_EVENT, ErrorEnvelope
from tests.fakes.upstream import BreakOff, Exchange
from tests.inference.engines import ASKED, frame, running

pytestmark = pytest.mark.anyio

PING = b":\n\n"
PROGRESS = b'data: {"choices":[],"prompt_progress":{"total":5000,"cache":0,"processed":0,"time_ms":0}}\n\n'
WHOLE = frame("one") + b"data: [DONE]\n\n"


async def _answer(exchange: Exchange) -> None:
    await exchange.begin_stream()
    for piece in (PING, WHOLE, b""):
        await exchange.chunk(piece)


@pytest.mark.parametrize("heard", [[PING], [PING, PROGRESS, PING], [PROGRESS, b'data: {"half']])
async def test_an_answer_of_which_only_signs_of_life_have_come_is_asked_for_once_more(tmp_path: Path, heard: list[bytes]) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def die_once(exchange: Exchange) -> None:
            if len(children.started) > 1:
                await _answer(exchange)
                return
            await exchange.begin_stream()
            for piece in heard:
                await exchange.chunk(piece)
                await anyio.sleep(0.02)
            children.started[0].die("CUDA error: out of memory")
            raise BreakOff

        upstream.script = die_once
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        assert answer.status_code == 200
        assert answer.content.startswith(heard[0])
        assert answer.content.endswith(PING + WHOLE)
        assert b"error" not in answer.content and b"half" not in answer.content
        assert len(upstream.heard) == 2


@pytest.mark.parametrize(("heard", "starts"), [([PING], 2), ([PING, PROGRESS + frame("one")], 1)])
async def test_one_that_dies_again_or_has_said_something_ends_in_one_error_frame(tmp_path: Path, heard: list[bytes], starts: int) -> None:
    async with running(tmp_path) as (on, upstream, children):

        async def die(exchange: Exchange) -> None:
            await exchange.begin_stream()
            for piece in heard:
                await exchange.chunk(piece)
                await anyio.sleep(0.02)
            children.started[-1].die("CUDA error: out of memory")
            raise BreakOff

        upstream.script = die
        answer = await on.client.post("/v1/chat/completions", json=ASKED)
        last = answer.content.removesuffix(b"\n\n").split(b"\n\n")[-1]
        assert ErrorEnvelope.model_validate_json(last.removeprefix(b"data: ")).error.code == "upstream_died"
        assert answer.content.count(b'"error"') == 1
        assert len(children.started) == starts


async def test_who_was_told_how_the_load_goes_on_is_told_again_and_gets_its_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, children):
        children.loads_at_once = False

        async def load_slowly() -> None:
            for count in (1, 2):
                child = await children.wait_started(count)
                await anyio.sleep(0.4)
                child.load()

        async def die_once(exchange: Exchange) -> None:
            if len(children.started) > 1:
                await _answer(exchange)
                return
            children.started[0].die("CUDA error: out of memory")
            raise BreakOff

        upstream.script = die_once
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(load_slowly)
            answer = await on.client.post("/v1/chat/completions", json=ASKED, headers={EVENTS: "loading"})
            assert (answer.status_code, len(upstream.heard)) == (200, 2)
            assert answer.content.count(f"event: {LOADING_EVENT}\n".encode()) >= 2
            assert answer.content.endswith(WHOLE)
