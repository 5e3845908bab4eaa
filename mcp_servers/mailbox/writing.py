"""How the headers of a mail that leaves are written: as the library does it, and the ids of mails as they are.

Pure. The library takes an id that is longer than a line for words, and writes it as encoded ones (`=?utf-8?q?=3C...`). Servers of large
houses give such ids, and no program finds the conversation of an answer that names one so. It writes an address with letters beyond
ASCII as encoded words, too, which no server takes for that address.
"""

from __future__ import annotations

from email import message_from_bytes
from email.policy import EmailPolicy
from typing import Any

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
_WITH_ADDRESSES = ("From", "Sender", "Reply-To", "To", "Cc")


def with_utf8_addresses(content: bytes) -> bytes:
    """The mail for a server that takes `SMTPUTF8` (RFC 6532): what stands before an address's `@` can be no encoded word."""
    message = message_from_bytes(content, policy=_AS_UTF8)
    for name in _WITH_ADDRESSES:
        value = str(message[name] or "")
        if not value.isascii():
            message.replace_header(name, value)
    return message.as_bytes()
