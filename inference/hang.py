"""Find a model's process that is healthy and does not generate: no byte for long, and its slots stand still or do not answer.

`/health` says nothing about it. The slots do: asking for them waits in the queue of the very loop that generates. A long prompt on a slow
machine is silent too, but its slots move, so silence alone condemns nobody. Nor do slots that cannot show it (llama-server before June
2026): there only slots that do not answer do, or an answer that has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import anyio
import httpx2
from anyio.abc import TaskGroup

from config.vocabulary import is_table
from inference.tickets import Ticket
from inference.upstream.address import CHILD_HOST, Address

SECOND_LOOK = 0.5
"""Part of the silence bound between two looks at slots that are compared: many times what one batch of a prompt takes."""
_OK = 200
_READ = "n_prompt_tokens_processed"
"""How much of its prompt a slot has read, in the words of a server that says so."""

Condemn = Callable[[str, int, str], Awaitable[None]]
"""Model, port and why."""


class Pulse:
    """When one answer last made progress."""

    def __init__(self) -> None:
        # anyio's clock without the way through its backends: it is read for every token.
        self._now = asyncio.get_running_loop().time
        self.last = self._now()
        self.is_delivering = False
        """Something that came is on its way to the client, who has not taken it yet."""
        self.has_begun = False
        """Something of the answer has come, so its prompt has been read."""

    def beat(self, chunk: bytes) -> None:
        """Something came. llama-server's own signs of life come from another thread than its tokens, and do not count."""
        if not is_ping(chunk):
            self.last = self._now()
            self.has_begun = True


class Look(NamedTuple):
    """What the slots said."""

    has_answered: bool
    signs: frozenset[tuple[object, ...]] | None
    """How far each running slot is; None where the server does not tell."""


def is_ping(chunk: bytes) -> bool:
    """Whether a piece of an event stream is comments only."""
    return chunk.startswith(b":") and all(line.startswith(b":") for line in chunk.split(b"\n") if line.strip())


@contextmanager
def guarded(tasks: TaskGroup, ticket: Ticket, pulse: Pulse, hung_s: float, condemn: Condemn) -> Iterator[None]:
    """Have one request watched inside. Most are over before there is anything to look at, and pay for a timer and not for a task."""
    scope = anyio.CancelScope()

    async def watch() -> None:
        with scope:
            await guard(ticket, pulse, hung_s, condemn, tasks.cancel_scope.cancel)

    loop = asyncio.get_running_loop()
    timer = loop.call_later(hung_s, tasks.start_soon, watch)
    try:
        yield
    finally:
        timer.cancel()
        if loop.time() >= timer.when():
            scope.cancel()


async def guard(ticket: Ticket, pulse: Pulse, hung_s: float, condemn: Condemn, give_up: Callable[[], None]) -> None:
    """Watch one request of a model until cancelled, and condemn the process that serves it if it hangs.

    1. Something came within `hung_s`: nothing to ask.
    2. The client does not take it, at two looks: it counts as gone. The process has nobody to write to, and is not to blame.
    3. The slots do not answer within `hung_s`, twice in a row: it hangs. Once may be one batch of a prompt on a slow processor.
    4. They do not tell, or it has just been found gone: others decide.
    5. They answer twice the same: it hangs. Otherwise it works in silence.
    """
    before: Look | None = None
    stuck_since: float | None = None
    look_at = pulse.last + hung_s
    while True:
        await anyio.sleep_until(look_at)
        if anyio.current_time() < pulse.last + hung_s:  # 1.
            before, look_at = None, pulse.last + hung_s
            continue
        if pulse.is_delivering:  # 2.
            if stuck_since == pulse.last:
                give_up()
                return
            before, stuck_since, look_at = None, pulse.last, anyio.current_time() + SECOND_LOOK * hung_s
            continue
        asked_at = anyio.current_time()
        seen = await _look(ticket.address, hung_s, pulse)
        if pulse.last >= asked_at:
            continue
        silent_s = anyio.current_time() - pulse.last
        if not seen.has_answered and seen == before:  # 3.
            await condemn(ticket.model, ticket.port, f"it was healthy but sent nothing for {silent_s:.0f} s, and its slots did not answer")
        elif seen.signs is not None and before is not None and seen == before:  # 5.
            await condemn(ticket.model, ticket.port, f"it was healthy but sent nothing for {silent_s:.0f} s, and its slots stood still")
        before = seen  # 4.
        # Slots that did not answer are asked again at once: that look took its time.
        look_at = anyio.current_time() + (SECOND_LOOK * hung_s if seen.has_answered else 0.0)


async def _look(address: Address, bound_s: float, pulse: Pulse) -> Look:
    try:
        # Never through a proxy from the environment: this is our own machine.
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=bound_s) as client:
            answer = await client.get(f"http://{CHILD_HOST}:{address.port}/slots", headers=address.shown_key())
    except httpx2.TimeoutException:
        return Look(has_answered=False, signs=None)
    except httpx2.TransportError:
        # Its process is ending, which is told elsewhere.
        return Look(has_answered=True, signs=None)
    if answer.status_code != _OK:
        return Look(has_answered=True, signs=None)
    try:
        listed: Any = answer.json()
    except ValueError:
        return Look(has_answered=True, signs=None)
    slots = cast("list[Any]", listed) if isinstance(listed, list) else []
    running = [slot for slot in slots if is_table(slot) and slot.get("is_processing")]
    # Without it a slot that reads a prompt looks the same all the time: what it says of its tokens is still the answer before.
    if not pulse.has_begun and any(_READ not in slot for slot in running):
        return Look(has_answered=True, signs=None)
    return Look(has_answered=True, signs=frozenset(_signs(slot) for slot in running))


def _signs(slot: dict[str, Any]) -> tuple[object, ...]:
    return tuple(str(slot.get(name)) for name in ("id", "id_task", _READ, "next_token"))
