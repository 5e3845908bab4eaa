"""Tools that are not there and turns that are forgotten are told by every face."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock, call

import pytest

from agent.event_parts import Usage
from agent.events import CallDecided, ContextTrimmed, Event, ServersMissing, TurnDone
from agent.faces.acp import wire as acp_wire
from agent.faces.mcp import server as mcp_server
from agent.faces.notes import STAYS_HERE as STAYS_HERE_LABEL
from agent.faces.notes import notes
from agent.faces.outcome import Outcome
from agent.gateway.answers import about_turn
from bots.ask import _Progress  # pyright: ignore[reportPrivateUsage]
from bots.repl.shown.turn_view import TurnView
from mcp_servers.outbox.shape import STAYS_HERE

MISSING = ServersMissing(turn="t", problems={"web": "it took\ntoo long", "mail": "it ended as it started"})
TRIMMED = ContextTrimmed(turn="t", kept_from="t2", dropped=3, n_ctx=8192)
MISSING_TOLD = ["mail is not there: it ended as it started", "web is not there: it took too long"]
TRIMMED_TOLD = ["the oldest 3 turns are no longer in the model's view (8192 tokens); `variet sessions search` finds them"]
STAYING = CallDecided(
    turn="t", call="c", name="send_mail", tool_class="send", arguments="{}", verdict="allow", reason="send was granted in advance",
    headline="Send to bo@example.org", details=(("To", "bo@example.org"), STAYS_HERE, ("Text", "Yes.")),
)  # fmt: skip
STAYING_TOLD = [f"send_mail: {STAYS_HERE[1]}"]


@pytest.mark.parametrize(("event", "told"), [(MISSING, MISSING_TOLD), (TRIMMED, TRIMMED_TOLD)], ids=["missing", "trimmed"])
def test_an_editor_and_a_client_of_the_agent_are_told_while_the_turn_runs(event: Event, told: list[str]) -> None:
    update = acp_wire.update_of(event)
    assert update is not None
    assert (update["sessionUpdate"], update["content"]["text"].strip().split("\n\n")) == ("agent_message_chunk", told)
    assert mcp_server._step(event) == "; ".join(told)  # pyright: ignore[reportPrivateUsage]


def test_that_a_mail_stays_here_is_told_beside_the_call_only_where_nobody_is_asked_about_it() -> None:
    assert mcp_server._step(STAYING) == STAYING_TOLD[0]  # pyright: ignore[reportPrivateUsage]
    assert STAYS_HERE[0] == STAYS_HERE_LABEL
    assert notes(STAYING.model_copy(update={"verdict": "ask"})) == []
    assert notes(STAYING.model_copy(update={"details": STAYING.details[:1]})) == []
    hostile = STAYING.model_copy(update={"details": (("Stays here", "a\n\x1b[2Jb"),)})
    assert notes(hostile) == ["send_mail: a \\u001b[2Jb"]


def test_an_editor_is_told_beside_the_call_that_a_mail_stays_here() -> None:
    call, note = acp_wire.updates_of(STAYING)
    assert (call["sessionUpdate"], note) == ("tool_call", acp_wire.said(f"\n\n{STAYING_TOLD[0]}\n\n"))
    assert list(acp_wire.replayed("s", [STAYING])) == [call, note]
    assert len(acp_wire.updates_of(STAYING.model_copy(update={"verdict": "ask"}))) == 1


def test_a_script_reads_on_standard_error_that_a_mail_stays_here(capsys: pytest.CaptureFixture[str]) -> None:
    _Progress(None).show(STAYING)
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()) == ("", STAYING_TOLD)


def test_the_chat_says_that_a_mail_stays_here() -> None:
    screen = Mock()
    TurnView(screen).show(STAYING)
    assert screen.line.call_args_list == [call(STAYING_TOLD[0], "yellow")]


def test_nothing_is_told_once_all_servers_are_there_and_of_events_that_explain_no_answer() -> None:
    there, done = ServersMissing(turn="t", problems={}), TurnDone(turn="t", answer="x", usage=Usage())
    assert [notes(there), acp_wire.update_of(there), acp_wire.update_of(done)] == [[], None, None]
    outcome = Outcome("s", "t")
    outcome.take(done)
    assert outcome.beside() == {}


def test_a_program_reads_both_beside_the_answer() -> None:
    outcome = Outcome("s", "t")
    for event in (MISSING, TRIMMED, TRIMMED.model_copy(update={"dropped": 1, "summary": "Before: tea."})):
        outcome.take(event)
    told: dict[str, Any] = {
        "servers_missing": {"web": "it took\ntoo long", "mail": "it ended as it started"},
        "context_trimmed": {"dropped": 4, "n_ctx": 8192, "is_summed_up": True},
    }
    assert outcome.as_json().items() >= told.items()
    assert about_turn("s", (), "fast", [], outcome.beside())["variet"].items() >= told.items()
    assert json.loads(json.dumps(outcome.as_json()))["servers_missing"]["mail"] == "it ended as it started"
