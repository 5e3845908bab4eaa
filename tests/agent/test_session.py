from __future__ import annotations

import json
import os
from typing import Any

import anyio
import pytest

from agent.errors import ApprovalError, HomeBusy, SessionBusy, SessionNotFound
from agent.events import ApprovalNeeded, Event, TextDelta, ToolStarted, TurnCancelled
from agent.safety.approvals import UNAPPROVED
from agent.sessions.session import open_runtime
from agent.tools.toolbox import Toolbox
from agent.turns.calling import CANCELLED, OUTCOME_UNKNOWN, REFUSED
from config.paths import Home
from config.schema import AgentSection, AgentSettings, PolicySection
from tests.agent.runtimes import Agent, MemoryTools, agent_of
from tests.fakes.scripted_model import Say

pytestmark = pytest.mark.anyio
COFFEE = ("create_event", {"title": "Coffee", "when": "friday"})
LIST = ("list_events", {"when": "tomorrow"})
SEND = ("send_mail", {"title": "Hello"})
READ = ("read_mail", {"title": "m1"})


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events if event.seq]


def results(events: list[Event]) -> dict[str, tuple[str, bool, str]]:
    return {event.name: (event.decision, event.ok, event.text) for event in events if event.type == "tool_finished"}


async def test_an_answer_streams_and_ends_the_turn_with_the_route_and_its_reason(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hello there.")]) as agent:
            events = await agent.ask("hello #deep")
    assert types(events) == ["turn_started", "route_chosen", "model_replied", "turn_done"]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello there."
    route: Any = events[1]
    assert (route.tier, route.rule, route.reasons) == ("balanced", "pin-tag", ("#deep in the text: balanced",))
    request = agent.model.requests[0]
    assert request["model"] == "balanced"
    assert request["messages"][1]["content"].endswith("]\nhello")


async def test_a_read_and_an_approved_write_run_and_their_results_reach_the_model_in_call_order(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE, LIST]), Say("Done.")]) as agent:
            events = await agent.ask("hi", agent.answer(granted=True))
            assert [effect["tool"] for effect in agent.effects] == ["create_event"]
            assert agent.effects[0]["arguments"] == {"title": "Coffee", "when": "2026-11-27T10:00:00+01:00"}
            assert agent.effects[0]["host"].keys() == {"uid"}
    assert [(name, decision, ok) for name, (decision, ok, _) in results(events).items()] == [
        ("list_events", "allow", True),
        ("create_event", "asked-yes", True),
    ]
    sent = agent.model.requests[1]["messages"][-2:]
    assert [message["tool_call_id"] for message in sent] == ["c0", "c1"]
    assert sent[0]["content"].startswith("create_event: Coffee at ")


def started(event: Event, name: str) -> bool:
    return isinstance(event, ToolStarted) and event.name == name


async def test_each_request_continues_the_bytes_of_the_last_one(home: Home):
    script = [Say("Let me see.", [LIST], reasoning="hm"), Say("One."), Say("Two.")]
    with anyio.fail_after(60):
        async with agent_of(home, script) as agent:
            await agent.ask()
            await agent.ask()
        async with agent_of(home, [Say("Three.")], session=agent.session, tools=agent.tools) as later:
            await later.ask()
    prompts = [body[: body.index(b'],"tools"')] for body in (*agent.model.bodies, *later.model.bodies)]
    assert all(after.startswith(before) for before, after in zip(prompts, prompts[1:], strict=False))
    ends = [body[body.index(b'],"tools"') :] for body in (*agent.model.bodies, *later.model.bodies)]
    assert len(set(ends)) == 1
    assert '"arguments":"{\\"when\\": \\"tomorrow\\"}"' in prompts[-1].decode()


async def test_a_no_does_nothing_and_the_model_is_told(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("All right.")]) as agent:
            events = await agent.ask("x", agent.answer(granted=False))
            assert agent.effects == []
    assert results(events)["send_mail"] == ("asked-no", False, REFUSED)


async def test_an_approval_expires_into_a_result(home: Home):
    settings = AgentSettings(agent=AgentSection(approval_ttl_s=0.2))
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("All right.")], settings=settings) as agent:
            events = await agent.ask()
            needed = next(event for event in events if isinstance(event, ApprovalNeeded))
            with pytest.raises(ApprovalError) as refused:
                await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="late")
            assert refused.value.problem == "answered"
            assert agent.effects == []
    assert results(events)["send_mail"] == ("denied", False, UNAPPROVED)


async def test_an_answer_for_another_call_or_given_twice_is_refused(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[SEND]), Say("Sent.")]) as agent:

            async def answer(event: Event) -> None:
                if not isinstance(event, ApprovalNeeded):
                    return
                assert [needed.approval for needed in agent.runtime.approvals()] == [event.approval]
                for approval, digest, problem in [(event.approval, "0" * 64, "digest"), ("a-nobody", event.digest, "unknown")]:
                    with pytest.raises(ApprovalError) as refused:
                        await agent.runtime.approve(approval, digest=digest, granted=True, who="x")
                    assert refused.value.problem == problem
                await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="x")
                with pytest.raises(ApprovalError) as again:
                    await agent.runtime.approve(event.approval, digest=event.digest, granted=True, who="y")
                assert again.value.problem == "answered"

            await agent.ask("x", answer)
            assert len(agent.effects) == 1
            assert agent.runtime.approvals() == []


async def test_what_nobody_could_be_asked_waits_in_the_queue_and_runs_once_when_it_is_approved(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE]), Say("Fine.")]) as agent:
            events = await agent.ask(interactive=False)
            end: Any = events[-1]
            assert end.answer == "This waits for approval: create_event: Coffee. Nothing of it was done yet."
            assert agent.effects == []
        async with agent_of(home, [Say("Yes.")], session=agent.session, tools=agent.tools) as later:
            (needed,) = later.runtime.approvals()
            await later.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
            deferred = await later.hear(after=events[-1].seq)
            assert types(deferred) == ["turn_started", "call_decided", "approval_answered", "tool_started", "tool_finished", "turn_done"]
            assert results(deferred)["create_event"][:2] == ("asked-yes", True)
            assert len(later.effects) == 1
            with pytest.raises(ApprovalError):
                await later.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
            await later.ask("and?")
    roles = [message["role"] for message in later.model.requests[0]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user", "assistant", "user"]


async def test_a_queued_call_that_is_refused_later_never_runs(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[COFFEE])]) as agent:
            await agent.ask(interactive=False)
            (needed,) = agent.runtime.approvals()
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=False, who="me")
            assert agent.runtime.approvals() == []
            assert agent.effects == []


async def test_grants_cover_a_send_only_until_outside_text_was_read(home: Home):
    script = [Say(calls=[SEND]), Say("Sent."), Say(calls=[READ]), Say(calls=[SEND, COFFEE]), Say("?")]
    with anyio.fail_after(60):
        async with agent_of(home, script) as agent:
            clean = await agent.ask(grants=frozenset({"send", "write"}), interactive=False)
            tainted = await agent.ask(grants=frozenset({"send", "write"}), interactive=False)
            assert [effect["tool"] for effect in agent.effects] == ["send_mail", "create_event"]
    assert results(clean)["send_mail"][0] == "allow"
    assert {name: decision for name, (decision, _, _) in results(tainted).items()} == {
        "read_mail": "allow",
        "send_mail": "denied",
        "create_event": "allow",
    }


async def test_taint_outlives_the_service(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[READ]), Say("Read.")]) as agent:
            await agent.ask()
        async with agent_of(home, [Say(calls=[SEND])], session=agent.session, tools=agent.tools) as later:
            events = await later.ask(grants=frozenset({"send"}), interactive=False)
            assert later.effects == []
    assert results(events)["send_mail"][0] == "denied"


async def test_settings_decide_about_single_tools(home: Home):
    settings = AgentSettings(policy=PolicySection(tools={"list_events": "deny", "create_event": "allow"}))
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[LIST, COFFEE]), Say("ok")], settings=settings) as agent:
            events = await agent.ask()
            assert len(agent.effects) == 1
    assert {name: decision for name, (decision, _, _) in results(events).items()} == {"list_events": "denied", "create_event": "allow"}


async def test_calls_that_cannot_run_are_told_to_the_model_and_the_turn_goes_on(home: Home):
    refused = ("update_event", {"title": "impossible"})
    bad = Say(calls=[("make_event", {}), ("create_event", '{"title": "half'), ("create_event", {"day": 1}), refused])
    with anyio.fail_after(60):
        async with agent_of(home, [bad, Say("Sorry.")]) as agent:
            events = await agent.ask()
            assert agent.effects == []
    told = [message["content"] for message in agent.model.requests[1]["messages"][-4:]]
    assert told[0].startswith('There is no tool "make_event"')
    assert "end in the middle" in told[1]
    assert "'day' was unexpected" in told[2]
    assert told[3] == 'No event matches "impossible".'
    assert types(events)[-1] == "turn_done"


async def test_cancelling_in_mid_stream_leaves_a_session_that_goes_on(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("A zebra and a long answer", holds_after=3), Say("Fresh.")]) as agent:

            def cancel(event: Event) -> object:
                return agent.runtime.cancel(agent.session, who="me") if isinstance(event, TextDelta) else None

            events = await agent.ask("x", cancel)
            await agent.model.has_lost_client.wait()
            (cancelled,) = (event for event in events if isinstance(event, TurnCancelled))
            shown = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert types(await agent.ask("y"))[-1] == "turn_done"
            found = await agent.runtime.shelf.search("zebra")
            exported = await agent.runtime.shelf.export(agent.session, "markdown")
    assert cancelled.said == shown
    assert shown.startswith("A zebra")
    roles = [message["role"] for message in agent.model.requests[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert agent.model.requests[1]["messages"][2]["content"] == f"{shown.rstrip()}\n\nStopped.", "what was said stays, also for the model"
    assert [each.session for each in found] == [agent.session]
    assert f"{shown.rstrip()}\n\n*Cancelled.*" in exported


@pytest.mark.parametrize(("call", "text"), [(LIST, CANCELLED), (SEND, OUTCOME_UNKNOWN)])
async def test_cancelling_while_a_tool_runs_gives_its_call_a_result(home: Home, call: tuple[str, Any], text: str):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(calls=[call, COFFEE]), Say("Fresh.")]) as agent:
            agent.tools.holding[call[0]] = anyio.Event()

            async def cancel(event: Event) -> None:
                if started(event, call[0]):
                    await agent.tools.holding[call[0]].wait()
                    await agent.runtime.cancel(agent.session, who="me")

            events = await agent.ask("x", cancel, grants=frozenset({"send"}))
            assert types(events)[-1] == "turn_cancelled"
            assert results(events)[call[0]] == ("allow", False, text)
            assert results(events)["create_event"] == ("denied", False, CANCELLED)
            agent.tools.holding.clear()
            await agent.ask("y")
    assert [message["role"] for message in agent.model.requests[1]["messages"]][-5:] == ["assistant", "tool", "tool", "assistant", "user"]


async def test_an_engine_that_is_down_fails_the_turn_with_a_sentence_and_the_session_goes_on(home: Home):
    with anyio.fail_after(60):
        tools = Toolbox([])
        async with open_runtime(home, AgentSettings(), engine_url="http://127.0.0.1:9", engine_key=None, tools=tools) as runtime:
            agent = Agent(runtime, None, MemoryTools(), await runtime.open_session(title="T"))  # type: ignore[arg-type]
            failed: Any = (await agent.ask())[-1]
            assert failed.code == "engine_unreachable"
            assert "http://127.0.0.1:9" in failed.error
            assert "variet engine serve" in failed.error
            assert types(await agent.ask())[-1] == "turn_failed"
            assert [(session.title, session.turns) for session in runtime.sessions()] == [("T", 2)]


async def test_a_session_runs_one_turn_at_a_time_and_tells_when_it_works(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say("x", holds_after=1), Say("y")]) as agent:
            await agent.runtime.send(agent.session, "one", who="test")
            await agent.model.is_holding.wait()
            assert agent.runtime.is_busy()
            with pytest.raises(SessionBusy):
                await agent.runtime.send(agent.session, "two", who="test")
            agent.model.release()
            await agent.hear()
            assert not agent.runtime.is_busy()
            await agent.ask("two")


async def test_a_home_has_one_runtime_and_a_session_that_does_not_exist_is_not_found(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, []) as agent:
            with pytest.raises(HomeBusy, match=f"process {os.getpid()}"):
                async with open_runtime(home, AgentSettings(), engine_url=agent.model.url, engine_key=None):
                    raise AssertionError("two runtimes hold one home")
            with pytest.raises(SessionNotFound):
                await agent.runtime.send("s-nobody", "x", who="test")
            with pytest.raises(SessionNotFound):
                await agent.runtime.open_session(resume="s-nobody")


async def test_loading_of_the_engine_is_shown_live_and_not_stored(home: Home):
    loading = {"model": "nano", "phase": "loading", "elapsed_s": 1.0}
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hi.", loading=[loading])]) as agent:
            events = await agent.ask()
            stored = await agent.stored()
    assert [event.model for event in events if event.type == "engine_loading"] == ["nano"]
    assert "engine_loading" not in [event.type for event in stored]
    assert json.loads(agent.model.bodies[0])["stream"] is True
