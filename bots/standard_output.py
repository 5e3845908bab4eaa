"""Standard output and error that can always be written to: also where they were closed, or where their encoding lacks a sign.

By then a turn has run: an error about its answer would have a script ask again, and what was done would be done twice.
"""

from __future__ import annotations

import json
import os
import sys


def be_nowhere_if_closed() -> None:
    """Where whoever started us closed them (`variet ask >&- 2>&-`), what is written goes nowhere; Python then has none at all."""
    # In this order: each takes the lowest number that is free, its own, and no other file ever gets it.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the program ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above


def take_any_sign() -> None:
    """Write a question mark for what the encoding lacks; standard error does its own already."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def json_of(value: object) -> str:
    """A value as JSON, of which nothing is lost in an encoding that lacks a sign."""
    is_whole = (getattr(sys.stdout, "encoding", None) or "").lower().replace("_", "-") in ("utf-8", "utf8")
    return json.dumps(value, ensure_ascii=not is_whole)
