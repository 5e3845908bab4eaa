"""A conversation that an editor opens again goes on there: what waits is asked again, and what comes of it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from agent.errors import SessionBusy
from agent.event_parts import DEFERRED_TEXT, Attached, CallValue, Usage
from agent.events import (
    ApprovalAnswered,
    ApprovalNeeded,
    CallDecided,
    Event,
    ModelReplied,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
    TurnDone,
    TurnFailed,
    TurnStarted,
)
from agent.faces.acp import turns as acp_turns
from agent.faces.acp import wire
from agent.faces.acp.found import Found
from agent.faces.acp.options import Chosen
from agent.faces.link import Link
from tests.agent_faces.test_acp import Editor, editing
from tests.agent_service.conftest import Attach

NOW = "2026-11-23T10:00:00+01:00"


async def waiting(editor: Editor) -> str:
    """A session that waits for a yes which nobody here was asked for."""
    session = await editor.service.open_session()
    async with editor.service.listening(session) as events:
        await editor.service.send(session, "add Tea", who="acp")
        async for event in events:
            if event.type == "approval_needed":
                return session
    raise AssertionError("Nothing is asked.")


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["session/load", "session/resume"])
async def test_what_waits_is_asked_again_and_the_turn_is_told_to_its_end(attached: Attach, method: str) -> None:
    async with editing(attached) as editor:
        session, other = await waiting(editor), await waiting(editor)
        assert "configOptions" in await editor.call(method, sessionId=session, cwd="/", mcpServers=[])
        asked = await editor.next_but_updates()
        assert (asked["method"], asked["params"]["sessionId"]) == ("session/request_permission", session)
        assert asked["params"]["toolCall"]["title"] == "Create: Tea"
        await editor.say(id=asked["id"], result={"outcome": {"outcome": "selected", "optionId": "yes"}})
        await editor.until("Created: Tea")
        assert [each["status"] for each in editor.updates if each["sessionUpdate"] == "tool_call_update"] == ["in_progress", "completed"]
        assert editor.text() == "Created: Tea"
        assert [each.turn for each in await editor.service.approvals()] == [(await editor.service.stored(other))[0].turn]


@pytest.mark.anyio
async def test_in_the_mode_that_leaves_it_for_later_nothing_is_asked(attached: Attach) -> None:
    async with editing(attached) as editor:
        session = await waiting(editor)
        assert await editor.call("session/set_mode", sessionId=session, modeId="later") == {}
        await editor.call("session/load", sessionId=session, cwd="/", mcpServers=[])
        (needed,) = await editor.service.approvals()
        await editor.service.approve(needed.approval, digest=needed.digest, granted=True, who="cli")
        # Answered elsewhere, told here all the same; a question before it would have been heard.
        await editor.until("Created: Tea")


class Busy:
    """A service whose question is answered while another turn runs, twice."""

    def __init__(self) -> None:
        self.tries = 0
        self.answered = anyio.Event()

    async def service(self) -> Any:
        return self

    @asynccontextmanager
    async def listening(self, session: str, *, after: int) -> AsyncGenerator[AsyncGenerator[Event]]:
        yield self._events()

    async def _events(self) -> AsyncGenerator[Event]:
        await self.answered.wait()
        yield ApprovalAnswered(seq=4, turn="t1", approval="a", call="c", outcome="no", who="acp")

    async def approvals(self) -> list[ApprovalNeeded]:
        return [needed("t1", 2)]

    async def approve(self, approval: str, **_: Any) -> None:
        self.tries += 1
        if self.tries < 3:
            raise SessionBusy("s")
        self.answered.set()


@pytest.mark.anyio
async def test_an_answer_that_another_turn_stands_in_the_way_of_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acp_turns, "BUSY_LOOK_S", 0)
    service = Busy()

    async def write(line: bytes) -> None:
        asked = json.loads(line)
        editor.take_answer({"id": asked["id"], "result": {"outcome": {"outcome": "selected", "optionId": "no"}}})

    editor = acp_turns.Editor(write)
    stored = [started("t1", 1), needed("t1", 2), TurnDone(seq=3, turn="t1", answer="Later.", usage=Usage())]
    with anyio.fail_after(20):
        await acp_turns.Turns(cast("Link", service), editor, lambda _: Chosen()).take_up("s", stored)
    assert service.tries == 3


def started(turn: str, seq: int, **named: Any) -> TurnStarted:
    return TurnStarted(seq=seq, turn=turn, text="do it", sent_text="do it", now=NOW, who="acp", **named)


def needed(turn: str, seq: int = 0, approval: str = "a") -> ApprovalNeeded:
    return ApprovalNeeded(
        seq=seq,
        turn=turn,
        approval=approval,
        call="c",
        name="send_mail",
        tool_class="send",
        summary="Send",
        lines=(),
        digest="d",
        expires_at=NOW,
    )


def told(found: Found, *events: Event) -> list[str]:
    return [each.type for event in events for _, each in found.take(event)]


def test_a_call_of_a_turn_that_has_ended_is_told_in_the_turn_that_runs_it_and_other_turns_are_not() -> None:
    found = Found("s", [started("t1", 1), needed("t1", 2), TurnDone(seq=3, turn="t1", answer="Later.", usage=Usage())])
    assert found.begin(needed("t1", 2))
    assert not found.begin(needed("t1", 2)), "it is asked already"
    assert not found.begin(needed("t-of-another-conversation", 2, "b"))
    assert told(found, started("t2", 4), TextDelta(turn="t2", text="x"), TurnDone(seq=5, turn="t2", answer="x", usage=Usage())) == []
    decided = CallDecided(
        seq=7, turn="t3", call="c-approved", name="send_mail", tool_class="send", arguments="{}", verdict="ask", reason="r"
    )
    answered = ApprovalAnswered(seq=8, turn="t3", approval="a", call="c-approved", outcome="yes", who="acp")
    begun = ToolStarted(seq=9, turn="t3", call="c-approved", name="send_mail", arguments="{}")
    assert told(found, started("t3", 6), decided, answered, begun) == ["turn_started", "call_decided", "approval_answered", "tool_started"]
    assert not found.is_over
    assert told(found, TurnDone(seq=10, turn="t3", answer="Sent.", usage=Usage())) == ["turn_done"]
    assert found.is_over


def test_of_a_reply_that_had_begun_before_only_the_whole_is_told() -> None:
    found = Found("s", [started("t1", 1)])
    assert told(found, TextDelta(turn="t1", text="lo")) == []
    done = TurnDone(seq=2, turn="t1", answer="Hello", usage=Usage())
    ((outcome, event),) = found.take(done)
    assert (outcome.take(event), found.is_over) == ("Hello", True)


def test_a_turn_that_a_prompt_tells_of_is_left_to_it_and_a_cancelled_ones_questions_are_over() -> None:
    assert Found("s", [started("t1", 1)], but={"t1"}).is_over
    found = Found("s", [started("t1", 1)])
    assert found.begin(needed("t1"))
    assert told(found, TurnCancelled(seq=2, turn="t1", who="acp")) == ["turn_cancelled"]
    assert found.is_over


def test_a_conversation_that_is_loaded_has_what_was_said_before_a_stop_why_a_turn_failed_and_the_files_beside_it() -> None:
    events: list[Event] = [
        started("t1", 1, attached=(Attached(name="notes.txt", text="x"),)),
        TurnCancelled(seq=2, turn="t1", who="acp", said="Once upon a time"),
        started("t2", 3),
        TurnFailed(seq=4, turn="t2", error="The engine does not answer.", code="engine_unreachable"),
    ]
    texts = [update["content"]["text"] for update in wire.replayed("s", events)]
    ends = ("\n\n*Cancelled.*", "\n\n*Failed: The engine does not answer.*")
    assert texts == ["do it\n[file: notes.txt]", "Once upon a time", ends[0], "do it", ends[1]]


def test_a_call_that_was_approved_later_is_not_shown_as_what_the_person_typed() -> None:
    deferred = started("t1", 1).model_copy(update={"text": f"{DEFERRED_TEXT}Create: Tea"})
    done = TurnDone(seq=2, turn="t1", answer="Created: Tea", usage=Usage())
    told = [(update["sessionUpdate"], update["content"]["text"]) for update in wire.replayed("s", [deferred, done])]
    assert told == [("agent_message_chunk", "\n\nApproved: Create: Tea\n\n"), ("agent_message_chunk", "Created: Tea")]


def test_what_was_told_before_a_stop_is_not_told_again() -> None:
    found = Found("s", [started("t1", 1), needed("t1", 2)])
    events: list[Event] = [TextDelta(turn="t1", text="Once "), TextDelta(turn="t1", text="upon")]
    events.append(TurnCancelled(seq=3, turn="t1", who="acp", said="Once upon a"))
    pieces = [outcome.take(each) for event in events for outcome, each in found.take(event)]
    assert pieces == ["Once ", "upon", " a"]


def test_of_a_reply_whose_beginning_was_missed_in_a_break_the_whole_is_told_once_and_the_next_as_it_grows() -> None:
    found = Found("s", [started("t1", 1), needed("t1", 2)])
    found.break_off()
    result = ToolFinished(seq=3, turn="t1", call="c", name="read", decision="allow", ok=True, text="x")
    whole = ModelReplied(seq=4, turn="t1", text="I look.", calls=(CallValue(id="d", name="read", arguments="{}"),))
    later: list[Event] = [result, TextDelta(turn="t1", text="ook."), whole, TextDelta(turn="t1", text="Tea")]
    assert [outcome.take(each) for event in later for outcome, each in found.take(event)] == ["", "I look.", "\n\nTea"]
