"""Which conversations stay in memory: the last ones, and those in which anything runs, waits or listens."""

from __future__ import annotations

import gc
from contextlib import aclosing

import anyio
import pytest

from agent.events import ApprovalNeeded, Event
from agent.sessions import opened
from config.paths import Home
from tests.agent.runtimes import Agent, agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
COFFEE = ("create_event", {"title": "Coffee", "when": "friday"})
MOST = 3


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opened, "MOST_IDLE", MOST)


async def look_at_others(agent: Agent) -> None:
    """As many other conversations as may stay, and more."""
    for _ in range(2 * MOST):
        await agent.runtime.open_session(resume=await agent.runtime.open_session())
    gc.collect()


def open_now(agent: Agent) -> set[str]:
    return set(agent.runtime._sessions._open)  # pyright: ignore[reportPrivateUsage]


async def test_a_conversation_that_nobody_uses_leaves_the_memory_and_goes_on_from_the_log(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two.")]) as agent:
            await agent.ask("first")
            await look_at_others(agent)
            assert len(open_now(agent)) == MOST
            assert agent.session not in open_now(agent)
            await agent.ask("second")
            texts = [each["content"] for each in agent.model.requests[1]["messages"][1:]]
            assert [text.splitlines()[-1] for text in texts] == ["first", "One.", "second"]


async def test_one_that_waits_for_a_person_stays_and_its_yes_counts(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE]), Say("Done.")]) as agent:

            async def leave_and_come_back(event: Event) -> None:
                if isinstance(event, ApprovalNeeded):
                    await look_at_others(agent)
                    assert [session for session, _ in agent.runtime._sessions.running()] == [agent.session]  # pyright: ignore[reportPrivateUsage]
                    await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="test")

            events = await agent.ask("go", leave_and_come_back)
            assert events[-1].type == "turn_done"
            assert len(agent.effects) == 1


async def test_who_listens_hears_what_is_said_after_a_long_silence(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One."), Say("Two.")]) as agent:
            await agent.ask("first")
            after = len(await agent.stored())
            async with aclosing(agent.runtime.events(agent.session, after=after - 1)) as events:
                await anext(events)
                await look_at_others(agent)
                await agent.ask("second")
                assert (await anext(events)).type == "turn_started"


async def test_two_who_ask_at_once_have_the_same_one(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, []) as agent:
            sessions, got = agent.runtime._sessions, list[object]()  # pyright: ignore[reportPrivateUsage]

            async def get() -> None:
                got.append(await sessions.get(agent.session))

            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(get)
            assert len({id(each) for each in got}) == 1
