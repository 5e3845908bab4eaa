"""The served lists and docs/tools.md say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_servers.catalogue import SERVERS, all_tools, core_tools
from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import checked

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"
_ROW = re.compile(r"^\| (\w+) \| `(\w+)\(([^)]*)\)` \| (\w+) \|", re.MULTILINE)
SPECS = {spec.name: spec for specs in SERVERS.values() for spec in specs}


def test_names_parameters_and_classes_are_those_of_the_page_in_its_order() -> None:
    page = [(server, name, parameters, kind) for server, name, parameters, kind in _ROW.findall(PAGE.read_text(encoding="utf-8"))]
    served = [(server, spec.name, _parameters(spec.name), spec.tool_class) for server, specs in SERVERS.items() for spec in specs]
    assert served == page


def test_a_small_model_is_shown_twelve_tools() -> None:
    assert len(core_tools()) == 12


def _parameters(tool: str) -> str:
    """As the page writes them."""
    written: list[str] = []
    for param in SPECS[tool].params:
        choices = f": {', '.join(param.choices[:-1])} or {param.choices[-1]}" if param.choices else ""
        kind = f": {param.type}" if param.type != "string" else choices
        written.append(f"{param.name}{'' if param.is_required else '?'}{kind}")
    return ", ".join(written)


def test_schemas_are_small_and_closed() -> None:
    for tool in all_tools():
        schema = tool["input_schema"]
        assert schema["additionalProperties"] is False
        assert set(schema) <= {"type", "properties", "required", "additionalProperties"}
        for property_schema in schema["properties"].values():
            assert set(property_schema) <= {"type", "description", "enum", "items"}
            assert len(property_schema["description"]) < 80


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("create_event", {"title": "x"}, 'create_event needs "when".'),
        ("create_event", {"title": "  ", "when": None}, 'create_event needs "title" and "when".'),
        ("list_events", {"day": "x"}, 'list_events has no parameter "day". It takes when, query.'),
        ("search_mail", {"unread": "maybe"}, '"unread" must be true or false.'),
        ("search_mail", {"sender": ["Anna"]}, '"sender" must be a text.'),
        ("read_mail", {"mail": "x" * 200_000}, '"mail" is too long: 200000 characters, and 100000 are the most. Give less.'),
        ("web_search", {"query": "x", "time_range": "hour"}, '"time_range" must be day, week, month or year.'),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(tool: str, arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        checked(SPECS[tool], arguments)
    assert str(refused.value) == sentence


def test_arguments_that_mean_something_are_taken_as_they_are_meant() -> None:
    assert checked(SPECS["search_mail"], {"unread": "true", "sender": " Anna ", "query": "", "when": None}) == {
        "unread": True,
        "sender": "Anna",
    }
    assert checked(SPECS["label_mail"], {"mail": "m1", "add": ["work"], "remove": [], "mails": []}) == {"mail": "m1", "add": ("work",)}
    assert checked(SPECS["create_event"], {"title": "x", "when": 10}) == {"title": "x", "when": "10"}
