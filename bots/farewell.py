"""Ending tidily when the terminal's window is closed or the system says so: what was started is stopped, the demo's home is removed."""

from __future__ import annotations

import signal
import sys
from types import FrameType

SIGNALS = ("SIGTERM", "SIGHUP")
"""By name: not every system has both."""


def leave_on_signals() -> None:
    """From now on these signals end the program by way of its clean-up, with the exit code that a shell expects."""
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, _leave)


def _leave(number: int, _: FrameType | None) -> None:
    # Only the first counts: the clean-up that it begins must not be cut short by the second.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)
