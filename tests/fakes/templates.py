"""Chat templates of every kind, as functions: they keep thoughts, leave them out, drop them at the next question, or put them elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]


def keeps(request: Mapping[str, Any]) -> str:
    """Every thought stays before what it led to."""
    return _rendered(request, lambda _messages, _at: True)


def ignores(request: Mapping[str, Any]) -> str:
    """It knows of no thoughts."""
    return _rendered(request, lambda _messages, _at: False)


def drops_at_the_next_question(request: Mapping[str, Any]) -> str:
    """Thoughts since the last question stay, as while calls are made; those before it go."""
    return _rendered(request, lambda messages, at: at > max(n for n, message in enumerate(messages) if message["role"] == "user"))


def keeps_but_not_with_calls(request: Mapping[str, Any]) -> str:
    """Thoughts of answers stay, those of calls go when the answer is there."""
    return _rendered(request, lambda messages, at: not messages[at].get("tool_calls") or at >= len(messages) - 2)


def puts_after(request: Mapping[str, Any]) -> str:
    """Thoughts stand behind the answer."""
    return "".join(
        f"<{message['role']}>{message['content']}{_call(message)}{_thought(message)}\n" for message in request["messages"]
    )  # fmt: skip


def gathers_on_top(request: Mapping[str, Any]) -> str:
    """All thoughts stand before the conversation."""
    messages: Sequence[Message] = request["messages"]
    return "".join(_thought(message) for message in messages) + ignores(request)


def opens_thoughts(request: Mapping[str, Any]) -> str:
    """It begins every answer inside thoughts."""
    return keeps(request) + ("<assistant><think>\n" if request.get("add_generation_prompt") else "")


def takes_no_calls(request: Mapping[str, Any]) -> str:
    """It fails where tools are offered."""
    if request.get("tools"):
        raise ValueError("this template has no tools")
    return keeps(request)


def strips_tags(request: Mapping[str, Any]) -> str:
    """Takes thoughts out of the text of earlier answers."""
    messages = [
        {**message, "content": message["content"].rpartition("</think>")[2].lstrip()} for message in request["messages"]
    ]  # fmt: skip
    return ignores({**request, "messages": messages})


def _rendered(request: Mapping[str, Any], keeps_of: Callable[[Sequence[Message], int], bool]) -> str:
    messages: Sequence[Message] = request["messages"]
    parts = [
        f"<{message['role']}>{_thought(message) if keeps_of(messages, at) else ''}{message['content']}{_call(message)}\n"
        for at, message in enumerate(messages)
    ]
    return "".join(parts) + ("<assistant>" if request.get("add_generation_prompt", True) else "")


def _thought(message: Message) -> str:
    return f"<think>{message['reasoning_content']}</think>" if message.get("reasoning_content") else ""


def _call(message: Message) -> str:
    return json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
