"""A mail as it goes with another one: whole, byte for byte, but for what only its sender may see.

Pure. Nothing else of it is read or written anew: a stranger's headers would not survive that, or would break it. What no server takes on
its way as a mail within a mail (lines that are too long, bytes that are no text) goes as a file of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcp_servers.mailbox.message.blind_copies import without_blind_copies
from mcp_servers.mailbox.message.file_names import file_name
from mcp_servers.mailbox.message.mime import MAIL_KIND, Enclosure, parse
from mcp_servers.mailbox.message.opening import message_of, own_parts, parts_beyond, without_bom
from mcp_servers.outside.quoting import clean_line, shortened

_ANY_KIND = "application/octet-stream"
_MAX_LINE_BYTES = 998
"""RFC 5322; servers break longer lines, or refuse the mail."""
_MAX_NAME_CHARS = 60
_END_OF_HEAD = re.compile(rb"(?:\r\n|\r(?!\n)|\n){2}|\A(?:\r\n|\r|\n)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_SEALED = ("multipart/signed", "multipart/encrypted")


def enclosed(content: bytes, subject: str) -> Enclosure:
    """The mail as a part of another one.

    Args:
        content: of the mail, as it came. Who got it unseen is nobody else's business, and neither is what we note in a draft.
        subject: that it says; its file is called by it.
    """
    content = without_bom(without_blind_copies(content).content)
    end = _END_OF_HEAD.search(content)
    cut = end.end() if end else len(content)
    head = _LINE_END.sub(b"\r\n", content[:cut])
    body = content[cut:]
    # A lone line end of one byte is how mails are kept on a disk; a lone CR is a byte of something that is no text.
    whole = head + (body if _has_lone_cr(body) else _LINE_END.sub(b"\r\n", body))
    name = file_name(f"{shortened(clean_line(subject), _MAX_NAME_CHARS).strip(' .') or 'mail'}.eml", otherwise="mail.eml")
    return Enclosure(name, MAIL_KIND if may_travel(whole) else _ANY_KIND, whole)


def needs_whole(content: bytes) -> bool:
    """Whether its text and its files are not all of a mail: it has another form (HTML), pictures within, or a signature over some of it."""
    # Lists put their footer below what is signed.
    return not parse(content).is_plain or any(part.get_content_type() in _SEALED for part in own_parts(message_of(content)))


def wire_bytes(enclosures: Iterable[Enclosure]) -> int:
    """How long these are in a mail that is on its way."""
    return sum(len(one.content) if one.kind == MAIL_KIND else len(one.content) * 78 // 57 for one in enclosures)


def may_travel(content: bytes) -> bool:
    """Whether a mail can go within another one as it is."""
    end = _END_OF_HEAD.search(content)
    head = content[: end.end()] if end else content
    is_text = head.isascii() and b"\0" not in content and not _has_lone_cr(content)
    return is_text and not parts_beyond(content) and all(len(line) <= _MAX_LINE_BYTES for line in content.splitlines())


def _has_lone_cr(content: bytes) -> bool:
    return re.search(rb"\r(?!\n)", content) is not None
