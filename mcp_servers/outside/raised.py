"""Letters that stand above or below the line, in one line: `10` with a raised 6 is `10^6`, and never `106`.

Pure.
"""

from __future__ import annotations

import re

MAX_RAISED_CHARS = 40
"""What is longer is a text of its own and no exponent."""
SIGNS = {"sup": "^", "sub": "_"}
_ONE_RUN = re.compile(r"[-+\u2212\u2013]?\w+")
_ORDINALS = frozenset({"st", "nd", "rd", "th"})


def raised(tag: str, inner: str) -> str:
    """What stands in a `sup` or `sub`, marked as such.

    Footnotes in brackets, ordinals and signs such as a trade mark are as they were: nobody reads them as a part of the number before.
    """
    text = inner.strip()
    is_plain = text.startswith(("[", "\\[")) or text.lower() in _ORDINALS or not re.search(r"\w", text) or re.search(r"[\n\0]", text)
    if tag not in SIGNS or is_plain or len(text) > MAX_RAISED_CHARS:
        return inner
    return f"{SIGNS[tag]}{text}" if _ONE_RUN.fullmatch(text) else f"{SIGNS[tag]}({text})"
