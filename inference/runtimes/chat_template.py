"""Whether a model's own chat template can show tools at all, as the head of its GGUF file tells. Pure.

Only a sure no is told: a template that nowhere has the word cannot render what it does not name. One that has it may still be unable, which
its server says once it is loaded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

MOST_BYTES: Final = 32 * 1024 * 1024
"""How far the template is looked for: it stands after the vocabulary, which is several megabytes."""
_MAGIC: Final = b"GGUF"
_NAME: Final = b"tokenizer.chat_template"
_STRING: Final = struct.pack("<I", 8)
_KEY: Final = struct.pack("<Q", len(_NAME)) + _NAME + _STRING
_OTHERS: Final = (_NAME + b".", _NAME + b"s")
"""How the names of further templates begin, such as the one that llama-server takes for tools, and their list."""
_LENGTH: Final = struct.Struct("<Q")
_ABOUT_TOOLS: Final = (b"tool", b"function")
_OVERRIDES: Final = frozenset({"--chat-template", "--chat-template-file"})
"""With these it is another template that counts."""


def is_template_told(arguments: Iterable[str]) -> bool:
    """Whether a model is started with another template than its file's."""
    # llama-server takes both signs in a flag's name for the same.
    return any(argument.split("=", 1)[0].replace("_", "-") in _OVERRIDES for argument in arguments)


def has_no_tools(head: bytes) -> bool | None:
    """Whether the template is surely one without tools; None where it does not lie in `head` whole.

    Args:
        head: the beginning of a file.
    """
    if not head.startswith(_MAGIC):
        return False
    begin = head.find(_KEY)
    if begin < 0 or len(head) < begin + len(_KEY) + _LENGTH.size:
        return None
    begin += len(_KEY)
    (length,) = _LENGTH.unpack_from(head, begin)
    begin += _LENGTH.size
    template = head[begin : begin + length]
    if len(template) < length:
        return None
    has_others = any(name in head for name in _OTHERS)
    return not has_others and not any(word in template.lower() for word in _ABOUT_TOOLS)
