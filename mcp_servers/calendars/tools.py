"""The calendar tools as served, in their served order.

Pure. Names and parameters are frozen by docs/tools.md. The whole list stays small: every model that is shown it pays
for each word in each conversation.
"""

from __future__ import annotations

from mcp_servers.protocol.signatures import Param, ToolSpec

_EVENT = Param("event", "title words, or id", is_required=True)
_WHEN = Param("when", "its day")
_SCOPE = Param("scope", "if it repeats", choices=("this", "following", "all"))
_NOTIFY = Param("notify", "who is told", choices=("all", "none"))

_EXTENDED: tuple[ToolSpec, ...] = (
    ToolSpec("list_calendars", "List the calendars of all accounts.", "read", (), is_extended=True),
    ToolSpec(
        "search_events",
        "Search all fields of events, in pages.",
        "read",
        (
            Param("query", "words", is_required=True),
            Param("when", "default: a year each way"),
            Param("calendar", "only this one"),
            Param("cursor", "of the page before"),
        ),
        is_extended=True,
    ),
    ToolSpec("get_event", "Show all of one event.", "read", (_EVENT, _WHEN), is_extended=True),
    ToolSpec(
        "find_time",
        "Find time that is free in several calendars.",
        "read",
        (
            Param("when", "a period or a span", is_required=True),
            Param("duration", "default: one hour"),
            Param("calendars", "default: the person's own"),
            Param("hours", "such as 9:00-17:00"),
            Param("buffer", "around events: 15 minutes"),
        ),
        is_extended=True,
    ),
    ToolSpec(
        "add_event",
        "Add an event with guests, reminders or repeats.",
        "send",
        (
            Param("title", "what it is", is_required=True),
            Param("when", "day and time", is_required=True),
            Param("duration", "how long"),
            Param("location", "where"),
            Param("calendar", "which one"),
            Param("zone", "America/New_York"),
            Param("repeat", "every 2 weeks on monday, 6 times"),
            Param("guests", "addresses"),
            Param("reminders", "10 minutes, 1 day"),
            Param("description", "more text"),
            _NOTIFY,
        ),
        is_open_world=True,
        is_extended=True,
    ),
    ToolSpec(
        "quick_add",
        "Add an event that one sentence describes.",
        "write",
        (
            Param("text", "lunch with Anna friday at noon at Cafe Nord", is_required=True),
            Param("calendar", "which one"),
            Param("preview", "only show what is understood", type="boolean"),
        ),
        is_extended=True,
    ),
    ToolSpec(
        "change_event",
        "Change an event, or part of a series.",
        "send",
        (
            _EVENT,
            _WHEN,
            _SCOPE,
            Param("new_when", "day or time"),
            Param("new_duration", "how long"),
            Param("new_title", "title"),
            Param("new_location", "place, or none"),
            Param("new_zone", "of its times"),
            Param("new_repeat", "every weekday"),
            Param("new_guests", "all addresses, or none"),
            Param("new_reminders", "all of them, or none"),
            Param("new_description", "text, or none"),
            _NOTIFY,
        ),
        is_open_world=True,
        is_extended=True,
    ),
    ToolSpec(
        "remove_event",
        "Remove an event, or part of a series.",
        "send",
        (_EVENT, _WHEN, _SCOPE, _NOTIFY),
        is_open_world=True,
        is_extended=True,
    ),
    ToolSpec(
        "respond_to_invitation",
        "Answer an invitation.",
        "send",
        (_EVENT, Param("answer", "to it", is_required=True, choices=("accept", "maybe", "decline")), _WHEN, _SCOPE, _NOTIFY),
        is_open_world=True,
        is_extended=True,
    ),
)

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
        is_open_world=True,
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
        is_open_world=True,
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
    *_EXTENDED,
)
