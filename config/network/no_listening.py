"""Why a server cannot listen where it should, and what a person does about it."""

from __future__ import annotations

import errno
import socket

_LOWEST_OF_ANYBODY = 1024
_ANY_PORT = 9


def why_not_listening(error: OSError, host: str, port: int, *, where_taken: str, where_not_ours: str) -> str:
    """What to say where a socket could not be bound.

    Args:
        error: what the system said.
        host: the address that was asked for.
        port: and the port.
        where_taken: what to do where somebody listens there already.
        where_not_ours: what to do where the machine does not have the address, as after a router gave it another one.
    """
    said = f"Cannot listen on {host} port {port}: {error.strerror}."
    if error.errno == errno.EADDRINUSE:
        return f"{said} {where_taken}"
    if error.errno == errno.EADDRNOTAVAIL:
        own = own_address(host.strip("[]"))
        return f"{said} This machine does not have that address now{f'; it has {own}' if own else ''}. {where_not_ours}"
    if error.errno == errno.EACCES and 0 < port < _LOWEST_OF_ANYBODY:
        return f"{said} Ports below {_LOWEST_OF_ANYBODY} need special rights. Give a higher one."
    if error.errno == errno.EACCES:  # As of the ports that Windows sets aside for virtual machines.
        return f"{said} The system, or another program, keeps that port for itself. Give another one."
    return said


def own_address(address: str) -> str:
    """Where this machine would connect from to get there; empty where there is no way. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
