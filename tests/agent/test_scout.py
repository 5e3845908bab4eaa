"""How long a node that failed is left alone, and what ends that: the clock is the test's own."""

from __future__ import annotations

import anyio
import pytest

from agent.engine.key import EngineKey
from agent.errors import AgentError
from agent.routes.deciding.nodes import TierState
from agent.routes.places.scout import FRESH_S, Asked, Scout, Tiers, blank_node, checks_key
from config.shapes.routing import NodeEntry

pytestmark = pytest.mark.anyio

CLOUD = NodeEntry(kind="openai", url="https://api.example.com/v1", model="glm", external=True)
A_SECOND_TOO_LATE = 1.0


class Watched:
    """A scout whose clock goes from one look to the next."""

    def __init__(self, ask: Asked | None) -> None:
        self.now = 100.0
        blank = blank_node("cloud", CLOUD)
        self.scout = Scout(blank, checks_key(EngineKey(None), ask, blank), clock=lambda: self.now)

    async def look(self) -> str:
        """Why it is down, once a look in the background has ended."""
        async with anyio.create_task_group() as tasks:
            await self.scout.look(tasks)
        return self.scout.state.down

    async def pause(self) -> float:
        """How long it is left alone, which is waited for and looked at then."""
        pause_s = self.scout.circuit.retry_at - self.now
        self.now += pause_s + A_SECOND_TOO_LATE
        await self.look()
        return pause_s


async def lists() -> Tiers:
    return {"glm": TierState("glm", "glm")}


@pytest.mark.parametrize("ask", [None, lists])
async def test_a_node_that_never_answers_when_it_is_used_is_left_alone_for_longer_each_time(ask: Asked | None):
    watched = Watched(ask)
    for expected_s in (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0):
        watched.scout.note_failure("does not answer")
        assert await watched.look() == "does not answer"
        assert await watched.pause() == expected_s
        assert watched.scout.state.down == ""
        assert not watched.scout.circuit.is_open
    watched.scout.note_success()
    watched.scout.note_failure("does not answer")
    assert await watched.pause() == 5.0


async def test_what_a_look_found_ends_with_a_look():
    is_on = False

    async def sleeps_at_night() -> Tiers:
        if not is_on:
            raise AgentError("does not answer")
        return await lists()

    watched = Watched(sleeps_at_night)
    assert await watched.look() == "does not answer"
    assert [await watched.pause(), await watched.pause()] == [5.0, 10.0]
    is_on = True
    assert await watched.pause() == 20.0
    assert watched.scout.state.down == ""
    is_on, watched.now = False, watched.now + FRESH_S
    assert await watched.look() == "does not answer"
    assert await watched.pause() == 5.0
