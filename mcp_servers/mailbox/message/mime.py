"""Mails as bytes to values and back.

Pure. Whatever arrives is read as far as it can be: a broken header is empty, an unknown character set is read as what the letters
look like. What is written is one plain text with the headers that keep a thread together.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime, parsedate_to_datetime
from typing import cast

from mcp_servers.mailbox.message.blind_copies import is_blind
from mcp_servers.mailbox.message.body import text_in
from mcp_servers.mailbox.message.letters import NO_SUBJECT, Letter, Person, people_in
from mcp_servers.mailbox.message.opening import header, headers, is_whole, message_of, parts_beyond, without_bom
from mcp_servers.mailbox.message.writing import WRITING, with_headers
from mcp_servers.outside.quoting import clean_line, hidden_counts

_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_QUOTABLE_ID = re.compile(r"<[!#-;=?-\[\]-~]+>")
_MAX_REFERENCES = 20
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MAIL_KIND = "message/rfc822"
_OWN_OF_PROGRAM = re.compile(
    r"[fg]cc|status|x-(?:status|keywords|unsent|identity-key|account-key|draft-from|message-smtp-method)"
    r"|x-(?:mutt|mozilla|kmail|enigmail|claws|sylpheed)-.+|x-evolution(?:-.+)?",
    re.IGNORECASE,
)
"""What mail programs note in their drafts, and take out when they send: logins, servers, the folder where the copy goes."""
_LAST_YEAR = 9990
"""Later dates are no mail's, and the last of them do not exist in every time zone."""


@dataclass(frozen=True)
class Parsed:
    """What a mail says of itself; every text is cleaned of characters that hide."""

    sender: Person
    to: tuple[Person, ...]
    cc: tuple[Person, ...]
    bcc: tuple[Person, ...]
    reply_to: tuple[Person, ...]
    subject: str
    sent_at: datetime
    """Aware; the beginning of time where the mail does not say."""
    message_id: str
    references: tuple[str, ...]
    in_reply_to: str
    text: str
    attachments: tuple[str, ...]
    is_plain: bool
    """Its readable part is `text` alone: no second form (HTML) that could say something else."""
    removed: Mapping[str, int] = field(default_factory=dict[str, int])
    """What was taken out of the text, the subject and the names of people and files, by kind."""
    head_removed: Mapping[str, int] = field(default_factory=dict[str, int])
    """The same of the subject and the sender's name alone: what a list of mails lacks."""

    @property
    def chain(self) -> tuple[str, ...]:
        """The ids of what it answers, the oldest first."""
        return tuple(dict.fromkeys((*self.references, *([self.in_reply_to] if self.in_reply_to else []))))


def parse(content: bytes) -> Parsed:
    """What a mail says, as far as it can be read."""
    try:
        return _parsed(content)
    except Exception:  # noqa: BLE001 - the libraries break in ever new ways, and one stranger's mail must not hide all others
        return Parsed(Person("", "unknown"), (), (), (), (), NO_SUBJECT, _BEGINNING, "", (), "", "", (), is_plain=False)


def _parsed(content: bytes) -> Parsed:
    message = message_of(content)
    text, removed = text_in(message)
    files = _files(message)
    senders = people_in(header(message, "From"))
    of_head = hidden_counts(header(message, "Subject") + header(message, "From"))
    names = _names(files or ())
    to, cc, reply_to = (headers(message, name) for name in ("To", "Cc", "Reply-To"))
    of_rest = hidden_counts("".join([*to, *cc, *reply_to, *names]))
    return Parsed(
        sender=senders[0] if senders else Person("", "unknown"),
        to=_people(to),
        cc=_people(cc),
        bcc=people_of(message, "Bcc"),
        reply_to=_people(reply_to),
        subject=clean_line(header(message, "Subject")) or NO_SUBJECT,
        sent_at=_date(header(message, "Date")),
        message_id=next(iter(_MESSAGE_ID.findall(header(message, "Message-ID"))), ""),
        references=tuple(_MESSAGE_ID.findall(header(message, "References"))),
        in_reply_to=next(iter(_MESSAGE_ID.findall(header(message, "In-Reply-To"))), ""),
        text=text,
        attachments=tuple(clean_line(name) or part.get_content_type() for name, part in zip(names, files or (), strict=False)),
        is_plain=_is_plain(message, files) and is_whole(content, message),
        removed=Counter(removed) + Counter(of_head) + Counter(of_rest) + Counter({"parts": parts_beyond(content)}),
        head_removed=of_head,
    )


def people_of(message: EmailMessage, name: str) -> tuple[Person, ...]:
    """Whom the headers of that name say, in all of them: whoever delivers a mail may go by any."""
    return _people(headers(message, name))


def _people(texts: Iterable[str]) -> tuple[Person, ...]:
    return tuple(person for text in texts for person in people_in(text))


@dataclass(frozen=True)
class Enclosure:
    """A file that goes with a mail."""

    name: str
    kind: str
    """Its content type, such as `application/pdf`."""
    content: bytes
    charset: str = ""
    """Of a text, where its sender says it."""


def compose(letter: Letter, *, sender: str, message_id: str, at: datetime, enclosures: Sequence[Enclosure] = ()) -> bytes:
    """The mail as it goes out; a sender that is not known is left to whoever delivers it."""
    message = EmailMessage(policy=WRITING)
    if sender:
        message["From"] = sender
    message["To"] = ", ".join(letter.to)
    if letter.cc:
        message["Cc"] = ", ".join(letter.cc)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    if letter.in_reply_to:
        message["In-Reply-To"] = letter.in_reply_to
        message["References"] = " ".join(thread(letter.references, letter.in_reply_to))
    message.set_content(letter.body.rstrip("\n") + "\n")
    mails: dict[bytes, bytes] = {}
    for place, enclosure in enumerate(enclosures):
        main, _, sub = enclosure.kind.partition("/")
        if enclosure.kind == MAIL_KIND:
            # Nobody who wrote the mail can know it: it is made of the id of ours.
            stand_in = hashlib.sha256(f"{message_id} {place}".encode()).hexdigest()
            message.add_attachment(b"", maintype="application", subtype="octet-stream", filename=enclosure.name)
            _become_mail(_last_part(message), stand_in, is_wide=not enclosure.content.isascii())
            mails[stand_in.encode()] = enclosure.content
            continue
        said = {"charset": enclosure.charset} if enclosure.charset else None
        message.add_attachment(enclosure.content, maintype=main, subtype=sub, filename=enclosure.name, params=said)
    if mails:
        message.set_boundary(hashlib.sha256(f"{message_id} parts".encode()).hexdigest())
        if not all(map(bytes.isascii, mails.values())):
            message["Content-Transfer-Encoding"] = "8bit"
    content = message.as_bytes()
    for stand_in, whole in mails.items():
        content = content.replace(stand_in, whole, 1)
    return content


def _last_part(message: EmailMessage) -> EmailMessage:
    return cast("list[EmailMessage]", message.get_payload())[-1]


def _become_mail(part: EmailMessage, stand_in: str, *, is_wide: bool) -> None:
    """A mail within a mail, which no encoding may hide (RFC 2046), with something in its place until all of it is bytes."""
    part.replace_header("Content-Type", MAIL_KIND)
    part.replace_header("Content-Transfer-Encoding", "8bit" if is_wide else "7bit")
    part.set_payload(stand_in)


def thread(references: tuple[str, ...], parent: str) -> tuple[str, ...]:
    """The References of an answer: the exchange so far, ending with what is answered; its first mail is always kept."""
    chain = tuple(dict.fromkeys((*(reference for reference in references if reference != parent), parent)))
    return chain if len(chain) <= _MAX_REFERENCES else (chain[0], *chain[1 - _MAX_REFERENCES :])


def redated(content: bytes, at: datetime) -> bytes:
    """The same mail with the time at which it is sent, without what says who gets it unseen, and without its program's own notes."""

    def change(message: EmailMessage) -> None:
        for name in {"Date", *filter(is_blind, message.keys()), *filter(_OWN_OF_PROGRAM.fullmatch, message.keys())}:
            del message[name]
        message["Date"] = format_datetime(at)

    return with_headers(content, change)


def quotable_id(content: bytes) -> str:
    """The id by which a mail can be asked for in any protocol; empty where it has none, or one with strange characters."""
    found = _QUOTABLE_ID.search(str(BytesHeaderParser().parsebytes(without_bom(content))["Message-ID"] or ""))
    return found[0] if found else ""


def is_same_letter(one: bytes, other: bytes) -> bool:
    """Whether two mails differ in nothing but when they were written."""
    return _letter(one) == _letter(other)


def _letter(content: bytes) -> tuple[list[tuple[str, str]], list[bytes]]:
    message = message_of(content)
    names = sorted({name.lower() for name, _ in message.raw_items()} - {"date"})
    _, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    return [(name, " ".join(header(message, name).split())) for name in names], [line.rstrip() for line in body.strip().split(b"\n")]


def file_parts(message: EmailMessage) -> list[EmailMessage]:
    """The parts that are files, however deep: mail programs put them beside one form of the text alone, or within what is signed.

    What is neither a file nor text, such as an invitation beside the text, counts as one. Pictures that the text itself shows do not.
    A mail that is nothing but a file, as scanners send them, is the one part itself; one that nobody can take apart is none.

    Raises:
        AttributeError, KeyError, LookupError, RecursionError, TypeError, ValueError: the library breaks on it.
    """
    if message.get_content_maintype() == "multipart" and not message.is_multipart():
        return []
    bodies = {id(message.get_body(preferencelist=(kind,))) for kind in ("plain", "html")}
    return [part for part, within in _leaves(message, "") if id(part) not in bodies and _is_file(part, within)]


def _leaves(part: EmailMessage, within: str) -> Iterator[tuple[EmailMessage, str]]:
    """The parts that hold no others, each with the kind of what it is in; a mail within a mail is one."""
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        yield part, within
        return
    for inner in part.iter_parts():
        yield from _leaves(cast("EmailMessage", inner), part.get_content_subtype())


def _is_file(part: EmailMessage, within: str) -> bool:
    if part.is_attachment():
        return True
    if within == "related":
        return False
    # Another form of the same text is no file; a further text that stands by itself is.
    is_form = within == "alternative" and part.get_content_type() in ("text/plain", "text/html")
    return not is_form or part.get_filename() is not None


def _date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
        sent_at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        return sent_at if sent_at.year <= _LAST_YEAR else _BEGINNING
    except (IndexError, OverflowError, TypeError, ValueError):
        return _BEGINNING


def _files(message: EmailMessage) -> list[EmailMessage] | None:
    """The files; None where nobody can say which parts are some."""
    try:
        return file_parts(message)
    except (AttributeError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        return None


def _names(files: Sequence[EmailMessage]) -> tuple[str, ...]:
    """What the files are called, as it came."""
    try:
        return tuple(part.get_filename() or "" for part in files)
    except (AttributeError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        return ()


def _is_plain(message: EmailMessage, files: Sequence[EmailMessage] | None) -> bool:
    if files is None:
        return False
    attached = {id(part) for part in files}
    try:
        # A mail that goes with it is a file like any other, whatever is within.
        readable = [part for part, _ in _leaves(message, "") if id(part) not in attached]
    except (AttributeError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        return False
    is_text = all(part.get_content_type() == "text/plain" for part in readable)
    # The head of a mail that is a file itself says what that is, such as a cancellation or something sealed.
    return id(message) not in attached and len(readable) <= 1 and is_text
