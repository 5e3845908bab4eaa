"""The chat's commands in a real terminal, with the runtime in memory behind the real service."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bots.conftest import OpenChat
from tests.bots.terminal import Terminal, needs_tmux

pytestmark = needs_tmux


def _say(chat: Terminal, text: str, *seen: str, times: int = 1) -> str:
    chat.type(text)
    chat.press("Enter")
    return chat.see_all(*seen, times=times)


def test_deeper_asks_the_last_message_again_with_the_tier_above(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    _say(chat, "/deeper", "Nothing has been said here yet.")
    _say(chat, "hello you", "fast: no rule matched", "Hello there")
    assert "> hello you" in _say(chat, "/deeper", "deeper: no rule matched")
    chat.see("Hello there", times=2)


def test_undo_drops_the_exchange_gives_the_message_back_and_says_what_stays_done(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    _say(chat, "hello", "Hello there")
    _say(chat, "add Tea", "Approve?")
    _say(chat, "y", "Created: Tea")
    _say(chat, "/undo", "The last exchange is dropped", "Done all the same: create_event(title: Tea)", "> add Tea")
    chat.press("C-u")
    shown = _say(chat, "/show", "No tool has been called here.")
    assert "stays as s1" in shown


def test_a_copy_is_gone_on_with_and_the_conversation_stays(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    _say(chat, "hello", "Hello there")
    _say(chat, "/fork", "s1 stays as it is.")
    shown = _say(chat, "list", "You have two events tomorrow.")
    assert shown.count("Hello there") == 1, "the copy was shown again"
    _say(chat, "/sessions hello", "/sessions N goes on with one.")
    _say(chat, "/sessions s1", "> hello", "Hello there", times=2)
    _say(chat, "/show", "No tool has been called here.")


def test_calls_are_folded_and_shown_whole_when_asked_for(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    assert "15:00-16:00 Dentist" not in _say(chat, "list", "You have two events tomorrow.")
    shown = _say(chat, "/show", '✓ list_events({"when":"tomorrow"})')
    assert "15:00-16:00 Dentist ␛[31mred" in shown


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name is short enough to be shown in one line."""
    with tempfile.TemporaryDirectory(prefix="v") as folder:
        yield Path(folder)


def test_an_export_is_private_and_overwrites_nothing(open_chat: OpenChat, short_path: Path) -> None:
    chat = open_chat(width=160)
    chat.see(">")
    _say(chat, "hello", "Hello there")
    file = short_path / "talk.md"
    _say(chat, f"/export {file}", "Written to")
    assert "## cli" in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    _say(chat, f"/export {file}", "name another file.")
    _say(chat, f"/export {short_path / 'talk.jsonl'}", "talk.jsonl.")
    assert '"type":"turn_started"' in (short_path / "talk.jsonl").read_text(encoding="utf-8")


def test_routes_and_tiers_are_told_in_the_chat(open_chat: OpenChat) -> None:
    chat = open_chat(height=50)
    chat.see(">")
    _say(chat, "/tier", "glm: glm, 128000 tokens", "Now: the rules choose.")
    assert "Nothing is called glm" not in _say(chat, "/tier cloud/glm", "From now on: cloud/glm.")
    _say(chat, "/tier balanced", "From now on: balanced.", "Nothing is called balanced at the moment; the rules choose")
    _say(chat, "/tier auto", "From now on the rules choose the tier.")
    _say(chat, "/tools", "list_events (reads): List events", "send_mail (sends or is unknown, asked about): Send a mail")
    _say(chat, "/mcp", "calendars: 1 tool", "mail: not there: it did not start within 10 s")
    _say(chat, "/routes", "cloud: ", "actual: began in 0.6 s")
    _say(chat, "/routes refactor this", "by default", "not cloud/glm")


def test_what_waits_in_another_conversation_is_answered_here(open_chat: OpenChat) -> None:
    first = open_chat()
    first.see(">")
    _say(first, "add Tea", "Approve?")
    second = open_chat()
    second.see("1 call waits for your approval")
    shown = _say(second, "/approvals", "In s1:", "Create: Tea", "Approve?")
    assert "12:00-13:00" in shown
    _say(second, "y", "\napproved")
    _say(second, "/approvals", "Nothing waits for you.")


def test_a_prompt_that_was_read_again_takes_one_line(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    shown = _say(chat, "lost", "Read again.")
    assert [line for line in shown.splitlines() if line.startswith("Server: 10 of 2000 tokens")]
    assert "1990 were read" not in shown


def test_the_context_meter_stands_above_the_next_prompt_and_room_is_made_by_hand(open_chat: OpenChat) -> None:
    chat = open_chat()
    chat.see(">")
    _say(chat, "/compact", "Nothing has been said here yet.")
    _say(chat, "hello", "· fast · 15 tokens")
    _say(chat, "/compact", "Nothing to compact: ")
    _say(chat, "list", "You have two events tomorrow.")
    shown = _say(chat, "/compact", "Compacted: about 5,010 tokens, now about 3,900 of 8,192.", "1 turn has left the model's view")
    assert "`variet sessions search` finds it" in shown


def test_a_diff_is_shown_whole_before_the_question(open_chat: OpenChat) -> None:
    chat = open_chat(width=40, height=20)
    chat.see(">")
    shown = _say(chat, "edit", "Approve?")
    assert [line.split()[-1] for line in shown.splitlines() if line.strip() in ("-old", "+new")] == ["-old", "+new"]
