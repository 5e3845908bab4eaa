"""Lines of standard input, read by a thread that keeps nobody from leaving.

Where a signal ends the program, its client may never write again, and neither a thread nor a loop can be told to read no further.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from anyio.from_thread import BlockingPortal

STANDARD_INPUT = 0
NO_LIMIT = -1


@asynccontextmanager
async def input_lines(max_bytes: int = NO_LIMIT) -> AsyncGenerator[ObjectReceiveStream[bytes]]:
    """Standard input line by line, for the length of the block; it ends where the client has closed it.

    Args:
        max_bytes: a line that is longer comes in pieces.
    """
    # Not `sys.stdin`: its lock is taken when the interpreter ends, and the thread that waits for a line would hold it.
    file = open(STANDARD_INPUT, "rb", closefd=False)  # noqa: SIM115, ASYNC230 - until the program ends; opening blocks nobody
    send, receive = anyio.create_memory_object_stream[bytes]()
    with send, receive:
        async with BlockingPortal() as portal:
            threading.Thread(target=_read_on, args=(lambda: file.readline(max_bytes), send, portal), name="input", daemon=True).start()
            try:
                yield receive
            finally:
                await portal.stop(cancel_remaining=True)


def _read_on(read: Callable[[], bytes], send: ObjectSendStream[bytes], portal: BlockingPortal) -> None:
    # The block may end at any of these, and then nobody wants the line.
    with suppress(CancelledError, RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        while line := read():
            portal.call(send.send, line)
        portal.call(send.aclose)
