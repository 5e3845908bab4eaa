"""Who is attached to the service, and whether it is still needed: a count, and one decision that is made once.

A service that nobody needs holds memory, a model and the login to a mailbox for nothing. Deciding to leave and refusing newcomers happen in
one step, so that nobody attaches to a service that is already on its way out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio

LEAVE_GRACE_S = 2.0
"""Between the last front-end's end and the service's: the next `variet ask` of a shell loop finds it still warm."""
FIRST_ATTACH_S = 30.0
"""A front-end that started us attaches within moments; one that died meanwhile never does."""
BUSY_LOOK_S = 0.25
"""Between looks at whether a turn still runs when nobody is attached any more."""


class Leaving(Exception):
    """The service has decided to leave; ask the next one."""


class Presence:
    """The attached front-ends of one service."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        """Nobody is attached yet.

        Args:
            is_busy: whether a turn or an approved call runs.
        """
        self._is_busy = is_busy
        self._attached = 0
        self._changed = anyio.Event()
        self.leaving = anyio.Event()
        """Set once, when the service has decided to leave, for whatever reason."""

    @contextmanager
    def attached(self) -> Generator[None]:
        """Count a front-end in, and out again at the end.

        Raises:
            Leaving: it comes too late.
        """
        if self.leaving.is_set():
            raise Leaving
        self._note(1)
        try:
            yield
        finally:
            self._note(-1)

    @property
    def is_needed(self) -> bool:
        """Whether somebody is attached or something runs."""
        return self._attached > 0 or self._is_busy()

    @property
    def is_busy(self) -> bool:
        """Whether something runs."""
        return self._is_busy()

    @property
    def others(self) -> int:
        """How many front-ends are attached."""
        return self._attached

    def leave(self) -> None:
        """Decide to leave, needed or not."""
        self.leaving.set()

    async def leave_when_unneeded(self) -> None:
        """Wait until nobody has needed the service for the grace period, then decide to leave."""
        with anyio.move_on_after(FIRST_ATTACH_S):
            while not self._attached:
                await self._changed.wait()
        while True:
            while self.is_needed:
                # Whoever goes is noted; only the end of what runs has to be looked for.
                await self._wait_changed(None if self._attached else BUSY_LOOK_S)
            came_and_went = await self._wait_changed(LEAVE_GRACE_S)
            if not came_and_went and not self.is_needed:
                self.leave()
                return

    async def _wait_changed(self, bound_s: float | None) -> bool:
        changed = self._changed
        with anyio.move_on_after(bound_s):
            await changed.wait()
        return changed.is_set()

    def _note(self, change: int) -> None:
        self._attached += change
        self._changed.set()
        self._changed = anyio.Event()
