"""The chat's keys in a real terminal: typing ahead, Esc, completion, searching what was typed."""

from __future__ import annotations

from tests.bots.conftest import OpenChat
from tests.bots.terminal import needs_tmux

pytestmark = needs_tmux


def test_a_line_typed_while_an_answer_comes_is_seen_and_sent_next_and_esc_ends_the_turn(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("slow")
    chat.press("Enter")
    chat.see("Working on")
    chat.type("hello")
    chat.press("Enter")
    chat.see("next: hello")
    chat.press("Escape")
    shown = chat.see_all("Cancelled.", "> hello")
    assert "Working on" in shown
    assert "next: hello" not in shown
    chat.press("Enter")
    chat.see("Hello there")


def test_queued_lines_are_sent_one_after_the_other_and_are_no_answer_to_an_approval(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.type("add Tea")
    chat.press("Enter")
    chat.see("Approve?")
    chat.press("Enter")
    chat.see("refused")
    chat.see("The person said no.", times=2)
    chat.type("hello")
    chat.press("Enter")
    chat.type("list")
    chat.press("Enter")
    chat.see("You have two events tomorrow.")
    assert chat.screen().index("Hello there") < chat.screen().index("two events")


def test_commands_and_history_are_found_by_keys(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("/app")
    chat.press("Tab")
    chat.see("> /approvals")
    chat.press("Enter")
    chat.see("Nothing waits for you.")
    chat.type("hello you")
    chat.press("Enter")
    chat.see("Hello there")
    chat.press("C-r")
    chat.type("appr")
    chat.see("/approvals", times=2)
    chat.press("Enter", "Enter")
    chat.see("Nothing waits for you.", times=2)
    chat.press("C-r")
    chat.type("hell")
    chat.see("`hell'")
    chat.press("C-c")
    chat.type("/sessions")
    chat.press("Enter")
    chat.see("/sessions N goes on with one.")
    chat.type("/sessions s")
    chat.press("Tab")
    chat.see("> /sessions s1")
    chat.press("Enter")
    chat.see("> hello you", times=2)


def test_a_command_runs_here_and_only_what_is_mentioned_is_shown_to_the_assistant(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("!echo six is $((2 * 3))")
    chat.press("Enter")
    chat.see_all("six is 6", "Nobody was told")
    chat.type("hello @!")
    chat.press("Enter")
    chat.see_all("shown to the assistant: output of echo six", "Hello there")
    chat.type("hello @/etc/passwd")
    chat.press("Enter")
    chat.see_all("passwd lies outside", "> hello @/etc/passwd", times=1)
