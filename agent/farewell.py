"""Ending tidily when the terminal's window is closed or the system says so: what was started is stopped, the demo's home is removed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import NoReturn, TypeVar

import anyio
from anyio.abc import TaskStatus

from agent.background import background_tasks

SIGNALS = ("SIGTERM", "SIGHUP")
"""By name: not every system has both."""
Result = TypeVar("Result")


def run_until_told(main: Callable[[], Awaitable[Result]]) -> Result:
    """Run `main` in an event loop; a signal to end cancels it, and the program ends with the exit code that a shell expects.

    A signal that is ignored when it begins stays so: whoever began it said that, as `nohup` does of the terminal's end.

    Raises:
        SystemExit: a signal came; 128 and its number.
    """
    known = [number for name in SIGNALS if (number := getattr(signal, name, None)) is not None]
    numbers = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    # Until the loop runs, and on systems whose loop takes no signals.
    for number in numbers:
        signal.signal(number, _leave)
    if sys.platform == "win32":
        return anyio.run(main)
    return anyio.run(_cancelled_by, numbers, main)


async def _cancelled_by(numbers: list[signal.Signals], main: Callable[[], Awaitable[Result]]) -> Result:
    # An exception out of a signal's handler would tear a task in the middle of a step, and what it held could then never be left.
    told: list[int] = []
    result: list[Result] = []

    async def listen(scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(*numbers) as signals:
            task_status.started()
            # The clean-up that the first begins must not be cut short by a second, so this goes on listening.
            async for number in signals:
                told.append(number)
                scope.cancel()

    async with background_tasks() as tasks:
        with anyio.CancelScope() as scope:
            await tasks.start(listen, scope)
            result.append(await main())
    if told:
        _end(told[0])
    return result[0]


def _leave(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    _end(number)


def _end(number: int) -> NoReturn:
    sys.exit(128 + number)
