"""Cards whose driver is slower than the engine's start (a boot, cards that have to wake up): looked at again until they answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from inference.cards.card import Look

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""A machine may have a driver and never a card, which a look now and then does not hurt."""
_LOG = logging.getLogger(__name__)


async def await_cards(look: Look, then: Callable[[], Awaitable[None]]) -> None:
    """Return when the cards have said something for the first time and `then`, which plans with them, is done."""
    pause_s = FIRST_PAUSE_S
    # A look that hangs in the driver holds up no end of the engine.
    while not await anyio.to_thread.run_sync(look, abandon_on_cancel=True):
        await anyio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    _LOG.warning("the graphics cards answer now: memory is planned by what they say from here on")
    await then()
