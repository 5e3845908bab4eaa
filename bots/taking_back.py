"""Taking back what is about to go out: the command line and the chat do it alike."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from agent.errors import HoldError
from agent.held_events import HeldCall
from agent.service.client import ServiceClient

NOTHING_HELD = "Nothing is about to go out."
ALL: Container[str] = ()
"""As the names of holds: whatever is held."""


@dataclass(frozen=True)
class TakenBack:
    """What came of it."""

    back: tuple[HeldCall, ...] = ()
    """These never go out."""
    late: tuple[HeldCall, ...] = ()
    """These had gone out, or somebody else had taken them back, when it was their turn."""


async def take_back(service: ServiceClient, *, who: str, holds: Container[str] = ALL) -> TakenBack:
    """Take back what is held, the next to go out first.

    Args:
        service: where it is held.
        who: who takes it back.
        holds: only those of these names.
    """
    back, late = list[HeldCall](), list[HeldCall]()
    for each in await service.holds():
        if holds is not ALL and each.held.hold not in holds:
            continue
        try:
            await service.take_back(each.held.hold, who=who)
        except HoldError:
            late.append(each)
        else:
            back.append(each)
    return TakenBack(tuple(back), tuple(late))


def held_json(each: HeldCall) -> dict[str, Any]:
    """A held call for a program."""
    held = each.held
    lines = [list(line) for line in held.lines]
    return {"hold": held.hold, "session": each.session, "name": held.name, "summary": held.summary, "lines": lines, "until": held.until}
