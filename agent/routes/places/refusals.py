"""What the refusal of a server outside says: its own sentence, and whether another key may be what it wants.

Pure. Most refuse a key with 401; Google and xAI call it a bad request, and a key that was blocked is forbidden.
"""

from __future__ import annotations

import re
from typing import Any, cast

BAD_REQUEST, UNKNOWN, FORBIDDEN = 400, 401, 403
_OF_KEY = re.compile(r"\b(?:incorrect|invalid) api key|\bapi key (?:is )?(?:not valid|not found|invalid|expired)|api_key_invalid", re.I)
_KEY = re.compile(r"\bapi[ _-]?key", re.I)


def sentence_in(body: object) -> str:
    """What a refusal says to a person; empty where it says nothing, or with a page for browsers.

    Args:
        body: its `error`, or all of it. Google has a list around its own, and xAI a sentence where others have a table.
    """
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    if isinstance(body, dict):
        table = cast("dict[str, Any]", body)
        inner = table.get("error", table)
        body = cast("dict[str, Any]", inner).get("message") if isinstance(inner, dict) else inner
    said = body.strip() if isinstance(body, str) else ""
    return "" if said.startswith("<") else said


def wants_another_key(status: int, said: str) -> bool:
    """Whether the key may be what is refused, so that one that has changed since is worth another try.

    Args:
        status: of the answer.
        said: its sentence, or all that it says.
    """
    return status in (UNKNOWN, FORBIDDEN) or (status == BAD_REQUEST and _OF_KEY.search(said) is not None)


def blames_key(status: int, said: str) -> bool:
    """Whether it is the key, and nothing else: what is forbidden may also be a model, or the country that one asks from."""
    return wants_another_key(status, said) and (status != FORBIDDEN or _KEY.search(said) is not None)
