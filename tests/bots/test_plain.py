"""What others wrote can do nothing to a terminal but fill it, and Markdown is cut only where it is finished."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from agent.events import ApprovalNeeded
from agent.service.wire import SessionRow
from bots.lines import approval_lines, call_line, waiting_line
from bots.repl.shown.blocks import cut_finished, with_hard_breaks
from config.plain import for_file, neutralise, one_line


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    left = {character for character in neutralise(text) if unicodedata.category(character) == "Cc"}
    assert left <= {"\n"}
    assert not any(0x202A <= ord(character) <= 0x202E for character in neutralise(text))
    assert "\n" not in one_line(text)


@given(st.text())
def test_a_file_gets_tabs_and_the_marks_of_right_to_left_texts_and_nothing_else_more(text: str) -> None:
    kept = {"\t", "\N{ARABIC LETTER MARK}", "\N{LEFT-TO-RIGHT MARK}", "\N{RIGHT-TO-LEFT MARK}"}
    assert "".join(neutralise(each) if each in kept else each for each in for_file(text)) == neutralise(text)


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_line_is_never_longer_than_asked_for(text: str, width: int) -> None:
    assert len(one_line(text, width)) <= width


@given(st.text(alphabet="a`~\n -", max_size=60))
def test_cutting_loses_nothing(text: str) -> None:
    assert "".join(cut_finished(text)) == text


def test_a_fenced_block_is_never_cut_in_two() -> None:
    text = "One.\n\n```\ncode\n\nmore\n"
    assert cut_finished(text) == ("One.\n\n", "```\ncode\n\nmore\n")


def test_an_approval_hides_nothing() -> None:
    needed = ApprovalNeeded(
        turn="t", approval="a", call="c", name="send_mail", tool_class="send", summary="Send\x1b[2K to x",
        lines=(("To", "x@example.org"), ("Text", "first\n\x1b[1Asecond " + "long " * 60)), digest="d", expires_at="",
    )  # fmt: skip
    shown = "\n".join(approval_lines(needed))
    assert "\x1b" not in shown
    assert shown.count("long") == 60
    assert "second" in shown


def test_a_call_whose_arguments_cannot_be_read_still_has_a_line() -> None:
    assert call_line("list_events", "{broken") == "list_events()"


def test_lines_of_an_answer_stay_lines_but_code_and_paragraphs_stay_as_they_are() -> None:
    text = "Tomorrow:\n09:00 Standup\n12:00 Lunch\n\n```\ncode\nmore\n```\nend"
    assert with_hard_breaks(text) == "Tomorrow:  \n09:00 Standup  \n12:00 Lunch\n\n```\ncode\nmore\n```\nend"


@given(st.text(alphabet="a`~\n -", max_size=60))
def test_hard_breaks_change_nothing_but_blanks_at_the_ends_of_lines(text: str) -> None:
    assert [line.rstrip(" ") for line in with_hard_breaks(text).split("\n")] == [line.rstrip(" ") for line in text.split("\n")]


def test_what_waits_in_other_conversations_is_told_in_one_line_with_the_way_to_it() -> None:
    rows = [SessionRow(session="s-2"), SessionRow(session="s-1", waiting=2), SessionRow(session="s-0", waiting=1)]
    assert waiting_line(rows) == "3 calls wait for your approval: variet chat --session s-1 (and 1 more, see /sessions)"
    assert waiting_line(rows[2:]) == "1 call waits for your approval: variet chat --session s-0"
    assert waiting_line(rows[:1]) == ""
