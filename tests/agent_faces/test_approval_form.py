"""The form that an MCP client shows: a decision, and the values that a tool server asks for under names of our own."""

from __future__ import annotations

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded
from agent.faces.approval_form import form_of, is_yes, typed_in

NEEDED = ApprovalNeeded(
    turn="t", approval="a", call="c", name="print", tool_class="send", summary="s", lines=(), digest="d",
    expires_at="2026-11-21T12:00:00+01:00",
)  # fmt: skip
FIELDS = (
    AskedField(name="decision", label="Decision", wants="a text"),
    AskedField(name="shelf", label="Shelf", wants="one of top, bottom", suggested="top"),
)


def test_a_call_is_a_decision_alone():
    form = form_of(NEEDED)
    assert (list(form["properties"]), form["required"], form["properties"]["decision"]["enum"]) == (
        ["decision"],
        ["decision"],
        ["no", "yes"],
    )


def test_a_servers_values_stand_beside_it_and_cannot_take_its_name():
    needed = NEEDED.model_copy(update={"fields": FIELDS})
    form = form_of(needed)
    assert form["required"] == ["decision"]
    assert form["properties"]["value_2"] == {"type": "string", "title": "Shelf", "description": "one of top, bottom", "default": "top"}
    content = {"decision": "yes", "value_1": "no", "value_2": 3, "value_9": "x"}
    assert is_yes(content)
    assert typed_in(needed, content) == {"decision": "no"}
    assert not is_yes({"value_1": "yes"})
    assert not is_yes(None)
    assert typed_in(needed, None) == {}
