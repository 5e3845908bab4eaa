"""The lines by which a draft remembers where it belongs at its account. They are taken out before the mail leaves.

Pure. Servers that put answers together by the mails themselves, and keep the ids of drafts, need none; Gmail does, for the sender's own
mailbox: the conversation that the draft answers in, and its own name of the draft.
"""

from __future__ import annotations

import re

THREAD, DRAFT = "X-Variet-Thread", "X-Variet-Draft"
_VALUES = {THREAD: re.compile(r"[0-9a-f]{1,32}"), DRAFT: re.compile(r"[A-Za-z0-9_-]{1,64}")}
_TAIL = rb":[ \t]*([^\r\n]*)(?:\r?\n[ \t][^\r\n]*)*\r?\n"
_LINES = {name: re.compile(rb"(?im)^" + name.encode() + _TAIL) for name in _VALUES}
_MESSAGE_ID = re.compile(rb"(?im)^Message-ID" + _TAIL)


def marked(content: bytes, thread: str) -> bytes:
    """The draft with the conversation's name; as it is where there is none."""
    return _with(content, THREAD, thread)


def with_draft(content: bytes, draft: str, message_id: str) -> bytes:
    """The draft with the account's name of it, and with the id that its mail has there; each where there is one."""
    if re.fullmatch(r"<[!-;=?-~]{1,900}>", message_id):
        head = _head(content)
        content = f"Message-ID: {message_id}\r\n".encode() + _MESSAGE_ID.sub(b"", head) + content[len(head) :]
    return _with(content, DRAFT, draft)


def mark_of(content: bytes) -> str:
    """The conversation's name; empty where the draft has none, or something else there."""
    return _value(content, THREAD)


def draft_of(content: bytes) -> str:
    """The account's name of the draft, likewise."""
    return _value(content, DRAFT)


def unmarked(content: bytes) -> bytes:
    """The mail as it leaves."""
    head = bare = _head(content)
    for line in _LINES.values():
        bare = line.sub(b"", bare)
    return bare + content[len(head) :]


def _with(content: bytes, name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode() + content if _VALUES[name].fullmatch(value) else content


def _value(content: bytes, name: str) -> str:
    found = _LINES[name].search(_head(content))
    value = found[1].decode("ascii", "replace").strip() if found else ""
    return value if _VALUES[name].fullmatch(value) else ""


def _head(content: bytes) -> bytes:
    end = re.search(rb"\r?\n\r?\n", content)
    return content if end is None else content[: end.end()]
