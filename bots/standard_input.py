"""Standard input that no byte can end, however strictly it was opened."""

from __future__ import annotations

import sys


def take_any_bytes() -> None:
    """Have it hand over bytes that are no text as halves of characters (`agent.whole_text` makes signs of them)."""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape")
