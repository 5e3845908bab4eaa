"""What a call under way says of itself, and how what it does notices that its client has given it up.

A tool says in a few words what it is at; the server sends them on to a client that asked for progress, at its own rate. Whoever waits for
something that can be ended (a child process, a connection) names what ends it, and whoever goes on step by step looks in between. All of
it does nothing outside of a served call, so that every module can be used alone. Safe to use from any thread that carries the call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import TypeVar

import anyio.from_thread

T = TypeVar("T")
U = TypeVar("U")
MAX_SAID_CHARS = 200


class GivenUp(BaseException):
    """The client does not want the answer any more. No failure: nothing that handles failures may take it for one."""


class Work:
    """One call under way."""

    def __init__(self) -> None:
        self.said = ""
        """What it is at; empty until it says so."""
        self.given_up = threading.Event()
        self._lock = threading.Lock()
        self._ends: dict[object, Callable[[], object]] = {}

    def give_up(self) -> None:
        """End what is waited for, and let whoever looks next stop."""
        # Held while they are called: none may reach what its call has left to another one meanwhile. They only shut things down.
        with self._lock:
            self.given_up.set()
            for end in tuple(self._ends.values()):
                _quietly(end)

    @contextmanager
    def ended_by(self, end: Callable[[], object]) -> Generator[None]:
        """While it lasts, giving the call up calls `end`, from another thread."""
        name = object()
        with self._lock:
            self._ends[name] = end
            is_late = self.given_up.is_set()
        try:
            if is_late:
                _quietly(end)
            yield
        finally:
            with self._lock:
                self._ends.pop(name, None)


_WORK: ContextVar[Work | None] = ContextVar("work", default=None)
_IS_WHOLE: ContextVar[bool] = ContextVar("is_whole", default=False)


@contextmanager
def under_way(work: Work) -> Generator[None]:
    """What is called within is this call's work."""
    token = _WORK.set(work)
    try:
        yield
    finally:
        _WORK.reset(token)


def work_under_way() -> Work | None:
    """The call that this is part of; None outside of a served one."""
    return _WORK.get()


def say(what: str) -> None:
    """What the call is at, in a few words of ours, such as `reading the file`."""
    work = _WORK.get()
    if work is not None:
        work.said = what[:MAX_SAID_CHARS]


def check() -> None:
    """Raise where the client has given the call up."""
    if _IS_WHOLE.get():
        return
    work = _WORK.get()
    if work is not None and work.given_up.is_set():
        raise GivenUp
    with suppress(RuntimeError):  # not in a server's thread: there is nobody to give anything up
        anyio.from_thread.check_cancelled()


@contextmanager
def ends(end: Callable[[], object]) -> Generator[None]:
    """While it lasts, giving the call up calls `end`; it must be quick, and is called from another thread."""
    work = _WORK.get()
    if work is None or _IS_WHOLE.get():
        yield
        return
    with work.ended_by(end):
        yield


def pause(seconds: float) -> None:
    """Sleep, but not on when the client has given the call up."""
    work = _WORK.get()
    if work is None or _IS_WHOLE.get():
        time.sleep(seconds)
        return
    work.given_up.wait(seconds)
    check()


def whole(work: Callable[[], T]) -> T:
    """Carry out what must not end half done: within it nothing is broken off."""
    token = _IS_WHOLE.set(True)
    try:
        return work()
    finally:
        _IS_WHOLE.reset(token)


def carried(work: Callable[[T], U]) -> Callable[[T], U]:
    """The same function for threads of one's own, in which the call is then known."""
    context = copy_context()
    return lambda item: context.copy().run(work, item)


def _quietly(end: Callable[[], object]) -> None:
    # What is gone already needs no end, and one that fails must not keep the others from theirs.
    with suppress(Exception):
        end()
