"""Mails that are held, in a whole runtime: taken back from anywhere, out once, asked about after a restart, and in nobody's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from agent.audit.book import BOOK_FILE
from agent.audit.chain import missing_from, read_book
from agent.audit.stored import stored_events
from agent.errors import AgentError, ApprovalError, HoldError, SessionBusy, TurnNotFound
from agent.events import ApprovalNeeded, Event
from agent.held_events import ToolHeld
from agent.turns.holding import MISSED, TAKEN_BACK
from agent.turns.loop import LOST_SENTENCE
from config.paths import Home
from config.schema import AgentSection, AgentSettings, PolicySection
from tests.agent.runtimes import Agent, agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
SEND = ("send_mail", {"title": "Hello"})
SCRIPT = [Say(calls=[SEND]), Say("Done.")]
LONG_S, SHORT_S = 500.0, 0.2


def hold_for(seconds: float, **policy: Any) -> AgentSettings:
    return AgentSettings(agent=AgentSection(send_hold_s=seconds), policy=PolicySection(tools=policy))


def result(events: list[Event]) -> tuple[str, bool, str]:
    (finished,) = [event for event in events if event.type == "tool_finished"]
    return finished.decision, finished.ok, finished.text


def when_held(agent: Agent, do: Callable[[ToolHeld], object]) -> Callable[[Event], object]:
    """Says yes to what is asked, and does something once it is held."""
    answer = agent.answer(granted=True)

    def on_event(event: Event) -> object:
        return do(event) if isinstance(event, ToolHeld) else answer(event)

    return on_event


async def test_a_mail_that_is_not_taken_back_goes_out_once(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=hold_for(SHORT_S)) as agent:
            events = await agent.ask("go", agent.answer(granted=True))
            (held,) = [event for event in events if isinstance(event, ToolHeld)]
            assert (held.summary, dict(held.lines)["Title"]) == ("send_mail: Hello", "Hello")
            assert result(events)[:2] == ("asked-yes", True)
            assert [effect["tool"] for effect in agent.effects] == ["send_mail"]
            with pytest.raises(HoldError):
                await agent.runtime.holds.take_back(held.hold, who="me")


async def test_a_mail_that_is_taken_back_never_goes_out_and_the_model_and_the_book_know(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=hold_for(LONG_S)) as agent:
            listed: list[Any] = []

            async def take_back(held: ToolHeld) -> None:
                listed.extend(agent.runtime.holds.open())
                assert agent.runtime.is_busy()
                await agent.runtime.holds.take_back(held.hold, who="me")

            events = await agent.ask("go", when_held(agent, take_back))
            assert [(each.session, each.held.name) for each in listed] == [(agent.session, "send_mail")]
            assert agent.runtime.holds.open() == []
            assert result(events) == ("asked-no", False, TAKEN_BACK)
            assert agent.model.requests[1]["messages"][-1]["content"] == TAKEN_BACK
            assert agent.effects == []
            assert "*taken back by me, before it went out*" in await agent.runtime.shelf.export(agent.session, "markdown")
    book = read_book((home.state_dir / BOOK_FILE).read_bytes())
    assert [entry.what for entry in book.entries] == ["decided", "asked", "answered", "held", "taken back", "finished"]
    assert missing_from(book, stored_events(home.state_dir / "sessions.sqlite3", since=book.entries[0].at)) == []


@pytest.mark.parametrize("lost", ["approval_answered", "tool_taken_back"])
async def test_what_a_person_says_and_cannot_be_stored_is_told_as_that_and_nothing_is_done(home: Home, lost: str):
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=hold_for(LONG_S)) as agent:
            store = agent.runtime._world.store  # pyright: ignore[reportPrivateUsage]
            real, told, filled = store.append, list[str](), list[str]()

            def append(session: str, events: Sequence[Event], *, at: str) -> list[Event]:
                if not filled and any(event.type == lost for event in events):
                    filled.append(lost)
                    raise OSError("No space left on device")
                return real(session, events, at=at)

            async def say(event: Event) -> None:
                try:
                    if isinstance(event, ToolHeld):
                        await agent.runtime.holds.take_back(event.hold, who="me")
                    elif isinstance(event, ApprovalNeeded):
                        await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="me")
                except AgentError as error:
                    told.append(str(error))

            store.append = append
            events = await agent.ask("go", say)
            assert (filled, told) == ([lost], [LOST_SENTENCE])
            assert events[-1].type == "turn_failed"
            assert agent.effects == []
            assert (await agent.ask("go on"))[-1].type == "turn_done"


async def test_a_no_after_the_yes_takes_it_back_too(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=hold_for(LONG_S)) as agent:

            async def refuse(held: ToolHeld) -> None:
                row: Any = agent.runtime._world.store.approval(held.approval)  # pyright: ignore[reportPrivateUsage]
                for digest, granted in (("another", False), (row.needed.digest, True)):
                    with pytest.raises(ApprovalError, match="already been answered"):
                        await agent.runtime.approve(held.approval, digest=digest, granted=granted, who="me")
                await agent.runtime.approve(held.approval, digest=row.needed.digest, granted=False, who="me")

            events = await agent.ask("go", when_held(agent, refuse))
            assert (result(events)[0], agent.effects) == ("asked-no", [])


async def test_a_cancelled_turn_sends_nothing(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=hold_for(LONG_S)) as agent:
            events = await agent.ask("go", when_held(agent, lambda _: agent.runtime.cancel(agent.session, who="me")))
            assert [event.type for event in events][-3:] == ["tool_taken_back", "tool_finished", "turn_cancelled"]
            assert agent.effects == []


async def test_a_conversation_with_a_held_mail_is_not_deleted_and_its_copy_holds_nothing(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hi."), *SCRIPT], settings=hold_for(LONG_S)) as agent:
            await agent.ask("hello")

            async def look(held: ToolHeld) -> None:
                with pytest.raises(SessionBusy):
                    await agent.runtime.delete(agent.session)
                with pytest.raises(TurnNotFound):
                    await agent.runtime.shelf.fork(agent.session, until=held.turn)
                copy = await agent.runtime.shelf.fork(agent.session)
                assert "send_mail" not in await agent.runtime.shelf.export(copy, "jsonl")
                (open_,) = agent.runtime.holds.open()
                assert open_.session == agent.session
                await agent.runtime.holds.take_back(held.hold, who="me")

            await agent.ask("go", when_held(agent, look))
            await agent.runtime.delete(agent.session)
            assert agent.effects == []


async def test_other_conversations_go_on_meanwhile(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("Hi."), Say("Done.")], settings=hold_for(LONG_S)) as agent:
            other = Agent(agent.runtime, agent.model, agent.tools, await agent.runtime.open_session())

            async def talk(held: ToolHeld) -> None:
                assert (await other.ask("hello"))[-1].type == "turn_done"
                await agent.runtime.holds.take_back(held.hold, who="me")

            await agent.ask("go", when_held(agent, talk))


async def test_what_the_settings_allow_is_held_for_a_person_and_not_for_a_script(home: Home):
    settings = hold_for(SHORT_S, send_mail="allow")
    with anyio.fail_after(60):
        async with agent_of(home, [*SCRIPT, *SCRIPT], settings=settings) as agent:
            for interactive, held in ((True, 1), (False, 0)):
                events = await agent.ask("go", interactive=interactive)
                assert [event.type for event in events].count("tool_held") == held
            assert len(agent.effects) == 2


async def test_a_call_that_is_approved_from_the_queue_is_held_in_its_own_turn(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND])], settings=hold_for(LONG_S)) as agent:
            queued = await agent.ask("go", interactive=False)
            (needed,) = agent.runtime.approvals()
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")

            def take_back(event: Event) -> object:
                return agent.runtime.holds.take_back(event.hold, who="me") if isinstance(event, ToolHeld) else None

            events = await agent.hear(queued[-1].seq, take_back)
            (held,) = [event for event in events if isinstance(event, ToolHeld)]
            assert (held.summary, held.approval, dict(held.lines)) == (needed.summary, needed.approval, dict(needed.lines))
            assert (events[-1].type, agent.effects) == ("turn_done", [])
            assert any(event.answer == TAKEN_BACK for event in events if event.type == "turn_done")


@pytest.mark.parametrize("hold_s", [SHORT_S, LONG_S])
async def test_after_a_restart_an_overdue_mail_is_asked_about_and_another_one_stays_held(home: Home, hold_s: float):
    with anyio.fail_after(60):
        async with agent_of(home, SCRIPT, settings=hold_for(hold_s)) as agent:
            is_held = anyio.Event()

            async def listen() -> None:
                await agent.ask("go", when_held(agent, lambda _: is_held.set()))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await is_held.wait()
                tasks.cancel_scope.cancel()
        await anyio.sleep(SHORT_S)
        async with agent_of(home, [Say("Done.")], settings=hold_for(hold_s), session=agent.session, tools=agent.tools) as later:
            if hold_s == LONG_S:
                (held,) = later.runtime.holds.open()
                await later.runtime.holds.take_back(held.held.hold, who="me")
                await later.hear(len(await later.stored()) - 1)
                assert later.effects == []
                return
            events = await later.hear(on_event=_again(later))
            first, again = [event for event in events if isinstance(event, ApprovalNeeded)]
            assert (again.digest, again.lines[-1]) == (first.digest, MISSED)
            assert [event.type for event in events].count("tool_started") == 1
            assert len(later.effects) == 1


def _again(agent: Agent) -> Callable[[Event], object]:
    """Says yes to what is asked about now: nothing has gone out up to there."""

    def answer(event: Event) -> object:
        if not isinstance(event, ApprovalNeeded) or event.approval not in {needed.approval for needed in agent.runtime.approvals()}:
            return None
        assert agent.effects == []
        assert agent.runtime.holds.open() == []
        return agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="me")

    return answer
