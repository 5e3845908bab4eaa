"""The calendar tools as served, in their served order.

Pure. Names and parameters are frozen by docs/tools.md.
"""

from __future__ import annotations

from mcp_servers.signatures import Param, ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "list_events",
        "List calendar events in a period (default: the next 7 days).",
        "read",
        (
            Param("when", "the period, as the person said it: tomorrow, next week"),
            Param("query", "words of the title, place or guests"),
        ),
    ),
    ToolSpec(
        "create_event",
        "Create a calendar event.",
        "write",
        (
            Param("title", "what it is", is_required=True),
            Param("when", "day and time, as the person said it; no time makes it all-day", is_required=True),
            Param("duration", "how long: 30 minutes, 2 hours (default: one hour)"),
            Param("location", "where it is"),
        ),
    ),
    ToolSpec(
        "update_event",
        "Change one calendar event, found by words of its title.",
        "write",
        (
            Param("event", "words of the event's title, or its id", is_required=True),
            Param("when", "the day it is on now"),
            Param("new_when", "the new day or time"),
            Param("new_duration", "how long it takes from now on"),
            Param("new_title", "the new title"),
            Param("new_location", "the new place"),
        ),
        is_overwriting=True,
    ),
    ToolSpec(
        "delete_event",
        "Delete one calendar event, found by words of its title.",
        "delete",
        (
            Param("event", "words of the event's title, or its id", is_required=True),
            Param("when", "the day it is on"),
        ),
    ),
    ToolSpec(
        "find_free_time",
        "Find free time in a period, or say whether one span is free.",
        "read",
        (
            Param("when", "a period, or one span: friday, tomorrow at 3pm", is_required=True),
            Param("duration", "how long it must be: 30 minutes (default: one hour)"),
        ),
    ),
)
