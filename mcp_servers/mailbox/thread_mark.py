"""The line by which a draft remembers the conversation at its account that it answers in. It is taken out before the mail leaves.

Pure. Servers that put answers together by the mails themselves need none; Gmail does, for the sender's own mailbox.
"""

from __future__ import annotations

import re

NAME = "X-Variet-Thread"
_LINE = re.compile(rb"(?im)^X-Variet-Thread:[ \t]*([^\r\n]*)(?:\r?\n[ \t][^\r\n]*)*\r?\n")
_THREAD = re.compile(r"[0-9a-f]{1,32}")


def marked(content: bytes, thread: str) -> bytes:
    """The draft with the conversation's name; as it is where there is none."""
    return f"{NAME}: {thread}\r\n".encode() + content if _THREAD.fullmatch(thread) else content


def mark_of(content: bytes) -> str:
    """The conversation's name; empty where the draft has none, or something else there."""
    found = _LINE.search(_head(content))
    thread = found[1].decode("ascii", "replace").strip() if found else ""
    return thread if _THREAD.fullmatch(thread) else ""


def unmarked(content: bytes) -> bytes:
    """The mail as it leaves."""
    head = _head(content)
    return _LINE.sub(b"", head) + content[len(head) :]


def _head(content: bytes) -> bytes:
    end = re.search(rb"\r?\n\r?\n", content)
    return content if end is None else content[: end.end()]
