"""What the assistant can do, as lines: each server with its tools, and what is asked about before it happens."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from agent.events import Event, RouteChosen
from agent.tools.report import ToolRow, ToolsReport
from config.plain import one_line

ASKED = {
    "read": "reads",
    "public read": "asks the web",
    "reversible write": "writes, asked about",
    "destructive": "deletes, asked about",
    "egress": "sends or is unknown, asked about",
    "run": "runs a program, asked about",
    "forbidden": "never done",
}

OUTWARD = {"destructive", "egress"}
"""Kinds that are asked about once a conversation has read outside text, whatever was allowed."""

SHOWN = {
    "core": "the few tools that every model can hold",
    "recall": "those few, and two that look up what it no longer has before it",
    "all": "every tool",
    "bridge": "those few, and two that find and call all others",
}


def shown_lines(events: Iterable[Event]) -> list[str]:
    """Which of the tools the model of a conversation has before it, and why; nothing before its first turn."""
    routes = [event for event in events if isinstance(event, RouteChosen) and event.shown]
    return [f"{one_line(route.tier)} is shown {SHOWN[route.shown]}: {one_line(route.shown_why)}." for route in routes[-1:] if route.shown]


def tool_lines(report: ToolsReport) -> list[str]:
    """Every tool below its server, then what of the settings names none."""
    lines: list[str] = []
    for server, tools in _by_server(report):
        lines.append(f"{one_line(server)}:")
        lines += [f"  {one_line(tool.name)} ({_what(tool)}): {_first_sentence(tool.description)}" for tool in tools]
    return [*lines, *map(one_line, report.doubts)]


def server_lines(report: ToolsReport) -> list[str]:
    """Every server, how many tools it has, and why it is not there."""
    lines = [f"{one_line(server)}: {len(tools)} tool{'' if len(tools) == 1 else 's'}" for server, tools in _by_server(report)]
    return [*lines, *(f"{one_line(server)}: not there: {one_line(why)}" for server, why in sorted(report.problems.items()))]


def _what(tool: ToolRow) -> str:
    asked = ASKED.get(tool.kind, tool.kind)
    does = asked.partition(",")[0]
    match tool.verdict:
        case "deny":
            return f"{does}, denied by your settings"
        case "ask":
            return f"{does}, asked about as your settings say"
        case "allow":
            return f"{does}, allowed by your settings{' until outside text was read' if tool.kind in OUTWARD else ''}"
        case None:
            return asked


def _by_server(report: ToolsReport) -> list[tuple[str, list[ToolRow]]]:
    rows = sorted(report.tools, key=lambda tool: (tool.server, tool.name))
    return [(server, list(tools)) for server, tools in groupby(rows, key=lambda tool: tool.server)]


def _first_sentence(text: str) -> str:
    return one_line(one_line(text).partition(". ")[0].rstrip("."), 100)
