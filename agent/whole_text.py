"""Text that can be written down: halves of characters, as bytes that are no UTF-8 leave them, become the sign for what cannot be read.

A terminal, a command line or a program may hand them over in the middle of any text; no encoder takes them, so that one such sign would
end a whole connection.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def whole(text: str) -> str:
    """The same text, each lone half of a character replaced; two that belong together become the character that they are."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _whole(given: object) -> object:
    return whole(given) if isinstance(given, str) else given


WholeText = Annotated[str, BeforeValidator(_whole)]
"""A field of a body that people's words go into."""
