"""Where the engine may listen, and how: what is not clearly this machine or its private network is refused.

Pure: it looks at settings and never at the network. The rules are one-sided on purpose.
"""

from __future__ import annotations

import ipaddress

from config.schema import ServerSection
from inference.errors import BindRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_bind(server: ServerSection, *, has_keys: bool) -> None:
    """Refuse an address that would expose the engine.

    1. A certificate and its key come together.
    2. Loopback: always.
    3. A name other than localhost: refused, nobody can see where it leads.
    4. A wildcard: only in a container, whose own network is around it.
    5. A public address: refused.
    6. Whatever others can reach: with keys only.
    7. And with TLS, unless plain HTTP was permitted by name.

    Raises:
        BindRefused: with what to do instead.
    """
    host = server.host
    # 1.
    if (server.tls_cert is None) != (server.tls_key is None):
        missing = "tls_key" if server.tls_key is None else "tls_cert"
        raise BindRefused(f"server.{missing} is missing: TLS needs the certificate and its key.")
    # 2. 3.
    if is_loopback(host):
        return
    address = address_of(host)
    if address is None:
        raise BindRefused(f"server.host = {host!r} is no address. Give an IP address of this machine, or localhost.")
    # 4.
    if address.is_unspecified and not server.container:
        raise BindRefused(
            f"server.host = {host!r} would listen on every network. Give the private address to listen on; "
            "only in a container of its own may it be a wildcard, with server.container = true."
        )
    # 5.
    if address.is_global or address.is_multicast:
        raise BindRefused(f"server.host = {host!r} is a public address. The engine serves this machine and its private network only.")
    # 6.
    if not has_keys:
        raise BindRefused(f"server.host = {host!r} can be reached by others, and no key is set. Make one: variet engine keys add NAME")
    # 7.
    if server.tls_cert is None and not server.allow_plain_http:
        raise BindRefused(
            f"server.host = {host!r} would send keys and texts readable over the network. Set server.tls_cert and server.tls_key, "
            "or permit it with server.allow_plain_http = true."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    if host == "localhost":
        return True
    address = address_of(host)
    return address is not None and address.is_loopback


def is_wildcard(host: str) -> bool:
    """Whether it means every address of the machine."""
    address = address_of(host)
    return address is not None and address.is_unspecified


def is_public(host: str) -> bool:
    """Whether it is an address that the whole world may route to; a name is not looked up."""
    address = address_of(host)
    return address is not None and address.is_global


def address_of(host: str) -> Address | None:
    """The address that a text is; None for a name. An IPv4 address in IPv6 clothes is taken for what it is."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
