"""Where a model's own server answers, and the key that it asks for.

A local port is reachable by every page that a browser on this machine shows, and by every account: what the engine's own port refuses
must not be had at a model's. So each start of a server gets a key of its own, which nobody else ever learns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CHILD_HOST: Final = "127.0.0.1"
"""Where all children listen: nobody but this machine may reach them."""


@dataclass(frozen=True)
class Address:
    """One start of one server."""

    port: int
    """On `CHILD_HOST`; 0 where nobody listens yet."""
    key: str = field(default="", repr=False)
    """What it was given in its environment; empty where it asks for none. Never to be written down."""

    def shown_key(self) -> list[tuple[bytes, bytes]]:
        """The header that lets a request in."""
        return [(b"authorization", b"Bearer " + self.key.encode())] if self.key else []


NOWHERE: Final = Address(0)
