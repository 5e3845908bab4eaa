"""A file's bytes as text and back, byte for byte: its encoding, its mark at the beginning, its lines with their own ends.

Pure. What is decoded here encodes to the same bytes again, or it is taken for binary; so an edit changes the bytes that it names, no other.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from mcp_servers.errors import Refusal

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_LOOKED_AT = 8192
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u2028\u2029")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


@dataclass(frozen=True)
class Text:
    """A text file: its lines, each with its own end, and how they become bytes."""

    lines: tuple[str, ...]
    encoding: str
    mark: bytes = b""
    """The byte order mark."""

    @property
    def whole(self) -> str:
        return "".join(self.lines)

    @property
    def line_end(self) -> str:
        r"""The end that most of its lines have; `\n` for a file without any."""
        ends = [end_of(line) for line in self.lines]
        return max(("\n", "\r\n", "\r"), key=ends.count)

    @property
    def described(self) -> str:
        """What is unusual about it, or nothing."""
        odd: list[str] = []
        if self.mark or self.encoding != "utf-8":
            odd.append(
                "Latin-1, as it is not UTF-8"
                if self.encoding == "latin-1"
                else self.encoding.upper() + (" with a mark" if self.mark else "")
            )
        ends = {end_of(line) for line in self.lines} - {""}
        if len(ends) > 1:
            odd.append("mixed line ends")
        elif ends and ends != {"\n"}:
            odd.append("CRLF line ends" if ends == {"\r\n"} else "CR line ends")
        return ", ".join(odd)


def decoded(data: bytes) -> Text | None:
    """The text of these bytes, or None for what is no text."""
    encoding, mark = encoding_of(data)
    if encoding is None:
        return None
    return _exact(data, encoding, mark) or (None if mark else _exact(data, "latin-1", b""))


def encoding_of(data: bytes) -> tuple[str | None, bytes]:
    """What the first bytes of a file tell of its encoding, and the byte order mark; no encoding for what is no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, mark
    return (None if b"\0" in data[:_BINARY_LOOKED_AT] else "utf-8"), b""


def encoded(text: Text) -> bytes:
    """Its bytes.

    Raises:
        Refusal: it holds a character that its encoding has not.
    """
    try:
        return text.mark + text.whole.encode(text.encoding)
    except UnicodeEncodeError as error:
        character = text.whole[error.start]
        raise Refusal(f'The file is {text.encoding.upper()}, which has no "{visible(character)}". Write it without.') from error


def split_lines(text: str) -> tuple[str, ...]:
    r"""Lines with their ends. Only `\n`, `\r\n` and `\r` end one: form feeds and the like are part of a line, as for other programs."""
    return tuple(_LINE.findall(text))


def end_of(line: str) -> str:
    if line.endswith("\r\n"):
        return "\r\n"
    return line[-1] if line.endswith(("\n", "\r")) else ""


def body_of(line: str) -> str:
    """The line without its end."""
    return line[: len(line) - len(end_of(line))]


def visible(text: str) -> str:
    """Characters that hide, reorder or redraw as `<U+202E>`; tabs and line feeds stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_visible(character) else f"<U+{ord(character):04X}>" for character in text)


def count_hidden(text: str) -> int:
    """How many characters `visible` spells out."""
    if text.isascii() and text.isprintable():
        return 0
    return sum(not _is_visible(character) for character in text)


def _is_visible(character: str) -> bool:
    if character in "\n\t":
        return True
    if character in _INVISIBLE or any(ord(character) in block for block in _SELECTORS):
        return False
    return unicodedata.category(character) not in _HIDDEN


def _exact(data: bytes, encoding: str, mark: bytes) -> Text | None:
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        return None
    if text.encode(encoding) != data[len(mark) :]:
        return None
    return Text(split_lines(text), encoding, mark)
