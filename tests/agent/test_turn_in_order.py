"""Changes to files that stand in one reply: each is prepared, shown and made when those before it are over."""

from __future__ import annotations

from agent.turns.budget import Limits
from agent.turns.effects import CallModel, CancelAsked, PrepareCall, RunTool, Woke
from tests.agent.turns import Turn, call, routed


def pending(turn: Turn) -> list[tuple[str, str]]:
    return [(type(effect).__name__, effect.call) for effect in turn.pending if isinstance(effect, PrepareCall | RunTool)]


def test_each_change_is_prepared_when_the_one_before_has_its_result():
    turn = routed()
    turn.say("", call("undo_change", "first"), call("undo_change", "second"), call("run_tests", "third"))
    assert pending(turn) == [("PrepareCall", "first")]
    turn.prepare("undo_change")
    assert pending(turn) == [], "the person is asked about the first alone"
    turn.answer("undo_change", granted=True)
    assert pending(turn) == [("RunTool", "first")]
    turn.run("undo_change")
    assert pending(turn) == [("PrepareCall", "second")]
    turn.prepare("undo_change")
    turn.answer("undo_change", granted=False)
    assert pending(turn) == [("PrepareCall", "third")]
    turn.prepare("run_tests", refused=True)
    assert turn.pending == [CallModel("fast")]
    assert [event.call for event in turn.of("tool_finished")] == ["first", "second", "third"]


def test_what_reads_or_belongs_to_another_server_waits_for_no_change():
    turn = routed()
    turn.say("", call("edit_file"), call("read_file"), call("create_event"), call("create_file"), call("send_mail"))
    assert [name for _, name in pending(turn)] == ["c-edit_file", "c-read_file", "c-create_event", "c-send_mail"]
    turn.prepare("create_event")
    turn.prepare("send_mail")
    assert set(turn.asked) == {"create_event", "send_mail"}


def test_where_nobody_can_be_asked_all_of_them_reach_the_queue():
    turn = routed(interactive=False)
    turn.say("", call("create_file"), call("edit_file"))
    turn.prepare("create_file")
    turn.prepare("edit_file")
    assert list(turn.asked) == ["create_file", "edit_file"]
    assert turn.end.answer == "This waits for approval: Do create_file; Do edit_file. Nothing of it was done yet."


def test_what_could_not_be_prepared_behind_one_that_waits_is_told():
    turn = routed(interactive=False)
    turn.say("", call("create_file"), call("edit_file"), call("run_tests"))
    turn.prepare("create_file")
    turn.prepare("edit_file", refused=True)
    turn.prepare("run_tests")
    assert turn.end.answer == (
        "This waits for approval: Do create_file; Do run_tests. Nothing of it was done yet. "
        "Ask again for edit_file once that is done: it could not be prepared before."
    )


def test_what_could_not_be_prepared_before_one_that_waits_is_not_told():
    turn = routed(interactive=False)
    turn.say("", call("edit_file"), call("create_file"))
    turn.prepare("edit_file", refused=True)
    turn.prepare("create_file")
    assert turn.end.answer == "This waits for approval: Do create_file. Nothing of it was done yet."


def test_what_the_policy_denies_behind_one_that_waits_is_not_to_be_asked_for_again():
    turn = routed(interactive=False, overrides={"edit_file": "deny"})
    turn.say("", call("create_file"), call("edit_file"))
    turn.prepare("create_file")
    assert turn.end.answer == "This waits for approval: Do create_file. Nothing of it was done yet."


def test_what_was_granted_in_advance_is_carried_out_one_after_the_other():
    turn = routed(grants=("write",), interactive=False)
    turn.say("", call("create_file"), call("edit_file"))
    turn.prepare("create_file")
    assert pending(turn) == [("RunTool", "c-create_file")]
    turn.run("create_file")
    turn.prepare("edit_file")
    turn.run("edit_file")
    assert turn.ran == {"c-create_file": 1, "c-edit_file": 1}


def test_a_grant_holds_for_a_call_that_waited_whatever_was_read_meanwhile():
    turn = routed(grants=("write", "delete"))
    turn.say("", call("edit_file"), call("delete_file"))
    turn.prepare("edit_file")
    turn.run("edit_file")
    turn.prepare("delete_file")
    assert turn.asked == {}


def test_a_call_that_waits_for_a_person_to_answer_another_costs_the_turn_no_time():
    turn = routed(limits=Limits(turn_timeout_s=30))
    turn.say("", call("edit_file", "first"), call("edit_file", "second"))
    turn.prepare("edit_file")
    assert turn.wake_at == turn.now + 60, "when the approval is over, not the turn"
    turn.now += 59
    turn.tell(Woke())
    turn.answer("edit_file", granted=True)
    assert pending(turn) == [("RunTool", "first")]


def test_where_nobody_answers_in_time_what_waited_for_that_is_over_with_it():
    turn = routed()
    turn.say("", call("edit_file", "first"), call("send_mail"), call("edit_file", "second"), call("run_tests", "third"))
    turn.prepare("edit_file")
    turn.now += 1
    turn.prepare("send_mail")
    turn.now += 59
    turn.tell(Woke())
    assert [event.call for event in turn.of("tool_finished")] == ["first", "second", "third"]
    assert pending(turn) == []
    assert [event.outcome for event in turn.of("approval_answered")] == ["expired"]
    turn.answer("send_mail", granted=False)
    assert turn.pending == [CallModel("fast")]


def test_after_a_crash_the_one_that_waited_still_waits_and_runs_once():
    turn = routed()
    turn.say("", call("create_file"), call("edit_file"))
    turn.crash()
    assert pending(turn) == [("PrepareCall", "c-create_file")]
    turn.prepare("create_file")
    turn.crash()
    assert pending(turn) == []
    turn.answer("create_file", granted=True)
    turn.run("create_file")
    turn.crash()
    assert pending(turn) == [("PrepareCall", "c-edit_file")]
    turn.prepare("edit_file")
    turn.answer("edit_file", granted=True)
    turn.run("edit_file")
    assert turn.ran == {"c-create_file": 1, "c-edit_file": 1}


def test_one_that_was_cut_off_or_never_began_is_told_at_once_and_ends_with_the_turn():
    turn = routed()
    turn.say("", call("edit_file"), call("create_file"), call("undo_change"), is_cut=True)
    assert [event.name for event in turn.of("tool_finished")] == ["undo_change"]
    turn.tell(CancelAsked("me"))
    assert {event.name for event in turn.of("tool_finished")} == {"edit_file", "create_file", "undo_change"}
    assert turn.end.type == "turn_cancelled"
