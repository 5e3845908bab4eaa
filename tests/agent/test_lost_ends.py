"""A turn whose end could not be stored is over once its conversation goes on: it is not run after what came later."""

from __future__ import annotations

import json
import sqlite3
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from agent.errors import AgentError
from agent.events import (
    TURN_ENDS,
    ApprovalNeeded,
    CallDecided,
    CallValue,
    Event,
    ModelReplied,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnStarted,
)
from agent.safety.approvals import UNAPPROVED
from agent.sessions.rows import TurnRow
from agent.turns.calling import CANCELLED, OUTCOME_UNKNOWN
from agent.turns.loop import LOST_SENTENCE
from agent.turns.lost import NEVER_ENDED, ends_of
from agent.turns.turn_state import Options
from agent.view.context import FAILED_NOTE, Conversation
from config.paths import Home
from tests.agent.runtimes import Agent, agent_of
from tests.fakes.scripted_model import Say

BOUND_S = 60.0
COFFEE = ("create_event", {"title": "Coffee", "when": "friday"})
SEND = ("send_mail", {"title": "x"})


class FullDisk:
    """While `is_full`, nothing can be stored but what begins a turn."""

    def __init__(self, agent: Agent) -> None:
        store = agent.runtime._world.store  # pyright: ignore[reportPrivateUsage]
        self._real = store.append
        self.is_full = False
        store.append = self._append

    def _append(self, *told: Any, **at: Any) -> list[Event]:
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        return self._real(*told, **at)


async def broken(agent: Agent) -> None:
    """Returns when the turn has broken."""
    opened = await agent.runtime._sessions.get(agent.session)  # pyright: ignore[reportPrivateUsage]
    if opened.turn is not None:
        await opened.turn.ended.wait()
    while opened.turn is not None:  # noqa: ASYNC110 - nothing tells when the task is gone
        await anyio.sleep(0.01)


async def goes_on(agent: Agent, text: str) -> Event:
    """The end of a turn that is begun after a lost one, whose own end comes before it."""
    after = len(await agent.stored())
    turn = await agent.runtime.send(agent.session, text, who="test")
    async with aclosing(agent.runtime.events(agent.session, after=after)) as events:
        async for event in events:
            if event.turn == turn and event.type in TURN_ENDS:
                return event
    raise AssertionError


def failed(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.turn, event.error) for event in events if isinstance(event, TurnFailed)]


@pytest.mark.anyio
async def test_a_lost_turn_does_not_run_after_the_one_that_came_later(home: Home):
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say("Hi."), Say("Lost."), Say("Second.")]) as agent:
            await agent.ask("first")
            disk = FullDisk(agent)
            disk.is_full = True
            lost = (await agent.ask("book Coffee on friday", grants=frozenset({"write"}), interactive=False))[-1]
            assert (lost.type, lost.seq) == ("turn_failed", 0)
            await broken(agent)
            disk.is_full = False
            assert (await goes_on(agent, "never mind, forget that")).type == "turn_done"
            roles = [message["role"] for message in agent.model.requests[-1]["messages"]]
            assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
            assert failed(await agent.stored()) == [(lost.turn, NEVER_ENDED)]
        async with agent_of(home, [Say(calls=[COFFEE]), Say("Booked.")], session=agent.session, tools=agent.tools) as later:
            opened = await later.runtime._sessions.get(agent.session)  # pyright: ignore[reportPrivateUsage]
            assert opened.turn is None
            assert (later.model.requests, later.effects) == ([], [])


@pytest.mark.anyio
async def test_a_turn_that_an_older_version_left_without_an_end_does_not_run_either(home: Home):
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say("Hi."), Say("Second.")]) as agent:
            (started, *_) = await agent.ask()
            store = agent.runtime._world.store  # pyright: ignore[reportPrivateUsage]
            row = TurnRow("t-lost", agent.session, Options(grants=frozenset({"write"})))
            store.begin_turn(row, [started.model_copy(update={"turn": "t-lost"})], at="now")
            assert (await goes_on(agent, "go on")).type == "turn_done"
            db = store._db  # pyright: ignore[reportPrivateUsage]
            db.execute("UPDATE turns SET has_ended = 0 WHERE id = 't-lost'")
            db.execute("DELETE FROM events WHERE turn = 't-lost' AND type = 'turn_failed'")
        async with agent_of(home, [Say(calls=[COFFEE])], session=agent.session, tools=agent.tools) as later:
            assert failed(await later.stored()) == [("t-lost", NEVER_ENDED)]
            opened = await later.runtime._sessions.get(agent.session)  # pyright: ignore[reportPrivateUsage]
            assert opened.turn is None
            assert (later.model.requests, later.effects) == ([], [])


@pytest.mark.anyio
async def test_an_answer_that_could_not_be_stored_can_be_given_again_and_leaves_nothing_busy(home: Home):
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[SEND]), Say("never")]) as agent:
            disk = FullDisk(agent)

            async def answer(needed: ApprovalNeeded) -> None:
                disk.is_full = True
                with pytest.raises(AgentError) as refused:
                    await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
                assert str(refused.value) == LOST_SENTENCE

            await agent.ask("send it", lambda event: answer(event) if isinstance(event, ApprovalNeeded) else None)
            await broken(agent)
            disk.is_full = False
            (needed,) = agent.runtime.approvals()
            after = len(await agent.stored())
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
            assert failed(await agent.hear(after)) == [(needed.turn, NEVER_ENDED)]
            while not agent.effects:  # noqa: ASYNC110 - it runs in a turn of its own, which begins behind that end
                await anyio.sleep(0.01)
            await broken(agent)
        async with agent_of(home, [Say("Hello.")], session=agent.session, tools=agent.tools) as later:
            assert (await later.ask("hello"))[-1].type == "turn_done"
            told = later.model.requests[0]["messages"]
            asked = next(at for at, message in enumerate(told) if message.get("tool_calls"))
            assert [message["content"] for message in told[asked + 1 : asked + 3]] == [UNAPPROVED, FAILED_NOTE]
            assert len(later.effects) == 1


@pytest.mark.anyio
async def test_a_cancel_that_answers_what_was_answered_meanwhile_still_ends_the_turn(home: Home):
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[SEND])]) as agent:
            store = agent.runtime._world.store  # pyright: ignore[reportPrivateUsage]

            async def answer(_: ApprovalNeeded) -> None:
                store._db.execute("UPDATE approvals SET outcome = 'yes'")  # pyright: ignore[reportPrivateUsage]
                await agent.runtime.cancel(agent.session, who="me")

            events = await agent.ask("send it", lambda event: answer(event) if isinstance(event, ApprovalNeeded) else None)
            assert (events[-1].type, events[-1].seq > 0) == ("turn_failed", True)
            assert store.unfinished_turns() == []


def test_each_call_of_a_lost_turn_has_a_result_that_says_what_is_known_of_it():
    calls = [CallValue(id=name, name=name, arguments="{}") for name in ("read", "write", "waiting", "new", "done")]
    classes: dict[str, Any] = {"read": "read", "write": "write", "waiting": "send", "done": "read"}
    decided = [
        CallDecided(turn="t", call=name, name=name, tool_class=what, arguments="{}", host="{}", verdict="allow", reason="")
        for name, what in classes.items()
    ]
    waits = ApprovalNeeded(
        turn="t", approval="a", call="waiting", name="waiting", tool_class="send", summary="", lines=(), digest="d",
        expires_at="2026-11-21T12:00:00+01:00",
    )  # fmt: skip
    events: list[Event] = [
        TurnStarted(turn="t", text="go", sent_text="go", now="2026-11-21T09:00:00+01:00", who="me"),
        ModelReplied(turn="t", text="", calls=tuple(calls), model="m", elapsed_s=0),
        *decided,
        *(ToolStarted(turn="t", call=name, name=name, arguments="{}") for name in ("read", "write", "done")),
        waits,
        ToolFinished(turn="t", call="done", name="done", ok=True, decision="allow", text="It is."),
    ]
    ends = ends_of("t", events)
    told = {event.call: event.text for event in ends if isinstance(event, ToolFinished)}
    assert told == {"read": CANCELLED, "write": OUTCOME_UNKNOWN, "waiting": UNAPPROVED, "new": CANCELLED}
    assert failed(ends) == [("t", NEVER_ENDED)]
    assert ends[-1].type == "turn_failed"
    roles = [json.loads(message)["role"] for message in Conversation([*events, *ends]).messages]
    assert roles == ["user", "assistant", "tool", "tool", "tool", "tool", "tool", "assistant"]
