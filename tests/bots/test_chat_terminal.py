"""The chat in a real terminal: what is typed, what is seen."""

from __future__ import annotations

import os
import re
import signal
import stat

import pytest

from agent.service.address import Address
from config.paths import Home
from tests.bots.conftest import OpenChat
from tests.bots.terminal import needs_tmux

pytestmark = needs_tmux


def test_an_answer_is_shown_with_its_tier_and_the_reason(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("hello")
    chat.press("Enter")
    shown = chat.see("Hello there")
    assert "fast: no rule matched" in shown


def test_escape_sequences_of_others_do_nothing(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("hello")
    chat.press("Enter")
    assert "␛[2Jyou." in chat.see("Hello there")


def test_a_call_and_its_result_take_one_line(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("list")
    chat.press("Enter")
    shown = chat.see("You have two events tomorrow.")
    assert "✓ list_events(when: tomorrow) → Sun 22 Nov 2026: 2 events (+2 lines)" in shown


def test_what_writes_is_shown_as_prepared_and_runs_after_a_yes(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("add Tea")
    chat.press("Enter")
    shown = chat.see("Approve?")
    assert "Create: Tea" in shown
    assert re.search(r"When\s+Sun 22 Nov 2026 12:00-13:00", shown)
    chat.type("y")
    chat.press("Enter")
    chat.see_all("approved", "✓ create_event(title: Tea) → Created: Tea")


def test_enter_alone_is_a_no(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("add Tea")
    chat.press("Enter")
    chat.see("Approve?")
    chat.press("Enter")
    chat.see_all("refused", "✗ create_event", "The person said no.")


def test_several_approvals_are_asked_one_after_the_other(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("add2")
    chat.press("Enter")
    chat.see("Create: One")
    chat.type("y")
    chat.press("Enter")
    chat.see_all("Create: Two")
    chat.see("Approve?", times=2)
    chat.type("n")
    chat.press("Enter")
    chat.see_all("Created: One The person said no.")


def test_ctrl_c_cancels_the_turn_and_only_that_and_keeps_what_was_said_and_typed(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("slow")
    chat.press("Enter")
    chat.see("Working on")
    chat.type("hel")
    chat.press("C-c")
    shown = chat.see("Cancelled.")
    assert "Working on" in shown
    chat.see("> hel")
    chat.type("lo")
    chat.press("Enter")
    chat.see("Hello there")


@pytest.mark.parametrize("key", ["C-c", "Escape"])
def test_ctrl_c_or_esc_at_an_approval_cancels_the_turn(open_chat: OpenChat, key: str) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("add Tea")
    chat.press("Enter")
    chat.see("Approve?")
    chat.press(key)
    chat.see("Cancelled.")


def test_ctrl_c_twice_at_an_empty_prompt_leaves_and_says_nothing_more(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.press("C-c")
    chat.see("Ctrl-C again, or Ctrl-D, leaves.")
    chat.press("C-c")
    assert chat.see_end().strip().endswith("exit code 0")


def test_ctrl_d_leaves_at_once_while_still_connecting(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.press("C-d")
    assert "Traceback" not in chat.see("exit code 0")


def test_the_history_is_private_and_comes_back(open_chat: OpenChat, home: Home) -> None:
    first = open_chat()
    first.see(">")
    first.type("hello")
    first.press("Enter")
    first.see("Hello there")
    first.press("C-d")
    first.see_end()
    assert stat.S_IMODE((home.state_dir / "chat_history").stat().st_mode) == 0o600
    second = open_chat()
    second.see(">")
    second.press("Up")
    second.see("> hello")


def test_pasted_lines_are_one_message(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.paste("hello\nand more\nof it")
    chat.see("of it")
    assert "Hello there" not in chat.screen()
    chat.press("Enter")
    chat.see("Hello there")
    assert chat.screen().count("fast: no rule matched") == 1


def test_a_long_answer_is_written_once_and_can_be_scrolled_back(open_chat: OpenChat) -> None:
    chat = open_chat(height=12)
    chat.see(">")
    chat.type("long")
    chat.press("Enter")
    shown = chat.see("Paragraph 39 of many.")
    assert [shown.count(f"Paragraph {number} of") for number in range(40)] == [1] * 40


def test_a_narrow_terminal_without_colours_works(open_chat: OpenChat) -> None:
    chat = open_chat(width=40, height=10, NO_COLOR="1")
    chat.see(">")
    chat.type("list")
    chat.press("Enter")
    chat.see("You have two events tomorrow.")
    assert "✓ list_events(when: tomorrow)" in chat.screen()


def test_loading_is_told_and_leaves_no_trace(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("load")
    chat.press("Enter")
    shown = chat.see("Loaded.")
    assert "loading nano" not in shown


def test_a_failure_is_a_sentence_and_the_chat_goes_on(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("fail")
    chat.press("Enter")
    chat.see("does not answer.")
    chat.type("hello")
    chat.press("Enter")
    chat.see("Hello there")


def test_what_waits_from_an_earlier_conversation_is_told_at_the_first_prompt(open_chat: OpenChat, home: Home) -> None:
    first = open_chat()
    first.see(">")
    first.type("add Tea")
    first.press("Enter")
    first.see("Approve?")
    second = open_chat()
    assert "variet chat --session s" in second.see("1 call waits for your approval")


def test_commands_do_what_help_says(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    for command, outcome in (
        ("/help", "what can be typed"),
        ("/tier balanced", "From now on: balanced."),
        ("/nix", "There is no /nix;"),
        ("/sessions", "None yet."),
        ("/sessions zebra", "In no conversation was said: zebra"),
        ("/new", "A new conversation."),
    ):
        chat.type(command)
        chat.press("Enter")
        chat.see(outcome)
    chat.type("hello")
    chat.press("Enter")
    chat.see("balanced: no rule matched")
    chat.see("\n>", times=8)  # what is typed while an answer comes waits in the next prompt for its own Enter
    chat.type("/exit")
    chat.press("Enter")
    chat.see("exit code 0")


def test_a_killed_service_is_replaced_while_the_chat_goes_on(open_chat: OpenChat, home: Home) -> None:
    chat = open_chat()
    chat.see(">")
    chat.type("hello")
    chat.press("Enter")
    chat.see("Hello there")
    address = Address.read(home)
    assert address is not None
    os.kill(address.pid, signal.SIGKILL)
    chat.type("/new")
    chat.press("Enter")
    chat.see("A new conversation.")
    chat.type("hello")
    chat.press("Enter")
    chat.see("Hello there", times=2)
