"""Takes out of a mail who got it unseen: out of its head, and out of every mail within it, however deep, encoded or named.

Pure. Everything else keeps its bytes, so that what is signed or encoded beside it stays whole. That is why the mail is read here by its
boundaries and not by the library: that one says of no part where it stands, and writes anew what it has read.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mcp_servers.mailbox.message.opening import BOM, message_of

_EOL = rb"(?:\r\n|\r|\n)"
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_MARK = re.compile(rb"(?:\r\n|\r|\n)(--[^\r\n]*)")
_NAME = rb"(?:(?:[!-9;-~]{0,60}-)?bcc(?:-[!-9;-~]{0,60})?|x-variet-[a-z]+)"
"""`Bcc`, `Resent-Bcc` and what programs make of it, such as `X-Gm-Bcc`; and what we note in a draft of ours."""
_UNSEEN = re.compile(rb"(?i)(?:\A|(?<=[\r\n]))" + _NAME + rb"[ \t]*:[^\r\n]*(?:" + _EOL + rb"[ \t][^\r\n]*)*(?:" + _EOL + rb"|\Z)")
_UNSEEN_NAME = re.compile(_NAME.decode(), re.IGNORECASE)
_MAY_HIDE = re.compile(rb"(?i)bcc|x-variet-")
_MAILS = frozenset({
    "message/rfc822", "message/global", "message/news", "message/partial", "text/rfc822-headers", "message/global-headers",
})  # fmt: skip
"""What begins with the head of a mail; the last two are what is left of one that came back."""
_MAIL_NAME = re.compile(r"\.eml[. ]*\Z", re.IGNORECASE)
_ENCODINGS = ("base64", "quoted-printable")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_SIGNED = "multipart/signed"
_MAX_HEADS = 5000
_MAX_ENCODED = 5
"""Encodings within each other. No person's mail has more of either, and heads take time; beyond, each such line is taken for a header."""


class Cleared(NamedTuple):
    """A mail without its blind copies."""

    content: bytes
    breaks_seal: bool = False
    """Some of them were in what somebody signed: that signature holds no more."""


def without_blind_copies(content: bytes) -> Cleared:
    """The mail without the lines that say who got it unseen, and without our own notes."""
    return _cleared(content, 0) if _worth_a_look(content) else Cleared(content)


def is_blind(name: str) -> bool:
    """Whether a header of that name says who got a mail unseen, or is a note of ours."""
    return _UNSEEN_NAME.fullmatch(name) is not None


def _worth_a_look(content: bytes) -> bool:
    """Whether there can be anything: what is encoded may hold all."""
    return _MAY_HIDE.search(content) is not None or b"ontent-transfer-encoding" in content.lower()


@dataclass
class _Walk:
    """Where one is in a mail: the containers that are open, and what is cut so far."""

    content: bytes
    depth: int
    open: list[tuple[bytes, str]] = field(default_factory=list[tuple[bytes, str]])
    """Boundary and kind, the outermost first."""
    levels: dict[bytes, int] = field(default_factory=dict[bytes, int])
    cuts: list[tuple[int, int, bytes]] = field(default_factory=list[tuple[int, int, bytes]])
    """From, to, and what stands there instead."""
    breaks_seal: bool = False

    def enter(self, boundary: bytes, kind: str) -> None:
        # Of two that are called alike the outer one ends, as the library and others have it.
        self.levels.setdefault(boundary, len(self.open))
        self.open.append((boundary, kind))

    def leave(self, level: int) -> None:
        for boundary, _ in self.open[level:]:
            if self.levels.get(boundary, -1) >= level:
                del self.levels[boundary]
        del self.open[level:]

    def mark(self, line: bytes) -> tuple[int, bool] | None:
        """Of which open container this line is a boundary, and whether its last; None for any other line."""
        name = line[2:].rstrip(b" \t")
        if name in self.levels:
            return self.levels[name], False
        return (self.levels[name[:-2]], True) if name.endswith(b"--") and name[:-2] in self.levels else None

    def next_mark(self, start: int) -> tuple[int, int, bytes] | None:
        """Where the next boundary's line begins with the line break before it, where it ends, and the line."""
        # A line break that ends what is above is not asked for twice.
        marks = _MARK.finditer(self.content, max(0, start - 1)) if self.open else ()
        found = next((one for one in marks if self.mark(one[1])), None)
        return (found.start(), found.end(), found[1]) if found else None

    def cut(self, start: int, end: int, instead: bytes = b"") -> None:
        self.cuts.append((start, end, instead))
        self.breaks_seal = self.breaks_seal or any(kind == _SIGNED for _, kind in self.open)

    def cut_head(self, start: int, end: int) -> None:
        head = self.content[start:end]
        if _MAY_HIDE.search(head):
            for one in _UNSEEN.finditer(head):
                self.cut(start + one.start(), start + one.end())


def _cleared(content: bytes, depth: int) -> Cleared:
    walk = _Walk(content, depth)
    at, is_mail, heads = 0, True, 0
    while at is not None:
        heads += 1
        if heads > _MAX_HEADS or depth > _MAX_ENCODED:
            walk.cut(at, len(content), _UNSEEN.sub(b"", content[at:]))
            break
        at, is_mail = _past_head(walk, at, is_mail=is_mail)
    kept, end_of_last = list[bytes](), 0
    for start, end, instead in walk.cuts:
        kept += [content[end_of_last:start], instead]
        end_of_last = end
    return Cleared(b"".join([*kept, content[end_of_last:]]) if walk.cuts else content, walk.breaks_seal)


def _past_head(walk: _Walk, at: int, *, is_mail: bool) -> tuple[int | None, bool]:
    """Cut what a head has: where the next one begins, and whether that is a mail's."""
    if is_mail and walk.content.startswith(BOM, at):
        at += len(BOM)
    end, body = _end_of_head(walk, at)
    walk.cut_head(at, end)
    said = _said(walk.content[at:end])
    in_digest = not is_mail and walk.open[-1][1] == "multipart/digest"
    if said.boundary:
        walk.enter(said.boundary, said.kind)
    elif said.is_mail or (in_digest and not said.kind):
        if not said.encoding:
            return body, True
        _clear_encoded(walk, body, said.encoding)
    return _next_head(walk, body), False


def _next_head(walk: _Walk, start: int) -> int | None:
    while (found := walk.next_mark(start)) is not None:
        _, start, line = found
        level, is_last = walk.mark(line) or (0, False)
        walk.leave(level if is_last else level + 1)
        if not is_last:
            after = _LINE.match(walk.content, start)
            return after.end() if after else start
    return None


def _end_of_head(walk: _Walk, at: int) -> tuple[int, int]:
    """Where the head that begins here ends, and where what is below it begins."""
    while (line := _LINE.match(walk.content, at)) is not None and line.end() > at:
        if not line[1]:
            return at, line.end()
        if line[1].startswith(b"--") and walk.mark(line[1]):
            return at, at
        at = line.end()
    return at, at


def _clear_encoded(walk: _Walk, start: int, encoding: str) -> None:
    """A mail in base64 or as quoted text: it is written anew only where something is taken out of it."""
    found = walk.next_mark(start)
    end = max(start, found[0]) if found else len(walk.content)
    written = walk.content[start:end]
    content = _decoded(written) if encoding == "base64" else binascii.a2b_qp(written)
    cleared = _cleared(content, walk.depth + 1)
    walk.breaks_seal = walk.breaks_seal or cleared.breaks_seal
    if cleared.content == content:
        return
    anew = base64.encodebytes(cleared.content) if encoding == "base64" else binascii.b2a_qp(cleared.content, istext=True)
    # The line break at its end is the boundary's; what is encoded as lines has those of the mail around it.
    anew = anew.rstrip(b"\n") if encoding == "base64" and found else anew
    walk.cut(start, end, _LINE_END.sub(b"\r\n" if b"\r\n" in walk.content else b"\n", anew))


def _decoded(written: bytes) -> bytes:
    """What is in base64, as far as it can be read: others read what has lost its end, too."""
    letters = re.sub(rb"[^A-Za-z0-9+/]+", b"", written)
    whole = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


class _Said(NamedTuple):
    """What a head says of what is below it."""

    kind: str = ""
    """Empty where it does not say."""
    is_mail: bool = False
    boundary: bytes = b""
    encoding: str = ""
    """`base64` or `quoted-printable`; empty for what stands as it is."""


def _said(head: bytes) -> _Said:
    if b"content-" not in head.lower():
        return _Said()
    try:
        message = message_of(head)
        kind = message.get_content_type().lower() if "content-type" in message else ""
        is_whole = kind.startswith(("multipart/", "message/"))
        is_mail = kind in _MAILS or (not is_whole and _MAIL_NAME.search(message.get_filename() or "") is not None)
        boundary = (message.get_boundary() or "").rstrip() if kind.startswith("multipart/") else ""
        encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
        return _Said(kind, is_mail, boundary.encode("utf-8", "surrogateescape"), encoding if encoding in _ENCODINGS else "")
    except (AttributeError, IndexError, KeyError, LookupError, RecursionError, TypeError, ValueError):
        return _Said("unreadable")
