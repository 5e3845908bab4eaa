"""Addresses of web pages: what is one, which host it leads to, and whether a text names it.

Pure. What is fetched must not be read otherwise here than by the tool that opens it: a host that only the tool sees is never asked about.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

LINK_CHARS = 2048
"""No page that is opened has a longer address."""
HOST_CHARS = 253
"""The longest name that a host can have."""

_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
"""Between the labels of a host they are what `.` is."""
_BEHIND_HOST = re.compile(r"[:/?#]")
_BLANK = re.compile(r"\s")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE | re.ASCII)
_LINK = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|//)?[^\s/@]+\.[^\s/]{2,}(?:[:/?#]\S*)?$|^[a-z][a-z0-9+.-]*://\S*$", re.IGNORECASE)


@lru_cache(maxsize=512)
def lowered(text: str) -> str:
    """A text in which a host can be looked for. Not case-folded: that makes one of two hosts that differ (`ß` and `ss`)."""
    return unicodedata.normalize("NFC", text).translate(_DOTS).lower()


def is_link(value: str) -> bool:
    """Whether a text looks like the address of a page; one that is fetched is one whatever it looks like.

    Between words of a script that has no blanks, another dot than `.` ends a sentence: it is a host's where all else of the host is ASCII.
    """
    # With a blank in it the expression matches nothing, and tries for a time that grows with the third power of the length.
    if _BLANK.search(value) is not None:
        return False
    host = _BEHIND_HOST.split(value.removeprefix("//"), maxsplit=1)[0]
    return _LINK.match(lowered(value) if host.translate(_DOTS).isascii() else value) is not None


def parts_of(link: str) -> SplitResult | None:
    """The parts of an address; None where no program could say which host it leads to."""
    # As it came: `evil。com://named.example` begins with a host, and would begin with a scheme once its first dot were made a usual one.
    try:
        parts = urlsplit(link if _SCHEME.match(link) else f"https://{link.removeprefix('//')}")
        return parts if parts.hostname else None
    except ValueError:
        return None


def names_host(text: str, host: str) -> bool:
    """Whether a host stands in a text, and not as a part of a longer name.

    Args:
        text: any.
        host: as `lowered` has it.
    """
    return len(host) <= HOST_CHARS and _stands(host, lowered(text))


def stands_in(link: str, text: str) -> bool:
    """Whether a whole address stands in a text sign by sign, and is not the beginning of another one's name."""
    return len(link) <= LINK_CHARS and _stands(link, text)


def readings_of(asked: str) -> tuple[str, str]:
    """What was asked, as whoever answers may repeat it: in the usual form of its letters, and without escapes."""
    usual = unicodedata.normalize("NFKC", asked)
    return lowered(usual), lowered(unquote(usual))


def _stands(sought: str, text: str) -> bool:
    return sought in text and re.search(rf"(?<![\w.-]){re.escape(sought)}(?![\w-]|\.\w)", text) is not None
