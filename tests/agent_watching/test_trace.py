"""A turn's events become one trace by the conventions, with nothing of what was said unless that is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from agent.events import (
    ApprovalAnswered,
    ApprovalNeeded,
    CacheLost,
    CallDecided,
    CallValue,
    ContextTrimmed,
    Event,
    ModelReplied,
    RouteChosen,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
    TurnDone,
    TurnFailed,
    TurnStarted,
    Usage,
)
from agent.held_events import ToolHeld, ToolTakenBack
from agent.watching.spans import NS_PER_S, Trace
from agent.watching.trace import Traces

SECRET = "the-unspeakable"
STARTED = TurnStarted(turn="t", text=SECRET, sent_text=SECRET, now="2026-11-21T10:00:00+01:00", who="cli")
ROUTED = RouteChosen(turn="t", tier="fast", model="fast", rule="default", reasons=(SECRET,))
CALLED = ModelReplied(
    turn="t", text=SECRET, calls=(CallValue(id="c1", name="read_mail", arguments=f'{{"id": "{SECRET}"}}'),),
    model="nano", prompt_tokens=100, completion_tokens=10, cached_tokens=60, first_token_s=0.5, elapsed_s=2,
)  # fmt: skip
DECIDED = CallDecided(turn="t", call="c1", name="read_mail", tool_class="read", arguments=SECRET, verdict="allow", reason=SECRET)
NEEDED = ApprovalNeeded(
    turn="t", approval="a1", call="c1", name="read_mail", tool_class="read", summary=SECRET, lines=((SECRET, SECRET),),
    digest="d", expires_at="2026-11-21T11:00:00+01:00",
)  # fmt: skip
ANSWERED = ApprovalAnswered(turn="t", approval="a1", call="c1", outcome="yes", who="cli")
BEGAN = ToolStarted(turn="t", call="c1", name="read_mail", arguments=SECRET)
FINISHED = ToolFinished(turn="t", call="c1", name="read_mail", ok=True, decision="asked-yes", text=SECRET, whole=SECRET)
REPLIED = ModelReplied(turn="t", text=SECRET, reasoning=SECRET, model="nano", prompt_tokens=200, completion_tokens=20, elapsed_s=1)
DONE = TurnDone(turn="t", answer=SECRET, usage=Usage(requests=2))
LOST = CacheLost(turn="t", cause="server", expected_tokens=90, cached_tokens=3, line=SECRET)
TRIMMED = ContextTrimmed(turn="t", kept_from="t", dropped=2, n_ctx=4096, summary=SECRET, usage=Usage(requests=1, prompt_tokens=7))
WHOLE = (STARTED, ROUTED, TRIMMED, CALLED, DECIDED, NEEDED, ANSWERED, BEGAN, FINISHED, LOST, REPLIED, DONE)


def traced(events: Iterable[Event], *, contents: bool = False) -> list[Trace]:
    """What comes of events that are ten seconds apart."""
    traces, ended = Traces(contents), list[Trace]()
    for number, event in enumerate(events, start=1):
        traces, trace = traces.after("s-1", event, number * 10 * NS_PER_S)
        ended += [trace] if trace else []
    return ended


def test_a_turn_is_one_trace_with_a_span_for_each_answer_call_and_question():
    (trace,) = traced(WHOLE)
    assert (trace.root.name, trace.root.kind) == ("invoke_agent variet", "internal")
    assert (trace.root.start_ns, trace.root.end_ns) == (10 * NS_PER_S, 120 * NS_PER_S)
    names = ["chat fast", "variet.approval read_mail", "execute_tool read_mail", "chat fast"]
    assert [span.name for span in trace.children] == names
    assert [span.kind for span in trace.children] == ["client", "internal", "internal", "client"]


def test_the_attributes_are_those_of_the_conventions():
    (trace,) = traced(WHOLE)
    chat, approval, tool, _ = trace.children
    assert trace.root.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert trace.root.attributes["gen_ai.conversation.id"] == "s-1"
    assert trace.root.attributes["gen_ai.usage.input_tokens"] == 307
    assert trace.root.attributes["variet.turn.outcome"] == "answered"
    assert chat.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "variet",
        "gen_ai.request.model": "fast",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "nano",
        "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 60,
    }
    assert tool.attributes["mcp.method.name"] == "tools/call"
    assert (tool.attributes["gen_ai.tool.name"], tool.attributes["gen_ai.tool.call.id"]) == ("read_mail", "c1")
    assert approval.attributes["variet.approval.outcome"] == "yes"


def test_a_model_call_began_as_long_before_its_answer_as_it_took():
    (trace,) = traced(WHOLE)
    assert trace.children[0].end_ns - trace.children[0].start_ns == 2 * NS_PER_S
    assert trace.children[2].end_ns - trace.children[2].start_ns == 10 * NS_PER_S


def test_nothing_that_was_said_read_or_called_is_told():
    assert SECRET not in repr(traced(WHOLE))


def test_contents_are_told_where_that_is_asked_for():
    (trace,) = traced(WHOLE, contents=True)
    said = json.loads(str(trace.root.attributes["gen_ai.input.messages"]))
    assert said == [{"role": "user", "parts": [{"type": "text", "content": SECRET}]}]
    assert SECRET in str(trace.root.attributes["gen_ai.output.messages"])
    (answer,) = json.loads(str(trace.children[0].attributes["gen_ai.output.messages"]))
    assert [part["type"] for part in answer["parts"]] == ["text", "tool_call"]
    assert trace.children[2].attributes["gen_ai.tool.call.result"] == SECRET
    assert trace.children[2].attributes["gen_ai.tool.call.arguments"] == SECRET


def test_the_hosts_own_tools_are_no_servers():
    began, finished = (event.model_copy(update={"name": "recall"}) for event in (BEGAN, FINISHED))
    (trace,) = traced([STARTED, began, finished, DONE])
    assert "mcp.method.name" not in trace.children[0].attributes


def test_a_tool_that_fails_is_an_error():
    (trace,) = traced([STARTED, BEGAN, FINISHED.model_copy(update={"ok": False}), DONE])
    assert (trace.children[0].is_error, trace.children[0].attributes["error.type"]) == (True, "tool_error")
    assert not trace.root.is_error


def test_a_call_that_never_ran_is_a_mark_and_no_span():
    refused = FINISHED.model_copy(update={"ok": False, "decision": "denied"})
    (trace,) = traced([STARTED, refused, DONE])
    assert trace.children == ()
    assert [mark.name for mark in trace.root.marks] == ["variet.call_refused"]


def test_what_was_held_and_taken_back_are_marks_without_any_word_of_it():
    until = "2026-11-21T09:00:10+01:00"
    held = ToolHeld(turn=STARTED.turn, call="c1", hold="h-1", name="send_mail", summary="Send to Ann", until=until)
    back = ToolTakenBack(turn=STARTED.turn, call="c1", hold="h-1", who="me")
    (trace,) = traced([STARTED, held, back, DONE])
    assert [(mark.name, mark.attributes) for mark in trace.root.marks] == [
        ("variet.call_held", {"gen_ai.tool.name": "send_mail"}),
        ("variet.call_taken_back", {}),
    ]


def test_a_model_that_gave_no_answer_is_a_span_that_failed():
    (trace,) = traced([STARTED, ROUTED, TurnFailed(turn="t", error=SECRET, code="engine_unreachable")])
    (chat,) = trace.children
    assert (chat.name, chat.is_error, chat.attributes["error.type"]) == ("chat fast", True, "engine_unreachable")
    assert (trace.root.is_error, trace.root.attributes["error.type"]) == (True, "engine_unreachable")


def test_a_failure_that_is_not_the_models_is_no_models_span():
    (trace,) = traced([STARTED, ROUTED, TurnFailed(turn="t", error="late", code="budget")])
    assert trace.children == ()


def test_a_cancelled_turn_is_no_error():
    (trace,) = traced([STARTED, ROUTED, TurnCancelled(turn="t", who="cli")])
    assert (trace.root.is_error, trace.root.attributes["variet.turn.outcome"]) == (False, "cancelled")


def test_another_node_is_its_own_provider():
    (trace,) = traced([STARTED, ROUTED.model_copy(update={"node": "cloud"}), REPLIED, DONE])
    assert trace.children[0].attributes["gen_ai.provider.name"] == "cloud"


def test_a_question_that_nobody_answered_ends_with_its_turn():
    (trace,) = traced([STARTED, NEEDED, DONE])
    assert trace.children[0].attributes["variet.approval.outcome"] == "left"


def test_a_turn_that_goes_on_after_a_restart_is_told_from_there():
    (trace,) = traced([REPLIED, DONE])
    assert [span.name for span in trace.children] == ["chat"]


def test_an_answer_to_a_turn_that_has_ended_begins_none():
    assert traced([ANSWERED, NEEDED, DONE]) == []
    assert Traces().after("s", ANSWERED, 1)[0].turns == {}


@given(st.lists(st.tuples(st.sampled_from(WHOLE), st.sampled_from("tuv"))))
def test_whatever_comes_in_whatever_order_no_child_lies_outside_its_turn(drawn: list[tuple[Event, str]]):
    for trace in traced([event.model_copy(update={"turn": turn}) for event, turn in drawn]):
        for span in trace.children:
            assert trace.root.start_ns <= span.start_ns <= span.end_ns <= trace.root.end_ns
