"""A runtime that dies at any commit of a turn, in memory: what completed is not repeated, and no side effect happens twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest

from agent.events import TURN_ENDS, ApprovalNeeded, Event
from agent.sessions.store import Store
from agent.turns.calling import OUTCOME_UNKNOWN
from agent.view.context import Conversation
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, MemoryTools, agent_of
from tests.fakes.scripted_model import Say, Script

pytestmark = pytest.mark.anyio
COMMITS = 8
"""Of a turn with an approval: begin, route, reply, read, ask, yes, done, answer. A granted one has one less."""
TOOLS = {"write": "create_event", "send": "send_mail"}


class MachineDied(BaseException):
    """Nothing of ours catches this, and nothing can be stored after it."""


class Mortal:
    """A store whose process dies before or right after its Nth commit."""

    def __init__(self, moment: str) -> None:
        self._when, _, number = moment.partition(":")
        self._left = int(number)
        self.is_dead = False

    def wrap(self, write: Callable[..., list[Event]]) -> Callable[..., list[Event]]:
        def dying(*args: object, **options: object) -> list[Event]:
            self._left -= 1
            if self.is_dead or (self._left == 0 and self._when == "before"):
                self.is_dead = True
                raise MachineDied
            stored = write(*args, **options)
            if self._left == 0:
                self.is_dead = True
                raise MachineDied
            return stored

        return dying


def two_calls(tool: str) -> Script:
    """A read and a side effect, then an answer; the same again for the same question, as a restarted agent may ask it twice."""

    def script(request: dict[str, Any]) -> Say:
        if request["messages"][-1]["role"] == "tool":
            return Say("Done.")
        return Say(calls=[("list_events", {"title": "x"}), (tool, {"title": "Coffee"})])

    return script


async def live_and_die(
    home: Home, tools: MemoryTools, kind: str, *, is_granted: bool, moment: str, settings: AgentSettings | None = None
) -> str:
    """Until the machine dies, or the turn ends; the session."""
    session = ""
    grants = frozenset({kind} if is_granted else ())
    with pytest.MonkeyPatch.context() as patch:
        mortal = Mortal(moment)
        patch.setattr(Store, "append", mortal.wrap(Store.append))
        patch.setattr(Store, "begin_turn", mortal.wrap(Store.begin_turn))
        try:
            async with agent_of(home, two_calls(TOOLS[kind]), tools=tools, settings=settings) as agent:
                session = agent.session
                await agent.ask("go", agent.answer(granted=True), grants=grants)
        except BaseException as error:
            if not mortal.is_dead or not _is_death(error):
                raise
    return session


def _is_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_death(one) for one in cast("BaseExceptionGroup[BaseException]", error).exceptions)
    return isinstance(error, MachineDied)


async def finish(agent: Agent) -> list[Event]:
    """Everything that the log holds once the turn has ended."""

    def answer(event: Event) -> object:
        # An approval that was answered before the end is shown again by the log, but it is not open.
        is_open = isinstance(event, ApprovalNeeded) and event.approval in {needed.approval for needed in agent.runtime.approvals()}
        return agent.answer(granted=True)(event) if is_open else None

    await agent.hear(on_event=answer)
    return await agent.stored()


def check(log: list[Event], tools: MemoryTools, tool: str, *, questions: int = 1) -> None:
    """One whole turn, with each call's one result, and the side effect exactly once, or not and then nobody says that it was."""
    assert [event.type in TURN_ENDS for event in log].count(True) == 1
    assert log[-1].type == "turn_done"
    results = {event.name: event for event in log if event.type == "tool_finished"}
    assert Counter(event.name for event in log if event.type == "tool_finished") == {"list_events": 1, tool: 1}
    assert results["list_events"].ok
    assert len(tools.effects) <= 1, "the side effect happened twice"
    if results[tool].ok:
        assert len(tools.effects) == 1
    else:
        assert results[tool].text == OUTCOME_UNKNOWN
        assert tool != "create_event", "a create carries its own id and can be sent again"
    assert len([event for event in log if event.type == "approval_needed"]) <= questions
    roles = [json.loads(message)["role"] for message in Conversation(log).messages]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]


@pytest.mark.parametrize("is_granted", [False, True])
@pytest.mark.parametrize("kind", ["write", "send"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_turn_that_dies_at_any_commit_ends_once_with_no_side_effect_twice(home: Home, when: str, kind: str, is_granted: bool):
    with anyio.fail_after(100):
        # A granted call differs only around its dry run, its start and its end.
        for number in range(4, 7) if is_granted else range(1, COMMITS + 1):
            at = Home.at(home.data_dir / str(number))
            tools = MemoryTools()
            session = await live_and_die(at, tools, kind, is_granted=is_granted, moment=f"{when}:{number}")
            async with agent_of(at, two_calls(TOOLS[kind]), session=session, tools=tools) as agent:
                if (when, number) == ("before", 1):
                    assert await agent.stored() == []
                    continue
                check(await finish(agent), tools, TOOLS[kind])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_held_mail_goes_out_once_whenever_the_machine_dies_and_never_without_another_yes(home: Home, when: str):
    settings = AgentSettings(agent=AgentSection(send_hold_s=0.05))
    with anyio.fail_after(100):
        # The question, the yes with its hold, the start, and the end.
        for number in range(5, 9):
            at, tools = Home.at(home.data_dir / str(number)), MemoryTools()
            session = await live_and_die(at, tools, "send", is_granted=False, moment=f"{when}:{number}", settings=settings)
            await anyio.sleep(0.05)
            async with agent_of(at, two_calls("send_mail"), session=session, tools=tools, settings=settings) as agent:
                log = await finish(agent)
            check(log, tools, "send_mail", questions=2)
            kinds = [event.type for event in log]
            assert kinds.count("approval_needed") == kinds.count("approval_answered") == kinds.count("tool_held")
            died_held = (when, number) in (("after", 6), ("before", 7))
            assert kinds.count("approval_needed") == (2 if died_held else 1)
