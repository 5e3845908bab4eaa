"""Ask a disk without depending on its answer: a share that hangs, or a disk that spins up, holds up only who asked, and not for ever.

Each look has a thread of its own, which is left behind where the disk does not answer: one of the pool would be missing there, and would
be waited for at the engine's end. Who asks the same meanwhile waits for the same look, so a disk that hangs takes one thread per question.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Generic, TypeVar, cast

import anyio
import anyio.from_thread
import anyio.lowlevel

Subject = TypeVar("Subject", bound=Hashable)
Found = TypeVar("Found")


class Look(Generic[Found]):
    """One look, begun as soon as it is made; in the event loop."""

    def __init__(self, see: Callable[[], Found]) -> None:
        self._found: Future[Found] = Future()
        self._news = anyio.Event()
        token = anyio.lowlevel.current_token()

        def look() -> None:
            try:
                self._found.set_result(see())
            except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
                self._found.set_exception(error)
            # A RuntimeError says that the event loop has ended: nobody waits any more.
            with contextlib.suppress(RuntimeError):
                anyio.from_thread.run_sync(self._news.set, token=token)

        threading.Thread(target=look, name="look at the disk", daemon=True).start()

    @property
    def is_over(self) -> bool:
        """Whether the disk has answered."""
        return self._found.done()

    async def found(self) -> Found:
        """What was seen, or what went wrong. The caller bounds the wait; the look goes on without it."""
        await self._news.wait()
        return self._found.result()


_UNDER_WAY = anyio.lowlevel.RunVar[Mapping[Hashable, Look[Any]]]("looks under way", {})
"""By question, of one event loop."""


async def look_at(see: Callable[[Subject], Found], subject: Subject, bound_s: float) -> Found:
    """What `see` says of `subject`.

    Raises:
        TimeoutError: nothing within `bound_s`.
    """
    question = (see, subject)
    under_way = {asked: look for asked, look in _UNDER_WAY.get().items() if not look.is_over}
    look = cast("Look[Found]", under_way.get(question) or Look(partial(see, subject)))
    _UNDER_WAY.set({**under_way, question: look})
    with anyio.fail_after(bound_s):
        return await look.found()
