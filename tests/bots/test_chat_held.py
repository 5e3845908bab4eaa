"""A mail that is held, in the chat: there is a count-down, and Esc or a word takes it back while the turn goes on."""

from __future__ import annotations

from agent.events import ToolFinished, ToolStarted, TurnDone, Usage
from agent.held_events import ToolHeld, ToolTakenBack
from agent.turns.holding import TAKEN_BACK
from bots.repl.shown.held import Held
from tests.bots.conftest import OpenChat
from tests.bots.terminal import needs_tmux

BACK = "taken back, not sent"


def held(call: str, second: int) -> ToolHeld:
    until = f"1970-01-01T00:00:{second:02}+00:00"
    return ToolHeld(turn="t", call=call, hold=f"h-{call}", name="send_mail", summary=f"Send to {call}", until=until)


def test_what_is_held_is_counted_down_until_it_is_gone():
    view = Held()
    view.take(held("bob", 20))
    view.take(held("ann", 10))
    assert view.line(3.4) == "Esc or /unsend takes it back · goes out in 7 s: Send to ann (and 1 more)"
    view.take(ToolStarted(turn="t", call="ann", name="send_mail", arguments="{}"))
    assert view.names == {"h-bob"}
    view.take(ToolTakenBack(turn="t", call="bob", hold="h-bob", who="me"))
    assert view.names == frozenset()
    view.take(held("eve", 30))
    view.take(ToolFinished(turn="t", call="eve", name="send_mail", ok=False, decision="denied", text="no"))
    assert view.names == frozenset()
    view.take(held("dan", 30))
    view.take(TurnDone(turn="t", answer="", usage=Usage()))
    assert view.names == frozenset()


@needs_tmux
def test_a_held_mail_is_taken_back_by_esc_or_by_a_word_and_the_turn_goes_on(open_chat: OpenChat) -> None:
    chat = open_chat(width=100)
    for times, way in enumerate((("Escape",), ("/unsend", "Enter"), ("/undo", "Enter")), start=1):
        chat.type("post 300")
        chat.press("Enter")
        chat.see("Approve?", times=times)
        chat.type("y")
        chat.press("Enter")
        chat.see("Esc or /unsend takes it back · goes out in")
        chat.press(*way)
        chat.see_all(BACK, f"{TAKEN_BACK}\n", times=times)
    assert "Cancelled." not in chat.screen()
    chat.type("/unsend")
    chat.press("Enter")
    chat.see("Nothing is about to go out.")


@needs_tmux
def test_another_chat_that_takes_up_the_conversation_can_take_its_mail_back(open_chat: OpenChat) -> None:
    first = open_chat(width=100)
    first.type("post 300")
    first.press("Enter")
    first.see("Approve?")
    first.type("y")
    first.press("Enter")
    first.see("takes it back · goes out in")
    second = open_chat("--session", "s1", width=100)
    second.see("takes it back · goes out in")
    second.press("Escape")
    second.see_all(BACK, TAKEN_BACK)
    first.see_all(BACK, TAKEN_BACK)
