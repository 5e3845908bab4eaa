"""Sent letters to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly these texts: change a character here and the shipped model no longer knows it.
"""

from __future__ import annotations

from mcp_servers.mailbox.message.letters import letter_text

DRAFT_CHANGED = "The draft has changed since. Look again."
MAY_BE_SENT = "It is not known whether this draft was sent before. Sending it may send it a second time."
STAYS_HERE = (
    "Stays here",
    "no mail account is set up ([mail.accounts] in agent.toml), so the mail goes into the folder Sent of this machine and reaches nobody",
)
"""Shown to whoever is asked; no model sees it. Where nobody is asked, front-ends know it by its label (`agent.faces.notes`)."""


def sent_text(to: tuple[str, ...], subject: str, body: str) -> str:
    """`Sent to anna@example.org, subject "Re: Budget for March": I agree.`."""
    return f"Sent {letter_text(to, subject, body)}"


def kept_text(number: int) -> str:
    """What a client is told that has no agent service behind it: only a person can let a mail out, and how."""
    return (
        f"Not sent: a mail leaves only after a person has seen and approved it. It is kept as draft d{number}. "
        f'To send it, a person says "send draft d{number}" in `variet chat`.'
    )
