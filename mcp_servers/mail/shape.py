"""Mail values to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly these texts: change a character here and the shipped model no longer knows it.
"""

from __future__ import annotations

from mcp_servers.letters import letter_text
from mcp_servers.mail.model import Draft, Mail
from mcp_servers.quoting import count_text, fenced, item_lines
from mcp_servers.spans import moment_text

MAX_TEXT_CHARS = 2000
"""How much of a mail a result shows; the structured result has all of it."""


def mails_text(mails: tuple[Mail, ...]) -> str:
    """`2 mails`, then one line per mail; or `No mails found`."""
    if not mails:
        return "No mails found"
    return "\n".join([count_text(len(mails), "mail"), *item_lines([_mail_line(mail) for mail in mails])])


def mail_text(mail: Mail) -> str:
    """One mail: who and when, the subject, and the text between two lines `---`."""
    text = mail.text
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[:MAX_TEXT_CHARS].rstrip()}\n[{len(mail.text) - MAX_TEXT_CHARS} more characters]"
    head = f"{mail.id} from {mail.sender.full}, {moment_text(mail.sent_at)}"
    return f"{head}\nSubject: {mail.subject}\n{fenced(text)}"


def draft_text(draft: Draft) -> str:
    """`Draft d3 to anna@example.org, subject "Re: Budget for March": I agree.`."""
    return f"Draft {draft.id} {letter_text(draft.to, draft.subject, draft.body)}"


def no_mail_text(mail: str) -> str:
    """The error when no mail has that id or those words."""
    return f'No mail matches "{mail}".'


def _mail_line(mail: Mail) -> str:
    unread = " (unread)" if mail.is_unread else ""
    return f"{mail.id} {moment_text(mail.sent_at)} from {mail.sender.shown_name}: {mail.subject}{unread}"
