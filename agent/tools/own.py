"""The host's own tools: read on in a result that was cut, recall what left the view, find a tool that is not shown.

No server serves them, and the small model that ships is never shown them. They read the conversation and the tool list, and change
nothing. `call_tool` is none of them to run: it is read as the call that it stands for (`agent.calls.bridged`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.events import Event, RouteChosen
from agent.route_parts import Shown
from agent.routes.deciding.showing import Foreign
from agent.safety.manifest import ToolFacts
from agent.tools.toolbox import Tool, ToolResult
from agent.view.cutting import BYTES_PER_TOKEN, room_for
from agent.view.own_names import CALL_TOOL, FIND_TOOLS, READ_MORE, RECALL
from agent.view.past import read_on, recalled
from agent.view.prompt import canonical_json, tool_schemas
from agent.view.ranking import rank, words_of

FOUND, NAMED = 4, 12
"""Tools that a search describes, and after them those that it names."""
NAMES_ROOM = 600
"""Bytes that are kept for those names."""
ROOM = room_for(0)
"""Bytes of a search's answer, where nobody says how many it may take."""
NAME_WEIGHT = 3
"""A word of a tool's name says more about it than one of its description."""
NOTHING_FOUND = "No tool matches. Try other words: what it does, or what it is about."


def _own(name: str, description: str, properties: Mapping[str, Any], *required: str, taints: bool) -> Tool:
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    # What the log holds has tainted its session already (`agent.safety.taint`); the mark is kept for who reads the result alone.
    return Tool(name, "", name, description, schema, ToolFacts("read", taints=taints), is_extended=True)


_TEXT, _NUMBER, _OBJECT = {"type": "string"}, {"type": "integer"}, {"type": "object"}
_READERS = (
    _own(READ_MORE, "Go on reading a result that was cut.", {"handle": _TEXT, "start": _NUMBER}, "handle", taints=True),
    _own(RECALL, "Search earlier parts of this conversation.", {"query": _TEXT}, "query", taints=True),
)
_BRIDGE = (
    _own(FIND_TOOLS, "Find more tools by what they do. Call them with call_tool.", {"query": _TEXT}, "query", taints=False),
    _own(CALL_TOOL, "Call a tool that find_tools found.", {"name": _TEXT, "arguments": _OBJECT}, "name", "arguments", taints=False),
)
OWN_FACTS: Mapping[str, ToolFacts] = {tool.name: tool.facts for tool in (*_READERS, *_BRIDGE) if tool.name != CALL_TOOL}
"""What the policy knows of those that run."""


def shown_tools(shown: Shown, tools: Sequence[Tool]) -> list[Tool]:
    """The tools that a new session's model is shown.

    1. `core`: what is not extended.
    2. `recall`: that and what reads back.
    3. `all`: every tool, and what reads back.
    4. `bridge`: what is not extended of the built-in servers, whatever else is served, what reads back, and the bridge.
    """
    core = [tool for tool in tools if not tool.is_extended]
    if shown == "core":  # 1
        return core
    if shown == "recall":  # 2
        return [*core, *_READERS]
    if shown == "all":  # 3
        return [*tools, *_READERS]
    return [*(tool for tool in core if tool.facts.is_pinned), *_READERS, *_BRIDGE]  # 4


def foreign_of(tools: Sequence[Tool]) -> Foreign:
    """What the tools of servers that are not ours would take of a prompt that names them all."""
    listed = [tool for tool in shown_tools("core", tools) if not tool.facts.is_pinned]
    named = ({"name": tool.name, "description": tool.description, "input_schema": tool.input_schema} for tool in listed)
    return Foreign(len(listed), len(canonical_json(tool_schemas(named)).encode("utf-8", "replace")) // BYTES_PER_TOKEN if listed else 0)


def found_tools(query: str, tools: Sequence[Tool], room: int = ROOM) -> str:
    """The tools that match a few words: the best with their descriptions and schemas, the next by name.

    Args:
        query: the words.
        tools: among which is looked.
        room: bytes that the answer may take. The best is described whatever it takes; another one only where it fits whole, because half
            of a schema is no help.
    """
    places = rank(query, [_words(tool) for tool in tools])
    if not places:
        return NOTHING_FOUND
    parts = [_described(tools[places[0]])]
    left = room - _size(parts[0]) - NAMES_ROOM
    for place in places[1:FOUND]:
        part = _described(tools[place])
        left -= _size(part)
        if left < 0:
            break
        parts.append(part)
    more = [tools[place].name for place in places[len(parts) : len(parts) + NAMED]]
    return "\n\n".join(parts) + (f"\n\nLess near: {', '.join(more)}." if more else "")


def run_own(name: str, arguments: Mapping[str, Any], *, events: Sequence[Event], hidden: Sequence[Tool]) -> ToolResult:
    """Run one of the host's own tools.

    Args:
        name: of `OWN_FACTS`.
        arguments: fit for its schema.
        events: of the session, oldest first.
        hidden: tools that its model is not shown.
    """
    contexts = [event.n_ctx for event in events if isinstance(event, RouteChosen)]
    room = room_for(contexts[-1] if contexts else 0)
    match name:
        case "find_tools":
            return ToolResult(found_tools(arguments["query"], hidden, room))
        case "recall":
            return ToolResult(recalled(events, arguments["query"]))
        case _:
            text = read_on(events, arguments["handle"], start=arguments.get("start", 0), room=room)
            return ToolResult(text or f'Nothing here is called "{arguments["handle"]}".', is_error=text is None)


def _words(tool: Tool) -> list[str]:
    properties: Mapping[str, Any] = tool.input_schema.get("properties") or {}
    return [*words_of(tool.name) * NAME_WEIGHT, *words_of(tool.description), *words_of(" ".join(properties))]


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _described(tool: Tool) -> str:
    return f"{tool.name}: {tool.description}\narguments: {canonical_json(tool.input_schema)}"
