"""What is approved after its turn had ended is exactly what was shown, in a session whose turns share their calls' ids."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.errors import ApprovalError
from agent.events import ApprovalNeeded, CallDecided, TurnStarted
from agent.local_time import find_zone
from agent.sessions.rows import TurnRow
from agent.turns.deferred import deferred_turn
from agent.turns.lost import NEVER_ENDED
from agent.turns.turn_state import Options
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
COFFEE = ("create_event", {"title": "Coffee", "when": "friday"})
SEND = ("send_mail", {"title": "Hello"})


async def test_an_earlier_call_with_the_same_id_is_not_what_runs(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("Sent."), Say(calls=[COFFEE])]) as agent:
            first = await agent.ask(grants=frozenset({"send"}), interactive=False)
            queued = await agent.ask(interactive=False)
            calls = {event.call for event in (*first, *queued) if isinstance(event, CallDecided)}
            assert len(calls) == 1  # else this proves nothing
            (needed,) = agent.runtime.approvals()
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
            await agent.hear(after=queued[-1].seq)
            assert [effect["tool"] for effect in agent.effects] == ["send_mail", "create_event"]


async def test_a_log_that_holds_another_call_than_was_shown_runs_nothing(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE])]) as agent:
            events = await agent.ask(interactive=False)
    (needed,) = [event for event in events if isinstance(event, ApprovalNeeded)]
    changed = [event.model_copy(update={"arguments": "{}"}) if isinstance(event, CallDecided) else event for event in events]
    for history, problem in [(changed, "digest"), ([], "unknown")]:
        with pytest.raises(ApprovalError) as refused:
            deferred_turn("t-2", needed, history, now=find_zone(None).now(), who="me")
        assert refused.value.problem == problem


async def test_what_waits_in_an_outsiders_words_taints_the_session(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE]), Say(calls=[SEND])]) as agent:
            await agent.ask(interactive=False)
            await agent.ask(interactive=False, grants=frozenset({"send"}))
            assert agent.effects == []


async def test_a_model_is_told_which_call_was_approved_and_not_in_an_outsiders_words(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE])]) as agent:
            queued = await agent.ask(interactive=False)
            (needed,) = agent.runtime.approvals()
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
            events = await agent.hear(after=queued[-1].seq)
    [started] = [event for event in events if isinstance(event, TurnStarted)]
    assert started.text == f"Approved: {needed.summary}"
    assert needed.summary not in started.sent_text
    assert started.sent_text.endswith("\nApproved: create_event")


async def test_a_turn_whose_end_was_lost_does_not_keep_the_service_from_starting(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hi.")]) as agent:
            (started, *_) = await agent.ask()
            opened: Any = await agent.runtime._sessions.get(agent.session)  # pyright: ignore[reportPrivateUsage]
            for turn in ("t-lost", "t-last"):
                row = TurnRow(turn, agent.session, Options())
                opened.world.store.begin_turn(row, [started.model_copy(update={"turn": turn})], at="now")
        async with agent_of(home, [Say("Yes.")], session=agent.session, tools=agent.tools) as later:
            events = await later.stored()
            lost = [event for event in events if event.type == "turn_failed"]
            assert [(event.turn, event.error) for event in lost if event.type == "turn_failed"] == [("t-lost", NEVER_ENDED)]
            assert (await later.hear(after=lost[0].seq))[-1].type == "turn_done"
