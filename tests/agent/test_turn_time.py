"""How long one turn may work, and what it leaves when its time is up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

import anyio
import pytest

from agent.calls.assemble import Reply
from agent.engine.client import Served
from agent.events import ApprovalAnswered, ApprovalNeeded, Event, TextDelta, ToolFinished, TurnDone
from agent.tools.served import ToolResult
from agent.turns.budget import Limits
from agent.turns.calling import CANCELLED, OUTCOME_UNKNOWN
from agent.turns.effects import Asking, CallModel, Woke
from agent.turns.loop import TurnLoop
from agent.turns.ports import Ports
from agent.turns.turn import EMPTY_ANSWER, EMPTY_REPLIES
from agent.turns.turn_state import Rules, TurnState
from agent.view.window import View
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.turns import START, call, routed, rules
from tests.fakes.scripted_model import Say


def test_waiting_for_a_person_does_not_use_up_the_turns_time():
    turn = routed(limits=Limits(turn_timeout_s=30))
    turn.say("", call("send_mail"))
    turn.now += 20
    turn.prepare("send_mail")
    turn.now += 59
    turn.answer("send_mail", granted=True)
    assert turn.wake_at == turn.now + 10
    turn.run("send_mail")
    assert turn.pending == [CallModel("fast")]


def test_what_a_tool_server_asks_the_person_does_not_use_it_up_either():
    turn = routed(limits=Limits(turn_timeout_s=30))
    turn.say("", call("list_events"), call("find_free_time"))
    turn.now += 20
    turn.tell(Asking("c-list_events", is_open=True))
    assert turn.wake_at == turn.now + 10, "the other call works"
    turn.run("find_free_time")
    turn.tell(Asking("c-list_events", is_open=True))
    assert turn.wake_at is None
    turn.now += 500
    turn.tell(Asking("c-list_events", is_open=False))
    turn.now += 500
    turn.tell(Asking("c-list_events", is_open=False))
    assert turn.wake_at == turn.now + 10
    turn.run("list_events")
    assert turn.pending == [CallModel("fast")]


def test_the_time_budget_ends_the_turn_in_the_middle_of_work_with_results_for_all():
    turn = routed(grants=("send",), limits=Limits(turn_timeout_s=30))
    turn.say("", call("list_events"), call("send_mail"))
    turn.prepare("send_mail")
    turn.now += 30
    turn.tell(Woke())
    assert turn.end.answer.startswith("I stopped after 30 seconds")
    results = {event.name: (event.decision, event.ok, event.text) for event in turn.of("tool_finished")}
    assert results == {"list_events": ("allow", False, CANCELLED), "send_mail": ("allow", False, OUTCOME_UNKNOWN)}


def test_a_turn_whose_time_is_up_says_what_may_have_taken_effect():
    turn = routed(limits=Limits(turn_timeout_s=30), grants=("write",))
    turn.say("", call("draft_mail"), call("list_events"))
    turn.prepare("draft_mail")
    turn.now += 31
    turn.tell(Woke())
    assert turn.end.answer.startswith("I stopped after 30 seconds")
    assert turn.end.answer.endswith("It is not known whether draft_mail took effect: check before you ask for it again.")


def test_a_result_that_comes_when_the_time_is_up_is_kept():
    turn = routed(grants=("send",), limits=Limits(turn_timeout_s=30))
    turn.say("", call("send_mail"), call("list_events"))
    turn.prepare("send_mail")
    turn.now += 31
    turn.run("send_mail")
    assert turn.end.answer.startswith("I stopped after 30 seconds")
    assert turn.end.answer.endswith(
        "raise agent.turn_timeout_s. send_mail took effect before that: ask for it again only to have it done twice."
    )
    assert "not known" not in turn.end.answer
    results = {event.name: (event.ok, event.text) for event in turn.of("tool_finished")}
    assert results == {"send_mail": (True, "send_mail did it"), "list_events": (False, CANCELLED)}


def test_a_turn_that_stops_says_what_took_effect_in_any_of_its_steps():
    turn = routed(grants=("send", "write"), limits=Limits(turn_timeout_s=30))
    for name in ("send_mail", "draft_mail"):
        turn.say("", call(name))
        turn.prepare(name)
        turn.run(name)
    turn.say("", call("list_events"))
    turn.run("list_events")
    turn.crash()
    turn.now += 31
    turn.tell(Woke())
    assert turn.end.answer.endswith(" draft_mail and send_mail took effect before that: ask for it again only to have it done twice.")


def test_a_turn_that_made_as_many_steps_as_it_may_says_so_too():
    turn = routed(grants=("send",), limits=Limits(max_steps=1))
    turn.say("", call("send_mail"))
    turn.prepare("send_mail")
    turn.run("send_mail")
    assert turn.end.answer.startswith("I stopped after 1 steps without coming to an end. Ask again")
    assert turn.end.answer.endswith(" send_mail took effect before that: ask for it again only to have it done twice.")


def test_a_turn_that_fails_with_an_empty_answer_says_so_too():
    turn = routed(grants=("send",))
    turn.say("", call("send_mail"))
    turn.prepare("send_mail")
    turn.run("send_mail")
    for _ in range(EMPTY_REPLIES):
        turn.say("")
    assert turn.end.error == f"{EMPTY_ANSWER} send_mail took effect before that: ask for it again only to have it done twice."


@pytest.mark.parametrize(("name", "ok"), [("send_mail", False), ("list_events", True)])
def test_what_failed_or_only_read_did_not_take_effect(name: str, ok: bool):
    turn = routed(grants=("send",), limits=Limits(turn_timeout_s=30))
    turn.say("", call(name))
    if name == "send_mail":
        turn.prepare(name)
    turn.now += 31
    turn.run(name, ok=ok)
    assert turn.end.answer.endswith("Ask again, or raise agent.turn_timeout_s.")


@pytest.mark.parametrize(("said", "before"), [("A zebra is", "A zebra is\n\n"), ("\n", ""), ("", "")])
def test_what_was_shown_of_an_answer_stays_when_the_time_is_up(said: str, before: str):
    turn = routed(limits=Limits(turn_timeout_s=30))
    turn.now += 30
    turn.tell(Woke(said))
    assert turn.end.answer.startswith(f"{before}I stopped after 30 seconds")


def test_what_was_said_before_a_call_is_no_part_of_the_answer_when_the_time_is_up():
    turn = routed(limits=Limits(turn_timeout_s=30))
    turn.say("I will look.", call("list_events"))
    turn.now += 30
    turn.tell(Woke("I will look."))
    assert turn.end.answer.startswith("I stopped after 30 seconds")


def test_waking_before_the_time_is_up_ends_nothing():
    turn = routed(limits=Limits(turn_timeout_s=30))
    turn.now += 29
    turn.tell(Woke("A zebra is"))
    assert turn.pending == [CallModel("fast")]


async def test_a_turn_whose_time_is_up_in_mid_stream_keeps_what_was_shown(home: Home):
    settings = AgentSettings(agent=AgentSection(turn_timeout_s=1))
    with anyio.fail_after(60):
        async with agent_of(home, [Say("A zebra and a long answer", holds_after=3), Say("Fresh.")], settings=settings) as agent:
            events = await agent.ask("x")
            shown = "".join(event.text for event in events if isinstance(event, TextDelta))
            await agent.ask("y")
    answer = next(event.answer for event in events if isinstance(event, TurnDone))
    assert shown.startswith("A zebra")
    assert answer == f"{shown}\n\nI stopped after 1 seconds without coming to an end. Ask again, or raise agent.turn_timeout_s."
    assert agent.model.requests[1]["messages"][2]["content"] == answer, "the model sees it too"


async def test_no_more_of_an_answer_is_shown_from_the_moment_at_which_its_end_is_decided():
    happened: list[str] = []

    async def commit(events: Sequence[Event]) -> None:
        happened.extend(event.type for event in events)

    async def never(*_: object) -> Never:
        await anyio.sleep_forever()
        raise AssertionError

    ports = Ports(
        commit=commit, publish=lambda _: None, said=lambda: "", hush=lambda: happened.append("hush"), find_rules=never, served_tiers=never,
        view=View, complete=never, call_tool=never,
    )  # fmt: skip
    loop = TurnLoop(TurnState("t"), ports)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loop.run)
            await loop.cancel("me")
    assert happened == ["hush", "turn_cancelled"]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
async def test_neither_the_machines_sleep_nor_a_clock_that_is_set_uses_up_the_turns_time(jump_s: float):
    log: list[Event] = []
    now, ticks = [START], [5.0]

    async def commit(events: Sequence[Event]) -> None:
        log.extend(events)

    async def find_rules() -> Rules:
        return rules(limits=Limits(turn_timeout_s=300))

    async def served_tiers() -> Served:
        return Served(frozenset({"fast"}), {})

    async def complete(*_: object) -> Reply:
        now[0], ticks[0] = now[0] + jump_s, ticks[0] + 20
        return Reply("", calls=(call("list_events"),)) if len(log) < 3 else Reply("On Friday at 3.")

    async def call_tool(*_: object) -> ToolResult:
        now[0], ticks[0] = now[0] + jump_s, ticks[0] + 7
        return ToolResult("Fri 3 pm")

    ports = Ports(
        commit=commit, publish=lambda _: None, said=lambda: "", hush=lambda: None, find_rules=find_rules, served_tiers=served_tiers,
        view=View, complete=complete, call_tool=call_tool, clock=lambda: now[0], ticks=lambda: ticks[0],
    )  # fmt: skip
    with anyio.fail_after(60):
        await TurnLoop(TurnState("t"), ports).run()
    (result,) = [event for event in log if isinstance(event, ToolFinished)]
    assert (result.text, result.elapsed_s) == ("Fri 3 pm", 7.0)
    assert isinstance(log[-1], TurnDone), [event.type for event in log]
    assert (log[-1].answer, log[-1].usage.elapsed_s) == ("On Friday at 3.", 47.0)


async def test_a_question_that_was_slept_through_is_over_and_the_turn_goes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent.turns.loop.LOOKS_EVERY_S", 0.02)
    log: list[Event] = []
    now, is_asked, early = [START], anyio.Event(), list[Event]()

    async def commit(events: Sequence[Event]) -> None:
        log.extend(events)
        if any(isinstance(event, ApprovalNeeded) for event in events):
            is_asked.set()

    async def find_rules() -> Rules:
        return rules()

    async def served_tiers() -> Served:
        return Served(frozenset({"fast"}), {})

    async def complete(*_: object) -> Reply:
        return Reply("Nothing was sent.") if is_asked.is_set() else Reply("", calls=(call("send_mail"),))

    async def call_tool(*_: object) -> ToolResult:
        return ToolResult("", structured={"prepared": {"arguments": {}, "host": {}, "summary": "Send", "lines": [["To", "bo"]]}})

    ports = Ports(
        commit=commit, publish=lambda _: None, said=lambda: "", hush=lambda: None, find_rules=find_rules, served_tiers=served_tiers,
        view=View, complete=complete, call_tool=call_tool, clock=lambda: now[0], ticks=lambda: 5.0,
    )  # fmt: skip
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(TurnLoop(TurnState("t", now="2026-11-21T09:00:00+01:00"), ports).run)
            await is_asked.wait()
            await anyio.sleep(0.1)
            early.extend(log)
            now[0] += 7200
    assert not any(isinstance(event, ApprovalAnswered) for event in early), "looking at the clock ends nothing before its time"
    assert [event.outcome for event in log if isinstance(event, ApprovalAnswered)] == ["expired"]
    assert isinstance(log[-1], TurnDone), [event.type for event in log]
