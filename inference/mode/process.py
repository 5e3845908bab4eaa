"""The mode's process as its file tells of it: whether it runs, what it was started with, and how it is ended."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from config.paths import Home
from config.schema import ServerSection
from inference.door.bind import is_wildcard

FILE = "mode.json"
"""In a home's folder of what runs."""
CONNECT_BOUND_S = 5.0
"""To a process on this machine, or on an address of its own."""
END_BOUND_S = 20.0
"""From its signal to its end: longer than it gives the answers that are on their way out, on a busy machine too."""
_POLL_S = 0.02


@dataclass(frozen=True)
class ModeProcess:
    """One that runs."""

    file: Path
    pid: int
    address: tuple[str, int]
    settings: str
    """What it was started with, as `fingerprint` says it; empty for one of an older version."""

    def ask_to_end(self) -> None:
        """Send it the signal that ends it.

        Raises:
            OSError: it could not be sent.
        """
        os.kill(self.pid, signal.SIGTERM)

    def end(self) -> bool:
        """End it and wait until it has gone, bounded; whether it has."""
        with suppress(OSError):
            self.ask_to_end()
        until = time.monotonic() + END_BOUND_S
        while is_there := self._is_there():
            if time.monotonic() >= until:
                break
            time.sleep(_POLL_S)
        return not is_there

    def _is_there(self) -> bool:
        # It removes its file last, and must not remove the next one's. Where a signal ends a process at once, the file is left.
        return (os.name == "posix" and self.file.exists()) or _listens(self.address)


def find_mode(home: Home) -> ModeProcess | None:
    """The process that a home's file tells of; None where nobody listens there, for then the process id may be a stranger's."""
    file = home.run_dir / FILE
    try:
        found: dict[str, object] = json.loads(file.read_bytes())
        url, pid = urlsplit(str(found["url"])), int(str(found["pid"]))
        host = url.hostname or ""
        address = ("127.0.0.1" if is_wildcard(host) else host, url.port or 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # Zero and below would be groups of processes.
    return ModeProcess(file, pid, address, str(found.get("settings", ""))) if pid > 0 and _listens(address) else None


def fingerprint(server: ServerSection, port: int) -> str:
    """All that such a process takes on when it starts and keeps: address, names, certificate and key as they are now, version."""
    told = (server.host, port, server.max_header_kib, server.names, importlib.metadata.version("variet"))
    return hashlib.sha256(repr((told, *map(_digest, (server.tls_cert, server.tls_key)))).encode(errors="surrogatepass")).hexdigest()


def _digest(file: Path | None) -> str | None:
    try:
        return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return str(error.errno)


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, CONNECT_BOUND_S).close()
    except OSError:
        return False
    return True
