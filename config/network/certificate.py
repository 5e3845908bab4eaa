"""The certificate that a server of ours shows, as its files hold it when a connection begins: a renewed one needs no restart.

Certificates that renew themselves are replaced in their place some weeks before their end, and a server runs for longer than that.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

Stamp = tuple[int, int, int, int] | None
LOOK_BOUND_S = 0.5
"""So long a connection waits for a look at the files: a share that does not answer must not hold up everybody's streams."""
_LOG = logging.getLogger(__name__)


def shown_as_it_is(cert: Path, key: Path, read: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A context to serve with, whose new connections are shown what the files hold by then; those that are there already go on.

    One that cannot be used changes nothing and is logged, once for each state of the files: they may be replaced one after the other.

    Args:
        cert: the file of the certificate.
        key: that of its key.
        read: makes a context of both. What it raises says why they cannot be used; at the first time it is raised here.
    """
    shown = _Shown(cert, key, read)
    # Called for every connection, whether or not the client names the server.
    shown.first.sni_callback = shown.begin
    return shown.first


class _Shown:
    """What is shown, and the looks at the files: one at a time, and where they are slow nobody waits for one."""

    def __init__(self, cert: Path, key: Path, read: Callable[[], ssl.SSLContext]) -> None:
        self._cert, self._key, self._read = cert, key, read
        self._seen = stamps_of(cert, key)
        self.first = self._current = read()
        self._look: threading.Thread | None = None
        self._is_slow = False

    def begin(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """A connection begins."""
        if self._look is None or not self._look.is_alive():
            self._look = threading.Thread(target=self._look_again, name=f"look at {self._cert.name}", daemon=True)
            self._look.start()
            if not self._is_slow:
                self._look.join(LOOK_BOUND_S)
        if self._current is not self.first:
            connection.context = self._current

    def _look_again(self) -> None:
        begun = time.monotonic()
        if (now := stamps_of(self._cert, self._key)) != self._seen:
            self._seen = now
            try:
                # A context of its own: one in use would lose its key to a certificate that the key does not belong to.
                self._current = self._read()
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the new one, the old one is shown
                _LOG.error("The certificate stays as it was. %s", error)
            else:
                _LOG.warning("new connections are shown the new certificate of %s", self._cert)
        self._is_slow = time.monotonic() - begun > LOOK_BOUND_S


def stamps_of(cert: Path, key: Path) -> tuple[Stamp, Stamp]:
    """By what a change of the two files is noticed."""
    return _stamp_of(cert), _stamp_of(key)


def _stamp_of(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    # The second is the time of the last change of anything: a key that was made private again counts too.
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
