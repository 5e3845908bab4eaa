"""An account's own mail server as the way out: everything that can fail does so before the mail itself is handed over.

Until the mail's last bytes are handed over nothing has happened, and a failure is just that: without its end no server delivers it. A
refusal in the server's own words is one, too. If the connection ends after that without a word, nobody knows whether the server has the
mail. It is encrypted and the certificate is checked, unless the settings say otherwise.
"""

from __future__ import annotations

import base64
import logging
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from pydantic import SecretStr

from config.shapes.mail import Security
from mcp_servers.abandoning import Wait
from mcp_servers.mailbox.accounts import AccountFailed
from mcp_servers.mailbox.mail_server import MailServer
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.message.mime import quotable_id
from mcp_servers.mailbox.message.writing import with_utf8_addresses
from mcp_servers.mailbox.refused_login import ANOTHER, BEYOND_ASCII, plain_response, why_refused
from mcp_servers.mailbox.steadily import send_steadily
from mcp_servers.mailbox.unfiled import Unfiled
from mcp_servers.outbox.carriers import NotSent, Parcel, TurnedDown, Unsure, sent_key
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol import progress

log = logging.getLogger(__name__)
ANSWER_TIMEOUT_S = 30.0
"""For each answer and each piece of a mail: half of what the host waits without a word. A server that thinks about a mail for longer
leaves it unknown."""
OK = 250
WELCOME = (235, 503)
LATER = "Try again later, or send it with a mail program."


@dataclass(frozen=True)
class SmtpServer(MailServer):
    """Where an account's mail goes out."""

    security: Security = "starttls"


class _Wire(smtplib.SMTP):
    """A connection that a mail goes out on at the line's own pace."""

    is_handed_over = False
    """Whether the server may have a whole mail."""

    def send(self, s: bytes | str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(s, str) or self.sock is None:  # a command
            super().send(s)
            return
        try:
            send_steadily(self.sock, s, on_last=self._hand_over)
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(str(error) or type(error).__name__) from error

    def _hand_over(self) -> None:
        self.is_handed_over = True


class _TlsWire(_Wire, smtplib.SMTP_SSL):  # pyright: ignore[reportIncompatibleMethodOverride]
    """The same, encrypted from the first byte."""


class SmtpCarrier:
    """One account's server; each mail has a connection of its own. A copy of what left goes to the local folder `Sent`.

    Args:
        server: where mail goes out.
        sent: the local folder.
        unfiled: where it is noted what the mail server puts among the account's own; None for nothing.
        tls: who vouches for the server; None for those that this system trusts.
    """

    def __init__(self, server: SmtpServer, sent: Maildir, *, unfiled: Unfiled | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._sent = sent
        self._unfiled = unfiled
        self._tls = tls

    def carry(self, parcel: Parcel, *, on_leaving: Callable[[], None]) -> None:
        parcel = replace(parcel, content=_identified(parcel))
        # Until there is a connection the call may be given up, and nothing has happened.
        wire = Wait().of(self._connected, lambda wire: wire.close())
        progress.whole(lambda: self._carried(wire, parcel, on_leaving))

    def _carried(self, wire: _Wire, parcel: Parcel, on_leaving: Callable[[], None]) -> None:
        try:
            self._announce(wire, parcel)
            on_leaving()
            self._hand_over(wire, parcel.content if _is_plain(parcel) else with_utf8_addresses(parcel.content))
            self._keep(parcel)
        finally:
            with suppress(smtplib.SMTPException, OSError):
                wire.quit()

    def was_carried(self, uid: str) -> bool | None:
        # The copy is proof, also when somebody has marked it as deleted since; that there is none proves nothing.
        return True if sent_key(uid) in self._sent.with_deleted() else None

    def _keep(self, parcel: Parcel) -> None:
        # At once: until the copy is there, a crash leaves it open whether the mail was sent.
        try:
            if self._unfiled is not None:
                self._unfiled.note(sent_key(parcel.uid), self._server.name)
            self._sent.add(parcel.content, key=sent_key(parcel.uid))
        except OSError:
            log.exception("a mail was sent, and its copy could not be kept")

    def _announce(self, wire: smtplib.SMTP, parcel: Parcel) -> None:
        """Say who writes to whom; all of them are taken, or nothing is sent."""
        strange = [address for address in (parcel.sender, *parcel.recipients) if not address.isascii()]
        if strange and not wire.has_extn("smtputf8"):
            names = f"{', '.join(strange)}: it takes no addresses with letters beyond ASCII (SMTPUTF8)"
            raise NotSent(f"{self._server.host} does not take {names}. Nothing was sent. Give another address.")
        # A server that does not offer it is given the mail all the same: few mind, and the bytes are what was approved.
        is_wide = not parcel.content.isascii() and wire.has_extn("8bitmime")
        options = ["SMTPUTF8", "BODY=8BITMIME"] if strange else ["BODY=8BITMIME"] if is_wide else []
        try:
            code, reply = wire.mail(parcel.sender, options)
            if _is_passing(code):
                said = f"does not take mail from {parcel.sender} just now ({_said(reply)}). Nothing was sent."
                raise TurnedDown(f"{self._server.host} {said} {LATER}")
            if code != OK:
                said = f"does not take mail from {parcel.sender} ({_said(reply)}). Nothing was sent."
                raise TurnedDown(f"{self._server.host} {said} Set the account's address right in the settings.")
            answers = {address: wire.rcpt(address) for address in parcel.recipients}
        except (smtplib.SMTPException, OSError) as error:
            raise self._lost(error) from error
        no = {address: (code, f"{address} ({_said(reply)})") for address, (code, reply) in answers.items() if code not in (250, 251)}
        # One that is only asked to wait, as greylisting does, is no wrong address.
        if refused := [said for code, said in no.values() if not _is_passing(code)]:
            raise TurnedDown(
                f"{self._server.host} does not take mail to {', '.join(refused)}. Nothing was sent, to nobody. Give other addresses."
            )
        if no:
            waiting = ", ".join(said for _, said in no.values())
            raise TurnedDown(f"{self._server.host} does not take mail to {waiting} just now. Nothing was sent, to nobody. {LATER}")

    def _hand_over(self, wire: _Wire, content: bytes) -> None:
        try:
            code, reply = wire.data(content)
        except smtplib.SMTPDataError as error:
            raise TurnedDown(
                f"{self._server.host} does not take the mail ({_said(error.smtp_error)}). Nothing was sent. {LATER}"
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            if not wire.is_handed_over:
                said = f"broke off in the middle of the mail ({_said(str(error) or type(error).__name__)})"
                raise TurnedDown(f"{self._server.host} {said}. Nothing was sent. {LATER}") from error
            raise Unsure(str(error)) from error
        if not _is_refusal(code) and code // 100 != OK // 100:
            raise Unsure(f"an answer of no known kind: {_said(reply)}")
        if _is_refusal(code):
            raise TurnedDown(f"{self._server.host} does not take the mail ({_said(reply)}). Nothing was sent. {LATER}")

    def _connected(self) -> _Wire:
        server, tls = self._server, self._tls or ssl.create_default_context()
        try:
            secret = server.secret()
            if server.security == "tls":
                wire: _Wire = _TlsWire(server.host, server.port, timeout=ANSWER_TIMEOUT_S, context=tls)
            else:
                wire = _Wire(server.host, server.port, timeout=ANSWER_TIMEOUT_S)
        except (smtplib.SMTPException, OSError) as error:
            raise self._lost(error) from error
        except AccountFailed as error:
            raise NotSent(f"{error} Nothing was sent.") from error
        try:
            wire.ehlo()
            if server.security == "starttls":
                wire.starttls(context=tls)
                wire.ehlo()
            if secret is not None:
                self._log_in(wire, secret)
        except NotSent:
            wire.close()
            raise
        except (smtplib.SMTPException, OSError) as error:
            wire.close()
            raise self._lost(error) from error
        return wire

    def _log_in(self, wire: _Wire, secret: SecretStr) -> None:
        server = self._server
        is_wide = not (server.user + secret.get_secret_value()).isascii()
        try:
            if is_wide and "PLAIN" in wire.esmtp_features.get("auth", "").split():
                _log_in_wide(wire, plain_response(server.user, secret))
            else:
                wire.login(server.user, secret.get_secret_value())
        except smtplib.SMTPAuthenticationError as error:
            # Without the library's text and its chain: a server may repeat what it was sent.
            is_passing = _is_passing(error.smtp_code)
            why = why_refused(server, _said(error.smtp_error), secret, is_passing=is_passing, whose=f" of {server.name}")
            problem = f"{server.host} {why.told}. Nothing was sent. {why.advice}"
            raise (TurnedDown if why.words else NotSent)(problem) from None
        except UnicodeError:
            # The library sends ASCII only; its text quotes what it could not send.
            raise NotSent(f"{server.name}: {BEYOND_ASCII}, which {server.host} does not take. Nothing was sent. {ANOTHER}") from None
        except (smtplib.SMTPException, ValueError) as error:
            # Of the library's text no more than its own words: in it may stand a server's answer, too.
            said = str(error).partition(" Last response")[0] if isinstance(error, smtplib.SMTPException) else "no answer of SMTP"
            raise self._lost(smtplib.SMTPException(said)) from None

    def _lost(self, error: Exception) -> NotSent:
        return TurnedDown(f"{self._server.host} gave no answer ({_said(str(error) or type(error).__name__)}). Nothing was sent. {LATER}")


def _log_in_wide(wire: smtplib.SMTP, response: bytes) -> None:
    """By `PLAIN`, which is UTF-8: the library's own login sends ASCII only."""
    sent = base64.b64encode(response).decode("ascii")
    code, reply = wire.docmd("AUTH", f"PLAIN {sent}")
    if code == 334:  # it wants to be asked first
        code, reply = wire.docmd(sent)
    if code not in WELCOME:
        raise smtplib.SMTPAuthenticationError(code, reply)


def _is_passing(code: int) -> bool:
    """Whether a no is one for now: a server that is too busy, or one that first lets everybody wait."""
    return 400 <= code < 500


def _is_refusal(code: int) -> bool:
    return 400 <= code < 600


def _is_plain(parcel: Parcel) -> bool:
    return all(address.isascii() for address in (parcel.sender, *parcel.recipients))


def _identified(parcel: Parcel) -> bytes:
    """The mail with an id of its own, which a draft of another program may lack."""
    if quotable_id(parcel.content):
        return parcel.content
    return f"Message-ID: <{sent_key(parcel.uid)}@variet.invalid>\r\n".encode() + parcel.content


def _said(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return clean_line(text)[:200]
