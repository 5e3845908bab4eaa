"""How an IMAP server is reached and lets an account in, and what is said where it does not.

Nothing here is asked twice: a login that is refused again and again locks people out.
"""

from __future__ import annotations

import imaplib
import ssl
from contextlib import suppress

from pydantic import SecretStr

from mcp_servers.mailbox.accounts import LoginRefused
from mcp_servers.mailbox.mail_server import MailServer
from mcp_servers.mailbox.refused_login import ANOTHER, BEYOND_ASCII, plain_response, why_refused
from mcp_servers.mailbox.steadily import send_steadily


class _Wire(imaplib.IMAP4):
    """One that a mail goes up on at the line's own pace."""

    def send(self, data: bytes) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        send_steadily(self.sock, data)


class _TlsWire(_Wire, imaplib.IMAP4_SSL):  # pyright: ignore[reportIncompatibleMethodOverride]
    """The same, encrypted from the first byte."""


def entered(server: MailServer, secret: SecretStr | None, tls: ssl.SSLContext, *, timeout_s: float) -> imaplib.IMAP4:
    """A connection that is logged in.

    Args:
        server: whose.
        secret: its password.
        tls: who vouches for it.
        timeout_s: for each read, and for each piece of what is sent.

    Raises:
        LoginRefused: nobody is let in.
        imaplib.IMAP4.error: another refusal, or no answer.
        OSError: no connection.
    """
    if server.security == "tls":
        wire: imaplib.IMAP4 = _TlsWire(server.host, server.port, ssl_context=tls, timeout=timeout_s)
    else:
        wire = _Wire(server.host, server.port, timeout=timeout_s)
    try:
        if server.security == "starttls":
            wire.starttls(tls)
        _log_in(wire, server, secret or SecretStr(""))
    except BaseException:
        with suppress(OSError):
            wire.shutdown()
        raise
    return wire


def _log_in(wire: imaplib.IMAP4, server: MailServer, secret: SecretStr) -> None:
    try:
        if "AUTH=PLAIN" in wire.capabilities and not (server.user + secret.get_secret_value()).isascii():
            wire.authenticate("PLAIN", lambda _: plain_response(server.user, secret))
        else:
            wire.login(server.user, secret.get_secret_value())
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        # Without the library's text and its chain: a server may repeat what it was sent.
        said = error.args[0] if error.args else b""
        why = why_refused(server, said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said), secret)
        raise LoginRefused(f"{server.name}: {server.host} {why.told}. {why.advice}", by_server=why.words) from None
    except UnicodeError:
        # The library sends ASCII only; its text quotes what it could not send.
        raise LoginRefused(f"{server.name}: {BEYOND_ASCII}, which cannot be sent. {ANOTHER}") from None
