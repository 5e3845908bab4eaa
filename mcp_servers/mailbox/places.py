"""The folders and labels that mean the same in every account, and what a search wants of them.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_servers.spans import Span

INBOX, DRAFTS, SENT, ARCHIVE, TRASH = ROLES = ("Inbox", "Drafts", "Sent", "Archive", "Trash")
FLAGGED, UNREAD, IMPORTANT = "flagged", "unread", "important"
"""Labels that mean the same in every account that has them."""
LOCAL = "local"
"""The name of the account that is a folder of this machine."""


@dataclass(frozen=True)
class Wanted:
    """What a search wants, in the person's words; what is empty narrows nothing."""

    sender: str = ""
    query: str = ""
    period: Span | None = None
    is_unread: bool = False
