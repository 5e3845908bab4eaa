"""Messages as the bytes that are sent: each is serialised once, when it is appended, and a request is those bytes joined.

The server's prompt cache pays only for what is new if everything old is the same to the byte; so nothing here parses and dumps again
what a model wrote (tool arguments stay the raw text), and the prefix (system prompt and tools) is frozen per session.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.events import CallValue, Picture
from agent.view.pictures import parts_of
from agent.view.prompt import SYSTEM_PROMPT, canonical_json, tool_schemas

Manner = Literal["usual", "again", "strict", "answer", "summary"]
"""How a model is asked: as always; again and less rigidly, after an empty reply; with its calls held to their grammar, after calls that
could not be read; for an answer and no more calls, after going in circles or for a summary. The prompt is the same in all of them."""
_MANNERS: Mapping[Manner, Mapping[str, Any]] = {
    "usual": {},
    "again": {"temperature": 0.7},
    "strict": {"tool_choice": "required"},
    "answer": {"tool_choice": "none"},
    "summary": {"tool_choice": "none"},
}

ID_LETTERS = 9
"""What Mistral's templates take as the id of a call; other models write none of it into their prompts, or are not particular."""
_LONG_OPAQUE_ID = re.compile(r"[A-Za-z0-9_-]{10,}")
"""An id that means nothing: `call_…`, `toolu_…`, 32 letters of llama-server. `functions.NAME:0`, as Kimi writes them, has a meaning."""


@dataclass(frozen=True)
class Prefix:
    """What every request of a session starts with."""

    system: bytes
    """The system message."""
    tools: bytes
    """The JSON array of tools; `[]` when there are none."""

    def parameters(self) -> dict[str, dict[str, Any]]:
        """JSON Schema of each tool's arguments, by the name that the model was shown."""
        return {tool["function"]["name"]: tool["function"]["parameters"] for tool in json.loads(self.tools)}


def freeze_prefix(tools: Iterable[Mapping[str, Any]]) -> Prefix:
    """The prefix of a new session.

    Args:
        tools: mappings with `name`, `description` and `input_schema`.
    """
    return Prefix(system_message(SYSTEM_PROMPT), _dump(tool_schemas(tools)))


def system_message(text: str) -> bytes:
    return _dump({"role": "system", "content": text})


def user_message(text: str, pictures: Sequence[Picture] = ()) -> bytes:
    return _dump({"role": "user", "content": parts_of(text, pictures) if pictures else text})


def assistant_message(text: str, reasoning: str = "", calls: Sequence[CallValue] = ()) -> bytes:
    """An assistant turn as it was generated: its reasoning and the raw text of its calls' arguments included."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [
            {"id": sent_id(call.id), "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in calls
        ]
    return _dump(message)


def tool_message(call: str, text: str, pictures: Sequence[Picture] = ()) -> bytes:
    return _dump({"role": "tool", "tool_call_id": sent_id(call), "content": parts_of(text, pictures) if pictures else text})


def sent_id(call: str) -> str:
    """A call's id as models are sent it, with the call and with its result.

    A long one without a meaning becomes nine letters: templates of Mistral's models refuse a whole conversation for any other, and the
    servers' own ids, those of other models and those that were missing are longer.
    """
    if not _LONG_OPAQUE_ID.fullmatch(call):
        return call
    return base64.b32encode(hashlib.sha256(call.encode()).digest()).decode().lower()[:ID_LETTERS]


def request_body(*, model: str, prefix: Prefix, messages: Iterable[bytes], max_tokens: int, manner: Manner = "usual") -> bytes:
    """A streaming chat completion.

    Args:
        model: the tier's name.
        prefix: as frozen for the session.
        messages: everything after the system message, oldest first.
        max_tokens: most tokens to generate.
        manner: how it is asked; changes no byte of messages or tools.
    """
    parts = [b'{"model":', json.dumps(model).encode(), b',"messages":[', b",".join((prefix.system, *messages)), b"]"]
    if prefix.tools != b"[]":
        parts += [b',"tools":', prefix.tools]
    options: dict[str, Any] = {
        "cache_prompt": True,
        "max_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }
    if manner == "again" or prefix.tools != b"[]":
        options |= _MANNERS[manner]
    return b"".join((*parts, b",", _dump(options)[1:]))


def _dump(value: object) -> bytes:
    return canonical_json(value).encode()
