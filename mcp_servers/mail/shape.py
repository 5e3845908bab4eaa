"""Mail values to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly the texts of the first four tools: change a character there and the shipped model no longer knows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo

from mcp_servers.mail.model import Draft, Mail
from mcp_servers.mailbox.message.attachments import Attachment
from mcp_servers.mailbox.message.letters import NO_SUBJECT, letter_text
from mcp_servers.mailbox.message.mime import Parsed
from mcp_servers.outside.quoting import MAX_ITEMS, clean_line, count_text, fenced, item_lines
from mcp_servers.spans import moment_text

MAX_TEXT_CHARS = 2000
"""How much of a mail the text of `read_mail` shows; `read_message` shows the rest."""
_UNITS = ("bytes", "KB", "MB", "GB")


def mails_text(mails: tuple[Mail, ...]) -> str:
    """`2 mails`, then one line per mail; or `No mails found`."""
    if not mails:
        return "No mails found"
    return "\n".join([count_text(len(mails), "mail"), *item_lines([mail_line(mail) for mail in mails])])


def with_problems(text: str, problems: tuple[str, ...]) -> str:
    """A last line `No answer from: work`, where an account gave none; what is wrong begins with the account's name."""
    names = dict.fromkeys(problem.partition(":")[0] for problem in problems)
    return f"{text}\nNo answer from: {', '.join(names)}" if names else text


def mail_text(mail: Mail) -> str:
    """One mail: who and when, the subject, and the text between two lines `---`."""
    text = mail.text
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[:MAX_TEXT_CHARS].rstrip()}\n[{len(mail.text) - MAX_TEXT_CHARS} more characters]"
    head = f"{mail.id} from {mail.sender.full}, {moment_text(mail.sent_at)}"
    return f"{head}\nSubject: {mail.subject}\n{fenced(text)}"


def more_text(left: int, cursor: str) -> str:
    """`3000 more characters: read_message with cursor "m12+2000"`."""
    return f'{left} more characters: read_message with cursor "{cursor}"'


def draft_text(draft: Draft) -> str:
    """`Draft d3 to anna@example.org, subject "Re: Budget for March": I agree.`."""
    return f"Draft {draft.id} {letter_text(draft.to, draft.subject, draft.body)}"


def no_mail_text(mail: str) -> str:
    """The error when no mail has that id or those words."""
    return f'No mail matches "{mail}".'


def mail_line(mail: Mail) -> str:
    unread = " (unread)" if mail.is_unread else ""
    return f"{mail.id} {moment_text(mail.sent_at)} from {mail.sender.shown_name}: {mail.subject}{unread}"


def found_text(lines: Sequence[str], noun: str, *, left: int, cursor: str) -> str:
    """`23 mails`, the lines of this page, and how the others are shown."""
    if not lines:
        return f"No {noun}s found"
    more = [f'{left} more: cursor "{cursor}"'] if left else []
    return "\n".join([f"{count_text(len(lines), noun)} here, {left} more" if left else count_text(len(lines), noun), *lines, *more])


def thread_line(mails: Sequence[Mail]) -> str:
    """`m12 Sat 21 Nov 2026 09:12 Anna Keller, Bruno Rossi: Budget for March (3 mails, 1 unread)`."""
    newest, oldest = mails[0], mails[-1]
    names = ", ".join(dict.fromkeys(mail.sender.shown_name for mail in reversed(mails)))
    unread = sum(mail.is_unread for mail in mails)
    counted = count_text(len(mails), "mail") + (f", {unread} unread" if unread else "")
    return f"{newest.id} {moment_text(newest.sent_at)} {names}: {oldest.subject} ({counted})"


def attachment_line(attachment: Attachment) -> str:
    """`1. plan.pdf (application/pdf, 12 KB)`."""
    return f"{attachment.number}. {attachment.name} ({attachment.kind}, {size_text(attachment.size)})"


def attachment_head(attachment: Attachment, mail: str) -> str:
    """`Attachment 1 of m12, 12 KB`: its name and type are its sender's words, which stand in the block below."""
    return f"Attachment {attachment.number} of {mail}, {size_text(attachment.size)}"


def size_text(size: int) -> str:
    """`12 KB`."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}"


def moved_text(mail: Mail, folder: str, account: str) -> str:
    """`Moved m12 to Trash: Budget for March, from Anna Keller`."""
    where = clean_line(folder if not account else f"{folder} of {account}")
    return f"Moved {mail.id} to {where}: {mail.subject}, from {mail.sender.shown_name}"


def named_text(mail: Mail) -> str:
    """`m12 (Budget for March, from Anna Keller)`."""
    return f"{mail.id} ({mail.subject}, from {mail.sender.shown_name})"


def labelled_text(mail: Mail, labels: Sequence[str]) -> str:
    """`m12 has the labels flagged, Projects: Budget for March, from Anna Keller`."""
    has = f"has the labels {', '.join(labels)}" if len(labels) > 1 else f"has the label {labels[0]}" if labels else "has no labels"
    return f"{mail.id} {has}: {mail.subject}, from {mail.sender.shown_name}"


def forward_subject(subject: str) -> str:
    """`Fwd: ` once, however often it is passed on."""
    bare = re.sub(r"^(?:\s*fwd?\s*:\s*)+", "", subject, flags=re.IGNORECASE).strip()
    return f"Fwd: {bare or NO_SUBJECT}"


def forwarded_text(body: str, mail: Parsed, zone: tzinfo | None) -> str:
    """What is said first, and below it the mail as it came."""
    head = ["---------- Forwarded message ----------", *_head_lines(mail, zone)]
    return "\n".join([*([body, ""] if body else []), *head, "", mail.text])


def enclosed_text(mail: Parsed, zone: tzinfo | None) -> str:
    """A mail that is a file of another one."""
    files = [f"Files: {', '.join(mail.attachments[:MAX_ITEMS])}"] if mail.attachments else []
    return "\n".join([*_head_lines(mail, zone), *files, "", mail.text])


def _head_lines(mail: Parsed, zone: tzinfo | None) -> list[str]:
    return [
        f"From: {mail.sender.full}",
        f"Date: {moment_text(mail.sent_at.astimezone(zone))}",
        f"Subject: {mail.subject}",
        f"To: {', '.join(person.full for person in mail.to)}",
        *([f"Cc: {', '.join(person.full for person in mail.cc)}"] if mail.cc else []),
    ]
