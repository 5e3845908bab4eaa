"""How long one call is waited for: a bounded silence, which progress breaks, and a bound on all of it.

Both stand still while a person is asked.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from math import inf

import anyio


class Patience:
    """One call's time. Enter `scope` around the call; its deadline moves.

    Args:
        silence_s: without a word.
        in_all_s: whatever it says.
    """

    def __init__(self, silence_s: float, in_all_s: float) -> None:
        self._silence_s = silence_s
        self._left_s = in_all_s
        self._since = anyio.current_time()
        self._pauses = 0
        self.scope = anyio.CancelScope(deadline=self._since + min(silence_s, in_all_s))

    @property
    def is_over(self) -> bool:
        """Whether the call was given up because its time was."""
        return self.scope.cancelled_caught

    def heard(self) -> None:
        """The server has said something of the call."""
        if not self._pauses:
            now = anyio.current_time()
            self._left_s -= now - self._since
            self._since = now
            self.scope.deadline = now + min(self._silence_s, self._left_s)

    @contextmanager
    def paused(self) -> Generator[None]:
        """The server waits for us; what that takes is not its time."""
        self.heard()
        self._pauses += 1
        self.scope.deadline = inf
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._since = anyio.current_time()
                self.scope.deadline = self._since + min(self._silence_s, self._left_s)
