"""Whoever made a call, as its server reaches them while it runs: to tell how far it is, and to ask the person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.tools.questions import DECLINED, Answer, Progress, Question


async def _nobody(_: Question) -> Answer:
    return DECLINED


def _ignore(_: Progress) -> None:
    return None


@dataclass(frozen=True)
class Caller:
    """Both ways back to a call's maker."""

    on_progress: Callable[[Progress], None] = _ignore
    ask: Callable[[Question], Awaitable[Answer]] = _nobody
    """Must be bounded."""


NOBODY = Caller()
"""Hears nothing and declines everything."""
