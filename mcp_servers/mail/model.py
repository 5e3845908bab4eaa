"""Mail values: a person, a mail, a draft.

Pure. Text in these values has already been cleaned of characters that hide.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mcp_servers.mailbox.message.letters import Person


@dataclass(frozen=True)
class Mail:
    """One mail. `sent_at` is aware and in the person's zone."""

    id: str
    sender: Person
    subject: str
    sent_at: datetime
    is_unread: bool = False
    text: str = ""
    """The body; empty where only the headers were read."""
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    reply_to: Person | None = None
    message_id: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A mail that is not sent: `to` are plain addresses."""

    id: str
    to: tuple[str, ...]
    subject: str
    body: str
