"""The form that an MCP client shows: a decision, and the values that a tool server asks for under names of our own."""

from __future__ import annotations

from typing import Any

from mcp_types import _v2025_11_25, _v2026_07_28  # pyright: ignore[reportPrivateUsage] - they alone hold a form to its protocol

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded
from agent.faces.mcp.approval_form import form_of, is_yes, typed_in
from agent.tools.forms import asked_fields

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


KINDS = asked_fields(
    {
        "properties": {
            "copies": {"type": "integer", "minimum": 1, "default": 2},
            "scale": {"type": "number"},
            "glossy": {"type": "boolean", "default": False},
            "shelf": {"type": "string", "enum": ["top", "bottom"], "enumNames": ["Top", "Down"], "default": "top"},
            "colours": {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}},
            "odd": {"type": "string", "enum": ["a\x1b[2J", "b"]},
        }
    }
)


def test_numbers_yes_or_no_and_choices_are_asked_as_what_they_are_and_read_by_the_servers_own_form():
    needed = NEEDED.model_copy(update={"fields": KINDS})
    typed = {name: {key: value for key, value in each.items() if key not in ("title", "description")} for name, each in _values(needed)}
    assert typed == {
        "value_1": {"type": "integer", "default": 2},
        "value_2": {"type": "number"},
        "value_3": {"type": "boolean", "default": False},
        "value_4": {"type": "string", "enum": ["top", "bottom"], "default": "top"},
        "value_5": {"type": "string"},
        "value_6": {"type": "string"},
    }
    content = {
        "decision": "yes",
        "value_1": 3.0,
        "value_2": 0.5,
        "value_3": True,
        "value_4": "bottom",
        "value_5": "red, blue",
        "value_6": 1,
    }
    given = typed_in(needed, content)
    assert given == {"copies": "3", "scale": "0.5", "glossy": "yes", "shelf": "bottom", "colours": "red, blue"}
    assert typed_in(needed, {"value_1": True, "value_3": 1, "value_4": None}) == {}
    for form in (_v2025_11_25.ElicitRequestFormParams, _v2026_07_28.ElicitRequestFormParams):
        form.model_validate({"message": "m", "requestedSchema": form_of(needed)})


def _values(needed: ApprovalNeeded) -> list[tuple[str, dict[str, Any]]]:
    return [(name, each) for name, each in form_of(needed)["properties"].items() if name != "decision"]


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
