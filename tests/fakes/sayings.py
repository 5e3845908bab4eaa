"""What an agent in memory says: times, a listing, its tools."""

from __future__ import annotations

from agent.tools.report import ToolRow, ToolsReport

NOW = "2026-11-21T09:15:00+01:00"
WHEN = "Sun 22 Nov 2026 12:00-13:00"
EXPIRES = "2026-11-21T12:00:00+01:00"
LISTING = "Sun 22 Nov 2026: 2 events\n09:00-09:30 Standup\n15:00-16:00 Dentist \x1b[31mred\x1b]0;owned\x07"
TOOLS = ToolsReport(
    tools=(
        ToolRow(name="list_events", server="calendars", kind="read", description="List events. Of any calendar."),
        ToolRow(name="send_mail", server="outbox", kind="egress", description="Send a mail."),
    ),
    problems={"mail": "it did not start within 10 s"},
)
