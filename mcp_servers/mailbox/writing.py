"""How the headers of a mail that leaves are written: as the library does it, and the ids of mails as they are.

Pure. The library takes an id that is longer than a line for words, and writes it as encoded ones (`=?utf-8?q?=3C...`). Servers of large
houses give such ids, and no program finds the conversation of an answer that names one so. It writes an address with letters beyond
ASCII as encoded words, too, which no server takes for that address.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy
from typing import Any, cast

from mcp_servers.mailbox.opening import without_bom

_IDS = frozenset({"message-id", "in-reply-to", "references"})


class _Writing(EmailPolicy):
    def fold(self, name: str, value: Any) -> str:
        return self._ids(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self._ids(name, value).encode("ascii") or super().fold_binary(name, value)

    def _ids(self, name: str, value: Any) -> str:
        """A line for each id; empty for any other header, and for one that holds what is no id."""
        ids = str(value).split() if name.lower() in _IDS else []
        return f"{name}: {f'{self.linesep} '.join(ids)}{self.linesep}" if ids and all(one.isascii() for one in ids) else ""


WRITING = _Writing(linesep="\r\n", cte_type="7bit")
"""A text beyond ASCII is encoded: not every server on a mail's way takes eight bits, and nobody asks those behind the first."""
AS_IT_IS = _Writing(linesep="\r\n")
"""A mail that is there already keeps its bytes: one of another program may hold letters that nobody can encode who does not know them."""
_AS_UTF8 = _Writing(linesep="\r\n", utf8=True, refold_source="none")
UNTOUCHED = EmailPolicy(linesep="\r\n", refold_source="none")
"""What somebody else wrote stands as it is, line by line, even where nobody can read it."""
_WITH_ADDRESSES = ("From", "Sender", "Reply-To", "To", "Cc")


_LINE_END = re.compile(rb"\r\n|\r|\n")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


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
