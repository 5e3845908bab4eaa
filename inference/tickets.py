"""One request's dealings with the supervisor: it waits for its grant, holds its lease, and learns when somebody ends it."""

from __future__ import annotations

import anyio

from inference.errors import EngineError
from inference.upstream.address import CHILD_HOST, NOWHERE, Address

EXIT_GRACE_S = 1.0
"""After the model's process has ended: what it had still sent is read to the end, then a connection that something keeps open is given
up."""


class Ticket:
    """A place in the queue, then a lease. Made by `Supervisor.ticket`."""

    def __init__(self, request: str, model: str) -> None:
        self.id = request
        self.model = model
        self.address = NOWHERE
        """Where the model answers, once granted."""
        self.arrived_at = anyio.current_time()
        self.swap_s = 0.0
        """Seconds of its wait in which its model was loading, once granted."""
        self.ended: tuple[str, ...] = ()
        """Ids of the requests that were ended for this one."""
        self.verdict: EngineError | None = None
        """Why it was refused, or cut off after its grant."""
        self._settled = anyio.Event()
        self._cut_off = anyio.Event()
        self._scope: anyio.CancelScope | None = None

    @property
    def port(self) -> int:
        """Of its address, by which one start of a model is told from another."""
        return self.address.port

    @property
    def host(self) -> str:
        """The value of a request's Host header."""
        return f"{CHILD_HOST}:{self.port}"

    async def wait_granted(self) -> None:
        """Wait for the model. The scheduler bounds the wait.

        Raises:
            EngineError: the request was refused.
        """
        await self._settled.wait()
        if self.verdict is not None:
            raise self.verdict

    async def wait_settled(self) -> None:
        """Wait until it is granted or refused."""
        await self._settled.wait()

    async def wait_verdict(self, timeout_s: float) -> None:
        """Give the news of why it was cut off a moment to come."""
        with anyio.move_on_after(timeout_s):
            await self._cut_off.wait()

    def scope(self) -> anyio.CancelScope:
        """The scope to do the granted work in; it is cancelled when the request is ended, and `verdict` then says why."""
        self._scope = anyio.CancelScope()
        return self._scope

    # The supervisor's side.

    def grant(self, address: Address, load: tuple[float, float]) -> None:
        """The model is there; `load` is when it set out to load and when it was ready."""
        self.address = address
        self.swap_s = max(0.0, load[1] - max(load[0], self.arrived_at))
        self._settled.set()

    def refuse(self, error: EngineError) -> None:
        """It will not be served."""
        self.verdict = error
        self._settled.set()

    def cut(self, error: EngineError) -> None:
        """Somebody ended it."""
        self.verdict = error
        self._cut_off.set()
        if self._scope is not None:
            self._scope.cancel()

    def expect(self, error: EngineError) -> None:
        """The process behind it is about to be ended: this is why its connection breaks."""
        self.verdict = self.verdict or error

    def bereave(self, error: EngineError) -> None:
        """The process behind it has ended."""
        self.verdict = error
        self._cut_off.set()
        if self._scope is not None:
            self._scope.deadline = anyio.current_time() + EXIT_GRACE_S
