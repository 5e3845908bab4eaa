"""What front-ends show of texts that others wrote: as `config.plain` makes them, and so much of a title."""

from __future__ import annotations

from config.plain import for_file, neutralise, one_line

__all__ = ["TITLE_WIDTH", "for_file", "neutralise", "one_line"]

TITLE_WIDTH = 60
"""Of what names a conversation: whoever begins one with a whole log wants one line of it in a list."""
