"""What is typed while something runs: what is queued, what is kept, and what ends the turn."""

from __future__ import annotations

from bots.repl.typed.typeahead import Key, TypeAhead

ENTER, ESCAPE = Key("c-m", "\r"), Key("escape", "\x1b")


def _keys(text: str) -> list[Key]:
    return [Key(char, char) for char in text]


def test_enter_queues_a_line_and_the_rest_waits_for_the_next_prompt():
    typed = TypeAhead()
    assert typed.take([*_keys("one"), ENTER, ENTER, *_keys("twoo"), Key("c-h", "\x7f")]) == []
    assert (typed.queue, typed.text) == (["one"], "two")
    assert typed.lines() == ["next: one", "> two"]
    assert typed.take_text() == "two"
    assert typed.lines() == ["next: one"]


def test_a_lone_escape_and_ctrl_c_interrupt_and_lose_nothing():
    for key in (ESCAPE, Key("c-c", "\x03")):
        typed = TypeAhead()
        assert typed.take([*_keys("one"), ENTER, *_keys("two"), key]) == ["interrupt"]
        assert (typed.queue, typed.text) == ([], "one\ntwo")


def test_alt_enter_is_a_new_line_and_an_unknown_key_is_nothing():
    typed = TypeAhead()
    assert typed.take([*_keys("a"), ESCAPE, ENTER, *_keys("b"), Key("up", ""), Key("c-d", "")]) == ["leave"]
    assert (typed.queue, typed.text) == ([], "a\nb")


def test_pasted_lines_stay_together():
    typed = TypeAhead()
    typed.take([Key("<bracketed-paste>", "one\r\ntwo"), ENTER])
    assert typed.queue == ["one\ntwo"]


def test_a_message_that_was_not_sent_stands_before_what_was_queued_behind_it():
    typed = TypeAhead()
    typed.take([*_keys("second"), ENTER])
    typed.give_back("first")
    assert (typed.queue, typed.text) == ([], "first\nsecond")
