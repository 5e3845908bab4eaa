"""A mail's bytes as the library's message, within bounds: what is made to keep the reader busy is cut where no person's mail goes on.

Pure. The library takes long for what strangers may write: the square of a header's length, and much memory for each part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from mcp_servers.mailbox.message.encoded_words import mended

BOM = b"\xef\xbb\xbf"
"""Some programs begin every file of theirs with it, and no header's name does: with it the whole head would be text."""
MAX_PARTS = 20_000
"""No person's mail has more, and they take a second to be told apart."""
_MAX_HEAD_BYTES = 1024 * 1024
_MAX_HEADER_CHARS = 16_384
"""The library's header parser takes time by the square of the length; no header that a person's mail has is longer."""
_LEAST_HEADER_CHARS = 80
"""As what a header counts at least: a short one takes as long to be read as a line of a long one."""
_MAX_MIME_HEADER_CHARS = 2048
"""Of those that say what a part is: they are read again and again."""
_MAX_KEPT_CHARS = 512
"""Of headers that are remembered: the short ones come again and again."""
_PEOPLE = frozenset({"to", "cc", "bcc", "reply-to"})
_ONCE = frozenset({"from", "subject", "content-type", "content-transfer-encoding", "content-disposition"})
_BOUNDARY = re.compile(rb"\n--")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class _Remembering(EmailPolicy):
    """The library's usual reading of headers, each of the short ones once: it asks for a mail's content type ten times, and takes long."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        # A header that has been read is a text too, and may not pass for the raw one that looks like it.
        if type(value) is not str:
            return super().header_fetch_parse(name, value)
        if len(value) <= _MAX_KEPT_CHARS:
            return _read_header(name, value)
        if name.lower().startswith("content-"):
            return _read_long(name, value[:_MAX_MIME_HEADER_CHARS])
        return super().header_fetch_parse(name, mended(name, value[:_MAX_HEADER_CHARS]))


_READING = _Remembering()


@lru_cache(maxsize=1024)
def _read_header(name: str, value: str) -> Any:
    return policy.default.header_fetch_parse(name, mended(name, value))


@lru_cache(maxsize=32)
def _read_long(name: str, value: str) -> Any:
    """What a part says of itself is asked for thirty times in a row: few are kept, and they are large."""
    return policy.default.header_fetch_parse(name, mended(name, value))


def header(message: EmailMessage, name: str) -> str:
    """The first header of that name, decoded; empty where there is none, or none that can be read."""
    return next(_headers(message, name), "")


def headers(message: EmailMessage, name: str) -> tuple[str, ...]:
    """Every header of that name, decoded: one that should stand once may stand twice, and each program goes by another of the two.

    All of them together are read as far as one would be.
    """
    return tuple(_headers(message, name))


def _headers(message: EmailMessage, name: str) -> Iterator[str]:
    left, wanted = _MAX_HEADER_CHARS, name.lower()
    for key, value in message.raw_items():
        if key.lower() == wanted and left > 0:
            yield _decoded(name, str(value)[:left])
            left -= max(_LEAST_HEADER_CHARS, len(str(value)))


def _decoded(name: str, raw: str) -> str:
    try:
        return str(_READING.header_fetch_parse(name, raw))
    except (AttributeError, IndexError, LookupError, RecursionError, TypeError, ValueError):
        return ""  # the library's header parser breaks on some malformed headers


def message_of(content: bytes) -> EmailMessage:
    """The library's view of a mail; only the head of one that it breaks on, such as one that is nested too deep."""
    bounded = _bounded(without_bom(content))
    try:
        return cast("EmailMessage", message_from_bytes(bounded, policy=_READING))
    except Exception:  # noqa: BLE001 - it breaks in ever new ways on what strangers write, and one mail must not hide all others
        message = EmailMessage()
        for name, value in BytesHeaderParser().parsebytes(bounded).raw_items():
            if not name.lower().startswith("content-"):
                message.set_raw(name, value)
        # Nothing of it may pass for a text that was shown whole, nor for a file.
        message.set_raw("Content-Type", "multipart/mixed")
        return message


def is_whole(content: bytes, message: EmailMessage) -> bool:
    """Whether nothing of the mail was cut or can be read in two ways, so that who is shown it sees what others will be sent."""
    bare = without_bom(content)
    return _bounded(bare) is bare and _names_all(message) and all(map(_is_clear, own_parts(message)))


def _is_clear(part: EmailMessage) -> bool:
    once: list[str] = []
    for name, value in part.raw_items():
        lower = name.lower()
        if lower.startswith("content-") and len(str(value)) > _MAX_MIME_HEADER_CHARS:
            return False
        if lower in _ONCE:
            once.append(lower)
    # Of two that say what it is some programs go by the first, others by the last.
    return len(once) == len({*once})


def _names_all(message: EmailMessage) -> bool:
    """Whether everybody whom it names is read."""
    chars: dict[str, int] = {}
    for name, value in message.raw_items():
        lower = name.lower()
        if lower in _PEOPLE:
            chars[lower] = chars.get(lower, 0) + max(_LEAST_HEADER_CHARS, len(str(value)))
    return all(count <= _MAX_HEADER_CHARS for count in chars.values())


def own_parts(part: EmailMessage) -> Iterator[EmailMessage]:
    """It and its parts, but those of a mail that goes with it: that one is a file."""
    yield part
    if part.get_content_maintype() != "message" and part.is_multipart():
        for inner in part.iter_parts():
            yield from own_parts(cast("EmailMessage", inner))


def without_bom(content: bytes) -> bytes:
    """The mail from its first header on."""
    return content[len(BOM) :] if content.startswith(BOM) else content


def parts_beyond(content: bytes) -> int:
    """How many parts `message_of` leaves out, at most; 0 for all but hostile mails."""
    marks = content.count(b"\n--")
    return marks - MAX_PARTS if marks > MAX_PARTS and b"multipart/" in content.lower() else 0


def _bounded(content: bytes) -> bytes:
    if not _END_OF_HEAD.search(content, 0, _MAX_HEAD_BYTES) and len(content) > _MAX_HEAD_BYTES:
        end = _END_OF_HEAD.search(content, _MAX_HEAD_BYTES)
        content = content[: content.rfind(b"\n", 0, _MAX_HEAD_BYTES) + 1] + (content[end.start() :].lstrip(b"\r\n") if end else b"")
    if parts_beyond(content):
        content = content[: next(islice(_BOUNDARY.finditer(content), MAX_PARTS, None)).start()]
    return content
