"""Pages that seem public and are next door: this very machine by its public address, and what shares its network.

In a home with IPv6 every device has an address of the public internet, and a printer or a camera trusts whoever asks from its own network.
Anybody who was ever visited knows the network's number, and may point a name at its neighbours. So the fetch guard's table of ranges is not
all: what is connected to must not lie in the network that this machine would connect from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, cast

from config.network.no_listening import own_address
from mcp_servers.errors import Refusal
from mcp_servers.outside.destinations import NOT_PUBLIC

if TYPE_CHECKING:
    # Loaded with the first fetch: a server that waits for it has started sooner.
    import httpcore2

_NETWORK_BITS = 64
"""Of an IPv6 network, as every house has at least one."""


def is_neighbour(address: str, own: str) -> bool:
    """Whether an address is this machine's own or, with IPv6, in the same network. Pure.

    Args:
        address: literal.
        own: the one that this machine would connect from; empty: none.
    """
    try:
        there, here = ip_address(address), ip_address(own.partition("%")[0])
    except ValueError:
        return False
    if isinstance(there, IPv4Address) or isinstance(here, IPv4Address):
        return there == here
    return _network(there) == _network(here)


class NoNeighbours:
    """Connects to what is no neighbour. It has the one method of `httpcore2.AsyncNetworkBackend` that a fetch uses.

    Args:
        network: opens the connections; None for this system's.
        own: as `own_address`.
    """

    def __init__(self, network: httpcore2.AsyncNetworkBackend | None = None, own: Callable[[str], str] = own_address) -> None:
        self._network = network
        self._own = own

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to a literal address.

        Raises:
            Refusal: it is next door.
        """
        import httpcore2

        if is_neighbour(host, self._own(host)):
            raise Refusal(NOT_PUBLIC)
        network = self._network or cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())
        return await network.connect_tcp(host, port, timeout, local_address, socket_options)


def _network(address: IPv6Address) -> int:
    return int(address) >> _NETWORK_BITS
