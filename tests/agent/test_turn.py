from __future__ import annotations

import json

import pytest

from agent.calls.assemble import Reply
from agent.events import Event, ToolClass
from agent.safety.approvals import UNAPPROVED, digest_of
from agent.turns.budget import Limits
from agent.turns.calling import CANCELLED, DENIED, OUTCOME_UNKNOWN, REFUSED
from agent.turns.effects import Broke, CallModel, CancelAsked, PrepareCall, Replied, RunTool, ToolEnded, Woke
from tests.agent.turns import Turn, call, routed


def results(turn: Turn) -> dict[str, tuple[str, bool, str]]:
    return {event.name: (event.decision, event.ok, event.text) for event in turn.of("tool_finished")}


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_plain_answer_ends_the_turn_with_what_it_used():
    turn = routed()
    assert types(turn.say("Hello.")) == ["model_replied", "turn_done"]
    assert turn.end.answer == "Hello."
    assert (turn.end.usage.requests, turn.end.usage.prompt_tokens, turn.end.usage.completion_tokens) == (1, 10, 5)


def test_an_empty_answer_is_asked_for_once_more_and_then_a_failure_that_says_so():
    turn = routed()
    turn.say("  ")
    assert turn.pending == [CallModel("fast", "again")]
    turn.say("")
    assert (turn.end.type, turn.end.code) == ("turn_failed", "model_failed")


def test_a_read_runs_at_once_and_a_write_is_prepared_and_asked_for_meanwhile():
    turn = routed()
    assert types(turn.say("", call("list_events"), call("create_event"))) == ["model_replied", "call_decided", "tool_started"]
    assert [type(effect) for effect in turn.pending] == [RunTool, PrepareCall]
    assert types(turn.prepare("create_event")) == ["call_decided", "approval_needed"]
    assert turn.pending == [RunTool("c-list_events", "list_events", '{"x":"y"}', "{}", is_read=True)]


def test_the_approval_shows_and_binds_the_resolved_call_and_exactly_that_one_runs():
    turn = routed()
    turn.say("", call("create_event"))
    turn.prepare("create_event")
    needed = turn.asked["create_event"]
    assert needed.digest == digest_of("create_event", {"x": "resolved"}, {"uid": "made-here"})
    assert (needed.summary, needed.lines) == ("Do create_event", (("X", "y"),))
    assert types(turn.answer("create_event", granted=True)) == ["approval_answered", "tool_started"]
    assert turn.pending == [RunTool("c-create_event", "create_event", '{"x":"resolved"}', '{"uid":"made-here"}', is_read=False)]
    assert types(turn.run("create_event")) == ["tool_finished"]
    assert results(turn)["create_event"] == ("asked-yes", True, "create_event did it")
    assert turn.pending == [CallModel("fast")]


def test_the_model_is_called_again_only_when_every_call_has_its_result():
    turn = routed()
    turn.say("", call("list_events"), call("search_mail"))
    turn.run("search_mail")
    assert CallModel("fast") not in turn.pending
    turn.run("list_events")
    assert turn.pending == [CallModel("fast")]


def test_no_from_a_person_is_a_result_for_the_model():
    turn = routed()
    turn.say("", call("send_mail"))
    turn.prepare("send_mail")
    turn.answer("send_mail", granted=False)
    assert results(turn)["send_mail"] == ("asked-no", False, REFUSED)
    assert turn.ran == {}
    assert turn.pending == [CallModel("fast")]


def test_an_answer_counts_once():
    turn = routed()
    turn.say("", call("send_mail"))
    turn.prepare("send_mail")
    assert turn.answer("send_mail", granted=True)
    assert turn.answer("send_mail", granted=True) == []
    assert turn.answer("send_mail", granted=False) == []
    turn.run("send_mail")
    assert turn.ran == {"c-send_mail": 1}


def test_an_approval_that_nobody_answers_expires_into_a_result():
    turn = routed()
    turn.say("", call("delete_event"))
    turn.prepare("delete_event")
    assert turn.wake_at == turn.now + 60
    turn.now += 60
    assert types(turn.tell(Woke())) == ["approval_answered", "tool_finished"]
    assert turn.of("approval_answered")[0].outcome == "expired"
    assert results(turn)["delete_event"] == ("denied", False, UNAPPROVED)


def test_a_yes_that_comes_after_its_time_does_not_count():
    turn = routed()
    turn.say("", call("send_mail"))
    turn.prepare("send_mail")
    turn.now += 61
    turn.answer("send_mail", granted=True)
    assert turn.of("approval_answered")[0].outcome == "expired"
    assert turn.of("tool_started") == []


def test_where_nobody_can_be_asked_the_call_stays_in_the_queue_and_the_turn_says_so():
    turn = routed(interactive=False)
    turn.say("", call("create_event"))
    assert types(turn.prepare("create_event")) == ["call_decided", "approval_needed", "tool_finished", "turn_done"]
    assert results(turn)["create_event"] == ("denied", False, UNAPPROVED)
    assert turn.end.answer == "This waits for approval: Do create_event. Nothing of it was done yet."
    assert turn.of("approval_answered") == []


@pytest.mark.parametrize(("tool", "granted"), [("create_event", "write"), ("send_mail", "send"), ("delete_event", "delete")])
def test_what_was_granted_in_advance_runs_its_prepared_form_unasked(tool: str, granted: ToolClass):
    turn = routed(grants=(granted,), interactive=False)
    turn.say("", call(tool))
    assert types(turn.prepare(tool)) == ["call_decided", "tool_started"]
    turn.run(tool)
    assert results(turn)[tool] == ("allow", True, f"{tool} did it")


@pytest.mark.parametrize("tool", ["send_mail", "delete_event"])
def test_grants_for_sending_and_deleting_end_when_outside_text_was_read(tool: str):
    turn = routed(grants=("write", "send", "delete"))
    turn.say("", call("read_mail"))
    turn.run("read_mail")
    turn.say("", call(tool), call("create_event"))
    turn.prepare(tool)
    turn.prepare("create_event")
    assert list(turn.asked) == [tool]
    assert "read_mail" in turn.of("call_decided")[1].reason


def test_the_settings_deny_a_tool_whatever_is_granted():
    turn = routed(grants=("send",), overrides={"send_mail": "deny"})
    turn.say("", call("send_mail"))
    assert results(turn)["send_mail"] == ("denied", False, DENIED)
    assert turn.pending == [CallModel("fast")]


def test_a_tool_that_no_manifest_knows_is_asked_for_as_it_stands():
    turn = routed(grants=("read", "write", "send", "delete"))
    turn.say("", call("strange", arguments='{ "x" : "a\\u202eb" }'))
    needed = turn.asked["strange"]
    assert (needed.tool_class, needed.summary, needed.lines) == ("send", "Run strange", (("x", "a\\u202eb"),))
    turn.answer("strange", granted=True)
    turn.run("strange")
    assert turn.of("tool_finished")[0].taints


def test_broken_and_unknown_calls_are_told_beside_good_ones_that_run():
    turn = routed()
    turn.say("", call("nonsense"), call("search_mail", arguments="x"), call("gone"), call("list_events"))
    told = results(turn)
    assert "There is no tool" in told["nonsense"][2]
    assert "not valid JSON" in told["search_mail"][2]
    assert told["gone"][2] == "gone is not available right now. Nothing was done."
    turn.run("list_events")
    assert turn.pending == [CallModel("fast")]


def test_the_last_call_of_a_reply_that_was_cut_off_never_runs():
    turn = routed(grants=("write",))
    turn.say("", call("list_events"), call("create_event"), is_cut=True)
    assert "cut off" in results(turn)["create_event"][2]
    assert [effect.name for effect in turn.pending if isinstance(effect, RunTool)] == ["list_events"]


def test_calls_with_missing_or_repeated_ids_each_get_their_own_result():
    turn = routed()
    turn.say("", call("list_events", "same"), call("search_mail", "same"))
    turn.run("list_events")
    turn.run("search_mail")
    turn.say("", call("list_events", "same"))
    turn.run("list_events")
    ids = [event.call for event in turn.of("tool_finished")]
    assert len(set(ids)) == 3
    assert ids == [value.id for reply in turn.of("model_replied") for value in reply.calls]


def test_a_server_that_refuses_to_prepare_tells_the_model_why():
    turn = routed(grants=("delete",))
    turn.say("", call("delete_event"))
    turn.prepare("delete_event", refused=True)
    assert results(turn)["delete_event"] == ("denied", False, "No event matches.")
    turn.say("", call("send_mail"))
    assert turn.state.taint.sources == ("delete_event",)  # it may have quoted titles: "2 events match …"


def test_the_step_budget_ends_in_an_answer_that_says_so():
    turn = routed(limits=Limits(max_steps=2))
    for _ in range(2):
        turn.say("", call("list_events"))
        turn.run("list_events")
    assert turn.end.answer.startswith("I stopped after 2 steps")
    assert turn.pending == []


def test_the_token_budget_ends_in_an_answer_that_says_so():
    turn = routed(limits=Limits(max_turn_tokens=15))
    turn.say("", call("list_events"))
    turn.run("list_events")
    assert turn.end.answer.startswith("I stopped after 15 tokens")


def test_the_budget_in_money_ends_in_an_answer_that_says_so():
    turn = routed(limits=Limits(max_turn_money=0.02))
    for _ in range(2):
        turn.tell(Replied(Reply("", calls=(call("list_events"),), money=0.01)))
        turn.crash()
        turn.run("list_events")
    assert turn.end.answer.startswith("I stopped, having cost 0.02, without")


def test_cancelling_gives_every_call_a_result_and_late_news_change_nothing():
    turn = routed(grants=("write",))
    turn.say("", call("list_events"), call("create_event"), call("send_mail"), call("delete_event"))
    turn.prepare("create_event")
    turn.prepare("send_mail")
    turn.tell(CancelAsked("me"))
    assert results(turn) == {
        "list_events": ("allow", False, CANCELLED),
        "create_event": ("allow", False, OUTCOME_UNKNOWN),
        "send_mail": ("denied", False, CANCELLED),
        "delete_event": ("denied", False, CANCELLED),
    }
    assert (turn.end.type, turn.end.who) == ("turn_cancelled", "me")
    assert turn.tell(ToolEnded("c-list_events", ok=True, text="late")) == []
    assert turn.answer("send_mail", granted=True) == []


def test_a_model_that_fails_ends_the_turn_with_its_sentence():
    turn = routed()
    turn.tell(Broke("engine_unreachable", "The engine is off."))
    assert (turn.end.error, turn.end.code) == ("The engine is off.", "engine_unreachable")


@pytest.mark.parametrize(
    ("tool", "grant", "again"),
    [("list_events", "read", True), ("create_event", "write", True), ("update_event", "write", False), ("send_mail", "send", False)],
)
def test_after_a_crash_only_what_is_safe_is_sent_again(tool: str, grant: ToolClass, again: bool):
    turn = routed(grants=(grant,))
    turn.say("", call(tool))
    if grant != "read":
        turn.prepare(tool)
    (before,) = turn.pending
    turn.crash()
    if again:
        assert turn.pending == [before]
    else:
        assert results(turn)[tool] == ("allow", False, OUTCOME_UNKNOWN)
        assert turn.pending == [CallModel("fast")]


def test_after_a_crash_an_open_approval_still_counts_and_nothing_is_asked_twice():
    turn = routed()
    turn.say("", call("create_event"))
    turn.prepare("create_event")
    turn.crash()
    assert turn.pending == []
    assert turn.wake_at == turn.now + 60
    turn.answer("create_event", granted=True)
    (run,) = turn.pending
    assert isinstance(run, RunTool)
    assert json.loads(run.arguments) == {"x": "resolved"}
    assert len(turn.of("approval_needed")) == 1
