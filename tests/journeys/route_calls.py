"""What a llama.cpp server is asked, for the journey that holds its answers through the engine against those that it gives directly."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.tiny_projector import png

HELLO: list[Any] = [{"role": "user", "content": "What is on my calendar tomorrow?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "seed": 1}
ADD_EVENT: dict[str, Any] = {
    "name": "add_event",
    "description": "Add an event.",
    "parameters": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
}
READ_MAIL: dict[str, Any] = {"name": "read_mail", "description": "Read a mail.", "parameters": {"type": "object", "properties": {}}}
TOOLS: list[Any] = [{"type": "function", "function": tool} for tool in (READ_MAIL, ADD_EVENT)]

PICTURE = base64.b64encode(png(40)).decode()
LOOK: list[Any] = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}]
LOOK_AT_ANTHROPICS: list[Any] = [
    {"type": "text", "text": "What is it?"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
]
SEEN: dict[str, Any] = {"messages": [{"role": "user", "content": LOOK}], "max_tokens": 8, **GREEDY}
GAP: dict[str, Any] = {"input_prefix": "def f(", "input_suffix": "return 1"}


@dataclass(frozen=True)
class Call:
    """One request, and whether its answer is the same bytes each time."""

    path: str
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    method: str = "POST"
    status: int = 200
    is_exact: bool = False

    @property
    def content(self) -> bytes | None:
        """Written as no client library writes it, so that one that parses and writes again is found out."""
        return None if self.method == "GET" else json.dumps({"model": "chat", **self.body}, indent=1).replace(": ", " : ").encode()

    def __str__(self) -> str:
        how = f"_{self.body['model']}" if "model" in self.body else ""
        how += "_stream" if self.body.get("stream") else ""
        return f"{self.method}_{self.path.strip('/')}{how}" + ("" if self.status == 200 else f"_{self.status}")


CHAT: dict[str, Any] = {"messages": HELLO, "max_tokens": 8, **GREEDY}
TEXT = {"prompt": "Hello", "max_tokens": 8, **GREEDY}
CALLS = (
    Call("/v1/chat/completions", CHAT),
    Call("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}}),
    Call("/v1/completions", TEXT),
    Call("/v1/completions", {**TEXT, "stream": True}),
    Call("/completion", {"prompt": "Hello", "n_predict": 8, **GREEDY}),
    Call("/completion", {"prompt": "Hello", "n_predict": 8, **GREEDY, "stream": True}),
    Call("/v1/responses", {"input": HELLO, "max_output_tokens": 8, **GREEDY}),
    Call("/v1/responses", {"input": HELLO, "max_output_tokens": 8, **GREEDY, "stream": True}),
    Call("/v1/messages", CHAT),
    Call("/v1/messages", {**CHAT, "stream": True}),
    Call("/v1/messages/count_tokens", {"messages": HELLO}, is_exact=True),
    Call("/tokenize", {"content": "Grüße, world", "with_pieces": True}, is_exact=True),
    Call("/detokenize", {"tokens": [70, 71, 72]}, is_exact=True),
    Call("/apply-template", {"messages": HELLO}, is_exact=True),
    Call("/props?model=chat", method="GET", is_exact=True),
    Call("/slots?model=chat", method="GET", is_exact=True),
    Call("/v1/embeddings", {"model": "embed", "input": ["Grüße", "world"]}, is_exact=True),
    Call("/embedding", {"model": "embed", "content": "Hello"}, is_exact=True),
    Call("/v1/rerank", {"model": "ranks", "query": "tea", "documents": ["tea with Ann", "hello", "Grüße"]}, is_exact=True),
    Call("/infill", {"model": "sees", **GAP, "n_predict": 8, **GREEDY}),
    Call("/infill", {"model": "sees", **GAP, "n_predict": 8, **GREEDY, "stream": True}),
    Call("/v1/chat/completions", {"model": "sees", **SEEN}),
    Call("/v1/chat/completions", {"model": "sees", **SEEN, "stream": True}),
    Call("/v1/messages", {"model": "sees", **SEEN, "messages": [{"role": "user", "content": LOOK_AT_ANTHROPICS}]}),
    # What a server or a model cannot do, it says itself.
    Call("/v1/chat/completions", SEEN, status=500, is_exact=True),
    Call("/infill", GAP, status=501, is_exact=True),
    Call("/v1/rerank", {"query": "a", "documents": ["a", "b"]}, status=501, is_exact=True),
    Call("/v1/embeddings", {"input": "x"}, status=501, is_exact=True),
    Call("/v1/chat/completions", {"messages": "hello"}, status=400, is_exact=True),
    Call("/v1/chat/completions", {"messages": [{"role": "user", "content": "x " * 3000}]}, status=400, is_exact=True),
    Call("/v1/nothing", status=404, is_exact=True),
)
ALIASES = (
    Call("/completions", {"prompt": "Hello", "n_predict": 4, **GREEDY}),
    Call("/chat/completions", {**CHAT, "max_tokens": 4}),
    Call("/responses", {"input": HELLO, "max_output_tokens": 4, **GREEDY}),
    *(Call(f"{version}/chat/completions/input_tokens", {"messages": HELLO}, is_exact=True) for version in ("", "/v1")),
    *(Call(f"{version}/responses/input_tokens", {"input": HELLO}, is_exact=True) for version in ("", "/v1")),
    Call("/embeddings", {"model": "embed", "content": "Hello"}, is_exact=True),
    *(Call(path, {"query": "a", "documents": ["a"]}, status=501, is_exact=True) for path in ("/rerank", "/reranking", "/v1/reranking")),
    Call("/audio/transcriptions", status=501, is_exact=True),
    Call("/v1/chat/completions/control", status=400, is_exact=True),
    Call("/lora-adapters?model=chat", method="GET", is_exact=True),
)
"""The other names of routes, which a program may have been written for."""
