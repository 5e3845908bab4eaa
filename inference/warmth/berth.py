"""A request's place in its model's slots, and the null object for those that take any."""

from __future__ import annotations

from inference.upstream.tap import Measured


class Berth:
    """The null object: a request that takes any slot or none."""

    slot: int | None = None
    """None leaves the choice to the server."""

    async def learn(self, measured: Measured) -> None:
        """The answer is complete; `measured` is what its end said."""


NO_BERTH = Berth()
