"""Tool arguments that were written almost right, read as they were meant: slips of notation are put right and named, nothing is made up.

Weak models know what they want to pass and get the commas wrong. What is put right here: quotes, commas, brackets too many, comments, a
fence around it, Python's words, JSON inside a text. A text that ends before its end is read as far as it goes and said to be open: what is
missing is not known, so only the caller can say whether that may run.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None, "undefined": None}
_WORD = re.compile(r"[A-Za-z_$][\w$.-]*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SPACE = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_FENCE = re.compile(r"```[\w-]*+(.*)```", re.DOTALL)
_NEXT_PAIR = re.compile(r"""["'][\w -]{1,40}["']\s*:""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
TWICE = "given twice, the last taken"
"""The end of the one slip that drops something which was written."""
_DEPTH = 40
"""Arguments nested deeper than this are no slip."""


class Mended(NamedTuple):
    """What was meant."""

    value: Any
    slips: tuple[str, ...]
    """What was put right, in words; empty for good JSON."""
    is_open: bool = False
    """The text ended before its last bracket or quote."""


def loads(text: str, twice: list[str] | None = None) -> Any:
    """JSON as every reader takes it: without the `NaN` and the endless numbers that Python's own takes, and others fail at.

    Args:
        text: what is read.
        twice: gets a slip for each name that an object gives two values.

    Raises:
        ValueError, RecursionError: it is none.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in found:
            _put(out, name, value, [] if twice is None else twice)
        return out

    return json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=pairs)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _finite(written: str) -> float:
    value = float(written)
    return value if math.isfinite(value) else _no_number(written)


def _put(into: dict[str, Any], name: str, value: Any, slips: list[str]) -> None:
    """The last value counts, as for every reader; that there was another is said, since nobody knows which was meant."""
    if name in into and into[name] != value:
        slips.append(f"{name} {TWICE}")
    into[name] = value


def mend(text: str) -> Mended | None:
    """Read JSON that may have slips in it.

    1. Good JSON is taken as it is; one that is a text with JSON in it is read once more.
    2. A fence around it is taken off, once.
    3. What a lenient reader can make sense of is taken, if nothing but brackets follows it.
    4. Else None: two values, words around it, or something else that would have to be guessed.

    Args:
        text: arguments as generated.
    """
    twice: list[str] = []
    try:
        value = loads(text, twice)
    except (ValueError, RecursionError):
        pass
    else:  # 1
        inner = mend(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "`") else None
        return inner._replace(slips=("JSON inside a text", *inner.slips)) if inner else Mended(value, tuple(twice))
    fenced = _FENCE.fullmatch(text.strip())
    if fenced:  # 2
        inner = _read(fenced.group(1))
        return inner and inner._replace(slips=("a fence", *inner.slips))
    return _read(text)  # 3, 4


def _read(text: str) -> Mended | None:
    reader = _Reader(text)
    try:
        value = reader.value(0)
        reader.end()
    except _Unreadable:
        return None
    return Mended(value, tuple(dict.fromkeys(reader.slips)), reader.is_open)


class _Unreadable(Exception):
    pass


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.slips: list[str] = []
        self.is_open = False

    def value(self, depth: int) -> Any:
        self._skip()
        c = self._peek()
        if depth > _DEPTH or not c:
            raise _Unreadable
        if c == "{":
            return self._object(depth)
        if c == "[":
            return self._array(depth)
        if c in _QUOTES:
            return self._string()
        return self._number() if c in "+-.0123456789" else self._word()

    def end(self) -> None:
        """Nothing may follow but brackets too many."""
        self._skip()
        rest = self._text[self._at :]
        if rest.strip("}] \n\t\r,"):
            raise _Unreadable
        if rest:
            self.slips.append("brackets too many")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        if found:
            self._at = found.end()
            if found.group().strip():
                self.slips.append("comments")

    def _object(self, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        self._at += 1
        while self._has_item("}"):
            key = self._string() if self._peek() in _QUOTES else self._key()
            self._skip()
            if not self._peek():
                self.is_open = True
                break
            if self._peek() not in ":=":
                raise _Unreadable
            if self._peek() == "=":
                self.slips.append("= for :")
            self._at += 1
            self._skip()
            if not self._peek():
                self.is_open = True
                break
            _put(out, key, self.value(depth + 1), self.slips)
        return out

    def _array(self, depth: int) -> list[Any]:
        out: list[Any] = []
        self._at += 1
        while self._has_item("]"):
            out.append(self.value(depth + 1))
        return out

    def _has_item(self, closer: str) -> bool:
        """Go to the next item, or past the closing bracket."""
        self._skip()
        before = self._text[: self._at].rstrip()[-1:]
        commas = 0
        while self._peek() == ",":
            self._at += 1
            commas += 1
            self._skip()
        c = self._peek()
        if not c:
            self.is_open = True
            return False
        if c == closer:
            self._at += 1
            if commas:
                self.slips.append("a comma too many")
            return False
        if c in "}]":
            raise _Unreadable
        is_first = before in ("{", "[")
        if commas > 1 or (commas and is_first):
            self.slips.append("a comma too many")
        if not commas and not is_first:
            self.slips.append("a missing comma")
        return True

    def _key(self) -> str:
        found = _WORD.match(self._text, self._at)
        if not found:
            raise _Unreadable
        self._at = found.end()
        self.slips.append("a name without quotes")
        return found.group()

    def _word(self) -> Any:
        found = _WORD.match(self._text, self._at)
        if not found or found.group() not in _WORDS:
            raise _Unreadable
        self._at = found.end()
        if found.group() not in ("true", "false", "null"):
            self.slips.append(f"{found.group()} for JSON's word")
        return _WORDS[found.group()]

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._at)
        if not found:
            raise _Unreadable
        follows = self._text[found.end() : found.end() + 1]
        if follows and (follows.isalnum() or follows in ":-/"):
            raise _Unreadable  # A date or a time without quotes: where it ends would be a guess.
        self._at = found.end()
        written = found.group()
        try:
            return loads(written)
        except ValueError:
            self.slips.append("a number in another notation")
        try:
            return int(written) if re.fullmatch(r"[+-]?\d+", written) else _finite(written)
        except ValueError:
            raise _Unreadable from None

    def _string(self) -> str:
        opener = self._peek()
        closer = _QUOTES[opener]
        if opener != '"':
            self.slips.append("other quotes")
        self._at += 1
        out: list[str] = []
        while c := self._peek():
            self._at += 1
            if c == "\\":
                out.append(self._escape())
            elif c == closer and self._closes():
                return "".join(out)
            else:
                if c == closer:
                    self.slips.append("a quote inside a text")
                elif c in "\n\t\r":
                    self.slips.append("a line break inside a text")
                out.append(c)
        self.is_open = True
        return "".join(out)

    def _closes(self) -> bool:
        """Whether a quote ends its text: what follows is what may follow a text."""
        rest = self._text[self._at :].lstrip()
        return not rest or rest[0] in ",:}]=" or _NEXT_PAIR.match(rest) is not None

    def _escape(self) -> str:
        c = self._peek()
        self._at += 1
        digits = self._text[self._at : self._at + 4]
        if c == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            self._at += 4
            return self._character(digits)
        if c in _ESCAPES:
            return _ESCAPES[c]
        self.slips.append("a backslash too many")
        return c if c in "'`$" else "\\" + c

    def _character(self, digits: str) -> str:
        """A character by its number; two halves of one are put together."""
        low = re.match(r"\\u([0-9a-fA-F]{4})", self._text[self._at :])
        both = json.loads(f'"\\u{digits}{low.group() if low else ""}"')
        if low and len(both) == 1:
            self._at += low.end()
            return both
        return chr(int(digits, 16))
