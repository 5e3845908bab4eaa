"""Standard input that no byte can end, and that is empty where it was closed."""

from __future__ import annotations

import os
import sys


def take_any_bytes() -> None:
    """Have it hand over bytes that are no text as halves of characters (`agent.whole_text` makes signs of them)."""
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape")


def be_empty_if_closed() -> None:
    """Where whoever started us closed it (`variet ask <&-`), there is nothing to read; Python then has none at all."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - until the program ends


def is_at_keyboard() -> bool:
    """Whether a person types what is read."""
    return sys.stdin.isatty()
