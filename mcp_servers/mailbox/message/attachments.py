"""The files that come with a mail: their names, types and bytes.

Pure. Names are a stranger's: cleaned of characters that hide, and never a path of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from typing import cast

from mcp_servers.mailbox.message.file_names import file_name, fitting
from mcp_servers.mailbox.message.mime import MAIL_KIND, Enclosure, file_parts
from mcp_servers.mailbox.message.opening import message_of
from mcp_servers.mailbox.message.passing_on import may_travel
from mcp_servers.mailbox.message.writing import UNTOUCHED
from mcp_servers.outside.quoting import clean_line, hidden_counts

_KIND = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
_CHARSET = re.compile(r"[a-z0-9][a-z0-9_.:+-]{0,40}")
_ANY_KIND = "application/octet-stream"
_MAX_NAME_CHARS = 120


@dataclass(frozen=True)
class Attachment:
    """One file as it came."""

    number: int
    """From 1, in the mail's order."""
    name: str
    kind: str
    """Its content type, as its sender says."""
    content: bytes
    charset: str = ""
    """Of a text, as its sender says; empty where nothing that could be one is said."""
    removed: Mapping[str, int] = field(default_factory=dict[str, int])
    """What was taken out of its name, by kind."""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def enclosure(self) -> Enclosure:
        """The same file, to go with another mail."""
        is_mail = self.kind == MAIL_KIND and may_travel(self.content)
        is_container = self.kind.startswith(("multipart/", "message/")) and not is_mail
        return Enclosure(
            file_name(self.name, otherwise=f"attachment {self.number}"),
            _ANY_KIND if is_container else self.kind,
            self.content,
            self.charset,
        )


def attachments_of(content: bytes) -> tuple[Attachment, ...]:
    """The files of a mail; what cannot be read of it is left out."""
    message = message_of(content)
    try:
        parts = file_parts(message)
    except (AttributeError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        return ()
    return tuple(_attachment(number, part) for number, part in enumerate(parts, 1))


def _attachment(number: int, part: EmailMessage) -> Attachment:
    try:
        kind, charset = part.get_content_type().lower(), part.get_content_charset("") or ""
        # No path, whatever is in it: some programs of senders put one there.
        said = (part.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    except (AttributeError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        kind, said, charset = _ANY_KIND, "", ""
    kind, charset = kind if _KIND.fullmatch(kind) else _ANY_KIND, charset if _CHARSET.fullmatch(charset) else ""
    name, charset = fitting(clean_line(said), _MAX_NAME_CHARS), charset if kind.startswith("text/") else ""
    return Attachment(number, name or f"attachment {number}", kind, _content(part), charset, hidden_counts(said))


def _decoded(content: bytes, encoding: str) -> bytes:
    """A mail that is a file: no encoding may hide one (RFC 2046), and some programs use one all the same."""
    carrier = EmailMessage()
    carrier["Content-Transfer-Encoding"] = encoding.strip().lower()
    carrier.set_payload(content.lstrip(b"\r\n").decode("ascii", "surrogateescape"))
    raw = carrier.get_payload(decode=True)
    return raw if isinstance(raw, bytes) and encoding.strip().lower() in ("base64", "quoted-printable") else content


def _content(part: EmailMessage) -> bytes:
    try:
        if part.is_multipart():
            inner = cast("list[Message]", part.get_payload())
            is_mail = part.get_content_maintype() == "message" and bool(inner)
            content = (inner[0] if is_mail else part).as_bytes(policy=UNTOUCHED)
            return _decoded(content, str(part.get("Content-Transfer-Encoding", ""))) if is_mail else content
        raw = part.get_payload(decode=True)
        return raw if isinstance(raw, bytes) else str(raw or "").encode("utf-8", "replace")
    except (AttributeError, IndexError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        return b""
