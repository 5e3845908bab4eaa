"""All pages of an answer of Google's, or all that could be had and a sentence that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_servers.calendars.backends.google.service import CalendarApi
from mcp_servers.errors import Refusal

Json = dict[str, Any]
MAX_PAGES = 40
"""As many as 100,000 events; more in one answer is no person's period."""


def all_of(api: CalendarApi, request: Callable[[Json], Any], first: Json | None = None) -> tuple[list[Json], str]:
    """The items of all pages.

    Args:
        api: who is asked.
        request: makes the question for a page, of the parameters that name it.
        first: the first page, where it is there already.

    Returns:
        The items, and what is missing of them in a sentence, empty where nothing is.

    Raises:
        Refusal: not even the first page was answered.
    """
    page = api.ask(request({})) if first is None else first
    items: list[Json] = list(page.get("items", []))
    seen: set[str] = set()
    while token := str(page.get("nextPageToken") or ""):
        if token in seen or len(seen) >= MAX_PAGES:
            return items, f"Only the first {len(items)} entries were read. Ask for a shorter period."
        seen.add(token)
        try:
            page = api.ask(request({"pageToken": token}))
        except Refusal as refusal:
            return items, f"Only the first {len(items)} entries were read. {refusal}"
        items += page.get("items", [])
    return items, ""
