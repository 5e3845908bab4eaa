"""A turn with a model that writes its calls badly, says nothing, or goes in circles: it is helped once, then told, then stopped."""

from __future__ import annotations

import pytest

from agent.calls.assemble import Reply
from agent.calls.repeats import NOTE
from agent.events import ToolFinished
from agent.turns.budget import Limits
from agent.turns.effects import CallModel, PrepareCall, Replied, RunTool
from tests.agent.turns import Turn, call, routed

HERMES = '<tool_call>{"name": "list_events", "arguments": {"x": "y"}}</tool_call>'


def told(turn: Turn) -> list[ToolFinished]:
    return [event for event in turn.log if isinstance(event, ToolFinished)]


def running(turn: Turn) -> list[str]:
    return [f"{effect.name}{effect.arguments}" for effect in turn.pending if isinstance(effect, RunTool)]


def test_a_call_that_was_written_as_text_runs_and_its_text_is_no_answer():
    turn = routed()
    turn.pending.clear()
    (replied, *_) = turn.tell(Replied(Reply(HERMES, raw=HERMES)))
    assert running(turn) == ['list_events{"x":"y"}']
    assert replied.type == "model_replied"
    assert (replied.text, replied.raw, replied.calls[0].repaired) == ("", HERMES, "it was written as text")
    turn.run("list_events")
    assert told(turn)[-1].text == "list_events did it (The call was put right: it was written as text.)"


def test_a_call_that_the_server_left_in_the_text_beside_another_runs_too_and_one_that_stands_in_both_places_once():
    turn = routed()
    other = '<tool_call>{"name": "read_mail", "arguments": {"x": "1"}}</tool_call>'
    (replied, *_) = turn.tell(Replied(Reply(HERMES + other, raw=HERMES + other, calls=(call("list_events"),))))
    assert replied.type == "model_replied"
    assert replied.text == "", "no tags on the screen"
    assert running(turn) == ['list_events{"x":"y"}', 'read_mail{"x":"1"}']


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call><function=list_events><parameter=x>5</parameter></function></tool_call>",
        '<tool_call>{"name": "functions.list_events", "arguments": {"x": 5}}</tool_call>',
        "<tool_call>list_events<arg_key>x</arg_key><arg_value>5</arg_value></tool_call>",
    ],
)
def test_a_call_that_stands_in_both_places_is_one_also_where_it_is_written_otherwise(text: str):
    turn = routed()
    turn.tell(Replied(Reply(text, raw=text, calls=(call("list_events", arguments='{"x": 5}'),))))
    assert running(turn) == ['list_events{"x":"5"}']


def test_half_a_call_in_the_text_beside_a_whole_one_is_told_and_the_whole_one_runs():
    turn = routed()
    half = '<tool_call>{"name": "send_mail", "arguments": {"x": "'
    turn.tell(Replied(Reply(half, raw=half, calls=(call("list_events"),))))
    assert running(turn) == ['list_events{"x":"y"}']
    assert [(event.name, event.is_invalid) for event in told(turn)] == [("send_mail", True)]


def test_half_a_call_in_a_form_that_is_nothing_but_json_is_told_to_the_model_and_no_answer():
    turn = routed()
    turn.pending.clear()
    (replied, *_) = turn.say('functools[{"name": "create_event", "arguments": {"x": "')
    assert replied.type == "model_replied"
    assert (replied.text, running(turn)) == ("", [])
    (refused,) = told(turn)
    assert (refused.name, refused.is_invalid) == ("create_event", True)
    assert refused.text == "The call of create_event ends in the middle or cannot be read. Nothing was done. Write the whole call again."
    assert [effect for effect in turn.pending if isinstance(effect, CallModel)], "which may write it again"


def test_an_answer_of_nothing_but_a_mark_is_asked_for_again():
    turn = routed()
    turn.pending.clear()
    (replied, *_) = turn.say("functools[")
    assert (replied.type, turn.pending) == ("model_replied", [CallModel("fast", "again")])
    turn.say("Hello.")
    assert turn.log[-1].type == "turn_done"


def test_the_mark_of_whom_an_answer_is_for_is_no_part_of_it_and_is_replayed():
    turn = routed()
    text = ">>>all\nYou have three events."
    (replied, done) = turn.tell(Replied(Reply(text, raw=text)))
    assert (replied.type, done.type) == ("model_replied", "turn_done")
    assert replied.type == "model_replied"
    assert (replied.text, replied.raw) == ("You have three events.", text)
    assert done.type == "turn_done"
    assert done.answer == "You have three events."


def test_slips_are_put_right_and_marked_and_half_a_write_never_runs():
    turn = routed()
    turn.say("", call("list_events", arguments="{'x': 'y',}"), call("create_event", arguments='{"x": "y'))
    assert running(turn) == ['list_events{"x":"y"}']
    assert not [effect for effect in turn.pending if isinstance(effect, PrepareCall)]
    assert told(turn)[0].text == "The arguments of create_event end in the middle. Nothing was done. Write the whole call."
    assert told(turn)[0].is_invalid


def test_what_was_put_right_is_what_the_log_replays():
    turn = routed()
    turn.say("", call("listEvents", arguments='{"x": "y",}'))
    turn.crash()
    assert running(turn) == ['list_events{"x":"y"}']


def test_an_empty_reply_is_asked_again_and_the_second_answer_counts():
    turn = routed()
    turn.say("")
    assert turn.pending == [CallModel("fast", "again")]
    turn.crash()
    assert turn.pending == [CallModel("fast", "again")]
    turn.say("Hello.")
    assert turn.end.answer == "Hello."


def test_calls_that_never_fit_are_held_to_the_grammar_and_then_given_up():
    turn = routed(limits=Limits(max_steps=20))
    manners: list[str] = []
    for n in range(3):
        manners += [effect.manner for effect in turn.pending if isinstance(effect, CallModel)]
        turn.say("", call("nothing_like_it", f"c{n}"))
    assert manners == ["usual", "usual", "strict"]
    assert turn.end.answer.startswith("I stopped: 3 times in a row the model could not write a call that fits. There is no tool")
    assert NOTE not in turn.end.answer, "which is for the model"


def test_a_call_that_fits_begins_the_count_anew():
    turn = routed(limits=Limits(max_steps=20))
    for n in range(4):
        turn.say("", call("nothing_like_it", f"a{n}"))
        turn.say("", call("list_events", f"b{n}", f'{{"x": "{n}"}}'))
        turn.run("list_events")
    assert turn.pending == [CallModel("fast")]


def test_a_turn_in_circles_is_asked_for_its_answer_after_three_wasted_calls():
    turn = routed(limits=Limits(max_steps=50))
    for n in range(4):
        assert turn.pending == [CallModel("fast")]
        turn.say("", call("list_events", f"c{n}"))
        turn.run("list_events")
    assert turn.pending == [CallModel("fast", "answer")]
    assert "You made this very call before" in told(turn)[1].text
    turn.say("You have three events.")
    assert turn.end.answer == "You have three events."


def test_a_turn_that_goes_on_in_circles_ends_with_an_answer_that_says_so():
    turn = routed(limits=Limits(max_steps=50))
    for n in range(4):
        turn.say("", call("list_events", f"c{n}"))
        turn.run("list_events")
    turn.say("", call("list_events", "once-more"))
    assert turn.end.answer == "I stopped, because list_events told me the same again and again: list_events did it"
    assert not running(turn)


def test_four_effects_in_a_row_with_the_same_word_are_work_and_no_circle():
    turn = routed(limits=Limits(max_steps=50), grants=("write",))
    for n in range(5):
        turn.say("", call("archive_mail", f"c{n}", f'{{"x": "{n}"}}'))
        turn.prepare("archive_mail")
        turn.run("archive_mail")
    assert turn.pending == [CallModel("fast")]
