"""Mails as values and as fields of structured results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mcp_servers.mail.model import Mail
from mcp_servers.mailbox.message.letters import Person
from mcp_servers.mailbox.message.links import Link, links_text
from mcp_servers.mailbox.message.mime import Parsed
from mcp_servers.mailbox.places import LOCAL
from mcp_servers.mailbox.store import Indexed
from mcp_servers.outside.quotes import Quoted, quoted
from mcp_servers.outside.quoting import clean_line, hidden_counts
from mcp_servers.spans import moment_text

MAX_NAMED_FILES = 100
"""list_attachments says how many there are."""


def listed(mail: Indexed, now: datetime) -> Mail:
    """A mail of a list, in the person's zone."""
    return Mail(f"m{mail.number}", mail.sender, mail.subject, mail.sent_at.astimezone(now.tzinfo), mail.is_unread)


def whole(indexed: Indexed, parsed: Parsed, now: datetime) -> Mail:
    """A mail with everything in it, in the person's zone."""
    return Mail(
        f"m{indexed.number}",
        parsed.sender,
        parsed.subject,
        parsed.sent_at.astimezone(now.tzinfo),
        indexed.is_unread,
        parsed.text,
        parsed.to,
        parsed.cc,
        parsed.reply_to[0] if parsed.reply_to else None,
        parsed.message_id,
        parsed.references,
        parsed.attachments,
    )


def quote(mail: Mail, parsed: Parsed, now: datetime, links: Iterable[Link] = ()) -> Quoted:
    """A mail's text and where it came from; below it, where its links lead."""
    below = links_text(links)
    text = f"{parsed.text}\n\n{below}" if below else parsed.text
    origin = f"mail {mail.id} from {mail.sender.full}, {moment_text(mail.sent_at)}, subject {mail.subject}"
    return quoted(text, origin=origin, at=now, removed=parsed.removed)


def people(people: tuple[Person, ...]) -> list[dict[str, str]]:
    return [{"name": person.name, "address": person.address} for person in people]


def fields(mail: Mail) -> dict[str, Any]:
    """Of a mail in a list."""
    return {
        "id": mail.id,
        "from": people((mail.sender,))[0],
        "subject": mail.subject,
        "sent_at": mail.sent_at.isoformat(),
        "unread": mail.is_unread,
    }


def placed(mail: Indexed, now: datetime) -> dict[str, Any]:
    """The same, with where it is."""
    return {**fields(listed(mail, now)), "account": mail.account, "folder": clean_line(mail.folder)}


def whole_fields(mail: Mail) -> dict[str, Any]:
    """Of a mail that is read."""
    return {
        **fields(mail),
        "to": people(mail.to),
        "cc": people(mail.cc),
        "reply_to": people((mail.reply_to,))[0] if mail.reply_to else None,
        "message_id": mail.message_id,
        "references": list(mail.references),
        "attachments": list(mail.attachments[:MAX_NAMED_FILES]),
        "text": mail.text,
    }


def removed_of(mails: Iterable[Indexed], *, named: Iterable[str] = ()) -> dict[str, int]:
    """What was taken out of a list, by kind: of the subjects, of the senders, and, once each, of the folders that it names.

    Args:
        mails: of the list.
        named: what else it names, such as labels.
    """
    found = tuple(mails)
    counts = Counter[str]()
    for one in (
        *(mail.removed for mail in found),
        *map(hidden_counts, dict.fromkeys(mail.folder for mail in found)),
        *map(hidden_counts, named),
    ):
        counts.update(one)
    return dict(counts)


def account_shown(mail: Indexed) -> str:
    """The account's name where it is worth a word."""
    return "" if mail.account == LOCAL else mail.account
