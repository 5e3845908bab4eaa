"""How the headers of a mail that leaves are written: as the library does it, and the ids of mails and whom it names as they are.

Pure. The library takes an id that is longer than a line for words, and writes it as encoded ones (`=?utf-8?q?=3C...`). Servers of large
houses give such ids, and no program finds the conversation of an answer that names one so. It writes an address with letters beyond
ASCII as encoded words, too, which no server takes for that address. And where it writes anew who is called `Doe, Zoe` with an accent, or
by a long name with a comma, it leaves out the quotes: the words between commas become people who get the mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email import message_from_bytes
from email.header import Header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy
from typing import Any, cast

from mcp_servers.mailbox.message.letters import Person
from mcp_servers.mailbox.message.opening import without_bom

_IDS = frozenset({"message-id", "in-reply-to", "references"})
_MAX_LINE_CHARS = 990
"""No server takes more than 998."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9]+(?:[ '-][A-Za-z0-9]+)*")
_MAX_PLAIN_CHARS = 60


class _Writing(EmailPolicy):
    def fold(self, name: str, value: Any) -> str:
        return self._ids(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self._ids(name, value).encode("ascii") or super().fold_binary(name, value)

    def _ids(self, name: str, value: Any) -> str:
        """A line for each id; empty for any other header, and for one that holds what is no id."""
        ids = str(value).split() if name.lower() in _IDS else []
        return f"{name}: {f'{self.linesep} '.join(ids)}{self.linesep}" if ids and all(one.isascii() for one in ids) else ""


class _AsItIs(_Writing):
    def fold(self, name: str, value: Any) -> str:
        return self._kept(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self._kept(name, value).encode("ascii", "surrogateescape") or super().fold_binary(name, value)

    def _kept(self, name: str, value: Any) -> str:
        """Its own lines, those that are too long broken where a space is; empty for a header that is new."""
        if type(value) is not str:
            return ""
        first, *more = re.split(r"\r\n|\r|\n", f"{name}: {value}")
        lines = [part for line in (first, *filter(str.strip, more)) for part in _broken(line)]
        return "".join(f"{line}{self.linesep}" for line in lines)


WRITING = _Writing(linesep="\r\n", cte_type="7bit")
"""A text beyond ASCII is encoded: not every server on a mail's way takes eight bits, and nobody asks those behind the first."""
AS_IT_IS = _AsItIs(linesep="\r\n")
"""A mail that is there already keeps its bytes: one of another program may hold letters that nobody can encode who does not know them."""
_AS_UTF8 = _Writing(linesep="\r\n", utf8=True, refold_source="none")
UNTOUCHED = EmailPolicy(linesep="\r\n", refold_source="none")
"""What somebody else wrote stands as it is, line by line, even where nobody can read it."""
_WITH_ADDRESSES = ("From", "Sender", "Reply-To", "To", "Cc")


_LINE_END = re.compile(rb"\r\n|\r|\n")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


def header_of_people(people: Iterable[Person]) -> str:
    """What a header says that names them, so that it can be read in one way only; for `set_raw`."""
    return ",\r\n ".join(f"{_phrase(person.name)}\r\n <{person.address}>" if person.name else person.address for person in people)


def _phrase(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name) and len(name) <= _MAX_PLAIN_CHARS:
        return name
    return Header(name.encode("utf-8", "replace").decode(), "utf-8", maxlinelen=_MAX_PLAIN_CHARS).encode(linesep="\r\n")


def _broken(line: str) -> list[str]:
    pieces: list[str] = []
    while len(line) > _MAX_LINE_CHARS and (at := line.rfind(" ", 1, _MAX_LINE_CHARS)) > 0 and line[:at].strip():
        pieces.append(line[:at])
        line = line[at:]
    return [*pieces, line]


def with_headers(content: bytes, change: Callable[[EmailMessage], None], *, policy: EmailPolicy = AS_IT_IS) -> bytes:
    """The mail with other headers. What is below them keeps its bytes, whatever is in it; its line ends become those of the wire.

    Args:
        content: of the mail.
        change: of what stands in its head.
        policy: how that is written.
    """
    content = without_bom(content)
    end = _END_OF_HEAD.search(content)
    cut = end.end() if end else len(content)
    message = cast("EmailMessage", BytesHeaderParser(policy=policy).parsebytes(content[:cut]))
    if message.get_payload():  # what stands there is no head to its end: the library says what it is
        message = cast("EmailMessage", message_from_bytes(content, policy=policy))
        change(message)
        return message.as_bytes()
    change(message)
    return message.as_bytes() + _LINE_END.sub(b"\r\n", content[cut:])


def with_utf8_addresses(content: bytes) -> bytes:
    """The mail for a server that takes `SMTPUTF8` (RFC 6532): what stands before an address's `@` can be no encoded word."""

    def change(message: EmailMessage) -> None:
        for name in _WITH_ADDRESSES:
            value = str(message[name] or "")
            if not value.isascii():
                message.replace_header(name, value)

    return with_headers(content, change, policy=_AS_UTF8)
