"""Other programs are told that a mail is about to go out, and how a person takes it back."""

from __future__ import annotations

from agent.faces.acp import wire as acp_wire
from agent.faces.mcp import server as mcp_server
from agent.held_events import ToolHeld

HELD = ToolHeld(turn="t", call="c", hold="h-1", name="send_mail", summary="Send to Ann", until="2026-11-21T09:00:10+01:00")


def test_an_editor_shows_it_at_the_call():
    update = acp_wire.update_of(HELD)
    assert update is not None
    assert (update["toolCallId"], update["status"]) == ("t/c", "pending")
    text = update["content"][0]["content"]["text"]
    assert text == "Goes out at 09:00:10. Cancel the turn, or run `variet undo`, to take it back: Send to Ann"


def test_an_mcp_client_is_told_as_progress():
    told = mcp_server._step(HELD)  # pyright: ignore[reportPrivateUsage]
    assert told == "goes out at 09:00:10 unless the person takes it back (variet undo): Send to Ann"
