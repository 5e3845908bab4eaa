"""Empty stand-ins for the cloud vendors' clients that the suite imports and never calls: nothing here talks to anybody."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

NAMES = (
    *("anthropic", "anthropic.types", "anthropic.types.text_block_param", "anthropic.types.thinking_block"),
    *("cohere", "cohere.types", "cohere.core", "cohere.core.api_error"),
    *("openai", "openai._types", "openai.types", "openai.types.chat", "openai.types.chat.chat_completion_message_param"),
    *("openai.types.shared_params", "google", "google.genai", "google.genai.types", "google.genai.errors", "dotenv", "requests"),
)


class _Stub(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception,), {})
        setattr(self, name, made)
        return made


def install() -> None:
    """Put them in, before the suite is imported."""
    for name in NAMES:
        stub = _Stub(name)
        stub.__path__ = []
        sys.modules[name] = stub
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, stub)
