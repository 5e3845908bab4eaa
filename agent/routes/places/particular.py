"""What a server outside takes otherwise than others do, as its own refusals say it; the request is then written as that server wants it.

Pure. Servers that speak one protocol do not agree on its fields: OpenAI's newer models know no `max_tokens` and no `temperature` but their
own, and DeepSeek and Moonshot want back what the model thought before a call. Which model wants what changes with every month, so a refusal
is believed and no list of names is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, cast

Wish = Literal["max_tokens", "temperature", "reasoning_content"]
_CODES = frozenset({"unsupported_parameter", "unsupported_value"})
_FIELD = re.compile(r"\b(max_tokens|temperature)\b")
_UNKNOWN = re.compile(r"unsupported|not support|n['’]t support|deprecated|only 1 is allowed", re.IGNORECASE)
_MISSED = re.compile(r"must be passed back|missing", re.IGNORECASE)


def wish_in(said: str, *, code: object = None, param: object = None) -> Wish | None:
    """What a refusal asks for; None where it is about something else.

    Args:
        said: its sentence.
        code: its field of that name, if it has one.
        param: the same.
    """
    if code in _CODES and param in ("max_tokens", "temperature"):
        return cast("Wish", param)
    if "reasoning_content" in said:
        return "reasoning_content" if _MISSED.search(said) else None
    named = _FIELD.search(said)
    return cast("Wish", named[1]) if named is not None and _UNKNOWN.search(said) else None


def digest_of(thoughts: str) -> str:
    """By what thoughts are known again."""
    return hashlib.sha256(thoughts.encode("utf-8", "replace")).hexdigest()


def as_wished(request: Mapping[str, Any], wishes: Collection[Wish], own: Collection[str]) -> dict[str, Any]:
    """A request as the server wants it.

    1. Without `temperature`, or with the most tokens under their newer name.
    2. Thoughts are left out, because the protocol has no place for them. Where they are wanted back before calls, those that this very
       server wrote are; what another model thought stays in the house, and an empty text stands in its place.

    Args:
        request: as for any server.
        wishes: what it asked for so far.
        own: the digests of what its models thought.
    """
    made = {key: value for key, value in request.items() if key != "temperature" or "temperature" not in wishes}
    if "max_tokens" in wishes and "max_tokens" in made:  # 1
        made["max_completion_tokens"] = made.pop("max_tokens")
    made["messages"] = [_message(each, own if "reasoning_content" in wishes else None) for each in request["messages"]]  # 2
    return made


def _message(given: Mapping[str, Any], own: Collection[str] | None) -> dict[str, Any]:
    message = {key: value for key, value in given.items() if key != "reasoning_content"}
    if own is not None and given.get("tool_calls"):
        thoughts: str = given.get("reasoning_content") or ""
        message["reasoning_content"] = thoughts if digest_of(thoughts) in own else ""
    return message
