"""What may be sent is held for a moment: taken back it never goes out, else once, and never unwatched. The state machine alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.events import Event, ToolClass
from agent.safety.manifest import MANIFEST
from agent.safety.policy import Verdict
from agent.turns.calling import CANCELLED
from agent.turns.effects import CallModel, CancelAsked, RunTool, TakenBack, ToolEnded, Woke
from agent.turns.holding import LATE_S, MISSED, TAKEN_BACK
from agent.turns.turn_state import Options
from agent.view.own_names import CALL_TOOL
from tests.agent.turns import Turn, call, rules

HOLD_S = 10.0


def held_turn(*, interactive: bool = True, overrides: dict[str, Verdict] | None = None, hold_s: float = HOLD_S) -> Turn:
    """A turn whose model is about to answer, in a home with a hold."""
    grants: tuple[ToolClass, ...] = () if interactive else ("send",)
    turn = Turn(Options(None, frozenset(grants), interactive), rules(overrides=overrides, hold_s=hold_s))
    turn.route()
    return turn


def approved(hold_s: float = HOLD_S) -> Turn:
    """A mail that was approved a moment ago."""
    turn = held_turn(hold_s=hold_s)
    turn.say("", call("send_mail"))
    turn.prepare("send_mail")
    turn.answer("send_mail", granted=True)
    return turn


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def result(turn: Turn) -> tuple[str, bool, str]:
    (finished,) = turn.of("tool_finished")
    return finished.decision, finished.ok, finished.text


def take_back(turn: Turn) -> list[Event]:
    return turn.tell(TakenBack(turn.of("tool_held")[-1].hold, "me"))


def test_exactly_the_tools_that_send_mail_are_held():
    assert {tool for (_, tool), facts in MANIFEST.items() if facts.is_held} == {"send_mail", "send_draft"}


def test_a_yes_is_followed_by_a_hold_and_the_mail_goes_out_when_it_is_over_once():
    turn = approved()
    (held,) = turn.of("tool_held")
    assert (held.summary, held.lines, held.approval) == ("Do send_mail", (("X", "y"),), turn.asked["send_mail"].approval)
    assert held.due == turn.now + HOLD_S
    assert turn.wake_at == held.due
    assert turn.pending == []
    turn.now += HOLD_S - 0.1
    assert turn.tell(Woke()) == []
    turn.now += 0.1
    assert types(turn.tell(Woke())) == ["tool_started"]
    assert turn.tell(Woke()) == []
    turn.run("send_mail")
    assert turn.ran == {"c-send_mail": 1}
    assert result(turn) == ("asked-yes", True, "send_mail did it")


def test_what_was_taken_back_never_goes_out_and_the_model_is_told():
    turn = approved()
    assert types(take_back(turn)) == ["tool_taken_back", "tool_finished"]
    assert turn.of("tool_taken_back")[0].who == "me"
    assert result(turn) == ("asked-no", False, TAKEN_BACK)
    assert turn.pending == [CallModel("fast")]
    turn.now += 2 * HOLD_S
    turn.tell(Woke())
    assert take_back(turn) == []
    assert turn.of("tool_started") == []


def test_it_is_too_late_once_it_has_gone_out():
    turn = approved()
    turn.now += HOLD_S
    turn.tell(Woke())
    assert take_back(turn) == []
    turn.run("send_mail")
    assert result(turn)[1]


@pytest.mark.parametrize("when", ["before it is due", "after it was due"])
def test_a_machine_that_dies_during_the_hold_sends_nothing_by_itself(when: str):
    turn = approved()
    turn.now += 1 if when == "before it is due" else HOLD_S
    turn.crash()
    assert turn.of("tool_started") == []
    assert turn.pending == []
    if when == "before it is due":
        # The promise stands: its moment has not come, and it can still be taken back.
        assert turn.wake_at == turn.of("tool_held")[0].due
        assert types(take_back(turn)) == ["tool_taken_back", "tool_finished"]
        return
    first, again = turn.of("approval_needed")
    assert again.approval != first.approval
    assert (again.digest, again.summary) == (first.digest, "Do send_mail")
    assert again.lines == (("X", "y"), MISSED)
    assert turn.state.held == ()


def test_who_is_asked_again_is_told_again_what_was_taken_from_a_mail():
    turn = held_turn()
    bridged = replace(turn.rules, schemas={**turn.rules.schemas, CALL_TOOL: {}})
    turn.rules, turn.state = bridged, replace(turn.state, rules=bridged)
    turn.say("", call("read_mail"))
    turn.tell(ToolEnded("c-read_mail", ok=True, text="mail", structured={"body": "hidden words"}))
    (handle,) = turn.of("tool_finished")[0].fields
    turn.say("", call("send_mail", arguments=f'{{"x":"{handle}"}}'))
    turn.prepare("send_mail")
    turn.answer("send_mail", granted=True)
    turn.now += HOLD_S
    turn.crash()
    first, again = turn.of("approval_needed")
    careful = ("Careful", 'x was not written but taken from what read_mail brought: "hidden words"')
    assert first.lines == (("X", "y"), careful)
    assert again.lines == (("X", "y"), MISSED, careful)


def test_an_overdue_hold_is_asked_about_once_and_goes_out_once_after_another_yes_and_another_hold():
    turn = approved()
    turn.now += HOLD_S
    turn.crash()
    turn.crash()
    assert len(turn.of("approval_needed")) == 2
    turn.answer("send_mail", granted=True)
    first, second = turn.of("tool_held")
    assert first.hold != second.hold
    assert turn.tell(TakenBack(first.hold, "me")) == []
    turn.now += HOLD_S
    turn.tell(Woke())
    turn.run("send_mail")
    assert turn.ran == {"c-send_mail": 1}


def test_a_no_to_the_second_question_is_the_end_of_it():
    turn = approved()
    turn.now += HOLD_S
    turn.crash()
    turn.answer("send_mail", granted=False)
    assert (result(turn)[:2], turn.of("tool_started")) == (("asked-no", False), [])


def test_what_a_machine_has_slept_through_is_asked_about_too():
    turn = approved()
    turn.now += HOLD_S + LATE_S
    assert types(turn.tell(Woke())) == ["approval_needed"]
    assert turn.of("tool_started") == []


def test_a_cancelled_turn_takes_its_mail_back():
    turn = approved()
    assert types(turn.tell(CancelAsked("me"))) == ["tool_taken_back", "tool_finished", "turn_cancelled"]
    assert (result(turn), turn.of("tool_started")) == (("denied", False, CANCELLED), [])


def test_a_hold_keeps_no_other_call_waiting_and_uses_up_none_of_the_turns_time():
    turn = held_turn()
    turn.say("", call("send_mail"), call("list_events"))
    turn.prepare("send_mail")
    turn.answer("send_mail", granted=True)
    assert types(turn.run("list_events")) == ["tool_finished"]
    worked = turn.state.active_s
    turn.now += HOLD_S
    assert types(turn.tell(Woke())) == ["tool_started"]
    assert turn.state.active_s == worked


def test_what_the_settings_allow_is_held_and_not_sent_again_once_it_was_taken_back():
    turn = held_turn(overrides={"send_mail": "allow"})
    turn.say("", call("send_mail"))
    assert types(turn.prepare("send_mail")) == ["call_decided", "tool_held"]
    take_back(turn)
    turn.say("", call("send_mail", "again"))
    assert types(turn.prepare("send_mail")) == ["call_decided", "tool_finished"]
    assert turn.of("call_decided")[-1].verdict == "deny"
    assert turn.of("tool_started") == []


def test_where_nobody_is_there_what_was_granted_in_advance_goes_out_at_once():
    turn = held_turn(interactive=False)
    turn.say("", call("send_mail"))
    assert types(turn.prepare("send_mail")) == ["call_decided", "tool_started"]
    assert isinstance(turn.pending[0], RunTool)


def test_without_a_hold_a_yes_sends_at_once():
    turn = approved(hold_s=0.0)
    assert (turn.of("tool_held"), len(turn.of("tool_started"))) == ([], 1)


def test_a_write_is_not_held():
    turn = held_turn()
    turn.say("", call("create_event"))
    turn.prepare("create_event")
    assert types(turn.answer("create_event", granted=True)) == ["approval_answered", "tool_started"]
