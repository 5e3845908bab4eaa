"""The letters of a mail's head as they were meant, before the library reads it: encoded words, encoded file names, and bytes as they are.

Pure. The library takes labels at their word, reads each encoded word by itself though many programs cut within a letter, and knows no
bytes beyond ASCII but UTF-8. What it would read rightly is left to it as it came.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import groupby

from mcp_servers.outside.charsets import codec_of, text_of

_WORD = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?="
_PARTS = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_RUN = re.compile(rf"{_WORD}(?:\s+{_WORD})*")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_OF_FILE = re.compile(r"(\*\s*=\s*\"?)([A-Za-z][\w.:+-]{0,60})(?='[^'\s]*')")
"""What a file's name is said to be written in (RFC 2231)."""
_SURROGATES = re.compile("[\udc80-\udcff]")


def mended(name: str, value: str) -> str:
    """A header as the library reads it rightly.

    Args:
        name: of the header.
        value: as the parser has it, bytes beyond ASCII as surrogates.
    """
    if "=?" in value:
        value = _RUN.sub(lambda run: _run(run[0]), value)
    if "'" in value and name.lower().startswith("content-"):
        value = _OF_FILE.sub(lambda said: f"{said[1]}{codec_of(said[2]) or 'utf-8'}", value)
    return text_of(value.encode("utf-8", "surrogateescape")) if _SURROGATES.search(value) else value


def _run(words: str) -> str:
    """Encoded words with nothing between them: those with one label are one text."""
    found = [(part, part[1].partition("*")[0].lower()) for part in _PARTS.finditer(words)]
    groups = [(label, [part for part, _ in group]) for label, group in groupby(found, key=lambda one: one[1])]
    return " ".join(_group(label, group) for label, group in groups)


def _group(label: str, group: list[re.Match[str]]) -> str:
    as_it_came = " ".join(part[0] for part in group)
    try:
        pieces = [_bytes_of(part[2], part[3]) for part in group]
    except ValueError:
        return as_it_came
    if codec_of(label) == "utf-8" and all(map(_is_utf_8, pieces)):
        return as_it_came
    return f"=?utf-8?B?{base64.b64encode(text_of(b''.join(pieces), label).encode()).decode('ascii')}?="


def _bytes_of(encoding: str, written: str) -> bytes:
    raw = written.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    letters = _NO_BASE64.sub(b"", raw)
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
