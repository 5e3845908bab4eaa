"""Whether an address belongs to everybody's internet, or to a house, a machine or nobody.

Pure. A page that a stranger named may be fetched from a public address only: what answers inside the house (a router, a printer, this
machine's own services, a cloud's metadata) trusts whoever asks from there. Python's `is_global` is no such table: it calls NAT64 and 6to4
forms of 127.0.0.1 global. The ranges are those of IANA's special-purpose registries; an address that carries another one inside it is
judged by that one, too.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_CLOSED_V4 = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
            *("192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
            *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
_OPEN_V6 = ip_network("2000::/3")
"""All that is given out as global unicast; everything else is closed unless it carries an open IPv4 address."""
_CLOSED_V6 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")))
_CARRYING_AT_THE_END = tuple(map(ip_network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv4-mapped, IPv4-translated and NAT64. IPv4-compatible addresses (`::/96`) lead nowhere any more and are closed."""
_SIX_TO_FOUR, _TEREDO = ip_network("2002::/16"), ip_network("2001::/32")
_ISATAP = {0x00005EFE, 0x02005EFE}
_LOW = 0xFFFFFFFF


def is_public(address: str) -> bool:
    """Whether a literal address is one that a stranger's page may be fetched from; what is no address, or has a zone, is not."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_open(parsed)
    if parsed.scope_id is not None:
        return False
    carried = _carried(parsed)
    if carried:
        return all(map(_is_open, carried))
    return parsed in _OPEN_V6 and not any(parsed in closed for closed in _CLOSED_V6)


def _is_open(address: IPv4Address) -> bool:
    return not any(address in closed for closed in _CLOSED_V4)


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that it may lead to, as the transition mechanisms write them."""
    number = int(address)
    if any(address in network for network in _CARRYING_AT_THE_END):
        return (IPv4Address(number & _LOW),)
    if address in _SIX_TO_FOUR:
        return (IPv4Address((number >> 80) & _LOW),)
    if address in _TEREDO:
        # Its server, and the client behind it, whose bits are turned round.
        return (IPv4Address((number >> 64) & _LOW), IPv4Address(~number & _LOW))
    if (number >> 32) & _LOW in _ISATAP and address in _OPEN_V6:
        return (IPv4Address(number & _LOW),)
    return ()
