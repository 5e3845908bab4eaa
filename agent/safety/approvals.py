"""Approvals: one question to a person about exactly one call, answered once, and void after its time.

The digest binds an answer to the call that was shown: whatever would run must hash to it.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import ApprovalError
from agent.events import ApprovalNeeded
from agent.view.prompt import canonical_json

UNAPPROVED = "This needs the person's approval. Nothing was done."
"""What the model is told when nobody answers in time, or nobody can be asked."""

HIDDEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Unicode's control, format, private and surrogate characters, and its own ends of lines and paragraphs."""


@dataclass(frozen=True)
class ApprovalRow:
    """One approval as stored."""

    session: str
    needed: ApprovalNeeded
    expires_at: float
    """Epoch seconds."""
    outcome: str | None
    """None while it is open."""


def approval_id(turn: str, call: str) -> str:
    """An approval's name. It need not be secret: an answer counts only with the digest, from a front-end that holds the service's token."""
    return "a-" + hashlib.sha256(f"{turn}/{call}".encode()).hexdigest()[:12]


def digest_of(tool: str, arguments: Mapping[str, Any], host: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of what will run, in hexadecimal."""
    return hashlib.sha256(canonical_json({"arguments": arguments, "host": host, "tool": tool}).encode()).hexdigest()


def check_answer(row: ApprovalRow | None, *, digest: str, now: float) -> ApprovalRow:
    """The approval that an answer is for.

    1. There is none: refused.
    2. It has its answer: refused.
    3. Its time is over: refused.
    4. The answer carries another call's digest: refused.

    Raises:
        ApprovalError: with which of these it was.
    """
    if row is None:  # 1
        raise ApprovalError("unknown")
    if row.outcome is not None:  # 2
        raise ApprovalError("answered")
    if row.expires_at <= now:  # 3
        raise ApprovalError("expired")
    if row.needed.digest != digest:  # 4
        raise ApprovalError("digest")
    return row


def lines_of(arguments: str) -> tuple[tuple[str, str], ...]:
    """Label and value of every argument, for a tool that has no dry run to name them better."""
    values: dict[str, Any] = json.loads(arguments)
    return tuple((shown(name), shown(value if isinstance(value, str) else canonical_json(value))) for name, value in values.items())


def shown(text: str) -> str:
    """Text as a person may be shown it: characters that hide, reorder or redraw are spelled out, line ends are kept."""
    return "".join(f"\\u{ord(char):04x}" if char != "\n" and unicodedata.category(char) in HIDDEN else char for char in text)
