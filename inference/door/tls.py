"""The engine's certificate: read at the start, so that a fault is a sentence to the operator and not a client's failed handshake.

One that is renewed in its place later is shown to the connections that begin from then on.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from config.network.certificate import shown_as_it_is
from config.schema import ServerSection
from inference.errors import TlsRefused

_OTHERS_MAY = 0o077


def tls_context(server: ServerSection) -> ssl.SSLContext | None:
    """What to serve https with; None where no certificate is configured.

    Raises:
        TlsRefused: certificate or key are missing, unreadable, readable by others, encrypted, or do not belong together.
    """
    if server.tls_cert is None or server.tls_key is None:
        return None
    cert, key = server.tls_cert, server.tls_key
    return shown_as_it_is(cert, key, lambda: _read(cert, key))


def _read(cert: Path, key: Path) -> ssl.SSLContext:
    _check_readable("tls_cert", cert)
    _check_readable("tls_key", key)
    _check_private(key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=lambda: _refuse_encrypted(key))
    except ssl.SSLError as error:
        why = "the key does not belong to the certificate" if error.reason == "KEY_VALUES_MISMATCH" else error.reason or str(error)
        raise TlsRefused(f"server.tls_cert = {cert} and server.tls_key = {key} cannot be used: {why}. Both must be PEM files.") from error
    return context


def _check_readable(setting: str, file: Path) -> None:
    try:
        with file.open("rb"):
            return
    except OSError as error:
        raise TlsRefused(f"server.{setting} = {file} cannot be read: {error.strerror}.") from error


def _check_private(key: Path) -> None:
    if os.name == "posix" and key.stat().st_mode & _OTHERS_MAY:
        raise TlsRefused(f"server.tls_key = {key} can be read or changed by others. Do: chmod 600 {key}")


def _refuse_encrypted(key: Path) -> str:
    raise TlsRefused(f"server.tls_key = {key} is encrypted, and nobody is there to type its password. Store it without one.")
