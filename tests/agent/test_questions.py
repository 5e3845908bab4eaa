"""What a tool server asks in the middle of a call is the person's to answer, as approvals are; a changed tool is accepted with a yes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from agent.audit.book import BOOK_FILE, look_at
from agent.audit.chain import missing_from
from agent.errors import ApprovalError
from agent.events import ApprovalAnswered, ApprovalNeeded, Event, ToolProgress
from agent.safety.manifest import Change
from agent.sessions.questions import Questions
from agent.sessions.session_tools import MOST_QUESTIONS
from agent.tools.caller import NOBODY, Caller
from agent.tools.forms import Filled
from agent.tools.questions import Progress, Question
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool
from config.paths import Home
from tests.agent.runtimes import MemoryTools, agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
BOUND_S = 240.0
LIST = ("list_events", {"when": "tomorrow"})
SHELF = {"properties": {"shelf": {"type": "string", "default": "top"}}, "required": ["shelf"]}


class AskingTools(MemoryTools):
    """Its server asks something in each call, and answers with what it was told."""

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        caller.on_progress(Progress(1, 2, "half\u202e"))
        answer = await caller.ask(Question("calendars", "Which shelf?", SHELF))
        return ToolResult(json.dumps([answer.action, answer.content]))


class ChangedTools(MemoryTools):
    """One of its tools is not what it was."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[tuple[str, str]] = []

    async def tools(self) -> tuple[Tool, ...]:
        change = Change("d1", (("Described now as", "New words"),))
        tools = await super().tools()
        return tuple(replace(tool, facts=replace(tool.facts, change=change)) if tool.name == "list_events" else tool for tool in tools)

    async def accept(self, name: str, digest: str) -> None:
        self.accepted.append((name, digest))


def told(events: list[Event]) -> list[str]:
    return [event.text for event in events if event.type == "tool_finished"]


async def test_a_servers_question_is_shown_like_an_approval_and_a_yes_sends_what_was_shown(home: Home) -> None:
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], tools=AskingTools()) as agent:
            seen: list[ApprovalNeeded] = []

            async def answer(event: ApprovalNeeded) -> None:
                seen.extend(agent.runtime.approvals())
                with pytest.raises(ApprovalError, match="another call"):
                    await agent.runtime.approve(event.approval, digest="0", granted=True, who="test")
                await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="test")

            events = await agent.ask("hi", lambda event: answer(event) if isinstance(event, ApprovalNeeded) else None)
            assert agent.runtime.approvals() == []
            stored = await agent.stored()
    assert told(events) == ['["accept", {"shelf": "top"}]']
    assert [(needed.name, needed.lines[-1], needed.seq) for needed in seen] == [("list_events", ("shelf", "top (or a text)"), 0)]
    assert [event.message for event in events if isinstance(event, ToolProgress)] == ["half\\u202e"]
    assert not [event for event in stored if event.type in ("approval_needed", "approval_answered", "tool_progress")]


async def test_what_the_person_takes_to_answer_is_not_the_turns_time(home: Home) -> None:
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], tools=AskingTools()) as agent:
            later, world = [0.0], agent.runtime._world  # pyright: ignore[reportPrivateUsage]
            object.__setattr__(world, "clock", lambda: time.time() + later[0])
            object.__setattr__(world, "ticks", lambda: time.monotonic() + later[0])
            limit_s, asked_s = world.settings.agent.turn_timeout_s, list[float]()

            async def answer(event: ApprovalNeeded) -> None:
                asked_s.append((datetime.fromisoformat(event.expires_at) - world.zone.now()).total_seconds())
                later[0] += limit_s + 60
                assert agent.runtime.is_busy(), "a service that leaves now would end the call"
                await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="test")

            events = await agent.ask("hi", lambda event: answer(event) if isinstance(event, ApprovalNeeded) else None)
    assert asked_s[0] > limit_s + 60
    assert told(events) == ['["accept", {"shelf": "top"}]']
    assert [event.answer for event in events if event.type == "turn_done"] == ["Done."]


FORM = {
    "properties": {
        "shelf": {"type": "string", "enum": ["top", "bottom"], "default": "top"},
        "copies": {"type": "integer", "title": "Copies", "minimum": 1, "maximum": 5},
    },
    "required": ["copies"],
}


class FormTools(MemoryTools):
    """Its server asks for a form to be filled in."""

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        answer = await caller.ask(Question("calendars", "How many?", FORM))
        return ToolResult(json.dumps([answer.action, answer.content]))


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ([{"copies": "3", "shelf": "Bottom"}], ["accept", {"shelf": "bottom", "copies": 3}]),
        ([{"copies": "9"}, {"copies": "2"}], ["accept", {"shelf": "top", "copies": 2}]),
        ([{}, {"copies": "two"}], ["decline", None]),
    ],
)
async def test_a_form_is_filled_in_by_typing_and_asked_for_once_more_where_it_does_not_fit(
    home: Home, typed: list[dict[str, str]], content: list[object]
) -> None:
    asked: list[ApprovalNeeded] = []
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], tools=FormTools()) as agent:

            async def answer(event: ApprovalNeeded) -> None:
                asked.append(event)
                what = typed[len(asked) - 1]
                await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="test", typed=what)

            events = await agent.ask("hi", lambda event: answer(event) if isinstance(event, ApprovalNeeded) else None)
            stored = await agent.stored()
    assert told(events) == [json.dumps(content)]
    assert [field.wants for field in asked[0].fields] == ["one of top, bottom", "a whole number from 1 to 5"]
    assert ("Copies", "a whole number from 1 to 5, needed") in asked[0].lines
    again = [("Not taken", "Copies: give a whole number from 1 to 5.")] * (len(typed) - 1)
    assert [line for event in asked[1:] for line in event.lines if line[0] == "Not taken"] == again
    outcomes = [event.outcome for event in events if event.type == "approval_answered"]
    assert outcomes == ["no"] * (len(typed) - 1) + ["yes" if content[0] == "accept" else "no"]

    book = look_at(home.state_dir / BOOK_FILE)
    assert not book.faults
    assert not missing_from(book, [(agent.session, event) for event in stored])
    put = [(entry.what, entry.tool, entry.word) for entry in book.entries if entry.what in ("asked", "answered")]
    assert put == [line for outcome in outcomes for line in (("asked", "list_events", ""), ("answered", "", outcome))]
    text = (home.state_dir / BOOK_FILE).read_text(encoding="utf-8")
    assert not [word for word in ("How many", "Copies", "bottom") if word in text]


async def test_a_no_is_a_no_and_where_nobody_can_be_asked_nobody_is(home: Home) -> None:
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("1"), Say(calls=[LIST]), Say("2")], tools=AskingTools()) as agent:
            refused = await agent.ask("hi", agent.answer(granted=False))
            alone = await agent.ask("hi", interactive=False)
    assert (told(refused), told(alone)) == (['["decline", null]'], ['["decline", null]'])
    assert not [event for event in alone if isinstance(event, ApprovalNeeded)]


class InsistingTools(MemoryTools):
    """Its server asks and asks."""

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        answers = [(await caller.ask(Question("calendars", "Sure?"))).action for _ in range(MOST_QUESTIONS + 2)]
        return ToolResult(" ".join(answers))


async def test_a_call_that_asks_and_asks_is_declined_before_a_person_says_yes_to_be_rid_of_it(home: Home) -> None:
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], tools=InsistingTools()) as agent:
            events = await agent.ask("hi", agent.answer(granted=True))
    assert told(events) == [" ".join(["accept"] * MOST_QUESTIONS + ["decline"] * 2)]


async def test_a_yes_to_a_call_of_a_changed_tool_accepts_the_change_that_was_shown(home: Home) -> None:
    tools = ChangedTools()
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], tools=tools) as agent:
            events = await agent.ask("hi", agent.answer(granted=True))
    asked = [event for event in events if isinstance(event, ApprovalNeeded)]
    assert [(event.definition, event.lines[-1]) for event in asked] == [("d1", ("Described now as", "New words"))]
    assert tools.accepted == [("list_events", "d1")]
    assert told(events)[0].startswith("list_events:")


async def test_of_two_front_ends_the_first_counts_and_the_other_changes_nothing(home: Home) -> None:
    begun, goes_on = anyio.Event(), anyio.Event()

    class SlowTools(ChangedTools):
        async def accept(self, name: str, digest: str) -> None:
            begun.set()
            await goes_on.wait()
            await super().accept(name, digest)

    outcomes, events = list[str](), list[Event]()
    with anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=[LIST]), Say("Done.")], tools=SlowTools()) as agent, anyio.create_task_group() as people:

            async def say(event: ApprovalNeeded, granted: bool, who: str) -> None:
                try:
                    await agent.runtime.approve(event.approval, digest=event.digest, granted=granted, who=who)
                    outcomes.append(f"{who} counts")
                except ApprovalError as error:
                    outcomes.append(f"{who}: {error.problem}")

            async def both(event: ApprovalNeeded) -> None:
                people.start_soon(say, event, True, "one")
                await begun.wait()
                people.start_soon(say, event, False, "other")
                # The no would be through by now if it did not wait.
                await anyio.wait_all_tasks_blocked()
                goes_on.set()

            events = await agent.ask("hi", lambda event: both(event) if isinstance(event, ApprovalNeeded) else None)
    assert outcomes == ["one counts", "other: answered"]
    assert told(events)[0].startswith("list_events:")


async def test_a_yes_is_in_the_book_only_where_its_values_could_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_question: Question, _typed: Mapping[str, str]) -> Filled:
        raise OverflowError

    monkeypatch.setattr(Question, "filled", broken)
    questions, outcomes = Questions(), list[str]()

    async def tell(event: Event) -> None:
        if isinstance(event, ApprovalNeeded):
            assert questions.answer(event.approval, digest=event.digest, granted=True, who="test")
        elif isinstance(event, ApprovalAnswered):
            outcomes.append(f"{event.outcome} {event.given}")

    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(OverflowError):
        await questions.ask(
            Question("calendars", "Which shelf?", SHELF), turn="t", call="c", tool="list_events", now=now, within_s=BOUND_S, tell=tell
        )
    assert outcomes == ["no "]
