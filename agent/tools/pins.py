"""What each tool looked like when a person first let it in: a tool that is described otherwise since then is asked about before it is used.

Pure. A server may be harmless on the day that it is added and say something else to the model a month later. So the first use is trusted
and kept, the model goes on being shown what was kept, and a person decides on the new words with both in view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from agent.tools.served import ServedTool
from agent.view.prompt import canonical_json

SHOWN_CHARS = 1500
"""Of a description or a schema in a question."""


@dataclass(frozen=True)
class Pin:
    """What one tool of a server was when it was let in."""

    description: str
    input_schema: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of both, in hexadecimal."""
        return hashlib.sha256(canonical_json([self.description, self.input_schema]).encode()).hexdigest()


def pin_of(tool: ServedTool) -> Pin:
    """A tool as it is served now."""
    return Pin(tool.description, tool.input_schema)


class Held(NamedTuple):
    """A server's tools held against what was kept of them."""

    changed: Mapping[str, Pin]
    """Those that are served otherwise than they were let in, by their own names: what was kept."""
    new: Mapping[str, Pin]
    """What is to be kept from now on: those that nobody has seen before."""


def held_against(tools: Iterable[ServedTool], pins: Mapping[str, Pin], *, is_ours: bool) -> Held:
    """Compare.

    1. A tool that was not there before is let in: it is the first use.
    2. One that is as it was: nothing.
    3. One of our own servers that differs came with another version of this very program: it is let in.
    4. Any other that differs waits for a person.

    Args:
        tools: as they are served now.
        pins: what was kept of this server, by the tools' own names.
        is_ours: it comes with Variet.
    """
    changed, new = dict[str, Pin](), dict[str, Pin]()
    for tool in tools:
        kept, now = pins.get(tool.name), pin_of(tool)
        if kept is None or (is_ours and kept.digest != now.digest):  # 1, 3
            new[tool.name] = now
        elif kept.digest != now.digest:  # 4
            changed[tool.name] = kept
    return Held(changed, new)


def change_lines(kept: Pin, now: Pin) -> tuple[tuple[str, str], ...]:
    """What a person is shown of a change, label and value."""
    lines = [("Careful", "its server describes this tool otherwise than when you first used it; a yes accepts that too")]
    if kept.description != now.description:
        lines += [("Described before as", kept.description), ("Described now as", now.description)]
    if kept.input_schema != now.input_schema:
        lines += [("Took before", canonical_json(kept.input_schema)), ("Takes now", canonical_json(now.input_schema))]
    return tuple((label, value[:SHOWN_CHARS]) for label, value in lines)
