"""Sent letters to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly these texts: change a character here and the shipped model no longer knows it.
"""

from __future__ import annotations

from mcp_servers.letters import letter_text

DRAFT_CHANGED = "The draft has changed since. Look again."


def sent_text(to: tuple[str, ...], subject: str, body: str) -> str:
    """`Sent to anna@example.org, subject "Re: Budget for March": I agree.`."""
    return f"Sent {letter_text(to, subject, body)}"
