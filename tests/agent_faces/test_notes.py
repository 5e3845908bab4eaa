"""Tools that are not there and turns that are forgotten are told by every face."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.event_parts import Usage
from agent.events import ContextTrimmed, Event, ServersMissing, TurnDone
from agent.faces import acp_wire, mcp_server
from agent.faces.notes import notes
from agent.faces.outcome import Outcome
from agent.gateway.answers import about_turn

MISSING = ServersMissing(turn="t", problems={"web": "it took\ntoo long", "mail": "it ended as it started"})
TRIMMED = ContextTrimmed(turn="t", kept_from="t2", dropped=3, n_ctx=8192)
MISSING_TOLD = ["mail is not there: it ended as it started", "web is not there: it took too long"]
TRIMMED_TOLD = ["the oldest 3 turns are no longer in the model's view (8192 tokens); `variet sessions search` finds them"]


@pytest.mark.parametrize(("event", "told"), [(MISSING, MISSING_TOLD), (TRIMMED, TRIMMED_TOLD)], ids=["missing", "trimmed"])
def test_an_editor_and_a_client_of_the_agent_are_told_while_the_turn_runs(event: Event, told: list[str]) -> None:
    update = acp_wire.update_of(event)
    assert update is not None
    assert (update["sessionUpdate"], update["content"]["text"].strip().split("\n\n")) == ("agent_message_chunk", told)
    assert mcp_server._step(event) == "; ".join(told)  # pyright: ignore[reportPrivateUsage]


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
