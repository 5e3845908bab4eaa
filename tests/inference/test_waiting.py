"""ENG-5, 15: what a client that must wait for its model can ask for and is told, over HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest

from inference.catalog import ModelSpec, build_catalog
from inference.contract import EVENTS, WAIT, EngineStatus, SwapProgress
from inference.door.keys import Keys, StoredKey
from tests.fakes.upstream import BreakOff, Exchange, Upstream
from tests.inference.engines import ASKED, RunningEngine, error_of, frame, running, settings, until

pytestmark = pytest.mark.anyio

BOUND_S = 60
FAST = {"model": "fast"}
BALANCED = {"model": "balanced"}


async def ask(on: RunningEngine, body: Mapping[str, Any], answers: list[httpx2.Response] | None = None, **headers: str) -> None:
    answer = await on.client.post("/v1/embeddings", json=body, headers=headers)
    if answers is not None:
        answers.append(answer)


async def until_waiting(on: RunningEngine, count: int) -> None:
    await until(on.supervisor, lambda state: len(state.waiters) == count)


def specs_with(**changes: Any) -> dict[str, ModelSpec]:
    """The models, each changed so."""
    return {name: replace(spec, **changes) for name, spec in build_catalog(settings()).models.items()}


def stream_until(release: anyio.Event, upstream: Upstream) -> None:
    """Have each request answered by a stream that has begun and does not end before that."""

    async def stream(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.chunk(frame("one"))
        await release.wait()
        await exchange.chunk(b"data: [DONE]\n\n")
        await exchange.chunk(b"")

    upstream.script = stream


async def test_who_fails_fast_is_told_at_once_when_to_come_again_and_finds_its_model_then(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=BOUND_S) as (on, _, children):
        children.loads_at_once = False
        refused = await on.client.post("/v1/embeddings", json=FAST, headers={WAIT: "fail-fast"})
        assert error_of(refused) == (503, "wait_expired")
        assert int(refused.headers["retry-after"]) >= 1
        assert "x-should-retry" not in refused.headers
        (await children.wait_started(1)).load()
        await until(on.supervisor, lambda state: state.models["small"].phase == "ready")
        assert (await on.client.post("/v1/embeddings", json=FAST, headers={WAIT: "fail-fast"})).status_code == 200
        assert len(children.started) == 1


async def test_who_may_wait_a_while_is_refused_when_that_is_over_and_the_others_wait_on(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=BOUND_S) as (on, _, children):
        children.loads_at_once = False
        answers: list[httpx2.Response] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, on, FAST, answers)
            await until_waiting(on, 1)
            refused = await on.client.post("/v1/embeddings", json=FAST, headers={WAIT: "0.05"})
            assert error_of(refused) == (503, "wait_expired")
            assert "retry-after" in refused.headers
            assert not answers
            children.started[0].load()
        assert [answer.status_code for answer in answers] == [200]


async def test_who_says_that_it_waits_does_so_where_the_settings_say_fail_fast(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=BOUND_S, queue_policy="fail-fast") as (on, _, children):
        children.loads_at_once = False
        answers: list[httpx2.Response] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(ask, on, FAST, answers, **{WAIT: "wait"}))
            (await children.wait_started(1)).load()
        assert [answer.status_code for answer in answers] == [200]


async def test_who_waits_is_told_its_place_and_about_how_long(tmp_path: Path) -> None:
    (tmp_path / "times.json").write_text(json.dumps({"small": [20.0], "large": [40.0]}), encoding="utf-8")
    async with running(tmp_path, bound_s=BOUND_S) as (on, _, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            for position, body in enumerate((FAST, BALANCED, FAST), start=1):
                tasks.start_soon(ask, on, body)
                await until_waiting(on, position)
            status = EngineStatus.model_validate_json((await on.client.get("/engine/status")).content)
            assert [(each.position, each.model) for each in status.queue] == [(1, "small"), (2, "large"), (3, "small")]
            first, second, third = (each.expected_s for each in status.queue)
            assert first is not None and second is not None
            # What is left of the load under way, then the other's own; who wants the same model comes with the first.
            assert 0 < first <= 20 < second <= 60
            assert third == first
            assert status.swap is not None and (status.swap.model, status.swap.expected_s) == ("small", 20.0)
            tasks.cancel_scope.cancel()


async def test_who_asked_for_loading_events_is_told_its_own_place_and_wait_in_them(tmp_path: Path) -> None:
    (tmp_path / "times.json").write_text(json.dumps({"small": [20.0], "large": [40.0]}), encoding="utf-8")
    async with running(tmp_path, bound_s=BOUND_S) as (on, upstream, children):
        children.loads_at_once = False
        release = anyio.Event()
        release.set()
        stream_until(release, upstream)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, on, FAST)
            await until_waiting(on, 1)
            async with on.client.stream("POST", "/v1/chat/completions", json={**ASKED, **BALANCED}, headers={EVENTS: "loading"}) as answer:
                lines = answer.aiter_lines()
                told = (line.removeprefix("data: ") async for line in lines if line.startswith('data: {"model"'))
                first = SwapProgress.model_validate_json(await anext(told))
                assert (first.model, first.phase, first.position) == ("large", "queued", 2)
                assert first.wait_s is not None and 40 <= first.wait_s <= 60
                children.started[0].load()
                last = first
                while last.phase != "loading":
                    last = SwapProgress.model_validate_json(await anext(told))
                assert (last.position, last.wait_s) == (1, 40.0)
                (await children.wait_started(2)).load()
                assert "data: [DONE]" in [line async for line in lines]


def key(name: str, number: int, priority: int) -> tuple[str, StoredKey]:
    secret = f"vk_{number:08x}_" + f"{number:x}" * 64
    return secret, StoredKey(name=name, id=f"{number:08x}", sha256=hashlib.sha256(secret.encode()).hexdigest(), priority=priority)


async def test_a_keys_priority_orders_those_who_wait(tmp_path: Path) -> None:
    (laptop, batch), (voice, live) = key("batch", 1, 0), key("voice", 2, 10)
    # One at a time, so that the order shows.
    specs = specs_with(admitted=1)
    async with running(tmp_path, bound_s=BOUND_S, keys=Keys([batch, live]), specs=specs) as (on, upstream, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            for position, (secret, word) in enumerate(((laptop, "one"), (laptop, "two"), (voice, "three")), start=1):
                tasks.start_soon(partial(ask, on, {**FAST, "input": word}, Authorization=f"Bearer {secret}"))
                await until_waiting(on, position)
            children.started[0].load()
    assert [json.loads(heard.body)["input"] for heard in upstream.heard] == ["three", "one", "two"]


@pytest.mark.parametrize(("path", "body"), [("/engine/load", {"model": "balanced"}), ("/engine/switch", {"tier": "balanced"})])
async def test_a_load_and_a_switch_wait_with_the_priority_of_their_key(tmp_path: Path, path: str, body: Mapping[str, str]) -> None:
    (laptop, batch), (night, late) = key("batch", 1, 0), key("late", 2, -5)
    async with running(tmp_path, bound_s=BOUND_S, keys=Keys([batch, late])) as (on, _, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(ask, on, FAST, Authorization=f"Bearer {laptop}"))
            await until_waiting(on, 1)
            tasks.start_soon(partial(on.client.post, path, json=body, headers={"Authorization": f"Bearer {night}"}))
            await until_waiting(on, 2)
            tasks.start_soon(partial(ask, on, FAST, Authorization=f"Bearer {laptop}"))
            await until_waiting(on, 3)
            assert [each.model for each in on.supervisor.status("").queue] == ["small", "small", "large"]
            tasks.cancel_scope.cancel()


async def test_whoever_is_over_the_age_bound_goes_before_any_priority(tmp_path: Path) -> None:
    (laptop, batch), (voice, live) = key("batch", 1, 0), key("voice", 2, 10)
    specs = specs_with(admitted=1)
    async with running(tmp_path, bound_s=BOUND_S, keys=Keys([batch, live]), specs=specs, age_bound_s=0) as (on, upstream, children):
        children.loads_at_once = False
        async with anyio.create_task_group() as tasks:
            for position, (secret, word) in enumerate(((laptop, "one"), (voice, "two")), start=1):
                tasks.start_soon(partial(ask, on, {**FAST, "input": word}, Authorization=f"Bearer {secret}"))
                await until_waiting(on, position)
            children.started[0].load()
    assert [json.loads(heard.body)["input"] for heard in upstream.heard] == ["one", "two"]


async def test_a_model_that_nobody_waits_for_any_more_is_not_loaded(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=BOUND_S) as (on, upstream, children):
        release = anyio.Event()
        stream_until(release, upstream)
        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, on, BALANCED)
                await until_waiting(on, 1)
                tasks.cancel_scope.cancel()
            await until_waiting(on, 0)
            release.set()
            assert b"".join([chunk async for chunk in chunks]).endswith(b"[DONE]\n\n")
        await until(on.supervisor, lambda state: not state.models["small"].leases)
        assert [child.spec.name for child in children.started] == ["small"]
        assert on.supervisor.loaded == ("small",)


async def test_an_answer_over_its_models_bound_ends_with_an_error_that_a_stock_client_raises(tmp_path: Path) -> None:
    specs = specs_with(max_stream_s=0.3)
    async with running(tmp_path, bound_s=BOUND_S, specs=specs) as (on, upstream, _):

        async def endless(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.until_client_leaves()
            raise BreakOff

        upstream.script = endless
        async with openai.AsyncOpenAI(base_url=on.url + "/v1", api_key="none", max_retries=0) as client:
            chunks = await client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hi"}], stream=True)
            words: list[str | None] = []
            with pytest.raises(openai.APIError, match=r"an answer of small may take 0\.3 s") as ended:
                async for chunk in chunks:
                    words += [chunk.choices[0].delta.content]
        assert (words, ended.value.code) == (["one"], "request_ended")
        # The generation is over too, and the place is free.
        await upstream.client_left.wait()
        await until(on.supervisor, lambda state: not state.models["small"].leases)
