"""A connection to an IMAP server: encrypted, logged in, made again once when it was lost, and each of its waits bounded.

The library's connection blocks, so every wait has the socket's bound. What may have changed something is never sent a second time. The
certificate is checked, unless the settings say otherwise.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr

from config.shapes.mail import Security
from mcp_servers.abandoning import Wait
from mcp_servers.mailbox.accounts import AccountAway, AccountFailed, LoginRefused
from mcp_servers.mailbox.imap.entering import entered
from mcp_servers.mailbox.imap.wire import Listed, listed_folders, prefix_of, quoted_name, roles_of
from mcp_servers.mailbox.mail_server import MailServer
from mcp_servers.mailbox.places import INBOX
from mcp_servers.outside.quoting import clean_line
from mcp_servers.protocol import progress

T = TypeVar("T")
ANSWER_TIMEOUT_S = 20.0
"""For each read of the connection and each piece that is sent; a server that is asked for a long list sends something meanwhile."""
REFUSED_S = 20.0
"""For so long a login that was refused is not tried again with the same password: one call may look into many folders."""
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, MemoryError)
"""What the library, or we, make of an answer that is none."""
_LATER = "Try again later, or do it with a mail program."
_WHERE = "Look at the network and at the account's host and port in the settings, or try again later."


@dataclass(frozen=True)
class ImapServer(MailServer):
    """Where an account's mail is."""

    password: SecretStr
    security: Security = "tls"


class ImapConnection:
    """One account's; connects at the first question. Not for use by two threads at once."""

    def __init__(self, server: ImapServer, tls: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._tls = tls
        self.wire: imaplib.IMAP4 | None = None
        self.abilities: frozenset[str] = frozenset()
        self._refused: _RefusedLogin | None = None

    @property
    def name(self) -> str:
        return self._server.name

    def close(self) -> None:
        """Say goodbye, if anybody is there."""
        wire, self.wire = self.wire, None
        if wire is not None:
            with suppress(imaplib.IMAP4.error, OSError, *_BROKEN):
                wire.logout()
            with suppress(OSError):  # it does not hang up where there was no answer
                wire.shutdown()

    def asked(self, question: Callable[[imaplib.IMAP4], T]) -> T:
        """An answer that a lost connection does not change: asked on the one that is there, and once more on a new one.

        Raises:
            AccountAway: no connection, or no login.
            AccountFailed: no answer, or a refusal.
        """
        progress.check()
        with progress.ends(self._hang_up):
            answer = self._answered(question)
        progress.check()
        return answer

    def asked_once(self, change: Callable[[imaplib.IMAP4], T], what: str) -> T:
        """The same for what is never sent a second time.

        Args:
            change: what is to be done, on a connection that was there a moment ago.
            what: is done to the mail, such as `moved`.

        Raises:
            AccountFailed: it was not done, or nobody knows; the sentence says which.
        """
        wire = self.asked(lambda wire: wire)
        try:
            return change(wire)
        except (imaplib.IMAP4.abort, OSError) as error:
            self._drop()
            raise AccountFailed(
                f"{self.name}: it is not known whether the mail was {what} ({_line(error)}). Look again.", by_server=_line(error)
            ) from error
        except imaplib.IMAP4.error as error:
            raise AccountFailed(
                f"{self.name}: its server says that the mail was not {what} ({_line(error)}). {_LATER}", by_server=_line(error)
            ) from error
        except _BROKEN as error:
            self._drop()
            raise AccountFailed(f"{self.name}: it is not known whether the mail was {what} (no answer of IMAP). Look again.") from error

    def _answered(self, question: Callable[[imaplib.IMAP4], T]) -> T:
        if self.wire is not None:
            try:
                return question(self.wire)
            except (imaplib.IMAP4.abort, OSError):
                self._drop()
                progress.check()  # it may have been lost because nobody wants the answer
            except (imaplib.IMAP4.error, *_BROKEN) as error:
                raise self._failed(error) from error
        wire = self._reached()
        try:
            progress.check()
            return question(wire)
        except (imaplib.IMAP4.error, OSError, *_BROKEN) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> AccountFailed:
        """Why there is no answer; a connection of which nobody knows where its answers stand is ended."""
        if not isinstance(error, Refused):
            self._drop()
        if isinstance(error, imaplib.IMAP4.abort | OSError):
            return AccountFailed(
                f"{self.name}: no answer from {self._server.host} ({_line(error)}). Try again later.", by_server=_line(error)
            )
        if isinstance(error, imaplib.IMAP4.error):
            return AccountFailed(f"{self.name}: its server refused ({_line(error)}). {_LATER}", by_server=_line(error))
        return AccountFailed(f"{self.name}: what {self._server.host} answers is no IMAP. {_LATER}")

    def _reached(self) -> imaplib.IMAP4:
        try:
            return self._connected()
        except (imaplib.IMAP4.abort, OSError) as error:
            raise AccountAway(
                f"{self.name}: no answer from {self._server.host} ({_line(error)}). {_WHERE}", by_server=_line(error)
            ) from error
        except imaplib.IMAP4.error as error:
            raise AccountAway(f"{self.name}: its server refused ({_line(error)}). {_LATER}", by_server=_line(error)) from error
        except _BROKEN as error:
            raise AccountAway(f"{self.name}: what {self._server.host} answers is no IMAP. {_WHERE}") from error

    def _connected(self) -> imaplib.IMAP4:
        if self.wire is None:
            secret, refused = self._server.secret(), self._refused
            if refused is not None and refused.secret == secret and time.monotonic() < refused.until:
                raise LoginRefused(refused.sentence, by_server=refused.by_server)
            try:
                self.wire, self.abilities = Wait().of(lambda: self._made(secret), lambda made: made[0].shutdown())
            except LoginRefused as error:
                self._refused = _RefusedLogin(secret, time.monotonic() + REFUSED_S, str(error), error.by_server)
                raise
        return self.wire

    def _made(self, secret: SecretStr | None) -> tuple[imaplib.IMAP4, frozenset[str]]:
        """A connection, and what its server can do. Nothing of ours is touched: who waited for it may have left."""
        server = self._server
        tls = self._tls or ssl.create_default_context()
        wire = entered(server, secret, tls, timeout_s=ANSWER_TIMEOUT_S)
        try:
            said = b" ".join(line for line in checked(wire.capability()) if isinstance(line, bytes))
        except BaseException:
            with suppress(OSError):
                wire.shutdown()
            raise
        return wire, frozenset(said.decode("ascii", "replace").upper().split())

    def _hang_up(self) -> None:
        """From another thread: what is waited for is over at once."""
        wire = self.wire
        if wire is not None:
            # Not the library's own way, which waits for the very read that is to end.
            socket.socket.shutdown(wire.sock, socket.SHUT_RDWR)

    def _drop(self) -> None:
        wire, self.wire = self.wire, None
        if wire is not None:
            with suppress(OSError):
                wire.shutdown()


@dataclass(frozen=True)
class _RefusedLogin:
    """The last one."""

    secret: SecretStr | None
    until: float
    """It stays refused."""
    sentence: str
    by_server: str


def folder_names(wire: imaplib.IMAP4) -> dict[str, str]:
    """The server's name of each folder by the one that a person sees."""
    return _names_of(listed_folders(checked(wire.list())))


def role_folder(wire: imaplib.IMAP4, role: str) -> str:
    """The server's name of a role's folder, which is made when it is missing, beside the others."""
    listed = listed_folders(checked(wire.list()))
    name = _names_of(listed).get(role)
    if name is None:
        name = prefix_of(listed) + role
        checked(wire.create(quoted_name(name)))
    return name


def _names_of(listed: Sequence[Listed]) -> dict[str, str]:
    roles = dict(roles_of([*listed, Listed(INBOX)]))
    taken = {name.lower() for name in roles.values()}
    others = [folder.name for folder in listed if folder.name.lower() not in taken]
    # Somebody's own folder may have the name of a role that is another folder's.
    return {**roles, **{f"{name} (2)" if name in roles else name: name for name in others}}


class Refused(imaplib.IMAP4.error):
    """The server's own no to a command; the connection is as good as before."""


class NotWritable(Refused):
    """A folder that can only be read. The library takes it for a connection that was lost."""


def select(wire: imaplib.IMAP4, name: str, *, readonly: bool) -> str:
    """Open a folder; what its UIDs mean by now.

    Raises:
        NotWritable: it was to be opened for changes, and can only be read.
    """
    try:
        checked(wire.select(quoted_name(name), readonly=readonly))
    except imaplib.IMAP4.readonly as error:
        raise NotWritable(f"{name} can only be read") from error
    found = wire.untagged_responses.get("UIDVALIDITY", [b""])[-1]
    return found.decode("ascii", "replace") if isinstance(found, bytes) and found else "0"


def count_of(wire: imaplib.IMAP4) -> int:
    """How many mails are in the folder that was opened just now: every server says it, in one short line.

    Raises:
        ValueError: it does not. A folder of which nothing is known is not an empty one.
    """
    said = wire.untagged_responses.get("EXISTS", [b""])[-1]
    if not isinstance(said, bytes) or not said.isdigit():
        raise ValueError("no number of mails")
    return int(said)


def checked(answer: tuple[str, Sequence[object]]) -> list[object]:
    """What an answer holds.

    Raises:
        Refused: it is a refusal.
    """
    status, data = answer
    if status != "OK":
        said = data[-1] if data else status
        raise Refused(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
    return [item for item in data if item is not None]


def _line(error: BaseException) -> str:
    # A server's own words, among others.
    return clean_line(str(error))[:200] or type(error).__name__
