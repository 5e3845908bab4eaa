"""ENG-16: a process that is healthy but does not generate is told from one that works in silence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count

import anyio
import pytest

from inference.hang import Pulse, guard, is_ping
from inference.tickets import Ticket
from inference.upstream.address import Address
from tests.fakes.upstream import Exchange, Upstream, serve_upstream

pytestmark = pytest.mark.anyio

HUNG_S = 0.1
LOOKS = 4
KEY = "the key of its start"
ENOUGH_S = 10 * HUNG_S


def slots(decoded: int) -> bytes:
    running = {"id": 0, "is_processing": True, "id_task": 7, "n_prompt_tokens_processed": 40, "next_token": [{"n_decoded": decoded}]}
    return json.dumps([running, {"id": 1, "is_processing": False}]).encode()


@asynccontextmanager
async def guarded(pulse: Pulse | None = None) -> AsyncIterator[tuple[Upstream, list[str], anyio.Event]]:
    """A server whose request is watched; what it was condemned for, and news of that."""
    condemned: list[str] = []
    told = anyio.Event()

    async def condemn(model: str, port: int, why: str) -> None:
        assert (model, port) == ("m", ticket.port)
        condemned.append(why)
        told.set()

    async with serve_upstream() as upstream, anyio.create_task_group() as tasks:
        ticket = Ticket("req-1", "m")
        ticket.grant(Address(upstream.port, KEY), (0.0, 0.0))
        with anyio.fail_after(20):
            tasks.start_soon(guard, ticket, pulse or Pulse(), HUNG_S, condemn, lambda: condemned.append("given up") or told.set())
            yield upstream, condemned, told
        tasks.cancel_scope.cancel()


async def looked_at(upstream: Upstream, script: Callable[[Exchange], Awaitable[None]]) -> None:
    """Let the guard look four times."""
    enough = anyio.Event()

    async def answer(exchange: Exchange) -> None:
        await script(exchange)
        if len(upstream.heard) > LOOKS:
            enough.set()

    upstream.script = answer
    await enough.wait()


async def test_slots_that_stand_still_condemn_it() -> None:
    async with guarded() as (upstream, condemned, told):
        upstream.script = lambda exchange: exchange.json(slots(3))
        await told.wait()
    assert "stood still" in condemned[0]


async def test_a_server_that_asks_for_its_key_is_shown_it() -> None:
    async with guarded() as (upstream, condemned, told):

        async def ask_for_the_key(exchange: Exchange) -> None:
            is_let_in = exchange.request.headers.get("authorization") == f"Bearer {KEY}"
            await exchange.json(slots(3) if is_let_in else b"{}", "200 OK" if is_let_in else "401 Unauthorized")

        upstream.script = ask_for_the_key
        await told.wait()
    assert "stood still" in condemned[0]


async def test_slots_that_do_not_answer_condemn_it() -> None:
    async with guarded() as (upstream, condemned, told):

        async def never(exchange: Exchange) -> None:
            await exchange.until_client_leaves()

        upstream.script = never
        await told.wait()
    assert "did not answer" in condemned[0]


async def test_slots_that_move_show_that_it_works_in_silence() -> None:
    decoded: Iterator[int] = count()
    async with guarded() as (upstream, condemned, _):
        await looked_at(upstream, lambda exchange: exchange.json(slots(next(decoded))))
    assert condemned == []


async def test_a_server_that_does_not_tell_of_its_slots_is_left_alone() -> None:
    async with guarded() as (upstream, condemned, _):
        await looked_at(upstream, lambda exchange: exchange.json(b"{}", "501 Not Implemented"))
    assert condemned == []


def slots_without_progress(decoded: int) -> bytes:
    """As llama-server answered before June 2026; while a prompt is read, `n_decoded` is still the answer before."""
    return json.dumps([{"id": 0, "is_processing": True, "id_task": 7, "next_token": [{"n_decoded": decoded}]}]).encode()


@pytest.mark.parametrize("decoded", [0, 3])
async def test_slots_that_cannot_show_how_far_a_prompt_is_condemn_nobody_who_reads_one(decoded: int) -> None:
    async with guarded() as (upstream, condemned, _):
        await looked_at(upstream, lambda exchange: exchange.json(slots_without_progress(decoded)))
    assert condemned == []


async def test_slots_that_cannot_show_it_condemn_it_once_the_answer_has_begun() -> None:
    pulse = Pulse()
    pulse.beat(b"data: x\n\n")
    async with guarded(pulse) as (upstream, condemned, told):
        upstream.script = lambda exchange: exchange.json(slots_without_progress(3))
        await told.wait()
    assert "stood still" in condemned[0]


async def test_one_look_without_an_answer_condemns_nobody_whose_slots_answer_the_next() -> None:
    looks = count()
    async with guarded() as (upstream, condemned, _):

        async def answer_every_second(exchange: Exchange) -> None:
            if (number := next(looks)) % 2:
                await exchange.json(slots(number))
            else:
                await exchange.until_client_leaves()

        await looked_at(upstream, answer_every_second)
    assert condemned == []


async def test_as_long_as_something_comes_nobody_asks() -> None:
    pulse = Pulse()
    async with guarded(pulse) as (upstream, condemned, _):
        with anyio.move_on_after(ENOUGH_S):
            while True:
                pulse.last = anyio.current_time() + HUNG_S
                await anyio.sleep(HUNG_S / 10)
    assert (upstream.heard, condemned) == ([], [])


async def test_a_servers_own_signs_of_life_are_not_taken_for_progress() -> None:
    assert is_ping(b":\n\n") and is_ping(b": ping\n\n")
    assert not is_ping(b'data: {"a": 1}\n\n') and not is_ping(b': ping\n\ndata: {"a": 1}\n\n')
    pulse = Pulse()
    pulse.last = 0.0
    pulse.beat(b":\n\n")
    assert pulse.last == 0.0
    pulse.beat(b"data: x\n\n")
    assert pulse.last > 0.0


async def test_a_client_that_takes_nothing_is_given_up_and_the_process_is_not_to_blame() -> None:
    pulse = Pulse()
    pulse.is_delivering = True
    async with guarded(pulse) as (upstream, condemned, told):
        upstream.script = lambda exchange: exchange.json(b"[]")
        await told.wait()
        assert upstream.heard == []
    assert condemned == ["given up"]
