"""An IMAP account: read without a trace (BODY.PEEK on a folder opened for reading), named by UID and UIDVALIDITY, moved only when asked.

The library's connection blocks, so every wait has the socket's bound; one that was lost while nothing was being asked is made again
once. What may have changed something is never sent a second time. The connection is encrypted and the certificate is checked, unless
the settings say otherwise.
"""

from __future__ import annotations

import imaplib
import re
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import SecretStr

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.accounts import AccountFailed, Listing, NotAll
from mcp_servers.mailbox.imapwire import Listed, fetched, listed_folders, quoted_name, roles_of
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.places import INBOX, ROLES

T = TypeVar("T")
ANSWER_TIMEOUT_S = 20.0
"""For each read of the connection; a server that is asked for a long list sends something meanwhile."""
HEADS_BOUND_S = 25.0
"""Reading a mailbox for the first time: what is not read by then is read at the next look, within the host's own bound for a call."""
MAX_LISTED = 5000
"""The newest of a folder; more would take longer than anybody waits, and what is left out is said."""
HEAD_BYTES = 65_536
"""Of a mail that is only indexed: headers and the beginning of the text."""
BATCH = 50
Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True)
class ImapServer:
    """Where an account's mail is, and who asks."""

    name: str
    host: str
    port: int
    user: str
    password: SecretStr
    security: Security = "tls"


class ImapAccount:
    """One account; connects at the first question. Not for use by two threads at once."""

    def __init__(self, server: ImapServer, *, tls: ssl.SSLContext | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._tls = tls
        self._clock = clock
        self._wire: imaplib.IMAP4 | None = None
        self._names: Mapping[str, str] = {}
        self._abilities: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self._server.name

    def close(self) -> None:
        """Say goodbye, if anybody is there."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with suppress(imaplib.IMAP4.error, OSError):
                wire.logout()

    def folders(self) -> tuple[str, ...]:
        self._names = self._asked(_names)
        return (*(role for role in ROLES if role in self._names), *sorted(set(self._names) - {*ROLES}, key=str.casefold))

    def listing(self, folder: str) -> Listing:
        if folder not in (self._names or self.folders()):
            return Listing()
        return self._asked(lambda wire: self._listed(wire, self._names[folder]))

    def heads(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        give_up_at = self._clock() + HEADS_BOUND_S
        by_folder: dict[str, list[str]] = {}
        for key in sorted(keys, key=lambda key: _uid(key), reverse=True):
            by_folder.setdefault(_folder(key), []).append(key)
        for folder, wanted in by_folder.items():
            for start in range(0, len(wanted), BATCH):
                if self._clock() > give_up_at:
                    raise NotAll(f"{self.name}: {len(wanted) - start} mails of {folder} are not read yet. Ask again.")
                yield from self._asked(lambda wire, batch=wanted[start : start + BATCH]: self._fetched(wire, batch, HEAD_BYTES)).items()

    def read(self, key: str) -> bytes | None:
        return self._asked(lambda wire: self._fetched(wire, [key], MAX_MAIL_BYTES)).get(key)

    def folder_of(self, key: str) -> str | None:
        names = {name: folder for folder, name in (self._names or self._looked_up()).items()}
        name = _folder(key)
        is_there = name in names and self._asked(lambda wire: key in self._present(wire, key))
        return names[name] if is_there else None

    def move(self, key: str, target: str) -> str:
        self._names = self._looked_up()
        if target not in self._names and target not in ROLES:
            raise Refusal(f'There is no folder "{target}". There are {", ".join(self._names)}.')
        self._asked(lambda wire: self._make(wire, target))
        # Opening the folder may find the connection gone and make another one; the move itself is sent once.
        self._asked(lambda wire: self._open(wire, key, readonly=False))
        try:
            return self._move(self._connected(), key, self._names[target])
        except (imaplib.IMAP4.abort, OSError) as error:
            self._drop()
            raise AccountFailed(f"{self.name}: it is not known whether the mail was moved ({_line(error)}). Look again.") from error
        except imaplib.IMAP4.error as error:
            raise AccountFailed(f"{self.name}: its server did not move the mail ({_line(error)}).") from error

    def _looked_up(self) -> Mapping[str, str]:
        return self._asked(_names)

    def _make(self, wire: imaplib.IMAP4, role: str) -> None:
        if role not in self._names:
            _checked(wire.create(quoted_name(role)))
            self._names = {**self._names, role: role}

    def _listed(self, wire: imaplib.IMAP4, name: str) -> Listing:
        validity = _select(wire, name, readonly=True)
        uids = [int(uid) for line in _checked(wire.uid("SEARCH", "ALL")) if isinstance(line, bytes) for uid in line.split()]
        newest = sorted(uids)[-MAX_LISTED:]
        if not newest:
            return Listing(gone=frozenset)
        found = fetched(_checked(wire.uid("FETCH", f"{newest[0]}:{newest[-1]}", "(UID FLAGS)")))
        wanted = {*newest}
        unread = {f"{validity}.{one.uid}.{name}": rb"\seen" not in one.flags for one in found if one.uid in wanted}

        def gone(keys: Collection[str]) -> frozenset[str]:
            # What is older than the listed ones may be there; under another UIDVALIDITY no number means what it meant.
            return frozenset(
                key for key in keys if not key.startswith(f"{validity}.") or _uid(key) >= newest[0] or len(uids) == len(newest)
            )

        return Listing(unread, left_out=len(uids) - len(newest), gone=gone)

    def _fetched(self, wire: imaplib.IMAP4, keys: Sequence[str], limit: int) -> dict[str, bytes]:
        if self._open(wire, keys[0], readonly=True) is None:
            return {}
        by_uid = {_uid(key): key for key in keys}
        numbers = ",".join(str(uid) for uid in by_uid)
        answer = fetched(_checked(wire.uid("FETCH", numbers, f"(UID BODY.PEEK[]<0.{limit}>)")))
        return {by_uid[one.uid]: one.content for one in answer if one.uid in by_uid and one.content is not None}

    def _present(self, wire: imaplib.IMAP4, key: str) -> set[str]:
        if self._open(wire, key, readonly=True) is None:
            return set()
        return {key for one in fetched(_checked(wire.uid("FETCH", str(_uid(key)), "(UID FLAGS)"))) if one.uid == _uid(key)}

    def _open(self, wire: imaplib.IMAP4, key: str, *, readonly: bool) -> str | None:
        """Open the key's folder; None when its UIDs mean other mails by now."""
        validity = _select(wire, _folder(key), readonly=readonly)
        return validity if key.startswith(f"{validity}.") else None

    def _move(self, wire: imaplib.IMAP4, key: str, name: str) -> str:
        uid = str(_uid(key))
        wire.untagged_responses.pop("COPYUID", None)
        if "MOVE" in self._abilities:
            _checked(wire.uid("MOVE", uid, quoted_name(name)))
        elif "UIDPLUS" in self._abilities:
            _checked(wire.uid("COPY", uid, quoted_name(name)))
            _checked(wire.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
            _checked(wire.uid("EXPUNGE", uid))
        else:
            raise Refusal(f"{self.name}: its server cannot move single mails.")
        copied = wire.untagged_responses.pop("COPYUID", [b""])[-1]
        match = re.fullmatch(rb"(\d+) \d+ (\d+)", copied) if isinstance(copied, bytes) else None
        return f"{int(match[1])}.{int(match[2])}.{name}" if match else f"0.0.{name}"

    def _asked(self, question: Callable[[imaplib.IMAP4], T]) -> T:
        """An answer that a lost connection does not change: asked on the one that is there, and once more on a new one."""
        if self._wire is not None:
            try:
                return question(self._wire)
            except (imaplib.IMAP4.abort, OSError):
                self._drop()
            except imaplib.IMAP4.error as error:
                raise AccountFailed(f"{self.name}: its server refused ({_line(error)}).") from error
        try:
            return question(self._connected())
        except (imaplib.IMAP4.abort, OSError) as error:
            self._drop()
            raise AccountFailed(f"{self.name}: no answer from {self._server.host} ({_line(error)}).") from error
        except imaplib.IMAP4.error as error:
            raise AccountFailed(f"{self.name}: its server refused ({_line(error)}).") from error

    def _connected(self) -> imaplib.IMAP4:
        if self._wire is None:
            server = self._server
            tls = self._tls or ssl.create_default_context()
            if server.security == "tls":
                wire: imaplib.IMAP4 = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=tls, timeout=ANSWER_TIMEOUT_S)
            else:
                wire = imaplib.IMAP4(server.host, server.port, timeout=ANSWER_TIMEOUT_S)
            try:
                if server.security == "starttls":
                    wire.starttls(tls)
                self._log_in(wire)
            except BaseException:
                with suppress(OSError):
                    wire.shutdown()
                raise
            self._wire = wire
        return self._wire

    def _log_in(self, wire: imaplib.IMAP4) -> None:
        try:
            wire.login(self._server.user, self._server.password.get_secret_value())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            # Without the library's text and its chain: a server may repeat what it was sent.
            raise AccountFailed(f"{self.name}: {self._server.host} did not take the user name and password.") from None
        said = b" ".join(line for line in _checked(wire.capability()) if isinstance(line, bytes))
        self._abilities = frozenset(said.decode("ascii", "replace").upper().split())

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            with suppress(OSError):
                wire.shutdown()


def _names(wire: imaplib.IMAP4) -> dict[str, str]:
    """The server's name of each folder by the one that a person sees."""
    listed = listed_folders(_checked(wire.list()))
    roles = dict(roles_of([*listed, Listed(INBOX)]))
    taken = {name.lower() for name in roles.values()}
    return {**roles, **{folder.name: folder.name for folder in listed if folder.name.lower() not in taken}}


def _select(wire: imaplib.IMAP4, name: str, *, readonly: bool) -> str:
    _checked(wire.select(quoted_name(name), readonly=readonly))
    found = wire.untagged_responses.get("UIDVALIDITY", [b""])[-1]
    return found.decode("ascii", "replace") if isinstance(found, bytes) and found else "0"


def _checked(answer: tuple[str, Sequence[object]]) -> list[object]:
    status, data = answer
    if status != "OK":
        said = data[-1] if data else status
        raise imaplib.IMAP4.error(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
    return [item for item in data if item is not None]


def _uid(key: str) -> int:
    return int(key.split(".", 2)[1])


def _folder(key: str) -> str:
    return key.split(".", 2)[2]


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
