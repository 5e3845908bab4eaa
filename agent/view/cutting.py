"""Long tool results cut once, at a line end, to what the running model has room for; the rest is read in pages of the same size.

The cut is made when a result comes in and never changed afterwards, because the server's prompt cache pays for every old byte that
changes. The whole stays in the log; its handle is made of the text itself, so that it needs no counter and survives a restart.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from agent.view.fences import closed, reopened
from agent.view.own_names import READ_MORE

SHARE = 0.2
"""Of a context, for one result: a step may make several calls, and the answer needs room too."""
UNKNOWN_CTX = 8192
"""Tokens of context that are reckoned with where nobody knows them, as of a node whose settings do not say."""
BYTES_PER_TOKEN = 4
"""Of UTF-8: plain English has more, a script of three bytes a character fewer."""
MIN_ROOM = 3300
"""Bytes; what the core's own tools keep to, so that the smallest context still gets a whole mail."""
LEAST_ROOM = 600
"""Bytes of a result where a turn has filled its context: enough to see what it is, and to read on where that is worth another look."""
LEAST_ANSWER, DENSE_BYTES_PER_TOKEN = 128, 3.5
"""Tokens that are left for an answer, and bytes that a token is then reckoned to have, where a result goes beyond what counts as full."""
NOTICE_ROOM = 220
"""Bytes of `room` that are kept for the notice, and for the end of the block that was cut."""


HEAD_SHARE = 0.25
"""Of `room`, for the beginning of a block that goes on."""


_HANDLE = re.compile(rf"(?<={READ_MORE}\(handle=)[0-9a-f]{{8}}(?=, start=\d+\) goes on\.\])")


class Page(NamedTuple):
    """A part of a text, as it is told."""

    text: str
    """With the notice, if it stops before the end."""
    end: int
    """Character of the whole at which it stops."""


def room_for(n_ctx: int) -> int:
    """Bytes that one result may take in a context of so many tokens, 0 for one that nobody knows."""
    return max(MIN_ROOM, int((n_ctx or UNKNOWN_CTX) * SHARE * BYTES_PER_TOKEN))


def room_beside(n_ctx: int, *, tokens: int, told: int, calls: int, full: float) -> int:
    """Bytes that one result may take beside what else its turn has in view, which cannot leave it.

    1. No more than a result has in an empty context, and than its part of what is left until the context counts as full.
    2. While it is not full a whole mail may go beyond that, where it fits: a small context counts as full soon.
    3. However full it is, the beginning is told.

    Args:
        n_ctx: tokens that the model can hold.
        tokens: of the turn's last request and its reply, without what can leave the view.
        told: bytes of the results that have come since.
        calls: that have no result yet, this one included.
        full: tokens from which on the context counts as full.
    """
    taken = tokens + told / BYTES_PER_TOKEN
    left = (full - taken) * BYTES_PER_TOKEN / max(1, calls)
    fits = (n_ctx - LEAST_ANSWER - taken) * DENSE_BYTES_PER_TOKEN / max(1, calls)
    most = max(left, min(MIN_ROOM, fits)) if left > 0 else 0  # 2
    return max(LEAST_ROOM, int(min(room_for(n_ctx), most)))  # 1, 3


def handle_of(text: str) -> str:
    """What a whole result is called when more of it is asked for."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def without_handle(text: str) -> str:
    """A result that was cut as it is when the same is told again: its handle is made of the tokens and times in it, too."""
    return _HANDLE.sub("", text)


def page_of(text: str, *, start: int = 0, room: int, is_readable: bool) -> Page:
    """A text from one of its characters on, as much as there is room for.

    1. What is left fits: all of it.
    2. It is cut at the last line end that there is room for; in the middle of a line only where that line fills half the room.
    A block of outside text that goes on is begun again, and one that is cut is ended.

    Args:
        text: the whole.
        start: the first character that is told.
        room: bytes, the notice included.
        is_readable: the model has a tool to read on with.
    """
    again = reopened(text[:start])
    # A text that imitates a block may begin it with a line of any length.
    again = again if _size(again) <= room * HEAD_SHARE else ""
    room -= _size(again)
    if _size(text[start : start + room + 1]) <= room:  # 1
        return Page(again + text[start:], len(text))
    told = _fitting(text[start : start + room], room - NOTICE_ROOM)
    line_end = told.rfind("\n")
    if line_end >= len(told) // 2:  # 2
        told = told[: line_end + 1]
    end = start + len(told)
    notice = f"[Cut here: {len(text) - end} of {len(text)} characters are left out."
    notice += f" {READ_MORE}(handle={handle_of(text)}, start={end}) goes on.]" if is_readable else "]"
    return Page(f"{closed(again + told.rstrip())}\n{notice}", end)


def _fitting(text: str, room: int) -> str:
    while (size := _size(text)) > room:
        text = text[: min(len(text) - 1, len(text) * room // size)]
    return text


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
