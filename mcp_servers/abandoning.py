"""Waits for what cannot be ended from outside, such as a connect, and leaves it at once when the call is given up.

A socket that is being connected, a name that is being looked up and a greeting that does not come hold their thread until their own bound
is over. So they have a thread of their own, which goes on to that bound alone; what comes of it then is undone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from mcp_servers.protocol import progress

T = TypeVar("T")
Trace = Callable[[str, Mapping[str, Any]], None]
"""What an HTTP client tells of a request, by the name of what happened."""
MAX_LEFT = 64
"""Threads that were left and are not over. Who would leave one more waits with it: giving up again and again must not pile them up."""
_ROOM = threading.BoundedSemaphore(MAX_LEFT)
_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Abandoned(BaseException):
    """Nobody waits any more. It ends the thread that was left, and reaches nobody."""


class Wait:
    """One wait for one piece of work.

    Args:
        hang_up: what breaks the work off, as far as that can be done; quick, and called from another thread.
    """

    def __init__(self, hang_up: Callable[[], object] = lambda: None) -> None:
        self._hang_up = hang_up
        self._is_left = threading.Event()

    def of(self, work: Callable[[], T], undo: Callable[[T], object] = lambda _: None) -> T:
        """What the work returns or raises.

        Args:
            work: is bounded in time by itself, and harms nobody when it is left.
            undo: what is done with the result of work that was left.

        Raises:
            GivenUp: the call was given up first.
        """
        future: Future[T] = Future()
        over = threading.Event()
        future.add_done_callback(lambda _: over.set())
        threading.Thread(target=_run, args=(work, future), name="abandonable", daemon=True).start()

        def leave() -> None:
            self._is_left.set()
            if (room := _ROOM).acquire(blocking=False):
                future.add_done_callback(lambda _: room.release())
                over.set()
            self._hang_up()

        with progress.ends(leave):
            over.wait()
        if future.done() and not isinstance(future.exception(), Abandoned):
            return future.result()
        future.add_done_callback(partial(_undone, undo))
        raise progress.GivenUp

    def unless_left(self, trace: Trace) -> Trace:
        """The same trace of an HTTP client, which sends no request over a connection that nobody waits for."""

        def told(event: str, info: Mapping[str, Any]) -> None:
            trace(event, info)
            if self._is_left.is_set() and event.endswith(_CONNECTED):
                info["return_value"].close()
                raise Abandoned

        return told


def _run(work: Callable[[], T], future: Future[T]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - whoever waits raises it
        future.set_exception(error)
    else:
        future.set_result(result)


def _undone(undo: Callable[[T], object], future: Future[T]) -> None:
    # Whatever is wrong with it, nobody wants it any more.
    if future.exception() is None:
        with suppress(Exception):
            undo(future.result())
